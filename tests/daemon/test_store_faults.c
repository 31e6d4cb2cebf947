/* The store when the disk fails, and when the process is killed: a commit is
 * there whole or not at all, and what was acknowledged is there. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/log.h"
#include "daemon/store.h"
#include "tests/lib/fault_vfs.h"
#include "tests/lib/fix_store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COUNTDOWN_MAX = 2000 };

static bool same(const struct mirror *a, const struct mirror *b)
{
    struct buf out;
    buf_init(&out, 1 << 16);
    bool equal = mirror_difference(a, b, &out) == 0;
    buf_fini(&out);
    return equal;
}

/* --- a failing disk ------------------------------------------------------- */

struct outcome {
    bool failed;          /* a commit did */
    int code;             /* how */
    struct mirror *after; /* memory as if the failed commit had worked */
};

/* Commits until one fails; the WAL is moved to the database now and then. */
static void work(struct fix_store *f, struct outcome *o)
{
    struct actions a;
    struct err err;
    *o = (struct outcome){0};
    for (int i = 0; i < 5 && !o->failed; i++) {
        actions_init(&a);
        fix_store_random(f, &a);
        if (store_commit(f->store, f->mirror, &a, &err) != 0) {
            o->failed = true;
            o->code = err.code;
            ck_assert_ptr_nonnull(strstr(err.msg, f->path));
            o->after = fix_store_load(f); /* as it was before */
        }
        for (size_t k = 0; k < a.n; k++) {
            mirror_apply(o->failed ? o->after : f->mirror, &a.items[k]);
        }
        actions_fini(&a);
        if (i % 3 == 2) {
            store_checkpoint(f->store);
        }
    }
}

/* One run with the n-th operation failing. Returns how many failed. */
static int run_with_fault(enum fault_kind kind, int n, bool sticky)
{
    struct fix_store f;
    struct actions a;
    struct outcome o;
    fix_store_init(&f, 7);
    actions_init(&a);
    fix_store_work(&f, 3);
    fault_vfs_arm(kind, n, sticky);
    work(&f, &o);
    if (o.failed) {
        ck_assert_int_eq(o.code, kind == FAULT_IO ? ERR_IO : ERR_FULL);
        fix_store_expect_equal(&f); /* the connection sees none of it */
    }
    store_close(f.store); /* moves pages, too */
    f.store = NULL;
    int n_failed = fault_vfs_disarm();

    fix_store_open(&f);
    struct mirror *loaded = fix_store_load(&f);
    ck_assert_msg(same(f.mirror, loaded) || (o.failed && same(o.after, loaded)),
                  "operation %d: neither before nor after", n);
    struct buf out;
    buf_init(&out, 1 << 16);
    if (same(f.mirror, loaded)) { /* and it works on */
        fix_store_random(&f, &a);
        fix_store_must(&f, &a);
        fix_store_expect_equal(&f);
    }
    mirror_free(loaded);
    mirror_free(o.after);
    buf_fini(&out);
    fix_store_fini(&f);
    return n_failed;
}

static const struct {
    enum fault_kind kind;
    bool sticky;
} FAULTS[] = {{FAULT_IO, false},  {FAULT_IO, true},     {FAULT_FULL, false},
              {FAULT_FULL, true}, {FAULT_SHORT, false}, {FAULT_SHORT, true}};

START_TEST(test_every_operation_fails_once)
{
    log_set_level(LOG_LEVEL_ERROR); /* page moves that fail are expected */
    fault_vfs_install();
    int n = 0;
    while (run_with_fault(FAULTS[_i].kind, n, FAULTS[_i].sticky) > 0) {
        n++;
        ck_assert_int_lt(n, COUNTDOWN_MAX);
    }
    ck_assert_int_gt(n, 20); /* the faults did reach something */
}
END_TEST

