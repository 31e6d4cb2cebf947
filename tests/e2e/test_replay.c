/* Every suggestion is a function of (seed, trial number, what it saw): at any
 * number of workers, whatever failed or was killed meanwhile, `parzen replay`
 * computes it again. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const *with_workers(int n)
{
    static char text[8];
    static const char *args[] = {"--workers", text, NULL};
    snprintf(text, sizeof(text), "%d", n);
    return args;
}

static void expect_replay(const struct home *h, const char *study, int n)
{
    char *says = mem_printf("%d of %d suggestions equal\n", n, n);
    char *said =
        home_expect(h, 0, NULL, (const char *const[]){"replay", study, NULL});
    ck_assert_str_eq(said, says);
    free(said);
    free(says);
}

/* --- failures and kills ----------------------------------------------------
 */

/* Fails where x ends in 3 or 7, is interrupted once where it ends in 1, takes
 * different numbers of steps, and some time, so that trials overlap. */
static const char script[] =
    "case $1 in *3|*7) exit 5;; *1)"
    " test -f $PARZEN_CHECKPOINT_DIR/began ||"
    " { touch $PARZEN_CHECKPOINT_DIR/began; exit 130; };; esac\n"
    "for s in 1 3 9; do echo \"parzen: {\\\"step\\\": $s, \\\"value\\\":"
    " $1}\"; sleep 0.0${1##*[!0-9]}; done\n"
    "case $1 in *2|*4) echo \"parzen: {\\\"step\\\": 20, \\\"value\\\":"
    " $1}\";; esac\n";

static const struct {
    int workers;
    const char *search;
} SEARCHES[] = {
    {1, "\"sampler\": {\"type\": \"tpe\", \"n_startup_trials\": 4},"},
    {2, "\"sampler\": {\"type\": \"tpe\", \"n_startup_trials\": 4,"
        " \"group\": true, \"duplicates\": \"avoid\"},"
        " \"pruner\": {\"type\": \"hyperband\"},"},
    {8, "\"sampler\": {\"type\": \"tpe\", \"n_startup_trials\": 4},"
        " \"pruner\": {\"type\": \"asha\"},"},
};
enum { N_TRIALS = 28 };

static const char *failing_study(const struct home *h, const char *search)
{
    (void)home_file(h, "f.sh", script);
    char *text =
        mem_printf("{\"study\": \"r\", \"n_trials\": %d, \"seed\": 11, %s"
                   " \"stop\": {\"max_failures\": 1000},"
                   " \"objective\": {\"type\": \"command\","
                   "  \"command\": [\"sh\", \"%s/f.sh\", \"{x}\"]},"
                   " \"params\": {\"x\": {\"float\": [1, 9]},"
                   "  \"k\": {\"choice\": [\"a\", \"b\", \"c\"]},"
                   "  \"y\": {\"int\": [1, 5], \"when\": {\"k\": \"a\"}},"
                   "  \"z\": {\"float\": [1e-3, 1], \"log\": true}}}",
                   (int)N_TRIALS, search, h->dir);
    const char *path = home_file(h, "r.json", text);
    free(text);
    return path;
}

static void kill_between(struct home *h, int workers)
{
    for (int i = 1; i <= 3; i++) {
        ck_assert(home_wait(h,
                            "SELECT count(*) FROM trials WHERE state IN"
                            " ('COMPLETE', 'PRUNED', 'FAIL')",
                            i * 6, 60000));
        pid_t pids[HOME_MAX_WORKERS];
        if (home_workers(h, pids) > 0) {
            kill(pids[0], SIGKILL);
        }
        home_kill_daemon(h);
        home_start(h, with_workers(workers));
        struct outcome o = CLI(h, 20, "retry", "r"); /* if any has failed yet */
        outcome_fini(&o);
    }
}

START_TEST(every_suggestion_is_recomputed)
{
    struct home h;
    int workers = SEARCHES[_i].workers;
    home_init(&h);
    home_start(&h, with_workers(workers));
    EXPECT(&h, 0, NULL, "run", "--detach",
           failing_study(&h, SEARCHES[_i].search));
    EXPECT(&h, 0, NULL, "enqueue", "r", "x=2.5", "k=a");
    kill_between(&h, workers);
    home_wait_state(&h, "r", "finished", 120);
    int n = (int)home_count(&h, "SELECT count(*) FROM trials");
    ck_assert_int_gt(home_count(&h, "SELECT count(*) FROM trials WHERE state ="
                                    " 'FAIL'"),
                     0);
    ck_assert_int_gt(home_count(&h, "SELECT count(*) FROM parzen_attempts"), n);
    expect_replay(&h, "r", n); /* beside the daemon */
    char more[24]; /* than the target, which a retry may have raised */
    snprintf(more, sizeof(more), "%lld",
             home_count(&h, "SELECT count(*) + 4 FROM trials WHERE state IN"
                            " ('COMPLETE', 'PRUNED')"));
    EXPECT(&h, 0, NULL, "resume", "r", "--trials", more);
    home_wait_state(&h, "r", "finished", 120);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    n = (int)home_count(&h, "SELECT count(*) FROM trials");
    expect_replay(&h, "r", n); /* and without one */
    EXPECT(&h, 0, NULL, "doctor");
    home_fini(&h);
}
END_TEST

