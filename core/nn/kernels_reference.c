/* The kernels as their definitions say, one element at a time. */
#include "core/nn/kernels.h"
#include "core/nn/halves.h"

#include "core/base/rng.h"

#include <math.h>
#include <string.h>

static bool is_kept(const struct kernels_dropout *d, size_t r, size_t c)
{
    return (d->bits[r * d->words + c / 16] >> (c % 16) & 1) != 0;
}

/* x or its gradient after dropout. */
static float drop_at(const struct kernels_dropout *d, size_t r, size_t c,
                     float x)
{
    if (d->bits == NULL) {
        return x;
    }
    return is_kept(d, r, c) ? x * d->scale : 0.0f;
}

static void add(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = a[i] + b[i];
    }
}

static void bias(float *x, const float *b, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++) {
        add(x + r * n, x + r * n, b, n);
    }
}

static void column_sums(float *out, const float *x, size_t rows, size_t n)
{
    memset(out, 0, n * sizeof(*out));
    for (size_t r = 0; r < rows; r++) {
        add(out, out, x + r * n, n);
    }
}

static void relu_forward(float *x, const float *b, size_t rows, size_t n,
                         const struct kernels_dropout *dropout)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < n; c++) {
            float z = x[r * n + c] + b[c];
            x[r * n + c] = drop_at(dropout, r, c, z <= 0.0f ? 0.0f : z);
        }
    }
}

static void relu_backward(float *dy, float *dbias, const float *y, size_t rows,
                          size_t n, const struct kernels_dropout *dropout)
{
    memset(dbias, 0, n * sizeof(*dbias));
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < n; c++) {
            float g = drop_at(dropout, r, c, dy[r * n + c]);
            g = y[r * n + c] > 0.0f ? g : 0.0f;
            dy[r * n + c] = g;
            dbias[c] += g;
        }
    }
}

/* gelu(z) = z s(t), s the logistic function, t(z) = 2 sqrt(2 / pi) (z +
 * 0.044715 z^3): 1 + tanh(u) = 2 s(2 u). */
static double gelu_s(double z)
{
    double t = 1.5957691216057308 * (z + 0.044715 * z * z * z);
    return 1.0 / (1.0 + exp(-t));
}

static void gelu_forward(float *y, float *x, const float *b, size_t rows,
                         size_t n, const struct kernels_dropout *dropout)
{
    bias(x, b, rows, n);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < n; c++) {
            double z = x[r * n + c];
            y[r * n + c] = drop_at(dropout, r, c, (float)(z * gelu_s(z)));
        }
    }
}

static void gelu_backward(float *dy, float *dbias, const float *zs, size_t rows,
                          size_t n, const struct kernels_dropout *dropout)
{
    memset(dbias, 0, n * sizeof(*dbias));
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < n; c++) {
            double z = zs[r * n + c], s = gelu_s(z);
            double slope = 1.5957691216057308 * (1 + 3 * 0.044715 * z * z);
            double g = drop_at(dropout, r, c, dy[r * n + c]);
            dy[r * n + c] = (float)(g * (s + z * s * (1 - s) * slope));
            dbias[c] += dy[r * n + c];
        }
    }
}

static void drop(float *x, size_t rows, size_t n,
                 const struct kernels_dropout *dropout)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < n; c++) {
            x[r * n + c] = drop_at(dropout, r, c, x[r * n + c]);
        }
    }
}

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * b[i];
    }
    return sum;
}

/* Element (r, c) of x <- residual + dropout(x + bias). */
static float complete(const struct kernels_norm *norm, size_t r, size_t c)
{
    float x = norm->x[r * norm->n + c];
    if (norm->bias == NULL) {
        return x;
    }
    x = drop_at(&norm->dropout, r, c, x + norm->bias[c]);
    return norm->residual != NULL ? norm->residual[r * norm->n + c] + x : x;
}

