/* buf, err, utf8 and hash: what every sentence and every name goes through. */
#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/hash.h"
#include "core/base/nearest.h"
#include "core/base/utf8.h"
#include "tests/lib/test_main.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

START_TEST(a_buffer_stops_at_its_maximum)
{
    struct buf b;
    buf_init(&b, 10);
    ck_assert_ptr_null(b.data);
    buf_str(&b, "12345");
    buf_printf(&b, "%d", 678);
    ck_assert_str_eq(b.data, "12345678");
    buf_str(&b, "abc");
    ck_assert(b.overflow);
    buf_char(&b, 'x'); /* nothing more, though it would fit */
    ck_assert_str_eq(b.data, "12345678");
    buf_reset(&b);
    ck_assert(!b.overflow && b.len == 0);
    buf_add(&b, "a\0b", 3);
    buf_str(&b, "1234567");
    ck_assert(!b.overflow);
    ck_assert_uint_eq(b.len, 10);
    ck_assert_int_eq(b.data[10], 0);
    char *taken = buf_take(&b);
    ck_assert_mem_eq(taken, "a\0b1234567", 11);
    free(taken);
    taken = buf_take(&b);
    ck_assert_str_eq(taken, "");
    free(taken);
    buf_printf(&b, "%s", "");
    ck_assert_str_eq(b.data, "");
    buf_fini(&b);
}
END_TEST

START_TEST(a_buffer_grows)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < 100000; i++) {
        buf_printf(&b, "%d,", i % 10);
    }
    ck_assert_uint_eq(b.len, 200000);
    ck_assert(!b.overflow && strlen(b.data) == b.len);
    buf_fini(&b);
}
END_TEST

START_TEST(sentences_gain_context)
{
    struct err err;
    ck_assert_int_eq(err_set(&err, ERR_LIMIT, "%d is too many", 7), ERR_LIMIT);
    ck_assert_int_eq(err_wrap(&err, "load '%s'", "x"), ERR_LIMIT);
    ck_assert_str_eq(err.msg, "load 'x': 7 is too many");
    ck_assert_int_eq(err_set(&err, ERR_IO, "again: %s", err.msg), ERR_IO);
    ck_assert_str_eq(err.msg, "again: load 'x': 7 is too many");
    ck_assert_int_eq(err_set(NULL, ERR_IO, "x"), ERR_IO);
    ck_assert_str_eq(err_name(ERR_IO), "IO");
    ck_assert_str_eq(err_name(1), "UNKNOWN");
    ck_assert_str_eq(err_name(0), "UNKNOWN");
}
END_TEST

START_TEST(errno_has_a_code)
{
    struct err err;
    ck_assert_int_eq(err_sys(&err, ENOSPC, "f"), ERR_FULL);
    ck_assert_int_eq(err_sys(&err, EDQUOT, "f"), ERR_FULL);
    ck_assert_int_eq(err_sys(&err, ENOENT, "f"), ERR_NOTFOUND);
    ck_assert_int_eq(err_sys(&err, EACCES, "f"), ERR_IO);
    ck_assert_str_eq(err.msg, "f: Permission denied");
}
END_TEST

START_TEST(sentences_are_one_line_of_utf8)
{
    struct err err;
    err_set(&err, ERR_IO, "a\nb\x1B[31m\xFF\xC3");
    ck_assert_str_eq(err.msg, "a?b?[31m??");
    char name[2000]; /* two-byte characters: the cut falls inside one */
    for (int i = 0; i < 999; i++) {
        memcpy(name + 2 * i, "\xC3\xA9", 2);
    }
    name[1998] = '\0';
    err_set(&err, ERR_IO, "%s", name);
    ck_assert_uint_eq(strlen(err.msg), sizeof(err.msg) - 1);
    ck_assert(utf8_is_valid(err.msg, strlen(err.msg)));
    err_set(&err, ERR_IO, "the reason");
    err_wrap(&err, "%s", name);
    ck_assert_ptr_nonnull(strstr(err.msg, ": the reason"));
    ck_assert(utf8_is_valid(err.msg, strlen(err.msg)));
    name[900] = '\0';
    for (int i = 0; i < 110; i++) {
        err_set(&err, ERR_IO, "%s%.*s the end", name, i, name);
        ck_assert_int_eq(err_wrap(&err, "%s", name), ERR_IO);
        size_t len = strlen(err.msg);
        ck_assert_str_eq(err.msg + len - 8, " the end");
    }
}
END_TEST

