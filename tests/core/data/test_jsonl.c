#include "core/data/jsonl.h"
#include "core/base/mem.h"
#include "tests/lib/row_list.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

START_TEST(lines_become_rows)
{
    row_list_expect(
        jsonl_read,
        "{\"t\": \"one\", \"l\": \"A\"}\n"
        "{\"l\":\"B\",\"more\":[1,{}],\"t\":\"t\\u00e9\\n\\ud83d\\ude00\"}",
        "one|A;t\u00e9\n\U0001F600|B;");
}
END_TEST

START_TEST(line_ends_and_empty_lines_do_not_matter)
{
    row_list_expect(jsonl_read,
                    "\xEF\xBB\xBF{\"t\":\"a\",\"l\":\"A\"}\r\n\r\n \t\n"
                    "  {\"t\":\"b\",\"l\":\"B\"} \r\n\n",
                    "a|A;b|B;");
    row_list_expect(jsonl_read, "", "");
    row_list_expect(jsonl_read, "\n\n", "");
}
END_TEST

START_TEST(labels_may_be_whole_numbers)
{
    row_list_expect(jsonl_read,
                    "{\"t\":\"\",\"l\":7}\n{\"t\":\"\",\"l\":-0}\n"
                    "{\"t\":\"\",\"l\":2.0}\n{\"t\":\"\",\"l\":1e3}\n"
                    "{\"t\":\"\",\"l\":-9007199254740991}\n",
                    "|7;|0;|2;|1000;|-9007199254740991;");
    row_list_refuses(
        jsonl_read, "{\"t\":\"\",\"l\":1.5}",
        "x: line 1, byte 0: 'l' must be a string or a whole number, "
        "but it is a number");
    row_list_refuses(
        jsonl_read, "{\"t\":\"\",\"l\":1e300}",
        "x: line 1, byte 0: 'l' must be a string or a whole number, "
        "but it is a number");
    row_list_refuses(
        jsonl_read, "{\"t\":\"\",\"l\":true}",
        "x: line 1, byte 0: 'l' must be a string or a whole number, "
        "but it is true or false");
}
END_TEST

START_TEST(errors_tell_line_and_byte)
{
    row_list_refuses(jsonl_read, "{\"t\":\"a\",\"l\":\"A\"}\n{\"t\":\"a\",}\n",
                     "x: line 2, byte 27: expected a key in double quotes");
    row_list_refuses(
        jsonl_read, "\r\n{\"t\":1,\"l\":\"A\"}",
        "x: line 2, byte 2: 't' must be a string, but it is a number");
    row_list_refuses(jsonl_read, "\n{\"t\":\"a\",\"l\":\"\"}",
                     "x: line 2, byte 1: the label is empty");
    row_list_refuses(jsonl_read, "{\"t\":\"a\",\"topic\":\"A\"}",
                     "x: line 1, byte 0: no field 'l' (it has: t, topic)");
    row_list_refuses(jsonl_read, "{}",
                     "x: line 1, byte 0: no field 't' (it has none)");
    row_list_refuses(jsonl_read, "[1]",
                     "x: line 1, byte 0: expected an object, not a list");
    row_list_refuses(jsonl_read, "{\"t\":\"a\",\"l\":\"A\"} {}",
                     "x: line 1, byte 18: text after the value");
    row_list_refuses(
        jsonl_read, "{\"t\":\"a\",\"t\":\"b\",\"l\":\"A\"}",
        "x: line 1, byte 9: the key 't' stands twice in one object");
    row_list_refuses(jsonl_read, "{\"t\":\"\\ud800\",\"l\":\"A\"}",
                     "x: line 1, byte 7: a \\u escape is half of a surrogate "
                     "pair, and the other half is not beside it");
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    row_list_refuses(jsonl_read, "{\"t\":\"a\",\"l\":\"A\"}\n{\"t\":\"\xFF\"}",
                     "x: line 2, byte 24: not valid UTF-8");
    row_list_refuses_bytes(jsonl_read, "\n{\"t\":\"\0\"}", 10,
                           "x: line 2, byte 7: a NUL byte");
    row_list_refuses(jsonl_read, "{\"t\":\"a\",\"l\":\"\\u0000A\"}",
                     "x: line 1, byte 0: 'l' must not contain NUL");
    row_list_refuses(jsonl_read, "{\"t\":\"a\",\"l\":\"A\",\"\\u0000\":1}",
                     "x: line 1, byte 0: a key must not contain NUL");
}
END_TEST

START_TEST(field_names_cannot_break_the_sentence)
{
    row_list_refuses(
        jsonl_read, "{\"a\\u001b[2J\\nb\":1}",
        "x: line 1, byte 0: no field 't' (it has: a\\x1b[2J\\x0ab)");
}
END_TEST

START_TEST(a_sink_can_end_the_reading)
{
    struct row_list rows;
    row_list_init(&rows);
    rows.refuse_after = 1;
    struct err err = {0};
    const char *text = "{\"t\":\"a\",\"l\":\"A\"}\n{\"t\":\"b\",\"l\":\"B\"}\n";
    ck_assert_int_eq(row_list_read(&rows, jsonl_read, text, strlen(text), &err),
                     ERR_LIMIT);
    ck_assert_str_eq(err.msg, "x: line 2, byte 18: no more rows");
    ck_assert_str_eq(rows.text.data, "a|A;");
    row_list_fini(&rows);
}
END_TEST

