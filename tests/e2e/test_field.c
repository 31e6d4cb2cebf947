/* What users of other systems have suffered from, as end-to-end tests: numbers
 * and references from the design's survey of the field, section 8. Not here:
 *   2  a worker killed in mid-trial          tests/e2e/test_kill_one.c
 *   3  the daemon killed at any moment       tests/e2e/test_kill_two.c
 *   9  ten asks without a tell spread out    tests/daemon/search/test_sampler.c
 *  10  every bad end has its cause           tests/e2e/test_objectives.c
 *  12  50,000 trials in the page             tests/browser/many.test.mjs
 *  14  suggest latency                       tests/bench/suggest.c, scale.c
 *  15  DNS rebinding, foreign origins        tests/daemon/http/test_server.c */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/optuna.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINISH_S = 100 };

static struct home h;

static void start(const char *n_workers)
{
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", n_workers, NULL});
}

/* A study of a shell script: $1 is the parameter x. */
static const char *script_config(const char *name, const char *members,
                                 const char *params, const char *script)
{
    char *file = mem_printf("%s.sh", name);
    (void)home_file(&h, file, script);
    char *text =
        mem_printf("{\"study\":\"%s\",%s\"objective\":{\"type\":\"command\","
                   "\"command\":[\"sh\",\"%s/%s\",\"{x}\"]},\"params\":{%s}}",
                   name, members, h.dir, file, params);
    free(file);
    return home_json(&h, name, text);
}

/* Reads as another program would, until it is killed; ends by itself only when
 * a query fails. */
static pid_t start_reader(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    while (pid == 0) {
        free(home_sql(&h, "SELECT state, count(*) FROM trials GROUP BY 1"));
        free(home_sql(&h, "SELECT max(value) FROM trial_values"));
    }
    return pid;
}

/* 1: optuna#820, dashboard#545 */
START_TEST(test_01_many_workers_and_a_reader)
{
    int status;
    start("16");
    home_post(&h, home_function(&h, "many", "\"n_trials\":1000,",
                                "\"x\":{\"float\":[-5,5]}"));
    pid_t reader = start_reader();
    home_wait_state(&h, "many", "finished", FINISH_S);
    ck_assert_int_eq(waitpid(reader, &status, WNOHANG), 0); /* still reads */
    kill(reader, SIGKILL);
    waitpid(reader, &status, 0);
    ck_assert_int_eq(home_count(&h, "SELECT count(DISTINCT number) FROM trials"
                                    " WHERE state = 'COMPLETE'"),
                     1000);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 1000);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_values JOIN trial_params"
                       " USING (trial_id)"),
        1000);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_attempts"
                                    " WHERE attempt > 1"),
                     0);
    home_end(&h, "many workers");
}
END_TEST

/* 4: optuna#3518, optuna#1865 */
START_TEST(test_04_the_target_is_met_exactly)
{
    start("7");
    const char *config = script_config(
        "exact", "\"n_trials\":100,\"stop\":{\"max_failures\":1000},",
        "\"x\":{\"float\":[0,1]}",
        "[ $((PARZEN_TRIAL * 7 % 10)) -lt 3 ] && exit 1\n"
        "echo 'parzen: {\"value\": '$1'}'\n");
    char *kept = mem_strdup(config);
    for (int i = 0; i < 2; i++) { /* once more does nothing */
        EXPECT(&h, 0, NULL, "run", kept);
        ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials WHERE"
                                        " state = 'COMPLETE'"),
                         100);
        ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials WHERE"
                                        " state NOT IN ('COMPLETE', 'FAIL')"),
                         0);
        ck_assert_int_ge(home_count(&h, "SELECT count(*) FROM trials WHERE"
                                        " state = 'FAIL'"),
                         30);
    }
    free(kept);
    home_end(&h, "the exact target");
}
END_TEST

/* 5: optuna#4234, optuna#5470. What a worker that slept has to say of a trial
 * that is nobody's any more is ignored, and the worker goes on. (Deadlines:
 * tests/daemon/test_sched_clock.c, with a clock that is not waited for.) */
