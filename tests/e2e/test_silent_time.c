/* The time of a command that says nothing, while its daemon is killed: the
 * study's and the trial's clocks count what the killed life worked. */
#include "core/base/mem.h"
#include "tests/lib/home.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>

/* Of SILENT_MS at least KNOWN_MS are on record: the daemon's clock ticks once a
 * second, later on a busy machine. */
enum { SILENT_MS = 4000, KNOWN_MS = 1500 };

static const char *const one_worker[] = {"--workers", "1", NULL};

static const char ENDED_MS[] =
    "SELECT coalesce(sum(ended_ms - started_ms), 0) FROM parzen_attempts"
    " WHERE attempt = 1 AND ended_ms IS NOT NULL";
static const char ACTIVE_MS[] = "SELECT active_ms FROM parzen_configs";

/* A study whose first attempt is silent for ever; killed after SILENT_MS. */
static void begin_and_kill(struct home *h)
{
    home_init(h);
    home_start(h, one_worker);
    home_post(h, home_command(h, "silent", "\"n_trials\":1,", "",
                              "test $PARZEN_ATTEMPT = 1 && exec sleep 9999\n"
                              "echo 'parzen: {\"value\": 1}'\n"));
    ck_assert(home_wait(h, "SELECT count(*) FROM parzen_attempts", 1, 20000));
    home_sleep_ms(SILENT_MS);
    home_kill_daemon(h);
}

START_TEST(a_killed_daemons_silent_seconds_count)
{
    struct home h;
    begin_and_kill(&h);
    ck_assert_int_lt(home_count(&h, ACTIVE_MS), KNOWN_MS); /* no row tells */
    home_start(&h, one_worker);
    home_wait_state(&h, "silent", "finished", 60);
    ck_assert_int_ge(home_count(&h, ENDED_MS), KNOWN_MS);
    ck_assert_int_ge(home_count(&h, ACTIVE_MS), KNOWN_MS);
    home_check(&h, "after a silent death");
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/silent_time");
    TCase *c = tcase_create("silent");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_killed_daemons_silent_seconds_count);
    suite_add_tcase(s, c);
    return s;
}
