/* Opening: whose file it is, what is refused untouched, what is adopted; and
 * what rows say that no one of us wrote. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/history.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fix_store fix;

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    fix_store_folder(&fix, 3);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

static void put_file(const void *bytes, size_t n)
{
    struct err err;
    ck_assert_int_eq(file_write_atomic(fix.path, bytes, n, 0600, &err), 0);
}

static void expect_refused(int code, const char *because)
{
    struct err err;
    char before[65], after[65];
    uint64_t size;
    ck_assert_int_eq(file_sha256(fix.path, before, &size, &err), 0);
    ck_assert_int_eq(store_open(fix.path, &fix.store, &err), code);
    ck_assert_msg(strstr(err.msg, because) != NULL, "%s", err.msg);
    ck_assert_msg(strstr(err.msg, fix.path) != NULL, "%s", err.msg);
    ck_assert_int_eq(file_sha256(fix.path, after, &size, &err), 0);
    ck_assert_str_eq(before, after);
    ck_assert_ptr_null(fix.store);
}

/* --- refused -------------------------------------------------------------- */

START_TEST(test_not_a_database)
{
    put_file("study,trial,value\n1,2,3\n", 24);
    expect_refused(ERR_CORRUPT, "not an SQLite database");
    put_file("SQLite", 6);
    expect_refused(ERR_CORRUPT, "not an SQLite database");
}
END_TEST

START_TEST(test_another_programs_database)
{
    fix_store_tamper(fix.path, "CREATE TABLE bookmarks (url TEXT)");
    expect_refused(ERR_INVALID, "another program");
    fix_store_tamper(fix.path, "PRAGMA application_id = 7");
    expect_refused(ERR_INVALID, "another program");
}
END_TEST

START_TEST(test_a_newer_schema)
{
    fix_store_open(&fix);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, "PRAGMA user_version = 99");
    expect_refused(ERR_INVALID, "newer version");
}
END_TEST

START_TEST(test_a_damaged_page)
{
    struct err err;
    fix_store_open(&fix);
    fix_store_work(&fix, 60);
    fix_store_close(&fix);
    struct buf bytes;
    buf_init(&bytes, 16 << 20);
    ck_assert_int_eq(file_read(fix.path, &bytes, &err), 0);
    memset(bytes.data + 5 * 4096, 0x5a, 4096);
    put_file(bytes.data, bytes.len);
    buf_fini(&bytes);
    expect_refused(ERR_CORRUPT, "damaged");
}
END_TEST

START_TEST(test_what_is_not_there_or_no_file)
{
    struct err err;
    ck_assert_int_eq(store_open_readonly(fix.path, &fix.store, &err),
                     ERR_NOTFOUND);
    ck_assert(!file_exists(fix.path));
    ck_assert_int_eq(store_open(fix.dir, &fix.store, &err), ERR_INVALID);
    ck_assert_int_eq(symlink("/dev/null", fix.path), 0);
    ck_assert_int_eq(store_open(fix.path, &fix.store, &err), ERR_INVALID);
}
END_TEST

START_TEST(test_readonly_writes_nothing)
{
    struct err err;
    struct actions a;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_random(&fix, &a);
    fix_store_must(&fix, &a);
    fix_store_close(&fix);
    ck_assert_msg(store_open_readonly(fix.path, &fix.store, &err) == 0, "%s",
                  err.msg);
    fix_store_expect_equal(&fix);
    fix_store_random(&fix, &a);
    ck_assert_int_lt(store_commit(fix.store, fix.mirror, &a, &err), 0);
    actions_fini(&a);
    fix_store_expect_equal(&fix);
}
END_TEST

