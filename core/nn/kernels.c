#include "core/nn/kernels.h"

#include "core/base/log.h"

#include <stdlib.h>
#include <string.h>

static bool cpu_has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

static bool cpu_has_avx512(void)
{
#if defined(__x86_64__)
    return cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

const struct kernels *kernels_named(const char *name)
{
#if defined(__x86_64__)
    if (strcmp(name, "avx512") == 0) {
        return cpu_has_avx512() ? &kernels_avx512 : NULL;
    }
    if (strcmp(name, "avx2") == 0) {
        return cpu_has_avx2() ? &kernels_avx2 : NULL;
    }
#endif
    if (strcmp(name, "portable") == 0) {
        return &kernels_portable;
    }
    return strcmp(name, "reference") == 0 ? &kernels_reference : NULL;
}

static const struct kernels *choose(void)
{
    const char *name = getenv("PARZEN_KERNELS");
    if (name != NULL) {
        const struct kernels *k = kernels_named(name);
        if (k != NULL) {
            return k;
        }
        LOG_WARN("PARZEN_KERNELS ignored: not for this CPU", "name=%s", name);
    }
    if (cpu_has_avx512()) {
        return kernels_named("avx512");
    }
    return kernels_named(cpu_has_avx2() ? "avx2" : "portable");
}

const struct kernels *kernels_get(void)
{
    static const struct kernels *chosen;
    if (chosen == NULL) {
        chosen = choose();
    }
    return chosen;
}
