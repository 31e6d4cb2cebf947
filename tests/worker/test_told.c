/* Lines that commands tell, right and wrong ones. */
#include "worker/told.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"
#include "worker/command_given.h"
#include "worker/lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *items[] = {(char *)"gb", (char *)"ms", NULL};
static const struct strings names = {items, 2}, none = {NULL, 0};

static const struct {
    const char *text;
    double value;
    int64_t step;            /* -1: none */
    const char *constraints; /* NULL: none */
} RIGHT[] = {
    {"{\"value\":1}", 1, -1, NULL},
    {"  { \"value\" : -2.5e-3 }\t", -2.5e-3, -1, NULL},
    {"{\"step\": 0, \"value\": 0.71}", 0.71, 0, NULL},
    {"{\"value\": 3, \"step\": 999999999}", 3, 999999999, NULL},
    {"{\"step\": 2.0, \"value\": 1}", 1, 2, NULL},
    {"{\"value\": NaN}", NAN, -1, NULL},
    {"{\"value\": null}", NAN, -1, NULL}, /* JavaScript's NaN */
    {"{\"value\": nan}", NAN, -1, NULL},
    {"{\"value\": -nan}", NAN, -1, NULL},
    {"{\"value\": inf}", INFINITY, -1, NULL},
    {"{\"value\": -inf}", -INFINITY, -1, NULL},
    {"{\"value\": Infinity}", INFINITY, -1, NULL},
    {"{\"step\":1,\"value\":-Infinity}", -INFINITY, 1, NULL},
    /* what a report says beside is the program's own */
    {"{\"step\":1,\"value\":2,\"lr\":NaN,\"note\":\"NaN \xe2\x82\xac\"}", 2, 1,
     NULL},
    {"{\"constraints\":[-1, 0.5]}", NAN, -1, "-1\n0.5"},
    {"{\"constraints\":{\"ms\":2,\"gb\":Infinity},\"value\":1}", 1, -1,
     "inf\n2"},
};

START_TEST(test_right_ones)
{
    struct told told;
    struct err err;
    ck_assert_msg(told_read(RIGHT[_i].text, &names, &told, &err) == 0, "%s",
                  err.msg);
    double value = RIGHT[_i].value;
    ck_assert_msg(isnan(value) ? isnan(told.value) : told.value == value, "%g",
                  told.value);
    ck_assert(told.has_value == (strstr(RIGHT[_i].text, "\"value\"") != NULL));
    ck_assert(told.has_step == (RIGHT[_i].step >= 0));
    ck_assert(!told.has_step || told.step == RIGHT[_i].step);
    if (RIGHT[_i].constraints == NULL) {
        ck_assert_ptr_null(told.constraints);
    } else {
        ck_assert_str_eq(told.constraints, RIGHT[_i].constraints);
    }
    told_fini(&told);
    told_fini(&told); /* twice is once */
}
END_TEST

#define VALUE       "\"value\" must be a number, not "
#define STEP        "\"step\" must be a whole number from 0 to 999999999"
#define CONSTRAINTS "\"constraints\" must be a number for each of "
#define UNKNOWN     " is an unknown key (known: step, value, constraints)"

static const struct {
    const char *text, *sentence;
} WRONG[] = {
    {"", "it is not JSON"},
    {"{\"value\": 1", "it is not JSON"},
    {"{\"value\": 1} 2", "it is not JSON"},
    {"{\"value\": -NaN}", "it is not JSON"},
    {"{\"value\": 1e999}", "it is not JSON"},
    {"{\"value\": 1, \"value\": 2}", "it is not JSON"}, /* which one? */
    {"{NaN: 1}", "it is not JSON"},
    {"{\"value\": \"\xff\"}", "it is not JSON"},
    {"1", "it is a number, not an object"},
    {"\"NaN\"", "it is a string, not an object"},
    {"{}", "it has no \"value\""},
    {"{\"step\": 3}", "it has no \"value\""},
    /* a string is never a number, whatever it says */
    {"{\"value\": \"0.5\"}", VALUE "a string"},
    {"{\"value\": \"NaN\"}", VALUE "a string"},
    {"{\"value\": \"Infinity\"}", VALUE "a string"},
    {"{\"value\": true}", VALUE "true or false"},
    {"{\"value\": [1]}", VALUE "a list"},
    {"{\"value\": {}}", VALUE "an object"},
    {"{\"step\": -1, \"value\": 1}", STEP},
    {"{\"step\": 1.5, \"value\": 1}", STEP},
    {"{\"step\": 1000000000, \"value\": 1}", STEP},
    {"{\"step\": \"1\", \"value\": 1}", STEP},
    {"{\"step\": NaN, \"value\": 1}", STEP},
    {"{\"stp\": 1, \"value\": 1}",
     "\"stp\" is an unknown key (did you mean \"step\"?)"},
    {"{\"loss\": 1}", "\"loss\"" UNKNOWN},
    {"{\"\xc3\xa9poque\": 1}", "\"\xc3\xa9poque\"" UNKNOWN},
    {"{\"constraints\": [1]}", CONSTRAINTS "objective.constraints"},
    {"{\"constraints\": [1,2,3]}", CONSTRAINTS "objective.constraints"},
    {"{\"constraints\": [1,NaN]}", CONSTRAINTS "objective.constraints"},
    {"{\"constraints\": [1,\"Infinity\"]}",
     CONSTRAINTS "objective.constraints"},
    {"{\"constraints\": {\"gb\":1,\"mb\":2}}",
     CONSTRAINTS "objective.constraints"},
    {"{\"constraints\": 1, \"value\": 1}", CONSTRAINTS "objective.constraints"},
};

START_TEST(test_wrong_ones)
{
    struct told told;
    struct err err;
    ck_assert_int_eq(told_read(WRONG[_i].text, &names, &told, &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg, WRONG[_i].sentence);
}
END_TEST

START_TEST(test_constraints_of_none)
{
    struct told told;
    struct err err;
    ck_assert_int_eq(told_read("{\"constraints\": []}", &none, &told, &err),
                     ERR_INVALID);
}
END_TEST

/* As long as a line can be, of what grows most. */
START_TEST(test_a_very_long_one)
{
    struct told told;
    struct err err;
    struct buf text;
    buf_init(&text, LINES_MAX);
    buf_str(&text, "{\"step\":7,\"value\":8,\"all\":[NaN");
    while (text.len < LINES_MAX - 10) {
        buf_str(&text, ",NaN");
    }
    buf_str(&text, "]}");
    ck_assert_msg(told_read(text.data, &none, &told, &err) == 0, "%s", err.msg);
    ck_assert(told.has_step && told.step == 7 && told.value == 8);
    told_fini(&told);
    buf_fini(&text);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("told");
    TCase *t = tcase_create("told");
    tcase_add_loop_test(t, test_right_ones, 0, (int)ARRAY_LEN(RIGHT));
    tcase_add_loop_test(t, test_wrong_ones, 0, (int)ARRAY_LEN(WRONG));
    tcase_add_test(t, test_constraints_of_none);
    tcase_add_test(t, test_a_very_long_one);
    suite_add_tcase(s, t);
    return s;
}
