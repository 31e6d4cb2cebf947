/* report: how a predictor does on labelled texts.
 *
 * Accuracy, mean cross-entropy, the confusion matrix with the figures of every
 * class (confusion.h), and for each row what was predicted and how surely. A
 * row's tokens are the ones that the model saw (cut at max_len). */
#ifndef CORE_TRAIN_REPORT_H
#define CORE_TRAIN_REPORT_H
#include "core/base/err.h"
#include "core/train/confusion.h"
#include <stdbool.h>
#include <stdint.h>
struct buf;
struct predictor;

struct report_row {
    struct span text; /* borrowed from what report_new was given */
    int32_t label, predicted;
    float probability;       /* of the predicted class */
    float label_probability; /* of the true one */
};

struct report {
    const struct predictor *predictor; /* borrowed: classes and tokenizer */
    size_t n_classes, n_rows, n_errors;
    struct report_row *rows; /* in the order given */
    double loss;             /* mean of -log(label_probability), nats */
    struct confusion confusion;
    struct confusion_class *classes; /* (n_classes) */
    struct confusion_summary summary;
};

struct report_input {
    const struct span *texts; /* valid UTF-8; borrowed until report_free */
    const int32_t *labels;    /* class ids of the predictor; asserted */
    size_t n;                 /* INVALID when 0 */
    /* Called now and then with the rows done; true: stop (CANCELED). May be
     * NULL. */
    bool (*on_progress)(void *ctx, size_t n_done);
    void *ctx;
};

/* Predict all rows. Borrows the predictor and the texts until report_free. */
MUST_CHECK int report_new(struct predictor *p, const struct report_input *in,
                          struct report **out, struct err *err);
void report_free(struct report *r);
const char *report_class(const struct report *r, size_t id);

/* The tokens of a text as Hugging Face shows them: byte stand-ins, a space is
 * U+0120. Calls on_token for each of at most max of them; returns how many the
 * model saw. */
MUST_CHECK int report_tokens(const struct report *r, struct span text,
                             size_t max,
                             void (*on_token)(void *ctx, const char *token),
                             void *ctx, size_t *n_tokens, struct err *err);

/* What the report is about, for its headings; all may be NULL. */
struct report_title {
    const char *model, *data;
};
/* Append one JSON object: everything, errors with tokens included. Figures of
 * all rows that are not finite are the strings of json_put_double. */
MUST_CHECK int report_json(const struct report *r,
                           const struct report_title *title, struct buf *out,
                           struct err *err);
/* Append CSV (RFC 4180): one record a row: row, label, predicted, correct,
 * probability, label_probability, text. */
void report_csv(const struct report *r, struct buf *out);
/* Append a page that needs nothing else: no script, no other file. */
MUST_CHECK int report_html(const struct report *r,
                           const struct report_title *title, struct buf *out,
                           struct err *err);

#endif
