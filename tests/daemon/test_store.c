/* The store: what is committed is what is loaded, in the mirror's terms and in
 * Optuna's tables. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fix_store fix;

static void setup(void)
{
    fix_store_init(&fix, 1);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

/* All rows of a query as text: columns by '|', rows by newline. */
static char *query(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_str(&out, "");
    ck_assert_int_eq(sqlite3_open_v2(fix.path, &db, SQLITE_OPEN_READONLY, NULL),
                     SQLITE_OK);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    while (sqlite3_step(st) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            const char *t = (const char *)sqlite3_column_text(st, i);
            buf_printf(&out, "%s%s", i > 0 ? "|" : "", t != NULL ? t : "NULL");
        }
        buf_str(&out, "\n");
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return buf_take(&out);
}

static void expect_rows(const char *sql, const char *rows)
{
    char *got = query(sql);
    ck_assert_str_eq(got, rows);
    free(got);
}

START_TEST(test_a_new_store_is_an_optuna_database)
{
    expect_rows("SELECT schema_version, library_version FROM version_info",
                "12|parzen 0.1.0\n");
    expect_rows("SELECT version_num FROM alembic_version", "v3.2.0.a\n");
    expect_rows("PRAGMA application_id", "1347574350\n");
    expect_rows("PRAGMA user_version", "5\n");
    expect_rows("PRAGMA journal_mode", "wal\n");
    struct stat st;
    ck_assert_int_eq(stat(fix.path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    fix_store_expect_equal(&fix);
}
END_TEST

/* One trial from its addition to its end. */
static void one_trial(enum trial_state state, double value)
{
    struct actions a;
    actions_init(&a);
    int64_t study = fix.mirror->next_study_id;
    fix_store_add_study(&fix, &a, "first");
    fix_store_add_trial(&fix, &a, study, NULL);
    fix_store_start(&fix, &a, study, 0);
    fix_store_must(&fix, &a);
    struct action *r = fix_store_report(&fix, &a, study, 0);
    r->report.metrics = (struct run_metrics){{2.5, 0.25, 1.5, 0.5, NAN}};
    fix_store_must(&fix, &a);
    struct action *c = fix_store_add(&fix, &a, ACTION_CHECKPOINT, study, 0);
    c->checkpoint.best = true;
    c->checkpoint.file = (struct study_checkpoint){
        .epoch = 0, .step = 9, .size = 3, .file = strdup("best.ckpt")};
    memset(c->checkpoint.file.sha256, 'c', 64);
    struct action *end = fix_store_finish(&fix, &a, study, 0, state, value);
    end->end.best_epoch = 0;
    if (state == TRIAL_COMPLETE) {
        end->end.memory =
            (struct trial_memory){.peak = 332000000, .planned = 313000000};
    }
    fix_store_must(&fix, &a);
}

START_TEST(test_a_trial_in_optunas_tables)
{
    one_trial(TRIAL_COMPLETE, 0.5);
    fix_store_expect_equal(&fix);
    expect_rows("SELECT study_id, study_name FROM studies", "1|first\n");
    expect_rows("SELECT direction, study_id, objective FROM study_directions",
                "MAXIMIZE|1|0\n");
    expect_rows("SELECT key, value_json FROM study_system_attributes",
                "study:metric_names|[\"val-acc\"]\n");
    expect_rows("SELECT number, state, length(datetime_start),"
                " datetime_start < datetime_complete FROM trials",
                "0|COMPLETE|26|1\n");
    expect_rows("SELECT objective, value, value_type FROM trial_values",
                "0|0.5|FINITE\n");
    expect_rows("SELECT step, intermediate_value, intermediate_value_type FROM "
                "trial_intermediate_values",
                "0|0.5|FINITE\n");
    expect_rows("SELECT param_name, distribution_json FROM trial_params"
                " WHERE param_name IN ('emb_dim', 'lr') ORDER BY param_id",
                "emb_dim|{\"name\": \"CategoricalDistribution\", "
                "\"attributes\": {\"choices\": [64, 128, 256]}}\n"
                "lr|{\"name\": \"FloatDistribution\", \"attributes\": "
                "{\"step\": null, \"low\": 1e-05, \"high\": 0.001, \"log\": "
                "true}}\n");
    char path[256];
    char *dir = realpath(fix.dir, NULL);
    ck_assert_ptr_nonnull(dir);
    snprintf(path, sizeof(path),
             "best_ckpt|\"%s/checkpoints/1/0/best.ckpt\"\nepoch|0\n"
             "peak_bytes|332000000\nplanned_bytes|313000000\nval-loss|1.5\n",
             dir);
    free(dir);
    expect_rows("SELECT key, value_json FROM trial_user_attributes ORDER BY 1",
                path);
    expect_rows("SELECT attempt, ended_ms > started_ms, cause"
                " FROM parzen_attempts",
                "1|1|none\n");
    expect_rows("SELECT seq, kind, detail FROM parzen_events",
                "1|ADD_STUDY|first\n2|ADD_TRIAL|NULL\n3|START_TRIAL|sampler 5\n"
                "4|REPORT|0\n5|CHECKPOINT|best best.ckpt\n"
                "6|FINISH_TRIAL|COMPLETE none\n");
}
END_TEST

START_TEST(test_what_is_not_finite)
{
    one_trial(TRIAL_COMPLETE, -INFINITY);
    fix_store_expect_equal(&fix);
    expect_rows("SELECT value, value_type FROM trial_values", "NULL|INF_NEG\n");
    /* A pruned trial whose last value was NaN has none. */
    struct actions a;
    actions_init(&a);
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_start(&fix, &a, 1, 1);
    fix_store_report(&fix, &a, 1, 1)->report.metrics.value[RUN_VAL_ACC] = NAN;
    fix_store_must(&fix, &a);
    fix_store_finish(&fix, &a, 1, 1, TRIAL_PRUNED, NAN);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
    expect_rows("SELECT count(*) FROM trial_values", "1\n");
    expect_rows("SELECT intermediate_value, intermediate_value_type FROM "
                "trial_intermediate_values WHERE trial_id = 2",
                "NULL|NAN\n");
}
END_TEST

START_TEST(test_fail_and_retry)
{
    struct actions a;
    actions_init(&a);
    one_trial(TRIAL_FAIL, NAN);
    expect_rows("SELECT key, value_json FROM trial_user_attributes"
                " WHERE key = 'cause'",
                "cause|\"oom\"\n");
    expect_rows("SELECT count(*) FROM trial_values", "0\n");
    fix_store_add(&fix, &a, ACTION_RETRY_TRIAL, 1, 0);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
    expect_rows("SELECT state, datetime_start IS NULL, datetime_complete"
                " FROM trials",
                "WAITING|0|NULL\n");
    expect_rows("SELECT count(*) FROM trial_user_attributes", "0\n");
    expect_rows("SELECT count(*) FROM trial_params", "5\n");
}
END_TEST

START_TEST(test_enqueued_values)
{
    struct actions a;
    actions_init(&a);
    fix_store_add_study(&fix, &a, "q");
    fix_store_must(&fix, &a);
    const struct study *s = fix.mirror->studies[0];
    double fixed[8];
    for (size_t i = 0; i < s->spec.space.n; i++) {
        fixed[i] = NAN;
    }
    fixed[space_find(&s->spec.space, "mask")] = 1;
    fixed[space_find(&s->spec.space, "lr")] = 1.0 / 3000;
    fix_store_add_trial(&fix, &a, 1, fixed);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
    expect_rows("SELECT key, value_json FROM trial_system_attributes",
                "fixed_params|{\"mask\": \"notebook\", \"lr\": "
                "0.0003333333333333333}\n");
}
END_TEST

START_TEST(test_delete_leaves_one_event)
{
    struct actions a;
    actions_init(&a);
    one_trial(TRIAL_FAIL, NAN);
    actions_add(&a, (struct action){.kind = ACTION_DELETE_STUDY,
                                    .seq = fix.mirror->next_seq,
                                    .study = 1,
                                    .number = -1});
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix); /* ids are not given out again */
    static const char *const TABLES[] = {"studies",
                                         "study_directions",
                                         "study_system_attributes",
                                         "trials",
                                         "trial_params",
                                         "trial_values",
                                         "trial_intermediate_values",
                                         "trial_user_attributes",
                                         "parzen_configs",
                                         "parzen_trials",
                                         "parzen_attempts",
                                         "parzen_epochs",
                                         "parzen_checkpoints"};
    for (size_t i = 0; i < ARRAY_LEN(TABLES); i++) {
        char sql[96];
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", TABLES[i]);
        expect_rows(sql, "0\n");
    }
    expect_rows("SELECT kind, detail FROM parzen_events",
                "DELETE_STUDY|first\n");
    fix_store_reopen(&fix);
    fix_store_expect_equal(&fix);
}
END_TEST

START_TEST(test_a_refused_commit_writes_nothing)
{
    struct actions a;
    struct err err;
    actions_init(&a);
    one_trial(TRIAL_COMPLETE, 0.5);
    char *before = query("SELECT * FROM parzen_events");
    /* The second action finds its trial finished. */
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_finish(&fix, &a, 1, 0, TRIAL_FAIL, NAN);
    ck_assert_int_eq(store_commit(fix.store, fix.mirror, &a, &err), ERR_STORE);
    ck_assert_ptr_nonnull(strstr(err.msg, "FINISH_TRIAL"));
    actions_fini(&a);
    expect_rows("SELECT * FROM parzen_events", before);
    expect_rows("SELECT count(*) FROM trials", "1\n");
    free(before);
    fix_store_expect_equal(&fix);
    actions_init(&a); /* and the store works on */
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
}
END_TEST

START_TEST(test_another_writer_is_waited_for_then_named)
{
    sqlite3 *db;
    struct actions a;
    struct err err;
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    actions_init(&a);
    fix_store_add_study(&fix, &a, "late");
    ck_assert_int_eq(store_commit(fix.store, fix.mirror, &a, &err), ERR_BUSY);
    ck_assert_ptr_nonnull(strstr(err.msg, "another program"));
    ck_assert_ptr_nonnull(strstr(err.msg, fix.path));
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(db);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
}
END_TEST

/* What was decided before another program wrote is not put, whatever was
 * written; once that is taken in, it may be. Our own writes are none. */
START_TEST(test_what_another_writer_did_is_taken_in)
{
    struct actions a;
    struct err err;
    actions_init(&a);
    fix_store_add_study(&fix, &a, "ours");
    fix_store_must(&fix, &a);
    ck_assert(!store_is_stale(fix.store));
    fix_store_tamper(
        fix.path, "INSERT INTO studies VALUES (2, 'theirs');"
                  "INSERT INTO study_directions VALUES (2, 'MINIMIZE', 2, 0);"
                  "INSERT INTO trials VALUES (1, 0, 1, 'WAITING', NULL, NULL),"
                  " (2, 0, 2, 'RUNNING', NULL, NULL)");
    ck_assert(store_is_stale(fix.store));
    fix_store_add_study(&fix, &a, "later");
    ck_assert_int_eq(store_put(fix.store, fix.mirror, &a, &err), ERR_STALE);
    ck_assert_int_eq(store_put(fix.store, fix.mirror, &a, &err), ERR_STALE);
    actions_fini(&a);
    actions_init(&a);
    mirror_free(fix.mirror);
    fix.mirror = mirror_new(1);
    ck_assert_int_eq(store_take_in(fix.store, fix.mirror, &err), 0);
    ck_assert(!store_is_stale(fix.store));
    const struct study_trial *t = mirror_trial(fix.mirror, 1, 0);
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(t->seq, 2); /* an event says that it came */
    ck_assert_ptr_nonnull(mirror_study_by_name(fix.mirror, "theirs"));
    fix_store_add_study(&fix, &a, "later");
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
}
END_TEST

/* The next study and its trial come under ids of their own. */
static void expect_next_id(struct actions *a, int64_t id)
{
    fix_store_add_study(&fix, a, "next");
    fix_store_must(&fix, a);
    ck_assert_int_eq(mirror_study_by_name(fix.mirror, "next")->id, id);
    fix_store_add_trial(&fix, a, id, NULL);
    fix_store_must(&fix, a);
    fix_store_expect_equal(&fix);
}

/* Optuna's delete_study knows nothing of our rows. */
START_TEST(test_what_another_writer_deleted_is_forgotten)
{
    struct actions a;
    struct err err;
    actions_init(&a);
    for (int64_t study = 1; study <= 2; study++) {
        fix_store_add_study(&fix, &a, study == 1 ? "kept" : "gone");
        fix_store_must(&fix, &a);
        fix_store_add_trial(&fix, &a, study, NULL);
        fix_store_must(&fix, &a);
        fix_store_start(&fix, &a, study, 0);
        fix_store_must(&fix, &a);
        fix_store_finish(&fix, &a, study, 0, TRIAL_COMPLETE, 0.5);
        fix_store_must(&fix, &a);
    }
    fix_store_tamper(fix.path,
                     "DELETE FROM trial_params WHERE trial_id = 2;"
                     "DELETE FROM trial_values WHERE trial_id = 2;"
                     "DELETE FROM trials WHERE trial_id = 2;"
                     "DELETE FROM study_directions WHERE study_id = 2;"
                     "DELETE FROM studies WHERE study_id = 2");
    mirror_free(fix.mirror);
    fix.mirror = mirror_new(1);
    ck_assert_int_eq(store_take_in(fix.store, fix.mirror, &err), 0);
    ck_assert_ptr_null(mirror_study_by_name(fix.mirror, "gone"));
    ck_assert_ptr_nonnull(mirror_trial(fix.mirror, 1, 0));
    expect_rows("SELECT (SELECT count(*) FROM parzen_configs),"
                " (SELECT count(*) FROM parzen_trials),"
                " (SELECT count(*) FROM parzen_attempts)",
                "1|1|1\n");
    expect_rows("SELECT kind, detail FROM parzen_events WHERE study_id = 2",
                "DELETE_STUDY|gone\n");
    expect_next_id(&a, 3);
    actions_fini(&a);
}
END_TEST

/* SQLite gives the ids of what was deleted last to what comes next: the study
 * and its trial are Optuna's, whatever they are called. */
START_TEST(test_what_took_the_ids_of_the_deleted_is_another)
{
    static const char *const names[] = {"first", "another"};
    struct err err;
    one_trial(TRIAL_COMPLETE, 0.5);
    char *sql = mem_printf(
        "DELETE FROM trial_params; DELETE FROM trial_values;"
        "DELETE FROM trial_intermediate_values; DELETE FROM trials;"
        "DELETE FROM trial_user_attributes;"
        "DELETE FROM study_directions; DELETE FROM study_system_attributes;"
        "DELETE FROM studies;"
        "INSERT INTO studies VALUES (1, '%s');"
        "INSERT INTO study_directions VALUES (1, 'MAXIMIZE', 1, 0);"
        "INSERT INTO trials VALUES (1, 0, 1, 'WAITING', NULL, NULL)",
        names[_i]);
    fix_store_tamper(fix.path, sql);
    free(sql);
    mirror_free(fix.mirror);
    fix.mirror = mirror_new(1);
    ck_assert_msg(store_take_in(fix.store, fix.mirror, &err) == 0, "%s",
                  err.msg);
    const struct study *s = mirror_study_by_name(fix.mirror, names[_i]);
    ck_assert_ptr_nonnull(s);
    ck_assert(s->is_foreign);
    expect_rows("SELECT (SELECT count(*) FROM parzen_configs),"
                " (SELECT count(*) FROM parzen_trials),"
                " (SELECT count(*) FROM parzen_attempts),"
                " (SELECT count(*) FROM parzen_checkpoints)",
                "0|0|0|0\n");
    expect_rows("SELECT kind, detail FROM parzen_events",
                "DELETE_STUDY|first\n");
    struct actions a;
    actions_init(&a);
    expect_next_id(&a, 2);
    fix_store_reopen(&fix);
    fix_store_expect_equal(&fix);
    actions_fini(&a);
}
END_TEST

/* A trial that is gone without its study is no deletion of Optuna's: our rows
 * of it stay for the checks to find, whatever else was written. */
START_TEST(test_a_missing_trial_is_damage)
{
    struct err err;
    one_trial(TRIAL_COMPLETE, 0.5);
    fix_store_tamper(fix.path,
                     "DELETE FROM trial_params; DELETE FROM trial_values;"
                     "DELETE FROM trial_intermediate_values;"
                     "DELETE FROM trials;"
                     "INSERT INTO trials VALUES"
                     " (7, 0, 1, 'WAITING', NULL, NULL)");
    struct mirror *m = mirror_new(1);
    ck_assert_int_eq(store_take_in(fix.store, m, &err), 0);
    mirror_free(m);
    expect_rows("SELECT trial_id FROM parzen_trials", "1\n7\n");
    expect_rows("SELECT count(*) > 0 FROM parzen_attempts WHERE trial_id = 1",
                "1\n");
}
END_TEST

/* Nobody writes between the look and the commit. */
START_TEST(test_nobody_writes_into_a_decision)
{
    sqlite3 *db;
    struct actions a;
    struct err err;
    actions_init(&a);
    fix_store_add_study(&fix, &a, "s");
    ck_assert_int_eq(store_put(fix.store, fix.mirror, &a, &err), 0);
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "INSERT INTO studies VALUES (1, 'o')",
                                  NULL, NULL, NULL),
                     SQLITE_BUSY);
    ck_assert(!store_is_stale(fix.store));
    ck_assert_int_eq(store_flush(fix.store, &err), 0);
    sqlite3_close(db);
    actions_fini(&a);
}
END_TEST

