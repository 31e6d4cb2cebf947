/* A training goes on from the newest checkpoint that is whole, and comes to the
 * same end as one that was left alone. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/train/checkpoint.h"
#include "core/wire/msg.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"
#include "worker/objective.h"
#include "worker/resume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_LASTS = 2, MAX_SAID = 8 };

/* What may have become of a file. The first N_KEPT are kept aside. */
enum damage {
    ONE_BYTE,
    CUT,
    FULL_FOLDER,
    FIFO,
    LINK_TO_FOLDER,
    LINK_TO_ITSELF,
    N_KEPT,
    EMPTY_FOLDER = N_KEPT,
    N_DAMAGES
};

static struct fix_training fix;
static struct run run;
static struct fix_record whole; /* undisturbed */
/* Of a training that was killed after N_LASTS checkpoints. */
static struct trainer_checkpoint lasts[N_LASTS], best;
static char *said[MAX_SAID]; /* files of the DISCARDs */
static int n_said;

static void must(int rc, const struct err *err)
{
    ck_assert_msg(rc == 0, "%s", err->msg);
}

static void train_a_while(void)
{
    struct trainer_options options = fix_training_options(&fix, &run);
    struct trainer_event e;
    struct trainer *t;
    struct err err = {0};
    must(trainer_new(&options, &t, &err), &err);
    for (int n = 0; n < N_LASTS;) {
        must(trainer_step(t, 0, &e, &err), &err);
        if (e.what == TRAINER_CHECKPOINT && e.checkpoint.best) {
            best = e.checkpoint;
        } else if (e.what == TRAINER_CHECKPOINT) {
            lasts[n++] = e.checkpoint;
        }
    }
    trainer_free(t);
}

static void set_up_as(bool maximize)
{
    static const struct fix_plan to_the_end = {.n_steps = -1};
    struct err err = {0};
    fix_training_init(&fix, 60);
    fix.maximize = maximize;
    fix_training_run(&run);
    run.max_epochs = 4;
    whole = (struct fix_record){0};
    fix_training_go(&fix, &run, &to_the_end, &whole);
    must(checkpoint_remove_others(fix.trial_dir, NULL, 0, &err), &err);
    n_said = 0;
    train_a_while();
}

static void set_up(void)
{
    set_up_as(false);
}

static void set_up_best_first(void)
{
    set_up_as(true); /* the loss falls: the first epoch's is the largest */
}

static void tear_down(void)
{
    for (int i = 0; i < n_said; i++) {
        free(said[i]);
    }
    fix_training_fini(&fix);
}

static void on_say(void *ctx, const struct msg *m)
{
    (void)ctx;
    ck_assert_int_eq(m->type, MSG_DISCARD);
    ck_assert_int_lt(n_said, MAX_SAID);
    ck_assert_uint_gt(strlen(m->discard.message), 0);
    said[n_said++] = mem_strdup(m->discard.file);
}

static char *path_of(const char *file)
{
    return mem_printf("%s/%s", fix.trial_dir, file);
}

static bool is_there(const char *file)
{
    char *path = path_of(file);
    bool is = file_exists(path);
    free(path);
    return is;
}

static void change_bytes(const char *path, bool cut)
{
    char *text;
    struct err err;
    size_t n;
    must(file_load(path, 64 << 20, &text, &n, &err), &err);
    text[n / 2] ^= 1;
    must(file_write_atomic(path, text, cut ? n / 3 : n, 0600, &err), &err);
    free(text);
}

static int make(const char *path, enum damage how)
{
    char *inside = mem_printf("%s/inside", path);
    int rc = how == FIFO             ? mkfifo(path, 0600)
             : how == LINK_TO_FOLDER ? symlink("/tmp", path)
             : how == LINK_TO_ITSELF ? symlink(path, path)
                                     : mkdir(path, 0700);
    if (rc == 0 && how == FULL_FOLDER) {
        rc = mkdir(inside, 0700);
    }
    free(inside);
    return rc;
}

