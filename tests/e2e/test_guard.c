/* A state directory that has lost something: the daemon says so and touches
 * nothing, the doctor names it, and what is put back goes on. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FINISH_S = 60 };

static struct home h;
static const char *const one[] = {"--workers", "1", NULL};

/* A study under way, its daemon killed: the last rows are in the WAL. */
static void begin_epochs(int n)
{
    char *training = mem_printf("\"max_epochs\": %d, \"batch_size\": 2,", n);
    home_init(&h);
    home_data(&h, 400, 4);
    home_start(&h, one);
    home_post(&h, home_config(&h, "kept", "\"n_trials\": 3,", training));
    free(training);
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 2, 20000));
}

static void begin(void)
{
    begin_epochs(4);
}

/* Optuna's enqueue_trial, and a number that the daemon was about to give: it
 * is adopted, and nobody else's study has to wait for it. */
START_TEST(a_trial_that_optuna_enqueues_meanwhile_is_adopted)
{
    home_init(&h);
    home_start(&h, one);
    for (int i = 0; i < 2; i++) {
        char *config =
            mem_printf("{\"study\": \"s%d\", \"n_trials\": 3000, \"objective\":"
                       " {\"type\": \"function\", \"function\": \"branin\"},"
                       " \"params\": {\"x\": {\"float\": [-5, 10]},"
                       " \"y\": {\"float\": [0, 15]}}}",
                       i);
        EXPECT(&h, 0, NULL, "run", home_file(&h, "s.json", config), "--detach");
        free(config);
    }
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM trials WHERE study_id = 1 "
                        "AND state = 'COMPLETE'",
                        5, 20000));
    home_exec(&h, "BEGIN IMMEDIATE; INSERT INTO trials (number, study_id,"
                  " state) SELECT count(*), 1, 'WAITING' FROM trials WHERE"
                  " study_id = 1;"
                  "INSERT INTO trial_system_attributes (trial_id, key,"
                  " value_json) VALUES (last_insert_rowid(), 'fixed_params',"
                  " '{\"x\": 3.25}'); COMMIT");
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM trial_params p JOIN trials t"
                        " ON t.trial_id = p.trial_id WHERE param_value ="
                        " 3.25 AND state = 'COMPLETE'",
                        1, 30000));
    long long before =
        home_count(&h, "SELECT count(*) FROM trials WHERE study_id"
                       " = 2 AND state = 'COMPLETE'");
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM trials WHERE study_id = 2"
                        " AND state = 'COMPLETE'",
                        before + 5, 20000));
    home_end(&h, "adopted");
}
END_TEST

static void finish(const char *context)
{
    home_start(&h, one);
    home_wait_state(&h, "kept", "finished", FINISH_S);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_check(&h, context);
    EXPECT(&h, 0, NULL, "doctor"); /* a start has collected what was left */
    char *path = mem_printf("%s/checkpoints/1/0/left.ckpt", h.state);
    ck_assert_int_eq(close(creat(path, 0600)), 0); /* as by a killed worker */
    EXPECT(&h, 0, "1 file of no trial will be removed", "doctor");
    home_start(&h, one);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    free(path);
    home_fini(&h);
}

/* An older build took 0.1 * 3 for no 0.3, and left out what hangs on it. */
START_TEST(what_an_older_build_left_out_is_not_missing)
{
    home_init(&h);
    home_start(&h, one);
    char *script = mem_printf("while ! [ -e %s/go ]; do sleep 0.02; done\n"
                              "echo 'parzen: {\"value\": 1}'\n",
                              h.dir);
    const char *path = home_file(&h, "old.sh", script);
    char *config = mem_printf(
        "{\"study\":\"kept\",\"n_trials\":1,\"objective\":{\"type\":"
        "\"command\",\"command\":[\"sh\",\"%s\"]},\"params\":{\"x\":{"
        "\"float\":[0,0.3],\"step\":0.1},\"y\":{\"float\":[0,1],\"when\":"
        "{\"x\":[0,0.1,0.2,0.3]}}}}",
        path);
    home_post(&h, home_file(&h, "old.json", config));
    ck_assert(home_wait(
        &h, "SELECT count(*) FROM trial_params WHERE param_name = 'y'", 1,
        20000));
    home_kill_daemon(&h);
    home_exec(&h, "DELETE FROM trial_params WHERE param_name = 'y'");
    (void)home_file(&h, "go", "");
    home_start(&h, one);
    home_wait_state(&h, "kept", "finished", FINISH_S);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    free(script);
    free(config);
    home_fini(&h);
}
END_TEST

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
    finish("a WAL that came back");
}
END_TEST

