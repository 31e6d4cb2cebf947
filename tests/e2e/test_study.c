/* A study's life by the command line, with the real programs. */
#include "core/base/mem.h"
#include "tests/lib/fix_store.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINISH_S = 60 };

static struct home h;

static const char *const one[] = {"--workers", "1", NULL};
static const char *const two[] = {"--workers", "2", NULL};
static const char *const three[] = {"--workers", "3", NULL};

#define EPOCHS "SELECT count(*) FROM parzen_epochs"
#define TRIALS "SELECT count(*) FROM trials"

static void begin(int n_texts, const char *const *workers)
{
    home_init(&h);
    home_data(&h, n_texts, 4);
    home_start(&h, workers);
}

/* Quick trials: some 100 ms each. */
static const char *quick(const char *name, const char *members)
{
    return home_config(&h, name, members, "\"max_epochs\": 2,");
}

/* Trials of seconds, with an epoch every 100 ms or so. */
static const char *slow(const char *name, const char *members)
{
    return home_config(&h, name, members,
                       "\"max_epochs\": 60, \"batch_size\": 2,");
}

static void params_are_inside(void)
{
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_params WHERE "
                       "param_name = 'lr' AND param_value NOT BETWEEN 1e-4 "
                       "AND 1e-2 OR param_name = 'tokenizer_length' AND "
                       "param_value NOT IN (20, 40, 60, 80, 100) OR "
                       "param_name = 'emb_dim' AND param_value NOT IN (0, 1)"),
        0);
}

static void best_comes_first(const char *study)
{
    char *best = home_expect(
        &h, 0, NULL, (const char *const[]){"--json", "best", study, NULL});
    char *first =
        home_expect(&h, 0, NULL,
                    (const char *const[]){"--json", "trials", study, "--sort",
                                          "value", "--limit", "1", NULL});
    size_t n = strcspn(best, ","); /* {"number":5 */
    ck_assert_msg(strncmp(first + 1, best, n + 1) == 0, "%s is not %s", first,
                  best);
    free(first);
    free(best);
}

/* The last that was done to the study; importances may come after its end. */
#define EVENTS                                                                 \
    "SELECT max(seq) FROM parzen_events WHERE kind <> 'SET_IMPORTANCES'"

START_TEST(run_ends_with_its_trials)
{
    begin(200, two);
    const char *config = quick("tiny", "\"n_trials\": 6,");
    EXPECT(&h, 0, NULL, "run", config);
    ck_assert_int_eq(home_count(&h, TRIALS " WHERE state = 'COMPLETE'"), 6);
    params_are_inside();
    best_comes_first("tiny");
    char *best = home_expect(
        &h, 0, NULL, (const char *const[]){"--json", "best", "tiny", NULL});
    char *expected = home_sql(
        &h, "SELECT number FROM trials JOIN trial_values USING (trial_id) "
            "ORDER BY value DESC, number LIMIT 1");
    expected[strcspn(expected, "\n")] = '\0';
    char *number = mem_printf("\"number\":%s,", expected);
    ck_assert_msg(strstr(best, number) != NULL, "best is %s, expected %s", best,
                  number);
    free(home_results(&h, "tiny")); /* looks at each best file's SHA-256 */

    char *before = home_sql(&h, EVENTS);
    EXPECT(&h, 0, NULL, "run", config); /* again: nothing to do */
    char *after = home_sql(&h, EVENTS);
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
    free(number);
    free(expected);
    free(best);
    home_end(&h, "tiny");
}
END_TEST

START_TEST(impossible_combinations_are_said)
{
    begin(100, one);
    EXPECT(&h, 0,
           "note: 2 of 4 combinations of model.emb_dim and model.num_heads "
           "are impossible, and their trials fail: 32 heads do not divide "
           "emb_dim 8; failed trials count towards stop.max_failures (10)\n",
           "run", "--detach", quick("heads", "\"n_trials\": 1,"), "--set",
           "model.num_heads={\"choice\":[2,32]}");
    home_kill_daemon(&h);
    home_fini(&h);
}
END_TEST

