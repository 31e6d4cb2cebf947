/* What a command is given, and what is kept of its words. */
#include "core/base/mem.h"
#include "tests/lib/home.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const one_worker[] = {"--workers", "1", NULL};

/* The program sees its options as if somebody had typed them for this trial. */
START_TEST(what_a_trial_does_not_have_is_no_argument)
{
    struct home h;
    home_init(&h);
    home_start(&h, one_worker);
    home_run(
        &h,
        home_file(&h, "when.json",
                  "{\"study\":\"when\",\"n_trials\":2,\"sampler\":{\"type\":"
                  "\"grid\"},\"objective\":{\"type\":\"command\",\"command\":["
                  "\"sh\",\"-c\",\"echo \\\"<$*>\\\"; echo 'parzen: {\\\"value"
                  "\\\": 1}'\",\"x\",\"--opt\",\"{opt}\",\"--mom\",\"{mom}\","
                  "\"--m={mom}\"]},\"params\":{\"opt\":{\"choice\":[\"adam\","
                  "\"sgd\"]},\"mom\":{\"choice\":[0.5],\"when\":{\"opt\":"
                  "\"sgd\"}}}}"),
        0);
    for (int i = 0; i < 2; i++) {
        char *sql = mem_printf("SELECT count(*) FROM trial_params p JOIN trials"
                               " t USING (trial_id) WHERE t.number = %d AND"
                               " p.param_name = 'mom'",
                               i);
        EXPECT(&h, 0,
               home_count(&h, sql) == 1 ? "<--opt sgd --mom 0.5 --m=0.5>\n"
                                        : "<--opt adam>\n",
               "log", "when", i == 0 ? "0" : "1");
        free(sql);
    }
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("commands");
    TCase *t = tcase_create("given");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_a_trial_does_not_have_is_no_argument);
    suite_add_tcase(s, t);
    return s;
}
