/* How a command ends, and what goes with it. */
#include "core/base/mem.h"
#include "tests/lib/home.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const two_workers[] = {"--workers", "2", NULL};

/* Its log tells its attempts apart: what stands before the second's first
 * line, and that nothing does before the first's. */
static void check_log_of_two(const struct home *h)
{
    char *log = home_expect(h, 0, NULL,
                            (const char *const[]){"log", "again", "0", NULL});
    int n = 0;
    (void)sscanf(log,
                 "try 1\ntrial 0 failed: it was interrupted (exit 130)\n"
                 "--- attempt 2, %*d-%*d-%*d %*d:%*d:%*d UTC ---\ntry 2\n%n",
                 &n);
    ck_assert_msg(n > 0, "the log is: %s", log);
    free(log);
}

/* Exit 130 is tried again, with the folder that it left. */
START_TEST(an_interrupted_command_goes_on)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(
        &h,
        home_command(&h, "again", "\"n_trials\":1,", "",
                     "cd $PARZEN_CHECKPOINT_DIR\n"
                     "echo try $PARZEN_ATTEMPT\n"
                     "test -f began || { touch began; exit 130; }\n"
                     "echo \"parzen: {\\\"value\\\": $PARZEN_ATTEMPT}\"\n"),
        0);
    ck_assert_int_eq(home_count(&h, "SELECT CAST(value AS INTEGER) FROM"
                                    " trial_values"),
                     2);
    check_log_of_two(&h);
    home_fini(&h);
}
END_TEST

/* Whatever a program makes of its folder, its next attempt has one, and nobody
 * waits for a disk that is well. Nothing outside is touched. */
START_TEST(a_wrecked_folder_is_made_anew)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(&h,
             home_command(
                 &h, "wrecked", "\"n_trials\":6,", "",
                 "d=$PARZEN_CHECKPOINT_DIR t=${PARZEN_CHECKPOINT_DIR%/*}\n"
                 "if [ $PARZEN_ATTEMPT = 1 ]; then\n"
                 "case $PARZEN_TRIAL in\n"
                 "0) rm -r $d; : >$d;;\n"
                 "1) rm -r $d; mkfifo $d;;\n"
                 "2) rm -r $d; mkdir away; : >away/kept; ln -s $PWD/away $d;;\n"
                 "3) rm -r $t; : >$t;;\n"
                 "4) rm $d/params.json; mkdir -p $d/params.json/x\n"
                 "   mkfifo $d/params.json.tmp;;\n"
                 "5) chmod 0 $d;;\n"
                 "esac\n"
                 "exit 130\n"
                 "fi\n"
                 "test \"$(stat -c '%F %a' $d)\" = 'directory 700' &&\n"
                 "test \"$(ls -A $d)\" = params.json &&\n"
                 "test -f $d/params.json &&\n"
                 "echo 'parzen: {\"value\": 1}'\n"),
             0);
    EXPECT(&h, 0, NULL, "doctor");
    char *away = mem_printf("test \"$(ls -A %s/away)\" = kept", h.dir);
    ck_assert_int_eq(system(away), 0);
    free(away);
    home_fini(&h);
}
END_TEST

/* A program that is mended and tried again begins anew, and tells another
 * curve; the pruner looks at that one, and so does Optuna. */
START_TEST(a_mended_command_tells_its_own_curve)
{
    struct home h;
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    home_run(
        &h,
        home_command(&h, "mended",
                     "\"n_trials\":1,\"stop\":{\"max_failures\":1},", "",
                     "for i in 1 2 3 4 5; do\n"
                     "test -f mended && v=0.$i || v=100$i\n"
                     "test -f mended && test $i = 4 && break\n"
                     "echo \"parzen: {\\\"step\\\": $i, \\\"value\\\": $v}\"\n"
                     "done\n"
                     "test -f mended\n"),
        1);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM"
                                    " trial_intermediate_values"),
                     5);
    (void)home_file(&h, "mended", "");
    EXPECT(&h, 0, NULL, "retry", "mended");
    home_wait_state(&h, "mended", "finished", 60);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM"
                                    " trial_intermediate_values WHERE"
                                    " intermediate_value < 1"),
                     3);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM"
                                    " trial_intermediate_values"),
                     3);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trials WHERE state = 'COMPLETE'"),
        1);
    EXPECT(&h, 0, NULL, "doctor");
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* The number that a script wrote into a file of its folder. */
static pid_t pid_in(const struct home *h, const char *file)
{
    char *path = mem_printf("%s/%s", h->dir, file);
    FILE *f = fopen(path, "r");
    int pid = 0;
    ck_assert_msg(f != NULL && fscanf(f, "%d", &pid) == 1, "%s", path);
    fclose(f);
    free(path);
    return pid;
}

