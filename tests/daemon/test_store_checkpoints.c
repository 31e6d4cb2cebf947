/* The rows of a trial's checkpoints: the last two, the best, and those of a
 * database from before two were kept. */
#include "daemon/store.h"
#include "tests/lib/fix_store.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static struct fix_store fix;
static struct actions a;

static void setup(void)
{
    fix_store_init(&fix, 3);
    actions_init(&a);
    fix_store_trial(&fix);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

static struct action *add(enum action_kind kind)
{
    return fix_store_add(&fix, &a, kind, 1, 0);
}

static void checkpoint(bool best, bool shifts, const char *file)
{
    struct action *c = add(ACTION_CHECKPOINT);
    c->checkpoint.best = best;
    c->checkpoint.shifts = shifts;
    c->checkpoint.file = (struct study_checkpoint){
        .epoch = 1, .step = 9, .size = 3, .file = strdup(file)};
    memset(c->checkpoint.file.sha256, 'c', 64);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
}

static void discard(const char *file)
{
    struct action *d = add(ACTION_DISCARD);
    d->discard.file = strdup(file);
    d->discard.message = strdup("damaged");
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
}

static const struct study_trial *trial(void)
{
    return fix.mirror->studies[0]->trials[0];
}

START_TEST(the_last_becomes_the_previous)
{
    checkpoint(false, false, "last-1");
    checkpoint(true, false, "best-1");
    checkpoint(false, true, "last-2");
    checkpoint(false, true, "last-3");
    ck_assert_str_eq(trial()->last->file, "last-3");
    ck_assert_str_eq(trial()->previous->file, "last-2");
    ck_assert_str_eq(trial()->best->file, "best-1");
    fix_store_reopen(&fix);
    fix_store_expect_equal(&fix);
}
END_TEST

START_TEST(the_previous_takes_a_discarded_ones_place)
{
    checkpoint(false, false, "last-1");
    checkpoint(false, true, "last-2");
    checkpoint(true, false, "best-1");
    discard("last-2");
    ck_assert_str_eq(trial()->last->file, "last-1");
    ck_assert_ptr_null(trial()->previous);
    discard("best-1");
    ck_assert_ptr_null(trial()->best);
    discard("last-1");
    ck_assert_ptr_null(trial()->last);
    struct err err;
    add(ACTION_DISCARD)->discard.file = strdup("last-1");
    ck_assert_int_eq(fix_store_do(&fix, &a, &err), ERR_STORE);
}
END_TEST

START_TEST(an_end_keeps_the_best_alone)
{
    checkpoint(false, false, "last-1");
    checkpoint(false, true, "last-2");
    checkpoint(true, false, "best-1");
    fix_store_finish(&fix, &a, 1, 0, _i == 0 ? TRIAL_COMPLETE : TRIAL_FAIL,
                     _i == 0 ? 0.5 : NAN);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
    ck_assert_int_eq(trial()->last != NULL, _i != 0);
    ck_assert_int_eq(trial()->previous != NULL, _i != 0);
    ck_assert_ptr_nonnull(trial()->best);
}
END_TEST

/* As schema/002 made it, and without the columns of schema/005. */
static const char *const OLDER =
    "CREATE TABLE older (trial_id INTEGER NOT NULL REFERENCES trials"
    " (trial_id), kind TEXT NOT NULL CHECK (kind IN ('last', 'best')),"
    " epoch INTEGER NOT NULL, step INTEGER NOT NULL, size INTEGER NOT NULL,"
    " sha256 TEXT NOT NULL, file TEXT NOT NULL,"
    " PRIMARY KEY (trial_id, kind)) WITHOUT ROWID;"
    "INSERT INTO older SELECT * FROM parzen_checkpoints;"
    "DROP TABLE parzen_checkpoints;"
    "ALTER TABLE older RENAME TO parzen_checkpoints;"
    "ALTER TABLE parzen_trials DROP COLUMN end_digest;"
    "ALTER TABLE parzen_trials DROP COLUMN params_digest;"
    "ALTER TABLE parzen_trials DROP COLUMN reports_digest;"
    "ALTER TABLE parzen_trials DROP COLUMN constraints_digest;"
    "PRAGMA user_version = 3";

START_TEST(an_older_databases_checkpoints_are_kept)
{
    sqlite3 *db;
    struct err err;
    checkpoint(false, false, "last-1");
    checkpoint(true, false, "best-1");
    fix_store_close(&fix);
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, OLDER, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    int rc = store_open(fix.path, &fix.store, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    fix_store_expect_equal(&fix);
    checkpoint(false, true, "last-2");
    ck_assert_str_eq(trial()->previous->file, "last-1");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store checkpoints");
    TCase *t = tcase_create("rows");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_last_becomes_the_previous);
    tcase_add_test(t, the_previous_takes_a_discarded_ones_place);
    tcase_add_loop_test(t, an_end_keeps_the_best_alone, 0, 2);
    tcase_add_test(t, an_older_databases_checkpoints_are_kept);
    suite_add_tcase(s, t);
    return s;
}
