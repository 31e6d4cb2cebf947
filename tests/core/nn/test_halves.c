#include "tests/lib/test_main.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/halves.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_nan(uint32_t bits)
{
    uint16_t upper, lower;
    halves_of(halves_float(bits), &upper, &lower);
    uint32_t joined = halves_bits(halves_joined(upper, lower));
    ck_assert_msg(isnan(halves_upper(upper)), "%08x", bits);
    ck_assert_uint_eq(joined, (bits & 0xffff0000) | 0x00400000);
}

static void check_number(uint32_t bits)
{
    uint16_t upper, lower;
    halves_of(halves_float(bits), &upper, &lower);
    uint32_t joined = halves_bits(halves_joined(upper, lower));
    ck_assert_msg(joined == bits, "%08x comes back as %08x", bits, joined);
    uint32_t below = bits & 0xffff, up = (uint32_t)upper << 16;
    ck_assert_msg(up == bits - below + (below >= 0x8000 ? 0x10000 : 0),
                  "%08x: %08x is not the nearest", bits, up);
}

/* Every upper half with what stands just below, at and above a tie. */
START_TEST(nothing_is_lost)
{
    static const uint32_t lows[] = {0,      1,      0x1234, 0x7fff,
                                    0x8000, 0x8001, 0xabcd, 0xffff};
    for (uint32_t high = 0; high <= 0xffff; high++) {
        for (size_t i = 0; i < ARRAY_LEN(lows); i++) {
            uint32_t bits = high << 16 | lows[i];
            if (isnan(halves_float(bits))) {
                check_nan(bits);
            } else {
                check_number(bits);
            }
        }
    }
}
END_TEST

START_TEST(infinities_and_the_largest_numbers)
{
    uint16_t upper, lower;
    for (int sign = -1; sign <= 1; sign += 2) {
        float s = (float)sign;
        halves_of(s * INFINITY, &upper, &lower);
        ck_assert(halves_upper(upper) == s * INFINITY);
        ck_assert_uint_eq(lower, 0);
        halves_of(s * FLT_MAX, &upper, &lower);
        ck_assert(halves_upper(upper) == s * INFINITY);
        ck_assert(halves_joined(upper, lower) == s * FLT_MAX);
    }
}
END_TEST

START_TEST(rows_in_their_place)
{
    enum { GUARD = 8 };
    struct rng rng;
    rng_stream(&rng, 3, 0, RNG_SAMPLER, 0);
    for (int round = 0; round < 50; round++) {
        size_t rows = 1 + rng_below(&rng, 5), n = 1 + rng_below(&rng, 70);
        size_t all = rows * n;
        float *w = mem_alloc(all + GUARD, sizeof(*w));
        float *was = mem_alloc(all + GUARD, sizeof(*was));
        uint16_t *scratch = mem_alloc(n, sizeof(*scratch));
        for (size_t i = 0; i < all + GUARD; i++) {
            w[i] = was[i] = (float)rng_normal(&rng);
        }
        halves_split(w, rows, n, scratch);
        const uint16_t *halves = (const uint16_t *)w;
        for (size_t i = 0; i < all; i++) {
            uint16_t upper, lower;
            size_t at = 2 * (i / n) * n + i % n;
            halves_of(was[i], &upper, &lower);
            ck_assert_uint_eq(halves[at], upper);
            ck_assert_uint_eq(halves[at + n], lower);
        }
        ck_assert(halves_are_finite(halves, rows, n));
        halves_join(w, rows, n, scratch);
        ck_assert_mem_eq(w, was, (all + GUARD) * sizeof(*w));
        w[rng_below(&rng, (uint32_t)all)] = round % 2 == 0 ? NAN : -INFINITY;
        halves_split(w, rows, n, scratch);
        ck_assert(!halves_are_finite(halves, rows, n));
        free(w);
        free(was);
        free(scratch);
    }
}
END_TEST

/* FLT_MAX has an infinite upper half. */
START_TEST(the_largest_numbers_are_finite)
{
    float w[2] = {FLT_MAX, -FLT_MAX};
    uint16_t scratch[2];
    halves_split(w, 1, 2, scratch);
    ck_assert(halves_are_finite((uint16_t *)w, 1, 2));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("halves");
    TCase *t = tcase_create("all");
    tcase_add_test(t, nothing_is_lost);
    tcase_add_test(t, infinities_and_the_largest_numbers);
    tcase_add_test(t, rows_in_their_place);
    tcase_add_test(t, the_largest_numbers_are_finite);
    suite_add_tcase(s, t);
    return s;
}
