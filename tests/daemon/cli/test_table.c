/* Tables, bars and numbers as people read them. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "daemon/cli/bars.h"
#include "daemon/cli/format.h"
#include "daemon/cli/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct term plain = {.has_unicode = true};
static const struct term colour = {.has_unicode = true, .has_colour = true};

static void assert_table(struct table *t, const struct term *term,
                         const char *expected)
{
    struct buf out;
    buf_init(&out, 10000);
    table_put(t, term, &out);
    ck_assert_str_eq(out.data, expected);
    buf_fini(&out);
    table_free(t);
}

START_TEST(columns_are_aligned_by_what_is_seen)
{
    struct table *t = table_new();
    table_left(t, "study");
    table_right(t, "best");
    table_left(t, "state");
    table_cell(t, TERM_PLAIN, "日本");
    table_cellf(t, TERM_PLAIN, "%d", 7);
    table_cell(t, TERM_PLAIN, "running");
    table_cell(t, TERM_PLAIN, "<b>\x1b[2J");
    table_cell(t, TERM_PLAIN, "0.8632");
    table_cell(t, TERM_PLAIN, "");
    ck_assert_uint_eq(table_n_rows(t), 2);
    assert_table(t, &plain,
                 "study         best  state\n"
                 "日本             7  running\n"
                 "<b>\\x1b[2J  0.8632\n");
}
END_TEST

START_TEST(colours_do_not_move_columns)
{
    struct table *t = table_new();
    table_left(t, "");
    table_left(t, "");
    table_cell(t, TERM_DIM, "a");
    table_cell(t, TERM_GOOD, "1");
    table_cell(t, TERM_DIM, "bcd");
    table_cell(t, TERM_PLAIN, "2");
    assert_table(t, &colour,
                 "\033[2ma\033[0m    \033[32m1\033[0m\n"
                 "\033[2mbcd\033[0m  2\n");
}
END_TEST

static void assert_bar(const struct term *term, double fraction,
                       const char *expected)
{
    struct buf out;
    buf_init(&out, 1000);
    bars_progress(&out, term, fraction, 4, TERM_GOOD);
    ck_assert_str_eq(out.data, expected);
    buf_fini(&out);
}

START_TEST(bars_have_their_width_whatever_the_fraction)
{
    static const struct term ascii = {.has_unicode = false};
    assert_bar(&plain, 0.0, "────");
    assert_bar(&plain, 0.5, "━━──");
    assert_bar(&plain, 0.64, "━━╸─");
    assert_bar(&plain, 1.0, "━━━━");
    assert_bar(&plain, 7.0, "━━━━");
    assert_bar(&plain, -1.0, "────");
    assert_bar(&plain, NAN, "────");
    assert_bar(&ascii, 0.5, "==>.");
    assert_bar(&ascii, 1.0, "====");
}
END_TEST

START_TEST(solid_bars_have_eighths)
{
    struct buf out;
    buf_init(&out, 1000);
    bars_solid(&out, &plain, 0.5625, 4, TERM_PLAIN);
    ck_assert_str_eq(out.data, "██▎");
    buf_fini(&out);
}
END_TEST

START_TEST(durations_and_sizes)
{
    static const struct {
        int64_t ms;
        const char *text;
    } times[] = {{-1, ""},
                 {0, "0 ms"},
                 {999, "999 ms"},
                 {1800, "1.8 s"},
                 {41600, "42 s"},
                 {59700, "1 min 00 s"},
                 {185000, "3 min 05 s"},
                 {7980000, "2 h 13 min"},
                 {356400000, "4 d 03 h"}};
    char text[FORMAT_SIZE];
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        format_duration(times[i].ms, text);
        ck_assert_str_eq(text, times[i].text);
    }
    format_bytes(999, text);
    ck_assert_str_eq(text, "999 B");
    format_bytes(1949576, text);
    ck_assert_str_eq(text, "1.9 MB");
    format_number(NAN, text);
    ck_assert_str_eq(text, "-");
}
END_TEST

static void assert_value(const char *json, int digits, const char *expected)
{
    struct json *node;
    char text[64];
    ck_assert_int_eq(json_parse(json, strlen(json), &node, NULL), 0);
    format_value(node, digits, text, sizeof(text));
    ck_assert_str_eq(text, expected);
    json_free(node);
}

START_TEST(values_of_parameters)
{
    assert_value("64", 3, "64");
    assert_value("100000", 3, "100000"); /* whole numbers stay whole */
    assert_value("0.00036532632249134056", 3, "0.000365");
    assert_value("0.00036532632249134056", 0, "0.00036532632249134056");
    assert_value("\"adam\"", 3, "adam");
    assert_value("true", 3, "true");
    assert_value("null", 3, "null");
}
END_TEST

/* A file has it whole. */
START_TEST(a_long_name_leaves_room_on_a_terminal)
{
    static const char name[] = "a-name-of-more-than-forty-columns-with-its-end";
    for (int tty = 0; tty < 2; tty++) {
        const struct term term = {
            .file = stdout, .has_unicode = true, .is_tty = tty};
        struct table *t = table_new();
        table_left(t, "study");
        table_left(t, "state");
        table_name(t, &term, TERM_PLAIN, "short");
        table_cell(t, TERM_PLAIN, "-");
        table_name(t, &term, TERM_PLAIN, name);
        table_cell(t, TERM_PLAIN, "running");
        struct buf out;
        buf_init(&out, 10000);
        table_put(t, &plain, &out);
        ck_assert_ptr_nonnull(
            strstr(out.data, tty ? "\na-name-of-more-than-forty-columns-with-…"
                                   "  running\n"
                                 : "columns-with-its-end  running\n"));
        buf_fini(&out);
        table_free(t);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("table");
    TCase *t = tcase_create("table");
    tcase_add_test(t, columns_are_aligned_by_what_is_seen);
    tcase_add_test(t, colours_do_not_move_columns);
    tcase_add_test(t, bars_have_their_width_whatever_the_fraction);
    tcase_add_test(t, solid_bars_have_eighths);
    tcase_add_test(t, durations_and_sizes);
    tcase_add_test(t, values_of_parameters);
    tcase_add_test(t, a_long_name_leaves_room_on_a_terminal);
    suite_add_tcase(s, t);
    return s;
}
