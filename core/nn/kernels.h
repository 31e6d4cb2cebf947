/* kernels: the inner loops that are not products, one table per instruction
 * set.
 *
 * All matrices are row major, float32. `rows` x `n` means rows lie n apart
 * unless a leading dimension `ld` (in elements) is given. kernels_reference is
 * plain C, for reading and for tests; the others come from one source
 * (kernels.inc) compiled for lanes of 4, 8 and 16 floats and agree with it to
 * rounding, those of AVX2 and AVX-512 with each other to the bit. exp is
 * accurate to 2 ulp on [-87, 0] and never 0 below.
 *
 * NaN is never hidden: whatever is computed from one is NaN, and no infinity
 * becomes a number (but relu(-inf) = 0 and the probability of a logit of -inf).
 * Two things are 0 whatever stood there: what dropout leaves out, and
 * relu_backward's gradient where y is NaN. */
#ifndef CORE_NN_KERNELS_H
#define CORE_NN_KERNELS_H
#include "core/base/base.h"
#include <stdbool.h>
#include <stdint.h>

/* AdamW's constants of one step (adamw.h makes them). Per element, g gradient:
 *   m = beta1 m + rest1 g;   v = beta2 v + rest2 g^2
 *   w = decay w - rate m / (sqrt(v) scale + eps)                            */
struct kernels_adamw {
    float beta1, rest1, beta2, rest2, decay, rate, scale, eps;
};

/* Dropout of one matrix: bit c of row r tells whether (r, c) is kept.
 * bits NULL: everything is kept and scale is not used. */
struct kernels_dropout {
    const uint16_t *bits; /* (rows, words) */
    size_t words;         /* ceil(n / 16) */
    float scale;          /* 1 / P(kept) */
};

/* A row-wise normalisation with what comes just before it:
 *   x <- residual + dropout(x + bias);  y = gamma (x - mean) rstd + beta
 * bias NULL: x is complete already, there is neither dropout nor residual. */
struct kernels_norm {
    size_t rows, n;
    const float *bias, *gamma, *beta; /* (n) */
    const float *residual;            /* (rows, n), or NULL: none */
    struct kernels_dropout dropout;
    float *x;           /* (rows, n): completed by forward, read by backward */
    float *mean, *rstd; /* (rows) */
    /* Backward: (rows, n), the gradient of the completed x, for whoever else
     * it comes from or goes to; NULL: nobody. */
    float *carry;
    bool carry_adds; /* carry already holds a part of that gradient */
};

/* One head of attention over one text. keys may be 0 when n_pad is not. */
struct kernels_head {
    size_t rows, keys, width;
    size_t ld, ld_y;        /* of q, k, v and their gradients; of y and dy */
    const float *q, *k, *v; /* (rows, width), (keys, width) twice */
    float scale;
    /* n_pad > 0: that many more keys, all with this logit (not scaled) and the
     * value in v's row `keys`. */
    size_t n_pad;
    float pad_logit;
    float *max, *rest; /* (rows): highest logit; 1 / sum of exp(logit - max) */
    float *scratch;    /* kernels_head_scratch(keys, width) floats */
};

/* What a head is padded to where it is packed. */
static inline size_t kernels_head_keys(size_t keys)
{
    return (keys + 7) / 8 * 8;
}

static inline size_t kernels_head_width(size_t width)
{
    return (width + 7) / 8 * 8;
}

/* Enough for every kernel set. */
static inline size_t kernels_head_scratch(size_t keys, size_t width)
{
    size_t k = kernels_head_keys(keys + 1), w = kernels_head_width(width);
    return 4 * k * w + 16 * (2 * k + 3 * w);
}

/* Where a Philox stream stands: words 1..3 of the counter and the key. */
struct kernels_stream {
    uint32_t key[2], counter[3];
};

