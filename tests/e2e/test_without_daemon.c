/* What can be seen of a study while no daemon runs, and what is said of it. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct home h;
static char db[512];

static const char *const one[] = {"--workers", "1", NULL};

static void begin(void)
{
    home_init(&h);
    snprintf(db, sizeof(db), "%s/parzen.db", h.state);
}

/* A study of one trial that prints a line of its own; then nobody is there. */
static void begin_finished(void)
{
    begin();
    home_start(&h, one);
    home_run(&h,
             home_command(&h, "kept", "\"n_trials\":1,", "",
                          "echo these words\n"
                          "echo 'parzen: {\"value\": 1}'\n"),
             0);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
}

static void says_nothing_of_db(const char *command)
{
    struct outcome o = CLI(&h, 30, command, "kept");
    ck_assert_int_eq(o.code, 3);
    ck_assert_msg(strstr(o.err, "--db") == NULL, "%s", o.err);
    outcome_fini(&o);
}

START_TEST(the_file_is_named_that_can_be_read)
{
    begin();
    says_nothing_of_db("status"); /* there is none */
    home_fini(&h);
    begin_finished();
    char *says = mem_printf("read its database with --db %s\n", db);
    EXPECT(&h, 3, says, "studies");
    EXPECT(&h, 3, says, "status", "kept");
    EXPECT(&h, 3, says, "trials", "kept");
    EXPECT(&h, 3, says, "show", "kept", "0");
    EXPECT(&h, 3, says, "best", "kept");
    EXPECT(&h, 3, says, "log", "kept", "0");
    says_nothing_of_db("pause"); /* which no file can do */
    says_nothing_of_db("watch");
    free(says);
    home_fini(&h);
}
END_TEST

/* Where that trial's log is. */
static const char *log_path(void)
{
    static char path[512];
    snprintf(path, sizeof(path), "%s/checkpoints/1/0/log", h.state);
    return path;
}

/* file NULL: the daemon is asked. */
static void says_no_log(const char *folder, const char *file)
{
    char *says =
        mem_printf("No log of trial 0 of study 'kept' is in %s.\n", folder);
    EXPECT(&h, 0, says, "log", "kept", "0", file != NULL ? "--db" : NULL, file);
    free(says);
}

START_TEST(a_log_is_found_beside_its_database)
{
    begin_finished();
    EXPECT(&h, 0, "these words\n", "log", "kept", "0", "--db", db);
    EXPECT(&h, 0, "{\"lines\":[\"these words\",", "--json", "log", "kept", "0",
           "--db", db);
    EXPECT(&h, 0, "{\"lines\":[\"parzen: {", "--json", "log", "kept", "0",
           "--bytes", "25", "--db", db);
    EXPECT(&h, 4, "no trial 7", "log", "kept", "7", "--db", db);
    EXPECT(&h, 4, "no study named 'x'", "log", "x", "0", "--db", db);
    char *copy = mem_printf("%s/copy.db", h.dir);
    EXPECT(&h, 0, "for Optuna 5 (--stamp 3.1: for 3.1)\n", "export", "kept",
           "--optuna", copy, "--db", db);
    EXPECT(&h, 0, "for Optuna 3.1\n", "export", "kept", "--optuna", copy,
           "--db", db, "--stamp", "3.1", "--force");
    says_no_log(h.dir, copy);
    free(copy);
    home_fini(&h);
}
END_TEST

