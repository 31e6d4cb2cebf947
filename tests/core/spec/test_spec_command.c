/* What a config says of a command. */
#include "core/base/mem.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

/* An argument may be a script of several lines, or nothing. */
START_TEST(arguments_are_any_text)
{
    static const char text[] =
        "{\"study\":\"s\",\"params\":{\"x\":{\"float\":[0,1]}},"
        "\"objective\":{\"type\":\"command\","
        "\"command\":[\"sh\",\"-c\",\"echo a\\n\\techo b\",\"\"]}}";
    struct spec s;
    struct err err;
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    ck_assert_uint_eq(s.work.n_command, 4);
    ck_assert_str_eq(s.work.command[2], "echo a\n\techo b");
    ck_assert_str_eq(s.work.command[3], "");
    spec_fini(&s);
    static const char none[] =
        "{\"study\":\"s\",\"params\":{\"x\":{\"float\":[0,1]}},"
        "\"objective\":{\"type\":\"command\",\"command\":[\"\"]}}";
    ck_assert_int_eq(spec_parse(none, strlen(none), &s, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "objective.command: missing"));
}
END_TEST

/* The likeliest slip of who has a command. */
START_TEST(an_objective_without_a_type_is_told_so)
{
    static const char *const slips[][2] = {
        {"\"metric\":\"f1\",\"command\":[\"true\"]",
         "objective.type: missing: beside objective.command it is \"command\""},
        {"\"function\":\"levy\"", "objective.type: missing: beside "
                                  "objective.function it is \"function\""},
        {"\"path\":\"a.json\"",
         "objective.type: missing: beside objective.path it is \"table\""}};
    struct spec s;
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
        char *text = mem_printf("{\"study\":\"s\",\"objective\":{%s},"
                                "\"params\":{\"x\":{\"float\":[0,1]}}}",
                                slips[i][0]);
        ck_assert_int_eq(spec_parse(text, strlen(text), &s, &err), ERR_INVALID);
        ck_assert_str_eq(err.msg, slips[i][1]);
        free(text);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("spec_command");
    TCase *tc = tcase_create("spec_command");
    tcase_add_test(tc, an_objective_without_a_type_is_told_so);
    tcase_add_test(tc, arguments_are_any_text);
    suite_add_tcase(s, tc);
    return s;
}