START_TEST(test_05_late_words_are_ignored)
{
    start("1");
    home_post(&h, script_config("late", "\"n_trials\":1,",
                                "\"x\":{\"float\":[0,1]}",
                                "sleep 0.2; echo 'parzen: {\"value\": 1}'\n"));
    ck_assert(home_wait(
        &h, "SELECT count(*) FROM trials WHERE state = 'RUNNING'", 1, 20000));
    home_hold(&h);
    EXPECT(&h, 0, NULL, "delete", "late", "--yes");
    home_sleep_ms(400); /* the command has ended meanwhile */
    home_go_on(&h);
    home_post(&h, home_function(&h, "next", "\"n_trials\":5,",
                                "\"x\":{\"float\":[0,1]}"));
    home_wait_state(&h, "next", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 5);
    home_end(&h, "late words");
}
END_TEST

/* 6: optuna#4621, optuna#2925 */
START_TEST(test_06_what_is_enqueued_runs_once)
{
    enum { N = 100, N_WORKERS = 8 };
    start("8");
    home_post(&h, home_function(&h, "first", "\"n_trials\":64,",
                                "\"x\":{\"float\":[0,1]}"));
    home_wait_state(&h, "first", "finished", FINISH_S); /* all are there */
    home_hold(&h);
    char members[64];
    snprintf(members, sizeof(members), "\"n_trials\":%d,", N + N_WORKERS);
    home_post(
        &h, home_function(&h, "queue", members, "\"x\":{\"float\":[-1,1000]}"));
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM trials WHERE state = 'RUNNING'",
                        N_WORKERS, 20000));
    for (int i = 0; i < N; i++) {
        char body[64];
        snprintf(body, sizeof(body), "{\"params\":{\"x\":%d}}", i);
        int status =
            home_http(&h, "POST", "/studies/queue/enqueue", body, NULL);
        ck_assert_int_eq(status, 200);
    }
    home_go_on(&h);
    home_wait_state(&h, "queue", "finished", FINISH_S);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(DISTINCT CAST(param_value AS INTEGER))"
                       " FROM trials JOIN trial_params USING (trial_id)"
                       " WHERE study_id = 2 AND number >= 8 AND param_value ="
                       " CAST(param_value AS INTEGER) AND state = 'COMPLETE'"),
        N);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_attempts"),
                     64 + N + N_WORKERS);
    home_end(&h, "the queue");
}
END_TEST

/* 7: optuna#5440, optuna#2021 */
START_TEST(test_07_a_small_space_is_exhausted)
{
    start("4");
    EXPECT(&h, 0, "exhausted", "run",
           home_function(&h, "small",
                         "\"n_trials\":50,\"sampler\":{\"duplicates\":"
                         "\"avoid\"},",
                         "\"x\":{\"int\":[0,3]},\"y\":{\"choice\":[1,2,4]}"));
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 12);
    ck_assert_int_eq(
        home_count(&h,
                   "SELECT count(DISTINCT a.param_value * 10 + b.param_value)"
                   " FROM trial_params a JOIN trial_params b USING (trial_id)"
                   " WHERE a.param_name = 'x' AND b.param_name = 'y'"),
        12);
    EXPECT(&h, 1, "all 12 points were tried; a config with more choices",
           "resume", "small");
    home_end(&h, "a small space");
}
END_TEST

/* 8: optuna#332, optuna#566 */
START_TEST(test_08_failures_are_learned_from)
{
    start("2");
    home_post(&h, script_config("bad",
                                "\"n_trials\":60,\"seed\":2,\"stop\":{"
                                "\"max_failures\":1000},",
                                "\"x\":{\"int\":[0,999]}",
                                "[ $1 -ge 630 -a $1 -lt 730 ] || exit 1\n"
                                "echo 'parzen: {\"value\": '$1'}'\n"));
    home_wait_state(&h, "bad", "finished", FINISH_S);
    long long n = home_count(&h, "SELECT count(*) FROM trials WHERE"
                                 " number BETWEEN 60 AND 89"),
              good = home_count(&h, "SELECT count(*) FROM trials WHERE number"
                                    " BETWEEN 60 AND 89 AND state ="
                                    " 'COMPLETE'");
    ck_assert_msg(2 * good >= n, "%lld of %lld", good, n);
    ck_assert_int_gt(n, 0);
    home_end(&h, "a space that fails");
}
END_TEST

