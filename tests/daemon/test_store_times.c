/* Times in a database are read as what they can be. */
#include "daemon/mirror.h"
#include "tests/lib/fix_store.h"
#include "tests/lib/test_main.h"

static struct fix_store fix;

/* Of a version that wrote what a clock before 1970 said. */
START_TEST(test_times_before_1970)
{
    struct actions a;
    actions_init(&a);
    fix_store_init(&fix, 11);
    fix_store_add_study(&fix, &a, "s");
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_start(&fix, &a, 1, 0);
    fix_store_finish(&fix, &a, 1, 0, TRIAL_COMPLETE, 0.5);
    fix_store_must(&fix, &a);
    fix_store_close(&fix);
    fix_store_tamper(fix.path,
                     "UPDATE parzen_attempts SET started_ms = -96209181454,"
                     " ended_ms = -96209178454;"
                     "UPDATE parzen_configs SET created_ms = -1,"
                     " running_since_ms = -96209181454;"
                     "UPDATE parzen_events SET at_ms = -96209181454");
    fix_store_open(&fix);
    struct mirror *m = fix_store_load(&fix);
    ck_assert_int_eq(m->studies[0]->running_since_ms, 1); /* it runs */
    ck_assert_int_eq(m->studies[0]->created_ms, 1);
    ck_assert_int_eq(m->studies[0]->trials[0]->worked_ms, 0);
    ck_assert_int_eq(m->studies[0]->trials[0]->seq_ms, 1);
    mirror_free(m);
    actions_fini(&a);
    fix_store_fini(&fix);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store times");
    TCase *t = tcase_create("store times");
    tcase_add_test(t, test_times_before_1970);
    suite_add_tcase(s, t);
    return s;
}
