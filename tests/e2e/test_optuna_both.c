/* A study goes from Optuna to us, back and again: numbers, parameters, values
 * and counts stay what they were. The parts with Optuna need Debian's
 * python3-optuna; a study of Optuna 5 is in tests/golden. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/optuna.h"
#include "tests/lib/test_main.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const two[] = {"--workers", "2", NULL};

static int n_lines(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static void make_state(const struct home *h)
{
    char *command = mem_printf("mkdir -m 700 -p '%s'", h->state);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static void copy_golden(const struct home *h, const char *to)
{
    char *command =
        mem_printf("cp tests/golden/optuna-5.0.db '%s/%s'", h->dir, to);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

/* x + n again, by a command that reports as the script does. */
static const char *config(const struct home *h, const char *name, int n_trials,
                          const char *params)
{
    char *text = mem_printf(
        "{\"study\": \"%s\", \"n_trials\": %d, \"stop\": {\"max_failures\":"
        " 100}, \"objective\": {\"type\": \"command\", \"direction\":"
        " \"minimize\", \"command\": [\"sh\", \"-c\", \"for s in 0 1 2 3; do"
        " echo parzen: {'\\\"'step'\\\"': $s, '\\\"'value'\\\"': $1}; done\","
        " \"-\", \"{x}\"]}, \"params\": {%s}}",
        name, n_trials, params);
    const char *path = home_file(h, "c.json", text);
    free(text);
    return path;
}

static const char PARAMS[] = "\"c\": {\"choice\": [\"a\", 1, null, true]},"
                             "\"x\": {\"float\": [0.001, 10], \"log\": true},"
                             "\"n\": {\"int\": [1, 9], \"step\": 2}";

/* All lines of `before` that tell of a finished trial are in `after`. */
static void expect_kept(const char *before, const char *after)
{
    char *lines = mem_strdup(before), *save = NULL;
    for (char *line = strtok_r(lines, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        bool is_finished = strstr(line, " COMPLETE ") != NULL ||
                           strstr(line, " PRUNED ") != NULL ||
                           strstr(line, " FAIL ") != NULL;
        ck_assert_msg(!is_finished || strstr(after, line) != NULL,
                      "lost: %s\nin:\n%s", line, after);
    }
    free(lines);
}

START_TEST(from_optuna_to_us)
{
    struct home h;
    if (!optuna_is_here("e2e/optuna_both")) {
        return;
    }
    home_init(&h);
    make_state(&h);
    free(optuna_says(&h, "optuna_goes_on.py", "o 12 left"));
    char *before = optuna_says(&h, "optuna_reads.py", "o");
    ck_assert_int_eq(n_lines(before), 14);
    home_start(&h, two);
    EXPECT(&h, 1, "has no config: give one", "resume", "o");
    EXPECT(&h, 2, "params.c: the study has", "resume", "o", "--config",
           config(&h, "o", 30,
                  "\"c\": {\"choice\": [\"a\", 1, true]},"
                  "\"x\": {\"float\": [0.001, 10], \"log\": true},"
                  "\"n\": {\"int\": [1, 9]}"));
    EXPECT(&h, 2, "params.n: the study's trials have it", "resume", "o",
           "--config",
           config(&h, "o", 30,
                  "\"c\": {\"choice\": [\"a\", 1, null, true]},"
                  "\"x\": {\"float\": [0.001, 10], \"log\": true}"));
    EXPECT(&h, 1, "leaves nothing to do", "resume", "o", "--config",
           config(&h, "o", 5, PARAMS));
    EXPECT(&h, 0, NULL, "resume", "o", "--config", config(&h, "o", 30, PARAMS));
    home_wait_state(&h, "o", "finished", 60);
    /* the enqueued one and the one left running were repeated as they were */
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_values v JOIN trials t"
                       " USING (trial_id) WHERE t.number = 12 AND value = 0.5"),
        1);
    ck_assert_int_eq(
        home_count(&h,
                   "SELECT count(*) FROM trial_values v JOIN trials t"
                   " USING (trial_id) WHERE t.number = 13 AND value = 0.25"),
        1);
    home_replays(&h, "o");
    char *after = optuna_says(&h, "optuna_reads.py", "o");
    expect_kept(before, after);
    ck_assert_int_eq(n_lines(after), 32); /* 30 finished, 2 failed */
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    free(optuna_says(&h, "optuna_goes_on.py", "o 3"));
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "resume", "o", "--trials", "40");
    home_wait_state(&h, "o", "finished", 60);
    home_replays(&h, "o");
    free(before);
    free(after);
    home_fini(&h);
}
END_TEST

