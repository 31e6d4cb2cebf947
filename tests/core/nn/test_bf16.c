/* The products of this CPU against the plain ones, over odd shapes. */
#include "tests/lib/test_main.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/bf16.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rng rng;

static float *floats(size_t n)
{
    float *x = mem_alloc(n, sizeof(*x));
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)rng_double(&rng) * 2 - 1;
    }
    return x;
}

/* Matrices lie in rows wider than they are; what is beside c must stay. */
static void check(size_t M, size_t N, size_t K, int kind)
{
    bool a_turned = kind % 2 == 1, b_turned = kind / 2 % 2 == 1;
    size_t lda = (a_turned ? M : K) + 3, ldb = (b_turned ? K : N) + 5;
    size_t ldc = N + 2, n_c = M * ldc;
    float *a = floats((a_turned ? K : M) * lda);
    float *b = floats((b_turned ? N : K) * ldb), *c = floats(n_c);
    float *want = mem_alloc(n_c, sizeof(*want));
    void *pack = aligned_alloc(64, BF16_PACK_BYTES);
    memcpy(want, c, n_c * sizeof(*c));
    struct bf16_product p = {.M = M,
                             .N = N,
                             .K = K,
                             .c = c,
                             .a = a,
                             .b = b,
                             .ldc = ldc,
                             .a_row = a_turned ? 1 : lda,
                             .a_column = a_turned ? lda : 1,
                             .b_row = b_turned ? 1 : ldb,
                             .b_column = b_turned ? ldb : 1,
                             .alpha = 0.7f,
                             .adds = kind / 4 % 2 == 1};
    bf16_get()(&p, pack);
    p.c = want;
    bf16_reference(&p, NULL);
    for (size_t i = 0; i < n_c; i++) {
        double tolerance = i % ldc < N ? 1e-6 * sqrt((double)K) + 1e-6 : 0;
        ck_assert_msg(fabs(c[i] - want[i]) <= tolerance,
                      "%zu x %zu x %zu, kind %d, %zu: %g, not %g", M, N, K,
                      kind, i, (double)c[i], (double)want[i]);
    }
    free(a);
    free(b);
    free(c);
    free(want);
    free(pack);
}

START_TEST(agrees_with_the_plain_product)
{
    if (bf16_get() == NULL) {
        fprintf(stderr, "SKIPPED: this CPU has no AVX512-BF16\n");
        return;
    }
    rng_stream(&rng, 3, 0, RNG_SAMPLER, 0);
    for (int kind = 0; kind < 8; kind++) {
        for (int round = 0; round < 12; round++) {
            check(1 + rng_below(&rng, 40), 1 + rng_below(&rng, 90),
                  1 + rng_below(&rng, 60), kind);
        }
        if (kind % 3 == 0) { /* more than a block */
            check(BF16_M + 7, BF16_N + 9, BF16_K + 11, kind);
        }
    }
}
END_TEST

START_TEST(rounds_to_nearest_even)
{
    /* One unit in the last place of a bfloat16 at 1 is 2^-7. */
    static const float x[] = {1 + 0x1p-8f, 1 + 3 * 0x1p-8f, 1 + 0x1.8p-8f};
    static const float want[] = {1, 1 + 0x1p-6f, 1 + 0x1p-7f};
    bf16_multiply *const both[] = {bf16_reference, bf16_get()};
    void *pack = aligned_alloc(64, BF16_PACK_BYTES);
    for (int which = 0; which < 2 && both[which] != NULL; which++) {
        for (size_t i = 0; i < ARRAY_LEN(x); i++) {
            float one = 1, c = 0;
            struct bf16_product p = {.M = 1,
                                     .N = 1,
                                     .K = 1,
                                     .c = &c,
                                     .a = &x[i],
                                     .b = &one,
                                     .ldc = 1,
                                     .a_row = 1,
                                     .a_column = 1,
                                     .b_row = 1,
                                     .b_column = 1,
                                     .alpha = 1};
            both[which](&p, pack);
            ck_assert_float_eq(c, want[i]);
        }
    }
    free(pack);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("bf16");
    TCase *t = tcase_create("bf16");
    tcase_add_test(t, agrees_with_the_plain_product);
    tcase_add_test(t, rounds_to_nearest_even);
    suite_add_tcase(s, t);
    return s;
}