static bool is_alive(const struct home *h, const char *file)
{
    return home_is_alive(pid_in(h, file));
}

static bool is_soon_gone(pid_t pid)
{
    for (int i = 0; i < 100 && home_is_alive(pid); i++) {
        home_sleep_ms(20);
    }
    return !home_is_alive(pid);
}

/* Whatever ends the worker ends the command and its children. */
START_TEST(nothing_of_a_killed_command_is_left)
{
    struct home h;
    pid_t pids[HOME_MAX_WORKERS];
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    struct outcome o =
        CLI(&h, 30, "run", "--detach",
            home_command(&h, "long", "\"n_trials\":1,", "",
                         "sleep 1000 & echo $! >child\n"
                         "echo $$ >self\n"
                         "echo 'parzen: {\"step\": 0, \"value\": 1}'\n"
                         "wait\n"));
    ck_assert_msg(o.code == 0, "%s", o.err);
    outcome_fini(&o);
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 1, 20000));
    ck_assert(is_alive(&h, "child") && is_alive(&h, "self"));
    ck_assert_int_eq(home_workers(&h, pids), 1);
    kill(pids[0], SIGKILL);
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM parzen_attempts WHERE"
                        " ended_ms IS NOT NULL",
                        1, 20000));
    home_sleep_ms(200);
    ck_assert(!is_alive(
        &h, "child")); /* the next attempt writes anew in its own time */
    home_fini(&h);
}
END_TEST

/* The parent of the command is the guardian between it and the worker. */
START_TEST(a_killed_guardian_is_not_the_commands_fault)
{
    struct home h;
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    struct outcome o = CLI(
        &h, 30, "run", "--detach",
        home_command(&h, "guarded", "\"n_trials\":1,", "",
                     "if test $PARZEN_ATTEMPT = 1; then\n"
                     "  echo $PPID >guardian\n"
                     "  sh -c 'echo $$ >child;"
                     " echo \"parzen: {\\\"step\\\": 0, \\\"value\\\": 1}\";"
                     " sleep 9999; true'\n"
                     "fi\n"
                     "echo 'parzen: {\"value\": 5}'\n"));
    ck_assert_msg(o.code == 0, "%s", o.err);
    outcome_fini(&o);
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 1, 20000));
    pid_t child = pid_in(&h, "child");
    ck_assert(home_is_alive(child));
    ck_assert_int_eq(kill(pid_in(&h, "guardian"), SIGKILL), 0);
    ck_assert(is_soon_gone(child));
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM parzen_trials JOIN trials USING"
                        " (trial_id) WHERE state = 'COMPLETE' AND attempt = 2",
                        1, 20000));
    home_fini(&h);
}
END_TEST

/* One that is stopped neither keeps a trial for ever nor costs it its value. */
START_TEST(a_stopped_guardian_holds_nothing_up)
{
    static const struct {
        const char *limits, *script, *state, *cause;
    } ways[] = {
        {"", "kill -STOP $PPID; echo 'parzen: {\"value\": 5}'\n", "COMPLETE",
         "none"},
        {"\"timeout_seconds\": 0.5,",
         "kill -STOP $PPID; sleep 0.2; sleep 9999\n", "FAIL", "timeout"},
        {"\"timeout_seconds\": 0.5,",
         "export P=$PPID; (setsid sh -c 'while :; do kill -STOP $P; done' &)\n"
         "sleep 9999\n",
         "FAIL", "timeout"}};
    struct home h;
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    bool is_done = strcmp(ways[_i].cause, "none") == 0;
    home_run(&h,
             home_command(&h, "stopped",
                          "\"n_trials\":1,\"stop\":{\"max_failures\":1},",
                          ways[_i].limits, ways[_i].script),
             is_done ? 0 : 1);
    char *sql =
        mem_printf("SELECT count(*) FROM trials JOIN parzen_trials USING"
                   " (trial_id) WHERE state = '%s' AND cause = '%s'"
                   " AND attempt = 1",
                   ways[_i].state, ways[_i].cause);
    ck_assert_int_eq(home_count(&h, sql), 1);
    free(sql);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

static bool is_soon_reaped(pid_t pid)
{
    for (int i = 0; i < 3000 && kill(pid, 0) == 0; i++) {
        home_sleep_ms(20);
    }
    return kill(pid, 0) != 0;
}

/* The first attempt leaves two processes in sessions of their own, tells where
 * they are, and hangs. */
static const char LEAVES[] =
    "if test $PARZEN_ATTEMPT = 1; then\n"
    "  echo $PPID >guardian\n"
    "  (setsid sh -c 'setsid sleep 9999 & echo $! >child;"
    " echo $$ >parent.new; mv parent.new parent; wait' &)\n"
    "  until test -e parent; do sleep 0.02; done\n"
    "  echo 'parzen: {\"step\": 0, \"value\": 1}'\n"
    "  sleep 9999\n"
    "fi\n"
    "echo 'parzen: {\"value\": 5}'\n";

/* Guardian and worker at once: none of them can do anything about what the
 * command left, here in sessions of its own. */
START_TEST(what_nobody_guards_is_the_daemons_to_end)
{
    struct home h;
    pid_t worker[HOME_MAX_WORKERS];
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    EXPECT(&h, 0, NULL, "run", "--detach",
           home_command(&h, "left", "\"n_trials\":1,", "", LEAVES));
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 1, 20000));
    pid_t child = pid_in(&h, "child"), parent = pid_in(&h, "parent");
    ck_assert(home_is_alive(child) && home_is_alive(parent));
    ck_assert_int_eq(home_workers(&h, worker), 1);
    ck_assert_int_eq(kill(worker[0], SIGSTOP), 0);
    ck_assert_int_eq(kill(pid_in(&h, "guardian"), SIGKILL), 0);
    ck_assert_int_eq(kill(worker[0], SIGKILL), 0);
    ck_assert(is_soon_reaped(parent) && is_soon_reaped(child));
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM parzen_trials JOIN trials USING"
                        " (trial_id) WHERE state = 'COMPLETE' AND attempt = 2",
                        1, 20000));
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* Daemon, worker and guardian at once: the next daemon ends what the command
 * left, before it tries it again. */
