#include "core/train/report.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/text/byte_alphabet.h"
#include "core/train/checkpoint.h"
#include "core/train/predictor.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { CHUNK_ROWS = 64 }; /* texts between two words of progress */

const char *report_class(const struct report *r, size_t id)
{
    return predictor_checkpoint(r->predictor)->classes[id];
}

void report_free(struct report *r)
{
    if (r != NULL) {
        confusion_fini(&r->confusion);
        free(r->classes);
        free(r->rows);
        free(r);
    }
}

static int allocate(struct report *r, struct err *err)
{
    r->rows = mem_try(r->n_rows, sizeof(*r->rows));
    r->classes = mem_try(r->n_classes, sizeof(*r->classes));
    if (r->rows == NULL || r->classes == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for a report of %zu rows",
                       r->n_rows);
    }
    return confusion_init(&r->confusion, r->n_classes, err);
}

/* The first of equals, as the training's accuracy counts it. */
static size_t argmax(const float *values, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = values[i] > values[best] ? i : best;
    }
    return best;
}

static void take_row(struct report *r, size_t at, const float *logprob,
                     const struct report_input *in)
{
    int32_t label = in->labels[at];
    assert(label >= 0 && (size_t)label < r->n_classes);
    size_t predicted = argmax(logprob, r->n_classes);
    r->rows[at] = (struct report_row){
        .text = in->texts[at],
        .label = label,
        .predicted = (int32_t)predicted,
        .probability = expf(logprob[predicted]),
        .label_probability = expf(logprob[label]),
    };
    r->n_errors += predicted != (size_t)label;
    r->loss -= (double)logprob[label];
    confusion_add(&r->confusion, (size_t)label, predicted);
}

static int predict_all(struct report *r, struct predictor *p,
                       const struct report_input *in, struct err *err)
{
    float *logprob = mem_try(r->n_classes, CHUNK_ROWS * sizeof(*logprob));
    if (logprob == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for %zu classes",
                       r->n_classes);
    }
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < in->n; at += CHUNK_ROWS) {
        size_t left = in->n - at, n = left < CHUNK_ROWS ? left : CHUNK_ROWS;
        rc = predictor_run(p, in->texts + at, n, logprob, err);
        for (size_t i = 0; rc == 0 && i < n; i++) {
            take_row(r, at + i, logprob + i * r->n_classes, in);
        }
        if (rc == 0 && in->on_progress != NULL &&
            in->on_progress(in->ctx, at + n)) {
            rc = err_set(err, ERR_CANCELED, "interrupted");
        }
    }
    free(logprob);
    return rc;
}

int report_new(struct predictor *p, const struct report_input *in,
               struct report **out, struct err *err)
{
    if (in->n == 0) {
        return err_set(err, ERR_INVALID, "there are no rows to evaluate on");
    }
    struct report *r = mem_alloc(1, sizeof(*r));
    *r = (struct report){
        .predictor = p,
        .n_classes = predictor_checkpoint(p)->n_classes,
        .n_rows = in->n,
    };
    int rc = allocate(r, err);
    if (rc == 0) {
        rc = predict_all(r, p, in, err);
    }
    if (rc != 0) {
        report_free(r);
        return rc;
    }
    r->loss /= (double)r->n_rows;
    confusion_classes(&r->confusion, r->classes);
    r->summary = confusion_summary(&r->confusion, r->classes);
    *out = r;
    return 0;
}

int report_tokens(const struct report *r, struct span text, size_t max,
                  void (*on_token)(void *ctx, const char *token), void *ctx,
                  size_t *n_tokens, struct err *err)
{
    const struct checkpoint *c = predictor_checkpoint(r->predictor);
    size_t max_len = (size_t)c->run.max_len, n = 0;
    int32_t *ids = mem_alloc(max_len, sizeof(*ids));
    struct bpe_encoder *encoder = bpe_encoder_new(c->tokenizer);
    int rc = bpe_encode(encoder, text, ids, max_len, &n, err);
    if (rc == 0) {
        struct byte_alphabet alphabet;
        struct buf token;
        byte_alphabet_init(&alphabet);
        buf_init(&token, BUF_MAX_TOKENIZER);
        for (size_t i = 0; i < n && i < max; i++) {
            buf_reset(&token);
            byte_alphabet_write(&alphabet,
                                bpe_token_bytes(c->tokenizer, ids[i]), &token);
            on_token(ctx, token.data);
        }
        buf_fini(&token);
        *n_tokens = n;
    }
    bpe_encoder_free(encoder);
    free(ids);
    return rc;
}