/* Unicode 15, table 3-7, at its edges. */
START_TEST(malformed_utf8_is_found)
{
    static const struct {
        const char *text;
        size_t valid;
    } rows[] = {
        {"", 0},
        {"abc", 3},
        {"\x7F\xC2\x80\xDF\xBF", 5},
        {"\xE0\xA0\x80\xEF\xBF\xBF", 6},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
        {"a\x80", 1},            /* a continuation alone */
        {"\xC0\x80", 0},         /* overlong */
        {"\xC1\xBF", 0},         /* overlong */
        {"\xE0\x9F\xBF", 0},     /* overlong */
        {"\xF0\x8F\xBF\xBF", 0}, /* overlong */
        {"\xED\xA0\x80", 0},     /* surrogate */
        {"\xED\x9F\xBF", 3},     /* just below them */
        {"\xF4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xF5\x80\x80\x80", 0},
        {"ab\xE2\x82", 2}, /* cut */
        {"\xE2\x28\xA1", 0},
        {"\xF0\x9F\x98 ", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t len = strlen(rows[i].text);
        ck_assert_uint_eq(utf8_valid_prefix(rows[i].text, len), rows[i].valid);
        ck_assert(utf8_is_valid(rows[i].text, len) == (rows[i].valid == len));
    }
}
END_TEST

START_TEST(every_code_point_returns)
{
    struct buf b;
    unsigned wrong = 0; /* a million assertions would take a minute */
    buf_init(&b, 8);
    for (unsigned c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c < 0xE000) {
            continue;
        }
        buf_reset(&b);
        utf8_put(&b, c);
        size_t at = 0;
        wrong += utf8_next(b.data, &at) != c || at != b.len ||
                 utf8_valid_prefix(b.data, b.len) != b.len ||
                 utf8_length(b.data, b.len) != 1;
    }
    ck_assert_uint_eq(wrong, 0);
    buf_fini(&b);
}
END_TEST

START_TEST(terminals_are_shown_no_controls)
{
    static const char text[] =
        "a\x1B[2J\t\xC2\x9B\xE2\x80\xAE\xE2\x81\xA6\xC3\xA9\xF0\x9F\x98\x80";
    struct buf b;
    buf_init(&b, 1000);
    utf8_printable(&b, text, strlen(text));
    ck_assert_str_eq(b.data, "a\\x1b[2J\\x09\\x9b\\u{202e}\\u{2066}"
                             "\xC3\xA9\xF0\x9F\x98\x80");
    buf_fini(&b);
}
END_TEST

START_TEST(sha256_known_answers)
{
    char hex[HASH_HEX_SIZE];
    hash_bytes("", 0, hex);
    ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb924"
                          "27ae41e4649b934ca495991b7852b855");
    struct hash *h = hash_new();
    hash_add(h, "a", 1);
    hash_add(h, "bc", 2);
    hash_finish(h, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223"
                          "b00361a396177a9cb410ff61f20015ad");
    ck_assert(hash_equal("abc", "abc", 3) && !hash_equal("abc", "abd", 3));
}
END_TEST

/* --- nearest --- */

static const struct {
    const char *key, *meant;
} meanings[] = {
    {"max_epoch", "max_epochs"},
    {"max_epcohs", "max_epochs"}, /* a swap is one edit */
    {"epochs", "max_epochs"},     /* a part */
    {"learning_rate", "lr"},      /* spelt out */
    {"flaot", "float"},
    {"lrr", "lr"},
    {"sane", "same"},
    {"sine", NULL},  /* 2 of 4 */
    {"xenon", NULL}, /* spelt out are initials, not one letter */
    {"_", NULL},
    {"epoch_rate", NULL},
    {"", NULL},
};

START_TEST(what_is_near_is_meant)
{
    static const char *const known[] = {"lr",   "max_epochs", "float",
                                        "same", "x",          "_odd"};
    const char *meant = nearest(meanings[_i].key, known, ARRAY_LEN(known));
    const char *want = meanings[_i].meant;
    ck_assert_msg(want == NULL ? meant == NULL
                               : meant != NULL && strcmp(meant, want) == 0,
                  "%s: %s", meanings[_i].key, meant != NULL ? meant : "none");
}
END_TEST

/* A name may be as long as it likes, on either side. */
START_TEST(long_words_are_no_misspelling)
{
    char word[2001];
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    const char *const known[] = {word, "short"};
    ck_assert_str_eq(nearest("shrot", known, 2), "short");
    ck_assert_ptr_null(nearest("xxxxxx", known, 2));
    ck_assert_ptr_null(nearest(word, known, 2));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("text");
    TCase *t = tcase_create("text");
    tcase_add_test(t, a_buffer_stops_at_its_maximum);
    tcase_add_test(t, a_buffer_grows);
    tcase_add_test(t, sentences_gain_context);
    tcase_add_test(t, errno_has_a_code);
    tcase_add_test(t, sentences_are_one_line_of_utf8);
    tcase_add_test(t, malformed_utf8_is_found);
    tcase_add_test(t, every_code_point_returns);
    tcase_add_test(t, terminals_are_shown_no_controls);
    tcase_add_test(t, sha256_known_answers);
    tcase_add_loop_test(t, what_is_near_is_meant, 0, ARRAY_LEN(meanings));
    tcase_add_test(t, long_words_are_no_misspelling);
    suite_add_tcase(s, t);
    return s;
}
