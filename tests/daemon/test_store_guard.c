/* What guards the rows: a database that lacks what was acknowledged is refused,
 * one that vanishes while it is open is rescued, and a life that is over
 * writes nothing. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fix_store fix;

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    fix_store_folder(&fix, 5);
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

static void copy(const char *from, const char *to)
{
    struct buf bytes;
    struct err err;
    char *source = mem_strdup(file(from));
    buf_init(&bytes, 16 << 20);
    ck_assert_msg(file_read(source, &bytes, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(
        file_write_atomic(file(to), bytes.data, bytes.len, 0600, &err), 0);
    buf_fini(&bytes);
    free(source);
}

static void move(const char *from, const char *to)
{
    char *source = mem_strdup(file(from));
    ck_assert_int_eq(rename(source, file(to)), 0);
    free(source);
}

static void expect_refused(void)
{
    struct err err;
    ck_assert_int_eq(store_open(fix.path, &fix.store, &err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, "was acknowledged") != NULL, "%s", err.msg);
    ck_assert_msg(strstr(err.msg, fix.path) != NULL, "%s", err.msg);
    fix.store = NULL;
    ck_assert_int_eq(store_open_readonly(fix.path, &fix.store, &err),
                     ERR_CORRUPT);
    fix.store = NULL;
}

static void expect_whole(void)
{
    fix_store_open(&fix);
    fix_store_expect_equal(&fix);
    fix_store_work(&fix, 1);
    fix_store_expect_equal(&fix);
    fix_store_close(&fix);
}

static int64_t ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return n;
}

/* --- what is missing ------------------------------------------------------ */

START_TEST(a_lost_wal_is_noticed)
{
    fix_store_work_and_die(&fix, 20);
    move("-wal", "-hidden");
    expect_refused();
    expect_refused(); /* looking changed nothing */
    unlink(file("-wal"));
    move("-hidden", "-wal");
    expect_whole();
}
END_TEST

/* .. also when the mark that would tell was removed before, or replaced. */
START_TEST(a_removed_mark_is_made_anew)
{
    struct err err;
    fix_store_open(&fix);
    fix_store_work(&fix, 3);
    ck_assert_int_eq(unlink(file("-acked")), 0);
    if (_i == 1) {
        ck_assert_int_eq(symlink("/dev/full", file("-acked")), 0);
        ck_assert_int_eq(store_still_there(fix.store, &err), 0);
        ck_assert_int_eq(unlink(file("-acked")), 0);
        return; /* it was said; nothing is written where the link leads */
    }
    ck_assert_int_eq(store_still_there(fix.store, &err), 0);
    fix_store_close(&fix);
    fix_store_work_and_die(&fix, 20);
    unlink(file("-wal"));
    expect_refused();
}
END_TEST

