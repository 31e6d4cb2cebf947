/* One worker: a study that is killed again and again equals, bit for bit, the
 * study that was left alone.
 *
 * SIGKILL goes to the daemon, to the worker or to both, at random moments,
 * often within the first 300 ms of a restart (recovery). KILLS says how many in
 * all (default 6), SEED which moments. */
#include "core/base/err.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_TRIALS = 5, REFERENCE_S = 60, MAX_ROUNDS = 200 };

static const char *const one_worker[] = {"--workers", "1", NULL};

/* Epochs of some 100 ms, six of them, two checkpoints each. */
static const char *make_config(const struct home *h)
{
    home_data(h, 1500, 4);
    return home_config(h, "kill",
                       "\"n_trials\": 5, \"seed\": 7, \"sampler\": {\"type\": "
                       "\"tpe\", \"n_startup_trials\": 2},",
                       "\"max_epochs\": 4, \"batch_size\": 4,");
}

static char *reference(void)
{
    struct home h;
    home_init(&h);
    const char *config = make_config(&h);
    home_start(&h, one_worker);
    home_post(&h, config);
    home_wait_state(&h, "kill", "finished", REFERENCE_S);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_check(&h, "reference");
    char *results = home_results(&h, "kill");
    home_fini(&h);
    return results;
}

enum victim { DAEMON, WORKER, BOTH };

struct killing {
    struct rng r;
    long seed, n_left, n_done;
    long long epochs_at_worker_kill; /* -1: the worker was not the last */
};

static bool is_finished(const struct home *h)
{
    return home_count(h, "SELECT count(*) FROM parzen_configs WHERE "
                         "state = 'finished'") == 1;
}

/* Three deaths of a worker without a new epoch would be the trial's own fault:
 * such a kill waits for the daemon's turn. */
static enum victim choose(struct killing *k, const struct home *h)
{
    enum victim v = (enum victim)rng_below(&k->r, 3);
    long long epochs = home_count(h, "SELECT count(*) FROM parzen_epochs");
    if (v == WORKER && epochs == k->epochs_at_worker_kill) {
        return DAEMON;
    }
    k->epochs_at_worker_kill = v == WORKER ? epochs : -1;
    return v;
}

static void kill_once(struct killing *k, struct home *h, bool is_recovery)
{
    home_sleep_ms((int)rng_below(&k->r, is_recovery ? 300 : 1200));
    if (is_finished(h)) {
        return;
    }
    pid_t workers[HOME_MAX_WORKERS];
    int n = home_workers(h, workers);
    enum victim v = choose(k, h);
    if (v != DAEMON && n > 0) {
        kill(workers[0], SIGKILL);
    }
    if (v != WORKER) {
        home_kill_daemon(h);
        home_start(h, one_worker);
    }
    k->n_left--;
    k->n_done++;
}

static void one_study(struct killing *k, const char *expected)
{
    struct home h;
    char context[64];
    home_init(&h);
    const char *config = make_config(&h);
    home_start(&h, one_worker);
    home_post(&h, config);
    for (int i = 0; k->n_left > 0 && !is_finished(&h); i++) {
        kill_once(k, &h, i % 3 == 2);
    }
    home_wait_state(&h, "kill", "finished", 2 * REFERENCE_S);
    snprintf(context, sizeof(context), "SEED=%ld after %ld kills", k->seed,
             k->n_done);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_check(&h, context);
    char *got = home_results(&h, "kill");
    home_same(expected, got, context);
    free(got);
    home_fini(&h);
}

START_TEST(killed_study_equals_the_one_left_alone)
{
    struct killing k = {.seed = home_env("SEED", 1),
                        .n_left = home_env("KILLS", 6),
                        .epochs_at_worker_kill = -1};
    rng_stream(&k.r, (uint64_t)k.seed, 0, RNG_SPLIT, 5);
    char *expected = reference();
    for (int i = 0; k.n_left > 0 && i < MAX_ROUNDS; i++) {
        one_study(&k, expected);
    }
    ck_assert_int_eq(k.n_left, 0);
    free(expected);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/kill_one");
    TCase *c = tcase_create("kill");
    tcase_set_timeout(c, 1200);
    tcase_add_test(c, killed_study_equals_the_one_left_alone);
    suite_add_tcase(s, c);
    return s;
}