static void norm_forward(float *y, const struct kernels_norm *norm)
{
    size_t n = norm->n;
    for (size_t r = 0; r < norm->rows; r++) {
        float *x = norm->x + r * n;
        double sum = 0, squares = 0;
        for (size_t c = 0; c < n; c++) {
            x[c] = complete(norm, r, c);
            sum += x[c];
        }
        double mean = sum / (double)n;
        for (size_t c = 0; c < n; c++) {
            squares += (x[c] - mean) * (x[c] - mean);
        }
        double rstd = 1.0 / sqrt(squares / (double)n + 1e-5);
        for (size_t c = 0; c < n; c++) {
            y[r * n + c] =
                (float)((x[c] - mean) * rstd * norm->gamma[c] + norm->beta[c]);
        }
        norm->mean[r] = (float)mean;
        norm->rstd[r] = (float)rstd;
    }
}

static void norm_backward(float *dy, float *dbias, float *dgamma, float *dbeta,
                          const struct kernels_norm *norm)
{
    size_t n = norm->n;
    if (norm->bias != NULL) {
        memset(dbias, 0, n * sizeof(*dbias));
    }
    memset(dgamma, 0, n * sizeof(*dgamma));
    memset(dbeta, 0, n * sizeof(*dbeta));
    for (size_t r = 0; r < norm->rows; r++) {
        float mean = norm->mean[r], rstd = norm->rstd[r];
        double sum = 0, sum_hat = 0;
        for (size_t c = 0; c < n; c++) {
            float hat = (norm->x[r * n + c] - mean) * rstd;
            float g = dy[r * n + c];
            dgamma[c] += g * hat;
            dbeta[c] += g;
            sum += g * norm->gamma[c];
            sum_hat += g * norm->gamma[c] * hat;
        }
        for (size_t c = 0; c < n; c++) {
            float hat = (norm->x[r * n + c] - mean) * rstd;
            double g = dy[r * n + c] * norm->gamma[c];
            g = rstd * (g - sum / (double)n - hat * sum_hat / (double)n);
            size_t at = r * n + c;
            if (norm->carry != NULL) {
                g += norm->carry_adds ? norm->carry[at] : 0.0f;
                norm->carry[at] = (float)g;
            }
            dy[at] = (float)g;
            if (norm->bias != NULL) {
                dy[at] = drop_at(&norm->dropout, r, c, dy[at]);
                dbias[c] += dy[at];
            }
        }
    }
}

static double head_logit(const struct kernels_head *h, size_t r, size_t j)
{
    double sum = 0;
    for (size_t c = 0; c < h->width; c++) {
        sum += (double)h->q[r * h->ld + c] * h->k[j * h->ld + c];
    }
    return h->scale * sum;
}

/* Of key j, or of all padded ones together (j = keys). */
static double head_probability(const struct kernels_head *h, size_t r, size_t j)
{
    bool padded = j == h->keys;
    double logit = padded ? h->pad_logit : head_logit(h, r, j);
    double p = exp(logit - h->max[r]) * h->rest[r];
    return padded ? (double)h->n_pad * p : p;
}

static size_t head_all_keys(const struct kernels_head *h)
{
    return h->keys + (h->n_pad > 0);
}

static void head_forward(float *y, const struct kernels_head *h)
{
    for (size_t r = 0; r < h->rows; r++) {
        double max = h->n_pad > 0 ? h->pad_logit : -INFINITY, sum = 0;
        for (size_t j = 0; j < h->keys; j++) {
            max = fmax(max, head_logit(h, r, j)); /* NaN: the sum has it */
        }
        h->max[r] = (float)max;
        h->rest[r] = 1;
        for (size_t j = 0; j < head_all_keys(h); j++) {
            sum += head_probability(h, r, j);
        }
        h->rest[r] = (float)(1 / sum);
        for (size_t c = 0; c < h->width; c++) {
            double mean = 0;
            for (size_t j = 0; j < head_all_keys(h); j++) {
                mean += head_probability(h, r, j) * h->v[j * h->ld + c];
            }
            y[r * h->ld_y + c] = (float)mean;
        }
    }
}

