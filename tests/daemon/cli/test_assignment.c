/* NAME=VALUE of a command line. */
#include "daemon/cli/assignment.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/spec/space.h"
#include "tests/lib/test_main.h"

#include <string.h>

/* f is a float, n an int, c a choice of strings, b one of both kinds. */
static char names[][2] = {"f", "n", "c", "b"};
static char ones[][5] = {"1", ".5", "true"};
static struct choice strings[] = {
    {.kind = CHOICE_STRING, .string = ones[0]},
    {.kind = CHOICE_STRING, .string = ones[1]},
};
static struct choice both[] = {
    {.kind = CHOICE_BOOL, .number = 1},
    {.kind = CHOICE_INT, .number = 1},
    {.kind = CHOICE_STRING, .string = ones[2]},
};
static struct param params[] = {
    {.name = names[0],
     .field = -1,
     .dist = {.kind = DIST_FLOAT, .low = 0, .high = 1}},
    {.name = names[1],
     .field = -1,
     .dist = {.kind = DIST_INT, .low = 0, .high = 9, .step = 1}},
    {.name = names[2],
     .field = -1,
     .dist = {.kind = DIST_CATEGORICAL, .choices = strings, .n_choices = 2}},
    {.name = names[3],
     .field = -1,
     .dist = {.kind = DIST_CATEGORICAL, .choices = both, .n_choices = 3}},
};
static const struct space space = {.params = params, .n = 4};

static const struct {
    const char *word, *json;
} cases[] = {
    {"f=.5", "{\"f\":0.5}"},        {"f=+0.5", "{\"f\":0.5}"},
    {"f=-.5e-1", "{\"f\":-0.05}"},  {"f=5.", "{\"f\":5}"},
    {"f=+1.e3", "{\"f\":1000.0}"},  {"f=1e-3", "{\"f\":0.001}"},
    {"f=0.", "{\"f\":0}"},          {"n=007", "{\"n\":7}"},
    {"n=00", "{\"n\":0}"},          {"n=+7", "{\"n\":7}"},
    {"n=.5", "{\"n\":0.5}"}, /* the daemon says what it must be */
    {"f=.", "{\"f\":\".\"}"},       {"f=+", "{\"f\":\"+\"}"},
    {"f=.5x", "{\"f\":\".5x\"}"},   {"f=+-1", "{\"f\":\"+-1\"}"},
    {"f=0x10", "{\"f\":\"0x10\"}"}, {"f=nan", "{\"f\":\"nan\"}"},
    {"f=", "{\"f\":\"\"}"},         {"c=1", "{\"c\":\"1\"}"},
    {"c=.5", "{\"c\":\".5\"}"},     {"c=\"1\"", "{\"c\":\"1\"}"},
    {"c=2", "{\"c\":2}"},           {"b=1", "{\"b\":1}"},
    {"b=true", "{\"b\":true}"},     {"b=\"true\"", "{\"b\":\"true\"}"},
    {"b=a=b", "{\"b\":\"a=b\"}"},   {"other=.5", "{\"other\":0.5}"},
    {"other=1", "{\"other\":1}"},   {"other=one", "{\"other\":\"one\"}"},
};

START_TEST(a_word_is_what_its_parameter_can_have)
{
    struct buf out;
    struct json_out w;
    struct err err;
    buf_init(&out, 1000);
    json_out_init(&w, &out, JSON_COMPACT);
    json_open(&w, '{');
    ck_assert_int_eq(assignment_put(&w, cases[_i].word, &space, &err), 0);
    json_close(&w, '}');
    ck_assert_str_eq(out.data, cases[_i].json);
    buf_fini(&out);
}
END_TEST

START_TEST(what_is_no_assignment_is_refused)
{
    static const char *const words[] = {"", "f", "=1", "f=\xff"};
    struct buf out;
    struct json_out w;
    struct err err;
    buf_init(&out, 1000);
    json_out_init(&w, &out, JSON_COMPACT);
    ck_assert_int_eq(assignment_put(&w, words[_i], NULL, &err), ERR_INVALID);
    buf_fini(&out);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("cli/assignment");
    TCase *t = tcase_create("assignment");
    tcase_add_loop_test(t, a_word_is_what_its_parameter_can_have, 0,
                        ARRAY_LEN(cases));
    tcase_add_loop_test(t, what_is_no_assignment_is_refused, 0, 4);
    suite_add_tcase(s, t);
    return s;
}
