/* A finished trial says what it said when it ended: a load notices any bit that
 * has flipped since, and nothing that may change is taken for damage. */
#include "tests/lib/test_main.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fix_store fix;
static struct actions a;

/* Trial 0 of study 's': two reports, constraints, the state and value given. */
static void one_trial(enum trial_state state, double value)
{
    fix_store_init(&fix, 11);
    actions_init(&a);
    fix_store_trial(&fix);
    for (int i = 0; i < 2; i++) {
        struct action *r = fix_store_report(&fix, &a, 1, 0);
        for (int k = 0; k < RUN_N_METRICS; k++) {
            r->report.metrics.value[k] = 0.1 + 0.01 * i + k;
        }
        fix_store_must(&fix, &a);
    }
    struct action *c = fix_store_add(&fix, &a, ACTION_CONSTRAINTS, 1, 0);
    c->constraints.n = 2;
    c->constraints.values[0] = -0.5;
    c->constraints.values[1] = 0.25;
    fix_store_must(&fix, &a);
    fix_store_finish(&fix, &a, 1, 0, state, value);
    fix_store_must(&fix, &a);
}

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    one_trial(TRIAL_COMPLETE, 0.75);
}

static void teardown(void)
{
    actions_fini(&a);
    fix_store_fini(&fix);
}

static int load(struct err *err)
{
    struct mirror *m = mirror_new(1);
    int rc = store_load(fix.store, m, err);
    mirror_free(m);
    return rc;
}

/* --- what is noticed ------------------------------------------------------ */

static const struct {
    const char *table, *column, *which, *says;
} NUMBERS[] = {
    {"trial_values", "value", "1", "its state, value or best epoch"},
    {"trial_params", "param_value", "param_name = 'lr'", "a parameter"},
    {"trial_params", "param_value", "param_name = 'dropout'", "a parameter"},
    {"parzen_epochs", "train_loss", "epoch = 0", "a reported value"},
    {"parzen_epochs", "val_loss", "epoch = 1", "a reported value"},
    {"parzen_epochs", "val_acc", "epoch = 1", "a reported value"},
    {"parzen_epochs", "test_acc", "epoch = 0", "a reported value"},
};

