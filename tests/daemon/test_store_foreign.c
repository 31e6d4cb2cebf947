/* Studies that Optuna made, as it left them. */
#include "tests/lib/test_main.h"
#include "core/spec/spec_json.h"
#include "daemon/event.h"
#include "daemon/sched.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <math.h>
#include <sqlite3.h>
#include <string.h>

static struct fix_store fix;

static void setup(void)
{
    fix_store_init(&fix, 1);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

/* What Optuna writes while nobody has the file open. */
static void write_as_optuna(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    fix_store_close(&fix);
    ck_assert_int_eq(sqlite3_open(fix.path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK, "%s",
                  error);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    fix_store_open(&fix);
    mirror_free(fix.mirror);
    fix.mirror = fix_store_load(&fix);
}

static void adopt(const char *config)
{
    struct actions a;
    struct spec spec;
    struct err err;
    actions_init(&a);
    ck_assert_msg(spec_parse(config, strlen(config), &spec, &err) == 0, "%s",
                  err.msg);
    struct event e = {.kind = EVENT_ADOPT,
                      .now_ms = 1000,
                      .mono_ms = 1000,
                      .slot = -1,
                      .study = 1,
                      .add_study = {&spec}};
    ck_assert_msg(sched_decide(fix.mirror, &e, &a, &err) == 0, "%s", err.msg);
    fix_store_must(&fix, &a);
    spec_fini(&spec);
}

/* No trial has them yet, so that nobody knows their distributions: what was
 * enqueued is known all the same, before and after the study gets a config. */
START_TEST(what_was_only_enqueued_is_tried)
{
    write_as_optuna(
        "INSERT INTO studies VALUES (1, 'o');"
        "INSERT INTO study_directions (direction, study_id, objective)"
        " VALUES ('MINIMIZE', 1, 0);"
        "INSERT INTO trials VALUES (1, 0, 1, 'WAITING', NULL, NULL);"
        "INSERT INTO trials VALUES (2, 1, 1, 'WAITING', NULL, NULL);"
        "INSERT INTO trials VALUES (3, 2, 1, 'WAITING', NULL, NULL);"
        "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES"
        " (1, 'fixed_params', '{\"lr\": 0.1, \"opt\": \"sgd\"}'),"
        " (2, 'fixed_params', '{\"lr\": 0.30000000000000004, \"gone\": 1}'),"
        " (3, 'fixed_params', '{\"opt\": \"none such\"}')");
    ck_assert(fix.mirror->studies[0]->is_foreign);
    ck_assert_uint_eq(fix.mirror->studies[0]->spec.space.n, 3);
    fix_store_expect_equal(&fix);
    adopt("{\"study\":\"o\",\"n_trials\":5,\"objective\":{\"type\":\"command\","
          "\"direction\":\"minimize\",\"command\":[\"x\"]},\"params\":{"
          "\"lr\":{\"float\":[0,1]},\"opt\":{\"choice\":[\"adam\",\"sgd\"]}}}");
    fix_store_expect_equal(&fix);
    const struct study *s = fix.mirror->studies[0];
    ck_assert(s->trials[0]->fixed[0] == 0.1);
    ck_assert(s->trials[0]->fixed[1] == 1);
    ck_assert(s->trials[1]->fixed[0] == 0.30000000000000004);
    ck_assert(isnan(s->trials[1]->fixed[1]));
    ck_assert_ptr_null(s->trials[2]->fixed);
}
END_TEST

/* An exported study has our words on how its trials ended in the attributes
 * for Optuna's users; theirs of the same names may be anything. */
START_TEST(how_a_trial_ended_is_known)
{
    write_as_optuna(
        "INSERT INTO studies VALUES (1, 'o');"
        "INSERT INTO study_directions (direction, study_id, objective)"
        " VALUES ('MINIMIZE', 1, 0);"
        "INSERT INTO trials VALUES"
        " (1, 0, 1, 'COMPLETE', '2026-01-01 00:00:00', '2026-01-01 00:00:01'),"
        " (2, 1, 1, 'FAIL', '2026-01-01 00:00:00', '2026-01-01 00:00:01'),"
        " (3, 2, 1, 'COMPLETE', '2026-01-01 00:00:00', '2026-01-01 00:00:01'),"
        " (4, 3, 1, 'COMPLETE', '2026-01-01 00:00:00', '2026-01-01 00:00:01'),"
        " (5, 4, 1, 'WAITING', NULL, NULL);"
        "INSERT INTO trial_values (trial_id, objective, value, value_type)"
        " VALUES (1, 0, 0.5, 'FINITE'), (3, 0, 0.5, 'FINITE'),"
        " (4, 0, 0.5, 'FINITE');"
        "INSERT INTO trial_intermediate_values (trial_id, step,"
        " intermediate_value, intermediate_value_type) VALUES"
        " (1, 0, 0.7, 'FINITE'), (1, 1, 0.5, 'FINITE'), (1, 2, 0.6, 'FINITE'),"
        " (3, 0, 0.5, 'FINITE'), (4, 0, 0.5, 'FINITE');"
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES"
        " (1, 'epoch', '1'), (2, 'cause', '\"timeout\"'),"
        " (3, 'epoch', '30'), (3, 'cause', '\"bad luck\"'),"
        " (4, 'epoch', '0.5'), (4, 'cause', '7'),"
        " (5, 'cause', '\"timeout\"')");
    for (int round = 0; round < 3; round++) {
        const struct study *s = fix.mirror->studies[0];
        ck_assert_int_eq(s->is_foreign, round == 0);
        ck_assert_int_eq(s->trials[0]->best_epoch, 1);
        ck_assert_int_eq(s->trials[1]->cause, TRIAL_CAUSE_TIMEOUT);
        for (int i = 2; i < 5; i++) {
            ck_assert_int_eq(s->trials[i]->best_epoch, -1);
            ck_assert_int_eq(s->trials[i]->cause, TRIAL_CAUSE_NONE);
        }
        if (round == 0) {
            adopt("{\"study\":\"o\",\"n_trials\":9,\"objective\":{"
                  "\"type\":\"command\",\"direction\":\"minimize\","
                  "\"command\":[\"x\"]},"
                  "\"params\":{\"lr\":{\"float\":[0,1]}}}");
        }
        fix_store_expect_equal(&fix);
        fix_store_reopen(&fix);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store_foreign");
    TCase *c = tcase_create("store_foreign");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, how_a_trial_ended_is_known);
    tcase_add_test(c, what_was_only_enqueued_is_tried);
    suite_add_tcase(s, c);
    return s;
}