static void in_state(const char *command)
{
    char *all = mem_printf("cd %s && %s", h.state, command);
    ck_assert_int_eq(system(all), 0);
    free(all);
}

static const struct {
    const char *harm, *says;
} WAL_ALONE[] = {
    {"cp parzen.db kept && : >parzen.db", "parzen.db: is empty, but"},
    {"cp parzen.db kept && rm parzen.db parzen.db-acked",
     "parzen.db: is missing, but"},
};

/* SQLite would throw it away. */
START_TEST(a_wal_without_its_database_stops_the_daemon)
{
    begin();
    home_kill_daemon(&h);
    in_state("cp parzen.db-wal wal");
    in_state(WAL_ALONE[_i].harm);
    start_is_refused(1, WAL_ALONE[_i].says);
    EXPECT(&h, 1, WAL_ALONE[_i].says, "doctor");
    in_state("cmp wal parzen.db-wal && cat kept >parzen.db");
    finish("a database put back to its WAL");
}
END_TEST

/* Damage that SQLite does not see: rows that contradict each other. */
START_TEST(rows_that_are_wrong_stop_the_daemon)
{
    begin();
    home_kill_daemon(&h);
    home_exec(&h, "UPDATE parzen_events SET attempt = 9"
                  " WHERE kind = 'REPORT'");
    start_is_refused(1, "REPORT by attempt 9");
    EXPECT(&h, 1, "REPORT by attempt 9", "doctor");
    start_is_refused(1, "REPORT by attempt 9"); /* looking changed nothing */
    home_exec(&h, "UPDATE parzen_events SET attempt = 1"
                  " WHERE kind = 'REPORT'");
    finish("rows that were put right");
}
END_TEST

/* A finished trial's number, whether the daemon was killed or not. */
START_TEST(a_changed_result_stops_the_daemon)
{
    begin();
    home_wait_state(&h, "kept", "finished", FINISH_S);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_exec(&h, "UPDATE parzen_epochs SET val_loss = val_loss + 1e-9"
                  " WHERE trial_id = 2 AND epoch = 0");
    start_is_refused(1, "study 'kept', trial 1: a reported value is not what");
    EXPECT(&h, 1, "study 'kept', trial 1: a reported value is not", "doctor");
    home_fini(&h);
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
    finish("a database that was rescued");
}
END_TEST

/* Nothing is left behind that would keep the folder. */
START_TEST(a_folder_removed_under_a_daemon_is_gone)
{
    begin();
    home_wait_state(&h, "kept", "finished", 60); /* nobody else writes there */
    char *remove = mem_printf("rm -rf %s", h.state);
    ck_assert_int_eq(system(remove), 0);
    free(remove);
    ck_assert_int_eq(daemon_ends(), 74);
    ck_assert_int_ne(access(h.state, F_OK), 0);
    home_fini(&h);
}
END_TEST

static const struct {
    const char *harm, *refused;
} EMPTIED[] = {
    {": >parzen.db-wal", "was acknowledged: its -wal file is gone or damaged"},
    {"n=$(stat -c %s parzen.db-wal) && : >parzen.db-wal &&"
     " truncate -s $n parzen.db-wal", /* as in the midst of a commit */
     "was acknowledged: its -wal file is gone or damaged"},
    {": >parzen.db", "parzen.db: is empty, but"},
};

