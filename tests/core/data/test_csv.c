#include "core/data/csv.h"
#include "core/base/mem.h"
#include "tests/lib/row_list.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static const struct row_columns columns = {.text = "t", .label = "l"};

static int read_bytes(char delimiter, const char *bytes, size_t len,
                      struct row_list *rows, struct err *err)
{
    /* A copy without a NUL: reading one byte too far is seen by ASan. */
    char *copy = mem_alloc(len, 1);
    memcpy(copy, bytes, len);
    const struct row_file file = {"x", {copy, len}};
    int rc = csv_read(&file, delimiter, &columns, &rows->sink, err);
    free(copy);
    return rc;
}

static void expect_rows(char delimiter, const char *text, const char *expected)
{
    struct row_list rows;
    row_list_init(&rows);
    struct err err = {0};
    int rc = read_bytes(delimiter, text, strlen(text), &rows, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_str_eq(rows.text.data, expected);
    row_list_fini(&rows);
}

static void expect_error_in(const char *text, size_t len, const char *expected)
{
    struct row_list rows;
    row_list_init(&rows);
    struct err err = {0};
    ck_assert_int_eq(read_bytes(',', text, len, &rows, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, expected);
    row_list_fini(&rows);
}

static void expect_error(const char *text, const char *expected)
{
    expect_error_in(text, strlen(text), expected);
}

START_TEST(columns_are_found_by_name)
{
    expect_rows(',', "t,l\none,A\ntwo,B\n", "one|A;two|B;");
    expect_rows(',', "id,l,x,t\n1,A,,one\n2,B,,\n", "one|A;|B;");
    expect_rows(',', "\"l\",\"t\"\nA,one", "one|A;");
    expect_rows(',', "l,t\n", "");
    expect_rows('\t', "t\tl\na, b\tA\n", "a, b|A;");
}
END_TEST

START_TEST(quotes_follow_rfc_4180)
{
    expect_rows(',', "t,l\n\"a,b\",A\n", "a,b|A;");
    expect_rows(',', "t,l\n\"a\n\r\nb\",A\n", "a\n\r\nb|A;");
    expect_rows(',', "t,l\n\"say \"\"hi\"\"\",A\n", "say \"hi\"|A;");
    expect_rows(',', "t,l\n\"\"\"\",\"\"\"A\"\n", "\"|\"A;");
    expect_rows(',', "t,l\n\"\",A\n", "|A;");
    expect_rows('\t', "t\tl\n\"a\tb\"\tA\n", "a\tb|A;");
}
END_TEST

START_TEST(values_are_taken_as_they_are)
{
    expect_rows(',', "t,l\n one , A\nNA,NULL\n", " one | A;NA|NULL;");
}
END_TEST

START_TEST(line_ends_and_empty_lines_do_not_matter)
{
    const char *expected = "one|A;two|B;";
    expect_rows(',', "t,l\r\none,A\r\ntwo,B\r\n", expected);
    expect_rows(',', "t,l\none,A\ntwo,B", expected);
    expect_rows(',', "\xEF\xBB\xBFt,l\r\none,A\ntwo,B\r\n", expected);
    expect_rows(',', "\n\r\nt,l\n\none,A\r\n\r\ntwo,B\n\n\n", expected);
}
END_TEST

START_TEST(bad_quotes_are_refused)
{
    expect_error("t,l\na,A\n\"b,B\nc,C\n",
                 "x: line 3, byte 8: the quote that opens here is never "
                 "closed");
    expect_error("t,l\n\"a\"b,A\n",
                 "x: line 2, byte 7: text after a closing quote");
    expect_error("t,l\nab\"c,A\n",
                 "x: line 2, byte 6: a quote inside a field that is not "
                 "quoted");
    expect_error("t,l\na,A\rb,B\r",
                 "x: line 2, byte 7: a carriage return without a line feed");
}
END_TEST

START_TEST(every_record_has_the_columns_of_the_header)
{
    expect_error("t,l\na,A\nb\n",
                 "x: line 3, byte 8: 1 column where the header has 2");
    expect_error("t,l\n\"a\n\",A\n\nb,B,\n",
                 "x: line 5, byte 12: 3 columns where the header has 2");
    expect_error("t,l\na,\n", "x: line 2, byte 4: the label is empty");
}
END_TEST

START_TEST(the_header_must_name_both_columns_once)
{
    expect_error("", "x: line 1, byte 0: no header with column names");
    expect_error("\n\n", "x: line 3, byte 2: no header with column names");
    expect_error("t,label\na,A\n",
                 "x: line 1, byte 0: no column 'l' (the header has: t, "
                 "label)");
    expect_error("t;l\na;A\n",
                 "x: line 1, byte 0: no column 't' (the header has only one, "
                 "'t;l': the columns of a .csv are separated by commas, those "
                 "of a .tsv by tabs)");
    expect_error("t\tl\na\tA\n",
                 "x: line 1, byte 0: no column 't' (the header has only one, "
                 "'t\\x09l': the columns of a .csv are separated by commas, "
                 "those of a .tsv by tabs)");
    expect_error("text\na\n",
                 "x: line 1, byte 0: no column 't' (the header has: text)");
    expect_error("t,l,\"t\"\na,A,b\n",
                 "x: line 1, byte 5: the column 't' stands twice in the "
                 "header");
    expect_error("\"a\x1b[2J\nb\",t\n",
                 "x: line 1, byte 0: no column 'l' (the header has: "
                 "a\\x1b[2J\\x0ab, t)");
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    expect_error("t,l\n\"a\n\xE9\",A\n", "x: line 3, byte 7: not valid UTF-8");
    expect_error_in("t,l\n\0,A\n", 8, "x: line 2, byte 4: a NUL byte");
    expect_error("\xFF\xFEt", "x: line 1, byte 0: not valid UTF-8");
}
END_TEST

START_TEST(a_sink_can_end_the_reading)
{
    struct row_list rows;
    row_list_init(&rows);
    rows.refuse_after = 1;
    struct err err = {0};
    ck_assert_int_eq(read_bytes(',', "t,l\na,A\nb,B\n", 12, &rows, &err),
                     ERR_LIMIT);
    ck_assert_str_eq(err.msg, "x: line 3, byte 8: no more rows");
    row_list_fini(&rows);
}
END_TEST

START_TEST(a_long_field_is_fine)
{
    enum { LEN = 10 << 20 };
    struct buf text;
    buf_init(&text, LEN + 100);
    buf_str(&text, "t,l\n\"");
    char *run = mem_alloc(LEN, 1);
    memset(run, '"', LEN);
    buf_add(&text, run, LEN);
    buf_str(&text, "\",A\n");
    struct row_list rows;
    row_list_init(&rows);
    struct err err = {0};
    int rc = read_bytes(',', text.data, text.len, &rows, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_uint_eq(rows.text.len, LEN / 2 + 3);
    row_list_fini(&rows);
    buf_fini(&text);
    free(run);
}
END_TEST

START_TEST(every_truncation_is_told_or_shorter)
{
    const char *text =
        "\xEF\xBB\xBFid,\"t\",l\r\n1,\"a,\"\"\xC3\xA9\r\n\",A\r\n"
        "2,b,\"B\"\r\n";
    int n_good = 0;
    for (size_t len = 0; len < strlen(text); len++) {
        struct row_list rows;
        row_list_init(&rows);
        struct err err = {0};
        int rc = read_bytes(',', text, len, &rows, &err);
        if (rc != 0) {
            ck_assert_int_eq(rc, ERR_INVALID);
            ck_assert_msg(strncmp(err.msg, "x: line ", 8) == 0, "%s", err.msg);
        }
        n_good += rc == 0;
        ck_assert_int_le(rows.n, 2);
        row_list_fini(&rows);
    }
    /* header | CR LF || record 1 | CR LF || record 2 | */
    ck_assert_int_eq(n_good, 5);
}
END_TEST

START_TEST(no_changed_byte_is_harmful)
{
    const char *text = "t,l\n\"a\"\"\",A\nb,\"B\"\n";
    static const char bytes[] = "\",\r\n\x00\xFFx";
    size_t len = strlen(text);
    char *copy = mem_strdup(text);
    for (size_t i = 0; i < len; i++) {
        for (size_t b = 0; b < sizeof(bytes) - 1; b++) {
            copy[i] = bytes[b];
            struct row_list rows;
            row_list_init(&rows);
            struct err err = {0};
            int rc = read_bytes(',', copy, len, &rows, &err);
            ck_assert(rc == 0 || rc == ERR_INVALID);
            row_list_fini(&rows);
        }
        copy[i] = text[i];
    }
    free(copy);
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
