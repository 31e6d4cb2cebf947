#include "core/base/tail.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "tests/lib/test_main.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void setup(void)
{
    strcpy(path, "/tmp/parzen-tail-XXXXXX");
    close(mkstemp(path));
}

static void teardown(void)
{
    unlink(path);
}

static const struct {
    const char *text;
    int64_t n_bytes;
    const char *shown;
} CASES[] = {
    {"", 0, ""},
    {"one\ntwo\n", 0, "one\ntwo\n"},
    {"one\ntwo", 0, "one\ntwo"},
    {"\n\n", 0, "\n\n"},
    {"\x1b[31mred\xff\n\xe2\x80", 0, "\\x1b[31mred\\xff\n\\xe2\\x80"},
    {"one\ntwo\n", 8, "one\ntwo\n"},
    {"one\ntwo\n", 100, "one\ntwo\n"},
    {"one\ntwo\n", 7, "two\n"}, /* no half line */
    {"one\ntwo\n", 5, "two\n"},
    {"one long line\n", 6, " line\n"}, /* unless there is no other */
};

START_TEST(the_end_is_shown)
{
    struct buf out;
    struct err err;
    buf_init(&out, 1 << 10);
    buf_str(&out, "");
    ck_assert_int_eq(file_write_atomic(path, CASES[_i].text,
                                       strlen(CASES[_i].text), 0600, &err),
                     0);
    ck_assert_int_eq(tail_read(path, CASES[_i].n_bytes, &out, &err), 0);
    ck_assert_str_eq(out.data, CASES[_i].shown);
    buf_fini(&out);
}
END_TEST

START_TEST(what_is_not_there_is_said)
{
    struct buf out;
    struct err err;
    buf_init(&out, 1 << 10);
    unlink(path);
    ck_assert_int_eq(tail_read(path, 0, &out, &err), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.msg, path));
    buf_fini(&out);
}
END_TEST

static int make_fifo(void)
{
    return mkfifo(path, 0600);
}

static int make_folder(void)
{
    return mkdir(path, 0700);
}

static int make_socket(void)
{
    return mknod(path, S_IFSOCK | 0600, 0);
}

static int (*const OTHERS[])(void) = {make_fifo, make_folder, make_socket};

START_TEST(what_is_no_file_is_said)
{
    struct buf out;
    struct err err;
    buf_init(&out, 1 << 10);
    unlink(path);
    ck_assert_int_eq(OTHERS[_i](), 0);
    ck_assert_int_eq(tail_read(path, 0, &out, &err), ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.msg, path));
    ck_assert_ptr_nonnull(strstr(err.msg, "not a regular file"));
    ck_assert_int_eq(tail_read(path, 10, &out, &err), ERR_IO);
    ck_assert_int_eq(remove(path), 0);
    buf_fini(&out);
}
END_TEST

/* Codes are longer than what they stand for. */
START_TEST(what_does_not_fit_is_said)
{
    struct buf out;
    struct err err;
    buf_init(&out, 100);
    ck_assert_int_eq(
        file_write_atomic(path, "\x01\x01\x01\x01 one\ntwo\n", 13, 0600, &err),
        0);
    ck_assert_int_eq(tail_read(path, 0, &out, &err), 0);
    buf_fini(&out);
    buf_init(&out, 16);
    ck_assert_int_eq(tail_read(path, 0, &out, &err), ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.msg, path));
    buf_fini(&out);
    buf_init(&out, 16);
    ck_assert_int_eq(tail_read(path, 4, &out, &err), 0);
    ck_assert_str_eq(out.data, "two\n");
    buf_fini(&out);
}
END_TEST

/* However long it has become: what is not shown is not read. */
START_TEST(the_end_of_any_log_is_shown)
{
    struct buf out;
    struct err err;
    buf_init(&out, 1 << 10);
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq(ftruncate(fd, (off_t)BUF_MAX_RESPONSE + 1), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)BUF_MAX_RESPONSE + 1);
    ck_assert_int_eq(write(fd, "\nlast\n", 6), 6);
    close(fd);
    ck_assert_int_eq(tail_read(path, 8, &out, &err), 0);
    ck_assert_str_eq(out.data, "last\n");
    ck_assert_int_eq(tail_read(path, 0, &out, &err), ERR_LIMIT);
    buf_fini(&out);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("tail");
    TCase *t = tcase_create("tail");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, the_end_is_shown, 0, (int)ARRAY_LEN(CASES));
    tcase_add_test(t, what_is_not_there_is_said);
    tcase_add_loop_test(t, what_is_no_file_is_said, 0, (int)ARRAY_LEN(OTHERS));
    tcase_add_test(t, what_does_not_fit_is_said);
    tcase_add_test(t, the_end_of_any_log_is_shown);
    suite_add_tcase(s, t);
    return s;
}
