#include "core/nn/attention.h"

#include "core/nn/ops.h"

#include <math.h>
#include <string.h>

#define NOTEBOOK_LOGIT -9e-15f

/* How many keys a row has: real ones, and whether one more stands for the
 * padded ones. */
struct keys {
    size_t n, n_pad, all;
};

static struct keys keys_of(const struct attention *a, int32_t length)
{
    size_t n = (size_t)length;
    size_t n_pad = a->mask == MODEL_MASK_NOTEBOOK ? a->L - n : 0;
    return (struct keys){.n = n, .n_pad = n_pad, .all = n + (n_pad > 0)};
}

/* Row n of v becomes the mean of rows n .. L-1. v (L, d), rows 3 d apart. */
static void mean_of_padded(float *v, const struct keys *keys,
                           const struct attention *a, const struct kernels *k)
{
    size_t ld = 3 * a->d;
    float *mean = v + keys->n * ld;
    for (size_t i = keys->n + 1; i < a->L; i++) {
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
                       const int32_t *lengths, size_t B,
                       const struct attention *a, const struct kernels *k)
{
    size_t L = a->L, d = a->d, ld = 3 * d, width = d / a->heads;
    float scale = 1.0f / sqrtf((float)width);
    for (size_t b = 0; b < B; b++, qkv += L * ld, out += L * d) {
        struct keys keys = keys_of(a, lengths[b]);
        if (keys.n_pad > 0) {
            mean_of_padded(qkv + 2 * d, &keys, a, k);
        }
        for (size_t h = 0; h < a->heads; h++) {
            float *q = qkv + h * width, *y = out + h * width;
            if (keys.all == 0) {
                zero_rows(y, L, width, d);
            } else {
                ops_nt(p, a->ld_p, q, ld, q + d, ld, L, keys.n, width, scale);
                k->softmax_forward(p, L, keys.n, a->ld_p, keys.n_pad,
                                   NOTEBOOK_LOGIT);
                ops_nn(y, d, p, a->ld_p, q + 2 * d, ld, L, width, keys.all,
                       1.0f);
            }
            p += keep_p ? L * a->ld_p : 0;
        }
    }
}

/* The gradient of the mean goes to each padded row in equal parts. dv (L, d),
 * rows 3 d apart; its row n has the mean's. */
static void spread_to_padded(float *dv, const struct keys *keys,
                             const struct attention *a)
{
    size_t ld = 3 * a->d;
    float *first = dv + keys->n * ld;
    float rest = 1.0f / (float)keys->n_pad;
    for (size_t c = 0; c < a->d; c++) {
        first[c] *= rest;
    }
    for (size_t i = keys->n + 1; i < a->L; i++) {
        memcpy(dv + i * ld, first, a->d * sizeof(*dv));
    }
}

void attention_backward(float *dqkv, float *dp, const float *dout,
                        const float *out, const float *p, const float *qkv,
                        const int32_t *lengths, size_t B,
                        const struct attention *a, const struct kernels *k)
{
    size_t L = a->L, d = a->d, ld = 3 * d, width = d / a->heads;
    float scale = 1.0f / sqrtf((float)width);
    for (size_t b = 0; b < B; b++) {
        struct keys keys = keys_of(a, lengths[b]);
        for (size_t h = 0; h < a->heads; h++, p += L * a->ld_p) {
            const float *q = qkv + b * L * ld + h * width;
            const float *y = out + b * L * d + h * width;
            const float *dy = dout + b * L * d + h * width;
            float *dq = dqkv + b * L * ld + h * width;
            if (keys.n == 0) { /* no logit depends on q and k */
                zero_rows(dq, L, width, ld);
            } else {
                ops_nt(dp, a->ld_p, dy, d, q + 2 * d, ld, L, keys.n, width,
                       1.0f);
                k->softmax_backward(dp, p, L, keys.n, a->ld_p, y, dy, width, d);
                ops_nn(dq, ld, dp, a->ld_p, q + d, ld, L, width, keys.n, scale);
                ops_tn(dq + d, ld, dp, a->ld_p, q, ld, keys.n, width, L, scale);
            }
            ops_tn(dq + 2 * d, ld, p, a->ld_p, dy, d, keys.all, width, L, 1.0f);
        }
        float *padded = dqkv + (b * L + keys.n) * ld;
        zero_rows(padded + d, L - keys.n, d, ld);
        if (keys.n_pad > 0) {
            spread_to_padded(dqkv + b * L * ld + 2 * d, &keys, a);
        } else {
            zero_rows(padded + 2 * d, L - keys.n, d, ld);
        }
    }
}
