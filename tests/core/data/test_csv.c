#include "core/data/csv.h"
#include "tests/lib/row_list.h"
#include "tests/lib/test_main.h"

static int comma(const struct row_file *file, const struct row_columns *columns,
                 const struct row_sink *sink, struct err *err)
{
    return csv_read(file, ',', columns, sink, err);
}

static int tab(const struct row_file *file, const struct row_columns *columns,
               const struct row_sink *sink, struct err *err)
{
    return csv_read(file, '\t', columns, sink, err);
}

START_TEST(columns_are_found_by_name)
{
    row_list_expect(comma, "t,l\none,A\ntwo,B\n", "one|A;two|B;");
    row_list_expect(comma, "id,l,x,t\n1,A,,one\n2,B,,\n", "one|A;|B;");
    row_list_expect(comma, "\"l\",\"t\"\nA,one", "one|A;");
    row_list_expect(comma, "l,t\n", "");
    row_list_expect(tab, "t\tl\na, b\tA\n", "a, b|A;");
}
END_TEST

START_TEST(quotes_follow_rfc_4180)
{
    row_list_expect(comma, "t,l\n\"a,b\",A\n", "a,b|A;");
    row_list_expect(comma, "t,l\n\"a\n\r\nb\",A\n", "a\n\r\nb|A;");
    row_list_expect(comma, "t,l\n\"say \"\"hi\"\"\",A\n", "say \"hi\"|A;");
    row_list_expect(comma, "t,l\n\"\"\"\",\"\"\"A\"\n", "\"|\"A;");
    row_list_expect(comma, "t,l\n\"\",A\n", "|A;");
    row_list_expect(tab, "t\tl\n\"a\tb\"\tA\n", "a\tb|A;");
}
END_TEST

START_TEST(values_are_taken_as_they_are)
{
    row_list_expect(comma, "t,l\n one , A\nNA,NULL\n", " one | A;NA|NULL;");
}
END_TEST

START_TEST(line_ends_and_empty_lines_do_not_matter)
{
    const char *expected = "one|A;two|B;";
    row_list_expect(comma, "t,l\r\none,A\r\ntwo,B\r\n", expected);
    row_list_expect(comma, "t,l\none,A\ntwo,B", expected);
    row_list_expect(comma, "\xEF\xBB\xBFt,l\r\none,A\ntwo,B\r\n", expected);
    row_list_expect(comma, "\n\r\nt,l\n\none,A\r\n\r\ntwo,B\n\n\n", expected);
}
END_TEST

START_TEST(bad_quotes_are_refused)
{
    row_list_refuses(comma, "t,l\na,A\n\"b,B\nc,C\n",
                     "x: line 3, byte 8: the quote that opens here is never "
                     "closed");
    row_list_refuses(comma, "t,l\n\"a\"b,A\n",
                     "x: line 2, byte 7: text after a closing quote");
    row_list_refuses(comma, "t,l\nab\"c,A\n",
                     "x: line 2, byte 6: a quote inside a field that is not "
                     "quoted");
    row_list_refuses(
        comma, "t,l\na,A\rb,B\r",
        "x: line 2, byte 7: a carriage return without a line feed");
}
END_TEST

START_TEST(every_record_has_the_columns_of_the_header)
{
    row_list_refuses(comma, "t,l\na,A\nb\n",
                     "x: line 3, byte 8: 1 column where the header has 2");
    row_list_refuses(comma, "t,l\n\"a\n\",A\n\nb,B,\n",
                     "x: line 5, byte 12: 3 columns where the header has 2");
    row_list_refuses(comma, "t,l\na,\n",
                     "x: line 2, byte 4: the label is empty");
}
END_TEST