/* The number with one bit flipped, and back. */
static void flip(int which, int bit)
{
    char *sql = mem_printf("SELECT %s FROM %s WHERE %s", NUMBERS[which].column,
                           NUMBERS[which].table, NUMBERS[which].which);
    char *set =
        mem_printf("UPDATE %s SET %s = ? WHERE %s", NUMBERS[which].table,
                   NUMBERS[which].column, NUMBERS[which].which);
    sqlite3 *db;
    sqlite3_stmt *st;
    double value;
    uint64_t bits;
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
    value = sqlite3_column_double(st, 0);
    sqlite3_finalize(st);
    memcpy(&bits, &value, sizeof(bits));
    bits ^= (uint64_t)1 << bit;
    memcpy(&value, &bits, sizeof(bits));
    ck_assert_int_eq(sqlite3_prepare_v2(db, set, -1, &st, NULL), SQLITE_OK);
    sqlite3_bind_double(st, 1, value);
    ck_assert_int_eq(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    sqlite3_close(db);
    free(sql);
    free(set);
}

START_TEST(test_any_bit_of_a_number)
{
    struct err err;
    for (int bit = 0; bit < 64; bit++) {
        flip(_i, bit);
        ck_assert_msg(load(&err) == ERR_CORRUPT, "%s.%s: bit %d",
                      NUMBERS[_i].table, NUMBERS[_i].column, bit);
        flip(_i, bit);
        ck_assert_msg(load(&err) == 0, "%s", err.msg);
    }
    flip(_i, 0);
    ck_assert_int_eq(load(&err), ERR_CORRUPT);
    char *says = mem_printf("study 's', trial 0: %s is not what it was when"
                            " the trial ended",
                            NUMBERS[_i].says);
    ck_assert_msg(strstr(err.msg, says) != NULL, "%s", err.msg);
    ck_assert_msg(strstr(err.msg, fix.path) != NULL, "%s", err.msg);
    free(says);
}
END_TEST

static const struct {
    const char *sql, *says;
} CHANGES[] = {
    {"UPDATE trials SET state = 'PRUNED'", "its state"},
    {"UPDATE parzen_trials SET best_epoch = 0", "best epoch"},
    {"UPDATE trial_system_attributes SET value_json = '[-0.5, 0.375]'"
     " WHERE key = 'constraints'",
     "a constraint"},
    {"DELETE FROM trial_system_attributes WHERE key = 'constraints'",
     "a constraint"},
    {"DELETE FROM parzen_epochs WHERE epoch = 1", "a reported value"},
    {"UPDATE parzen_trials SET params_digest = params_digest + 1",
     "a parameter"},
};

/* Also by a start, which adopts nothing of it as another program's doing. */
START_TEST(test_other_changes)
{
    struct err err;
    fix_store_close(&fix);
    fix_store_tamper(fix.path, CHANGES[_i].sql);
    fix_store_open(&fix);
    ck_assert_int_eq(load(&err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, CHANGES[_i].says) != NULL, "%s", err.msg);
}
END_TEST

/* --- what may change ------------------------------------------------------ */

/* A report and the end that follows from it are one decision. */
START_TEST(test_one_decision)
{
    struct err err;
    fix_store_add_trial(&fix, &a, 1, NULL);
    fix_store_start(&fix, &a, 1, 1);
    fix_store_report(&fix, &a, 1, 1);
    fix_store_finish(&fix, &a, 1, 1, TRIAL_PRUNED, NAN)->end.best_epoch = 0;
    fix_store_must(&fix, &a);
    ck_assert_msg(load(&err) == 0, "%s", err.msg);
    fix_store_tamper(fix.path,
                     "UPDATE parzen_epochs SET attempt = 2 WHERE trial_id = 2");
    ck_assert_int_eq(load(&err), ERR_CORRUPT);
}
END_TEST

START_TEST(test_retry)
{
    struct err err;
    teardown();
    one_trial(TRIAL_FAIL, NAN);
    fix_store_add(&fix, &a, ACTION_RETRY_TRIAL, 1, 0);
    fix_store_must(&fix, &a);
    ck_assert_msg(load(&err) == 0, "%s", err.msg);
    fix_store_start(&fix, &a, 1, 0);
    fix_store_must(&fix, &a);
    fix_store_report(&fix, &a, 1, 0);
    fix_store_must(&fix, &a);
    fix_store_finish(&fix, &a, 1, 0, TRIAL_COMPLETE, 0.5);
    fix_store_must(&fix, &a);
    fix_store_expect_equal(&fix);
    fix_store_tamper(fix.path, "UPDATE trial_values SET value = 0.25");
    ck_assert_int_eq(load(&err), ERR_CORRUPT);
}
END_TEST

/* The choices' numbers stay what they were. */
START_TEST(test_appended_choices)
{
    static const char CONFIG[] =
        "{\"study\": \"s\", \"n_trials\": 30, \"seed\": 7,"
        " \"data\": {\"source\": \"/data/x.jsonl\", \"text\": \"t\","
        "  \"label\": \"l\"},"
        " \"model\": {\"emb_dim\": {\"choice\": [64, 128, 256, 512]},"
        "  \"mask\": {\"choice\": [\"padding\", \"notebook\"]},"
        "  \"max_len\": {\"int\": [50, 350], \"step\": 50},"
        "  \"dropout\": {\"float\": [0, 0.5], \"step\": 0.1}},"
        " \"training\": {\"lr\": {\"float\": [1e-5, 1e-3], \"log\": true}}}";
    struct err err;
    struct action *c = fix_store_add(&fix, &a, ACTION_CHANGE_STUDY, 1, -1);
    c->add_study.spec = mem_alloc(1, sizeof(struct spec));
    ck_assert_msg(spec_parse(CONFIG, strlen(CONFIG), c->add_study.spec, &err) ==
                      0,
                  "%s", err.msg);
    fix_store_must(&fix, &a);
    ck_assert_msg(load(&err) == 0, "%s", err.msg);
}
END_TEST

/* --- trials that have none ------------------------------------------------ */

/* They ended before digests were kept, or under Optuna: as they are now. */
START_TEST(test_they_are_given_one)
{
    struct err err;
    fix_store_tamper(
        fix.path,
        "UPDATE parzen_trials SET end_digest = NULL, params_digest = NULL,"
        " reports_digest = NULL, constraints_digest = NULL;"
        "UPDATE trial_values SET value = 0.5");
    struct mirror *m = fix_store_load(&fix);
    ck_assert_msg(store_give_digests(fix.store, m, &err) == 0, "%s", err.msg);
    mirror_free(m);
    ck_assert_msg(load(&err) == 0, "%s", err.msg);
    fix_store_tamper(fix.path, "UPDATE trial_values SET value = 0.25");
    ck_assert_int_eq(load(&err), ERR_CORRUPT);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store digest");
    TCase *t = tcase_create("digest");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, test_any_bit_of_a_number, 0,
                        (int)ARRAY_LEN(NUMBERS));
    tcase_add_loop_test(t, test_other_changes, 0, (int)ARRAY_LEN(CHANGES));
    tcase_add_test(t, test_one_decision);
    tcase_add_test(t, test_retry);
    tcase_add_test(t, test_appended_choices);
    tcase_add_test(t, test_they_are_given_one);
    suite_add_tcase(s, t);
    return s;
}
