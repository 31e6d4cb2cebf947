#include "daemon/http/auth.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[64], path[80];

static void start(void)
{
    snprintf(dir, sizeof(dir), "/tmp/parzen-auth-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/token", dir);
}

static void stop(void)
{
    struct err err;
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

static void write_token(const char *text)
{
    struct err err;
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, &err),
                     0);
}

START_TEST(test_token_is_made_once)
{
    struct auth a, again;
    struct err err;
    struct buf first, second;
    struct stat st;
    buf_init(&first, 4096);
    buf_init(&second, 4096);
    ck_assert_int_eq(auth_load(&a, dir, &err), 0);
    ck_assert_int_eq(file_read(path, &first, &err), 0);
    ck_assert_int_eq(auth_load(&again, dir, &err), 0);
    ck_assert_int_eq(file_read(path, &second, &err), 0);
    ck_assert_str_eq(first.data, second.data);
    ck_assert_str_eq(a.digest, again.digest);
    ck_assert_uint_eq(first.len, 43);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    remove(path);
    ck_assert_int_eq(auth_load(&again, dir, &err), 0);
    ck_assert_str_ne(a.digest, again.digest);
    buf_fini(&first);
    buf_fini(&second);
}
END_TEST

START_TEST(test_a_rotated_token_is_another)
{
    struct auth a, before;
    struct err err;
    struct buf token;
    struct stat st;
    char value[128];
    buf_init(&token, 4096);
    write_token("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP-");
    ck_assert_int_eq(auth_load(&a, dir, &err), 0);
    before = a;
    ck_assert_int_eq(auth_rotate(&a, dir, &err), 0);
    ck_assert_str_ne(a.digest, before.digest);
    ck_assert_int_eq(file_read(path, &token, &err), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    snprintf(value, sizeof(value), "Bearer %s", token.data);
    ck_assert_int_eq(auth_check(&a, value, 0), AUTH_OK);
    ck_assert_int_eq(auth_check(&before, value, 0), AUTH_WRONG);
    before = a;
    ck_assert_int_ne(auth_rotate(&a, "/nowhere", &err), 0);
    ck_assert_str_eq(a.digest, before.digest);
    buf_fini(&token);
}
END_TEST

START_TEST(test_damaged_token_is_told)
{
    static const char *const bad[] = {
        "", "short", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct auth a;
        struct err err;
        write_token(bad[i]);
        ck_assert_int_eq(auth_load(&a, dir, &err), ERR_CORRUPT);
        ck_assert_ptr_nonnull(strstr(err.msg, path));
    }
}
END_TEST

START_TEST(test_only_the_token_is_right)
{
    struct auth a;
    struct err err;
    char value[128];
    const char *token = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP-";
    write_token(token);
    ck_assert_int_eq(auth_load(&a, dir, &err), 0);
    snprintf(value, sizeof(value), "Bearer %s", token);
    ck_assert_int_eq(auth_check(&a, value, 0), AUTH_OK);
    value[0] = 'b'; /* the scheme's letters may be of either case */
    ck_assert_int_eq(auth_check(&a, value, 0), AUTH_OK);
    for (size_t i = 0; i < strlen(value); i++) {
        char other[128];
        snprintf(other, sizeof(other), "%s", value);
        other[i] ^= 1;
        ck_assert_int_ne(auth_check(&a, other, (int64_t)i * 1000), AUTH_OK);
        other[i] = '\0';
        ck_assert_int_ne(auth_check(&a, other, (int64_t)i * 1000), AUTH_OK);
    }
    ck_assert_int_eq(auth_check(&a, NULL, 0), AUTH_WRONG);
}
END_TEST

START_TEST(test_failures_are_counted_by_the_second)
{
    struct auth a;
    struct err err;
    write_token("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP-");
    ck_assert_int_eq(auth_load(&a, dir, &err), 0);
    for (int i = 0; i < AUTH_FAILURES_PER_S; i++) {
        ck_assert_int_eq(auth_check(&a, NULL, 5000 + i), AUTH_WRONG);
    }
    ck_assert_int_eq(auth_check(&a, NULL, 5999), AUTH_TOO_MANY);
    ck_assert_int_eq(
        auth_check(&a, "Bearer abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP-",
                   5999),
        AUTH_OK);
    ck_assert_int_eq(auth_check(&a, NULL, 6000), AUTH_WRONG);
}
END_TEST

START_TEST(test_names_of_this_host)
{
    static const char *const good[] = {"127.0.0.1:7373", "localhost:7373",
                                       "LocalHost:7373", "[::1]:7373"};
    static const char *const bad[] = {"",
                                      "127.0.0.1",
                                      "127.0.0.1:737",
                                      "127.0.0.1:73730",
                                      "localhost",
                                      "127.0.0.2:7373",
                                      "localhost.:7373",
                                      " localhost:7373",
                                      "::1:7373",
                                      "0.0.0.0:7373",
                                      "localhost:7373 ",
                                      "localhost:07373",
                                      "a@127.0.0.1:7373"};
    char origin[64];
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        ck_assert(auth_is_our_host(good[i], 7373));
        snprintf(origin, sizeof(origin), "http://%s", good[i]);
        ck_assert(auth_is_our_origin(origin, 7373));
        snprintf(origin, sizeof(origin), "https://%s", good[i]);
        ck_assert(!auth_is_our_origin(origin, 7373));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        ck_assert_msg(!auth_is_our_host(bad[i], 7373), "%s", bad[i]);
        snprintf(origin, sizeof(origin), "http://%s", bad[i]);
        ck_assert(!auth_is_our_origin(origin, 7373));
    }
    ck_assert(!auth_is_our_origin("null", 7373));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("http auth");
    TCase *t = tcase_create("auth");
    tcase_add_checked_fixture(t, start, stop);
    tcase_add_test(t, test_token_is_made_once);
    tcase_add_test(t, test_a_rotated_token_is_another);
    tcase_add_test(t, test_damaged_token_is_told);
    tcase_add_test(t, test_only_the_token_is_right);
    tcase_add_test(t, test_failures_are_counted_by_the_second);
    tcase_add_test(t, test_names_of_this_host);
    suite_add_tcase(s, t);
    return s;
}