/* Making the database: any failure leaves what can be opened, empty. */
START_TEST(test_a_failing_birth)
{
    log_set_level(LOG_LEVEL_ERROR); /* page moves that fail are expected */
    fault_vfs_install();
    int n = 0, n_failed;
    do {
        struct fix_store f;
        struct err err;
        fix_store_folder(&f, 1);
        fault_vfs_arm(FAULTS[_i].kind, n, FAULTS[_i].sticky);
        if (store_open(f.path, &f.store, &err) != 0) {
            f.store = NULL;
            ck_assert_ptr_nonnull(strstr(err.msg, f.path));
        }
        fix_store_close(&f);
        n_failed = fault_vfs_disarm();
        ck_assert_msg(store_open(f.path, &f.store, &err) == 0, "%d: %s", n,
                      err.msg);
        fix_store_expect_equal(&f);
        fix_store_fini(&f);
        n++;
        ck_assert_int_lt(n, COUNTDOWN_MAX);
    } while (n_failed > 0);
    ck_assert_int_gt(n, 5);
}
END_TEST

/* In its first page; what is in the WAL alone does not count. Closing the file
 * costs the store its locks on it: nobody else is here to take them. */
static unsigned pages_of_file(const char *path)
{
    unsigned char n[4];
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(pread(fd, n, sizeof(n), 28), sizeof(n));
    close(fd);
    return (unsigned)n[0] << 24 | (unsigned)n[1] << 16 | (unsigned)n[2] << 8 |
           n[3];
}

/* A quota passes: pages are moved again when there is room. */
START_TEST(test_pages_without_room)
{
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    const struct rlimit nothing = {0, RLIM_INFINITY};
    struct fix_store f;
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGXFSZ, SIG_IGN);
    fix_store_init(&f, 17);
    fix_store_work(&f, 200);
    unsigned before = pages_of_file(f.path);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &nothing), 0);
    store_checkpoint(f.store);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    ck_assert_uint_eq(pages_of_file(f.path), before);
    store_checkpoint(f.store);
    ck_assert_uint_gt(pages_of_file(f.path), before);
    fix_store_expect_equal(&f);
    fix_store_fini(&f);
}
END_TEST

/* Space that the files have is written on when there is no more. */
START_TEST(test_a_full_disk)
{
    enum { N_BEFORE = 100, N_AFTER = 500 };
    struct fix_store f;
    struct actions a;
    struct err err;
    int n_moves = 0;
    log_set_level(LOG_LEVEL_ERROR);
    fault_vfs_install();
    fix_store_init(&f, 13);
    actions_init(&a);
    fix_store_work(&f, N_BEFORE);
    fault_vfs_arm(FAULT_GROWTH, 0, true);
    for (int i = 0; i < N_AFTER; i++) {
        fix_store_random(&f, &a);
        if (fix_store_do(&f, &a, &err) != 0) {
            ck_assert_int_eq(err.code, ERR_FULL);
            store_checkpoint(f.store);
            n_moves++;
            fix_store_random(&f, &a);
            ck_assert_msg(fix_store_do(&f, &a, &err) == 0, "%d: %s", i,
                          err.msg);
        }
    }
    ck_assert_int_ge(n_moves, 2);
    fix_store_expect_equal(&f);
    fault_vfs_disarm();
    fix_store_reopen(&f);
    fix_store_expect_equal(&f);
    fix_store_fini(&f);
}
END_TEST

/* --- a killed process ----------------------------------------------------- */

/* Commits, and says which event each commit ended with, until it is killed. */
static void child(struct fix_store *f, int fd)
{
    struct actions a;
    struct err err;
    if (store_open(f->path, &f->store, &err) != 0) {
        fprintf(stderr, "%s\n", err.msg);
        _exit(3);
    }
    for (int i = 0;; i++) {
        actions_init(&a);
        fix_store_random(f, &a);
        if (fix_store_do(f, &a, &err) != 0) {
            fprintf(stderr, "%s\n", err.msg);
            _exit(4);
        }
        int64_t seq = f->mirror->next_seq - 1;
        if (write(fd, &seq, sizeof(seq)) != (ssize_t)sizeof(seq)) {
            _exit(5);
        }
        if (i % 16 == 15) {
            store_checkpoint(f->store);
        }
    }
}

