/* What Python writes of numbers that JSON does not have. */
#include "worker/quote.h"
#include "core/base/buf.h"
#include "tests/lib/test_main.h"

#include <string.h>

#define IS(word) "{\"is\":\"" word "\"}"

static const struct {
    const char *text, *quoted;
} TEXTS[] = {
    {"", ""},
    {" {\"value\": 1} ", " {\"value\": 1} "},
    {"{\"value\": NaN}", "{\"value\": " IS("NaN") "}"},
    {"[NaN,Infinity,-Infinity]",
     "[" IS("NaN") "," IS("Infinity") "," IS("-Infinity") "]"},
    {"[nan,-nan,inf,-inf]",
     "[" IS("nan") "," IS("-nan") "," IS("inf") "," IS("-inf") "]"},
    {"-NaN", "-" IS("NaN")}, /* is no JSON, nor was it */
    {"NAN Inf", "NAN Inf"},
    {"\"NaN\"", "\"NaN\""},
    {"{\"-Infinity\": \"a NaN\"}", "{\"-Infinity\": \"a NaN\"}"},
    {"\"a \\\" NaN\" NaN", "\"a \\\" NaN\" " IS("NaN")},
    {"\"\\\\\" NaN", "\"\\\\\" " IS("NaN")},
    {"\"\xc3\xa9\" NaN", "\"\xc3\xa9\" " IS("NaN")},
    {"\"open NaN", "\"open NaN"},
    {"\"open \\", "\"open \\"},
    {"Na", "Na"},
};

START_TEST(test_texts)
{
    struct buf out;
    buf_init(&out, 1000);
    buf_str(&out, "<"); /* it appends */
    quote_non_finite(TEXTS[_i].text, &out);
    ck_assert_int_eq(out.data[0], '<');
    ck_assert_str_eq(out.data + 1, TEXTS[_i].quoted);
    ck_assert_uint_le(strlen(TEXTS[_i].quoted),
                      QUOTE_GROWS * strlen(TEXTS[_i].text));
    buf_fini(&out);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("quote");
    TCase *t = tcase_create("quote");
    tcase_add_loop_test(t, test_texts, 0, (int)ARRAY_LEN(TEXTS));
    suite_add_tcase(s, t);
    return s;
}