static bool is_gone(const char *file)
{
    char *path = mem_printf("%s/%s", h.dir, file);
    FILE *f = fopen(path, "r");
    int pid = 0;
    ck_assert_msg(f != NULL && fscanf(f, "%d", &pid) == 1, "%s", path);
    fclose(f);
    free(path);
    return !home_is_alive(pid);
}

/* 10: optuna#1484, optuna#3102: grandchildren go with the program, whether it
 * is ended or ends by itself. */
START_TEST(test_10_the_process_group_is_gone)
{
    static const char *const limits[] = {"\"timeout_seconds\":0.3,", ""};
    static const char *const ends[] = {"wait", "exit 0"};
    static const char *const causes[] = {"timeout", "no-metric"};
    char sql[128];
    start("1");
    char *script = mem_printf("sh -c 'sleep 1000 & echo $! >%s/deep; wait' &\n"
                              "while ! [ -s %s/deep ]; do sleep 0.01; done\n"
                              "%s\n",
                              h.dir, h.dir, ends[_i]);
    (void)home_file(&h, "group.sh", script);
    char *config = mem_printf(
        "{\"study\":\"group\",\"n_trials\":1,\"stop\":{\"max_failures\":1},"
        "\"objective\":{\"type\":\"command\",%s\"command\":[\"sh\","
        "\"%s/group.sh\"]},\"params\":{\"x\":{\"float\":[0,1]}}}",
        limits[_i], h.dir);
    EXPECT(&h, 1, NULL, "run", home_file(&h, "group.json", config));
    ck_assert(is_gone("deep"));
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM parzen_trials WHERE cause = '%s'",
             causes[_i]);
    ck_assert_int_eq(home_count(&h, sql), 1);
    free(script);
    free(config);
    home_end(&h, "a process group");
}
END_TEST

/* c is the best of the choices. */
static const char *grown(const char *members, const char *choices)
{
    (void)home_file(&h, "grown.sh",
                    "[ $2 = c ] && v=$1 || v=$((100 + $1))\n"
                    "echo 'parzen: {\"value\": '$v'}'\n");
    char *text = mem_printf(
        "{\"study\":\"grown\",%s\"objective\":{\"type\":\"command\","
        "\"command\":[\"sh\",\"%s/grown.sh\",\"{x}\",\"{k}\"]},\"params\":{"
        "\"x\":{\"int\":[0,99]},\"k\":{\"choice\":[%s]}}}",
        members, h.dir, choices);
    const char *path = home_file(&h, "grown.json", text);
    free(text);
    return path;
}

/* Optuna's own check: one distribution per parameter over all trials. */
static void optuna_agrees(void)
{
    char *command = mem_printf(
        "/usr/bin/python3 -c '\n"
        "import sys, warnings; warnings.filterwarnings(\"ignore\")\n"
        "import optuna\n"
        "s = optuna.load_study(study_name=\"grown\", storage="
        "optuna.storages.RDBStorage(\"sqlite:///%s/parzen.db\","
        " skip_compatibility_check=True))\n"
        "seen = [t.distributions[\"k\"] for t in s.trials]\n"
        "for d in seen:\n"
        "    optuna.distributions.check_distribution_compatibility(seen[0], d)"
        "\n"
        "assert list(seen[0].choices) == [\"a\", \"b\", \"c\"], seen[0]\n"
        "assert {t.params[\"k\"] for t in s.trials[:20]} == {\"a\", \"b\"}\n"
        "assert any(t.params[\"k\"] == \"c\" for t in s.trials[20:])\n"
        "t = s.ask(); k = t.suggest_categorical(\"k\", [\"a\", \"b\", \"c\"])"
        "\n' 2>&1 >/dev/null",
        h.state);
    ck_assert_msg(system(command) == 0, "%s", command);
    free(command);
}

