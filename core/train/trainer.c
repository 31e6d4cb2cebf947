/* The happy path (stages; each arrow names the function that takes it):
 *
 *   TOKENIZE --tokenize--> PREPARE --prepare--> ENCODE --encode--.
 *                             ^                                  v
 *     a resumed training -----'          .----enter_epoch------ TRAIN <--.
 *                                        |  train_batch          |       |
 *                                        '---------------------> |       |
 *      LAST <--report-- REPORT <--write_best-- BEST <--eval_batch-- EVAL |
 *       |                  ^---- eval_batch: not better ------------'    |
 *       |                  ^---- train_batch: the loss is NaN            |
 *       |                  ^---- enter_eval: a weight is not finite      |
 *       '--write_last--> DONE, or the next epoch ------------------------'
 *
 * struct checkpoint_state is all that an interrupted training needs; it moves
 * by whole optimiser steps (train_batch) and whole epochs (report). What
 * happens between the two (the evaluation, the best file) is done again after
 * an interruption, with the same result, and nothing is counted twice:
 * - killed in EVAL: the sums begin at zero in enter_eval, over the same rows
 * and weights (a checkpoint that falls due meanwhile says batch == n_batches,
 * and a training resumed there enters the evaluation again);
 * - killed after BEST: the newer best file stands for its epoch; the same value
 *   is not strictly better, so no second file is written;
 * - killed after REPORT, before LAST: the epoch's last steps are taken again
 *   and it is told again, bit for bit. early_stopping_update and the epoch's
 *   count are part of the state that was thrown away, so each epoch is counted
 *   once; the daemon compares what is told again and judges it no second time.
 *
 * Failure modes: no memory (prepare: final); a file cannot be written
 * (write_best and write_last stay in their stage, so the next call tries
 * again; a mid-epoch checkpoint waits for its next turn). */
#include "core/train/trainer.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/text/bpe.h"
#include "core/train/encoded.h"
#include "core/train/run_model.h"
#include "core/train/schedule.h"
#include "core/train/trainer_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST_VOCAB = BPE_FIRST_MERGE };

/* --- an epoch ------------------------------------------------------------- */

/* The weights are no numbers any more: nothing measured on them is. */
static void enter_nan(struct trainer *t)
{
    for (int i = 0; i < RUN_N_METRICS; i++) {
        t->metrics.value[i] = NAN;
    }
    t->stage = STAGE_REPORT;
}

/* A loss sees only the weights that its rows use: such a model could be the
 * best by what it does for the others. */
static void enter_eval(struct trainer *t)
{
    if (!model_is_finite(t->model)) {
        t->state.nan_step = t->state.step;
        enter_nan(t);
        return;
    }
    t->stage = STAGE_EVAL;
    t->part = DATASET_VAL;
    t->eval_at = 0;
    t->sums[DATASET_VAL] = (struct metrics_sum){0};
    t->sums[DATASET_TEST] = (struct metrics_sum){0};
}

/* Go on at state: the start of an epoch or, resumed, anywhere in it. */
static void enter_epoch(struct trainer *t)
{
    size_t n = t->data.split.n[DATASET_TRAIN];
    struct rng rng;
    memcpy(t->data.order, t->data.split.rows[DATASET_TRAIN],
           n * sizeof(*t->data.order));
    rng_stream(&rng, t->run.seed, (uint32_t)t->run.trial, RNG_SHUFFLE,
               (uint32_t)t->state.epoch);
    rng_shuffle(&rng, t->data.order, (uint32_t)n);
    if (t->state.nan_step >= 0) {
        enter_nan(t);
    } else if (t->state.batch == t->data.n_batches) {
        enter_eval(t);
    } else {
        t->stage = STAGE_TRAIN;
    }
}

/* Fill the batch with the at-th batch_size rows of n; returns how many. */
static const struct model_batch *take_batch(struct trainer *t,
                                            const uint32_t *rows, size_t n,
                                            int64_t at,
                                            const struct batch_unmerge *unmerge)
{
    size_t size = (size_t)t->run.batch_size, from = (size_t)at * size;
    return batch_fill(t->data.batch, t->data.encoded, rows + from,
                      trainer_min(size, n - from), unmerge);
}

/* The batch of this step, some of its merges undone: by the step alone, so that
 * a resumed training sees the same. */
