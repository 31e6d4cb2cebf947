/* Trials that another program has not ended yet: a suggestion of ours beside
 * them can be computed again. Rows are written as Optuna writes them. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>

static const char *const two[] = {"--workers", "2", NULL};

/* The config of a study of two integers; its sampler as JSON members. */
static const char *config(const struct home *h, const char *study, int n_trials,
                          const char *sampler)
{
    char *text = mem_printf(
        "{\"study\": \"%s\", \"n_trials\": %d, \"sampler\": {\"type\": %s},"
        " \"objective\": {\"type\": \"function\", \"function\": \"sphere\"},"
        " \"params\": {\"a\": {\"int\": [0, 4]}, \"b\": {\"int\": [0, 4]}}}",
        study, n_trials, sampler);
    const char *path = home_file(h, "c.json", text);
    free(text);
    return path;
}

/* Another program's trial of the only study, which has a = 2 and no b yet. */
static void insert_half(const struct home *h, int number, const char *state,
                        const char *ended)
{
    char *sql = mem_printf(
        "BEGIN;"
        "INSERT INTO trials SELECT max(trial_id) + 1, %d, 1, '%s',"
        " '2026-01-01 00:00:00.000000', %s FROM trials;"
        "INSERT INTO trial_params (trial_id, param_name, param_value,"
        " distribution_json) SELECT (SELECT max(trial_id) FROM trials),"
        " param_name, 2, distribution_json FROM trial_params"
        " WHERE param_name = 'a' AND trial_id = 1;"
        "COMMIT",
        number, state, ended);
    home_exec(h, sql);
    free(sql);
}

/* To the end of so many trials. */
static void resume(const struct home *h, const char *n_trials)
{
    EXPECT(h, 0, NULL, "resume", "p", "--trials", n_trials);
    home_wait_state(h, "p", "finished", 60);
}

/* What another program runs has its parameters one after the other: when it
 * had which is in no log. A grid's point and TPE's liar are as if it had none
 * until it ends, in memory as in a replay. */
START_TEST(what_others_run_is_no_reason_for_a_suggestion)
{
    static const char *const samplers[] = {"\"tpe\"",
                                           "\"tpe\", \"duplicates\": \"avoid\"",
                                           "\"grid\"", "\"brute-force\""};
    struct home h;
    home_init(&h);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", config(&h, "p", 6, samplers[_i]));
    insert_half(&h, 6, "RUNNING", "NULL");
    resume(&h, "8");
    home_exec(&h, /* a point that nobody tried, and that comes up below */
              "INSERT INTO trial_params (trial_id, param_name, param_value,"
              " distribution_json) SELECT (SELECT trial_id FROM trials"
              " WHERE number = 6), param_name, (SELECT min(column1) FROM"
              " (VALUES (0), (1), (2), (3), (4)) WHERE column1 NOT IN"
              " (SELECT b.param_value FROM trial_params a JOIN trial_params b"
              " USING (trial_id) WHERE a.param_name = 'a' AND a.param_value = 2"
              " AND b.param_name = 'b')), distribution_json FROM trial_params"
              " WHERE param_name = 'b' AND trial_id = 1");
    resume(&h, "24");
    home_replays(&h, "p");
    home_exec(&h, "BEGIN;"
                  "INSERT INTO trial_values (trial_id, objective, value,"
                  " value_type) SELECT trial_id, 0, 13, 'FINITE' FROM trials"
                  " WHERE number = 6;"
                  "UPDATE trials SET state = 'COMPLETE', datetime_complete ="
                  " '2026-01-01 00:00:01.000000' WHERE number = 6;"
                  "COMMIT");
    resume(&h, "26");
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_events"
                                    " WHERE kind = 'ADOPT_TRIAL'"),
                     2);
    home_replays(&h, "p");
    home_kill_daemon(&h);
    home_start(&h, two);
    home_replays(&h, "p");
    home_fini(&h);
}
END_TEST

/* The same of what Optuna left behind, running and enqueued, half fixed. */
START_TEST(what_was_left_is_no_reason_either)
{
    static const char dist[] =
        "'{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false,"
        " \"step\": 1, \"low\": 0, \"high\": 4}}'";
    static const char *const samplers[] = {"\"grid\"", "\"brute-force\"",
                                           "\"tpe\""};
    struct home h;
    home_init(&h);
    home_start(&h, two);
    char *rows = mem_printf(
        "BEGIN; INSERT INTO studies VALUES (1, 'o');"
        "INSERT INTO study_directions (direction, study_id, objective)"
        " VALUES ('MINIMIZE', 1, 0);"
        "INSERT INTO trials VALUES (1, 0, 1, 'RUNNING',"
        " '2026-01-01 00:00:00.000000', NULL),"
        " (2, 1, 1, 'WAITING', NULL, NULL), (3, 2, 1, 'WAITING', NULL, NULL);"
        "INSERT INTO trial_params (trial_id, param_name, param_value,"
        " distribution_json) VALUES (1, 'a', 1, %s), (1, 'b', 4, %s);"
        "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
        " VALUES (2, 'fixed_params', '{\"a\": 3}'),"
        " (3, 'fixed_params', '{\"a\": 3, \"b\": 3}'); COMMIT",
        dist, dist);
    home_exec(&h, rows);
    EXPECT(&h, 0, NULL, "resume", "o", "--config",
           config(&h, "o", 20, samplers[_i]));
    home_wait_state(&h, "o", "finished", 60);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trial_params WHERE"
                                    " trial_id = 1 AND param_value IN (1, 4)"),
                     2); /* repeated as it was */
    home_replays(&h, "o");
    free(rows);
    home_fini(&h);
}
END_TEST

/* What another program failed has the parameters that it got so far, and gets
 * the others when it is tried again, by us. */
START_TEST(what_failed_elsewhere_is_tried_again)
{
    static const char *const samplers[] = {"\"grid\"", "\"tpe\""};
    struct home h;
    home_init(&h);
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", config(&h, "p", 12, samplers[_i]));
    insert_half(&h, 12, "FAIL", "'2026-01-01 00:00:01.000000'");
    resume(&h, "20");
    home_replays(&h, "p");
    EXPECT(&h, 0, NULL, "retry", "p");
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM trials WHERE number = 12 AND"
                        " state = 'COMPLETE'",
                        1, 60000));
    home_replays(&h, "p");
    home_kill_daemon(&h);
    home_start(&h, two);
    resume(&h, "23");
    home_replays(&h, "p");
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/optuna_unfinished");
    TCase *c = tcase_create("unfinished");
    tcase_set_timeout(c, 200);
    tcase_add_loop_test(c, what_others_run_is_no_reason_for_a_suggestion, 0, 4);
    tcase_add_loop_test(c, what_was_left_is_no_reason_either, 0, 3);
    tcase_add_loop_test(c, what_failed_elsewhere_is_tried_again, 0, 2);
    suite_add_tcase(s, c);
    return s;
}
