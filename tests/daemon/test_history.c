#include "daemon/history.h"
#include "core/base/rng.h"
#include "tests/lib/test_main.h"

#include <math.h>

static const struct dist real = {.kind = DIST_FLOAT, .low = 0, .high = 1};
static const struct dist wider = {.kind = DIST_FLOAT, .low = 0, .high = 2};
static const struct dist logarithmic = {
    .kind = DIST_FLOAT, .low = 1e-3, .high = 1, .log = true};

START_TEST(test_trials)
{
    struct history *h = history_new();
    history_add(h);
    history_add(h);
    ck_assert_int_eq(history_n_trials(h), 2);
    ck_assert_int_eq(history_count(h, TRIAL_WAITING), 2);
    ck_assert(isnan(history_value(h, 0)));
    history_set_state(h, 1, TRIAL_COMPLETE, -INFINITY);
    ck_assert_int_eq(history_state(h, 1), TRIAL_COMPLETE);
    ck_assert_int_eq(history_states(h)[1], TRIAL_COMPLETE);
    ck_assert_int_eq(history_count(h, TRIAL_WAITING), 1);
    ck_assert_int_eq(history_count(h, TRIAL_COMPLETE), 1);
    ck_assert_double_eq(history_value(h, 1), -INFINITY);
    history_free(h);
}
END_TEST

START_TEST(test_reports_by_step)
{
    struct history *h = history_new();
    history_add(h);
    double value = 7;
    ck_assert_int_eq(history_last_step(h, 0, &value), -1);
    ck_assert_double_eq(value, 7);
    history_report(h, 0, 3, 0.3);
    history_report(h, 0, 1, 0.1);
    ck_assert_int_eq(history_last_step(h, 0, &value), 3);
    ck_assert_double_eq(value, 0.3);
    history_report(h, 0, 3, 0.33); /* the same step again: ignored */
    ck_assert_int_eq(history_last_step(h, 0, &value), 3);
    ck_assert_double_eq(value, 0.3);
    ck_assert_uint_eq(history_n_reports(h, 0), 2);
    ck_assert_int_eq(history_report_at(h, 0, 0, &value), 1);
    ck_assert_double_eq(value, 0.1);
    ck_assert(!history_value_at(h, 0, 2, &value));
    ck_assert(history_value_at(h, 0, 1, &value));
    ck_assert_double_eq(value, 0.1);
    history_free(h);
}
END_TEST

START_TEST(test_distributions_are_counted)
{
    struct history *h = history_new();
    for (int64_t i = 0; i < 4; i++) {
        history_add(h);
        history_set_param(h, i, "x", i < 3 ? &real : &wider, 0.5);
    }
    ck_assert_int_eq(history_find_param(h, "x"), 0);
    ck_assert_int_eq(history_find_param(h, "y"), -1);
    ck_assert_int_eq(history_n_dists(h, 0), 2);
    ck_assert_int_eq(history_dist_count(h, 0, 0), 0);
    history_set_state(h, 0, TRIAL_COMPLETE, 1);
    history_set_state(h, 1, TRIAL_PRUNED, NAN);
    history_set_state(h, 2, TRIAL_FAIL, NAN);
    history_set_state(h, 3, TRIAL_COMPLETE, 1);
    ck_assert_int_eq(history_dist_count(h, 0, 0), 2);
    ck_assert_int_eq(history_dist_count(h, 0, 1), 1);
    history_set_param(h, 3, "x", &real, 0.25); /* changes its mind */
    ck_assert_int_eq(history_dist_count(h, 0, 0), 3);
    ck_assert_int_eq(history_dist_count(h, 0, 1), 0);
    ck_assert_ptr_eq(history_param_dist(h, 3, 0), history_param_dist(h, 0, 0));
    history_set_param(h, 3, "x", &real, NAN); /* has it no more */
    ck_assert_int_eq(history_dist_count(h, 0, 0), 2);
    ck_assert_ptr_null(history_param_dist(h, 3, 0));
    ck_assert(isnan(history_param(h, 3, 0)));
    history_set_state(h, 0, TRIAL_WAITING, NAN); /* is tried again */
    ck_assert_int_eq(history_dist_count(h, 0, 0), 1);
    history_free(h);
}
END_TEST

static void check_column(const struct history *h, int param, size_t n)
{
    struct history_column c = history_column(h, param);
    struct history_order o = history_order(h, param);
    const double *centre = c.log_value != NULL ? c.log_value : c.value;
    ck_assert_uint_eq(o.n, n);
    for (size_t j = 0; j < n; j++) {
        uint32_t i = o.number[j];
        ck_assert_double_eq(c.value[i], history_param(h, i, param));
        if (c.log_value != NULL) {
            ck_assert_double_eq(c.log_value[i], log(c.value[i]));
        }
        uint32_t last = j > 0 ? o.number[j - 1] : 0;
        ck_assert(j == 0 || centre[last] < centre[i] ||
                  (centre[last] == centre[i] && last < i));
        double left = j > 0 ? centre[i] - centre[last] : -INFINITY;
        double right =
            j + 1 < n ? centre[o.number[j + 1]] - centre[i] : -INFINITY;
        ck_assert(o.gap[i] == fmax(left, right));
    }
}

