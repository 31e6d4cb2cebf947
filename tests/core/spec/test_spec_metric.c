/* What a command calls its values. */
#include "core/spec/spec.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static int parse(const char *objective, struct spec *out, struct err *err)
{
    char *text = mem_printf("{\"study\":\"s\",\"params\":{\"x\":{\"float\":"
                            "[0,1]}},\"objective\":{%s}}",
                            objective);
    int rc = spec_parse(text, strlen(text), out, err);
    free(text);
    return rc;
}

#define COMMAND "\"type\":\"command\",\"command\":[\"true\"]"

START_TEST(a_command_names_its_values)
{
    struct spec s, copy, back;
    struct err err;
    struct buf text, difference;
    ck_assert_msg(parse(COMMAND ",\"metric\":\"f1@10/macro_avg\","
                                "\"direction\":\"maximize\"",
                        &s, &err) == 0,
                  "%s", err.msg);
    spec_copy(&copy, &s);
    spec_fini(&s);
    ck_assert_str_eq(spec_metric_name(&copy), "f1@10/macro_avg");
    ck_assert_int_eq(copy.direction, SPEC_MAXIMIZE);
    buf_init(&text, BUF_MAX_CONFIG);
    buf_init(&difference, BUF_MAX_CONFIG);
    spec_to_json(&copy, &text);
    ck_assert_ptr_nonnull(strstr(text.data, "\"metric\":\"f1@10/macro_avg\""));
    ck_assert_int_eq(spec_parse_stored(text.data, text.len, &back, &err), 0);
    ck_assert_str_eq(spec_metric_name(&back), "f1@10/macro_avg");
    ck_assert_int_eq(spec_difference(&copy, &back, &difference), 0);
    spec_fini(&back);
    spec_fini(&copy);
    buf_fini(&text);
    buf_fini(&difference);
}
END_TEST

/* The training's metrics are no names of a command's values: configs that a
 * store has hold one where none was written. */
START_TEST(the_trainings_metrics_only_tell_a_direction)
{
    struct spec s;
    struct err err;
    ck_assert_int_eq(parse(COMMAND, &s, &err), 0);
    ck_assert_str_eq(spec_metric_name(&s), "value");
    spec_fini(&s);
    ck_assert_int_eq(parse(COMMAND ",\"metric\":\"val-acc\"", &s, &err), 0);
    ck_assert_str_eq(spec_metric_name(&s), "value");
    ck_assert_int_eq(s.direction, SPEC_MAXIMIZE);
    spec_fini(&s);
}
END_TEST

static const struct {
    const char *objective, *sentence;
} REFUSED[] = {
    {COMMAND ",\"metric\":\"f1\"",
     "objective.direction: missing: is a high 'f1' good (maximize) or a low "
     "one (minimize)?"},
    {COMMAND ",\"metric\":\"a b\",\"direction\":\"minimize\"",
     "objective.metric: must be 1 to 40 letters, digits or any of _-.@/, not "
     "'a b'"},
    {COMMAND ",\"metric\":\"\",\"direction\":\"minimize\"",
     "objective.metric: must be 1 to 40 letters, digits or any of _-.@/, not "
     "''"},
    {COMMAND ",\"metric\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
             "\"direction\":\"minimize\"",
     "objective.metric: must be 1 to 40 letters, digits or any of _-.@/, not "
     "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'"},
    {COMMAND ",\"metric\":\"step\",\"direction\":\"minimize\"",
     "objective.metric: 'step' is what values are counted by"},
    {COMMAND ",\"metric\":\"state\",\"direction\":\"minimize\"",
     "objective.metric: 'state' is another column of the list of trials"},
    {COMMAND ",\"metric\":\"x\",\"direction\":\"minimize\"",
     "objective.metric: 'x' is the name of a parameter"},
    {COMMAND ",\"metric\":7",
     "objective.metric: must be a string, not a number"},
    {"\"type\":\"function\",\"function\":\"levy\",\"metric\":\"f1\"",
     "objective.metric: must be one of train-loss, train-acc, val-loss, "
     "val-acc, test-acc, not 'f1'"},
};

START_TEST(other_names_are_refused)
{
    struct spec s;
    struct err err;
    ck_assert_int_eq(parse(REFUSED[_i].objective, &s, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, REFUSED[_i].sentence);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("spec_metric");
    TCase *t = tcase_create("spec_metric");
    tcase_add_test(t, a_command_names_its_values);
    tcase_add_test(t, the_trainings_metrics_only_tell_a_direction);
    tcase_add_loop_test(t, other_names_are_refused, 0, (int)ARRAY_LEN(REFUSED));
    suite_add_tcase(s, t);
    return s;
}
