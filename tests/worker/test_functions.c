/* Test functions have their known minima, and nothing near is lower. */
#include "worker/functions.h"
#include "core/base/rng.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t n;
    double x[6], minimum, tolerance;
} OPTIMA[] = {
    {"sphere", 3, {0, 0, 0}, 0, 0},
    {"branin", 2, {-M_PI, 12.275}, 0.39788735773, 1e-9},
    {"branin", 2, {M_PI, 2.275}, 0.39788735773, 1e-9},
    {"branin", 2, {9.42478, 2.475}, 0.39788735773, 1e-9},
    {"hartmann6",
     6,
     {0.20169, 0.15001, 0.47687, 0.27533, 0.31165, 0.65730},
     -3.32236801,
     1e-7},
    {"rosenbrock", 4, {1, 1, 1, 1}, 0, 0},
    {"rastrigin", 4, {0, 0, 0, 0}, 0, 0},
    {"ackley", 5, {0, 0, 0, 0, 0}, 0, 1e-14},
    {"levy", 3, {1, 1, 1}, 0, 1e-30},
    {"styblinski-tang", 2, {-2.903534, -2.903534}, 2 * -39.166165704, 1e-8},
    {"michalewicz",
     5,
     {2.202906, 1.570796, 1.284992, 1.923058, 1.720470},
     -4.687658179,
     1e-8},
    {"shekel10", 4, {4.00073, 4.00058, 3.99965, 3.99950}, -10.532054, 1e-2},
};

START_TEST(minima_are_where_they_are_known)
{
    struct err err = {0};
    struct rng r;
    double value, near, x[6];
    size_t n = OPTIMA[_i].n;
    rng_stream(&r, 1, 0, RNG_SAMPLER, 0);
    ck_assert_msg(
        function_value(OPTIMA[_i].name, OPTIMA[_i].x, n, &value, &err) == 0,
        "%s", err.msg);
    ck_assert_msg(fabs(value - OPTIMA[_i].minimum) <= OPTIMA[_i].tolerance,
                  "%s: %.12g, not %.12g", OPTIMA[_i].name, value,
                  OPTIMA[_i].minimum);
    for (int k = 0; k < 100; k++) {
        for (size_t i = 0; i < n; i++) {
            x[i] = OPTIMA[_i].x[i] + 0.02 * rng_normal(&r);
        }
        ck_assert_int_eq(function_value(OPTIMA[_i].name, x, n, &near, &err), 0);
        ck_assert_msg(near >= value - 1e-6, "%s: %g lower", OPTIMA[_i].name,
                      value - near);
    }
}
END_TEST

START_TEST(names_and_dimensions_are_checked)
{
    const double x[2] = {1, 2};
    double value;
    struct err err = {0};
    ck_assert_int_eq(function_value("parabola", x, 2, &value, &err),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "sphere, branin, hartmann6"));
    ck_assert_int_eq(function_value("branin", x, 1, &value, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "params: branin takes 2 numbers, not 1");
    ck_assert_int_eq(function_value("rosenbrock", x, 1, &value, &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg,
                     "params: rosenbrock takes at least 2 numbers, not 1");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("functions");
    TCase *t = tcase_create("functions");
    tcase_add_loop_test(t, minima_are_where_they_are_known, 0,
                        sizeof(OPTIMA) / sizeof(OPTIMA[0]));
    tcase_add_test(t, names_and_dimensions_are_checked);
    suite_add_tcase(s, t);
    return s;
}
