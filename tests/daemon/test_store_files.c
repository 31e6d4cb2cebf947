/* What is done to the files under a store that works: what is removed,
 * replaced or cut off is noticed before anything more is said; what another
 * program may do to them is not taken for that. */
#include "tests/lib/test_main.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fix_store fix;

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    fix_store_init(&fix, 5);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

/* fix.path + suffix, in a static buffer. */
static const char *file(const char *suffix)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s%s", fix.path, suffix);
    return path;
}

static long size_of(const char *suffix)
{
    struct stat st;
    ck_assert_int_eq(stat(file(suffix), &st), 0);
    return (long)st.st_size;
}

static void cut(const char *suffix, long bytes)
{
    ck_assert_int_eq(truncate(file(suffix), bytes), 0);
}

static void work(int n)
{
    struct actions a;
    struct err err;
    actions_init(&a);
    for (int i = 0; i < n; i++) {
        fix_store_random(&fix, &a);
        fix_store_must(&fix, &a);
        ck_assert_msg(store_still_there(fix.store, &err) == 0, "%s", err.msg);
    }
}

/* By another program, which stays as long as SQL keeps it: closing a database
 * that a store of the same process has open is harmless here. */
static void other(const char *sql)
{
    fix_store_tamper(fix.path, sql);
}

static void expect_end(const struct err *err, const char *name)
{
    char *says = mem_printf(
        "%s: was cut off or overwritten while it was in use", file(name));
    ck_assert_msg(strstr(err->msg, says) != NULL, "%s", err->msg);
    free(says);
}

/* --- cut off -------------------------------------------------------------- */

enum hole { /* what is left as by a cut in the midst of a write */
            NONE,
            REST,      /* what was cut off is zeros */
            HEAD,      /* a WAL's header is */
            ALL_BEHIND /* all but the first page is */
};

static const struct {
    const char *name;
    bool is_moved; /* the WAL's pages, before */
    int part;      /* hundredths that stay */
    enum hole hole;
} CUTS[] = {
    {"", false, 0, NONE},        {"", true, 0, NONE},
    {"", true, 30, NONE},        {"", true, 0, REST},
    {"", true, 100, ALL_BEHIND}, {"-wal", false, 0, NONE},
    {"-wal", false, 50, NONE},   {"-wal", false, 99, NONE},
    {"-wal", true, 0, NONE},     {"-wal", false, 0, REST},
    {"-wal", false, 50, REST},   {"-wal", false, 99, REST},
    {"-wal", true, 0, REST},     {"-wal", false, 100, HEAD},
    {"-wal", true, 100, HEAD},
};