/* Row r of dy times row j of v, less the mean over the keys of that. */
static double head_slope(const struct kernels_head *h, const float *y,
                         const float *dy, size_t r, size_t j)
{
    double sum = 0;
    for (size_t c = 0; c < h->width; c++) {
        size_t at = r * h->ld_y + c;
        sum += dy[at] * ((double)h->v[j * h->ld + c] - y[at]);
    }
    return sum;
}

static void head_backward(float *dq, float *dk, float *dv, const float *y,
                          const float *dy, const struct kernels_head *h)
{
    size_t all = head_all_keys(h);
    for (size_t c = 0; c < h->width; c++) {
        for (size_t r = 0; r < h->rows; r++) {
            dq[r * h->ld + c] = 0;
        }
        for (size_t j = 0; j < all; j++) {
            dv[j * h->ld + c] = 0;
        }
        for (size_t j = 0; j < h->keys; j++) {
            dk[j * h->ld + c] = 0;
        }
    }
    for (size_t r = 0; r < h->rows; r++) {
        for (size_t j = 0; j < all; j++) {
            double p = head_probability(h, r, j);
            double ds = p * head_slope(h, y, dy, r, j) * h->scale;
            for (size_t c = 0; c < h->width; c++) {
                dv[j * h->ld + c] += (float)(p * dy[r * h->ld_y + c]);
                if (j < h->keys) {
                    dq[r * h->ld + c] += (float)(ds * h->k[j * h->ld + c]);
                    dk[j * h->ld + c] += (float)(ds * h->q[r * h->ld + c]);
                }
            }
        }
    }
}

static void blend(float *y, const float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        y[i] += by * (x[i] - y[i]);
    }
}

static void adamw(float *w, float *m, float *v, const float *g, size_t n,
                  const struct kernels_adamw *s)
{
    for (size_t i = 0; i < n; i++) {
        float gi = g != NULL ? g[i] : 0.0f;
        m[i] = s->beta1 * m[i] + s->rest1 * gi;
        v[i] = s->beta2 * v[i] + s->rest2 * gi * gi;
        w[i] = s->decay * w[i] -
               s->rate * (m[i] / (sqrtf(v[i]) * s->scale + s->eps));
    }
}

static void wide_forward(float *y, const float *x, const float *w, size_t B,
                         size_t O, size_t N)
{
    for (size_t b = 0; b < B; b++) {
        for (size_t o = 0; o < O; o++) {
            double sum = 0;
            for (size_t i = 0; i < N; i++) {
                sum += (double)x[b * N + i] * w[o * N + i];
            }
            y[b * O + o] = (float)sum;
        }
    }
}

static void wide_step(float *dx, float *w, float *m, float *v, const float *x,
                      const float *dy, size_t B, size_t O, size_t N,
                      const struct kernels_adamw *step)
{
    memset(dx, 0, B * N * sizeof(*dx));
    for (size_t o = 0; o < O; o++) {
        for (size_t i = 0; i < N; i++) {
            float g = 0;
            for (size_t b = 0; b < B; b++) {
                g += dy[b * O + o] * x[b * N + i];
                dx[b * N + i] += dy[b * O + o] * w[o * N + i];
            }
            adamw(&w[o * N + i], &m[o * N + i], &v[o * N + i], &g, 1, step);
        }
    }
}

static void blend_split(uint16_t *y, const uint16_t *x, float by, size_t rows,
                        size_t n)
{
    for (size_t r = 0; r < rows; r++, x += 2 * n, y += 2 * n) {
        for (size_t i = 0; i < n; i++) {
            float now = halves_joined(y[i], y[n + i]);
            float next = halves_joined(x[i], x[n + i]);
            blend(&now, &next, by, 1);
            halves_of(now, &y[i], &y[n + i]);
        }
    }
}