/* 13: optuna#2199, optuna#2328 */
START_TEST(test_13_a_choice_is_added_to_a_finished_study)
{
    static const char first[] = "\"n_trials\":20,\"seed\":3,",
                      more[] = "\"n_trials\":40,\"seed\":3,\"workers\":1,";
    start("2");
    EXPECT(&h, 0, NULL, "run", grown(first, "\"a\",\"b\""));
    char *before = home_results(&h, "grown");
    EXPECT(&h, 2, "resume 'grown' --config", "run",
           grown(more, "\"a\",\"b\",\"c\""));
    EXPECT(&h, 1, "larger target", "resume", "grown", "--config",
           grown(first, "\"a\",\"b\",\"c\""));
    EXPECT(&h, 1, "n_trials: 20 is kept, the config says 12\n", "resume",
           "grown", "--config",
           grown("\"n_trials\":12,\"seed\":3,", "\"a\",\"b\",\"c\""));
    /* what would make trials untrue, each with the place */
    EXPECT(&h, 2, "params.k: {", "resume", "grown", "--config",
           grown(more, "\"b\",\"a\",\"c\""));
    EXPECT(&h, 2, "params.k: {", "resume", "grown", "--config",
           grown(more, "\"a\""));
    EXPECT(&h, 2, "seed: 3 in the study, 4 in the config", "resume", "grown",
           "--config",
           grown("\"n_trials\":40,\"seed\":4,", "\"a\",\"b\",\"c\""));
    char *same = home_results(&h, "grown");
    home_same(before, same, "refused configs");
    EXPECT(&h, 0, NULL, "resume", "grown", "--config",
           grown(more, "\"a\",\"b\",\"c\""));
    home_wait_state(&h, "grown", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials WHERE state ="
                                    " 'COMPLETE'"),
                     40);
    /* old trials inform: no random phase again, and c is found to be best */
    ck_assert_int_eq(home_count(&h, "SELECT count(DISTINCT distribution_json)"
                                    " FROM trial_params WHERE param_name ="
                                    " 'k'"),
                     1);
    ck_assert_int_ge(home_count(&h, "SELECT count(*) FROM trials JOIN"
                                    " trial_params USING (trial_id) WHERE"
                                    " param_name = 'k' AND param_value = 2"
                                    " AND number >= 20"),
                     8);
    EXPECT(&h, 0, "40 of 40 suggestions equal", "replay", "grown");
    home_kill_daemon(&h); /* and after a restart */
    home_start(&h, (const char *const[]){"--workers", "2", NULL});
    EXPECT(&h, 0, "40 of 40 suggestions equal", "replay", "grown");
    EXPECT(&h, 0, "exists with this config", "run",
           grown(more, "\"a\",\"b\",\"c\""));
    free(before);
    free(same);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_check(&h, "a choice added");
    EXPECT(&h, 0, NULL, "doctor");
    if (optuna_is_here("e2e/field, Optuna reads it:")) {
        optuna_agrees();
    }
    home_fini(&h);
}
END_TEST

/* A config is as old as it is: it does not take back what was raised since. */
START_TEST(a_raised_target_is_kept)
{
    start("1");
    char *config = mem_strdup(script_config(
        "old", "\"n_trials\":2,", "\"x\":{\"float\":[0,1]}", "sleep 60\n"));
    EXPECT(&h, 0, NULL, "run", "--detach", config);
    EXPECT(&h, 0, "0 of 3 trials", "resume", "old", "--trials", "3");
    EXPECT(&h, 0, "n_trials: 3 is kept, the config says 2 (--trials 2 lowers",
           "resume", "old", "--config", config);
    EXPECT(&h, 0, "0 of 3 trials", "resume", "old", "--config", config);
    EXPECT(&h, 0, "0 of 2 trials", "resume", "old", "--config", config,
           "--trials", "2");
    char *other = mem_strdup(script_config("tickets", "\"n_trials\":1,",
                                           "\"y\":{\"int\":[0,1]}", ":\n"));
    /* Refused as a whole, it keeps nothing: the refusal is all that is said. */
    struct outcome o = CLI(&h, 60, "resume", "old", "--config", other);
    ck_assert_int_eq(o.code, 2);
    ck_assert_ptr_nonnull(
        strstr(o.err, "the config is of study 'tickets': objective."));
    ck_assert_msg(strstr(o.err, "is kept") == NULL, "%s", o.err);
    outcome_fini(&o);
    free(other);
    free(config);
    home_end(&h, "a raised target");
}
END_TEST