/* Optuna's database may hold anything: a log parameter's values below 0 have no
 * logarithm, and stand first. */
START_TEST(test_what_has_no_logarithm_stands_first)
{
    static const double values[] = {0.5, -1, 4, 0, -2, 1, INFINITY};
    static const uint32_t order[] = {1, 3, 4, 0, 5, 2, 6};
    enum { N = ARRAY_LEN(values) };
    struct history *h = history_new();
    for (int i = 0; i < N; i++) {
        history_add(h);
        history_set_param(h, i, "l", &logarithmic, values[i]);
        if (i == 2) {
            ck_assert_uint_eq(history_order(h, 0).n, 3);
        }
    }
    struct history_order o = history_order(h, 0);
    ck_assert_uint_eq(o.n, N);
    for (int j = 0; j < N; j++) {
        ck_assert_uint_eq(o.number[j], order[j]);
    }
    ck_assert_double_eq(o.gap[5], log(4));
    history_set_param(h, 4, "l", &logarithmic, 2);
    o = history_order(h, 0);
    ck_assert_uint_eq(o.number[2], 0);
    ck_assert_uint_eq(o.number[4], 4);
    ck_assert_double_eq(o.gap[4], log(4) - log(2));
    history_free(h);
}
END_TEST

/* Many trials with ties, told in any order, some taken back. */
START_TEST(test_columns_are_sorted)
{
    enum { N = 500 };
    struct rng rng;
    rng_mt19937(&rng, 1);
    struct history *h = history_new();
    uint32_t order[N];
    for (uint32_t i = 0; i < N; i++) {
        order[i] = i;
        history_add(h);
    }
    rng_shuffle(&rng, order, N);
    for (size_t i = 0; i < N; i++) {
        history_set_param(h, order[i], "x", &real, rng_below(&rng, 40) / 40.0);
        history_set_param(h, order[i], "l", &logarithmic,
                          exp(-5 * rng_double(&rng)));
        double sign = rng_below(&rng, 2) == 0 ? -1 : 1; /* of a zero, too */
        history_set_param(h, order[i], "s", &wider,
                          sign * ldexp(rng_below(&rng, 4), 40 - (int)(i % 80)));
    }
    check_column(h, 0, N);
    check_column(h, 1, N);
    check_column(h, 2, N);
    ck_assert_ptr_null(history_column(h, 0).log_value);
    ck_assert_ptr_nonnull(history_column(h, 1).log_value);
    for (size_t i = 0; i < N; i += 2) {
        history_set_param(h, order[i], "x", &real, NAN);
        history_set_param(h, order[i], "l", &logarithmic, 0.5);
    }
    check_column(h, 0, N / 2);
    check_column(h, 1, N);
    for (size_t i = 1; i < N; i += 2) { /* one by one, as a study goes */
        history_set_param(h, order[i], "x", &real, NAN);
        check_column(h, 0, N / 2 - 1);
        history_set_param(h, order[i], "x", &real, rng_double(&rng));
        check_column(h, 0, N / 2);
    }
    history_add(h); /* a column that comes late has room for all */
    history_set_param(h, N, "late", &real, 0.5);
    check_column(h, 3, 1);
    ck_assert(isnan(history_param(h, 0, 3)));
    history_free(h);
}
END_TEST

/* Whatever is asked for in between: after one value, a few, many; values that
 * nobody has asked for yet are taken back too. */
START_TEST(test_order_whenever_it_is_asked_for)
{
    enum { N = 400 };
    struct rng rng;
    rng_mt19937(&rng, 2);
    struct history *h = history_new();
    size_t n = 0;
    for (int64_t i = 0; i < N; i++) {
        history_add(h);
        history_set_param(h, i, "x", &real, rng_below(&rng, 9) / 9.0);
        n++;
        int64_t other = rng_below(&rng, (uint32_t)i + 1);
        if (rng_below(&rng, 3) == 0 && !isnan(history_param(h, other, 0))) {
            history_set_param(h, other, "x", &real, NAN);
            n--;
        }
        uint32_t pause = i < N / 2 ? 3 : 40;
        if (rng_below(&rng, pause) == 0) {
            check_column(h, 0, n);
        } else if (rng_below(&rng, pause) == 0) {
            history_settle(h);
        }
    }
    check_column(h, 0, n);
    history_free(h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("history");
    TCase *t = tcase_create("history");
    tcase_add_test(t, test_trials);
    tcase_add_test(t, test_reports_by_step);
    tcase_add_test(t, test_distributions_are_counted);
    tcase_add_test(t, test_what_has_no_logarithm_stands_first);
    tcase_add_test(t, test_columns_are_sorted);
    tcase_add_test(t, test_order_whenever_it_is_asked_for);
    suite_add_tcase(s, t);
    return s;
}