START_TEST(what_everybody_left_is_the_next_daemons_to_end)
{
    static const char *const one[] = {"--workers", "1", NULL};
    struct home h;
    pid_t worker[HOME_MAX_WORKERS];
    home_init(&h);
    home_start(&h, one);
    EXPECT(&h, 0, NULL, "run", "--detach",
           home_command(&h, "left", "\"n_trials\":1,", "", LEAVES));
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 1, 20000));
    pid_t child = pid_in(&h, "child"), parent = pid_in(&h, "parent");
    pid_t guardian = pid_in(&h, "guardian");
    ck_assert_int_eq(home_workers(&h, worker), 1);
    const pid_t all[] = {h.daemon, worker[0], guardian};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        ck_assert_int_eq(kill(all[i], SIGSTOP), 0);
    }
    for (size_t i = ARRAY_LEN(all); i-- > 1;) {
        ck_assert_int_eq(kill(all[i], SIGKILL), 0);
    }
    home_kill_daemon(&h);
    ck_assert(home_is_alive(child) && home_is_alive(parent));
    home_start(&h, one);
    for (int i = 0; i < 3000 && (home_is_alive(child) || home_is_alive(parent));
         i++) {
        home_sleep_ms(20);
    }
    ck_assert(!home_is_alive(child) && !home_is_alive(parent));
    home_wait_state(&h, "left", "finished", 30);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* A pause of the study: SIGTERM, and the trial is put back. */
START_TEST(a_stopped_command_is_asked_to_end)
{
    struct home h;
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    struct outcome o =
        CLI(&h, 30, "run", "--detach",
            home_command(&h, "asked", "\"n_trials\":1,", "",
                         "trap 'echo asked >asked; exit 0' TERM\n"
                         "echo 'parzen: {\"step\": 0, \"value\": 1}'\n"
                         "while true; do sleep 0.05; done\n"));
    outcome_fini(&o);
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 1, 20000));
    o = CLI(&h, 30, "stop", "asked", "--now");
    ck_assert_msg(o.code == 0, "%s", o.err);
    outcome_fini(&o);
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM trials WHERE state ="
                        " 'WAITING'",
                        1, 20000));
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_trials WHERE"
                                    " cause = 'interrupted'"),
                     1);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("ends of commands");
    TCase *t = tcase_create("ends");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, an_interrupted_command_goes_on);
    tcase_add_test(t, a_wrecked_folder_is_made_anew);
    tcase_add_test(t, a_mended_command_tells_its_own_curve);
    tcase_add_test(t, nothing_of_a_killed_command_is_left);
    tcase_add_test(t, a_killed_guardian_is_not_the_commands_fault);
    tcase_add_loop_test(t, a_stopped_guardian_holds_nothing_up, 0, 3);
    tcase_add_test(t, what_everybody_left_is_the_next_daemons_to_end);
    tcase_add_test(t, what_nobody_guards_is_the_daemons_to_end);
    tcase_add_test(t, a_stopped_command_is_asked_to_end);
    suite_add_tcase(s, t);
    return s;
}