/* The log's configs must lead to one another. */
START_TEST(a_false_config_in_the_log_is_named)
{
    start("1");
    EXPECT(&h, 0, NULL, "run",
           home_function(&h, "log", "\"n_trials\":12,",
                         "\"x\":{\"float\":[0,1]},\"y\":{\"choice\":[1,2]}"));
    EXPECT(
        &h, 0, NULL, "resume", "log", "--config",
        home_function(&h, "log", "\"n_trials\":24,",
                      "\"x\":{\"float\":[0,1]},\"y\":{\"choice\":[1,2,-7]}"));
    home_wait_state(&h, "log", "finished", FINISH_S);
    EXPECT(&h, 0, "24 of 24", "replay", "log");
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_check(&h, "a config in the log");
    home_exec(&h, "UPDATE parzen_events SET detail = replace(detail,"
                  " '[1,2]', '[1,2,-7]') WHERE kind = 'CHANGE_STUDY'");
    EXPECT(&h, 1, "is stored as", "replay", "log"); /* drawn from too many */
    home_exec(&h, "UPDATE parzen_events SET detail = replace(detail,"
                  " '[1,2,-7]', '[2,1]') WHERE kind = 'CHANGE_STUDY'");
    EXPECT(&h, 1, "could not become", "replay", "log");
    home_exec(&h, "UPDATE parzen_events SET detail = 'x' WHERE kind ="
                  " 'CHANGE_STUDY'");
    EXPECT(&h, 1, "detail", "replay", "log");
    home_fini(&h);
}
END_TEST

/* 14: katib#2716, optuna#6753 */
START_TEST(test_14_threads_are_capped)
{
    pid_t pids[HOME_MAX_WORKERS];
    start("2");
    home_post(&h, home_function(&h, "both", "\"n_trials\":20,",
                                "\"x\":{\"float\":[0,1]}"));
    home_wait_state(&h, "both", "finished", FINISH_S);
    for (int i = 0; i < 500 && home_workers(&h, pids) < 2; i++) {
        home_sleep_ms(20); /* they are started one after the other */
    }
    ck_assert_int_eq(home_workers(&h, pids), 2);
    for (int i = 0; i < 2; i++) {
        char *command = mem_printf(
            "tr '\\0' '\\n' </proc/%d/environ | grep -qx "
            "OPENBLAS_NUM_THREADS=1 && ! grep -q openblas /proc/%d/maps",
            (int)pids[i], (int)h.daemon);
        pid_t shell = fork();
        if (shell == 0) {
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
            _exit(127);
        }
        int status;
        waitpid(shell, &status, 0);
        ck_assert_msg(status == 0, "%s", command);
        free(command);
    }
    home_end(&h, "threads");
}
END_TEST

/* What the daemon's port answers to the token in this page address. */
static int answer_to(const char *url)
{
    char *command = mem_printf(
        "u='%s'; curl -s -o %s/answer -w '%%{http_code}' -H \"Authorization: "
        "Bearer ${u##*=}\" \"${u%%%%#*}api/v1/health\"",
        url, h.dir);
    FILE *f = popen(command, "re");
    int status = 0;
    ck_assert_msg(fscanf(f, "%d", &status) == 1, "%s", command);
    pclose(f);
    free(command);
    return status;
}

static char *address(const char *what)
{
    char *url =
        home_expect(&h, 0, NULL, (const char *const[]){"daemon", what, NULL});
    url[strcspn(url, "\n")] = '\0';
    return url;
}

START_TEST(an_old_token_opens_nothing)
{
    start("1");
    char *old = address("url");
    ck_assert_int_eq(answer_to(old), 200);
    char *new = address("rotate-token");
    ck_assert_str_ne(old, new);
    ck_assert_int_eq(answer_to(old), 401);
    ck_assert_int_eq(answer_to(new), 200);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    EXPECT(&h, 3, NULL, "daemon", "rotate-token");
    home_fini(&h);
    free(old);
    free(new);
}
END_TEST

