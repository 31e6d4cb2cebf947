/* bf16: matrix products of float32 matrices in bfloat16.
 *
 * Inputs are rounded to bfloat16 (to nearest, ties to even), products are
 * exact, sums are float32. A matrix is given by the distances of its elements:
 * (i, k) of a is a[i * a_row + k * a_column], so that one function does plain
 * and transposed operands. The order of sums depends on M, N and K alone. */
#ifndef CORE_NN_BF16_H
#define CORE_NN_BF16_H
#include "core/base/base.h"
#include <stdbool.h>

struct bf16_product {
    size_t M, N, K;
    float *c; /* (M, N), rows ldc apart */
    const float *a, *b;
    size_t ldc, a_row, a_column, b_row, b_column; /* (M, K), (K, N) */
    float alpha; /* c = alpha a b, or, with adds, c += alpha a b */
    bool adds;
};

/* pack: scratch of BF16_PACK_BYTES, 64-byte aligned. */
typedef void bf16_multiply(const struct bf16_product *p, void *pack);

enum {
    BF16_ROWS = 12,    /* of c in registers */
    BF16_COLUMNS = 32, /* two vectors */
    BF16_M = 96,       /* rows, */
    BF16_N = 768,      /* columns */
    BF16_K = 384,      /* and depth of what is packed at a time */
    BF16_PACK_BYTES = 2 * BF16_K * (BF16_M + BF16_N)
};

/* The product of this CPU, or NULL: it has no AVX512-BF16. */
bf16_multiply *bf16_get(void);
/* Plain C, for reading and for tests; pack is not used. */
void bf16_reference(const struct bf16_product *p, void *pack);
#if defined(__x86_64__)
void bf16_avx512(const struct bf16_product *p, void *pack);
#endif

#endif
