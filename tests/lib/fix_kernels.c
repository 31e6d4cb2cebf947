#include "tests/lib/fix_kernels.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_VALUE 12345.0f

static const struct {
    const char *name, *against;
} pairs[FIX_KERNELS_PAIRS] = {
    {"reference", "reference"}, {"portable", "reference"},
    {"avx2", "reference"},      {"avx512", "reference"},
    {"avx512", "avx2"},
};

void fix_kernels_init(struct fix_kernels *f)
{
    *f = (struct fix_kernels){0};
    rng_stream(&f->rng, 42, 0, RNG_SAMPLER, 0);
}

void fix_kernels_release(struct fix_kernels *f)
{
    while (f->n_arrays > 0) {
        free(f->arrays[--f->n_arrays]);
    }
}

bool fix_kernels_use(struct fix_kernels *f, int which)
{
    f->k = kernels_named(pairs[which].name);
    f->ref = kernels_named(pairs[which].against);
    if (f->k == NULL) {
        fprintf(stderr, "SKIPPED: this CPU has no %s\n", pairs[which].name);
    }
    return f->k != NULL;
}

/* --- arrays --- */

static float *guarded_array(struct fix_kernels *f, size_t n)
{
    float *x = mem_alloc(n + FIX_KERNELS_GUARD, sizeof(*x));
    for (size_t i = n; i < n + FIX_KERNELS_GUARD; i++) {
        x[i] = GUARD_VALUE;
    }
    ck_assert_uint_lt(f->n_arrays, FIX_KERNELS_ARRAYS);
    f->arrays[f->n_arrays++] = x;
    return x;
}

float *fix_kernels_floats(struct fix_kernels *f, size_t n, float low,
                          float high)
{
    float *x = guarded_array(f, n);
    for (size_t i = 0; i < n; i++) {
        x[i] = low + (high - low) * (float)rng_double(&f->rng);
    }
    return x;
}

float *fix_kernels_copy(struct fix_kernels *f, const float *from, size_t n)
{
    float *x = guarded_array(f, n);
    memcpy(x, from, n * sizeof(*x));
    return x;
}

/* --- checks --- */

void fix_kernels_guarded(const struct fix_kernels *f, const void *array,
                         size_t n, const char *what)
{
    const float *x = array;
    for (size_t i = n; i < n + FIX_KERNELS_GUARD; i++) {
        ck_assert_msg(x[i] == GUARD_VALUE, "%s %s: wrote past the end",
                      f->k->name, what);
    }
}

bool fix_kernels_same_bits(const struct fix_kernels *f)
{
    return strcmp(f->k->bits, f->ref->bits) == 0;
}

void fix_kernels_same(const struct fix_kernels *f, const float *is,
                      const float *want, size_t n, const char *what)
{
    ck_assert_msg(!fix_kernels_same_bits(f) ||
                      memcmp(is, want, n * sizeof(*is)) == 0,
                  "%s and %s, %s: other bits", f->k->name, f->ref->name, what);
    double diff = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)is[i] - want[i];
        diff += d * d;
        norm += (double)want[i] * want[i];
    }
    ck_assert_msg(diff <= 1e-11 * norm + 1e-20, "%s %s: |diff| %g of %g",
                  f->k->name, what, sqrt(diff), sqrt(norm));
    fix_kernels_guarded(f, is, n, what);
}

struct kernels_adamw fix_kernels_adamw(void)
{
    return (struct kernels_adamw){.beta1 = 0.9f,
                                  .rest1 = 0.1f,
                                  .beta2 = 0.999f,
                                  .rest2 = 0.001f,
                                  .decay = 0.99f,
                                  .rate = 0.01f,
                                  .scale = 1.5f,
                                  .eps = 1e-8f};
}
