#include "core/base/json.h"
#include "core/base/buf.h"
#include "core/base/rng.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HALF                                                                   \
    "a \\u escape is half of a surrogate pair, and the other half is not "     \
    "beside it"

static const struct {
    const char *text, *sentence;
} REFUSED[] = {
    {"", "line 1, column 1: the text ends where a value should be"},
    {"  \n ", "line 2, column 2: the text ends where a value should be"},
    {"{} x", "line 1, column 4: text after the value"},
    {"[1,]", "line 1, column 4: expected a value"},
    {"[1 2]", "line 1, column 4: expected ',' or ']'"},
    {"{\"a\":1,}", "line 1, column 8: expected a key in double quotes"},
    {"{\"a\" 1}", "line 1, column 6: expected ':' after the key"},
    {"{\"a\":1 \"b\":2}", "line 1, column 8: expected ',' or '}'"},
    {"{a:1}", "line 1, column 2: expected a key in double quotes"},
    {"{\n\"a\": nul}", "line 2, column 6: expected a value"},
    {"01", "line 1, column 2: a number must not begin with 0"},
    {"-", "line 1, column 2: expected a value"},
    {"+1", "line 1, column 1: expected a value"},
    {".5", "line 1, column 1: expected a value"},
    {"1.", "line 1, column 3: expected digits after the decimal point"},
    {"1e", "line 1, column 3: expected digits in the exponent"},
    {"NaN", "line 1, column 1: expected a value"},
    {"1e309", "line 1, column 1: the number is too large"},
    {"'a'", "line 1, column 1: expected a value"},
    {"\"a", "line 1, column 3: unfinished string"},
    {"\"a\nb\"", "line 1, column 3: control character in a string"},
    {"\"\\x41\"", "line 1, column 3: unknown escape in a string"},
    {"\"\\u00g0\"", "line 1, column 3: \\u wants four hexadecimal digits"},
    {"\"\\u0000\"", "line 1, column 3: a string must not contain NUL"},
    {"\"\\u12", "line 1, column 3: unfinished \\u escape"},
    {"\"\\ud800\"", "line 1, column 3: " HALF},
    {"\"\\udc00\\ud800\"", "line 1, column 3: " HALF},
    {"[1,\n\"\\ud800\\u0041\"]", "line 2, column 3: " HALF},
    {"\"a\\uDBFF\\n\"", "line 1, column 4: " HALF},
    {"\"\\ud83d\\ud83d\\ude00\"", "line 1, column 3: " HALF},
    {"\"\\ud83d\\ude0", "line 1, column 3: unfinished \\u escape"},
    {"\"\\ud83d\\", "line 1, column 3: " HALF},
    {"\"\xC0\x80\"", "line 1, column 2: not valid UTF-8"},
    {"\xEF\xBB\xBF{}", "line 1, column 1: begins with a byte order mark"},
    {"{\"a\":1,\"b\":{\"c\":1,\"d\":2,\"c\":3}}",
     "line 1, column 25: the key 'c' stands twice in one object"},
    {"{\"a\":1,\"\\u0061\":2}",
     "line 1, column 8: the key 'a' stands twice in one object"},
    {"[{\"a\": {\"b\": 1}, \"c\": [{\"b\": 2}]},\n {\"b\": 1, \"b\": 2}]",
     "line 2, column 11: the key 'b' stands twice in one object"},
    {"/**/1", "line 1, column 1: expected a value"},
    {"1234567890123456789012345678901234567890123456789012345678901234",
     "line 1, column 65: the number is too long"},
};

