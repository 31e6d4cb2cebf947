#include "core/train/early_stopping.h"
#include "tests/lib/test_main.h"

#include <math.h>

static struct early_stopping watching(enum run_monitor monitor,
                                      int64_t patience, double min_delta)
{
    struct run run;
    struct early_stopping s;
    run_defaults(&run);
    run.monitor = monitor;
    run.patience = patience;
    run.min_delta = min_delta;
    early_stopping_init(&s, &run);
    return s;
}

/* The epoch (from 0) that ends the training, -1: none does. */
static int end_of(struct early_stopping s, const double *values, int n)
{
    for (int i = 0; i < n; i++) {
        struct run_metrics m;
        for (int k = 0; k < RUN_N_METRICS; k++) {
            m.value[k] = s.metric == (enum run_metric)k ? values[i] : NAN;
        }
        if (early_stopping_update(&s, &m)) {
            return i;
        }
    }
    return -1;
}

#define END_OF(s, ...)                                                         \
    end_of(s, (const double[]){__VA_ARGS__},                                   \
           (int)ARRAY_LEN(((const double[]){__VA_ARGS__})))

START_TEST(test_none_never_stops)
{
    struct early_stopping s = watching(RUN_MONITOR_NONE, 1, 0);
    ck_assert_int_eq(END_OF(s, 1, 1, NAN, INFINITY), -1);
}
END_TEST

START_TEST(test_patience_counts_epochs_in_a_row)
{
    struct early_stopping s = watching(RUN_MONITOR_VAL_LOSS, 2, 0);
    ck_assert_int_eq(END_OF(s, 3, 2, 2.5, 1, 1.5, 1.2), 5);
    ck_assert_int_eq(END_OF(s, 3, 2, 2.5, 1, 1.5, 0.9), -1);
    s = watching(RUN_MONITOR_VAL_LOSS, 1, 0);
    ck_assert_int_eq(END_OF(s, 3, 3), 1);
}
END_TEST

START_TEST(test_a_tie_is_no_improvement)
{
    struct early_stopping s = watching(RUN_MONITOR_VAL_ACC, 2, 0);
    ck_assert_int_eq(END_OF(s, 0.5, 0.5, 0.5), 2);
    s = watching(RUN_MONITOR_TRAIN_LOSS, 2, 0);
    ck_assert_int_eq(END_OF(s, 0.5, 0.5, 0.5), 2);
}
END_TEST

START_TEST(test_min_delta_must_be_passed)
{
    struct early_stopping s = watching(RUN_MONITOR_VAL_ACC, 1, 0.25);
    ck_assert_int_eq(END_OF(s, 0.25, 0.5), 1);
    ck_assert_int_eq(END_OF(s, 0.25, 0.625), -1);
    s = watching(RUN_MONITOR_VAL_LOSS, 1, 0.25);
    ck_assert_int_eq(END_OF(s, 1, 0.75), 1);
    ck_assert_int_eq(END_OF(s, 1, 0.625), -1);
}
END_TEST

START_TEST(test_accuracy_is_to_grow)
{
    struct early_stopping s = watching(RUN_MONITOR_TRAIN_ACC, 2, 0);
    ck_assert_int_eq(END_OF(s, 0.1, 0.2, 0.3, 0.4), -1);
    ck_assert_int_eq(END_OF(s, 0.4, 0.3, 0.2, 0.1), 2);
}
END_TEST

START_TEST(test_not_finite_stops_at_once)
{
    struct early_stopping s = watching(RUN_MONITOR_VAL_LOSS, 100, 0);
    ck_assert_int_eq(END_OF(s, 1, NAN), 1);
    ck_assert_int_eq(END_OF(s, INFINITY), 0);
    ck_assert_int_eq(END_OF(s, 1, -INFINITY), 1);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("early_stopping");
    TCase *tc = tcase_create("rules");
    tcase_add_test(tc, test_none_never_stops);
    tcase_add_test(tc, test_patience_counts_epochs_in_a_row);
    tcase_add_test(tc, test_a_tie_is_no_improvement);
    tcase_add_test(tc, test_min_delta_must_be_passed);
    tcase_add_test(tc, test_accuracy_is_to_grow);
    tcase_add_test(tc, test_not_finite_stops_at_once);
    suite_add_tcase(s, tc);
    return s;
}
