#include "core/base/rng.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* numpy 1.24: RandomState(7).random_sample() number 0 .. 4, 623 and 999 (past
 * the first refill), and the first of RandomState(2**32 - 1). */
START_TEST(mersenne_twister_follows_numpy)
{
    static const struct {
        int at;
        double value;
    } want[] = {{0, 0.07630828937395717},   {1, 0.7799187922401146},
                {2, 0.4384092314408935},    {3, 0.7234651778309412},
                {4, 0.9779895119966027},    {623, 0.06993906408407957},
                {999, 0.016448753231374513}};
    struct rng r;
    rng_mt19937(&r, 7);
    size_t next = 0;
    for (int i = 0; i < 1000; i++) {
        double v = rng_double(&r);
        if (want[next].at == i) {
            ck_assert_double_eq(v, want[next++].value);
        }
    }
    ck_assert_uint_eq(next, ARRAY_LEN(want));
    rng_mt19937(&r, 4294967295u);
    ck_assert_double_eq(rng_double(&r), 0.0976320289940138);
}
END_TEST

/* Random123's known answers (kat_vectors, philox4x32 10). */
START_TEST(philox_known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } rows[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t out[4];
        rng_philox(rows[i].key, rows[i].counter, out);
        ck_assert_mem_eq(out, rows[i].want, sizeof(out));
    }
}
END_TEST

/* A stream is its five numbers: pinned, because results depend on them. */
START_TEST(streams_are_philox_by_their_names)
{
    struct rng r;
    rng_stream(&r, 0x0123456789abcdef, 42, RNG_SHUFFLE, 3);
    for (uint32_t block = 0; block < 3; block++) {
        const uint32_t key[2] = {0x89abcdef, 0x01234567};
        const uint32_t counter[4] = {block, 3, 42, RNG_SHUFFLE};
        uint32_t want[4];
        rng_philox(key, counter, want);
        for (int i = 0; i < 4; i++) {
            ck_assert_uint_eq(rng_u32(&r), want[i]);
        }
    }
}
END_TEST

START_TEST(below_is_uniform_and_in_range)
{
    enum { N = 7, DRAWS = 70000 };
    struct rng r;
    int count[N] = {0};
    rng_stream(&r, 5, 0, RNG_STARTUP, 0);
    for (int i = 0; i < DRAWS; i++) {
        count[rng_below(&r, N)]++;
    }
    for (int i = 0; i < N; i++) { /* 5 sigma of a binomial is 463 */
        ck_assert_int_lt(abs(count[i] - DRAWS / N), 463);
    }
    ck_assert_uint_eq(rng_below(&r, 1), 0);
}
END_TEST

START_TEST(normal_has_its_moments)
{
    enum { DRAWS = 100000 };
    struct rng r;
    double sum = 0, squares = 0, fourth = 0;
    rng_stream(&r, 6, 0, RNG_INIT, 0);
    for (int i = 0; i < DRAWS; i++) {
        double v = rng_normal(&r);
        ck_assert(isfinite(v));
        sum += v;
        squares += v * v;
        fourth += v * v * v * v;
    }
    ck_assert_double_eq_tol(sum / DRAWS, 0.0, 0.016);
    ck_assert_double_eq_tol(squares / DRAWS, 1.0, 0.023);
    ck_assert_double_eq_tol(fourth / DRAWS, 3.0, 0.16);
}
END_TEST

START_TEST(shuffle_is_a_permutation_every_one_alike)
{
    enum { DRAWS = 60000 };
    struct rng r;
    int count[27] = {0}; /* by a*9 + b*3 + c: 6 of them occur */
    rng_stream(&r, 7, 0, RNG_SHUFFLE, 0);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t items[3] = {0, 1, 2};
        rng_shuffle(&r, items, 3);
        ck_assert_uint_eq(items[0] + items[1] + items[2], 3);
        count[items[0] * 9 + items[1] * 3 + items[2]]++;
    }
    int n_seen = 0;
    for (int i = 0; i < 27; i++) {
        n_seen += count[i] > 0;
        ck_assert(count[i] == 0 || abs(count[i] - DRAWS / 6) < 457);
    }
    ck_assert_int_eq(n_seen, 6);
    rng_shuffle(&r, NULL, 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("rng");
    TCase *t = tcase_create("rng");
    tcase_add_test(t, mersenne_twister_follows_numpy);
    tcase_add_test(t, philox_known_answers);
    tcase_add_test(t, streams_are_philox_by_their_names);
    tcase_add_test(t, below_is_uniform_and_in_range);
    tcase_add_test(t, normal_has_its_moments);
    tcase_add_test(t, shuffle_is_a_permutation_every_one_alike);
    suite_add_tcase(s, t);
    return s;
}
