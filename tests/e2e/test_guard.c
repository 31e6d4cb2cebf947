/* A state directory that has lost something: the daemon says so and touches
 * nothing, the doctor names it, and what is put back goes on. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINISH_S = 60 };

static struct home h;
static const char *const one[] = {"--workers", "1", NULL};

/* A study under way, its daemon killed: the last rows are in the WAL. */
static void begin(void)
{
    home_init(&h);
    home_data(&h, 400, 4);
    home_start(&h, one);
    home_post(&h, home_config(&h, "kept", "\"n_trials\": 3,",
                              "\"max_epochs\": 4, \"batch_size\": 2,"));
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 2, 20000));
}

static void finish(const char *context)
{
    home_start(&h, one);
    home_wait_state(&h, "kept", "finished", FINISH_S);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_check(&h, context);
    home_fini(&h);
}

static void rename_in_state(const char *from, const char *to)
{
    char *a = mem_printf("%s/%s", h.state, from);
    char *b = mem_printf("%s/%s", h.state, to);
    ck_assert_int_eq(rename(a, b), 0);
    free(a);
    free(b);
}

static void remove_in_state(const char *name)
{
    char *path = mem_printf("%s/%s", h.state, name);
    unlink(path);
    free(path);
}

static void start_is_refused(int code, const char *says)
{
    char *err;
    int got = home_start_fails(&h, one, &err);
    ck_assert_msg(got == code, "exit %d, expected %d: %s", got, code, err);
    ck_assert_msg(strstr(err, says) != NULL, "does not say \"%s\": %s", says,
                  err);
    free(err);
}

START_TEST(a_lost_wal_stops_the_daemon)
{
    begin();
    home_kill_daemon(&h);
    rename_in_state("parzen.db-wal", "hidden");
    start_is_refused(1, "was acknowledged: its -wal file is gone");
    EXPECT(&h, 1, "was acknowledged: its -wal file is gone", "doctor");
    start_is_refused(1, "was acknowledged"); /* looking changed nothing */
    remove_in_state("parzen.db-wal");
    remove_in_state("parzen.db-shm");
    rename_in_state("hidden", "parzen.db-wal");
    EXPECT(&h, 0, NULL, "doctor");
    finish("a WAL that came back");
}
END_TEST

static int daemon_ends(void)
{
    int status;
    ck_assert_int_eq(waitpid(h.daemon, &status, 0), h.daemon);
    h.daemon = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* While it runs: it ends by itself, and all of it is in a file. */
START_TEST(a_database_removed_under_a_daemon_is_rescued)
{
    begin();
    remove_in_state("parzen.db");
    ck_assert_int_eq(daemon_ends(), 74);
    start_is_refused(1, ".rescued-");
    char *find = mem_printf("mv %s/parzen.db.rescued-* %s/parzen.db && "
                            "rm -f %s/parzen.db-wal %s/parzen.db-shm",
                            h.state, h.state, h.state, h.state);
    ck_assert_int_eq(system(find), 0);
    free(find);
    EXPECT(&h, 0, NULL, "doctor");
    finish("a database that was rescued");
}
END_TEST

/* As a daemon that was paused, lost its locks and woke up: another life has
 * begun meanwhile. */
START_TEST(a_daemon_whose_life_is_over_writes_nothing)
{
    begin();
    home_exec(&h, "INSERT INTO parzen_lives VALUES (2, 0, NULL)");
    ck_assert_int_eq(daemon_ends(), 69);
    ck_assert_int_eq(home_count(&h, "SELECT max(life) FROM parzen_events"), 1);
    finish("a daemon taken over");
}
END_TEST

/* Removing the lock file of a daemon that lives admits no second one. */
START_TEST(the_lock_file_is_not_the_lock)
{
    begin();
    remove_in_state("lock");
    start_is_refused(69, "another parzend works in");
    ck_assert(home_answers(&h));
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    finish("a lock file removed");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/guard");
    TCase *c = tcase_create("guard");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_lost_wal_stops_the_daemon);
    tcase_add_test(c, a_database_removed_under_a_daemon_is_rescued);
    tcase_add_test(c, a_daemon_whose_life_is_over_writes_nothing);
    tcase_add_test(c, the_lock_file_is_not_the_lock);
    suite_add_tcase(s, c);
    return s;
}