static void damage(const char *file, enum damage how)
{
    char *path = path_of(file);
    if (how <= CUT) {
        change_bytes(path, how == CUT);
    } else {
        unlink(path);
        ck_assert_int_eq(make(path, how), 0);
    }
    free(path);
}

static bool is_kept_aside(void)
{
    struct stat st;
    char *path = path_of(PATHS_DAMAGED);
    bool is = lstat(path, &st) == 0;
    free(path);
    return is;
}

static bool is_regular(const char *file)
{
    struct stat st;
    char *path = path_of(file);
    bool is = lstat(path, &st) == 0 && S_ISREG(st.st_mode);
    free(path);
    return is;
}

/* Resume at this optimiser step, and train to the same end. */
static void must_go_on(int64_t step)
{
    struct trainer_options options = fix_training_options(&fix, &run);
    const struct msg_assign assign = {
        .id = {1, 0, 2},
        .dir = fix.trial_dir,
        .resume_file = lasts[N_LASTS - 1].file,
        .resume_sha256 = lasts[N_LASTS - 1].sha256,
        .previous_file = lasts[N_LASTS - 2].file,
        .previous_sha256 = lasts[N_LASTS - 2].sha256,
        .best_file = best.file,
        .best_sha256 = best.sha256,
        .best_epoch = best.epoch};
    const struct objective_out out = {.say = on_say};
    struct trainer *t;
    struct trainer_event e;
    struct err err = {0};
    must(resume_training(&assign, &out, &options, &t, &err), &err);
    ck_assert_int_eq(trainer_progress(t).step, step);
    do {
        must(trainer_step(t, 0, &e, &err), &err);
        if (e.what == TRAINER_EPOCH) {
            ck_assert_mem_eq(&e.metrics, &whole.metrics[e.progress.epoch],
                             sizeof(e.metrics));
        } else if (e.what == TRAINER_CHECKPOINT && e.checkpoint.best) {
            best = e.checkpoint;
        }
    } while (e.what != TRAINER_DONE);
    ck_assert_mem_eq(&e.result.value, &whole.result.value, sizeof(double));
    ck_assert_str_eq(best.sha256, whole.best.sha256);
    ck_assert(is_there(best.file));
    trainer_free(t);
}

START_TEST(the_last_is_taken_when_it_is_whole)
{
    char *left = path_of("last-0-1.safetensors"); /* never committed */
    struct err err;
    must(file_write_atomic(left, "x", 1, 0600, &err), &err);
    must_go_on(lasts[N_LASTS - 1].step);
    ck_assert_int_eq(n_said, 0);
    ck_assert(!file_exists(left));
    free(left);
}
END_TEST

START_TEST(else_the_previous)
{
    damage(lasts[N_LASTS - 1].file, (enum damage)_i);
    must_go_on(lasts[N_LASTS - 2].step);
    ck_assert_int_eq(n_said, 1);
    ck_assert_str_eq(said[0], lasts[N_LASTS - 1].file);
    ck_assert_int_eq(is_kept_aside(), _i < N_KEPT);
    ck_assert(is_regular(lasts[N_LASTS - 1].file)); /* written again */
}
END_TEST

/* Whatever was kept aside before does not keep the name from being free. */
START_TEST(the_newest_damage_is_kept)
{
    char *aside = path_of(PATHS_DAMAGED);
    ck_assert_int_eq(make(aside, (enum damage)(_i / N_DAMAGES)), 0);
    free(aside);
    damage(lasts[N_LASTS - 1].file, (enum damage)(_i % N_DAMAGES));
    must_go_on(lasts[N_LASTS - 2].step);
    ck_assert(is_kept_aside());
    ck_assert(is_regular(lasts[N_LASTS - 1].file));
}
END_TEST

