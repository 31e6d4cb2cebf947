#include "core/base/file.h"
#include "core/base/buf.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/parzen-file-XXXXXX";
static char path[256];

static void setup(void)
{
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/x", dir);
}

static void teardown(void)
{
    struct err err;
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
    ck_assert(!file_exists(dir));
}

static void expect(const char *want)
{
    struct buf b;
    struct err err;
    buf_init(&b, 1 << 20);
    ck_assert_msg(file_read(path, &b, &err) == 0, "%s", err.msg);
    ck_assert_str_eq(b.data, want);
    buf_fini(&b);
}

static void write_text(const char *text)
{
    struct err err;
    ck_assert_msg(file_write_atomic(path, text, strlen(text), 0600, &err) == 0,
                  "%s", err.msg);
}

/* No temporary is left beside the files that should be there. */
static int n_files(void)
{
    char command[300];
    int n = -1;
    snprintf(command, sizeof(command), "ls -A %s | wc -l", dir);
    FILE *f = popen(command, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%d", &n), 1);
    pclose(f);
    return n;
}

START_TEST(a_file_is_replaced_whole)
{
    write_text("old");
    write_text("new and longer");
    expect("new and longer");
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(n_files(), 1);
}
END_TEST

START_TEST(an_abandoned_write_changes_nothing)
{
    struct file_writer *w;
    struct err err;
    write_text("old");
    ck_assert_int_eq(file_writer_open(path, 0600, &w, &err), 0);
    file_writer_add(w, "half", 4);
    expect("old");
    file_writer_abort(w);
    expect("old");
    ck_assert_int_eq(n_files(), 1);
}
END_TEST

START_TEST(two_writers_do_not_meet)
{
    struct file_writer *a, *b, *c;
    struct err err;
    char sha[65];
    ck_assert_int_eq(file_writer_open(path, 0600, &a, &err), 0);
    ck_assert_int_eq(file_writer_open(path, 0600, &b, &err), 0);
    file_writer_add(a, "aaaa", 4);
    file_writer_add(b, "bb", 2);
    ck_assert_int_eq(file_writer_commit(a, NULL, &err), 0);
    expect("aaaa");
    ck_assert_int_eq(file_writer_open(path, 0600, &c, &err), 0);
    file_writer_add(c, "c", 1);
    file_writer_add(b, "bb", 2);
    ck_assert_int_eq(file_writer_commit(b, sha, &err), 0);
    expect("bbbb");
    ck_assert_str_eq(sha, "81cc5b17018674b401b42f35ba07bb79e211239c"
                          "23bffe658da1577e3e646877");
    file_writer_abort(c);
    expect("bbbb");
    ck_assert_int_eq(n_files(), 1);
}
END_TEST

/* A writer dies by SIGKILL; the next one takes its temporary away. */
START_TEST(a_dead_writers_temporary_is_removed)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct file_writer *w;
        struct err err;
        if (file_writer_open(path, 0600, &w, &err) == 0) {
            file_writer_add(w, "half a fi", 9);
        }
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(!file_exists(path));
    ck_assert_int_eq(n_files(), 1);
    write_text("whole");
    expect("whole");
    ck_assert_int_eq(n_files(), 1);
}
END_TEST

START_TEST(a_full_disk_leaves_the_old_file)
{
    write_text("old");
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000}), 0);
    char bytes[5000] = "";
    struct err err;
    ck_assert_int_eq(file_write_atomic(path, bytes, sizeof(bytes), 0600, &err),
                     ERR_IO);
    expect("old");
    ck_assert_int_eq(n_files(), 1);
}
END_TEST

START_TEST(a_symbolic_link_is_no_temporary)
{
    char tmp[300];
    struct err err;
    snprintf(tmp, sizeof(tmp), "%s.tmp", path);
    ck_assert_int_eq(symlink("/tmp/parzen-elsewhere", tmp), 0);
    ck_assert_int_eq(file_write_atomic(path, "x", 1, 0600, &err), ERR_IO);
    ck_assert(!file_exists("/tmp/parzen-elsewhere"));
}
END_TEST

START_TEST(reading_has_limits)
{
    struct buf b;
    struct err err;
    write_text("12345");
    buf_init(&b, 7);
    buf_str(&b, "abc");
    ck_assert_int_eq(file_read(path, &b, &err), ERR_LIMIT);
    ck_assert_str_eq(b.data, "abc");
    ck_assert_int_eq(file_read(dir, &b, &err), ERR_INVALID);
    ck_assert_int_eq(file_read("/nonexistent", &b, &err), ERR_NOTFOUND);
    ck_assert_int_eq(mkfifo(strcat(path, "fifo"), 0600), 0);
    ck_assert_int_eq(file_read(path, &b, &err), ERR_INVALID); /* no hang */
    buf_fini(&b);
}
END_TEST