static const struct model_batch *take_train_batch(struct trainer *t)
{
    struct rng rng;
    struct batch_unmerge unmerge = {
        .tokenizer = t->tokenizer, .share = t->run.merge_dropout, .rng = &rng};
    rng_stream(&rng, t->run.seed, (uint32_t)t->run.trial, RNG_MERGES,
               (uint32_t)t->state.step);
    return take_batch(t, t->data.order, t->data.split.n[DATASET_TRAIN],
                      t->state.batch, unmerge.share > 0 ? &unmerge : NULL);
}

static int encode(struct trainer *t, struct err *err)
{
    int rc = trainer_encode(t, err);
    if (rc == 0 &&
        encoded_size(t->data.encoded) == dataset_size(t->data.dataset)) {
        enter_epoch(t);
    }
    return rc;
}

static void train_batch(struct trainer *t)
{
    struct model_result result;
    const struct model_batch *b = take_train_batch(t);
    t->adamw.lr = (float)schedule_lr(&t->run, t->state.step,
                                     t->run.max_epochs * t->data.n_batches);
    model_train_step(t->model, b, &t->adamw, t->run.seed,
                     (uint32_t)t->run.trial, &result);
    metrics_add(&t->state.train, &result, b->n);
    t->last_loss = result.loss_sum / b->n;
    t->state.batch++;
    t->state.step++;
    if (isnan(result.loss_sum)) {
        t->state.nan_step = t->state.step;
        enter_nan(t);
    } else if (t->state.batch == t->data.n_batches) {
        enter_eval(t);
    }
}

/* NaN is never the best; a tie keeps the earlier epoch. */
static bool epoch_is_best(const struct trainer *t)
{
    double value = t->metrics.value[t->metric], best = t->state.best_value;
    if (isnan(value) || t->state.best_epoch < 0) {
        return !isnan(value);
    }
    return t->maximize ? value > best : value < best;
}

static void finish_eval(struct trainer *t)
{
    double *value = t->metrics.value;
    value[RUN_TRAIN_LOSS] = metrics_loss(&t->state.train);
    value[RUN_TRAIN_ACC] = metrics_acc(&t->state.train);
    value[RUN_VAL_LOSS] = metrics_loss(&t->sums[DATASET_VAL]);
    value[RUN_VAL_ACC] = metrics_acc(&t->sums[DATASET_VAL]);
    value[RUN_TEST_ACC] = metrics_acc(&t->sums[DATASET_TEST]);
    t->stage = epoch_is_best(t) ? STAGE_BEST : STAGE_REPORT;
}

static void eval_batch(struct trainer *t)
{
    struct model_result result;
    if (t->eval_at < trainer_n_batches(t, t->part)) {
        const struct model_batch *b =
            take_batch(t, t->data.split.rows[t->part], t->data.split.n[t->part],
                       t->eval_at, NULL);
        model_evaluate(t->model, b, NULL, &result);
        metrics_add(&t->sums[t->part], &result, b->n);
        t->eval_at++;
    }
    if (t->eval_at < trainer_n_batches(t, t->part)) {
        return;
    }
    if (t->part == DATASET_VAL && t->data.split.n[DATASET_TEST] > 0) {
        t->part = DATASET_TEST;
        t->eval_at = 0;
    } else {
        finish_eval(t);
    }
}

static int write_best(struct trainer *t, struct trainer_event *out,
                      struct err *err)
{
    int rc = t->dir != NULL ? trainer_save_best(t, out, err) : 0;
    if (rc == 0) {
        t->state.best_epoch = t->state.epoch;
        t->state.best_value = t->metrics.value[t->metric];
        t->stage = STAGE_REPORT;
    }
    return rc;
}

static void report(struct trainer *t, struct trainer_event *out)
{
    out->what = TRAINER_EPOCH;
    out->metrics = t->metrics;
    bool stop = early_stopping_update(&t->stopping, &t->metrics);
    t->state.last_value = t->metrics.value[t->metric];
    t->state.epoch++;
    t->state.batch = 0;
    if (t->state.nan_step < 0) { /* else the sums tell what was NaN */
        t->state.train = (struct metrics_sum){0};
    }
    if (t->state.nan_step >= 0) {
        t->state.end = TRAINER_END_NAN;
    } else if (stop) {
        t->state.end = TRAINER_END_EARLY;
    } else if (t->state.epoch == t->run.max_epochs) {
        t->state.end = TRAINER_END_EPOCHS;
    }
    t->stage = STAGE_LAST;
}

static int write_last(struct trainer *t, struct trainer_event *out,
                      struct err *err)
{
    int rc = trainer_is_unsaved(t) ? trainer_save_last(t, out, err) : 0;
    if (rc == 0 && t->state.end >= 0) {
        t->stage = STAGE_DONE;
    } else if (rc == 0) {
        enter_epoch(t);
    }
    return rc;
}

