#include "daemon/http/url.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

START_TEST(test_decoding)
{
    static const struct {
        const char *in, *out; /* NULL: refused */
    } cases[] = {{"", ""},
                 {"plain-._~", "plain-._~"},
                 {"a%20b", "a b"},
                 {"%c3%A9", "\xc3\xa9"},
                 {"a%2Fb%25", "a/b%"},
                 {"a+b", "a+b"},
                 {"%", NULL},
                 {"%4", NULL},
                 {"%4g", NULL},
                 {"%%41", NULL},
                 {"%00", NULL},
                 {"a%00b", NULL},
                 {"%ff", NULL},
                 {"%c0%80", NULL},
                 {"%ed%a0%80", NULL},
                 {"\xff", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *s = mem_strdup(cases[i].in);
        bool is_good = url_decode(s);
        ck_assert_msg(is_good == (cases[i].out != NULL), "%s", cases[i].in);
        if (is_good) {
            ck_assert_str_eq(s, cases[i].out);
        }
        free(s);
    }
}
END_TEST

START_TEST(test_splitting)
{
    const char *parts[3];
    int n;
    char none[] = "", one[] = "a", three[] = "a%2Fb//%2f", four[] = "a/b/c/d",
         bad[] = "a/%zz";
    ck_assert_int_eq(url_split(none, 3, parts, &n), URL_OK);
    ck_assert_int_eq(n, 0);
    ck_assert_int_eq(url_split(one, 3, parts, &n), URL_OK);
    ck_assert_int_eq(n, 1);
    ck_assert_str_eq(parts[0], "a");
    ck_assert_int_eq(url_split(three, 3, parts, &n), URL_OK);
    ck_assert_int_eq(n, 3);
    ck_assert_str_eq(parts[0], "a/b");
    ck_assert_str_eq(parts[1], "");
    ck_assert_str_eq(parts[2], "/");
    ck_assert_int_eq(url_split(four, 3, parts, &n), URL_TOO_DEEP);
    ck_assert_int_eq(url_split(bad, 3, parts, &n), URL_MALFORMED);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("http url");
    TCase *t = tcase_create("url");
    tcase_add_test(t, test_decoding);
    tcase_add_test(t, test_splitting);
    suite_add_tcase(s, t);
    return s;
}