/* Who holds the lock may write at any moment, an empty WAL or not. */
START_TEST(test_a_locked_database_is_not_copied)
{
    struct err err;
    struct actions a;
    sqlite3 *other;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_random(&fix, &a);
    fix_store_must(&fix, &a);
    store_close(fix.store);
    ck_assert_int_eq(sqlite3_open(fix.path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other,
                                  "PRAGMA locking_mode = EXCLUSIVE;"
                                  "SELECT count(*) FROM trials",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(store_open_copy(fix.path, &fix.store, &err), ERR_STORE);
    ck_assert_msg(strstr(err.msg, "locked") != NULL, "%s", err.msg);
    ck_assert_int_eq(sqlite3_close(other), SQLITE_OK);
    ck_assert_int_eq(store_open_copy(fix.path, &fix.store, &err), 0);
    fix_store_expect_equal(&fix);
}
END_TEST

/* --- made by Optuna ------------------------------------------------------- */

static bool copy_golden(const char *name)
{
    const char *shared = getenv("PARZEN_SHARED");
    char *path =
        mem_printf("%s/golden/%s", shared != NULL ? shared : "../shared", name);
    struct buf bytes;
    struct err err;
    buf_init(&bytes, 16 << 20);
    bool found = file_read(path, &bytes, &err) == 0;
    if (found) {
        put_file(bytes.data, bytes.len);
    } else {
        printf("SKIPPED: test_store_open needs ../shared (%s)\n", path);
    }
    buf_fini(&bytes);
    free(path);
    return found;
}

/* A study of every distribution, with inf and NaN; beside it one with two
 * objectives, which is left out. */
START_TEST(test_optunas_database_is_adopted)
{
    static const char *const NAMES[] = {"optuna-5.0.db", "optuna-3.1.db"};
    struct err err;
    if (!copy_golden(NAMES[_i])) {
        return;
    }
    fix_store_open(&fix);
    struct mirror *m = fix_store_load(&fix);
    ck_assert_uint_eq(m->n_studies, 1);
    const struct study *s = mirror_study_by_name(m, "s1");
    ck_assert_ptr_nonnull(s);
    ck_assert(s->is_foreign);
    ck_assert_int_eq(s->state, STUDY_STOPPED);
    ck_assert_uint_eq(s->n_trials, 8);
    ck_assert_uint_eq(s->spec.space.n, 7);
    ck_assert_int_eq(s->spec.direction, SPEC_MINIMIZE);
    ck_assert(s->trials[0]->value == 2.25);
    ck_assert(isinf(s->trials[2]->value) || s->trials[2]->value > 0);
    double values[7];
    study_values(s, 0, values);
    ck_assert(values[space_find(&s->spec.space, "x")] == 1.5);
    ck_assert(values[space_find(&s->spec.space, "c")] == 1);
    double last;
    ck_assert_int_eq(history_last_step(s->history, 0, &last), 4);
    ck_assert(last == 0.45);
    ck_assert_int_eq(m->next_study_id, 3); /* of both studies */
    ck_assert_int_eq(mirror_refuse_name(m, "m1", &err), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(err.msg, "it has 2 objectives, not one"));
    ck_assert_int_eq(mirror_refuse_name(m, "m2", &err), ERR_NOTFOUND);
    ck_assert_int_eq(m->next_trial_id, 11);

    /* Our studies live beside it, and a copy was taken before. */
    mirror_free(fix.mirror);
    fix.mirror = m;
    struct actions a;
    actions_init(&a);
    fix_store_add_study(&fix, &a, "ours");
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
    fix_store_reopen(&fix);
    fix_store_expect_equal(&fix);
    char backup[128];
    snprintf(backup, sizeof(backup), "%s.before-5", fix.path);
    ck_assert(file_exists(backup));
}
END_TEST

START_TEST(test_optuna_enqueues_into_our_study)
{
    struct actions a;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_add_study(&fix, &a, "s");
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_must(&fix, &a);
    fix_store_close(&fix);
    fix_store_tamper(
        fix.path,
        "INSERT INTO trials VALUES (2, 1, 1, 'WAITING', NULL, NULL);"
        "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
        " VALUES (2, 'fixed_params', '{\"lr\": 0.001, \"emb_dim\": 256,"
        " \"unknown\": 1, \"mask\": \"no such\"}')");
    fix_store_open(&fix);
    mirror_free(fix.mirror);
    fix.mirror = fix_store_load(&fix);
    const struct study *s = fix.mirror->studies[0];
    const struct study_trial *t = s->trials[1];
    ck_assert_ptr_nonnull(t->fixed);
    ck_assert(t->fixed[space_find(&s->spec.space, "lr")] == 0.001);
    ck_assert(t->fixed[space_find(&s->spec.space, "emb_dim")] == 2);
    ck_assert(isnan(t->fixed[space_find(&s->spec.space, "mask")]));
    fix_store_start(&fix, &a, 1, 1);
    fix_store_must(&fix, &a);
    fix_store_finish(&fix, &a, 1, 1, TRIAL_COMPLETE, 0.5);
    fix_store_must(&fix, &a);
    struct mirror *m = fix_store_load(&fix);
    ck_assert_int_eq(m->studies[0]->trials[1]->state, TRIAL_COMPLETE);
    mirror_free(m);
}
END_TEST

/* Optuna's optimize was killed in our study: the trial has parameters, but no
 * attempt of ours; our first one draws them anew. */
START_TEST(test_optuna_leaves_a_begun_trial_in_our_study)
{
    struct actions a;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_trial(&fix);
    fix_store_close(&fix);
    fix_store_tamper(
        fix.path, "INSERT INTO trials VALUES (2, 1, 1, 'WAITING', NULL, NULL);"
                  "INSERT INTO trial_params (trial_id, param_name, param_value,"
                  " distribution_json) SELECT 2, param_name, param_value,"
                  " distribution_json FROM trial_params WHERE trial_id = 1");
    fix_store_open(&fix);
    mirror_free(fix.mirror);
    fix.mirror = fix_store_load(&fix);
    fix_store_start(&fix, &a, 1, 1);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
}
END_TEST

/* --- hostile rows --------------------------------------------------------- */

/* A finished, a running, an enqueued and a failed trial, epochs, checkpoints.
 */
static void make_life(void)
{
    struct actions a;
    actions_init(&a);
    fix_store_open(&fix);
    for (int i = 0; i < 300; i++) {
        fix_store_random(&fix, &a);
        for (size_t k = 0; k < a.n; k++) { /* keep what there is */
            if (a.items[k].kind == ACTION_DELETE_STUDY) {
                actions_fini(&a);
                actions_init(&a);
            }
        }
        fix_store_must(&fix, &a);
    }
    fix_store_expect_equal(&fix);
}

static const char *const TABLES[] = {
    "studies",         "study_directions",      "trials",
    "trial_params",    "trial_values",          "trial_intermediate_values",
    "parzen_configs",  "parzen_trials",         "parzen_attempts",
    "parzen_epochs",   "parzen_checkpoints",    "parzen_events",
    "parzen_next_ids", "trial_user_attributes", "trial_system_attributes",
    "parzen_lives"};

static const char *const HOSTILE[] = {
    "NULL",
    "-1",
    "0",
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "9e999",
    "'RUNNING'",
    "'COMPLETE'",
    "''",
    "'\xff\xfe'",
    "'a' || char(0) || 'b'",
    "x'00ff00'",
    "zeroblob(100000)",
    "'../../etc/passwd'",
    "'[1, 2'",
    "'{\"name\": \"FloatDistribution\", \"attributes\": {\"low\": 1}}'",
    "'{\"study\": {}}'",
    "hex(zeroblob(300000))",
    "'2026-13-45 99:99:99.000000'",
};

/* Put a hostile value into one column of one row. Constraints may refuse it. */
static bool hurt(sqlite3 *db, uint32_t choice)
{
    struct rng rng;
    char sql[512];
    rng_mt19937(&rng, choice);
    const char *table = TABLES[rng_below(&rng, ARRAY_LEN(TABLES))];
    snprintf(sql, sizeof(sql), "SELECT * FROM %s", table);
    sqlite3_stmt *st;
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    int column = (int)rng_below(&rng, (uint32_t)sqlite3_column_count(st));
    char name[64];
    snprintf(name, sizeof(name), "%s", sqlite3_column_name(st, column));
    sqlite3_finalize(st);
    const char *key = strcmp(table, "parzen_attempts") == 0 ||
                              strcmp(table, "parzen_epochs") == 0 ||
                              strcmp(table, "parzen_checkpoints") == 0
                          ? "trial_id"
                      : strcmp(table, "parzen_next_ids") == 0 ? "name"
                                                              : "rowid";
    uint32_t at = rng_below(&rng, 20);
    if (rng_below(&rng, 5) == 0) {
        snprintf(sql, sizeof(sql),
                 "DELETE FROM %s WHERE %s = (SELECT %s FROM %s LIMIT 1 "
                 "OFFSET %u)",
                 table, key, key, table, at);
    } else {
        snprintf(sql, sizeof(sql),
                 "UPDATE OR IGNORE %s SET \"%s\" = %s WHERE %s = (SELECT %s "
                 "FROM %s LIMIT 1 OFFSET %u)",
                 table, name, HOSTILE[rng_below(&rng, ARRAY_LEN(HOSTILE))], key,
                 key, table, at);
    }
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK &&
           sqlite3_changes(db) > 0;
}

/* Whatever a row says: it loads, or the sentence names path and table. */
static int load_hurt(struct store *store, const char *path, uint32_t choice)
{
    struct err err = {0};
    struct mirror *m = mirror_new(1);
    int rc = store_load(store, m, &err);
    if (rc != 0) {
        ck_assert_msg(rc == ERR_CORRUPT, "choice %u: %d %s", choice, rc,
                      err.msg);
        ck_assert_msg(strstr(err.msg, path) != NULL, "%s", err.msg);
        ck_assert_msg(strstr(err.msg, ": row ") != NULL ||
                          strstr(err.msg, "no ids") != NULL,
                      "%s", err.msg);
    }
    if (choice % 16 == 0) { /* the doctor lives through it, too */
        struct buf out;
        buf_init(&out, 1 << 20);
        int n = store_check(store, &out);
        ck_assert_msg(rc == 0 || n > 0, "choice %u: nothing found", choice);
        buf_fini(&out);
    }
    mirror_free(m);
    return rc;
}

/* Each choice on a fresh copy of the same database. */
START_TEST(test_hostile_rows)
{
    enum { N = 600 };
    struct buf bytes;
    struct err err;
    int n_hurt = 0, n_refused = 0;
    make_life();
    fix_store_close(&fix);
    buf_init(&bytes, 16 << 20);
    ck_assert_int_eq(file_read(fix.path, &bytes, &err), 0);
    for (uint32_t choice = 0; choice < N; choice++) {
        FILE *f = fopen(fix.path, "wb"); /* no fsync: many copies */
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.len, f), bytes.len);
        ck_assert_int_eq(fclose(f), 0);
        sqlite3 *db;
        ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
        sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
        bool changed = hurt(db, choice);
        sqlite3_close(db);
        if (!changed) {
            continue;
        }
        n_hurt++;
        int rc = store_open_readonly(fix.path, &fix.store, &err);
        if (rc == 0) {
            rc = load_hurt(fix.store, fix.path, choice);
            fix_store_close(&fix);
        }
        n_refused += rc != 0;
    }
    buf_fini(&bytes);
    ck_assert_int_gt(n_hurt, N / 4);
    ck_assert_int_gt(n_refused, N / 10);
}
END_TEST