/* --- the door ------------------------------------------------------------- */

static bool checkpoint_is_due(struct trainer *t, int64_t mono_ms)
{
    if (t->stage != STAGE_TRAIN && t->stage != STAGE_EVAL) {
        return false;
    }
    if (t->clock.due_ms < 0) {
        t->clock.due_ms =
            mono_ms + (int64_t)(t->run.checkpoint_seconds * 1000.0);
    }
    return mono_ms >= t->clock.due_ms && trainer_is_unsaved(t);
}

static int work(struct trainer *t, struct trainer_event *out, struct err *err)
{
    switch (t->stage) {
    case STAGE_TOKENIZE:
        return trainer_tokenize(t, err);
    case STAGE_PREPARE:
        return trainer_prepare(t, err);
    case STAGE_ENCODE:
        return encode(t, err);
    case STAGE_TRAIN:
        train_batch(t);
        return 0;
    case STAGE_EVAL:
        eval_batch(t);
        return 0;
    case STAGE_BEST:
        return write_best(t, out, err);
    case STAGE_REPORT:
        report(t, out);
        return 0;
    case STAGE_LAST:
        return write_last(t, out, err);
    case STAGE_DONE:
        trainer_tell_done(t, out);
        return 0;
    }
    return 0;
}

int trainer_step(struct trainer *t, int64_t mono_ms, struct trainer_event *out,
                 struct err *err)
{
    struct trainer_event event = {.what = TRAINER_WORKED};
    int rc = checkpoint_is_due(t, mono_ms) ? trainer_save_last(t, &event, err)
                                           : work(t, &event, err);
    if (rc == 0) {
        event.progress = trainer_progress(t);
        *out = event;
    }
    return rc;
}

int trainer_checkpoint_now(struct trainer *t, struct trainer_event *out,
                           struct err *err)
{
    struct trainer_event event = {.what = TRAINER_WORKED};
    int rc = trainer_is_unsaved(t) ? trainer_save_last(t, &event, err) : 0;
    if (rc == 0) {
        event.progress = trainer_progress(t);
        *out = event;
    }
    return rc;
}

static int begin(struct trainer *t, const struct trainer_options *options,
                 struct err *err)
{
    int rc = run_validate(&t->run, err);
    rc = rc == 0 ? trainer_split(t, err) : rc;
    if (rc == 0) {
        rc = run_model_check(&t->run, SMALLEST_VOCAB,
                             dataset_n_classes(t->data.dataset),
                             (int64_t)trainer_max_batch(t), true, err);
    }
    if (rc == 0 && !model_precision_is_here(run_model_precision(&t->run))) {
        LOG_WARN("training.precision bf16-mixed: this CPU has no AVX512-BF16, "
                 "products are made in float32",
                 "trial=%" PRId64, t->run.trial);
    }
    if (rc == 0) {
        model_set_threads((int)t->run.threads);
        early_stopping_init(&t->stopping, &t->run);
        rc = trainer_resume(t, options, err);
    }
    return rc;
}

int trainer_new(const struct trainer_options *options, struct trainer **out,
                struct err *err)
{
    struct trainer *t = mem_alloc(1, sizeof(*t));
    *t = (struct trainer){
        .run = options->run,
        .metric = options->metric,
        .maximize = options->maximize,
        .of_last = options->of_last,
        .dir = mem_strdup(options->dir),
        .shared_dir = mem_strdup(options->shared_dir),
        .data = {.dataset = options->dataset},
        .adamw = run_model_adamw(&options->run),
        .stage = STAGE_TOKENIZE,
        .state = {.best_epoch = -1,
                  .best_value = NAN,
                  .last_value = NAN,
                  .end = -1,
                  .nan_step = -1},
        .clock = {.due_ms = -1, .epoch = -1, .batch = -1},
        .last_loss = NAN,
    };
    snprintf(t->data.sha256, sizeof(t->data.sha256), "%s",
             options->dataset_sha256);
    int rc = begin(t, options, err);
    if (rc != 0) {
        trainer_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void trainer_free(struct trainer *t)
{
    if (t == NULL) {
        return;
    }
    encoded_free(t->data.encoded);
    batch_free(t->data.batch);
    dataset_split_fini(&t->data.split);
    free(t->data.order);
    free(t->data.classes);
    model_free(t->model);
    bpe_free(t->tokenizer);
    free(t->dir);
    free(t->shared_dir);
    free(t->warning);
    free(t);
}