START_TEST(from_us_to_optuna_and_back)
{
    struct home h;
    if (!optuna_is_here("e2e/optuna_both")) {
        return;
    }
    home_init(&h);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", config(&h, "p", 10, PARAMS));
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    char *before = optuna_says(&h, "optuna_reads.py", "p");
    free(optuna_says(&h, "optuna_goes_on.py", "p 12 left"));
    char *between = optuna_says(&h, "optuna_reads.py", "p");
    expect_kept(before, between);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "resume", "p", "--trials", "32");
    home_wait_state(&h, "p", "finished", 60);
    home_replays(&h, "p");
    char *after = optuna_says(&h, "optuna_reads.py", "p");
    expect_kept(between, after);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials WHERE state IN"
                                    " ('COMPLETE', 'PRUNED')"),
                     32);
    ck_assert_int_eq(home_count(&h, "SELECT max(number) + 1 FROM trials"),
                     n_lines(after));
    home_kill_daemon(&h); /* what was adopted loads again, and once */
    home_start(&h, two);
    home_replays(&h, "p");
    free(before);
    free(between);
    free(after);
    home_fini(&h);
}
END_TEST

/* --- beside a daemon that works ------------------------------------------- */

/* Rows as Optuna writes them; no user's command fails by them, and whoever
 * looks sees them. */
START_TEST(what_others_write_is_known_at_once)
{
    struct home h;
    home_init(&h);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", config(&h, "ours", 4, PARAMS));
    home_exec(&h, "INSERT INTO studies VALUES (2, 'theirs');"
                  "INSERT INTO study_directions (direction, study_id,"
                  " objective) VALUES ('MINIMIZE', 2, 0)");
    EXPECT(&h, 2, "it has none", "run", "--detach",
           config(&h, "theirs", 4, PARAMS)); /* has no config */
    home_exec(&h, "INSERT INTO studies VALUES (3, 'third');"
                  "INSERT INTO study_directions (direction, study_id,"
                  " objective) VALUES ('MINIMIZE', 3, 0);"
                  "INSERT INTO trials VALUES (5, 0, 3, 'RUNNING', NULL, NULL)");
    EXPECT(&h, 0, NULL, "run", config(&h, "fourth", 4, PARAMS));
    EXPECT(&h, 0, "third", "studies");
    home_exec(&h, "INSERT INTO trials SELECT max(trial_id) + 1, 4, 1,"
                  " 'COMPLETE', '2026-01-01 00:00:00.000000',"
                  " '2026-01-01 00:00:01.000000' FROM trials;"
                  "INSERT INTO trial_values (trial_id, objective, value,"
                  " value_type) SELECT max(trial_id), 0, 0.0009765625,"
                  " 'FINITE' FROM trials");
    EXPECT(&h, 0, "this is trial 5", "enqueue", "ours", "x=0.5");
    home_wait_state(&h, "ours", "finished", 60);
    EXPECT(&h, 0, "0.0009766", "trials", "ours");
    EXPECT(&h, 0, "6/6", "studies");
    home_kill_daemon(&h);
    home_start(&h, two);
    home_replays(&h, "ours");
    home_fini(&h);
}
END_TEST

