/* confusion: who was taken for whom, and the figures made of it.
 *
 * Definitions are scikit-learn's (sklearn.metrics, zero_division = 0), over
 * all classes that the model has, also those without a row:
 *   precision = correct / predicted     recall = correct / support
 *   f1 = 2 correct / (support + predicted)    each 0 where it divides by 0
 *   macro: plain mean over classes       weighted: mean by support */
#ifndef CORE_TRAIN_CONFUSION_H
#define CORE_TRAIN_CONFUSION_H
#include "core/base/err.h"
#include <stdint.h>

struct confusion {
    size_t n_classes;
    uint64_t *counts; /* (n_classes, n_classes): row true, column predicted */
    uint64_t n;       /* all counts */
};

struct confusion_scores {
    double precision, recall, f1;
};
struct confusion_class {
    struct confusion_scores scores;
    uint64_t support, predicted, correct;
};
struct confusion_summary {
    double accuracy;
    struct confusion_scores macro, weighted;
    size_t n_predicted_classes; /* classes that were predicted at all */
};

/* LIMIT when memory does not hold the matrix. */
MUST_CHECK int confusion_init(struct confusion *c, size_t n_classes,
                              struct err *err);
void confusion_fini(struct confusion *c);
/* Both below n_classes: asserted. */
void confusion_add(struct confusion *c, size_t is, size_t predicted);
uint64_t confusion_at(const struct confusion *c, size_t is, size_t predicted);
/* The figures of every class, into classes (n_classes). */
void confusion_classes(const struct confusion *c,
                       struct confusion_class *classes);
/* Of a matrix with at least one count. */
struct confusion_summary
confusion_summary(const struct confusion *c,
                  const struct confusion_class *classes);

#endif