START_TEST(what_was_changed_is_named)
{
    struct home h;
    home_init(&h);
    home_start(&h, with_workers(2));
    EXPECT(&h, 0, NULL, "run",
           home_file(&h, "f.json",
                     "{\"study\": \"f\", \"n_trials\": 20, \"objective\":"
                     " {\"type\": \"function\", \"function\": \"branin\"},"
                     " \"params\": {\"x\": {\"float\": [-5, 10]},"
                     " \"y\": {\"float\": [0, 15]}}}"));
    expect_replay(&h, "f", 20);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_exec(&h, "UPDATE trial_params SET param_value = 1.5 WHERE trial_id ="
                  " 15 AND param_name = 'y'");
    EXPECT(&h, 1, "trial 14: a parameter is not what it was", "replay", "f");
    /* .. and by who knows of digests: */
    home_exec(&h, "UPDATE parzen_trials SET end_digest = NULL WHERE trial_id ="
                  " 15");
    EXPECT(&h, 1, "trial 14", "replay", "f");
    EXPECT(&h, 1, "\"param\":\"y\",\"stored\":1.5,", "replay", "f", "--json");
    home_exec(&h, "UPDATE parzen_events SET detail = 'sampler 99' WHERE kind ="
                  " 'START_TRIAL' AND number = 14");
    EXPECT(&h, 1, "another version", "replay", "f");
    EXPECT(&h, 4, "no study", "replay", "g");
    home_fini(&h);
}
END_TEST

/* --- every sampler ----------------------------------------------------------
 */

static const char *const SAMPLERS[] = {"random", "grid", "brute-force", "qmc",
                                       "cmaes"};

START_TEST(every_sampler_is_recomputed)
{
    struct home h;
    home_init(&h);
    home_start(&h, with_workers(2));
    bool counts = strcmp(SAMPLERS[_i], "grid") == 0 ||
                  strcmp(SAMPLERS[_i], "brute-force") == 0;
    char *text = mem_printf(
        "{\"study\": \"s\", \"n_trials\": 30, \"sampler\": {\"type\": \"%s\"},"
        " \"objective\": {\"type\": \"function\", \"function\": \"branin\"},"
        " \"params\": {\"x\": {\"float\": [-5, 10]%s},"
        " \"y\": {\"float\": [0, 15]%s}}}",
        SAMPLERS[_i], counts ? ", \"step\": 3" : "",
        counts ? ", \"step\": 2.5" : "");
    EXPECT(&h, 0, NULL, "run", home_file(&h, "s.json", text));
    expect_replay(&h, "s", 30);
    free(text);
    home_fini(&h);
}
END_TEST

/* --- interrupted or not -----------------------------------------------------
 */

static const char *half(const struct home *h, const char *name, int n)
{
    char *text = mem_printf(
        "{\"study\": \"%s\", \"n_trials\": %d, \"seed\": 5, \"objective\":"
        " {\"type\": \"function\", \"function\": \"hartmann6\"}, \"params\":"
        " {\"a\": {\"float\": [0, 1]}, \"b\": {\"float\": [0, 1]},"
        "  \"c\": {\"float\": [0, 1]}, \"d\": {\"float\": [0, 1]},"
        "  \"e\": {\"float\": [0, 1]}, \"f\": {\"float\": [0, 1]}}}",
        name, n);
    return home_json(h, name, text);
}

START_TEST(twice_25_trials_are_50)
{
    struct home h;
    char *results[2];
    home_init(&h);
    home_start(&h, with_workers(1));
    EXPECT(&h, 0, NULL, "run", half(&h, "whole", 50));
    EXPECT(&h, 0, NULL, "run", half(&h, "split", 25));
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_start(&h, with_workers(1));
    EXPECT(&h, 0, NULL, "resume", "split", "--trials", "50");
    home_wait_state(&h, "split", "finished", 60);
    for (int i = 0; i < 2; i++) {
        results[i] = home_results(&h, i == 0 ? "whole" : "split");
    }
    home_same(results[0], results[1], "25 + 25 trials");
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 100);
    expect_replay(&h, "split", 50);
    free(results[0]);
    free(results[1]);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/replay");
    TCase *c = tcase_create("replay");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, every_suggestion_is_recomputed, 0,
                        ARRAY_LEN(SEARCHES));
    tcase_add_test(c, what_was_changed_is_named);
    tcase_add_loop_test(c, every_sampler_is_recomputed, 0, ARRAY_LEN(SAMPLERS));
    tcase_add_test(c, twice_25_trials_are_50);
    suite_add_tcase(s, c);
    return s;
}
