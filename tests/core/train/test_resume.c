/* A training killed anywhere and resumed from what was committed must tell the
 * same bits as one that was left alone. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/train/checkpoint.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct fix_training fix;

static void set_up(void)
{
    fix_training_init(&fix, 60);
}

static void tear_down(void)
{
    fix_training_fini(&fix);
}

static const struct fix_plan TO_THE_END = {.n_steps = -1};

static void forget_files(void)
{
    struct err err = {0};
    int rc = checkpoint_remove_others(fix.trial_dir, NULL, 0, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
}

static struct fix_record undisturbed(const struct run *run)
{
    struct fix_record record = {0};
    fix_training_go(&fix, run, &TO_THE_END, &record);
    ck_assert(record.is_done);
    return record;
}

/* The kinds of models that the tests go through. */
static struct run kind_of_run(int kind)
{
    struct run run;
    fix_training_run(&run);
    if (kind == 1) {
        run.mask = RUN_MASK_NOTEBOOK;
        run.position = RUN_POSITION_LEARNED;
        run.batch_size = 4;
        run.max_epochs = 2;
        run.dropout = 0.5;
        run.weight_average = 0.8;
        run.threads = 2;
    } else if (kind == 2) { /* stops early */
        run.monitor = RUN_MONITOR_VAL_LOSS;
        run.patience = 1;
        run.lr = 0.1;
        run.max_epochs = 20;
        run.split = RUN_SPLIT_STRATIFIED;
    } else if (kind == 3) { /* diverges */
        run.lr = 1e3;
        run.weight_decay = 1e3;
    } else if (kind == 4) { /* what a new config gets, and more */
        run.num_layers = 2;
        run.residual = RUN_RESIDUAL_ADD;
        run.norm = RUN_NORM_PRE;
        run.activation = RUN_ACTIVATION_GELU;
        run.pooling = RUN_POOLING_MEAN;
        run.head1_dim = run.head2_dim = 0;
        run.embedding_dropout = run.head_dropout = 0.3;
        run.embedding_std = 0.1;
        run.lr_schedule = RUN_LR_SCHEDULE_COSINE;
        run.warmup = 0.2;
        run.clip_norm = 0.5;
        run.label_smoothing = 0.1;
        run.merge_dropout = 0.3;
        run.token_dropout = 0.2;
        run.weight_average = 0.95;
        run.class_weights = RUN_CLASS_WEIGHTS_BALANCED;
    } else if (kind == 8) { /* float32 on a CPU without it */
        run.precision = RUN_PRECISION_BF16_MIXED;
        run.emb_dim = 32;
        run.ffn_dim = 48;
    } else if (kind == 5) { /* a huge layer that waits for the norm */
        run.residual = RUN_RESIDUAL_ADD;
        run.activation = RUN_ACTIVATION_GELU;
        run.lr_schedule = RUN_LR_SCHEDULE_LINEAR;
        run.clip_norm = 0.1;
    } else if (kind == 6) {
        run.pooling = RUN_POOLING_MAX;
        run.position = RUN_POSITION_LEARNED;
        run.norm = RUN_NORM_PRE;
        run.num_layers = 3;
        run.head1_dim = 0;
    } else if (kind == 7) {
        run.pooling = RUN_POOLING_FIRST;
        run.mask = RUN_MASK_NOTEBOOK;
        run.head2_dim = 0;
    }
    return run;
}
enum { N_KINDS = 9 };

START_TEST(test_killed_once_after_every_step)
{
    struct run run = kind_of_run(_i);
    struct fix_record whole = undisturbed(&run);
    ck_assert_int_gt(whole.n_steps, 5);
    for (int n = 1; n < whole.n_steps; n++) {
        struct fix_record record = {0};
        struct fix_plan plan = {.n_steps = n, .lose_last = n % 2 == 0};
        forget_files();
        fix_training_go(&fix, &run, &plan, &record);
        fix_training_go(&fix, &run, &TO_THE_END, &record);
        fix_record_must_equal(&whole, &record);
    }
}
END_TEST

