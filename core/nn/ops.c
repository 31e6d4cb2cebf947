#include "core/nn/ops.h"

#include <cblas.h>

static void gemm(enum CBLAS_TRANSPOSE ta, enum CBLAS_TRANSPOSE tb, float *c,
                 size_t ldc, const float *a, size_t lda, const float *b,
                 size_t ldb, size_t M, size_t N, size_t K, float alpha,
                 float beta)
{
    if (M == 0 || N == 0) {
        return;
    }
    cblas_sgemm(CblasRowMajor, ta, tb, (int)M, (int)N, (int)K, alpha, a,
                (int)lda, b, (int)ldb, beta, c, (int)ldc);
}

void ops_nt(float *c, size_t ldc, const float *a, size_t lda, const float *b,
            size_t ldb, size_t M, size_t N, size_t K, float alpha)
{
    gemm(CblasNoTrans, CblasTrans, c, ldc, a, lda, b, ldb, M, N, K, alpha,
         0.0f);
}

void ops_nn(float *c, size_t ldc, const float *a, size_t lda, const float *b,
            size_t ldb, size_t M, size_t N, size_t K, float alpha)
{
    gemm(CblasNoTrans, CblasNoTrans, c, ldc, a, lda, b, ldb, M, N, K, alpha,
         0.0f);
}

void ops_nn_add(float *c, size_t ldc, const float *a, size_t lda,
                const float *b, size_t ldb, size_t M, size_t N, size_t K)
{
    gemm(CblasNoTrans, CblasNoTrans, c, ldc, a, lda, b, ldb, M, N, K, 1.0f,
         1.0f);
}

void ops_tn(float *c, size_t ldc, const float *a, size_t lda, const float *b,
            size_t ldb, size_t M, size_t N, size_t K, float alpha)
{
    gemm(CblasTrans, CblasNoTrans, c, ldc, a, lda, b, ldb, M, N, K, alpha,
         0.0f);
}

void ops_set_threads(int n)
{
    openblas_set_num_threads(n);
}

int ops_threads(void)
{
    return openblas_get_num_threads();
}

const char *ops_blas_core(void)
{
    return openblas_get_corename();
}

const char *ops_blas_config(void)
{
    return openblas_get_config();
}