/* One training many times may be meant, a forgotten distribution is not. */
START_TEST(what_searches_nothing_says_so)
{
    static const char says[] =
        "note: nothing is searched: no value of "
        "tokenizer, model or training is a distribution, "
        "so all 2 trials do the same training";
    begin(100, one);
    const char *const sets[] = {"--set", "training.lr=0.001",
                                "--set", "model.emb_dim=8",
                                "--set", "tokenizer.tokenizer_length=80"};
    EXPECT(&h, 0, says, "run", quick("none", "\"n_trials\": 2,"), sets[0],
           sets[1], sets[2], sets[3], sets[4], sets[5]);
    struct outcome o =
        CLI(&h, FINISH_S, "run", quick("single", "\"n_trials\": 1,"), sets[0],
            sets[1], sets[2], sets[3], sets[4], sets[5]);
    ck_assert_int_eq(o.code, 0);
    ck_assert_ptr_null(strstr(o.err, "nothing is searched"));
    outcome_fini(&o);
    home_kill_daemon(&h);
    home_fini(&h);
}
END_TEST

START_TEST(another_config_of_the_same_name_is_refused)
{
    begin(100, one);
    EXPECT(&h, 0, NULL, "run", quick("same", "\"n_trials\": 1,"));
    EXPECT(&h, 2, "seed: 0 in the study, 9 in the config", "run",
           quick("same", "\"n_trials\": 1, \"seed\": 9,"));
    EXPECT(&h, 0, NULL, "resume", "same", "--trials", "3");
    home_wait_state(&h, "same", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, TRIALS), 3);
    const char *less = quick("same", "\"n_trials\": 1,");
    EXPECT(&h, 0, "n_trials: 3 is kept, the config says 1", "run", less);
    EXPECT(&h, 0, "workers: 0 is kept, --workers says 2", "run", less,
           "--workers", "2");
    EXPECT(&h, 0, "stop.max_failures: 10 is kept, --set says 7", "run", less,
           "--set", "stop.max_failures=7");
    EXPECT(&h, 2, "What --seed and --set say counts as the config's.", "run",
           less, "--seed", "9");
    ck_assert_int_eq(home_count(&h, TRIALS), 3);
    EXPECT(&h, 0, "n_trials: raised from 3 to 4, as --trials says", "run", less,
           "--trials", "4");
    EXPECT(&h, 0, "n_trials: raised from 4 to 5, as the config says", "run",
           quick("same", "\"n_trials\": 5,"));
    ck_assert_int_eq(home_count(&h, TRIALS), 5);
    EXPECT(&h, 4, "did you mean 'same'?", "status", "sane");
    EXPECT(&h, 1, "larger target", "resume", "same");
    EXPECT(&h, 0, "raised from 5 to 6", "enqueue", "same", "lr=0.00123");
    home_wait_state(&h, "same", "finished", FINISH_S);
    EXPECT(&h, 0, "\"n_trials\":7,\"raised_from\":6}\n", "--json", "enqueue",
           "same", "lr=0.00123");
    home_wait_state(&h, "same", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, TRIALS), 7);
    home_end(&h, "same");
}
END_TEST

START_TEST(an_enqueued_point_is_tried_once)
{
    begin(200, two);
    EXPECT(&h, 0, NULL, "run", "--detach", slow("queue", "\"n_trials\": 4,"));
    ck_assert(home_wait(&h, TRIALS " WHERE state = 'RUNNING'", 2, 20000));
    home_hold(&h);
    EXPECT(&h, 0, "this is trial 2", "enqueue", "queue", "lr=0.00123",
           "emb_dim=16");
    EXPECT(&h, 0, "0.00123", "trials", "queue", "--state", "waiting");
    EXPECT(&h, 2, "stands before the command", "trials", "queue", "--state",
           h.state);
    EXPECT(&h, 2, "17 is not one of the choices [", "enqueue", "queue",
           "emb_dim=17");
    EXPECT(&h, 2, "lrr", "enqueue", "queue", "lrr=0.1");
    EXPECT(&h, 2, "params.lr: 7.0 is not in [", "enqueue", "queue", "lr=7");
    home_go_on(&h);
    home_wait_state(&h, "queue", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, TRIALS), 4);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trial_params WHERE "
                                    "param_name = 'lr' AND "
                                    "param_value = 0.00123"),
                     1);
    home_end(&h, "queue");
}
END_TEST