/* In place, where the names stay what they were. */
START_TEST(a_file_emptied_under_a_daemon_ends_it)
{
    begin();
    in_state(EMPTIED[_i].harm);
    ck_assert_int_eq(daemon_ends(), 74);
    start_is_refused(1, EMPTIED[_i].refused);
    EXPECT(&h, 1, EMPTIED[_i].refused, "doctor");
    home_fini(&h);
}
END_TEST

/* What is mapped is cut off: no call fails, the access itself does. */
START_TEST(a_mapped_file_emptied_under_a_daemon_ends_it)
{
    begin();
    in_state(": >parzen.db-shm");
    ck_assert_int_eq(daemon_ends(), 74);
    finish("an index that was emptied");
}
END_TEST

/* As a daemon that was paused, lost its locks and woke up: another life has
 * begun meanwhile. */
START_TEST(a_daemon_whose_life_is_over_writes_nothing)
{
    begin();
    home_exec(&h, "INSERT INTO parzen_lives VALUES (2, 0, NULL)");
    /* its study may be through already: something to write */
    struct outcome o = CLI(&h, 30, "enqueue", "kept", "lr=0.002");
    outcome_fini(&o);
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

/* As by a child of a killed daemon that had not yet become a worker. */
START_TEST(a_lock_that_is_held_for_a_moment_is_waited_for)
{
    int lock, folder;
    struct err err;
    begin();
    home_kill_daemon(&h);
    char *path = mem_printf("%s/lock", h.state);
    ck_assert_int_eq(file_lock(path, &lock, &err), 0);
    ck_assert_int_eq(file_lock_folder(h.state, &folder, &err), 0);
    free(path);
    pid_t child = fork();
    if (child == 0) { /* has both, and then the parent has not */
        usleep(200000);
        _exit(0);
    }
    close(lock);
    close(folder);
    finish("a lock held for a moment");
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

/* --- the files beside the database ---------------------------------------- */

static const struct {
    const char *harm, *says, *mend;
} FILE_ILLS[] = {
    {"chmod 644 token", "token has mode 644, not 600", "chmod 600 token"},
    {"chmod 666 sock", "sock has mode 666, not 600", "chmod 600 sock"},
    {"mv token t && ln -s t token", "token is not a regular file",
     "rm token && mv t token"},
    {"cp -p token t && echo short >token", "token is not 43 characters",
     "cp t token && rm t"},
    {"mv lock l", "runs without it", "mv l lock"},
    {"cp -p lock l && echo 1 >lock", "lock does not name process",
     "cat l >lock && rm l"},
    {"mv port p && mkdir port", "port: is a folder, not a regular file",
     "rmdir port && mv p port"},
    {"touch checkpoints", "checkpoints: is a regular file, not a folder",
     "rm checkpoints"},
    {"mkfifo log", "log: is a pipe, not a regular file", "rm log"},
    {"mv parzen.db-acked a && mkdir parzen.db-acked",
     "parzen.db-acked: is a folder, not a regular file",
     "rmdir parzen.db-acked && mv a parzen.db-acked"},
};

START_TEST(the_doctor_looks_at_the_files)
{
    home_init(&h);
    home_start(&h, one);
    EXPECT(&h, 0, "closed to others", "doctor");
    for (size_t i = 0; i < ARRAY_LEN(FILE_ILLS); i++) {
        in_state(FILE_ILLS[i].harm);
        EXPECT(&h, 1, FILE_ILLS[i].says, "doctor");
        in_state(FILE_ILLS[i].mend);
        EXPECT(&h, 0, NULL, "doctor");
    }
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    EXPECT(&h, 0, "none runs", "doctor");
    home_fini(&h);
}
END_TEST

/* What it would wait for, or not take, at its next start. */
START_TEST(what_a_start_refuses_is_named)
{
    char *err, *log;
    home_init(&h);
    home_start(&h, one);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    log = mem_printf("%s/log", h.state);
    const char *const logged[] = {"--workers", "1", "--log", log, NULL};
    in_state("mkfifo log");
    ck_assert_int_eq(home_start_fails(&h, logged, &err), 1);
    ck_assert_msg(strstr(err, "log is a pipe;") != NULL, "%s", err);
    free(err);
    in_state("rm log && mv $PWD $PWD.real && ln -s $PWD.real $PWD");
    start_is_refused(1, "is a symbolic link, not a folder");
    EXPECT(&h, 1, "is a symbolic link, not a folder", "doctor");
    in_state("rm $PWD && mv $PWD.real $PWD");
    EXPECT(&h, 0, NULL, "doctor");
    free(log);
    home_fini(&h);
}
END_TEST

/* Whatever the state directory is like, and whether its daemon runs. */
START_TEST(the_doctor_looks_at_a_file_alone)
{
    home_init(&h);
    home_start(&h, one);
    char *db = mem_printf("%s/parzen.db", h.state);
    EXPECT(&h, 0, "can be read: 0 studies", "doctor", "--db", db);
    in_state(FILE_ILLS[0].harm);
    EXPECT(&h, 0, "can be read: 0 studies", "doctor", "--db", db);
    EXPECT(&h, 1, "not an SQLite database", "doctor", "--db",
           home_file(&h, "text.db", "no database, but a text\n"));
    EXPECT(&h, 2, "none.db: No such file", "doctor", "--db", "none.db");
    EXPECT(&h, 2, "none.db: No such file", "trials", "x", "--db", "none.db");
    EXPECT(&h, 2, "none.db: No such file", "replay", "x", "--db", "none.db");
    free(db);
    home_kill_daemon(&h);
    home_fini(&h);
}
END_TEST

static bool is_in_state(const char *name)
{
    char *path = mem_printf("%s/%s", h.state, name);
    bool is_there = access(path, F_OK) == 0;
    free(path);
    return is_there;
}

/* A second one, started by mistake, does not take the first one's log away. */
START_TEST(a_refused_daemon_leaves_the_log)
{
    char log[400], *err;
    home_init(&h);
    snprintf(log, sizeof(log), "%s/log", h.state);
    const char *const logged[] = {"--workers", "1", "--log", log, NULL};
    home_start(&h, logged);
    ck_assert_int_eq(truncate(log, 11 << 20), 0);
    ck_assert_int_eq(home_start_fails(&h, logged, &err), 69);
    free(err);
    ck_assert(!is_in_state("log.1"));
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_start(&h, logged);
    ck_assert(is_in_state("log.1"));
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    ck_assert(is_in_state("log"));
    home_fini(&h);
}
END_TEST

/* --- backups -------------------------------------------------------------- */

static void damage(const char *name)
{
    char *path = mem_printf("%s/%s", h.state, name), page[4096];
    memset(page, 0x5a, sizeof(page));
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 5 * 4096, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(page, 1, sizeof(page), f), sizeof(page));
    fclose(f);
    free(path);
}

/* Made while it works; named when it is needed; gone back to. */
START_TEST(a_damaged_database_names_its_backup)
{
    static const char *const often[] = {"--workers", "1", "--backup-every", "1",
                                        NULL};
    home_init(&h);
    home_data(&h, 400, 4);
    home_start(&h, often);
    home_post(&h, home_config(&h, "kept", "\"n_trials\": 3,",
                              "\"max_epochs\": 4, \"batch_size\": 2,"));
    home_wait_state(&h, "kept", "finished", FINISH_S);
    home_sleep_ms(2500);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    in_state("test $(ls backups/parzen-*.db | wc -l) -ge 1");
    in_state("test $(ls backups | wc -l) -le 3");
    EXPECT(&h, 0, NULL, "doctor");
    damage("parzen.db");
    start_is_refused(1, "The newest whole backup is ");
    in_state("touch parzen.db.rescued-1001 && cp"
             " $(ls backups/parzen-*.db | tail -1) parzen.db.rescued-99");
    start_is_refused(1, "The newest whole rescued copy is ");
    in_state("rm parzen.db.rescued-*");
    EXPECT(&h, 1, "damaged", "doctor");
    in_state("mkdir aside && mv parzen.db* aside/ &&"
             " cp $(ls backups/parzen-*.db | tail -1) parzen.db");
    EXPECT(&h, 0, NULL, "doctor");
    finish("a database from a backup");
}
END_TEST

START_TEST(a_damaged_backup_is_named)
{
    begin();
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    in_state(
        "mkdir -p backups && cp parzen.db backups/parzen-20260101T000000Z.db"
        " && cp parzen.db backups/parzen-20260102T000000Z.db");
    EXPECT(&h, 0, NULL, "doctor");
    damage("backups/parzen-20260102T000000Z.db");
    EXPECT(&h, 1, "[20]", "doctor");
    damage("parzen.db");
    start_is_refused(1, "parzen-20260101T000000Z.db"); /* the whole one */
    home_fini(&h);
}
END_TEST

/* --- a store that takes nothing for a while ------------------------------- */

START_TEST(a_locked_database_ends_no_worker)
{
    pid_t before[HOME_MAX_WORKERS], after[HOME_MAX_WORKERS];
    char path[400], *reply;
    sqlite3 *db;
    begin_epochs(40); /* there is something to write all the time */
    ck_assert_int_eq(home_workers(&h, before), 1);
    snprintf(path, sizeof(path), "%s/parzen.db", h.state);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    bool said = false;
    for (int i = 0; i < 100 && !said; i++) {
        home_sleep_ms(100);
        ck_assert_int_eq(home_http(&h, "GET", "/health", NULL, &reply), 200);
        said = strstr(reply, "another program holds the database") != NULL;
        free(reply);
    }
    ck_assert(said);
    home_sleep_ms(2500); /* more than one try */
    ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    home_wait_state(&h, "kept", "finished", FINISH_S);
    ck_assert_int_eq(home_workers(&h, after), 1);
    ck_assert_int_eq(before[0], after[0]);
    ck_assert_int_eq(home_count(&h, "SELECT max(attempt) FROM parzen_attempts"),
                     1);
    home_end(&h, "a locked database");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/guard");
    TCase *c = tcase_create("guard");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_lost_wal_stops_the_daemon);
    tcase_add_loop_test(c, a_wal_without_its_database_stops_the_daemon, 0,
                        ARRAY_LEN(WAL_ALONE));
    tcase_add_test(c, rows_that_are_wrong_stop_the_daemon);
    tcase_add_test(c, a_changed_result_stops_the_daemon);
    tcase_add_test(c, a_database_removed_under_a_daemon_is_rescued);
    tcase_add_test(c, a_folder_removed_under_a_daemon_is_gone);
    tcase_add_loop_test(c, a_file_emptied_under_a_daemon_ends_it, 0,
                        ARRAY_LEN(EMPTIED));
    tcase_add_test(c, a_mapped_file_emptied_under_a_daemon_ends_it);
    tcase_add_test(c, a_daemon_whose_life_is_over_writes_nothing);
    tcase_add_test(c, the_lock_file_is_not_the_lock);
    tcase_add_test(c, a_lock_that_is_held_for_a_moment_is_waited_for);
    tcase_add_test(c, the_doctor_looks_at_the_files);
    tcase_add_test(c, what_a_start_refuses_is_named);
    tcase_add_test(c, the_doctor_looks_at_a_file_alone);
    tcase_add_test(c, a_refused_daemon_leaves_the_log);
    tcase_add_test(c, a_damaged_database_names_its_backup);
    tcase_add_test(c, a_damaged_backup_is_named);
    tcase_add_test(c, a_locked_database_ends_no_worker);
    suite_add_tcase(s, c);
    TCase *others = tcase_create("others");
    tcase_set_timeout(others, 120);
    tcase_add_test(others, a_trial_that_optuna_enqueues_meanwhile_is_adopted);
    tcase_add_test(others, what_an_older_build_left_out_is_not_missing);
    suite_add_tcase(s, others);
    return s;
}
