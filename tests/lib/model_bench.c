#include "tests/lib/model_bench.h"

#include "core/base/mem.h"
#include "core/nn/arena.h"
#include "core/nn/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COPY_FLOATS = 16 << 20, GEMM_REPEATS = 4 };

struct model_bench {
    struct arena arena;
    size_t rows, d, ffn;
    float *from, *to; /* (COPY_FLOATS) */
    float *x, *w, *y; /* (rows, d), (ffn, d), (rows, ffn) */
};

double model_bench_bytes(const struct model_config *c)
{
    double d = c->emb_dim, wide = (double)c->head1_dim * c->max_len * d;
    double n = c->vocab_size * d + wide + 4 * d * (d + 1) +
               (double)c->ffn_dim * (d + 1) + d * (c->ffn_dim + 1) + 4 * d +
               c->head1_dim + (double)c->head2_dim * (c->head1_dim + 1) +
               (double)c->n_classes * (c->head2_dim + 1);
    if (c->position == MODEL_POSITION_LEARNED) {
        n += c->max_len * d;
    }
    bool in_halves = c->precision == MODEL_PRECISION_BF16_MIXED &&
                     model_precision_is_here(c->precision) &&
                     c->max_batch <= 16;
    return sizeof(float) * 6 * n +
           wide * (in_halves ? sizeof(uint16_t) : sizeof(float));
}

double model_bench_flops(const struct model_config *c,
                         const struct model_batch *batch)
{
    double d = c->emb_dim, L = c->max_len, B = batch->n;
    double keys = 0; /* over the rows */
    for (int b = 0; b < batch->n; b++) {
        keys += batch->lengths[b];
    }
    double head = (double)c->head1_dim * c->head2_dim +
                  (double)c->head2_dim * c->n_classes;
    double linear = B * L * (4 * d * d + 2 * d * c->ffn_dim) + B * head;
    double attention = 2 * L * keys * d; /* q k^T and p v */
    return 3 * 2 * (linear + attention);
}

static void lay_out(struct model_bench *b)
{
    b->from = arena_take(&b->arena, COPY_FLOATS, sizeof(float));
    b->to = arena_take(&b->arena, COPY_FLOATS, sizeof(float));
    b->x = arena_take(&b->arena, b->rows * b->d, sizeof(float));
    b->w = arena_take(&b->arena, b->ffn * b->d, sizeof(float));
    b->y = arena_take(&b->arena, b->rows * b->ffn, sizeof(float));
}

int model_bench_new(const struct model_config *c, struct model_bench **out,
                    struct err *err)
{
    struct model_bench *b = mem_alloc(1, sizeof(*b));
    b->rows = (size_t)c->max_batch * (size_t)c->max_len;
    b->d = (size_t)c->emb_dim;
    b->ffn = (size_t)c->ffn_dim;
    lay_out(b);
    if (!arena_map(&b->arena)) {
        free(b);
        return err_set(err, ERR_LIMIT, "no memory for the measurement");
    }
    lay_out(b);
    memset(b->from, 1, COPY_FLOATS * sizeof(float));
    memset(b->to, 2, COPY_FLOATS * sizeof(float));
    *out = b;
    return 0;
}

void model_bench_free(struct model_bench *b)
{
    if (b != NULL) {
        arena_unmap(&b->arena);
        free(b);
    }
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* Sixteen bytes at a time, past the cache where the CPU can. */
static void stream_copy(float *to, const float *from, size_t n)
{
    typedef float quad __attribute__((vector_size(16)));
    for (size_t i = 0; i < n; i += 4) {
#if defined(__x86_64__)
        __builtin_ia32_movntps(to + i, *(const quad *)(from + i));
#else
        *(quad *)(to + i) = *(const quad *)(from + i);
#endif
    }
#if defined(__x86_64__)
    __builtin_ia32_sfence();
#endif
}

double model_bench_copy(struct model_bench *b)
{
    size_t bytes = COPY_FLOATS * sizeof(float);
    double start = now_ns();
    memcpy(b->to, b->from, bytes);
    double middle = now_ns();
    stream_copy(b->to, b->from, COPY_FLOATS);
    double end = now_ns();
    return 2.0 * (double)bytes / fmin(middle - start, end - middle);
}

double model_bench_gemm(struct model_bench *b)
{
    double best = INFINITY;
    for (int i = 0; i < GEMM_REPEATS; i++) {
        double start = now_ns();
        ops_nt(&(struct ops){0}, b->y, b->ffn, b->x, b->d, b->w, b->d, b->rows,
               b->ffn, b->d, 1.0f);
        best = fmin(best, now_ns() - start);
    }
    return 2.0 * (double)b->rows * (double)b->d * (double)b->ffn / best;
}