/* Killed, stopped, with checkpoints in the middle of an epoch, at random. */
START_TEST(test_disturbed_at_random)
{
    struct run run = kind_of_run(_i % N_KINDS);
    struct fix_record whole = undisturbed(&run), record = {0};
    struct rng rng;
    rng_mt19937(&rng, (uint32_t)(1000 + _i));
    forget_files();
    for (int round = 0; !record.is_done; round++) {
        struct fix_plan plan = {
            .n_steps = (int)(4 + rng_below(&rng, 16)),
            .ms_per_step = (int)rng_below(&rng, 500),
            .lose_last = rng_below(&rng, 4) == 0,
            .stop = rng_below(&rng, 4) == 0,
        };
        plan.stop &= !plan.lose_last; /* who loses a word loses all after it */
        fix_training_go(&fix, &run, &plan, &record);
        ck_assert_int_lt(round, 1000);
    }
    fix_record_must_equal(&whole, &record);
}
END_TEST

START_TEST(test_time_takes_checkpoints_but_changes_nothing)
{
    struct run run = kind_of_run(0);
    struct fix_record whole = undisturbed(&run), record = {0};
    struct fix_plan plan = {.n_steps = -1, .ms_per_step = 400};
    forget_files();
    fix_training_go(&fix, &run, &plan, &record);
    ck_assert_int_ge(record.n_steps, whole.n_steps + 9);
    fix_record_must_equal(&whole, &record);
}
END_TEST

START_TEST(test_stop_makes_every_step_durable)
{
    struct run run = kind_of_run(0);
    struct fix_record whole = undisturbed(&run), record = {0};
    struct fix_plan plan = {.n_steps = 10, .stop = true}; /* an evaluation */
    forget_files();
    for (int i = 0; !record.is_done; i++) {
        fix_training_go(&fix, &run, &plan, &record);
        ck_assert_int_lt(i, 100);
    }
    fix_record_must_equal(&whole, &record);
}
END_TEST

/* --- what is refused -------------------------------------------------------
 */

static struct fix_record interrupted(const struct run *run)
{
    struct fix_record record = {0};
    struct fix_plan plan = {.n_steps = 32};
    fix_training_go(&fix, run, &plan, &record);
    ck_assert_int_ge(record.n_epochs, 1);
    ck_assert_int_ne(record.last.file[0], '\0');
    ck_assert_int_ne(record.best.file[0], '\0');
    return record;
}

static struct trainer_options resuming(const struct run *run,
                                       const struct fix_record *record)
{
    struct trainer_options options = fix_training_options(&fix, run);
    options.resume_file = record->last.file;
    options.resume_sha256 = record->last.sha256;
    options.best_file = record->best.file;
    options.best_sha256 = record->best.sha256;
    return options;
}

static void must_refuse(const struct trainer_options *options, int code,
                        const char *words)
{
    struct trainer *t = NULL;
    struct err err = {0};
    int rc = trainer_new(options, &t, &err);
    ck_assert_int_eq(rc, code);
    ck_assert_ptr_null(t);
    ck_assert_msg(strstr(err.msg, words) != NULL, "'%s' has no '%s'", err.msg,
                  words);
}

START_TEST(test_another_run_is_refused)
{
    struct run run = kind_of_run(0);
    struct fix_record record = interrupted(&run);
    struct run other = run;
    other.lr = 1e-4;
    struct trainer_options options = resuming(&other, &record);
    must_refuse(&options, ERR_INVALID,
                "training.lr: 0.003 in the checkpoint, 0.0001 in the run");
    other = run;
    other.trial++;
    options = resuming(&other, &record);
    must_refuse(&options, ERR_INVALID, "seed and trial");
    options = resuming(&run, &record);
    options.metric = RUN_VAL_ACC;
    options.maximize = true;
    must_refuse(&options, ERR_INVALID, "minimize val-loss");
}
END_TEST

START_TEST(test_other_data_is_refused)
{
    struct run run = kind_of_run(0);
    struct fix_record record = interrupted(&run);
    struct trainer_options options = resuming(&run, &record);
    options.dataset_sha256 = "0123";
    must_refuse(&options, ERR_INVALID, "another data set");
}
END_TEST

