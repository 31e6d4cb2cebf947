#include "core/spec/run.h"
#include "core/spec/trial.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <string.h>

START_TEST(defaults_are_valid)
{
    struct run run;
    struct err err;
    run_defaults(&run);
    ck_assert_int_eq(run_validate(&run, &err), 0);
    ck_assert_int_eq(run.max_len, 350);
    ck_assert_double_eq(run.lr, 1e-3);
    ck_assert_int_eq(run.threads, 1);
}
END_TEST

START_TEST(every_field_is_set_got_and_bounded)
{
    const struct run_field *f = &RUN_FIELD[_i];
    struct run run;
    struct err err;
    run_defaults(&run);
    double old = run_get(&run, _i);
    bool is_enum = f->type != RUN_INT && f->type != RUN_REAL;
    double bad[] = {f->low - 1, f->high + 1};
    if (is_enum) {
        bad[0] = -1;
        bad[1] = 99;
    }
    for (int i = 0; i < 2; i++) {
        run_set(&run, _i, bad[i]);
        ck_assert_double_eq(run_get(&run, _i), bad[i]);
        ck_assert_int_eq(run_validate(&run, &err), ERR_INVALID);
        ck_assert_msg(strncmp(err.msg, f->path, strlen(f->path)) == 0, "%s",
                      err.msg);
    }
    if (f->type == RUN_REAL) {
        run_set(&run, _i, NAN);
        ck_assert_int_eq(run_validate(&run, &err), ERR_INVALID);
    }
    run_set(&run, _i, old);
    ck_assert_int_eq(run_validate(&run, &err), 0);
}
END_TEST

START_TEST(what_must_fit_together)
{
    struct run run;
    struct err err;
    run_defaults(&run);
    run.emb_dim = 64;
    run.num_heads = 6;
    ck_assert_int_eq(run_validate(&run, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg,
                     "model.num_heads: 6 heads do not divide emb_dim 64");
    run.num_heads = 8;
    static const double bad[][3] = {
        {0.8, 0.1, 0.2}, {0, 0.5, 0.5}, {1, 0, 0}, {1.5, -0.5, 0}, {NAN, 0, 1}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        memcpy(run.fractions, bad[i], sizeof(bad[i]));
        ck_assert_int_eq(run_validate(&run, &err), ERR_INVALID);
        ck_assert(strncmp(err.msg, "data.fractions: ", 16) == 0);
    }
    run_defaults(&run);
    run.threads = 0;
    ck_assert_int_eq(run_validate(&run, &err), ERR_INVALID);
}
END_TEST

/* Random streams are keyed by 32 bits of it. */
START_TEST(trial_fits_its_streams)
{
    struct run run;
    struct err err;
    run_defaults(&run);
    run.trial = UINT32_MAX;
    ck_assert_int_eq(run_validate(&run, &err), 0);
    run.trial++;
    ck_assert_int_eq(run_validate(&run, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "trial: must be between 0 and 4294967295");
    run.trial = -1;
    ck_assert_int_eq(run_validate(&run, &err), ERR_INVALID);
}
END_TEST

START_TEST(names_and_values_of_enums)
{
    ck_assert_str_eq(run_enum_names(RUN_MASK), "padding, notebook");
    ck_assert_str_eq(run_enum_names(RUN_MONITOR),
                     "none, train-loss, train-acc, val-loss, val-acc");
    ck_assert_str_eq(run_enum_name(RUN_MASK, RUN_MASK_NOTEBOOK), "notebook");
    ck_assert_ptr_null(run_enum_name(RUN_MASK, 2));
    ck_assert_int_eq(run_enum_value(RUN_SPLIT, "stratified"),
                     RUN_SPLIT_STRATIFIED);
    ck_assert_int_eq(run_enum_value(RUN_SPLIT, "notebook"), -1);
    ck_assert_int_eq(run_metric_by_name("val-acc"), RUN_VAL_ACC);
    ck_assert_int_eq(run_metric_by_name("val_acc"), -1);
    ck_assert(run_metric_is_loss(RUN_VAL_LOSS));
    ck_assert(!run_metric_is_loss(RUN_TEST_ACC));
}
END_TEST

START_TEST(words_of_trials)
{
    ck_assert_str_eq(trial_state_name(TRIAL_PRUNED), "PRUNED");
    ck_assert_int_eq(trial_state_by_name("Fail"), TRIAL_FAIL);
    ck_assert_int_eq(trial_state_by_name("DONE"), -1);
    ck_assert_str_eq(trial_state_name((enum trial_state)99), "UNKNOWN");
    for (int i = 0; i < TRIAL_N_CAUSES; i++) {
        enum trial_cause c = (enum trial_cause)i;
        ck_assert_int_eq(trial_cause_by_name(trial_cause_name(c)), i);
    }
    ck_assert_int_eq(trial_cause_by_name("OOM"), -1);
    ck_assert(trial_cause_is_retried(TRIAL_CAUSE_SIGNAL));
    ck_assert(!trial_cause_is_retried(TRIAL_CAUSE_OOM));
    ck_assert(!trial_cause_is_retried((enum trial_cause)99));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("run");
    TCase *t = tcase_create("run");
    tcase_add_test(t, defaults_are_valid);
    tcase_add_loop_test(t, every_field_is_set_got_and_bounded, 0, RUN_N_FIELDS);
    tcase_add_test(t, what_must_fit_together);
    tcase_add_test(t, trial_fits_its_streams);
    tcase_add_test(t, names_and_values_of_enums);
    tcase_add_test(t, words_of_trials);
    suite_add_tcase(s, t);
    return s;
}
