#include "core/train/stash.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "tests/lib/test_main.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64], dir[80];
static struct stash stash;

static void set_up(void)
{
    strcpy(root, "/tmp/parzen-stash-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    snprintf(dir, sizeof(dir), "%s/stash", root);
    stash = (struct stash){.dir = dir, .max_bytes = 1 << 20};
}

static void tear_down(void)
{
    ck_assert_int_eq(file_remove_tree(root, NULL), 0);
}

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static void key_of(const char *text, char key[STASH_KEY_SIZE])
{
    const struct span part = span_of(text);
    stash_key(&part, 1, key);
}

/* A content that can be told from all others, of n bytes. */
static char *content_of(unsigned number, size_t n)
{
    char *bytes = mem_alloc(n, 1);
    struct rng rng;
    rng_stream(&rng, number, 0, RNG_SPLIT, 0);
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (char)rng_u32(&rng);
    }
    return bytes;
}

static void put(unsigned number, size_t n)
{
    char key[STASH_KEY_SIZE], name[16];
    struct err err;
    char *bytes = content_of(number, n);
    const struct span parts[] = {{bytes, n / 3}, {bytes + n / 3, n - n / 3}};
    snprintf(name, sizeof(name), "%u", number);
    key_of(name, key);
    ck_assert_msg(stash_put(&stash, key, parts, 2, &err) == 0, "%s", err.msg);
    free(bytes);
}

/* Is it there? If so it must be right. */
static bool has(unsigned number, size_t n)
{
    char key[STASH_KEY_SIZE], name[16];
    struct stash_file f;
    snprintf(name, sizeof(name), "%u", number);
    key_of(name, key);
    if (!stash_open(&stash, key, &f)) {
        return false;
    }
    char *bytes = content_of(number, n);
    ck_assert_uint_eq(f.content.len, n);
    ck_assert_mem_eq(f.content.at, bytes, n);
    ck_assert_uint_eq((uintptr_t)f.content.at % _Alignof(max_align_t), 0);
    free(bytes);
    stash_close(&f);
    return true;
}

static char *path_of(unsigned number)
{
    char key[STASH_KEY_SIZE], name[16];
    snprintf(name, sizeof(name), "%u", number);
    key_of(name, key);
    return mem_printf("%s/%s", dir, key);
}

/* As if last used so many seconds ago. */
static void age(unsigned number, long seconds)
{
    char *path = path_of(number);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    struct timespec times[2] = {st.st_mtim, st.st_mtim};
    times[1].tv_sec -= seconds;
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

START_TEST(what_was_put_is_found)
{
    ck_assert(!has(1, 1000));
    put(1, 1000);
    put(2, 0);
    put(3, 1);
    ck_assert(has(1, 1000) && has(2, 0) && has(3, 1) && !has(4, 1));
}
END_TEST

START_TEST(keys_differ_by_every_part)
{
    const struct span a[] = {span_of("ab"), span_of("c")};
    const struct span b[] = {span_of("a"), span_of("bc")};
    char keys[3][STASH_KEY_SIZE];
    stash_key(a, 2, keys[0]);
    stash_key(b, 2, keys[1]);
    stash_key(a, 1, keys[2]);
    ck_assert_str_ne(keys[0], keys[1]);
    ck_assert_str_ne(keys[0], keys[2]);
    ck_assert_uint_eq(strlen(keys[0]), 64);
}
END_TEST

static void write_file(const char *path, const char *bytes, size_t n)
{
    struct file_writer *w;
    ck_assert_int_eq(file_writer_open(path, 0600, &w, NULL), 0);
    file_writer_add(w, bytes, n);
    ck_assert_int_eq(file_writer_publish(w, NULL), 0);
}

/* Each byte of a file damaged, each length cut, is no file. */
START_TEST(damage_is_absence)
{
    enum { N = 40 };
    put(1, N);
    char *path = path_of(1), *bytes;
    size_t len;
    ck_assert_int_eq(file_load(path, 1 << 20, &bytes, &len, NULL), 0);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 16;
        write_file(path, bytes, len);
        ck_assert_msg(!has(1, N), "byte %zu", i);
        bytes[i] ^= 16;
        write_file(path, bytes, i);
        ck_assert_msg(!has(1, N), "cut at %zu", i);
    }
    char *longer = mem_grow(bytes, len + 1, 1);
    longer[len] = 0;
    write_file(path, longer, len + 1);
    ck_assert(!has(1, N));
    put(1, N); /* made again */
    ck_assert(has(1, N));
    free(longer);
    free(path);
}
END_TEST

START_TEST(another_keys_file_is_foreign)
{
    put(1, 100);
    char *one = path_of(1), *two = path_of(2);
    ck_assert_int_eq(rename(one, two), 0);
    ck_assert(!has(2, 100));
    ck_assert_int_eq(unlink(two), 0);
    ck_assert_int_eq(mkdir(two, 0700), 0);
    ck_assert(!has(2, 100));
    ck_assert_int_eq(rmdir(two), 0);
    ck_assert_int_eq(mkfifo(two, 0600), 0); /* must not hang */
    ck_assert(!has(2, 100));
    free(one);
    free(two);
}
END_TEST