/* Rows that others wrote are worth a backup, the second as the first. */
START_TEST(what_others_write_is_backed_up)
{
    struct home h;
    static const char *const often[] = {"--workers", "1", "--backup-every", "1",
                                        NULL};
    home_init(&h);
    home_start(&h, often);
    for (int id = 1; id <= 2; id++) {
        char *rows = mem_printf("INSERT INTO studies VALUES (%d, 'theirs %d');"
                                "INSERT INTO study_directions (direction,"
                                " study_id, objective) VALUES"
                                " ('MINIMIZE', %d, 0)",
                                id, id, id);
        char *look =
            mem_printf("for i in $(seq 100); do sleep 0.2;"
                       " for f in '%s'/backups/parzen-*.db; do"
                       " sqlite3 \"$f\" 'SELECT study_name FROM studies'"
                       " 2>/dev/null | grep -q 'theirs %d' && exit 0;"
                       " done; done; exit 1",
                       h.state, id);
        home_exec(&h, rows);
        ck_assert_msg(system(look) == 0, "no backup has study %d", id);
        free(look);
        free(rows);
    }
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* One process of it after the other, and many commands in between. */
START_TEST(optuna_works_beside_us)
{
    struct home h;
    if (!optuna_is_here("e2e/optuna_both")) {
        return;
    }
    home_init(&h);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", "--detach", config(&h, "p", 200, PARAMS));
    char *command =
        mem_printf("/usr/bin/python3 tests/e2e/optuna_goes_on.py"
                   " '%s/parzen.db' p 30 >/dev/null 2>&1 &"
                   " /usr/bin/python3 tests/e2e/optuna_goes_on.py"
                   " '%s/parzen.db' o 30 left >/dev/null 2>&1; wait",
                   h.state, h.state);
    FILE *f = popen(command, "re");
    free(command);
    for (int i = 0; i < 20; i++) {
        char *name = mem_printf("s%d", i);
        EXPECT(&h, 0, NULL, "run", "--detach", config(&h, name, 1, PARAMS));
        EXPECT(&h, 0, NULL, "enqueue", name, "x=0.5");
        EXPECT(&h, 0, NULL, "studies");
        free(name);
    }
    ck_assert_int_eq(pclose(f), 0);
    home_wait_state(&h, "p", "finished", 60);
    EXPECT(&h, 0, NULL, "studies"); /* which takes in the last of it */
    ck_assert_int_ge(home_count(&h, "SELECT count(*) FROM parzen_events"
                                    " WHERE kind = 'ADOPT_TRIAL'"),
                     30);
    ck_assert_int_eq(home_count(&h,
                                "SELECT count(*) FROM trials t JOIN studies"
                                " s USING (study_id) WHERE study_name = 'o'"),
                     32);
    home_kill_daemon(&h);
    home_start(&h, two);
    home_replays(&h, "p");
    home_fini(&h);
}
END_TEST

/* Another program's lock, for so long from when this returns. */
static pid_t hold_database(const struct home *h, int ms)
{
    int ready[2];
    char byte = 0;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sqlite3 *db;
        char *path = mem_printf("%s/parzen.db", h->state);
        bool is_held =
            sqlite3_open(path, &db) == SQLITE_OK &&
            sqlite3_busy_timeout(db, 10000) == SQLITE_OK &&
            sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
        is_held = write(ready[1], "x", 1) == 1 && is_held;
        home_sleep_ms(ms);
        _exit(is_held ? 0 : 1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void expect_let_go(pid_t pid)
{
    int status = -1;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* It fails no command and no trial. */
START_TEST(a_lock_is_waited_for)
{
    static const char *const DONE[][5] = {{"pause", "p"},
                                          {"resume", "p"},
                                          {"stop", "p", "--now"},
                                          {"resume", "p"},
                                          {"enqueue", "p", "x=0.5"},
                                          {"retry", "failing"},
                                          {"delete", "d", "--yes"}};
    struct home h;
    home_init(&h);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", config(&h, "d", 2, PARAMS));
    free(home_expect(
        &h, 0, NULL,
        (const char *const[]){
            "run", "--detach",
            home_file(&h, "f.json",
                      "{\"study\": \"failing\", \"n_trials\": 2,"
                      " \"stop\": {\"max_failures\": 1}, \"objective\":"
                      " {\"type\": \"command\", \"direction\": \"minimize\","
                      " \"command\": [\"false\"]},"
                      " \"params\": {\"x\": {\"float\": [0, 1]}}}"),
            NULL}));
    home_wait_state(&h, "failing", "failed", 60);
    pid_t held = hold_database(&h, 4000);
    struct outcome o =
        CLI(&h, 40, "run", "--detach", config(&h, "p", 1000, PARAMS));
    ck_assert_msg(o.code == 0, "%s", o.err);
    ck_assert_msg(strstr(o.err, "waiting, for at most 30 s") != NULL, "%s",
                  o.err);
    outcome_fini(&o);
    expect_let_go(held);
    for (size_t i = 0; i < ARRAY_LEN(DONE); i++) {
        held = hold_database(&h, 1200);
        o = home_cli(&h, 40, DONE[i]);
        ck_assert_msg(o.code == 0, "%s: %s", DONE[i][0], o.err);
        outcome_fini(&o);
        expect_let_go(held);
    }
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials t JOIN studies"
                                    " s USING (study_id) WHERE state = 'FAIL'"
                                    " AND study_name = 'p'"),
                     0);
    EXPECT(&h, 0, NULL, "doctor");
    home_fini(&h);
}
END_TEST

/* --- the database of Optuna 5 ----------------------------------------------
 */

START_TEST(a_file_of_optuna_5_is_looked_at)
{
    struct home h;
    home_init(&h);
    copy_golden(&h, "o.db");
    char *db = mem_printf("%s/o.db", h.dir);
    EXPECT(&h, 0, "8/8", "studies", "--db", db);
    EXPECT(&h, 0,
           "Not listed: study 'm1' of Optuna's: it has 2 objectives, "
           "not one\n",
           "studies", "--db", db);
    EXPECT(&h, 0, "66.475", "trials", "s1", "--db", db);
    EXPECT(&h, 0, "PRUNED", "trials", "s1", "--state", "PRUNED", "--db", db);
    EXPECT(&h, 0, "0.5187", "importances", "s1", "--db", db);
    EXPECT(&h, 0, "\"number\":7", "--json", "show", "s1", "7", "--db", db);
    EXPECT(&h, 0, "   3  0.5625\n", "show", "s1", "0", "--db", db);
    EXPECT(&h, 1,
           "study 'm1' is Optuna's, and Parzen cannot show it: it has 2 "
           "objectives, not one\n",
           "status", "m1", "--db", db);
    EXPECT(&h, 1, "has 2 objectives", "trials", "m1", "--db", db);
    EXPECT(&h, 1, "has 2 objectives", "replay", "m1", "--db", db);
    EXPECT(&h, 4, "no study named 'm2'", "status", "m2", "--db", db);
    EXPECT(&h, 2, "needs a daemon", "pause", "s1", "--db", db);
    char *same = mem_printf("cmp tests/golden/optuna-5.0.db '%s'", db);
    ck_assert_int_eq(system(same), 0); /* not a byte was changed */
    free(same);
    free(db);
    home_fini(&h);
}
END_TEST

START_TEST(a_study_of_optuna_5_goes_on)
{
    struct home h;
    home_init(&h);
    make_state(&h);
    copy_golden(&h, "state/parzen.db");
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "resume", "s1", "--trials", "20", "--config",
           config(&h, "other name", 10,
                  "\"x\": {\"float\": [-10, 10]},"
                  "\"lr\": {\"float\": [1e-5, 0.1], \"log\": true},"
                  "\"q\": {\"float\": [0, 1], \"step\": 0.25},"
                  "\"n\": {\"int\": [1, 10]},"
                  "\"ns\": {\"int\": [1, 10], \"step\": 3},"
                  "\"nl\": {\"int\": [1, 100], \"log\": true},"
                  "\"c\": {\"choice\": [\"a\", \"b\", null, 1, 2.5, true]}"));
    home_wait_state(&h, "s1", "finished", 60);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials WHERE study_id"
                                    " = 1 AND number BETWEEN 0 AND 19"),
                     20);
    home_replays(&h, "s1");
    home_fini(&h);
}
END_TEST

