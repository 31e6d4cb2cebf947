/* Two workers, killed at random with their daemon: exactly n_trials are
 * finished, none is lost or doubled, and nobody outlives the daemon. KILLS
 * (default 6) and SEED as in kill_one. */
#include "core/base/rng.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_TRIALS = 12, FINISH_S = 120, MAX_STUDIES = 50, ORPHAN_MS = 2000 };

static const char *const two_workers[] = {"--workers", "2", NULL};

static void start_study(struct home *h)
{
    home_init(h);
    home_data(h, 900, 4);
    const char *config = home_config(h, "two", "\"n_trials\": 12, \"seed\": 3,",
                                     "\"max_epochs\": 3, \"batch_size\": 4,");
    home_start(h, two_workers);
    home_post(h, config);
}

static long long n_finished(const struct home *h)
{
    return home_count(h, "SELECT count(*) FROM trials WHERE "
                         "state IN ('COMPLETE', 'PRUNED')");
}

static void none_outlives(const pid_t pids[], int n)
{
    for (int waited = 0; waited <= ORPHAN_MS; waited += 20) {
        int alive = 0;
        for (int i = 0; i < n; i++) {
            alive += home_is_alive(pids[i]);
        }
        if (alive == 0) {
            return;
        }
        home_sleep_ms(20);
    }
    ck_abort_msg("a worker lives %d ms after its daemon", ORPHAN_MS);
}

static void kill_once(struct home *h, struct rng *r, bool is_recovery)
{
    pid_t pids[HOME_MAX_WORKERS];
    home_sleep_ms((int)rng_below(r, is_recovery ? 300 : 1000));
    int n = home_workers(h, pids);
    unsigned what = (unsigned)rng_below(r, 4);
    if (what > 0 && n > 0) { /* 1: one worker; 2: it and the daemon; 3: all */
        kill(pids[0], SIGKILL);
    }
    if (what == 3 && n > 1) {
        kill(pids[1], SIGKILL);
    }
    if (what != 1) {
        home_kill_daemon(h);
        none_outlives(pids, n);
        home_start(h, two_workers);
    }
}

START_TEST(a_killed_study_has_each_trial_once)
{
    long seed = home_env("SEED", 1), left = home_env("KILLS", 6);
    struct rng r;
    rng_stream(&r, (uint64_t)seed, 0, RNG_SPLIT, 6);
    for (int i = 0; left > 0 && i < MAX_STUDIES; i++) {
        struct home h;
        char context[64];
        start_study(&h);
        while (left > 0 && n_finished(&h) < N_TRIALS) {
            kill_once(&h, &r, left % 3 == 0);
            left--;
        }
        snprintf(context, sizeof(context), "SEED=%ld, %ld kills left", seed,
                 left);
        home_wait_state(&h, "two", "finished", FINISH_S);
        ck_assert_int_eq(home_stop_daemon(&h), 0);
        ck_assert_int_eq(n_finished(&h), N_TRIALS);
        home_check(&h, context);
        EXPECT(&h, 0, NULL, "doctor");
        home_fini(&h);
    }
    ck_assert_int_eq(left, 0);
}
END_TEST

/* Both programs' ends: SIGTERM lets the trials checkpoint and go back. */
START_TEST(a_drained_study_goes_on)
{
    struct home h;
    pid_t pids[HOME_MAX_WORKERS];
    start_study(&h);
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 2, 20000));
    int n = home_workers(&h, pids);
    ck_assert_int_eq(n, 2);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    none_outlives(pids, n);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trials WHERE state = 'RUNNING'"),
        0);
    ck_assert_int_ge(home_count(&h, "SELECT count(*) FROM parzen_attempts "
                                    "WHERE cause = 'interrupted'"),
                     1);
    home_start(&h, two_workers);
    home_wait_state(&h, "two", "finished", FINISH_S);
    home_end(&h, "after the drain");
}
END_TEST

/* Stopped workers say nothing; what they say late counts for nobody. */
START_TEST(a_stopped_daemon_judges_nobody)
{
    struct home h;
    start_study(&h);
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 2, 20000));
    kill(h.daemon, SIGSTOP);
    home_sleep_ms(6000); /* more than SCHED_STALL_MS */
    kill(h.daemon, SIGCONT);
    home_wait_state(&h, "two", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_attempts "
                                    "WHERE attempt > 1"),
                     0);
    home_end(&h, "after the pause");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/kill_two");
    TCase *c = tcase_create("kill");
    tcase_set_timeout(c, 1200);
    tcase_add_test(c, a_killed_study_has_each_trial_once);
    tcase_add_test(c, a_drained_study_goes_on);
    tcase_add_test(c, a_stopped_daemon_judges_nobody);
    suite_add_tcase(s, c);
    return s;
}
