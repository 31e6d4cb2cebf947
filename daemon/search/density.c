#include "daemon/search/density.h"

#define LANES    2
#define OPS      density_generic
#define OPS_NAME "generic"
#include "daemon/search/density.inc"

#include <stdatomic.h>

#ifdef __x86_64__
extern const struct density_ops density_avx2, density_avx512;
#endif

const struct density_ops *density_variant(size_t i)
{
    const struct density_ops *found[4] = {NULL};
    size_t n = 0;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl")) {
        found[n++] = &density_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        found[n++] = &density_avx2;
    }
#endif
    found[n++] = &density_generic;
    return i < n ? found[i] : NULL;
}

/* Threads that are the first may all look; they find the same. */
const struct density_ops *density_best(void)
{
    static const struct density_ops *_Atomic best;
    const struct density_ops *ops =
        atomic_load_explicit(&best, memory_order_relaxed);
    if (ops == NULL) {
        ops = density_variant(0);
        atomic_store_explicit(&best, ops, memory_order_relaxed);
    }
    return ops;
}
