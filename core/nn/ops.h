/* ops: matrix products, by OpenBLAS or in bfloat16; ops.c alone includes
 * cblas.h.
 *
 * Row major; each matrix has its leading dimension (elements from one row to
 * the next) beside it. M, N, K and leading dimensions fit an int. */
#ifndef CORE_NN_OPS_H
#define CORE_NN_OPS_H
#include "core/nn/bf16.h"

/* How products are made: in float32, or those that are worth packing in
 * bfloat16 (on one thread), with pack for scratch. */
struct ops {
    bf16_multiply *bf16; /* NULL: float32 */
    void *pack;          /* BF16_PACK_BYTES */
};

/* c (M, N) = alpha a (M, K) b (N, K)^T */
void ops_nt(const struct ops *how, float *c, size_t ldc, const float *a,
            size_t lda, const float *b, size_t ldb, size_t M, size_t N,
            size_t K, float alpha);
/* c (M, N) = alpha a (M, K) b (K, N) */
void ops_nn(const struct ops *how, float *c, size_t ldc, const float *a,
            size_t lda, const float *b, size_t ldb, size_t M, size_t N,
            size_t K, float alpha);
/* c (M, N) += a (M, K) b (K, N) */
void ops_nn_add(const struct ops *how, float *c, size_t ldc, const float *a,
                size_t lda, const float *b, size_t ldb, size_t M, size_t N,
                size_t K);
/* c (M, N) = alpha a (K, M)^T b (K, N) */
void ops_tn(const struct ops *how, float *c, size_t ldc, const float *a,
            size_t lda, const float *b, size_t ldb, size_t M, size_t N,
            size_t K, float alpha);

void ops_set_threads(int n);
int ops_threads(void);
/* The kernels OpenBLAS chose when it was loaded ("Haswell"), and its
 * configuration line. Static strings. */
const char *ops_blas_core(void);
const char *ops_blas_config(void);

#endif