START_TEST(what_is_missing_displaces_no_damage)
{
    char *missing = path_of(lasts[N_LASTS - 2].file);
    unlink(missing);
    free(missing);
    damage(lasts[N_LASTS - 1].file, ONE_BYTE);
    must_go_on(0);
    ck_assert(is_kept_aside());
}
END_TEST

/* A name that a later checkpoint will want. */
START_TEST(what_is_in_the_way_is_removed)
{
    char *file = path_of("last-0-1.safetensors");
    struct stat st;
    ck_assert_int_eq(make(file, (enum damage)_i), 0);
    must_go_on(lasts[N_LASTS - 1].step);
    ck_assert_int_eq(n_said, 0);
    ck_assert_int_ne(lstat(file, &st), 0);
    free(file);
}
END_TEST

START_TEST(else_it_starts_over)
{
    char *missing = path_of(lasts[N_LASTS - 1].file);
    unlink(missing);
    free(missing);
    damage(lasts[N_LASTS - 2].file, ONE_BYTE);
    must_go_on(0);
    ck_assert_int_eq(n_said, 3); /* both, and the best that is ahead now */
    ck_assert(is_there(PATHS_DAMAGED));
}
END_TEST

/* The last checkpoint counts on it; the one before goes on without. */
START_TEST(a_damaged_best_model_is_trained_again)
{
    ck_assert_int_eq(best.epoch, lasts[N_LASTS - 2].epoch);
    damage(best.file, (enum damage)_i);
    must_go_on(lasts[N_LASTS - 2].step);
    ck_assert_int_eq(n_said, 2);
    ck_assert_str_eq(said[0], "best-1.safetensors");
    ck_assert_str_eq(said[1], lasts[N_LASTS - 1].file);
    ck_assert_int_eq(is_kept_aside(), _i < N_KEPT);
}
END_TEST

/* Saved before the end of its epoch, the last one does not count on it. */
START_TEST(a_best_model_that_is_ahead_is_trained_again)
{
    lasts[N_LASTS - 1] = lasts[N_LASTS - 2];
    lasts[N_LASTS - 2] = (struct trainer_checkpoint){.file = ""};
    damage(best.file, (enum damage)_i);
    must_go_on(lasts[N_LASTS - 1].step);
    ck_assert_int_eq(n_said, 1);
    ck_assert_str_eq(said[0], "best-1.safetensors");
}
END_TEST

/* Both count on it. */
START_TEST(an_old_best_model_is_trained_again_from_the_start)
{
    ck_assert_int_lt(best.epoch, lasts[N_LASTS - 2].epoch);
    damage(best.file, (enum damage)_i);
    must_go_on(0);
    ck_assert_int_eq(n_said, 3);
    ck_assert_int_eq(is_kept_aside(), _i < N_KEPT);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("resume");
    TCase *c = tcase_create("resume");
    tcase_add_checked_fixture(c, set_up, tear_down);
    tcase_add_test(c, the_last_is_taken_when_it_is_whole);
    tcase_add_loop_test(c, else_the_previous, 0, N_DAMAGES);
    tcase_add_loop_test(c, the_newest_damage_is_kept, FULL_FOLDER * N_DAMAGES,
                        N_DAMAGES * N_DAMAGES);
    tcase_add_test(c, what_is_missing_displaces_no_damage);
    tcase_add_loop_test(c, what_is_in_the_way_is_removed, FULL_FOLDER,
                        N_DAMAGES);
    tcase_add_test(c, else_it_starts_over);
    tcase_add_loop_test(c, a_damaged_best_model_is_trained_again, 0, N_DAMAGES);
    tcase_add_loop_test(c, a_best_model_that_is_ahead_is_trained_again, 0,
                        N_DAMAGES);
    suite_add_tcase(s, c);
    c = tcase_create("best first");
    tcase_add_checked_fixture(c, set_up_best_first, tear_down);
    tcase_add_loop_test(c, an_old_best_model_is_trained_again_from_the_start, 0,
                        N_DAMAGES);
    suite_add_tcase(s, c);
    return s;
}