START_TEST(the_header_must_name_both_columns_once)
{
    row_list_refuses(comma, "",
                     "x: line 1, byte 0: no header with column names");
    row_list_refuses(comma, "\n\n",
                     "x: line 3, byte 2: no header with column names");
    row_list_refuses(comma, "t,label\na,A\n",
                     "x: line 1, byte 0: no column 'l' (the header has: t, "
                     "label)");
    row_list_refuses(
        comma, "t;l\na;A\n",
        "x: line 1, byte 0: no column 't' (the header has only one, "
        "'t;l': the columns of a .csv are separated by commas, those "
        "of a .tsv by tabs)");
    row_list_refuses(
        comma, "t\tl\na\tA\n",
        "x: line 1, byte 0: no column 't' (the header has only one, "
        "'t\\x09l': the columns of a .csv are separated by commas, "
        "those of a .tsv by tabs)");
    row_list_refuses(comma, "text\na\n",
                     "x: line 1, byte 0: no column 't' (the header has: text)");
    row_list_refuses(comma, "t,l,\"t\"\na,A,b\n",
                     "x: line 1, byte 5: the column 't' stands twice in the "
                     "header");
    row_list_refuses(comma, "\"a\x1b[2J\nb\",t\n",
                     "x: line 1, byte 0: no column 'l' (the header has: "
                     "a\\x1b[2J\\x0ab, t)");
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    row_list_refuses(comma, "t,l\n\"a\n\xE9\",A\n",
                     "x: line 3, byte 7: not valid UTF-8");
    row_list_refuses_bytes(comma, "t,l\n\0,A\n", 8,
                           "x: line 2, byte 4: a NUL byte");
    row_list_refuses(comma, "\xFF\xFEt", "x: line 1, byte 0: not valid UTF-8");
}
END_TEST

START_TEST(a_sink_can_end_the_reading)
{
    struct row_list rows;
    row_list_init(&rows);
    rows.refuse_after = 1;
    struct err err = {0};
    ck_assert_int_eq(row_list_read(&rows, comma, "t,l\na,A\nb,B\n", 12, &err),
                     ERR_LIMIT);
    ck_assert_str_eq(err.msg, "x: line 3, byte 8: no more rows");
    row_list_fini(&rows);
}
END_TEST

START_TEST(a_long_field_is_fine)
{
    row_list_expect_long(comma, "t,l\n\"", '"', "\",A\n",
                         ROW_LIST_LONG / 2 + 3);
}
END_TEST

START_TEST(every_truncation_is_told_or_shorter)
{
    const char *text =
        "\xEF\xBB\xBFid,\"t\",l\r\n1,\"a,\"\"\xC3\xA9\r\n\",A\r\n"
        "2,b,\"B\"\r\n";
    /* header | CR LF || record 1 | CR LF || record 2 | */
    ck_assert_int_eq(row_list_cut(comma, text), 5);
}
END_TEST

START_TEST(no_changed_byte_is_harmful)
{
    const char *text = "t,l\n\"a\"\"\",A\nb,\"B\"\n";
    static const char bytes[] = "\",\r\n\x00\xFFx";
    row_list_change(comma, text, bytes, sizeof(bytes) - 1);
}
END_TEST

Suite *suite(void)
{
    TCase *good = tcase_create("good");
    tcase_add_test(good, columns_are_found_by_name);
    tcase_add_test(good, quotes_follow_rfc_4180);
    tcase_add_test(good, values_are_taken_as_they_are);
    tcase_add_test(good, line_ends_and_empty_lines_do_not_matter);
    tcase_add_test(good, a_sink_can_end_the_reading);
    tcase_add_test(good, a_long_field_is_fine);
    TCase *bad = tcase_create("bad");
    tcase_add_test(bad, bad_quotes_are_refused);
    tcase_add_test(bad, every_record_has_the_columns_of_the_header);
    tcase_add_test(bad, the_header_must_name_both_columns_once);
    tcase_add_test(bad, bytes_that_are_no_text_are_refused);
    TCase *torture = tcase_create("torture");
    tcase_add_test(torture, every_truncation_is_told_or_shorter);
    tcase_add_test(torture, no_changed_byte_is_harmful);
    Suite *s = suite_create("csv");
    suite_add_tcase(s, good);
    suite_add_tcase(s, bad);
    suite_add_tcase(s, torture);
    return s;
}
