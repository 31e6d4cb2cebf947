/* model_bench: what a training step costs at the least, and what this machine
 * does of it in a second. */
#ifndef TESTS_LIB_MODEL_BENCH_H
#define TESTS_LIB_MODEL_BENCH_H
#include "core/nn/model.h"

/* Bytes that a step must move between memory and CPU: w, m and v of every
 * parameter read and written once, the wide layer's w, or its upper half where
 * that is kept by itself (core/nn/halves.h), read once more. */
double model_bench_bytes(const struct model_config *c);
/* Floating-point operations of the products that this batch needs: forward
 * once, backward twice; only keys that a row really has. */
double model_bench_flops(const struct model_config *c,
                         const struct model_batch *batch);

/* Scratch for the two measurements. */
struct model_bench;
MUST_CHECK int model_bench_new(const struct model_config *c,
                               struct model_bench **out, struct err *err);
void model_bench_free(struct model_bench *b);
/* Bytes read and written per nanosecond (GB/s) by the faster of memcpy and a
 * copy that does not go through the cache. */
double model_bench_copy(struct model_bench *b);
/* Operations per nanosecond (GFLOP/s) of a product (max_batch L, d) x
 * (d, ffn). */
double model_bench_gemm(struct model_bench *b);

#endif