START_TEST(pause_resume_stop_now)
{
    begin(300, one);
    EXPECT(&h, 0, NULL, "run", "--detach", slow("life", "\"n_trials\": 2,"));
    ck_assert(home_wait(&h, EPOCHS, 2, 20000));
    home_hold(&h);
    EXPECT(&h, 0, "paused", "pause", "life");
    home_go_on(&h);
    ck_assert(home_wait(&h, TRIALS " WHERE state = 'COMPLETE'", 1, 30000));
    home_sleep_ms(200);
    ck_assert_int_eq(home_count(&h, TRIALS), 1);
    EXPECT(&h, 0, "running", "resume", "life");
    ck_assert(
        home_wait(&h, EPOCHS " WHERE trial_id = 2 AND epoch >= 2", 1, 20000));
    home_hold(&h);
    EXPECT(&h, 0, "stopped", "stop", "life", "--now");
    home_go_on(&h);
    ck_assert(home_wait(&h, TRIALS " WHERE state = 'WAITING'", 1, 20000));
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM parzen_checkpoints WHERE "
                       "trial_id = 2 AND kind = 'last' AND epoch >= 2"),
        1);
    struct outcome o = CLI(&h, FINISH_S, "resume", "life", "--follow");
    ck_assert_msg(o.code == 0, "%s", o.err);
    ck_assert_ptr_nonnull(strstr(o.err, "trial 1 complete"));
    static const char says[] = "study 'life' is running";
    const char *greeting = strstr(o.err, says);
    ck_assert_msg(greeting != NULL &&
                      strstr(greeting + strlen(says), says) == NULL,
                  "not said once: %.900s", o.err);
    outcome_fini(&o);
    home_wait_state(&h, "life", "finished", 0);
    ck_assert_int_eq(
        home_count(&h, "SELECT attempt FROM parzen_trials WHERE trial_id = 2"),
        2);
    ck_assert_int_ge(home_count(&h,
                                "SELECT min(epoch) FROM parzen_epochs WHERE "
                                "trial_id = 2 AND attempt = 2"),
                     2);
    home_end(&h, "life");
}
END_TEST

static int n_study_folders(void)
{
    char path[512];
    int n = 0;
    snprintf(path, sizeof(path), "%s/checkpoints", h.state);
    DIR *d = opendir(path);
    const struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        n += e->d_name[0] != '.';
    }
    if (d != NULL) {
        closedir(d);
    }
    return n;
}

START_TEST(delete_leaves_nothing)
{
    begin(300, two);
    EXPECT(&h, 0, NULL, "run", "--detach", slow("gone", "\"n_trials\": 9,"));
    ck_assert(home_wait(&h, EPOCHS, 3, 20000));
    EXPECT(&h, 2, "--yes", "delete", "gone");
    EXPECT(&h, 4, "(did you mean 'gone'?)", "delete", "gon");
    EXPECT(&h, 4, "(did you mean 'gone'?)", "delete", "gon", "--yes");
    EXPECT(&h, 0, NULL, "delete", "gone", "--yes");
    static const char *const tables[] = {
        "studies",       "trials",          "trial_params",
        "trial_values",  "parzen_configs",  "parzen_trials",
        "parzen_epochs", "parzen_attempts", "parzen_checkpoints"};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        char *sql = mem_printf("SELECT count(*) FROM %s", tables[i]);
        ck_assert_msg(home_count(&h, sql) == 0, "%s has rows", tables[i]);
        free(sql);
    }
    for (int waited = 0; n_study_folders() > 0 && waited < 5000; waited += 20) {
        home_sleep_ms(20);
    }
    ck_assert_int_eq(n_study_folders(), 0);
    EXPECT(&h, 4, "gone", "status", "gone");
    /* The workers are free, and the name too. */
    EXPECT(&h, 0, NULL, "run", quick("gone", "\"n_trials\": 2,"));
    ck_assert_int_eq(n_study_folders(), 1);
    home_end(&h, "gone");
}
END_TEST

/* Who looks at a study that is deleted is told so, not of a daemon that went.
 */
