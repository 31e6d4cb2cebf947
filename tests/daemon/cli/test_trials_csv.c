/* A study's trials as CSV. */
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "daemon/cli/trials_csv.h"

#define HEAD                                                                   \
    "number,state,value,params_x,start,end,duration_ms,best_epoch,attempt,"    \
    "cause,message,checkpoint,feasible"

/* trials: a list. */
static void assert_csv(const char *study_text, const char *trials_text,
                       const char *expected)
{
    struct json *study = parsed_text(study_text),
                *trials = parsed_text(trials_text);
    struct trials_csv *csv = trials_csv_new(study);
    struct buf out;
    buf_init(&out, BUF_MAX_CONFIG);
    for (const struct json *t = json_first(trials); t != NULL;
         t = json_next(t)) {
        trials_csv_add(csv, t);
    }
    trials_csv_put(csv, &out);
    ck_assert_str_eq(out.data, expected);
    buf_fini(&out);
    trials_csv_free(csv);
    json_free(trials);
    json_free(study);
}

START_TEST(no_trials_are_a_heading)
{
    assert_csv("{\"params\":[\"x\"],\"unit\":\"step\"}", "[]", HEAD "\r\n");
}
END_TEST

/* The columns are those of all rows, in the order that they were told in. */
START_TEST(a_constraint_may_come_with_a_late_trial)
{
    assert_csv(
        "{\"params\":[\"x\"],\"unit\":\"epoch\",\"config\":{\"objective\":"
        "{\"constraints\":[\"size\"]}}}",
        "[{\"number\":0,\"epochs\":[{\"epoch\":0,\"val-acc\":0.5}]},"
        "{\"number\":1,\"constraints\":{\"size\":-1,\"b\":2},"
        "\"epochs\":[{\"epoch\":0,\"val-acc\":0.25}]},"
        "{\"number\":2,\"constraints\":{\"a\":3}}]",
        HEAD ",constraints_size,constraints_b,constraints_a,"
             "metrics_train-loss,metrics_train-acc,metrics_val-loss,"
             "metrics_val-acc,metrics_test-acc\r\n"
             "0,,,,,,,,,,,,,,,,,,,0.5,\r\n"
             "1,,,,,,,,,,,,,-1,2,,,,,0.25,\r\n"
             "2,,,,,,,,,,,,,,,3,,,,,\r\n");
}
END_TEST

START_TEST(texts_are_quoted_where_they_must_be)
{
    assert_csv("{\"params\":[\"x\"],\"unit\":\"step\"}",
               "[{\"number\":7,\"state\":\"FAIL\",\"params\":{\"x\":\"a,b\"},"
               "\"cause\":\"exit\",\"message\":\"say \\\"no\\\"\\nor\","
               "\"start\":1767225600123,\"feasible\":true}]",
               HEAD "\r\n7,FAIL,,\"a,b\",2026-01-01T00:00:00.123Z,,,,,exit,"
                    "\"say \"\"no\"\"\nor\",,true\r\n");
}
END_TEST

START_TEST(a_null_is_no_missing_parameter)
{
    assert_csv("{\"params\":[\"x\"],\"unit\":\"step\"}",
               "[{\"number\":0,\"value\":null,\"params\":{\"x\":null}},"
               "{\"number\":1,\"params\":{}}]",
               HEAD "\r\n0,,,null,,,,,,,,,\r\n1,,,,,,,,,,,,\r\n");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("cli/trials_csv");
    TCase *c = tcase_create("trials_csv");
    tcase_add_test(c, no_trials_are_a_heading);
    tcase_add_test(c, a_constraint_may_come_with_a_late_trial);
    tcase_add_test(c, a_null_is_no_missing_parameter);
    tcase_add_test(c, texts_are_quoted_where_they_must_be);
    suite_add_tcase(s, c);
    return s;
}