/* `trials --sort value`: the best is the first, what is infeasible is marked
 * and stands behind all that is feasible, either way round. */
static void expect_feasible_first(bool reverse)
{
    char *text =
        home_expect(&h, 0, NULL,
                    (const char *const[]){"trials", "limit", "--sort", "value",
                                          reverse ? "--reverse" : NULL, NULL});
    int line = 0;
    bool was_marked = false;
    double last = NAN;
    for (char *at = text, *end; (end = strchr(at, '\n')) != NULL;
         at = end + 1) {
        int number;
        double value;
        *end = '\0';
        if (line++ == 0) {
            continue;
        }
        bool is_marked = strstr(at, "infeasible: a 1.5") != NULL;
        ck_assert_msg(sscanf(at, "%d COMPLETE %lf", &number, &value) == 2, "%s",
                      at);
        ck_assert_msg(is_marked == (value < 50.0), "%s", at);
        ck_assert_msg(is_marked || !was_marked, "%s", at);
        ck_assert_msg(is_marked != was_marked || isnan(last) ||
                          (reverse ? value <= last : value >= last),
                      "%s", at);
        was_marked = is_marked;
        last = value;
    }
    ck_assert_int_eq(line, 41);
    ck_assert(was_marked);
    free(text);
}

/* Constraints, end to end: what is infeasible is never the best. */
START_TEST(constraints_are_kept_and_obeyed)
{
    start("2");
    (void)home_file(&h, "limit.sh",
                    "if [ $1 -lt 50 ]; then c=1.5; else c=-1; fi\n"
                    "echo 'parzen: {\"constraints\": {\"b\": -2, \"a\": '$c'},"
                    " \"value\": '$1'}'\n");
    char *config = mem_printf(
        "{\"study\":\"limit\",\"n_trials\":40,\"seed\":1,\"objective\":{"
        "\"type\":\"command\",\"constraints\":[\"a\",\"b\"],\"command\":["
        "\"sh\",\"%s/limit.sh\",\"{x}\"]},\"params\":{\"x\":{\"int\":[0,99]}}}",
        h.dir);
    EXPECT(&h, 0, NULL, "run", home_file(&h, "limit.json", config));
    free(config);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_system_attributes JOIN"
                       " trial_values USING (trial_id) WHERE key ="
                       " 'constraints' AND value_json = iif(value < 50,"
                       " '[1.5, -2.0]', '[-1.0, -2.0]')"),
        40);
    long long best = home_count(&h, "SELECT CAST(min(value) AS INTEGER) FROM"
                                    " trial_values WHERE value >= 50");
    char want[64], *study;
    snprintf(want, sizeof(want), "\"value\":%lld", best);
    home_kill_daemon(&h); /* and after a restart */
    home_start(&h, (const char *const[]){"--workers", "2", NULL});
    ck_assert_int_eq(home_http(&h, "GET", "/studies/limit", NULL, &study), 200);
    ck_assert_msg(strstr(study, want) != NULL, "%s: %s", want, study);
    free(study);
    expect_feasible_first(false);
    expect_feasible_first(true);
    home_end(&h, "constraints");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/field");
    TCase *c = tcase_create("field");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, test_01_many_workers_and_a_reader);
    tcase_add_test(c, test_04_the_target_is_met_exactly);
    tcase_add_test(c, test_05_late_words_are_ignored);
    tcase_add_test(c, test_06_what_is_enqueued_runs_once);
    tcase_add_test(c, test_07_a_small_space_is_exhausted);
    tcase_add_test(c, test_08_failures_are_learned_from);
    tcase_add_loop_test(c, test_10_the_process_group_is_gone, 0, 2);
    tcase_add_test(c, test_13_a_choice_is_added_to_a_finished_study);
    tcase_add_test(c, a_raised_target_is_kept);
    tcase_add_test(c, a_false_config_in_the_log_is_named);
    tcase_add_test(c, test_14_threads_are_capped);
    tcase_add_test(c, an_old_token_opens_nothing);
    tcase_add_test(c, constraints_are_kept_and_obeyed);
    suite_add_tcase(s, c);
    return s;
}
