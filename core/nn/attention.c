#include "core/nn/attention.h"

#include <math.h>
#include <string.h>

#define NOTEBOOK_LOGIT -9e-15f

/* The rows of a text and its keys: real ones, and how many padded ones. */
struct keys {
    size_t start, rows, n, n_pad;
};

static struct keys keys_of(const struct attention *a, size_t b)
{
    size_t start = a->starts[b], rows = a->starts[b + 1] - start;
    size_t n = (size_t)a->lengths[b];
    size_t n_pad = a->mask == MODEL_MASK_NOTEBOOK ? rows - n : 0;
    return (struct keys){.start = start, .rows = rows, .n = n, .n_pad = n_pad};
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

size_t attention_scratch(size_t L, size_t d, size_t heads)
{
    return kernels_head_scratch(L, d / heads);
}

/* Head h of a text whose qkv begins there. */
static struct kernels_head head_of(const struct attention *a,
                                   const struct keys *keys, const float *qkv,
                                   size_t h, float *stats)
{
    size_t width = a->d / a->heads;
    const float *q = qkv + h * width;
    return (struct kernels_head){.rows = keys->rows,
                                 .keys = keys->n,
                                 .width = width,
                                 .ld = 3 * a->d,
                                 .ld_y = a->d,
                                 .q = q,
                                 .k = q + a->d,
                                 .v = q + 2 * a->d,
                                 .scale = 1.0f / sqrtf((float)width),
                                 .n_pad = keys->n_pad,
                                 .pad_logit = NOTEBOOK_LOGIT,
                                 .max = stats,
                                 .rest = stats + a->L,
                                 .scratch = a->scratch};
}

static bool has_keys(const struct keys *keys)
{
    return keys->n + keys->n_pad > 0;
}

void attention_forward(float *out, float *stats, bool keep, float *qkv,
                       const struct attention *a, const struct kernels *k)
{
    size_t d = a->d, width = d / a->heads;
    for (size_t b = 0; b < a->B; b++) {
        struct keys keys = keys_of(a, b);
        float *text = qkv + keys.start * 3 * d;
        if (keys.n_pad > 0) {
            mean_of_padded(text + 2 * d, &keys, a, k);
        }
        for (size_t h = 0; h < a->heads; h++) {
            float *y = out + keys.start * d + h * width;
            struct kernels_head head = head_of(a, &keys, text, h, stats);
            if (has_keys(&keys)) {
                k->head_forward(y, &head);
            } else {
                zero_rows(y, keys.rows, width, d);
            }
            stats += keep ? 2 * a->L : 0;
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

void attention_backward(float *dqkv, const float *dout, const float *out,
                        float *stats, const float *qkv,
                        const struct attention *a, const struct kernels *k)
{
    size_t d = a->d, ld = 3 * d, width = d / a->heads;
    for (size_t b = 0; b < a->B; b++) {
        struct keys keys = keys_of(a, b);
        size_t first = keys.start * ld, first_y = keys.start * d;
        for (size_t h = 0; h < a->heads; h++, stats += 2 * a->L) {
            float *dq = dqkv + first + h * width;
            size_t y = first_y + h * width;
            struct kernels_head head = head_of(a, &keys, qkv + first, h, stats);
            if (has_keys(&keys)) {
                k->head_backward(dq, dq + d, dq + 2 * d, out + y, dout + y,
                                 &head);
            } else {
                zero_rows(dq, keys.rows, width, ld);
            }
        }
        float *padded = dqkv + (keys.start + keys.n) * ld;
        zero_rows(padded + d, keys.rows - keys.n, d, ld);
        if (keys.n_pad > 0) {
            spread_to_padded(dqkv + first + 2 * d, &keys, a);
        } else {
            zero_rows(padded + 2 * d, keys.rows - keys.n, d, ld);
        }
    }
}
