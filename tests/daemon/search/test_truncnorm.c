/* Golden numbers: scipy-checked values of optuna.md 1.10; the rest are
 * identities that hold for any correct implementation. */
#include "daemon/search/truncnorm.h"
#include "core/base/base.h"
#include "tests/lib/test_main.h"

#include <math.h>

static void check_close(double value, double expected, double tolerance)
{
    ck_assert_msg(fabs(value - expected) <= tolerance * fabs(expected),
                  "%.17g instead of %.17g", value, expected);
}

START_TEST(test_ppf_golden)
{
    check_close(truncnorm_ppf(.3, -1, 2), -0.242403817889, 1e-11);
    check_close(truncnorm_ppf(.3, 2, 5), 2.146283631417, 1e-11);
    check_close(truncnorm_ppf(.5, -8, -5), -5.132018331636, 1e-11);
}
END_TEST

START_TEST(test_mass_golden)
{
    check_close(truncnorm_log_mass(-1, 2), -0.200166294324, 1e-11);
    check_close(truncnorm_log_mass(2, 5), -3.783196933757, 1e-11);
    check_close(truncnorm_log_mass(5, 6), -15.068446096529, 1e-11);
}
END_TEST

static const double bounds[][2] = {
    {-1, 1},   {-10, 10}, {-1e-3, 1e-3}, {10, 100},    {-100, -10}, {0, 1e-3},
    {-5, 300}, {-300, 5}, {-0.5, 1e100}, {30, 30.001}, {-3, -2},    {1e3, 1e4},
};

START_TEST(test_ppf_stays_and_ends)
{
    double a = bounds[_i][0], b = bounds[_i][1], last = a;
    ck_assert_double_eq(truncnorm_ppf(0.0, a, b), a);
    ck_assert_double_eq(truncnorm_ppf(1.0, a, b), b);
    static const double us[] = {1e-308, 1e-30, 1e-8, 1e-3, 0.1,      0.3,
                                0.5,    0.7,   0.9,  0.99, 1 - 1e-9, 1 - 1e-16};
    for (size_t i = 0; i < ARRAY_LEN(us); i++) {
        double x = truncnorm_ppf(us[i], a, b);
        ck_assert_msg(x >= last && x <= b, "ppf(%g; %g, %g) = %.17g", us[i], a,
                      b, x);
        last = x;
    }
}
END_TEST

/* The mass below ppf(u) is the fraction u of all. */
START_TEST(test_ppf_inverts_mass)
{
    double a = bounds[_i][0], b = bounds[_i][1];
    for (double u = 0.05; u < 1.0; u += 0.05) {
        double x = truncnorm_ppf(u, a, b);
        double part = truncnorm_log_mass(a, x) - truncnorm_log_mass(a, b);
        check_close(exp(part), u, b - a < 0.1 ? 1e-3 : 1e-7);
    }
}
END_TEST

/* As far out as the mirrored tail can be told from 1. */
START_TEST(test_ndtri_exp_inverts)
{
    static const double ys[] = {-1e-308, -1e-100, -1e-20, -1e-9, -1e-3,
                                -0.01,   -0.0101, -0.1,   -0.7,  -1.0,
                                -4.99,   -5.01,   -50.0,  -1e3,  -1e9};
    for (size_t i = 0; i < ARRAY_LEN(ys); i++) {
        double x = truncnorm_ndtri_exp(ys[i]);
        /* ln of a number next to 1 has few digits */
        check_close(truncnorm_log_ndtr(x), ys[i], 1e-7);
    }
}
END_TEST

/* Two formulas meet at 6 and at -20. */
START_TEST(test_log_ndtr_is_smooth)
{
    static const double joints[] = {6.0, -20.0};
    for (size_t i = 0; i < ARRAY_LEN(joints); i++) {
        double before = truncnorm_log_ndtr(nextafter(joints[i], -1e9));
        double after = truncnorm_log_ndtr(nextafter(joints[i], 1e9));
        check_close(before, after, 1e-6 * (joints[i] > 0) + 1e-13);
    }
    check_close(truncnorm_log_ndtr(-1e5), -5000000012.431864, 1e-14);
}
END_TEST

START_TEST(test_mass_is_symmetric)
{
    double a = bounds[_i][0], b = bounds[_i][1];
    check_close(truncnorm_log_mass(-b, -a), truncnorm_log_mass(a, b), 1e-12);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("truncnorm");
    TCase *t = tcase_create("golden");
    tcase_add_test(t, test_ppf_golden);
    tcase_add_test(t, test_mass_golden);
    suite_add_tcase(s, t);
    t = tcase_create("properties");
    int n = (int)ARRAY_LEN(bounds);
    tcase_add_loop_test(t, test_ppf_stays_and_ends, 0, n);
    tcase_add_loop_test(t, test_ppf_inverts_mass, 0, n);
    tcase_add_test(t, test_ndtri_exp_inverts);
    tcase_add_test(t, test_log_ndtr_is_smooth);
    tcase_add_loop_test(t, test_mass_is_symmetric, 0, n);
    suite_add_tcase(s, t);
    return s;
}