START_TEST(a_long_line_is_fine)
{
    row_list_expect_long(jsonl_read, "{\"l\":\"A\",\"t\":\"", 'x', "\"}\n",
                         ROW_LIST_LONG + 3);
}
END_TEST

START_TEST(an_endless_line_is_not)
{
    char *bytes = mem_alloc((size_t)ROW_MAX + 2, 1);
    memset(bytes, 'x', (size_t)ROW_MAX + 2);
    bytes[0] = '\n';
    struct row_list rows;
    row_list_init(&rows);
    struct err err = {0};
    ck_assert_int_eq(
        row_list_read(&rows, jsonl_read, bytes, (size_t)ROW_MAX + 2, &err),
        ERR_LIMIT);
    ck_assert_str_eq(err.msg, "x: line 2, byte 1: a row of more than 64 MiB");
    row_list_fini(&rows);
    free(bytes);
}
END_TEST

START_TEST(a_list_of_objects_becomes_rows)
{
    row_list_expect(jsonl_read_list, " [ ]\n", "");
    row_list_expect(
        jsonl_read_list,
        "\xEF\xBB\xBF[\n  {\"t\": \"a ]}, \\\" \\\\\", \"l\": \"A\"},\r\n"
        "  {\"x\": [{}, [1, 2]], \"t\": \"b\", \"l\": 2}\n]\n",
        "a ]}, \" \\|A;b|2;");
}
END_TEST

START_TEST(lists_that_are_none_are_refused)
{
    row_list_refuses(
        jsonl_read_list, "{\"t\":\"a\",\"l\":\"A\"}",
        "x: line 1, byte 0: a .json file must be a list of objects "
        "(one object per line makes a .jsonl file)");
    row_list_refuses(jsonl_read_list, "[{\"t\":\"a\",\"l\":\"A\"}\n",
                     "x: line 2, byte 19: the list is not closed");
    row_list_refuses(
        jsonl_read_list, "[{\"t\":\"a\",\"l\":\"A\"},\n]",
        "x: line 2, byte 20: the text ends where a value should be");
    row_list_refuses(jsonl_read_list, "[{\"t\":\"a\",\"l\":\"A\"}\n{}]",
                     "x: line 2, byte 19: text after the value");
    row_list_refuses(jsonl_read_list, "[{\"t\":\"a\",\"l\":\"A\"}}",
                     "x: line 1, byte 18: expected ',' or ']'");
    row_list_refuses(jsonl_read_list, "[]\n[]",
                     "x: line 2, byte 3: text after the list");
    row_list_refuses(jsonl_read_list, "[\n\n 7]",
                     "x: line 3, byte 4: expected an object, not a number");
    row_list_refuses(jsonl_read_list, "[{\"t\":\"\\",
                     "x: line 1, byte 8: unknown escape in a string");
}
END_TEST

START_TEST(every_truncation_is_told_or_shorter)
{
    row_list_cut(jsonl_read,
                 "\xEF\xBB\xBF{\"t\":\"a\\u00e9\xC3\xA9\\\"\",\"l\":-12}\r\n"
                 "{\"t\":\"b\",\"l\":\"B\",\"x\":[true,null,1.5e-3]}\r\n");
    row_list_cut(jsonl_read_list,
                 "[{\"t\":\"a\\u00e9\xC3\xA9\\\"\",\"l\":-12},\r\n"
                 "{\"t\":\"b\",\"l\":\"B\",\"x\":[true,{},1.5]}]\r\n");
}
END_TEST

/* The same with every byte replaced in turn by bytes that matter. */
START_TEST(no_changed_byte_is_harmful)
{
    const char *text =
        "[{\"t\":\"a\\n\xC3\xA9\",\"l\":-1},\n{\"t\":\"\",\"l\":\"B\"}]";
    static const char bytes[] = "\"\\{}[],:\r\n\x00\xFF";
    row_list_change(jsonl_read_list, text, bytes, sizeof(bytes) - 1);
    row_list_change(jsonl_read, text, bytes, sizeof(bytes) - 1);
}
END_TEST

Suite *suite(void)
{
    TCase *lines = tcase_create("lines");
    tcase_add_test(lines, lines_become_rows);
    tcase_add_test(lines, line_ends_and_empty_lines_do_not_matter);
    tcase_add_test(lines, labels_may_be_whole_numbers);
    tcase_add_test(lines, errors_tell_line_and_byte);
    tcase_add_test(lines, bytes_that_are_no_text_are_refused);
    tcase_add_test(lines, field_names_cannot_break_the_sentence);
    tcase_add_test(lines, a_sink_can_end_the_reading);
    tcase_add_test(lines, a_long_line_is_fine);
    tcase_add_test(lines, an_endless_line_is_not);
    TCase *list = tcase_create("list");
    tcase_add_test(list, a_list_of_objects_becomes_rows);
    tcase_add_test(list, lists_that_are_none_are_refused);
    TCase *torture = tcase_create("torture");
    tcase_add_test(torture, every_truncation_is_told_or_shorter);
    tcase_add_test(torture, no_changed_byte_is_harmful);
    Suite *s = suite_create("jsonl");
    suite_add_tcase(s, lines);
    suite_add_tcase(s, list);
    suite_add_tcase(s, torture);
    return s;
}