/* Random decisions; after each, what a restart would load. */
START_TEST(test_random_lives)
{
    fix_store_fini(&fix);
    fix_store_init(&fix, (uint32_t)_i + 100);
    struct actions a;
    actions_init(&a);
    for (int i = 0; i < 400; i++) {
        fix_store_random(&fix, &a);
        fix_store_must(&fix, &a);
        if (i % 8 == 0) {
            fix_store_expect_equal(&fix);
        }
        if (i % 100 == 99) {
            fix_store_reopen(&fix);
            store_checkpoint(fix.store);
        }
    }
    fix_store_expect_equal(&fix);
}
END_TEST

/* Optuna's workers write theirs one by one, trials in between. */
START_TEST(test_parameters_in_any_order)
{
    static const char *const ORDERS[] = {
        "UPDATE trial_params SET param_id = 1000000 - param_id",
        "UPDATE trial_params SET param_id = 1000 + (param_id * 577) % 997"};
    fix_store_work(&fix, 200);
    char *n = query("SELECT count(*) > 100 AND max(param_id) < 997"
                    " FROM trial_params");
    ck_assert_str_eq(n, "1\n");
    free(n);
    for (size_t i = 0; i < ARRAY_LEN(ORDERS); i++) {
        fix_store_tamper(fix.path, ORDERS[i]);
        fix_store_expect_equal(&fix);
    }
}
END_TEST

