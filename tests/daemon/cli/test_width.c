/* Columns of a terminal: what aligned tables stand on. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "daemon/cli/width.h"

#include <string.h>

START_TEST(columns_of_scripts)
{
    static const struct {
        const char *text;
        int width;
    } cases[] = {
        {"", 0},
        {"lr", 2},
        {"naïve", 5},
        {"nai\u0308ve", 5}, /* i and a combining mark */
        {"日本", 4},
        {"한국어", 6},
        {"🚀", 2},
        {"שָׁלוֹם", 4}, /* four letters and points */
        {"ｆｕｌｌ", 8},
        {"é\u200b", 1},
        {"\033[1mbold\033[0m", 4},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        ck_assert_msg(width_of(cases[i].text) == cases[i].width,
                      "'%s' has %d columns, expected %d", cases[i].text,
                      width_of(cases[i].text), cases[i].width);
    }
}
END_TEST

static void assert_fits(const char *text, int max, const char *expected)
{
    struct buf out;
    buf_init(&out, 1000);
    buf_str(&out, "");
    width_fit(&out, text, max);
    ck_assert_str_eq(out.data, expected);
    ck_assert_int_le(width_of(out.data), max);
    buf_fini(&out);
}

START_TEST(what_does_not_fit_ends_in_an_ellipsis)
{
    assert_fits("weight_decay", 12, "weight_decay");
    assert_fits("weight_decay", 11, "weight_dec…");
    assert_fits("weight_decay", 1, "…");
    assert_fits("weight_decay", 0, "");
    assert_fits("日本語", 5, "日本…");
    assert_fits("日本語", 4, "日…"); /* half of a sign is no sign */
    assert_fits("\033[31mfailed\033[0m", 4, "\033[31mfai…\033[0m");
}
END_TEST

START_TEST(any_bytes_are_made_printable)
{
    static const char bytes[] = "a\033[2Jb\xff\x80\n\u202ec";
    struct buf out;
    buf_init(&out, 1000);
    width_printable(&out, bytes, sizeof(bytes) - 1);
    ck_assert_str_eq(out.data, "a\\x1b[2Jb\\xff\\x80\\x0a\\u{202e}c");
    buf_fini(&out);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("width");
    TCase *t = tcase_create("width");
    tcase_add_test(t, columns_of_scripts);
    tcase_add_test(t, what_does_not_fit_ends_in_an_ellipsis);
    tcase_add_test(t, any_bytes_are_made_printable);
    suite_add_tcase(s, t);
    return s;
}