/* The next id would be past the last number. */
START_TEST(test_the_last_id_is_refused)
{
    static const char *const LAST[] = {
        "INSERT INTO studies VALUES (9223372036854775807, 'x');"
        "INSERT INTO study_directions (direction, study_id, objective)"
        " VALUES ('MINIMIZE', 9223372036854775807, 0)",
        "INSERT INTO trials VALUES"
        " (9223372036854775807, 1, 1, 'WAITING', NULL, NULL)"};
    struct err err;
    struct actions a;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_add_study(&fix, &a, "s");
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_must(&fix, &a);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, LAST[_i]);
    fix_store_open(&fix);
    struct mirror *m = mirror_new(1);
    ck_assert_int_eq(store_load(fix.store, m, &err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, "out of bounds") != NULL, "%s", err.msg);
    mirror_free(m);
}
END_TEST

/* A key that is no integer is no other row's, whatever number it begins with.
 */
START_TEST(test_a_key_that_is_no_integer)
{
    static const struct {
        const char *sql, *because;
    } keys[] = {
        {"UPDATE trial_params SET trial_id = '1x' WHERE trial_id = 1 AND"
         " param_name LIKE '%lr'",
         "trial_id: a text where an integer was expected"},
        {"INSERT INTO trial_params (trial_id, param_name, param_value,"
         " distribution_json) SELECT 1.5, param_name, param_value,"
         " distribution_json FROM trial_params WHERE trial_id = 1",
         "trial_id: a real where an integer was expected"},
        {"INSERT INTO trial_values (trial_id, objective, value, value_type)"
         " VALUES (1.5, 0, 0.5, 'FINITE')",
         "trial_id: a real where an integer was expected"}};
    struct err err;
    struct actions a;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_add_study(&fix, &a, "s");
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_start(&fix, &a, 1, 0);
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_must(&fix, &a);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, keys[_i].sql);
    fix_store_open(&fix);
    struct mirror *m = mirror_new(1);
    ck_assert_int_eq(store_load(fix.store, m, &err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, keys[_i].because) != NULL, "%s", err.msg);
    mirror_free(m);
}
END_TEST