static void wide_forward_split(float *y, const float *x, const uint16_t *w,
                               size_t B, size_t O, size_t N)
{
    for (size_t b = 0; b < B; b++) {
        for (size_t o = 0; o < O; o++) {
            double sum = 0;
            for (size_t i = 0; i < N; i++) {
                sum += (double)x[b * N + i] * halves_upper(w[2 * o * N + i]);
            }
            y[b * O + o] = (float)sum;
        }
    }
}

static void wide_input_split(float *dx, const uint16_t *w, const float *dy,
                             size_t B, size_t O, size_t N)
{
    memset(dx, 0, B * N * sizeof(*dx));
    for (size_t b = 0; b < B; b++) {
        for (size_t o = 0; o < O; o++) {
            for (size_t i = 0; i < N; i++) {
                dx[b * N + i] += dy[b * O + o] * halves_upper(w[2 * o * N + i]);
            }
        }
    }
}

static void wide_step_split(float *dx, uint16_t *w, float *m, float *v,
                            const float *x, const float *dy, size_t B, size_t O,
                            size_t N, const struct kernels_adamw *step)
{
    wide_input_split(dx, w, dy, B, O, N);
    for (size_t o = 0; o < O; o++) {
        uint16_t *upper = w + 2 * o * N, *lower = upper + N;
        for (size_t i = 0; i < N; i++) {
            float g = 0, all = halves_joined(upper[i], lower[i]);
            for (size_t b = 0; b < B; b++) {
                g += dy[b * O + o] * x[b * N + i];
            }
            adamw(&all, &m[o * N + i], &v[o * N + i], &g, 1, step);
            halves_of(all, &upper[i], &lower[i]);
        }
    }
}

static void philox(uint32_t out[4][16], const struct kernels_stream *stream,
                   uint32_t first)
{
    for (uint32_t j = 0; j < 16; j++) {
        uint32_t counter[4] = {first + j, stream->counter[0],
                               stream->counter[1], stream->counter[2]};
        uint32_t block[4];
        rng_philox(stream->key, counter, block);
        for (int i = 0; i < 4; i++) {
            out[i][j] = block[i];
        }
    }
}

static void keep_bits(uint16_t *words, size_t n_groups,
                      const struct kernels_stream *stream, uint32_t threshold)
{
    memset(words, 0, n_groups * 8 * sizeof(*words));
    for (size_t g = 0; g < n_groups; g++, words += 8) {
        uint32_t out[4][16];
        philox(out, stream, (uint32_t)(g * 16));
        for (int i = 0; i < 64; i++) {
            uint32_t x = out[i / 16][i % 16];
            unsigned low = (x & 0xffff) >= threshold;
            unsigned high = x >> 16 >= threshold;
            words[i / 16 * 2] |= (uint16_t)(low << (i % 16));
            words[i / 16 * 2 + 1] |= (uint16_t)(high << (i % 16));
        }
    }
}

const struct kernels kernels_reference = {
    .name = "reference",
    .bits = "reference",
    .add = add,
    .bias = bias,
    .column_sums = column_sums,
    .relu_forward = relu_forward,
    .relu_backward = relu_backward,
    .gelu_forward = gelu_forward,
    .gelu_backward = gelu_backward,
    .drop = drop,
    .dot = dot,
    .norm_forward = norm_forward,
    .norm_backward = norm_backward,
    .head_forward = head_forward,
    .head_backward = head_backward,
    .adamw = adamw,
    .blend = blend,
    .wide_forward = wide_forward,
    .wide_step = wide_step,
    .blend_split = blend_split,
    .wide_forward_split = wide_forward_split,
    .wide_input_split = wide_input_split,
    .wide_step_split = wide_step_split,
    .philox = philox,
    .keep_bits = keep_bits,
};
