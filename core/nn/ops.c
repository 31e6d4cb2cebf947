#include "core/nn/ops.h"

#include <cblas.h>

/* Smaller than this, packing costs more than it gains. */
enum { BF16_LEAST = 8, BF16_LEAST_WORK = 1 << 14 };

struct gemm {
    enum CBLAS_TRANSPOSE a_turned, b_turned;
    size_t M, N, K;
    float alpha, beta; /* beta: 0 or 1 */
};

static bool is_worth_packing(const struct gemm *g)
{
    return g->M >= BF16_LEAST && g->N >= BF16_LEAST && g->K >= BF16_LEAST &&
           g->M * g->N * g->K >= BF16_LEAST_WORK;
}

static void gemm(const struct ops *how, const struct gemm *g, float *c,
                 size_t ldc, const float *a, size_t lda, const float *b,
                 size_t ldb)
{
    if (g->M == 0 || g->N == 0) {
        return;
    }
    if (how->bf16 == NULL || !is_worth_packing(g)) {
        cblas_sgemm(CblasRowMajor, g->a_turned, g->b_turned, (int)g->M,
                    (int)g->N, (int)g->K, g->alpha, a, (int)lda, b, (int)ldb,
                    g->beta, c, (int)ldc);
        return;
    }
    bool a_turned = g->a_turned == CblasTrans;
    bool b_turned = g->b_turned == CblasTrans;
    struct bf16_product p = {.M = g->M,
                             .N = g->N,
                             .K = g->K,
                             .c = c,
                             .a = a,
                             .b = b,
                             .ldc = ldc,
                             .a_row = a_turned ? 1 : lda,
                             .a_column = a_turned ? lda : 1,
                             .b_row = b_turned ? 1 : ldb,
                             .b_column = b_turned ? ldb : 1,
                             .alpha = g->alpha,
                             .adds = g->beta != 0};
    how->bf16(&p, how->pack);
}

void ops_nt(const struct ops *how, float *c, size_t ldc, const float *a,
            size_t lda, const float *b, size_t ldb, size_t M, size_t N,
            size_t K, float alpha)
{
    struct gemm g = {CblasNoTrans, CblasTrans, M, N, K, alpha, 0.0f};
    gemm(how, &g, c, ldc, a, lda, b, ldb);
}

void ops_nn(const struct ops *how, float *c, size_t ldc, const float *a,
            size_t lda, const float *b, size_t ldb, size_t M, size_t N,
            size_t K, float alpha)
{
    struct gemm g = {CblasNoTrans, CblasNoTrans, M, N, K, alpha, 0.0f};
    gemm(how, &g, c, ldc, a, lda, b, ldb);
}

void ops_nn_add(const struct ops *how, float *c, size_t ldc, const float *a,
                size_t lda, const float *b, size_t ldb, size_t M, size_t N,
                size_t K)
{
    struct gemm g = {CblasNoTrans, CblasNoTrans, M, N, K, 1.0f, 1.0f};
    gemm(how, &g, c, ldc, a, lda, b, ldb);
}

void ops_tn(const struct ops *how, float *c, size_t ldc, const float *a,
            size_t lda, const float *b, size_t ldb, size_t M, size_t N,
            size_t K, float alpha)
{
    struct gemm g = {CblasTrans, CblasNoTrans, M, N, K, alpha, 0.0f};
    gemm(how, &g, c, ldc, a, lda, b, ldb);
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