/* Let a child work for a random while, kill it. The last event it spoke of. */
static int64_t one_life(struct fix_store *f, struct rng *rng)
{
    int fds[2];
    ck_assert_int_eq(pipe(fds), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(fds[0]);
        child(f, fds[1]);
    }
    close(fds[1]);
    struct timespec wait = {.tv_nsec =
                                1000 * (long)(8000 + rng_below(rng, 40000))};
    nanosleep(&wait, NULL);
    int status;
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFSIGNALED(status), "the child failed: %d",
                  WEXITSTATUS(status));
    int64_t seq, last = f->mirror->next_seq - 1;
    while (read(fds[0], &seq, sizeof(seq)) == (ssize_t)sizeof(seq)) {
        last = seq;
    }
    close(fds[0]);
    return last;
}

/* The decisions are a function of the seed: repeat them in memory up to the
 * event that the store ends with, and compare all of it. */
static void follow(struct fix_store *f, int64_t next_seq)
{
    struct actions a;
    while (f->mirror->next_seq < next_seq) {
        actions_init(&a);
        fix_store_random(f, &a);
        for (size_t i = 0; i < a.n; i++) {
            mirror_apply(f->mirror, &a.items[i]);
        }
        actions_fini(&a);
    }
    ck_assert_int_eq(f->mirror->next_seq, next_seq);
}

START_TEST(test_kill_9)
{
    struct fix_store f;
    struct rng rng;
    int64_t n_acknowledged = 0;
    fix_store_init(&f, 11);
    rng_mt19937(&rng, 5);
    for (int life = 0; life < 30; life++) {
        store_close(f.store); /* a connection does not cross a fork */
        f.store = NULL;
        int64_t acknowledged = one_life(&f, &rng);
        fix_store_open(&f);
        struct mirror *loaded = fix_store_load(&f);
        ck_assert_msg(loaded->next_seq > acknowledged,
                      "life %d: event %lld was acknowledged, the store ends "
                      "with %lld",
                      life, (long long)acknowledged,
                      (long long)loaded->next_seq - 1);
        follow(&f, loaded->next_seq);
        mirror_free(loaded);
        fix_store_expect_equal(&f);
        n_acknowledged = acknowledged;
    }
    ck_assert_int_gt(n_acknowledged, 10); /* the children did work */
    fix_store_fini(&f);
}
END_TEST

/* A full disk, a quota or a limit on a file's size: what can pass is waited
 * for. Commits are what writes, and they are where SQLite forgets why. */
START_TEST(test_a_file_that_may_not_grow)
{
    struct fix_store f;
    struct actions a;
    struct err err;
    int rc = 0;
    actions_init(&a);
    signal(SIGXFSZ, SIG_IGN);
    fix_store_folder(&f, 9);
    fix_store_open(&f);
    const struct rlimit limit = {1 << 20, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; rc == 0 && i < 1000; i++) {
        fix_store_random(&f, &a);
        rc = fix_store_do(&f, &a, &err);
    }
    ck_assert_msg(rc == ERR_FULL, "%s", rc != 0 ? err.msg : "it grew");
    ck_assert_msg(strstr(err.msg, strerror(EFBIG)) != NULL, "%s", err.msg);
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    fix_store_expect_equal(&f);
    fix_store_random(&f, &a);
    fix_store_must(&f, &a);
    fix_store_reopen(&f);
    fix_store_expect_equal(&f);
    fix_store_fini(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store faults");
    TCase *t = tcase_create("faults");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_every_operation_fails_once, 0,
                        (int)ARRAY_LEN(FAULTS));
    tcase_add_loop_test(t, test_a_failing_birth, 0, (int)ARRAY_LEN(FAULTS));
    tcase_add_test(t, test_a_full_disk);
    tcase_add_test(t, test_pages_without_room);
    tcase_add_test(t, test_a_file_that_may_not_grow);
    tcase_add_test(t, test_kill_9);
    suite_add_tcase(s, t);
    return s;
}