START_TEST(a_damaged_wal_is_noticed)
{
    fix_store_work_and_die(&fix, 20);
    copy("-wal", "-hidden");
    FILE *f = fopen(file("-wal"), "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, 32 + 3 * (4096 + 24) + 100, SEEK_SET), 0);
    ck_assert_int_eq(fputc(0x5a, f), 0x5a);
    ck_assert_int_eq(fclose(f), 0);
    expect_refused();
    copy("-hidden", "-wal");
    expect_whole();
}
END_TEST

START_TEST(an_older_copy_is_noticed)
{
    fix_store_work_and_die(&fix, 5);
    expect_whole();
    copy("", "-older");
    fix_store_work_and_die(&fix, 5);
    expect_whole();
    copy("", "-newer");
    move("-older", "");
    expect_refused();
    move("-newer", "");
    expect_whole();
}
END_TEST

/* Nor is an empty one made in its place. */
START_TEST(a_removed_database_is_noticed)
{
    fix_store_work_and_die(&fix, 5);
    expect_whole();
    move("", "-hidden");
    expect_refused();
    ck_assert(!file_exists(fix.path));
    move("-hidden", "");
    expect_whole();
}
END_TEST

/* A start is acknowledged, too: its life is not given to another. */
START_TEST(a_lost_start_is_noticed)
{
    fix_store_work_and_die(&fix, 0);
    expect_whole();
    copy("", "-older");
    fix_store_work_and_die(&fix, 0);
    unlink(file("-wal"));
    move("-older", "");
    expect_refused();
}
END_TEST

/* It is no part of the rows: behind, or without sense, it says nothing. */
START_TEST(the_mark_may_be_behind)
{
    static const char *const SAID[] = {
        "0000000000000000001 0000000000000000002\n", "", "none",
        "-000000000000000001 0000000000000000002\n",
        "99999999999999999999999999999999999999999999999"};
    struct err err;
    fix_store_work_and_die(&fix, 20);
    ck_assert_int_eq(file_write_atomic(file("-acked"), SAID[_i],
                                       strlen(SAID[_i]), 0600, &err),
                     0);
    expect_whole();
    unlink(file("-acked"));
    expect_whole();
    copy("", "-older");
    expect_whole();
    move("-older", ""); /* and it was made anew */
    expect_refused();
}
END_TEST

START_TEST(without_the_mark_we_go_on)
{
    fix_store_work_and_die(&fix, 20);
    unlink(file("-wal"));
    expect_refused();
    ck_assert_int_eq(unlink(file("-acked")), 0);
    fix_store_open(&fix);
}
END_TEST

/* --- what vanishes under our hands ---------------------------------------- */

/* Whatever is removed: the commit is not acknowledged, and all of it is there.
 */
START_TEST(what_vanishes_is_rescued)
{
    static const char *const GONE[] = {"-wal", "", "-shm"};
    struct actions a;
    struct err err;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_work(&fix, 10);
    ck_assert_int_eq(unlink(file(GONE[_i])), 0);
    fix_store_random(&fix, &a);
    ck_assert_int_eq(store_commit(fix.store, fix.mirror, &a, &err),
                     ERR_CORRUPT);
    const char *at = strstr(err.msg, "all that was committed is in ");
    ck_assert_msg(at != NULL, "%s", err.msg);
    char *rescued = mem_strdup(strrchr(at, ' ') + 1);
    for (size_t i = 0; i < a.n; i++) {
        mirror_apply(fix.mirror, &a.items[i]);
    }
    actions_fini(&a);
    fix_store_close(&fix);
    unlink(fix.path); /* as the sentence of the next start says */
    unlink(file("-wal"));
    unlink(file("-shm"));
    ck_assert_int_eq(rename(rescued, fix.path), 0);
    free(rescued);
    expect_whole();
}
END_TEST

/* --- lives ---------------------------------------------------------------- */

START_TEST(a_life_that_is_over_writes_nothing)
{
    struct store *paused, *next;
    struct actions a;
    struct err err;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_add_study(&fix, &a, "s");
    fix_store_must(&fix, &a);
    paused = fix.store;
    ck_assert_msg(store_open(fix.path, &next, &err) == 0, "%s", err.msg);
    fix_store_add_trial(&fix, &a, 1, NULL);
    ck_assert_int_eq(store_commit(paused, fix.mirror, &a, &err), ERR_CONFLICT);
    ck_assert_msg(strstr(err.msg, "another daemon") != NULL, "%s", err.msg);
    ck_assert_ptr_nonnull(strstr(err.msg, fix.path));
    fix.store = next;
    fix_store_expect_equal(&fix); /* nothing was written */
    fix_store_must(&fix, &a);     /* and the next one can */
    store_close(paused);          /* nor does it end the other's life */
    ck_assert_int_eq(ask("SELECT count(*) FROM parzen_lives"
                         " WHERE ended_ms IS NULL"),
                     2);
    fix_store_expect_equal(&fix);
}
END_TEST

/* What another program did falls to the life that holds. */
START_TEST(a_life_that_is_over_adopts_nothing)
{
    struct store *paused;
    struct actions a;
    struct err err;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_add_study(&fix, &a, "s");
    fix_store_must(&fix, &a);
    paused = fix.store;
    fix_store_open(&fix);
    fix_store_tamper(
        fix.path, "INSERT INTO trials VALUES (1, 0, 1, 'WAITING', NULL, NULL)");
    ck_assert_int_eq(store_adopt_trials(paused, &err), ERR_CONFLICT);
    ck_assert_msg(strstr(err.msg, "another daemon") != NULL, "%s", err.msg);
    ck_assert_int_eq(ask("SELECT count(*) FROM parzen_trials"), 0);
    ck_assert_int_eq(store_adopt_trials(fix.store, &err), 0);
    ck_assert_int_eq(ask("SELECT count(*) FROM parzen_trials"), 1);
    store_close(paused);
}
END_TEST

START_TEST(rows_say_in_which_life_they_were_written)
{
    fix_store_work_and_die(&fix, 30);
    expect_whole();
    ck_assert_int_eq(ask("SELECT count(*) FROM parzen_lives"), 2);
    ck_assert_int_eq(ask("SELECT life FROM parzen_lives"
                         " WHERE ended_ms IS NULL"),
                     1);
    ck_assert_int_eq(ask("SELECT min(life) FROM parzen_events"), 1);
    ck_assert_int_eq(ask("SELECT life FROM parzen_events ORDER BY seq DESC"),
                     2);
    ck_assert_int_gt(ask("SELECT min(life) FROM parzen_attempts"), 0);
}
END_TEST

/* After a kill the indexes are looked at, too. */
START_TEST(after_a_kill_the_file_is_looked_at_closely)
{
    struct err err;
    fix_store_work_and_die(&fix, 40);
    expect_whole();
    ck_assert_int_gt(ask("SELECT count(*) FROM trials"), 2);
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "PRAGMA writable_schema = ON;"
                                  "UPDATE sqlite_master SET sql = replace(sql,"
                                  " '(study_id)', '(number)')"
                                  " WHERE name = 'ix_trials_study_id'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_changes(db), 1);
    sqlite3_close(db);
    fix_store_open(&fix);
    store_close(fix.store); /* quick_check does not see it */
    fix.store = NULL;
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE parzen_lives SET ended_ms = NULL",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ck_assert_int_eq(store_open(fix.path, &fix.store, &err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, "damaged") != NULL, "%s", err.msg);
    fix.store = NULL;
}
END_TEST

/* --- a reader that does not end ------------------------------------------- */

START_TEST(a_large_wal_is_an_alarm)
{
    struct actions a;
    sqlite3 *reader, *writer;
    actions_init(&a);
    fix_store_open(&fix);
    ck_assert_ptr_null(store_warning(fix.store));
    ck_assert_int_eq(sqlite3_open(fix.path, &reader), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(reader, "BEGIN; SELECT * FROM studies", NULL, NULL, NULL),
        SQLITE_OK);
    ck_assert_int_eq(sqlite3_open(fix.path, &writer), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(writer,
                                  "PRAGMA synchronous = OFF;"
                                  "PRAGMA wal_autocheckpoint = 0;"
                                  "CREATE TABLE large AS"
                                  " SELECT zeroblob(70000000) AS x;"
                                  "DROP TABLE large",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(writer);
    fix_store_random(&fix, &a);
    fix_store_must(&fix, &a);
    const char *warning = store_warning(fix.store);
    ck_assert_ptr_nonnull(warning);
    ck_assert_msg(strstr(warning, "old snapshot") != NULL, "%s", warning);
    fix_store_random(&fix, &a);
    fix_store_must(&fix, &a); /* work goes on */
    sqlite3_close(reader);
    store_checkpoint(fix.store);
    fix_store_random(&fix, &a);
    fix_store_must(&fix, &a);
    ck_assert_ptr_null(store_warning(fix.store));
    fix_store_expect_equal(&fix);
}
END_TEST

/* --- what a kill leaves --------------------------------------------------- */

/* As a start does; closes again. */
static int open_and_verify(struct err *err)
{
    struct mirror *m = mirror_new(1);
    ck_assert_msg(store_open(fix.path, &fix.store, err) == 0, "%s", err->msg);
    ck_assert_msg(store_load(fix.store, m, err) == 0, "%s", err->msg);
    int rc = store_verify(fix.store, m, err);
    mirror_free(m);
    fix_store_close(&fix);
    return rc;
}

/* Every start refuses it, until it is put right; a clean end is believed. */
START_TEST(rows_are_verified_after_a_kill)
{
    struct err err;
    fix_store_work_and_die(&fix, 40);
    fix_store_tamper(fix.path, "UPDATE parzen_attempts SET life = life + 7");
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(open_and_verify(&err), ERR_CORRUPT);
        ck_assert_msg(strstr(err.msg, "which is still to come") != NULL, "%s",
                      err.msg);
        ck_assert_msg(strstr(err.msg, fix.path) != NULL, "%s", err.msg);
    }
    fix_store_tamper(fix.path, "UPDATE parzen_attempts SET life = life - 7");
    ck_assert_msg(open_and_verify(&err) == 0, "%s", err.msg);
    fix_store_tamper(fix.path, "UPDATE parzen_attempts SET life = life + 7");
    ck_assert_msg(open_and_verify(&err) == 0, "%s", err.msg);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store guard");
    TCase *t = tcase_create("guard");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_lost_wal_is_noticed);
    tcase_add_test(t, rows_are_verified_after_a_kill);
    tcase_add_loop_test(t, a_removed_mark_is_made_anew, 0, 2);
    tcase_add_test(t, a_damaged_wal_is_noticed);
    tcase_add_test(t, an_older_copy_is_noticed);
    tcase_add_test(t, a_removed_database_is_noticed);
    tcase_add_test(t, a_lost_start_is_noticed);
    tcase_add_loop_test(t, the_mark_may_be_behind, 0, 5);
    tcase_add_test(t, without_the_mark_we_go_on);
    tcase_add_loop_test(t, what_vanishes_is_rescued, 0, 3);
    tcase_add_test(t, a_life_that_is_over_writes_nothing);
    tcase_add_test(t, a_life_that_is_over_adopts_nothing);
    tcase_add_test(t, rows_say_in_which_life_they_were_written);
    tcase_add_test(t, a_large_wal_is_an_alarm);
    tcase_add_test(t, after_a_kill_the_file_is_looked_at_closely);
    suite_add_tcase(s, t);
    return s;
}
