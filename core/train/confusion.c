#include "core/train/confusion.h"
#include "core/base/mem.h"

#include <assert.h>
#include <stdlib.h>

int confusion_init(struct confusion *c, size_t n_classes, struct err *err)
{
    size_t n_cells;
    uint64_t *counts = mem_mul(n_classes, n_classes, &n_cells)
                           ? mem_try(n_cells, sizeof(*counts))
                           : NULL;
    if (counts == NULL) {
        return err_set(err, ERR_LIMIT,
                       "no memory for a confusion matrix of %zu classes",
                       n_classes);
    }
    *c = (struct confusion){.n_classes = n_classes, .counts = counts};
    return 0;
}

void confusion_fini(struct confusion *c)
{
    free(c->counts);
    *c = (struct confusion){0};
}

void confusion_add(struct confusion *c, size_t is, size_t predicted)
{
    assert(is < c->n_classes && predicted < c->n_classes);
    c->counts[is * c->n_classes + predicted]++;
    c->n++;
}

uint64_t confusion_at(const struct confusion *c, size_t is, size_t predicted)
{
    assert(is < c->n_classes && predicted < c->n_classes);
    return c->counts[is * c->n_classes + predicted];
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

void confusion_classes(const struct confusion *c,
                       struct confusion_class *classes)
{
    for (size_t i = 0; i < c->n_classes; i++) {
        struct confusion_class k = {.correct = confusion_at(c, i, i)};
        for (size_t j = 0; j < c->n_classes; j++) {
            k.support += confusion_at(c, i, j);
            k.predicted += confusion_at(c, j, i);
        }
        k.scores = (struct confusion_scores){
            .precision = ratio((double)k.correct, (double)k.predicted),
            .recall = ratio((double)k.correct, (double)k.support),
            .f1 = ratio(2 * (double)k.correct,
                        (double)k.support + (double)k.predicted),
        };
        classes[i] = k;
    }
}

static void add_scores(struct confusion_scores *sum,
                       const struct confusion_scores *s, double weight)
{
    sum->precision += weight * s->precision;
    sum->recall += weight * s->recall;
    sum->f1 += weight * s->f1;
}

struct confusion_summary
confusion_summary(const struct confusion *c,
                  const struct confusion_class *classes)
{
    assert(c->n > 0);
    struct confusion_summary s = {0};
    uint64_t n_correct = 0;
    for (size_t i = 0; i < c->n_classes; i++) {
        const struct confusion_class *k = &classes[i];
        add_scores(&s.macro, &k->scores, 1.0 / (double)c->n_classes);
        add_scores(&s.weighted, &k->scores, (double)k->support / (double)c->n);
        n_correct += k->correct;
        s.n_predicted_classes += k->predicted > 0;
    }
    s.accuracy = (double)n_correct / (double)c->n;
    return s;
}