START_TEST(deletion_ends_a_view)
{
    begin(300, one);
    const char *config = slow("seen", "\"n_trials\": 9,");
    pid_t other = fork();
    if (other == 0) {
        bool is_deleted =
            home_wait(&h, EPOCHS, 1, 20000) &&
            home_http(&h, "DELETE", "/studies/seen", NULL, NULL) == 200;
        _exit(is_deleted ? 0 : 1);
    }
    struct outcome o = CLI(&h, FINISH_S, "run", config);
    int status;
    ck_assert_int_eq(waitpid(other, &status, 0), other);
    ck_assert_int_eq(status, 0);
    ck_assert_msg(o.code == 4, "%d: %s", o.code, o.err);
    ck_assert_msg(strstr(o.err, "study 'seen' was deleted\n") != NULL, "%s",
                  o.err);
    ck_assert_msg(strstr(o.err, "daemon is gone") == NULL, "%s", o.err);
    outcome_fini(&o);
    home_end(&h, "seen");
}
END_TEST

START_TEST(two_studies_take_turns)
{
    begin(200, two);
    EXPECT(&h, 0, NULL, "run", "--detach", quick("a", "\"n_trials\": 16,"));
    ck_assert(home_wait(&h, TRIALS " WHERE state = 'RUNNING'", 1, 20000));
    home_hold(&h);
    EXPECT(&h, 0, NULL, "run", "--detach",
           quick("b", "\"n_trials\": 8, \"workers\": 1,"));
    home_go_on(&h);
    home_wait_state(&h, "a", "finished", FINISH_S);
    home_wait_state(&h, "b", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, TRIALS " WHERE state = 'COMPLETE'"), 24);
    /* b began before a had ended, and never had two trials at once. */
    ck_assert_int_eq(
        home_count(&h, "SELECT (SELECT min(started_ms) FROM parzen_attempts "
                       "JOIN trials USING (trial_id) WHERE study_id = 2) < "
                       "(SELECT max(ended_ms) FROM parzen_attempts JOIN "
                       "trials USING (trial_id) WHERE study_id = 1)"),
        1);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM parzen_attempts x JOIN trials t "
                       "USING (trial_id) JOIN parzen_attempts y JOIN trials u "
                       "ON u.trial_id = y.trial_id WHERE t.study_id = 2 AND "
                       "u.study_id = 2 AND x.trial_id < y.trial_id AND "
                       "x.started_ms < y.ended_ms AND "
                       "y.started_ms < x.ended_ms"),
        0);
    home_end(&h, "turns");
}
END_TEST

START_TEST(three_workers_never_overshoot)
{
    begin(100, three);
    EXPECT(&h, 0, NULL, "run", quick("many", "\"n_trials\": 25,"));
    ck_assert_int_eq(home_count(&h, TRIALS), 25);
    EXPECT(&h, 0, NULL, "run", "--trials", "31",
           quick("many", "\"n_trials\": 25,"));
    ck_assert_int_eq(home_count(&h, TRIALS " WHERE state = 'COMPLETE'"), 31);
    home_end(&h, "many");
}
END_TEST

/* What failed for good is tried again on request: here the first attempts have
 * a decay that multiplies weights by -999. */
START_TEST(failed_trials_are_retried)
{
    begin(100, one);
    char *config = mem_strdup(
        quick("nan", "\"n_trials\": 3, \"stop\": {\"max_failures\": 2},"));
    EXPECT(&h, 1, "nan", "run", "--set", "training.lr=1000", "--set",
           "training.weight_decay=1", config);
    ck_assert_int_eq(home_count(&h, TRIALS " WHERE state = 'FAIL'"), 2);
    EXPECT(&h, 0, NULL, "retry", "nan");
    home_wait_state(&h, "nan", "failed", FINISH_S);
    ck_assert_int_eq(home_count(&h, TRIALS), 2);
    ck_assert_int_eq(home_count(&h,
                                "SELECT count(*) FROM parzen_attempts WHERE "
                                "attempt = 2 AND cause = 'nan'"),
                     2);
    EXPECT(&h, 1, "no failed trial", "retry", "nan", "--cause", "oom");
    EXPECT(&h, 2, "no-metric, ", "retry", "nan", "--cause", "foo");
    EXPECT(&h, 2, "not 'foo'", "retry", "nan", "--cause", "foo");
    EXPECT(&h, 2, "no column 'zzz' (there are: number, state, value, ",
           "trials", "nan", "--sort", "zzz");
    free(config);
    home_end(&h, "retry");
}
END_TEST