/* As SQLite's own calendar has them. */
START_TEST(test_any_day)
{
    static const char *const TIMES[] = {
        "1970-01-01 00:00:00",        "1999-12-31 23:59:59.999000",
        "2000-02-29 12:00:00.000000", "2000-03-01 00:00:00.500000",
        "2024-02-29 23:59:59.001000", "2023-03-01 06:07:08",
        "2026-02-30 00:00:00",        "2100-02-28 23:59:59",
        "2100-03-01 00:00:00",        "9999-12-31 23:59:59.999000"};
    fix_store_trial(&fix);
    for (size_t i = 0; i < ARRAY_LEN(TIMES); i++) {
        char *set =
            mem_printf("UPDATE trials SET datetime_start = '%s'", TIMES[i]);
        fix_store_tamper(fix.path, set);
        free(set);
        char *ms = query("SELECT CAST(round((julianday(datetime_start)"
                         " - 2440587.5) * 86400000) AS INTEGER) FROM trials");
        struct mirror *m = fix_store_load(&fix);
        ck_assert_msg(m->studies[0]->trials[0]->start_ms ==
                          strtoll(ms, NULL, 10),
                      "%s: %s", TIMES[i], ms);
        mirror_free(m);
        free(ms);
    }
}
END_TEST

START_TEST(test_in_memory)
{
    struct err err;
    store_close(fix.store);
    ck_assert_int_eq(store_open(":memory:", &fix.store, &err), 0);
    fix_store_work(&fix, 100);
    fix_store_expect_equal(&fix);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store");
    TCase *t = tcase_create("store");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_a_new_store_is_an_optuna_database);
    tcase_add_test(t, test_what_another_writer_did_is_taken_in);
    tcase_add_test(t, test_what_another_writer_deleted_is_forgotten);
    tcase_add_loop_test(t, test_what_took_the_ids_of_the_deleted_is_another, 0,
                        2);
    tcase_add_test(t, test_a_missing_trial_is_damage);
    tcase_add_test(t, test_nobody_writes_into_a_decision);
    tcase_add_test(t, test_a_trial_in_optunas_tables);
    tcase_add_test(t, test_what_is_not_finite);
    tcase_add_test(t, test_fail_and_retry);
    tcase_add_test(t, test_enqueued_values);
    tcase_add_test(t, test_delete_leaves_one_event);
    tcase_add_test(t, test_a_refused_commit_writes_nothing);
    tcase_add_test(t, test_another_writer_is_waited_for_then_named);
    tcase_add_loop_test(t, test_random_lives, 0, 5);
    tcase_add_test(t, test_parameters_in_any_order);
    tcase_add_test(t, test_any_day);
    tcase_add_test(t, test_in_memory);
    suite_add_tcase(s, t);
    return s;
}