START_TEST(what_is_not_json_is_refused_with_its_place)
{
    struct json *root;
    struct err err = {0};
    const char *text = REFUSED[_i].text;
    ck_assert_int_eq(json_parse(text, strlen(text), &root, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, REFUSED[_i].sentence);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
    static const struct span texts[] = {
        {"1\0", 2}, {"\0", 1}, {"\"a\0b\"", 5}, {"\"\\\0\"", 4}, {"[\0]", 3}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct json *root;
        struct err err;
        ck_assert_int_eq(json_parse(texts[i].at, texts[i].len, &root, &err),
                         ERR_INVALID);
        ck_assert(strncmp(err.msg, "line 1", 6) == 0);
    }
}
END_TEST

START_TEST(data_may_contain_nul)
{
    static const char text[] =
        "{\"a\":\"x\\u0000\\\\u0000\\u0000\",\"b\":\"\"}";
    static const char in_data[] = "x\0\\u0000\0";
    struct json *root;
    struct err err = {0};
    struct buf buf;
    size_t at;
    ck_assert_int_eq(json_parse_data(text, strlen(text), &root, &at, &err), 0);
    struct span a = json_text(json_get(root, "a"));
    ck_assert_uint_eq(a.len, sizeof(in_data) - 1);
    ck_assert_mem_eq(a.at, in_data, a.len);
    ck_assert_uint_eq(json_text(json_get(root, "b")).len, 0);
    struct json_out w;
    buf_init(&buf, 1024);
    json_out_init(&w, &buf, JSON_COMPACT);
    json_put_text(&w, a);
    ck_assert_str_eq(buf.data, "\"x\\u0000\\\\u0000\\u0000\"");
    buf_fini(&buf);
    json_free(root);
    static const char key[] = "{\"\\u0000\":1}";
    ck_assert_int_eq(json_parse_data(key, strlen(key), &root, &at, &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg, "a key must not contain NUL");
}
END_TEST

START_TEST(nesting_ends_at_32)
{
    char text[70];
    struct json *root;
    struct err err;
    for (int depth = 32; depth <= 33; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        int rc = json_parse(text, 2 * (size_t)depth, &root, &err);
        ck_assert_int_eq(rc, depth == 32 ? 0 : ERR_INVALID);
        if (rc == 0) {
            json_free(root);
        }
    }
}
END_TEST

START_TEST(a_tree_is_walked)
{
    struct json *root = parsed_text(" { \"a\" : [ 1 , -2.5e0 , true , null ] ,"
                                    " \"b\" : \"\\ud83d\\ude00\\n\" } ");
    const struct json *a = json_get(root, "a");
    ck_assert_int_eq(json_kind(root), JSON_OBJECT);
    ck_assert_int_eq(json_size(a), 4);
    const struct json *it = json_first(a);
    int64_t whole = 0;
    ck_assert(json_integer(it, &whole) && whole == 1);
    it = json_next(it);
    ck_assert_double_eq(json_number(it), -2.5);
    ck_assert(!json_integer(it, &whole));
    it = json_next(it);
    ck_assert(json_bool(it));
    it = json_next(it);
    ck_assert_int_eq(json_kind(it), JSON_NULL);
    ck_assert_ptr_null(json_next(it));
    ck_assert_str_eq(json_string(json_get(root, "b")), "\xF0\x9F\x98\x80\n");
    ck_assert_str_eq(json_key(a), "a");
    ck_assert_ptr_null(json_get(root, "A"));
    ck_assert_str_eq(json_kind_name(a), "a list");
    json_free(root);
}
END_TEST

START_TEST(whole_numbers_and_how_they_were_written)
{
    static const struct {
        const char *text;
        bool is_whole, is_int;
    } rows[] = {{"2", true, true},
                {"-0", true, true},
                {"2.0", true, false},
                {"2e0", true, false},
                {"2.5", false, false},
                {"9007199254740992", true, true},
                {"-9007199254740992", true, true},
                {"9007199254740991.0", true, false},
                {"9007199254740993", false, false},
                {"-9007199254740993", false, false},
                {"9007199254740992.5", false, false},
                {"9007199254740991.9", false, false},
                {"9007199254740994", false, false},
                {"1e300", false, false},
                {"\"2\"", false, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json *root = parsed_text(rows[i].text);
        int64_t v;
        ck_assert(json_integer(root, &v) == rows[i].is_whole);
        ck_assert(json_is_int(root) == rows[i].is_int);
        json_free(root);
    }
    struct json *list = parsed_text("[1, {\"a\": 2.0, \"b\": [3]}, 4.0, 5]");
    const struct json *inner = json_next(json_first(list));
    ck_assert(json_is_int(json_first(list)));
    ck_assert(!json_is_int(json_get(inner, "a")));
    ck_assert(json_is_int(json_first(json_get(inner, "b"))));
    ck_assert(!json_is_int(json_next(inner)));
    ck_assert(json_is_int(json_next(json_next(inner))));
    json_free(list);
}
END_TEST

/* Python's repr of the same doubles. */
START_TEST(doubles_print_as_python_prints_them)
{
    static const struct {
        double v;
        const char *want;
    } rows[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1.0, "1.0"},
        {100.0, "100.0"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1e-5, "1e-05"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {1e15, "1000000000000000.0"},
        {9999999999999998.0, "9999999999999998.0"},
        {1e16, "1e+16"},
        {1.5e16, "1.5e+16"},
        {1e22, "1e+22"},
        {1e100, "1e+100"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {0x1p-44, "5.684341886080802e-14"},
        {0x1p-1, "0.5"},
        {0x1p-24, "5.960464477539063e-08"},
        {0x1p70, "1.1805916207174113e+21"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789.12345678, "123456789.12345678"},
        {NAN, "nan"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[32];
        json_repr(rows[i].v, out);
        ck_assert_str_eq(out, rows[i].want);
    }
}
END_TEST

START_TEST(any_double_returns)
{
    struct rng r;
    rng_stream(&r, 3, 0, RNG_SAMPLER, 0);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)rng_u32(&r) << 32 | rng_u32(&r);
        double v, back;
        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v)) {
            continue;
        }
        char text[32];
        json_repr(v, text);
        struct json *root = parsed_text(text);
        back = json_number(root);
        ck_assert_mem_eq(&v, &back, sizeof(v));
        json_free(root);
    }
}
END_TEST

static void write_all(struct json_out *w)
{
    json_open(w, '{');
    json_put_key(w, "k\"\xC3\xA9");
    json_open(w, '[');
    json_put_int(w, INT64_MIN);
    json_put_double(w, NAN);
    json_put_double(w, -INFINITY);
    json_put_bool(w, false);
    json_put_null(w);
    json_put_string(w, NULL);
    json_put_raw(w, "{}");
    json_close(w, ']');
    json_put_key(w, "s");
    json_put_string(w, "\xF0\x9F\x98\x80\x01\x7F\\/\b\f\n\r\t");
    json_put_key(w, "bad");
    json_put_string(w, "a\xFFz\xC3");
    json_close(w, '}');
}

START_TEST(both_styles_of_writing)
{
    struct buf b;
    struct json_out w;
    buf_init(&b, 10000);
    json_out_init(&w, &b, JSON_COMPACT);
    write_all(&w);
    ck_assert_str_eq(b.data,
                     "{\"k\\\"\xC3\xA9\":[-9223372036854775808,\"nan\","
                     "\"-inf\",false,null,null,{}],\"s\":\"\xF0\x9F\x98\x80"
                     "\\u0001\\u007f\\\\/\\b\\f\\n\\r\\t\","
                     "\"bad\":\"a\\ufffdz\\ufffd\"}");
    buf_reset(&b);
    json_out_init(&w, &b, JSON_PYTHON);
    write_all(&w);
    ck_assert_str_eq(
        b.data,
        "{\"k\\\"\\u00e9\": [-9223372036854775808, NaN, -Infinity, false, "
        "null, null, {}], \"s\": \"\\ud83d\\ude00\\u0001\\u007f\\\\/\\b\\f"
        "\\n\\r\\t\", \"bad\": \"a\\ufffdz\\ufffd\"}");
    buf_fini(&b);
}
END_TEST

START_TEST(a_tree_is_written_back)
{
    static const char text[] = "{\"a\":[1,2.5,3.0,-0.0,\"x\",{\"b\":null}],"
                               "\"c\":{},\"d\":[],\"e\":false}";
    struct json *root = parsed_text(text);
    struct buf b;
    struct json_out w;
    buf_init(&b, 1000);
    json_out_init(&w, &b, JSON_COMPACT);
    json_put_node(&w, root);
    ck_assert_str_eq(b.data, text);
    buf_fini(&b);
    json_free(root);
}
END_TEST

START_TEST(values_are_set_by_path)
{
    struct json *root = parsed_text("{\"a\":{\"b\":1},\"n\":5}");
    struct err err;
    ck_assert_int_eq(json_set(root, "a.b", parsed_text("[2]"), &err), 0);
    ck_assert_int_eq(json_set(root, "x.y.z", parsed_text("3"), &err), 0);
    ck_assert_int_eq(json_set(root, "a.c", parsed_text("\"q\""), &err), 0);
    ck_assert_int_eq(json_set(root, "n.m.o", parsed_text("1"), &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg, "n: is a number, not an object");
    struct buf b;
    struct json_out w;
    buf_init(&b, 1000);
    json_out_init(&w, &b, JSON_COMPACT);
    json_put_node(&w, root);
    ck_assert_str_eq(b.data, "{\"a\":{\"b\":[2],\"c\":\"q\"},\"n\":5,"
                             "\"x\":{\"y\":{\"z\":3}}}");
    buf_fini(&b);
    json_free(root);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("json");
    TCase *t = tcase_create("json");
    tcase_add_loop_test(t, what_is_not_json_is_refused_with_its_place, 0,
                        (int)ARRAY_LEN(REFUSED));
    tcase_add_test(t, nul_bytes_are_refused);
    tcase_add_test(t, data_may_contain_nul);
    tcase_add_test(t, nesting_ends_at_32);
    tcase_add_test(t, a_tree_is_walked);
    tcase_add_test(t, whole_numbers_and_how_they_were_written);
    tcase_add_test(t, doubles_print_as_python_prints_them);
    tcase_add_test(t, any_double_returns);
    tcase_add_test(t, both_styles_of_writing);
    tcase_add_test(t, a_tree_is_written_back);
    tcase_add_test(t, values_are_set_by_path);
    suite_add_tcase(s, t);
    return s;
}