/* --- snapshots ---------------------------------------------------------------
 */

START_TEST(a_snapshot_is_optunas_alone)
{
    struct home h;
    home_init(&h);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", config(&h, "one", 5, PARAMS));
    EXPECT(&h, 0, NULL, "run", "--detach", config(&h, "two", 400, PARAMS));
    char *file = mem_printf("%s/f.db", h.dir);
    EXPECT(&h, 0, NULL, "export", "two", "--optuna", file); /* it runs */
    EXPECT(&h, 1, "--force", "export", "one", "--optuna", file);
    EXPECT(&h, 4, "no study", "export", "six", "--optuna", file, "--force");
    EXPECT(&h, 0, "5 trials", "export", "one", "--optuna", file, "--force",
           "--stamp", "3.1");
    EXPECT(&h, 0, "5/5", "studies", "--db", file);
    EXPECT(&h, 0, "it has no config", "status", "one", "--db", file);
    char *list = mem_printf("test \"$(ls '%s' | grep -c tmp)\" = 0", h.dir);
    ck_assert_int_eq(system(list), 0);
    if (optuna_is_here("e2e/optuna_both")) {
        /* 3.1, without skip_compatibility_check */
        char *command = mem_printf(
            "/usr/bin/python3 -W ignore -c \"import optuna; s ="
            " optuna.load_study(study_name=None, storage='sqlite:///%s');"
            " assert len(s.trials) == 5 and s.study_name == 'one'; s.ask()\"",
            file);
        ck_assert_int_eq(system(command), 0);
        free(command);
    }
    free(list);
    free(file);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/optuna_both");
    TCase *c = tcase_create("both");
    tcase_set_timeout(c, 200);
    tcase_add_test(c, from_optuna_to_us);
    tcase_add_test(c, from_us_to_optuna_and_back);
    tcase_add_test(c, what_others_write_is_known_at_once);
    tcase_add_test(c, what_others_write_is_backed_up);
    tcase_add_test(c, optuna_works_beside_us);
    tcase_add_test(c, a_lock_is_waited_for);
    tcase_add_test(c, a_file_of_optuna_5_is_looked_at);
    tcase_add_test(c, a_study_of_optuna_5_goes_on);
    tcase_add_test(c, a_snapshot_is_optunas_alone);
    suite_add_tcase(s, c);
    return s;
}
