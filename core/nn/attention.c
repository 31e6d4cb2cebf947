#include "core/nn/attention.h"

#include <math.h>
#include <string.h>

#define NOTEBOOK_LOGIT -9e-15f

/* The rows of a text and its keys: real ones, and whether one more stands for
 * the padded ones. */
struct keys {
    size_t start, rows, n, n_pad, all;
};

static struct keys keys_of(const struct attention *a, size_t b)
{
    size_t start = a->starts[b], rows = a->starts[b + 1] - start;
    size_t n = (size_t)a->lengths[b];
    size_t n_pad = a->mask == MODEL_MASK_NOTEBOOK ? rows - n : 0;
    return (struct keys){.start = start,
                         .rows = rows,
                         .n = n,
                         .n_pad = n_pad,
                         .all = n + (n_pad > 0)};
}

/* Row n of v becomes the mean of the rows from n on, which lie 3 d apart. */
static void mean_of_padded(float *v, const struct keys *keys,
                           const struct attention *a, const struct kernels *k)
{
    size_t ld = 3 * a->d;
    float *mean = v + keys->n * ld;
    for (size_t i = keys->n + 1; i < keys->rows; i++) {
        k->add(mean, mean, v + i * ld, a->d);
    }
    float rest = 1.0f / (float)keys->n_pad;
    for (size_t c = 0; c < a->d; c++) {
        mean[c] *= rest;
    }
}

static void zero_rows(float *x, size_t rows, size_t n, size_t ld)
{
    for (size_t r = 0; r < rows; r++) {
        memset(x + r * ld, 0, n * sizeof(*x));
    }
}

void attention_forward(float *out, float *p, bool keep_p, float *qkv,
                       const struct attention *a, const struct kernels *k)
{
    size_t d = a->d, ld = 3 * d, width = d / a->heads;
    float scale = 1.0f / sqrtf((float)width);
    for (size_t b = 0; b < a->B; b++) {
        struct keys keys = keys_of(a, b);
        float *text = qkv + keys.start * ld;
        if (keys.n_pad > 0) {
            mean_of_padded(text + 2 * d, &keys, a, k);
        }
        for (size_t h = 0; h < a->heads; h++) {
            float *q = text + h * width, *y = out + keys.start * d + h * width;
            if (keys.all == 0) {
                zero_rows(y, keys.rows, width, d);
            } else {
                ops_nt(a->ops, p, a->ld_p, q, ld, q + d, ld, keys.rows, keys.n,
                       width, scale);
                k->softmax_forward(p, keys.rows, keys.n, a->ld_p, keys.n_pad,
                                   NOTEBOOK_LOGIT);
                ops_nn(a->ops, y, d, p, a->ld_p, q + 2 * d, ld, keys.rows,
                       width, keys.all, 1.0f);
            }
            p += keep_p ? a->L * a->ld_p : 0;
        }
    }
}

/* The gradient of the mean goes to each padded row in equal parts. dv: the
 * text's rows, 3 d apart; row n has the mean's. */
static void spread_to_padded(float *dv, const struct keys *keys,
                             const struct attention *a)
{
    size_t ld = 3 * a->d;
    float *first = dv + keys->n * ld;
    float rest = 1.0f / (float)keys->n_pad;
    for (size_t c = 0; c < a->d; c++) {
        first[c] *= rest;
    }
    for (size_t i = keys->n + 1; i < keys->rows; i++) {
        memcpy(dv + i * ld, first, a->d * sizeof(*dv));
    }
}

/* One head; q, y, dy and dq begin at its first column of the text. */
static void head_backward(float *dq, float *dp, const float *dy, const float *y,
                          const float *p, const float *q,
                          const struct keys *keys, const struct attention *a,
                          const struct kernels *k)
{
    size_t rows = keys->rows, d = a->d, ld = 3 * d, width = d / a->heads;
    float scale = 1.0f / sqrtf((float)width);
    if (keys->n == 0) { /* no logit depends on q and k */
        zero_rows(dq, rows, width, ld);
    } else {
        ops_nt(a->ops, dp, a->ld_p, dy, d, q + 2 * d, ld, rows, keys->n, width,
               1.0f);
        k->softmax_backward(dp, p, rows, keys->n, a->ld_p, y, dy, width, d);
        ops_nn(a->ops, dq, ld, dp, a->ld_p, q + d, ld, rows, width, keys->n,
               scale);
        ops_tn(a->ops, dq + d, ld, dp, a->ld_p, q, ld, keys->n, width, rows,
               scale);
    }
    ops_tn(a->ops, dq + 2 * d, ld, p, a->ld_p, dy, d, keys->all, width, rows,
           1.0f);
}

void attention_backward(float *dqkv, float *dp, const float *dout,
                        const float *out, const float *p, const float *qkv,
                        const struct attention *a, const struct kernels *k)
{
    size_t d = a->d, ld = 3 * d, width = d / a->heads;
    for (size_t b = 0; b < a->B; b++) {
        struct keys keys = keys_of(a, b);
        for (size_t h = 0; h < a->heads; h++, p += a->L * a->ld_p) {
            size_t wide = keys.start * ld + h * width;
            size_t at = keys.start * d + h * width;
            head_backward(dqkv + wide, dp, dout + at, out + at, p, qkv + wide,
                          &keys, a, k);
        }
        float *padded = dqkv + (keys.start + keys.n) * ld;
        zero_rows(padded + d, keys.rows - keys.n, d, ld);
        if (keys.n_pad > 0) {
            spread_to_padded(dqkv + keys.start * ld + 2 * d, &keys, a);
        } else {
            zero_rows(padded + 2 * d, keys.rows - keys.n, d, ld);
        }
    }
}