START_TEST(test_time_and_threads_may_differ)
{
    struct run run = kind_of_run(0);
    struct fix_record record = interrupted(&run);
    struct trainer *t;
    struct err err = {0};
    run.checkpoint_seconds = 77;
    struct trainer_options options = resuming(&run, &record);
    ck_assert_int_eq(trainer_new(&options, &t, &err), 0);
    ck_assert_ptr_null(trainer_warning(t));
    trainer_free(t);
    options.run.threads = 2;
    ck_assert_int_eq(trainer_new(&options, &t, &err), 0);
    ck_assert_ptr_nonnull(
        strstr(trainer_warning(t), "threads: 1 in the checkpoint, 2 now"));
    trainer_free(t);
}
END_TEST

START_TEST(test_damage_is_told)
{
    struct run run = kind_of_run(0);
    struct fix_record record = interrupted(&run);
    struct trainer_options options = resuming(&run, &record);
    options.resume_sha256 = record.best.sha256;
    must_refuse(&options, ERR_CORRUPT, "damaged");
    options = resuming(&run, &record);
    options.best_sha256 = record.last.sha256;
    must_refuse(&options, ERR_CORRUPT, "damaged");
    options = resuming(&run, &record);
    options.resume_file = "last-9-9.safetensors";
    must_refuse(&options, ERR_NOTFOUND, "last-9-9");
    options = resuming(&run, &record);
    options.resume_file = record.best.file;
    options.resume_sha256 = record.best.sha256;
    must_refuse(&options, ERR_CORRUPT, "no moments");
    options = resuming(&run, &record);
    options.best_file = record.last.file;
    options.best_sha256 = record.last.sha256;
    must_refuse(&options, ERR_CORRUPT, "not of the best epoch");
}
END_TEST

START_TEST(test_a_lost_best_file_is_told)
{
    struct run run = kind_of_run(0);
    struct fix_record record = interrupted(&run);
    const char *const keep[] = {record.last.file};
    ck_assert_int_eq(checkpoint_remove_others(fix.trial_dir, keep, 1, NULL), 0);
    struct trainer_options options = resuming(&run, &record);
    must_refuse(&options, ERR_NOTFOUND, record.best.file);
    options.best_file = NULL;
    must_refuse(&options, ERR_NOTFOUND, record.best.file);
}
END_TEST

/* The daemon and the worker died before anything but the first best file was
 * committed, and that file is lost too: the training makes it again. */
START_TEST(test_a_newer_best_file_may_be_wrong)
{
    struct run run = kind_of_run(0);
    struct fix_record whole = undisturbed(&run), record = {0};
    struct fix_plan plan = {.n_steps = 6, .stop = true};
    forget_files();
    fix_training_go(&fix, &run, &plan, &record);
    ck_assert_int_eq(record.n_epochs, 0);
    ck_assert_int_ne(record.last.file[0], '\0');
    strcpy(record.best.file, "best-0.safetensors");
    memset(record.best.sha256, 'a', 64);
    fix_training_go(&fix, &run, &TO_THE_END, &record);
    fix_record_must_equal(&whole, &record);
}
END_TEST

START_TEST(test_a_finished_training_says_so_again)
{
    struct run run = kind_of_run(0);
    struct fix_record whole = undisturbed(&run), record = whole;
    record.is_done = false;
    record.n_steps = 0;
    fix_training_go(&fix, &run, &TO_THE_END, &record);
    ck_assert_int_eq(record.n_steps, 1);
    fix_record_must_equal(&whole, &record);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("resume");
    TCase *tc = tcase_create("bit-exact");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_killed_once_after_every_step, 0, N_KINDS);
    tcase_add_loop_test(tc, test_disturbed_at_random, 0, 27);
    tcase_add_test(tc, test_time_takes_checkpoints_but_changes_nothing);
    tcase_add_test(tc, test_stop_makes_every_step_durable);
    suite_add_tcase(s, tc);
    tc = tcase_create("refused");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, test_another_run_is_refused);
    tcase_add_test(tc, test_other_data_is_refused);
    tcase_add_test(tc, test_time_and_threads_may_differ);
    tcase_add_test(tc, test_damage_is_told);
    tcase_add_test(tc, test_a_lost_best_file_is_told);
    tcase_add_test(tc, test_a_newer_best_file_may_be_wrong);
    tcase_add_test(tc, test_a_finished_training_says_so_again);
    suite_add_tcase(s, tc);
    return s;
}