START_TEST(a_file_has_a_digest)
{
    char hex[65];
    uint64_t size;
    struct err err;
    write_text("abc");
    ck_assert_int_eq(file_sha256(path, hex, &size, &err), 0);
    ck_assert_uint_eq(size, 3);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223"
                          "b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(folders_are_made_and_removed)
{
    char deep[300], link[300];
    struct err err;
    snprintf(deep, sizeof(deep), "%s/a/b//c/", dir);
    ck_assert_int_eq(file_mkdirs(deep, 0700, &err), 0);
    ck_assert_int_eq(file_mkdirs(deep, 0700, &err), 0);
    ck_assert_int_eq(file_mkdirs("", 0700, &err), ERR_INVALID);
    write_text("kept");
    char inside[320];
    snprintf(inside, sizeof(inside), "%s/x/y", dir);
    ck_assert_int_lt(file_mkdirs(inside, 0700, &err), 0);
    ck_assert_int_lt(file_mkdirs(path, 0700, &err), 0); /* a file is there */
    snprintf(link, sizeof(link), "%s/a/link", dir);
    ck_assert_int_eq(symlink("..", link), 0);
    snprintf(deep, sizeof(deep), "%s/a", dir);
    ck_assert_int_eq(file_remove_tree(deep, &err), 0);
    ck_assert(!file_exists(deep));
    expect("kept"); /* the link was not followed */
    ck_assert_int_eq(file_remove_tree(deep, &err), 0);
}
END_TEST

/* The child holds the lock; it dies by SIGKILL and the lock is free. */
START_TEST(a_lock_is_held_by_one_process_and_freed_by_its_death)
{
    int ready[2], fd;
    struct err err;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int rc = file_lock(path, &fd, &err);
        if (write(ready[1], &rc, sizeof(rc)) != sizeof(rc)) {
            _exit(1);
        }
        pause();
        _exit(1);
    }
    int rc = -1;
    ck_assert_int_eq((int)read(ready[0], &rc, sizeof(rc)), (int)sizeof(rc));
    ck_assert_int_eq(rc, 0);
    ck_assert_int_eq(file_lock(path, &fd, &err), ERR_CONFLICT);
    char want[300];
    snprintf(want, sizeof(want), "%s: held by process %d", path, (int)pid);
    ck_assert_str_eq(err.msg, want);
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(file_lock(path, &fd, &err), 0);
    snprintf(want, sizeof(want), "%d\n", (int)getpid());
    expect(want);
    int second;
    ck_assert_int_eq(file_lock(path, &second, &err), ERR_CONFLICT);
    close(fd);
    ck_assert_int_eq(file_lock(path, &fd, &err), 0);
    close(fd);
}
END_TEST

/* Neither does removing the lock file, nor another file's lock, free it. */
START_TEST(a_folder_is_held_by_one_holder)
{
    int fd, second;
    struct err err;
    ck_assert_int_eq(file_lock_folder(dir, &fd, &err), 0);
    ck_assert_int_eq(file_lock_folder(dir, &second, &err), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(err.msg, dir));
    ck_assert_int_eq(file_lock(path, &second, &err), 0);
    close(second);
    close(fd);
    ck_assert_int_eq(file_lock_folder(dir, &fd, &err), 0);
    close(fd);
    ck_assert_int_eq(file_lock_folder(path, &fd, &err), ERR_IO);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("file");
    TCase *t = tcase_create("file");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_file_is_replaced_whole);
    tcase_add_test(t, an_abandoned_write_changes_nothing);
    tcase_add_test(t, two_writers_do_not_meet);
    tcase_add_test(t, a_dead_writers_temporary_is_removed);
    tcase_add_test(t, a_full_disk_leaves_the_old_file);
    tcase_add_test(t, a_symbolic_link_is_no_temporary);
    tcase_add_test(t, reading_has_limits);
    tcase_add_test(t, a_file_has_a_digest);
    tcase_add_test(t, folders_are_made_and_removed);
    tcase_add_test(t, a_lock_is_held_by_one_process_and_freed_by_its_death);
    tcase_add_test(t, a_folder_is_held_by_one_holder);
    suite_add_tcase(s, t);
    return s;
}
