#include "core/train/schedule.h"
#include "tests/lib/test_main.h"

static struct run run_of(enum run_lr_schedule schedule, double warmup)
{
    struct run run;
    run_defaults(&run);
    run.lr = 2;
    run.lr_schedule = schedule;
    run.warmup = warmup;
    return run;
}

START_TEST(rises_over_the_warm_up)
{
    for (int i = 0; i <= RUN_LR_SCHEDULE_COSINE; i++) {
        struct run run = run_of((enum run_lr_schedule)i, 0.25);
        for (int64_t step = 0; step < 5; step++) {
            ck_assert_double_eq_tol(schedule_lr(&run, step, 20),
                                    2 * (double)(step + 1) / 5, 1e-12);
        }
        ck_assert_double_eq_tol(schedule_lr(&run, 5, 20), 2, 1e-12);
    }
}
END_TEST

START_TEST(then_stays_or_falls)
{
    struct run run = run_of(RUN_LR_SCHEDULE_CONSTANT, 0);
    ck_assert_double_eq(schedule_lr(&run, 0, 8), 2);
    ck_assert_double_eq(schedule_lr(&run, 7, 8), 2);
    run = run_of(RUN_LR_SCHEDULE_LINEAR, 0);
    ck_assert_double_eq_tol(schedule_lr(&run, 0, 8), 2, 1e-12);
    ck_assert_double_eq_tol(schedule_lr(&run, 6, 8), 0.5, 1e-12);
    run = run_of(RUN_LR_SCHEDULE_COSINE, 0);
    ck_assert_double_eq_tol(schedule_lr(&run, 4, 8), 1, 1e-12);
    ck_assert_double_eq_tol(schedule_lr(&run, 6, 8), 1 - 0.70710678118, 1e-9);
}
END_TEST

START_TEST(all_warm_up_and_one_step_are_numbers)
{
    struct run run = run_of(RUN_LR_SCHEDULE_COSINE, 1);
    ck_assert_double_eq(schedule_lr(&run, 3, 4), 2);
    run.warmup = 0;
    ck_assert_double_eq(schedule_lr(&run, 0, 1), 2);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("schedule");
    TCase *t = tcase_create("schedule");
    tcase_add_test(t, rises_over_the_warm_up);
    tcase_add_test(t, then_stays_or_falls);
    tcase_add_test(t, all_warm_up_and_one_step_are_numbers);
    suite_add_tcase(s, t);
    return s;
}
