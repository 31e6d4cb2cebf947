/* fix_kernels: a table of kernels, the one that it is compared with, and arrays
 * of floats with a guard behind each, which tells writes beyond the end. */
#ifndef TESTS_LIB_FIX_KERNELS_H
#define TESTS_LIB_FIX_KERNELS_H
#include "core/base/rng.h"
#include "core/nn/kernels.h"

/* Which table, and against which: bounds of a loop test. */
enum {
    FIX_KERNELS_FASTER = 1, /* from here on: not the reference itself */
    FIX_KERNELS_TABLES = 4, /* up to here: each once, against the reference */
    FIX_KERNELS_PAIRS = 5,  /* the last one: two that promise the same bits */
};

enum { FIX_KERNELS_GUARD = 32 /* floats */, FIX_KERNELS_ARRAYS = 128 };

struct fix_kernels {
    struct rng rng;
    const struct kernels *k, *ref; /* under test; what is compared with */
    float *arrays[FIX_KERNELS_ARRAYS];
    size_t n_arrays;
};

/* With the same random numbers each time. */
void fix_kernels_init(struct fix_kernels *f);
/* Free all arrays; more can be made. */
void fix_kernels_release(struct fix_kernels *f);
/* False, with a word, where this CPU lacks the instruction set. */
bool fix_kernels_use(struct fix_kernels *f, int which);

/* n floats from low to high, or those of `from`; borrowed until the release. */
float *fix_kernels_floats(struct fix_kernels *f, size_t n, float low,
                          float high);
float *fix_kernels_copy(struct fix_kernels *f, const float *from, size_t n);

/* Nothing was written behind these n floats. */
void fix_kernels_guarded(const struct fix_kernels *f, const void *array,
                         size_t n, const char *what);
/* Whether the two tables promise the same bits. */
bool fix_kernels_same_bits(const struct fix_kernels *f);
/* Norm-relative agreement, or the same bits where they are promised, and an
 * untouched guard. */
void fix_kernels_same(const struct fix_kernels *f, const float *is,
                      const float *want, size_t n, const char *what);

/* Some step: none of its numbers is one that changes nothing. */
struct kernels_adamw fix_kernels_adamw(void);

#endif
