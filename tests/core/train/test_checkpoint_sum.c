/* What stands beside a checkpoint, and what a reader makes of it. */
#include "core/train/checkpoint_sum.h"
#include "core/base/base.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static const char SUM[] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static char dir[32];
static char *file; /* in it */

static void set_up(void)
{
    strcpy(dir, "/tmp/parzen-sum-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    file = mem_printf("%s/best-3.safetensors", dir);
}

static void tear_down(void)
{
    struct err err;
    free(file);
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

static void put(const char *text)
{
    char *path = mem_printf("%s.sha256", file);
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, NULL),
                     0);
    free(path);
}

START_TEST(what_was_written_is_read)
{
    char sha256[65] = "x";
    struct err err;
    ck_assert_int_eq(checkpoint_sum_read(file, sha256, &err), 0);
    ck_assert_str_eq(sha256, ""); /* nothing is beside it */
    ck_assert_int_eq(checkpoint_sum_write(dir, "best-3.safetensors", SUM, &err),
                     0);
    ck_assert_int_eq(checkpoint_sum_read(file, sha256, &err), 0);
    ck_assert_str_eq(sha256, SUM);
    put("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef "
        "*a name\n"); /* sha256sum -b */
    ck_assert_int_eq(checkpoint_sum_read(file, sha256, &err), 0);
    ck_assert_str_eq(sha256, SUM);
}
END_TEST

START_TEST(what_is_none_is_refused)
{
    static const char *const texts[] = {
        "",
        "x",
        "SHA256 (best-3.safetensors) = 01",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde  b",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0 b"};
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        char sha256[65] = "x";
        put(texts[i]);
        ck_assert_int_eq(checkpoint_sum_read(file, sha256, &err), ERR_CORRUPT);
        ck_assert(strstr(err.msg, "best-3.safetensors.sha256: damaged") !=
                  NULL);
        ck_assert_str_eq(sha256, "x");
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("checkpoint_sum");
    TCase *t = tcase_create("sums");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, what_was_written_is_read);
    tcase_add_test(t, what_is_none_is_refused);
    suite_add_tcase(s, t);
    return s;
}
