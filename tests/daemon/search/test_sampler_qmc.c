#include "daemon/search/sampler_qmc.h"
#include "tests/lib/search_run.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of 2^k points each interval of length 2^-k holds one: in each dimension. */
static double sobol(uint32_t index, int dimension, bool scrambled)
{
    struct rng rng;
    rng_stream(&rng, 1, 0, RNG_QMC, (uint32_t)dimension);
    return scrambled ? qmc_sobol_scrambled(index, dimension, &rng)
                     : qmc_sobol(index, dimension);
}

START_TEST(sobol_is_a_net_in_each_dimension)
{
    enum { N = 256 };
    for (int d = 0; d < QMC_SOBOL_MAX; d++) {
        int count[N] = {0};
        for (uint32_t i = 0; i < N; i++) {
            count[(int)(sobol(i, d, _i == 1) * N)]++;
        }
        for (int i = 0; i < N; i++) {
            ck_assert_msg(count[i] == 1, "dimension %d", d);
        }
        ck_assert_double_eq(qmc_sobol(0, d), 0.0);
        ck_assert_double_eq(qmc_sobol(1, d), 0.5);
    }
}
END_TEST

/* Of the first two dimensions each box of 2^-a x 2^-(8 - a) holds one point. */
START_TEST(sobol_is_a_net_in_two_dimensions)
{
    enum { BITS = 8, N = 1 << BITS };
    for (int a = 0; a <= BITS; a++) {
        int count[N] = {0};
        for (uint32_t i = 0; i < N; i++) {
            int x = (int)(sobol(i, 0, _i == 1) * (1 << a));
            int y = (int)(sobol(i, 1, _i == 1) * (1 << (BITS - a)));
            count[(x << (BITS - a)) + y]++;
        }
        for (int i = 0; i < N; i++) {
            ck_assert_int_eq(count[i], 1);
        }
    }
}
END_TEST

/* As scipy.stats.qmc.Sobol(256, scramble=False). */
START_TEST(sobol_goes_on_as_everywhere)
{
    static const uint32_t index[] = {1, 2, 3, 5, 17, 42, 63};
    static const struct {
        int dimension;
        double at[7];
    } rows[] = {
        {21, {0.5, 0.75, 0.25, 0.625, 0.40625, 0.765625, 0.546875}},
        {40, {0.5, 0.25, 0.75, 0.375, 0.90625, 0.640625, 0.671875}},
        {100, {0.5, 0.25, 0.75, 0.125, 0.09375, 0.171875, 0.578125}},
        {200, {0.5, 0.75, 0.25, 0.125, 0.03125, 0.515625, 0.171875}},
        {255, {0.5, 0.75, 0.25, 0.875, 0.28125, 0.140625, 0.046875}},
    };
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        for (int i = 0; i < 7; i++) {
            ck_assert_double_eq(qmc_sobol(index[i], rows[r].dimension),
                                rows[r].at[i]);
        }
    }
}
END_TEST

/* Scrambled or not: of 3^4 points one in each interval of that length. */
START_TEST(halton_is_even_in_its_base)
{
    enum { N = 81 };
    int count[N] = {0};
    for (uint64_t i = 0; i < N; i++) {
        struct rng rng;
        rng_stream(&rng, 2, 0, RNG_QMC, 1);
        double u = qmc_halton_scrambled(i, 1, &rng);
        ck_assert(u >= 0 && u < 1);
        count[(int)(u * N)]++;
    }
    for (int i = 0; i < N; i++) {
        ck_assert_int_eq(count[i], 1);
    }
}
END_TEST

/* The first points of three dimensions, as scipy.stats.qmc.Sobol(3,
 * scramble=False) gives them. */
START_TEST(sobol_begins_as_everywhere)
{
    static const double first[8][3] = {{0, 0, 0},
                                       {0.5, 0.5, 0.5},
                                       {0.75, 0.25, 0.25},
                                       {0.25, 0.75, 0.75},
                                       {0.375, 0.375, 0.625},
                                       {0.875, 0.875, 0.125},
                                       {0.625, 0.125, 0.875},
                                       {0.125, 0.625, 0.375}};
    for (uint32_t i = 0; i < 8; i++) {
        for (int d = 0; d < 3; d++) {
            ck_assert_double_eq(qmc_sobol(i, d), first[i][d]);
        }
    }
}
END_TEST

START_TEST(halton_counts_in_primes)
{
    ck_assert_double_eq(qmc_halton(1, 0), 0.5);
    ck_assert_double_eq(qmc_halton(6, 0), 0.375);
    ck_assert_double_eq_tol(qmc_halton(5, 1), 7.0 / 9.0, 1e-15);
    ck_assert_double_eq_tol(qmc_halton(13, 4), 1.0 / 11 + 2.0 / 121, 0.2);
    ck_assert_double_eq_tol(qmc_halton(13, 4), 2.0 / 11 + 1.0 / 121, 1e-15);
}
END_TEST

/* Any sequence, scrambled or not, covers a plane more evenly than chance. */
START_TEST(points_fill_the_space_evenly)
{
    static const char *const types[] = {"sobol", "halton"};
    char members[128];
    struct search_run r;
    int count[16] = {0};
    snprintf(members, sizeof(members),
             "\"seed\":5,\"sampler\":{\"type\":\"qmc\",\"qmc_type\":\"%s\","
             "\"scramble\":%s},",
             types[_i % 2], _i / 2 == 1 ? "true" : "false");
    search_run_init(&r, members,
                    "\"x\":{\"float\":[-1,3]},"
                    "\"y\":{\"float\":[1e-4,1],\"log\":true},"
                    "\"c\":{\"choice\":[1,2]}");
    for (int i = 0; i < 160; i++) {
        double v[3];
        search_run_tell(&r, search_run_ask(&r, v), 0);
        ck_assert(v[0] >= -1 && v[0] < 3 && v[1] >= 1e-4 && v[1] <= 1);
        ck_assert(v[2] == 0 || v[2] == 1);
        count[(int)(v[0] + 1) * 4 + (int)(log10(v[1]) + 4 - 1e-9)]++;
    }
    for (int i = 0; i < 16; i++) {
        ck_assert_msg(count[i] >= 6 && count[i] <= 14, "cell %d: %d", i,
                      count[i]);
    }
    search_run_fini(&r);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sampler qmc");
    TCase *t = tcase_create("sampler qmc");
    tcase_add_loop_test(t, sobol_is_a_net_in_each_dimension, 0, 2);
    tcase_add_loop_test(t, sobol_is_a_net_in_two_dimensions, 0, 2);
    tcase_add_test(t, sobol_goes_on_as_everywhere);
    tcase_add_test(t, halton_is_even_in_its_base);
    tcase_add_test(t, sobol_begins_as_everywhere);
    tcase_add_test(t, halton_counts_in_primes);
    tcase_add_loop_test(t, points_fill_the_space_evenly, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
