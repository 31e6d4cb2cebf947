/* Bytes in any pieces, and the lines that come of them. */
#include "worker/lines.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[32];
static struct buf taken; /* each line in <> */

static void set_up(void)
{
    strcpy(path, "/tmp/parzen-lines-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    buf_init(&taken, 1 << 20);
    buf_str(&taken, "");
    ck_assert_ptr_nonnull(freopen(path, "w", stdout));
}

static void tear_down(void)
{
    struct err err;
    buf_fini(&taken);
    ck_assert_int_eq(file_remove_tree(path, &err), 0);
}

static void take(void *ctx, const char *line, size_t n, bool is_whole)
{
    ck_assert_ptr_eq(ctx, path);
    ck_assert_int_eq(line[n], '\0');
    if (!is_whole) {
        ck_assert_uint_eq(n, LINES_MAX - 1);
        ck_assert_uint_eq(strspn(line, "x"), n);
        buf_str(&taken, "<x..>");
        return;
    }
    buf_char(&taken, '<');
    buf_add(&taken, line, n);
    buf_char(&taken, '>');
}

/* Feed it in pieces of this size, to the stream's end. */
static void feed(const char *text, size_t n, size_t piece)
{
    struct lines l;
    lines_init(&l);
    for (size_t at = 0; at < n; at += piece) {
        size_t now = n - at < piece ? n - at : piece;
        lines_add(&l, text + at, now, take, path);
    }
    lines_end(&l, take, path);
    lines_fini(&l);
}

static void check_printed(const char *want, size_t n)
{
    char *text;
    size_t len;
    struct err err;
    fflush(stdout);
    ck_assert_int_eq(file_load(path, 1 << 20, &text, &len, &err), 0);
    ck_assert_msg(len == n && memcmp(text, want, n) == 0, "%zu: %s", len, text);
    free(text);
}

#define TEXT(s) s, sizeof(s) - 1

static const struct {
    const char *text;
    size_t n;
    const char *taken;
    size_t n_taken;
    const char *printed;
    size_t n_printed;
} TEXTS[] = {
    {TEXT(""), TEXT(""), TEXT("")},
    {TEXT("a\nbc\n"), TEXT("<a><bc>"), TEXT("a\nbc\n")},
    {TEXT("a\nno end"), TEXT("<a><no end>"), TEXT("a\nno end\n")},
    {TEXT("\n\na\n\n"), TEXT("<a>"), TEXT("\n\na\n\n")},
    {TEXT("a\r\nb\r\n"), TEXT("<a><b>"), TEXT("a\nb\n")},
    {TEXT(" 1%\r 20%\r100%\n"), TEXT("<100%>"), TEXT("100%\n")},
    {TEXT(" 1%\r100%\r"), TEXT("<100%>"), TEXT("100%\n")},
    {TEXT("a\r\r\nb"), TEXT("<a><b>"), TEXT("a\nb\n")},
    {TEXT("\r\r\n"), TEXT(""), TEXT("\n")},
    {TEXT("a\0b\nc\0\n"), TEXT("<a\0b><c\0>"), TEXT("a\0b\nc\0\n")},
    {TEXT("\xc3\xa9\xf0\x9f\x98\x80\n\xff\xc3\n"),
     TEXT("<\xc3\xa9\xf0\x9f\x98\x80><\xff\xc3>"),
     TEXT("\xc3\xa9\xf0\x9f\x98\x80\n\xff\xc3\n")},
};

START_TEST(test_texts)
{
    size_t n = TEXTS[_i].n_printed;
    char *all = mem_alloc(8 * n + 1, 1);
    for (size_t piece = 1; piece <= 8; piece++) {
        buf_reset(&taken);
        feed(TEXTS[_i].text, TEXTS[_i].n, piece);
        ck_assert_uint_eq(taken.len, TEXTS[_i].n_taken);
        ck_assert_int_eq(memcmp(taken.data, TEXTS[_i].taken, taken.len), 0);
        memcpy(all + (piece - 1) * n, TEXTS[_i].printed, n);
    }
    check_printed(all, 8 * n);
    free(all);
}
END_TEST

/* n times x, an end, and a short line. */
static void feed_long(size_t n, const char *end)
{
    char *text = mem_alloc(n + 10, 1);
    memset(text, 'x', n);
    strcpy(text + n, end);
    feed(text, strlen(text), 7919);
    free(text);
}

START_TEST(test_the_longest_is_taken)
{
    feed_long(LINES_MAX - 1, "\nb\n");
    ck_assert_uint_eq(taken.len, LINES_MAX - 1 + 2 + 3);
    ck_assert_str_eq(taken.data + LINES_MAX - 2, "xx><b>");
}
END_TEST

/* It is printed whole, its beginning taken once, and the next one again. */
START_TEST(test_of_a_longer_one_the_beginning_is_taken)
{
    static const struct {
        size_t n;
        const char *end;
    } ways[] = {{LINES_MAX, "\nb\n"},
                {LINES_MAX + 1, "\nb\n"},
                {5 * LINES_MAX + 77, "\nb"},
                {3 * LINES_MAX, "\r\nb"}};
    size_t n = ways[_i].n;
    feed_long(n, ways[_i].end);
    ck_assert_str_eq(taken.data, "<x..><b>");
    char *all = mem_alloc(n + 4, 1);
    memset(all, 'x', n);
    strcpy(all + n, "\nb\n");
    check_printed(all, n + 3);
    free(all);
}
END_TEST

START_TEST(test_a_long_one_without_an_end)
{
    feed_long(2 * LINES_MAX, "");
    ck_assert_str_eq(taken.data, "<x..>");
}
END_TEST

START_TEST(test_nobody_takes)
{
    struct lines l;
    lines_init(&l);
    lines_add(&l, "a\nb", 3, NULL, NULL);
    lines_end(&l, NULL, NULL);
    lines_end(&l, NULL, NULL); /* nothing is left */
    lines_fini(&l);
    check_printed("a\nb\n", 4);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("lines");
    TCase *t = tcase_create("lines");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, test_texts, 0, (int)ARRAY_LEN(TEXTS));
    tcase_add_test(t, test_the_longest_is_taken);
    tcase_add_loop_test(t, test_of_a_longer_one_the_beginning_is_taken, 0, 4);
    tcase_add_test(t, test_a_long_one_without_an_end);
    tcase_add_test(t, test_nobody_takes);
    suite_add_tcase(s, t);
    return s;
}