START_TEST(the_least_recently_used_goes_first)
{
    stash.max_bytes = 3500;
    put(1, 1000);
    put(2, 800);
    age(1, 100);
    age(2, 50);
    ck_assert(has(1, 1000)); /* used now */
    put(3, 1000);            /* 2,800 and headers: still room */
    ck_assert(has(2, 800));
    age(1, 10);
    age(2, 20);
    put(4, 900);
    ck_assert(!has(2, 800));
    ck_assert(has(1, 1000) && has(3, 1000) && has(4, 900));
    put(5, 3300); /* all others make room */
    ck_assert(has(5, 3300) && !has(1, 1000) && !has(3, 1000) && !has(4, 900));
    char key[STASH_KEY_SIZE];
    char big[4000] = {0};
    const struct span part = {big, sizeof(big)};
    key_of("big", key);
    ck_assert_int_eq(stash_put(&stash, key, &part, 1, NULL), ERR_LIMIT);
    ck_assert(has(5, 3300));
}
END_TEST

START_TEST(removal_under_a_reader_is_harmless)
{
    char key[STASH_KEY_SIZE];
    struct stash_file f;
    put(1, 5000);
    key_of("1", key);
    ck_assert(stash_open(&stash, key, &f));
    char *path = path_of(1), *bytes = content_of(1, 5000);
    ck_assert_int_eq(unlink(path), 0);
    put(1, 5000);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_mem_eq(f.content.at, bytes, 5000);
    stash_close(&f);
    free(bytes);
    free(path);
}
END_TEST

/* What was verified stays what it was, though somebody writes to the file or
 * cuts it. */
START_TEST(writing_in_place_changes_no_reader)
{
    char key[STASH_KEY_SIZE], junk[100];
    struct stash_file f;
    put(1, 50000);
    key_of("1", key);
    ck_assert(stash_open(&stash, key, &f));
    char *path = path_of(1), *bytes = content_of(1, 50000);
    memset(junk, 'x', sizeof(junk));
    int fd = open(path, O_WRONLY);
    ck_assert_int_ge(fd, 0);
    for (off_t at = 0; at < 50000; at += 1000) {
        ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
    }
    ck_assert_mem_eq(f.content.at, bytes, 50000);
    ck_assert_int_eq(ftruncate(fd, 10), 0);
    ck_assert_mem_eq(f.content.at, bytes, 50000);
    ck_assert(!has(1, 50000)); /* the next reader makes it again */
    close(fd);
    stash_close(&f);
    free(bytes);
    free(path);
}
END_TEST

START_TEST(a_folder_that_cannot_be_is_an_error)
{
    struct err err;
    const struct span part = span_of("x");
    char key[STASH_KEY_SIZE];
    key_of("x", key);
    ck_assert_int_eq(file_write_atomic(dir, "a file", 6, 0600, NULL), 0);
    ck_assert_int_eq(stash_put(&stash, key, &part, 1, &err), ERR_IO);
    ck_assert(!has(1, 1));
}
END_TEST

/* Writers of the same keys with too little room, some of them killed: a reader
 * never sees anything but the right bytes, and the limit holds at the end. */
START_TEST(racing_processes_never_see_half_a_file)
{
    enum { N = 4, KEYS = 6, ROUNDS = 150, BYTES = 20000 };
    pid_t pids[N];
    stash.max_bytes = 3 * (BYTES + 200);
    for (int p = 0; p < N; p++) {
        pids[p] = fork();
        ck_assert_int_ge(pids[p], 0);
        for (int i = 0; pids[p] == 0 && (i < ROUNDS || p == 0); i++) {
            unsigned at = (unsigned)(i + p) % KEYS;
            struct err err;
            char key[STASH_KEY_SIZE], name[16];
            char *bytes = content_of(at, BYTES);
            const struct span part = {bytes, BYTES};
            struct stash_file f;
            snprintf(name, sizeof(name), "%u", at);
            key_of(name, key);
            bool found = stash_open(&stash, key, &f);
            if (found && (f.content.len != BYTES ||
                          memcmp(f.content.at, bytes, BYTES) != 0)) {
                _exit(2);
            }
            /* its temporary may have been taken for old: no harm */
            int rc = found ? 0 : stash_put(&stash, key, &part, 1, &err);
            if (rc != 0 && rc != ERR_NOTFOUND) {
                _exit(3);
            }
            if (found) {
                stash_close(&f);
            }
            free(bytes);
        }
        if (pids[p] == 0) {
            _exit(0);
        }
    }
    for (int p = 1; p < N; p++) {
        int status;
        ck_assert_int_eq(waitpid(pids[p], &status, 0), pids[p]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(kill(pids[0], SIGKILL), 0); /* in the middle of it */
    ck_assert_int_eq(waitpid(pids[0], NULL, 0), pids[0]);
    for (unsigned i = 0; i < KEYS; i++) {
        (void)has(i, BYTES);
        put(i, BYTES);
        ck_assert(has(i, BYTES));
    }
    uint64_t sum = 0;
    DIR *d = opendir(dir);
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        struct stat st;
        ck_assert_int_eq(fstatat(dirfd(d), e->d_name, &st, 0), 0);
        sum += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    }
    closedir(d);
    ck_assert_uint_le(sum, stash.max_bytes);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("stash");
    TCase *t = tcase_create("stash");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, what_was_put_is_found);
    tcase_add_test(t, keys_differ_by_every_part);
    tcase_add_test(t, damage_is_absence);
    tcase_add_test(t, another_keys_file_is_foreign);
    tcase_add_test(t, the_least_recently_used_goes_first);
    tcase_add_test(t, removal_under_a_reader_is_harmless);
    tcase_add_test(t, writing_in_place_changes_no_reader);
    tcase_add_test(t, a_folder_that_cannot_be_is_an_error);
    tcase_add_test(t, racing_processes_never_see_half_a_file);
    suite_add_tcase(s, t);
    return s;
}
