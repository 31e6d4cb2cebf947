/* Each write, fsync and rename of a training fails in turn. This program's
 * own write, fsync and rename stand before the C library's. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/train/checkpoint.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    int countdown; /* calls that still succeed; -1: all */
    int n_calls;   /* that may fail, while armed */
    int errnum;
    bool armed, sticky;
} fault = {.countdown = -1};

static bool call_fails(void)
{
    if (!fault.armed) {
        return false;
    }
    fault.n_calls++;
    if (fault.countdown != 0) {
        fault.countdown -= fault.countdown > 0;
        return false;
    }
    fault.countdown = fault.sticky ? 0 : -1;
    errno = fault.errnum;
    return true;
}

ssize_t write(int fd, const void *bytes, size_t n)
{
    return call_fails() ? -1 : syscall(SYS_write, fd, bytes, n);
}

int fsync(int fd)
{
    return call_fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
    return call_fails() ? -1
                        : (int)syscall(SYS_renameat2, -100 /* AT_FDCWD */, from,
                                       -100, to, 0);
}

static struct fix_training fix;
static struct run run;
static struct fix_record whole;

static void set_up(void)
{
    static const struct fix_plan to_the_end = {.n_steps = -1};
    fix_training_init(&fix, 60);
    fix_training_run(&run);
    run.max_epochs = 2;
    whole = (struct fix_record){0};
    fix_training_go(&fix, &run, &to_the_end, &whole);
    ck_assert_int_eq(checkpoint_remove_others(fix.trial_dir, NULL, 0, NULL), 0);
}

static void tear_down(void)
{
    fix_training_fini(&fix);
}

static bool file_is(const char *file, const char *sha256)
{
    char is[65], *path = mem_printf("%s/%s", fix.trial_dir, file);
    uint64_t size;
    int rc = file_sha256(path, is, &size, NULL);
    free(path);
    return rc == 0 && strcmp(is, sha256) == 0;
}

static int step(struct trainer *t, int64_t now_ms, struct trainer_event *e,
                struct err *err)
{
    fault.armed = true;
    int rc = trainer_step(t, now_ms, e, err);
    fault.armed = false;
    return rc;
}

static void commit(const struct trainer_event *e, struct fix_record *record)
{
    if (e->what == TRAINER_EPOCH) {
        record->metrics[record->n_epochs++] = e->metrics;
    } else if (e->what == TRAINER_CHECKPOINT) {
        *(e->checkpoint.best ? &record->best : &record->last) = e->checkpoint;
    } else if (e->what == TRAINER_DONE) {
        record->is_done = true;
        record->result = e->result;
    }
}

/* Train with checkpoints in the middle of epochs; returns how many failed.
 * After each failure what was told before must still be there. */
static int train_through(int code, int give_up_after, struct fix_record *record)
{
    struct trainer_options options = fix_training_options(&fix, &run);
    struct trainer *t;
    struct trainer_event e = {0};
    struct err err = {0};
    int n_failed = 0;
    ck_assert_int_eq(trainer_new(&options, &t, &err), 0);
    for (int64_t now = 0; !record->is_done && n_failed != give_up_after;
         now += 300) {
        int rc = step(t, now, &e, &err);
        if (rc == 0) {
            commit(&e, record);
            continue;
        }
        n_failed++;
        ck_assert_msg(rc == code, "%d: %s", rc, err.msg);
        ck_assert_msg(strstr(err.msg, fix.trial_dir) != NULL, "%s", err.msg);
        if (record->last.file[0] != '\0') {
            ck_assert(file_is(record->last.file, record->last.sha256));
        }
        if (record->best.file[0] != '\0') {
            ck_assert(file_is(record->best.file, record->best.sha256));
        }
    }
    trainer_free(t);
    return n_failed;
}

static void no_temporary_is_left(void)
{
    DIR *d = opendir(fix.trial_dir);
    struct dirent *entry;
    ck_assert_ptr_nonnull(d);
    while ((entry = readdir(d)) != NULL) {
        ck_assert_msg(strstr(entry->d_name, ".tmp") == NULL, "%s",
                      entry->d_name);
    }
    closedir(d);
}

/* _i = 0: no space; 1: the disk is failing. */
START_TEST(test_one_call_fails)
{
    int code = _i == 0 ? ERR_FULL : ERR_IO;
    fault.errnum = _i == 0 ? ENOSPC : EIO;
    bool reached = true;
    for (int n = _i; reached; n += 4) {
        struct fix_record record = {0};
        fault.countdown = n;
        fault.n_calls = 0;
        int n_failed = train_through(code, -1, &record);
        reached = fault.countdown < 0;
        ck_assert_int_eq(n_failed, reached);
        fix_record_must_equal(&whole, &record);
        no_temporary_is_left();
        ck_assert_int_eq(checkpoint_remove_others(fix.trial_dir, NULL, 0, NULL),
                         0);
        ck_assert(reached || n > 20); /* that many calls there are at least */
    }
}
END_TEST

/* The disk stays full; the process gives up and, once there is room, another
 * one goes on from what was committed. */
START_TEST(test_all_calls_fail_from_one_on)
{
    static const struct fix_plan to_the_end = {.n_steps = -1};
    fault.errnum = ENOSPC;
    for (int n = 0; n < 60; n += 7) {
        struct fix_record record = {0};
        fault.countdown = n;
        fault.sticky = true;
        (void)train_through(ERR_FULL, 5, &record);
        fault.countdown = -1;
        fault.sticky = false;
        no_temporary_is_left();
        fix_training_go(&fix, &run, &to_the_end, &record);
        fix_record_must_equal(&whole, &record);
        ck_assert_int_eq(checkpoint_remove_others(fix.trial_dir, NULL, 0, NULL),
                         0);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("full_disk");
    TCase *tc = tcase_create("faults");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_one_call_fails, 0, 2);
    tcase_add_test(tc, test_all_calls_fail_from_one_on);
    suite_add_tcase(s, tc);
    return s;
}