START_TEST(a_missing_log_is_said_to_be)
{
    begin_finished();
    ck_assert_int_eq(unlink(log_path()), 0);
    says_no_log(h.state, db);
    home_start(&h, one);
    says_no_log(h.state, NULL);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* That is no wrong usage. */
START_TEST(a_log_that_is_no_file_is_said_to_be)
{
    char *says = NULL;
    begin_finished();
    says = mem_printf("%s: not a regular file", log_path());
    ck_assert_int_eq(unlink(log_path()), 0);
    ck_assert_int_eq(mkfifo(log_path(), 0600), 0);
    EXPECT(&h, 1, says, "log", "kept", "0", "--db", db);
    home_start(&h, one);
    EXPECT(&h, 1, says, "log", "kept", "0");
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    free(says);
    home_fini(&h);
}
END_TEST

/* Nor does a start wait for somebody who reads the pipe. */
START_TEST(a_log_that_is_a_pipe_holds_no_start_up)
{
    begin();
    char *path = mem_printf("%s/log", h.state);
    (void)mkdir(h.state, 0700);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    EXPECT(&h, 1, "log: is a pipe, not a regular file", "daemon", "start");
    free(path);
    home_fini(&h);
}
END_TEST

/* The daemon that a sentence speaks of is started by the command in it. */
START_TEST(a_command_to_start_the_daemon_names_its_state)
{
    begin();
    char *start = mem_printf("(parzen --state '%s' daemon start)", h.state);
    EXPECT(&h, 3, start, "studies");
    EXPECT(&h, 3, start, "watch", "kept");
    EXPECT(&h, 3, start, "daemon", "status");
    free(start);
    ck_assert_int_eq(setenv("PARZEN_STATE", h.state, 1), 0);
    EXPECT(&h, 3, "(parzen daemon start)", "studies"); /* it is the usual one */
    ck_assert_int_eq(unsetenv("PARZEN_STATE"), 0);
    home_fini(&h);
}
END_TEST

static void does_not_say(const char *words, const char *const *args)
{
    struct outcome o = home_cli(&h, 30, args);
    ck_assert_int_eq(o.code, 0);
    ck_assert_msg(strstr(o.out, words) == NULL && strstr(o.err, words) == NULL,
                  "%s%s", o.out, o.err);
    outcome_fini(&o);
}

/* A file says the same of a study whether its daemon lives or was killed. */
START_TEST(a_study_that_a_killed_daemon_left_waits_for_another)
{
    static const char *const status[] = {"status", "left", "--db", db, NULL};
    static const char *const studies[] = {"studies", "--db", db, NULL};
    static const char *const doctor[] = {"doctor", NULL};
    begin();
    home_start(&h, one);
    char *script = mem_printf("while ! [ -e %s/go ]; do sleep 0.02; done\n"
                              "echo 'parzen: {\"value\": 1}'\n",
                              h.dir);
    home_post(&h, home_command(&h, "left", "\"n_trials\":1,", "", script));
    free(script);
    ck_assert(home_wait(
        &h, "SELECT count(*) FROM trials WHERE state = 'RUNNING'", 1, 20000));
    does_not_say("daemon start", status);
    does_not_say("daemon start", studies);
    home_kill_daemon(&h);
    char *copy = mem_printf("%s/copy.db", h.dir);
    char *cp = mem_printf("cp %s %s && cp %s-wal %s-wal", db, copy, db, copy);
    const char *const copied[] = {"studies", "--db", copy, NULL};
    ck_assert_int_eq(system(cp), 0);
    EXPECT(&h, 0, "running", "studies", "--db", copy);
    does_not_say("daemon start", copied); /* none would go on with that */
    free(cp);
    free(copy);
    char *start = mem_printf(
        "goes on when one is started (parzen --state '%s' daemon start)",
        h.state);
    EXPECT(&h, 0, start, "status", "left", "--db", db);
    EXPECT(&h, 0, start, "studies", "--db", db);
    free(start);
    EXPECT(&h, 0, "running", "status", "left", "--db", db);
    EXPECT(&h, 0, "daemon start): 'left'", "doctor");
    (void)home_file(&h, "go", "");
    home_start(&h, one);
    home_wait_state(&h, "left", "finished", 30);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    does_not_say("daemon start", status);
    does_not_say("daemon start", studies);
    does_not_say("daemon start", doctor);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/without_daemon");
    TCase *c = tcase_create("without_daemon");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, the_file_is_named_that_can_be_read);
    tcase_add_test(c, a_command_to_start_the_daemon_names_its_state);
    tcase_add_test(c, a_log_is_found_beside_its_database);
    tcase_add_test(c, a_missing_log_is_said_to_be);
    tcase_add_test(c, a_log_that_is_no_file_is_said_to_be);
    tcase_add_test(c, a_log_that_is_a_pipe_holds_no_start_up);
    tcase_add_test(c, a_study_that_a_killed_daemon_left_waits_for_another);
    suite_add_tcase(s, c);
    return s;
}