struct kernels {
    const char *name;
    const char *bits; /* the same in tables that compute the same (NaN apart) */
    /* out = a + b, (n) each. */
    void (*add)(float *out, const float *a, const float *b, size_t n);
    /* x += bias in every row. */
    void (*bias)(float *x, const float *bias, size_t rows, size_t n);
    /* out[c] = sum over rows of x[r, c]. */
    void (*column_sums)(float *out, const float *x, size_t rows, size_t n);
    /* x = dropout(relu(x + bias)). */
    void (*relu_forward)(float *x, const float *bias, size_t rows, size_t n,
                         const struct kernels_dropout *dropout);
    /* y is forward's result; dy becomes dx; dbias (n) = its column sums. */
    void (*relu_backward)(float *dy, float *dbias, const float *y, size_t rows,
                          size_t n, const struct kernels_dropout *dropout);
    /* The same for GELU, z Phi(z) with Phi by tanh (Hendrycks and Gimpel,
     * arXiv 1606.08415): x becomes z = x + bias, y = dropout(gelu(z)). */
    void (*gelu_forward)(float *y, float *x, const float *bias, size_t rows,
                         size_t n, const struct kernels_dropout *dropout);
    /* z is what forward left in x. */
    void (*gelu_backward)(float *dy, float *dbias, const float *z, size_t rows,
                          size_t n, const struct kernels_dropout *dropout);
    /* x = dropout(x); its own backward. */
    void (*drop)(float *x, size_t rows, size_t n,
                 const struct kernels_dropout *dropout);
    /* Sum of a[i] b[i]; partial sums of 4096 products are added in double. */
    double (*dot)(const float *a, const float *b, size_t n);
    /* y (rows, n). */
    void (*norm_forward)(float *y, const struct kernels_norm *norm);
    /* dy becomes dx, the gradient before the bias; dbias (if there is a bias),
     * dgamma, dbeta (n) are written. */
    void (*norm_backward)(float *dy, float *dbias, float *dgamma, float *dbeta,
                          const struct kernels_norm *norm);
    /* y (rows, width) = softmax(scale q k^T) v of one head; writes max and
     * rest. */
    void (*head_forward)(float *y, const struct kernels_head *head);
    /* Gradients from dy, with forward's y, max and rest: of q (rows), k (keys)
     * and v (keys, one more if n_pad > 0), with leading dimension ld. */
    void (*head_backward)(float *dq, float *dk, float *dv, const float *y,
                          const float *dy, const struct kernels_head *head);
    /* AdamW over n elements; g NULL: the gradient is zero. */
    void (*adamw)(float *w, float *m, float *v, const float *g, size_t n,
                  const struct kernels_adamw *step);
    /* y += by (x - y), (n) each. */
    void (*blend)(float *y, const float *x, float by, size_t n);
    /* y (B, O) = x (B, N) w^T, w (O, N), for few rows: w is read once per
     * four of them. */
    void (*wide_forward)(float *y, const float *x, const float *w, size_t B,
                         size_t O, size_t N);
    /* dx (B, N) = dy (B, O) w, and AdamW on w with the gradient dy^T x, which
     * is formed a tile at a time and never stored: w, m and v are read once
     * and written once. dx comes from w before the step. */
    void (*wide_step)(float *dx, float *w, float *m, float *v, const float *x,
                      const float *dy, size_t B, size_t O, size_t N,
                      const struct kernels_adamw *step);
    /* The same with w, in blend both, as halves.h splits a matrix: products,
     * those that make dx too, take the upper halves, AdamW and blend the whole
     * numbers. */
    void (*blend_split)(uint16_t *y, const uint16_t *x, float by, size_t rows,
                        size_t n);
    void (*wide_forward_split)(float *y, const float *x, const uint16_t *w,
                               size_t B, size_t O, size_t N);
    void (*wide_step_split)(float *dx, uint16_t *w, float *m, float *v,
                            const float *x, const float *dy, size_t B, size_t O,
                            size_t N, const struct kernels_adamw *step);
    /* That dx alone. */
    void (*wide_input_split)(float *dx, const uint16_t *w, const float *dy,
                             size_t B, size_t O, size_t N);
    /* Sixteen Philox blocks, counters first..first+15: word i of block j is
     * out[i][j]. */
    void (*philox)(uint32_t out[4][16], const struct kernels_stream *stream,
                   uint32_t first);
    /* Draw 16-bit numbers, eight words of 16 bits from each call of philox
     * (counters 16 g .. 16 g + 15 for the g-th group): bit j of word 2 i + h of
     * a group is 1 when half h (low, high) of out[i][j] is >= threshold. */
    void (*keep_bits)(uint16_t *words, size_t n_groups,
                      const struct kernels_stream *stream, uint32_t threshold);
};

extern const struct kernels kernels_reference, kernels_portable;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

/* The table in use: the best that this CPU has, or the one that the
 * environment's PARZEN_KERNELS names, if the CPU has it. Chosen once. */
const struct kernels *kernels_get(void);
/* By name; NULL when unknown or not for this CPU. */
const struct kernels *kernels_named(const char *name);

#endif