/* The stamp of an Optuna that nobody knows yet is no reason to refuse its file;
 * tables that cannot hold what we write are, before anything is written, also
 * in a file that was ours already. */
START_TEST(optunas_stamp_may_be_any_its_tables_may_not)
{
    struct err err;
    char *copy = mem_printf("rm -f %s*; cp tests/golden/optuna-5.0.db %s",
                            fix.path, fix.path);
    fix_store_close(&fix);
    ck_assert_int_eq(system(copy), 0);
    free(copy);
    for (int is_ours = 0; is_ours < 2; is_ours++) {
        fix_store_tamper(fix.path, "UPDATE alembic_version SET version_num ="
                                   " 'v9.9.9';"
                                   "ALTER TABLE trials ADD COLUMN worker TEXT");
        ck_assert_int_eq(store_open(fix.path, &fix.store, &err), ERR_INVALID);
        ck_assert_msg(strstr(err.msg, "trials has 7 columns") != NULL &&
                          strstr(err.msg, "a newer one") != NULL,
                      "%s", err.msg);
        fix_store_tamper(fix.path, "ALTER TABLE trials DROP COLUMN worker");
        fix_store_open(&fix);
        fix_store_close(&fix);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store open");
    TCase *t = tcase_create("open");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_not_a_database);
    tcase_add_test(t, test_another_programs_database);
    tcase_add_test(t, test_a_newer_schema);
    tcase_add_test(t, optunas_stamp_may_be_any_its_tables_may_not);
    tcase_add_test(t, test_a_damaged_page);
    tcase_add_test(t, test_what_is_not_there_or_no_file);
    tcase_add_test(t, test_readonly_writes_nothing);
    tcase_add_test(t, test_a_locked_database_is_not_copied);
    tcase_add_loop_test(t, test_optunas_database_is_adopted, 0, 2);
    tcase_add_test(t, test_optuna_enqueues_into_our_study);
    tcase_add_test(t, test_optuna_leaves_a_begun_trial_in_our_study);
    tcase_add_test(t, test_hostile_rows);
    tcase_add_loop_test(t, test_the_last_id_is_refused, 0, 2);
    tcase_add_loop_test(t, test_a_key_that_is_no_integer, 0, 3);
    suite_add_tcase(s, t);
    return s;
}
