/* What is kept of a worker's output, and what is not. */
#include "daemon/pool_log.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "daemon/obituary.h"
#include "tests/lib/test_main.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[32];

static void set_up(void)
{
    strcpy(path, "/tmp/parzen-log-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void tear_down(void)
{
    struct err err;
    ck_assert_int_eq(file_remove_tree(path, &err), 0);
}

static char *content(size_t *n)
{
    char *text;
    struct err err;
    ck_assert_int_eq(file_load(path, 64 << 20, &text, n, &err), 0);
    return text;
}

/* Lines "line 0000001" and so on, in pieces of no round size. */
static void write_lines(struct pool_log *l, int from, int to)
{
    size_t size = (size_t)(to - from) * 13 + 1, n = 0;
    char *all = mem_alloc(size, 1);
    for (int i = from; i < to; i++) {
        n += (size_t)snprintf(all + n, size - n, "line %07d\n", i);
    }
    for (size_t at = 0; at < n; at += 7919) {
        pool_log_add(l, all + at, n - at < 7919 ? n - at : 7919);
    }
    free(all);
}

START_TEST(little_output_is_kept_whole)
{
    struct pool_log l;
    size_t n;
    pool_log_init(&l);
    pool_log_add(&l, "lost", 4); /* nowhere to go to */
    for (int i = 0; i < 2; i++) {
        pool_log_open(&l, path);
        write_lines(&l, 100 * i, 100 * i + 100);
    }
    pool_log_close(&l);
    char *text = content(&n);
    ck_assert_uint_eq(n, 200 * 13);
    ck_assert_int_eq(strncmp(text, "line 0000000\n", 13), 0);
    ck_assert_str_eq(text + n - 13, "line 0000199\n");
    free(text);
}
END_TEST

START_TEST(what_prints_nothing_leaves_nothing)
{
    struct pool_log l;
    size_t n;
    unlink(path); /* now the name of a folder */
    char *file = mem_printf("%s/7/log", path);
    pool_log_init(&l);
    pool_log_open(&l, file);
    pool_log_close(&l);
    ck_assert(!file_exists(path));
    pool_log_open(&l, file);
    pool_log_add(&l, "said", 4);
    pool_log_close(&l);
    struct err err;
    char *text;
    ck_assert_int_eq(file_load(file, 64, &text, &n, &err), 0);
    ck_assert_str_eq(text, "said");
    ck_assert_int_eq(file_remove_tree(path, &err), 0);
    free(text);
    free(file);
}
END_TEST

START_TEST(of_much_output_the_beginning_and_the_end_are_kept)
{
    enum { N = 2000000 }; /* 26 MB */
    struct pool_log l;
    size_t n;
    pool_log_init(&l);
    pool_log_open(&l, path);
    write_lines(&l, 0, N);
    pool_log_close(&l);
    char *text = content(&n);
    ck_assert_uint_le(n, POOL_LOG_MAX + POOL_LOG_TAIL + 100);
    ck_assert_uint_ge(n, POOL_LOG_MAX + POOL_LOG_TAIL);
    ck_assert_str_eq(text + n - 13, "line 1999999\n");
    /* The tail is one piece, in order. */
    ck_assert_int_eq(strncmp(text + n - 13 * 5000, "line 1995000\n", 13), 0);
    char *mark = mem_printf("[%d bytes of output were dropped]",
                            N * 13 - POOL_LOG_MAX - POOL_LOG_TAIL);
    ck_assert_ptr_nonnull(strstr(text + POOL_LOG_MAX, mark));
    free(mark);
    free(text);
}
END_TEST

/* A worker goes on after an attempt; what it printed is at the end by then. */
START_TEST(the_end_can_be_read_before_the_log_is_closed)
{
    enum { N = 1000000 }; /* 13 MB */
    struct pool_log l;
    size_t n, again;
    pool_log_init(&l);
    pool_log_settle(&l); /* nothing to do */
    pool_log_open(&l, path);
    write_lines(&l, 0, N);
    pool_log_settle(&l);
    char *text = content(&n);
    ck_assert_str_eq(text + n - 13, "line 0999999\n");
    free(text);
    pool_log_settle(&l); /* once */
    free(content(&again));
    ck_assert_uint_eq(again, n);
    pool_log_add(&l, "more\n", 5);
    pool_log_close(&l);
    text = content(&n);
    ck_assert_str_eq(text + again,
                     "\n[0 bytes of output were dropped]\nmore\n");
    free(text);
}
END_TEST

START_TEST(what_a_pipe_holds_is_added)
{
    struct pool_log l;
    struct obituary o;
    int ends[2];
    size_t n;
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    obituary_begin(&o);
    pool_log_init(&l);
    pool_log_open(&l, path);
    pool_log_drain(&l, &o, ends[0]); /* nothing yet */
    ck_assert_int_eq(write(ends[1], "a\n", 2), 2);
    ck_assert_int_eq(write(ends[1], "b\n", 2), 2);
    pool_log_drain(&l, &o, ends[0]);
    close(ends[1]);
    pool_log_drain(&l, &o, ends[0]); /* its end */
    close(ends[0]);
    pool_log_close(&l);
    char *text = content(&n);
    ck_assert_str_eq(text, "a\nb\n");
    ck_assert_uint_eq(o.n_words, 4);
    free(text);
}
END_TEST

START_TEST(attempts_without_end_do_not_fill_the_disk)
{
    struct pool_log l;
    size_t n;
    pool_log_init(&l);
    ck_assert_int_eq(truncate(path, POOL_LOG_MAX), 0);
    for (int i = 0; i < 3 * POOL_LOG_TAILS; i++) {
        pool_log_open(&l, path);
        write_lines(&l, 0, 6000);
    }
    pool_log_close(&l);
    free(content(&n));
    ck_assert_uint_le(n, POOL_LOG_MAX + (POOL_LOG_TAILS + 1) * POOL_LOG_TAIL);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pool_log");
    TCase *c = tcase_create("log");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, little_output_is_kept_whole);
    tcase_add_test(c, what_prints_nothing_leaves_nothing);
    tcase_add_test(c, of_much_output_the_beginning_and_the_end_are_kept);
    tcase_add_test(c, the_end_can_be_read_before_the_log_is_closed);
    tcase_add_test(c, what_a_pipe_holds_is_added);
    tcase_add_test(c, attempts_without_end_do_not_fill_the_disk);
    suite_add_tcase(s, c);
    return s;
}
