/* Importances of a study that has just run, from the command line. */
#include "tests/lib/home.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

START_TEST(what_matters_is_stored_and_shown)
{
    struct home h;
    home_init(&h);
    (void)home_data(&h, 60, 2);
    const char *config = home_config(
        &h, "small",
        "\"n_trials\":4,\"workers\":2,\"sampler\":{\"type\":\"random\"},",
        "\"max_epochs\": 1,");
    home_start(&h, (const char *const[]){"--workers", "2", NULL});
    struct outcome run = CLI(&h, 120, "run", config);
    ck_assert_msg(run.code == 0, "%s", run.err);
    outcome_fini(&run);
    struct outcome shown =
        CLI(&h, 60, "--json", "importances", "small", "--evaluator", "fanova");
    ck_assert_msg(shown.code == 0, "%s", shown.err);
    ck_assert(strstr(shown.out, "\"n_trials\":4") != NULL);
    ck_assert(strstr(shown.out, "\"pending\":false") != NULL);
    ck_assert(strstr(shown.out, "\"param\":\"lr\"") != NULL);
    outcome_fini(&shown);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_importances"),
                     9);
    struct outcome wrong = CLI(&h, 10, "importances", "nothing");
    ck_assert_int_eq(wrong.code, 4);
    outcome_fini(&wrong);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("importances end to end");
    TCase *t = tcase_create("importances");
    tcase_set_timeout(t, 200);
    tcase_add_test(t, what_matters_is_stored_and_shown);
    suite_add_tcase(s, t);
    return s;
}