static void tamper(const char *sql)
{
    char *path = mem_printf("%s/parzen.db", h.state);
    fix_store_tamper(path, sql);
    free(path);
}

/* The database takes no second trial: what was asked for with it is undone.
 * That is no success. */
START_TEST(what_was_undone_is_not_acknowledged)
{
    begin(100, one);
    EXPECT(&h, 0, NULL, "run", quick("undone", "\"n_trials\": 1,"));
    tamper("CREATE UNIQUE INDEX one ON trials (study_id)");
    EXPECT(&h, 1, "UNIQUE", "resume", "undone", "--trials", "2");
    ck_assert_int_eq(home_count(&h, "SELECT n_trials FROM parzen_configs"), 1);
    tamper("DROP INDEX one");
    /* Until it has recovered, and then nothing is left to ask for. */
    while (home_count(&h, "SELECT n_trials FROM parzen_configs") == 1) {
        struct outcome o = CLI(&h, 30, "resume", "undone", "--trials", "2");
        outcome_fini(&o);
        home_sleep_ms(200);
    }
    home_wait_state(&h, "undone", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, TRIALS " WHERE state = 'COMPLETE'"), 2);
    home_end(&h, "undone");
}
END_TEST

/* Not every config's data is shipped: any file serves to have it accepted. */
START_TEST(every_shipped_config_is_accepted)
{
    begin(50, one);
    char *source = mem_printf("data.source=%s", home_data(&h, 50, 2));
    char *test = mem_printf("data.test_source=%s", home_data(&h, 50, 2));
    DIR *d = opendir("configs");
    const struct dirent *e;
    int n = 0;
    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);
        if (len > 5 && strcmp(e->d_name + len - 5, ".json") == 0) {
            char *path = mem_printf("configs/%s", e->d_name);
            if (strcmp(e->d_name, "quick.json") == 0) {
                EXPECT(&h, 0, NULL, "run", "--detach", path);
            } else if (strcmp(e->d_name, "banking77.json") == 0) {
                EXPECT(&h, 0, NULL, "run", "--detach", "--set", source, "--set",
                       test, path);
            } else {
                EXPECT(&h, 0, NULL, "run", "--detach", "--set", source, path);
            }
            free(path);
            n++;
        }
    }
    closedir(d);
    free(source);
    free(test);
    ck_assert_int_ge(n, 4);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* The test is its parent, and has not reaped it yet. */
START_TEST(a_dead_daemon_has_ended_whoever_reaps_it)
{
    begin(50, one);
    EXPECT(&h, 0, "has ended", "daemon", "stop");
    ck_assert(!home_is_alive(h.daemon));
    ck_assert_int_eq(home_stop_daemon(&h), 0); /* its own end, reaped */
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/study");
    TCase *c = tcase_create("life");
    tcase_set_timeout(c, 240);
    tcase_add_test(c, run_ends_with_its_trials);
    tcase_add_test(c, impossible_combinations_are_said);
    tcase_add_test(c, what_searches_nothing_says_so);
    tcase_add_test(c, another_config_of_the_same_name_is_refused);
    tcase_add_test(c, an_enqueued_point_is_tried_once);
    tcase_add_test(c, pause_resume_stop_now);
    tcase_add_test(c, delete_leaves_nothing);
    tcase_add_test(c, deletion_ends_a_view);
    tcase_add_test(c, two_studies_take_turns);
    tcase_add_test(c, three_workers_never_overshoot);
    tcase_add_test(c, failed_trials_are_retried);
    tcase_add_test(c, what_was_undone_is_not_acknowledged);
    tcase_add_test(c, every_shipped_config_is_accepted);
    tcase_add_test(c, a_dead_daemon_has_ended_whoever_reaps_it);
    suite_add_tcase(s, c);
    return s;
}