static void make_zeros(const char *suffix, long from, long to)
{
    int fd = open(file(suffix), O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    char *zeros = mem_alloc((size_t)(to - from), 1);
    memset(zeros, 0, (size_t)(to - from));
    ck_assert_int_eq(pwrite(fd, zeros, (size_t)(to - from), from), to - from);
    free(zeros);
    close(fd); /* the database's locks: nobody else is there */
}

static void begin_and_cut(int which)
{
    const char *name = CUTS[which].name;
    work(30);
    if (CUTS[which].is_moved) {
        store_checkpoint(fix.store);
    }
    long bytes = size_of(name), least = bytes;
    if (*name == '\0' && CUTS[which].part > 0) {
        least = 200000; /* it has grown by a chunk: below what it needs */
    }
    if (CUTS[which].part < 100) {
        cut(name, least * CUTS[which].part / 100);
    }
    if (CUTS[which].hole == REST) {
        cut(name, bytes);
    } else if (CUTS[which].hole == HEAD) {
        make_zeros(name, 0, 32);
    } else if (CUTS[which].hole == ALL_BEHIND) {
        make_zeros(name, 4096, bytes);
    }
}

/* Nothing more is acknowledged, nor written to what is there. */
START_TEST(a_commit_notices_it)
{
    struct actions a;
    struct err err;
    begin_and_cut(_i);
    actions_init(&a);
    fix_store_random(&fix, &a);
    long bytes = size_of(CUTS[_i].name);
    ck_assert_int_eq(store_commit(fix.store, fix.mirror, &a, &err),
                     ERR_CORRUPT);
    expect_end(&err, CUTS[_i].name);
    actions_fini(&a);
    ck_assert_int_eq(bytes, size_of(CUTS[_i].name));
    fix_store_close(&fix);
    ck_assert_int_eq(bytes, size_of(CUTS[_i].name));
}
END_TEST

START_TEST(a_look_notices_it)
{
    struct err err;
    begin_and_cut(_i);
    ck_assert_int_eq(store_still_there(fix.store, &err), ERR_CORRUPT);
    expect_end(&err, CUTS[_i].name);
}
END_TEST

/* In the midst of a transaction, what is committed is copied. */
START_TEST(a_look_in_a_transaction_notices_it)
{
    struct actions a;
    struct err err;
    work(30);
    store_checkpoint(fix.store);
    actions_init(&a);
    fix_store_random(&fix, &a);
    ck_assert_int_eq(store_put(fix.store, fix.mirror, &a, &err), 0);
    actions_fini(&a);
    cut("-wal", 0); /* all that it had is in the database */
    ck_assert_int_eq(store_still_there(fix.store, &err), ERR_CORRUPT);
    expect_end(&err, "-wal");
    const char *at = strstr(err.msg, "is in ");
    ck_assert_msg(at != NULL, "%s", err.msg);
    fix_store_close(&fix);
    char *to = mem_strdup(fix.path);
    ck_assert_int_eq(rename(strrchr(err.msg, ' ') + 1, to), 0);
    unlink(file("-wal"));
    unlink(file("-shm"));
    free(to);
    fix_store_open(&fix);
    fix_store_expect_equal(&fix);
}
END_TEST

static void read_index(unsigned char *bytes, size_t n, bool write_back)
{
    int fd = open(file("-shm"), O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ssize_t done =
        write_back ? pwrite(fd, bytes, n, 0) : pread(fd, bytes, n, 0);
    ck_assert_int_eq(done, (ssize_t)n);
    close(fd); /* the index's locks: nobody else is there */
}

/* An older copy of the index, in place: SQLite would write over the frames that
 * it does not count. */
START_TEST(an_index_that_forgot_frames_is_noticed)
{
    static unsigned char index[32768];
    struct err err;
    work(30);
    read_index(index, sizeof(index), false);
    work(_i == 0 ? 1 : 3);
    if (_i == 2) { /* the log is begun anew */
        store_checkpoint(fix.store);
        work(2);
    }
    read_index(index, sizeof(index), true);
    ck_assert_int_eq(store_still_there(fix.store, &err), ERR_CORRUPT);
    expect_end(&err, "-wal");
}
END_TEST

/* A name that others follow to files of their own beside it. */
START_TEST(a_link_to_our_own_file_is_noticed)
{
    struct err err;
    char *moved = mem_strdup(file("-moved"));
    work(3);
    ck_assert_int_eq(rename(file(""), moved), 0);
    ck_assert_int_eq(symlink(moved, file("")), 0);
    free(moved);
    ck_assert_int_eq(store_still_there(fix.store, &err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, "was removed or replaced") != NULL, "%s",
                  err.msg);
}
END_TEST

/* No pages are moved to what is cut off, or from there. */
START_TEST(nothing_is_moved_then)
{
    work(30);
    cut("", 0);
    store_checkpoint(fix.store);
    ck_assert_int_eq(size_of(""), 0);
}
END_TEST

/* --- not cut off ---------------------------------------------------------- */

/* What Optuna, sqlite3 or a backup tool may do, and the room by which our file
 * grows is no part of it. */
static const char *const OTHERS[] = {
    "PRAGMA wal_checkpoint(PASSIVE)",
    "PRAGMA wal_checkpoint(RESTART)",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_checkpoint(RESTART);"
    "INSERT INTO study_user_attributes (study_id, key, value_json)"
    " SELECT study_id, hex(randomblob(8)), '1' FROM studies LIMIT 1",
    "PRAGMA journal_size_limit = 0; PRAGMA wal_checkpoint(RESTART);"
    "INSERT INTO study_user_attributes (study_id, key, value_json)"
    " SELECT study_id, hex(randomblob(8)), '1' FROM studies LIMIT 1",
    "VACUUM",
    "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
    /* smaller for ever, and then larger in the WAL alone */
    "DROP TABLE IF EXISTS large;"
    "CREATE TABLE large AS SELECT zeroblob(3000000) AS x;"
    "PRAGMA wal_checkpoint(TRUNCATE); DROP TABLE large; VACUUM;"
    "PRAGMA wal_checkpoint(TRUNCATE);"
    "CREATE TABLE large AS SELECT zeroblob(1000000) AS x",
};

START_TEST(what_others_do_is_no_harm)
{
    for (int i = 0; i < 3; i++) {
        work(10);
        other(OTHERS[_i]);
        work(1);
        store_checkpoint(fix.store);
        other(OTHERS[_i]);
        other("DROP TABLE IF EXISTS large");
    }
    work(5);
    fix_store_expect_equal(&fix);
    fix_store_reopen(&fix);
    fix_store_expect_equal(&fix);
}
END_TEST

/* The database is made larger and smaller by another between our looks. */
START_TEST(a_smaller_database_is_looked_at)
{
    other("CREATE TABLE large AS SELECT zeroblob(6000000) AS x");
    work(5);
    store_checkpoint(fix.store); /* we know its size now */
    work(5);
    ck_assert_int_gt(size_of(""), 6000000);
    other("DROP TABLE large; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"
          "CREATE TABLE large AS SELECT zeroblob(2000000) AS x");
    ck_assert_int_lt(size_of(""), 2000000);
    work(5);
    store_checkpoint(fix.store);
    work(5);
    fix_store_expect_equal(&fix);
}
END_TEST

/* As many programs do at any moment: no look falls in between. */
START_TEST(a_busy_other_is_no_harm)
{
    store_close(fix.store); /* what SQLite has open does not outlive a fork */
    fix.store = NULL;
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        sqlite3 *db;
        sqlite3_open(fix.path, &db);
        sqlite3_busy_timeout(db, 1000);
        for (;;) {
            sqlite3_exec(db,
                         "PRAGMA wal_checkpoint(TRUNCATE);"
                         "UPDATE version_info SET library_version = 'x'",
                         NULL, NULL, NULL);
        }
    }
    fix_store_open(&fix);
    work(300);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    fix_store_expect_equal(&fix);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store files");
    TCase *t = tcase_create("files");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, a_commit_notices_it, 0, ARRAY_LEN(CUTS));
    tcase_add_loop_test(t, a_look_notices_it, 0, ARRAY_LEN(CUTS));
    tcase_add_test(t, a_look_in_a_transaction_notices_it);
    tcase_add_loop_test(t, an_index_that_forgot_frames_is_noticed, 0, 3);
    tcase_add_test(t, a_link_to_our_own_file_is_noticed);
    tcase_add_test(t, nothing_is_moved_then);
    tcase_add_loop_test(t, what_others_do_is_no_harm, 0, ARRAY_LEN(OTHERS));
    tcase_add_test(t, a_smaller_database_is_looked_at);
    tcase_add_test(t, a_busy_other_is_no_harm);
    suite_add_tcase(s, t);
    return s;
}
