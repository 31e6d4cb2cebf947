/* A pruned trial: its worker ends it within an epoch and takes the next one. */
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>

START_TEST(hopeless_trials_end_within_an_epoch)
{
    struct home h;
    home_init(&h);
    (void)home_data(&h, 400, 2);
    const char *config = home_config(
        &h, "hopeless",
        "\"n_trials\": 4, \"workers\": 2, \"pruner\": {\"type\": \"threshold\","
        " \"lower\": 2, \"n_warmup_steps\": 1},",
        "\"max_epochs\": 500,");
    home_start(&h, (const char *const[]){"--workers", "2", NULL});
    struct outcome run = CLI(&h, 120, "run", config);
    ck_assert_int_eq(run.code, 1); /* it ended without a complete trial */
    outcome_fini(&run);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"
                                    " WHERE state = 'PRUNED'"),
                     4);
    /* epochs 0 and 1, and not one more: nothing was heard after the STOP */
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_epochs"), 8);
    ck_assert_int_eq(home_count(&h,
                                "SELECT count(*) FROM trial_values v JOIN"
                                " trial_intermediate_values i USING (trial_id)"
                                " WHERE i.step = 1 AND"
                                " i.intermediate_value = v.value"),
                     4);
    EXPECT(&h, 0, "at epoch 2 with val-acc ", "show", "hopeless", "3");
    EXPECT(&h, 0, ", by threshold\n", "show", "hopeless", "3");
    /* what a worker wrote while it was being stopped is gone, too */
    EXPECT(&h, 0, NULL, "doctor");
    /* no worker died of it */
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_attempts"), 4);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("prune end to end");
    TCase *t = tcase_create("prune");
    tcase_set_timeout(t, 200);
    tcase_add_test(t, hopeless_trials_end_within_an_epoch);
    suite_add_tcase(s, t);
    return s;
}
