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
 *       '--write_last--> DONE, or the next epoch ------------------------'
 *
 * struct checkpoint_state is all that an interrupted training needs; it moves
 * by whole optimiser steps (train_batch) and whole epochs (report). What
 * happens between the two (the evaluation, the best file) is done again after
 * an interruption, with the same result.
 *
 * Failure modes: no memory (prepare: final); a file cannot be written
 * (write_best and write_last stay in their stage, so the next call tries
 * again; a mid-epoch checkpoint waits for its next turn). */
#include "core/train/trainer.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/text/bpe.h"
#include "core/train/encoded.h"
#include "core/train/run_model.h"
#include "core/train/trainer_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXTS_PER_STEP = 64, /* encoded by one trainer_step */
    SMALLEST_VOCAB = BPE_FIRST_MERGE
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static int64_t batches_of(const struct trainer *t, enum dataset_part part)
{
    size_t size = (size_t)t->run.batch_size;
    return (int64_t)((t->data.split.n[part] + size - 1) / size);
}

size_t trainer_max_batch(const struct trainer *t)
{
    const size_t *n = t->data.split.n;
    size_t largest =
        max_size(n[DATASET_TRAIN], max_size(n[DATASET_VAL], n[DATASET_TEST]));
    return min_size((size_t)t->run.batch_size, largest);
}

/* --- checkpoints ---------------------------------------------------------- */

/* Borrows everything: such a struct is for checkpoint_write, never for
 * checkpoint_fini. */
static struct checkpoint describe(const struct trainer *t,
                                  enum checkpoint_kind kind)
{
    struct checkpoint c = {
        .kind = kind,
        .run = t->run,
        .metric = t->metric,
        .maximize = t->maximize,
        .classes = t->data.classes,
        .n_classes = dataset_n_classes(t->data.dataset),
        .tokenizer = t->tokenizer,
        .state = t->state,
        .metrics = t->metrics,
        .kernels = (char *)model_kernels(),
        .blas = (char *)model_blas(),
        .build = (char *)BUILD_ID,
    };
    memcpy(c.dataset_sha256, t->data.sha256, sizeof(c.dataset_sha256));
    return c;
}

static int write_file(struct trainer *t, const struct checkpoint *c,
                      struct trainer_event *out, struct err *err)
{
    struct trainer_checkpoint told = {
        .best = c->kind == CHECKPOINT_BEST,
        .epoch = c->state.epoch,
        .step = c->state.step,
    };
    checkpoint_name(c->kind, c->state.epoch, c->state.batch, told.file);
    char *path = mem_printf("%s/%s", t->dir, told.file);
    int rc = checkpoint_write(c, t->model, path, told.sha256, &told.size, err);
    free(path);
    if (rc == 0) {
        out->what = TRAINER_CHECKPOINT;
        out->checkpoint = told;
    }
    return rc;
}

/* Is there anything that the last durable checkpoint lacks? */
static bool is_unsaved(const struct trainer *t)
{
    return t->dir != NULL && t->model != NULL && t->state.step > 0 &&
           (t->state.epoch != t->clock.epoch ||
            t->state.batch != t->clock.batch);
}

static int save_last(struct trainer *t, struct trainer_event *out,
                     struct err *err)
{
    struct checkpoint c = describe(t, CHECKPOINT_LAST);
    c.state.stopping_best = t->stopping.best;
    c.state.stopping_waited = t->stopping.n_waited;
    for (int i = 0; i < RUN_N_METRICS; i++) {
        c.metrics.value[i] = NAN;
    }
    int rc = write_file(t, &c, out, err);
    t->clock.due_ms = -1;
    if (rc == 0) {
        t->clock.epoch = t->state.epoch;
        t->clock.batch = t->state.batch;
    }
    return rc;
}

static bool checkpoint_is_due(struct trainer *t, int64_t mono_ms)
{
    if (t->stage != STAGE_TRAIN && t->stage != STAGE_EVAL) {
        return false;
    }
    if (t->clock.due_ms < 0) {
        t->clock.due_ms =
            mono_ms + (int64_t)(t->run.checkpoint_seconds * 1000.0);
    }
    return mono_ms >= t->clock.due_ms && is_unsaved(t);
}

/* --- before the first epoch ----------------------------------------------- */

static int tokenize(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    size_t n = min_size((size_t)t->run.tokenizer_length, dataset_size(d));
    struct span *texts = mem_try(n, sizeof(*texts));
    if (texts == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for a list of %zu texts", n);
    }
    for (size_t i = 0; i < n; i++) {
        texts[i] = dataset_text(d, i);
    }
    struct bpe_options options = {
        .vocab_size = (int32_t)t->run.vocab_size,
        .min_frequency = (int32_t)t->run.min_frequency,
    };
    int rc = bpe_train(texts, n, &options, &t->tokenizer, err);
    free(texts);
    if (rc != 0) {
        return err_wrap(err, "train the tokenizer");
    }
    t->stage = STAGE_PREPARE;
    return 0;
}

static int make_model(struct trainer *t, struct err *err)
{
    int rc = run_model_new(&t->run, (size_t)bpe_vocab_size(t->tokenizer),
                           dataset_n_classes(t->data.dataset),
                           (int64_t)trainer_max_batch(t), true, &t->model, err);
    if (rc == 0) {
        model_init(t->model, t->run.seed, (uint32_t)t->run.trial);
    }
    return rc;
}

static int prepare(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    size_t n = dataset_size(d), n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        n_bytes += dataset_text(d, i).len;
    }
    int rc = t->model == NULL ? make_model(t, err) : 0;
    if (rc == 0) {
        rc = encoded_new(t->tokenizer, n, n_bytes, (size_t)t->run.max_len,
                         &t->data.encoded, err);
    }
    if (rc == 0) {
        rc = batch_new(trainer_max_batch(t), (size_t)t->run.max_len,
                       &t->data.batch, err);
    }
    if (rc == 0) {
        t->stage = STAGE_ENCODE;
    }
    return rc;
}

static void enter_epoch(struct trainer *t);

static int encode(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    size_t at = encoded_size(t->data.encoded);
    size_t end = min_size(at + TEXTS_PER_STEP, dataset_size(d));
    for (; at < end; at++) {
        int rc = encoded_add(t->data.encoded, dataset_text(d, at),
                             dataset_label(d, at), err);
        if (rc != 0) {
            return err_wrap(err, "encode text %zu", at);
        }
    }
    if (at == dataset_size(d)) {
        enter_epoch(t);
    }
    return 0;
}

/* --- an epoch ------------------------------------------------------------- */

static void enter_eval(struct trainer *t)
{
    t->stage = STAGE_EVAL;
    t->part = DATASET_VAL;
    t->eval_at = 0;
    t->sums[DATASET_VAL] = (struct metrics_sum){0};
    t->sums[DATASET_TEST] = (struct metrics_sum){0};
}

/* The weights are no numbers any more: nothing measured on them is. */
static void enter_nan(struct trainer *t)
{
    for (int i = 0; i < RUN_N_METRICS; i++) {
        t->metrics.value[i] = NAN;
    }
    t->stage = STAGE_REPORT;
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
static const struct model_batch *
take_batch(struct trainer *t, const uint32_t *rows, size_t n, int64_t at)
{
    size_t size = (size_t)t->run.batch_size, from = (size_t)at * size;
    return batch_fill(t->data.batch, t->data.encoded, rows + from,
                      min_size(size, n - from));
}

static void train_batch(struct trainer *t)
{
    struct model_result result;
    const struct model_batch *b = take_batch(
        t, t->data.order, t->data.split.n[DATASET_TRAIN], t->state.batch);
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
    if (t->eval_at < batches_of(t, t->part)) {
        const struct model_batch *b =
            take_batch(t, t->data.split.rows[t->part], t->data.split.n[t->part],
                       t->eval_at);
        model_evaluate(t->model, b, NULL, &result);
        metrics_add(&t->sums[t->part], &result, b->n);
        t->eval_at++;
    }
    if (t->eval_at < batches_of(t, t->part)) {
        return;
    }
    if (t->part == DATASET_VAL && t->data.split.n[DATASET_TEST] > 0) {
        t->part = DATASET_TEST;
        t->eval_at = 0;
    } else {
        finish_eval(t);
    }
}

/* A best file is a function of its epoch alone, whatever came before. */
static int write_best(struct trainer *t, struct trainer_event *out,
                      struct err *err)
{
    double value = t->metrics.value[t->metric];
    struct checkpoint c = describe(t, CHECKPOINT_BEST);
    c.state = (struct checkpoint_state){
        .epoch = t->state.epoch,
        .step = t->state.step,
        .best_epoch = t->state.epoch,
        .best_value = value,
        .last_value = value,
        .stopping_best = NAN,
        .end = -1,
        .nan_step = -1,
    };
    int rc = t->dir != NULL ? write_file(t, &c, out, err) : 0;
    if (rc == 0) {
        t->state.best_epoch = t->state.epoch;
        t->state.best_value = value;
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
    t->state.train = (struct metrics_sum){0};
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
    int rc = is_unsaved(t) ? save_last(t, out, err) : 0;
    if (rc == 0 && t->state.end >= 0) {
        t->stage = STAGE_DONE;
    } else if (rc == 0) {
        enter_epoch(t);
    }
    return rc;
}

/* --- the end -------------------------------------------------------------- */

static void explain(const struct trainer *t, char *out, size_t size)
{
    const char *metric = RUN_METRIC_NAMES[t->stopping.metric];
    if (t->state.end == TRAINER_END_NAN) {
        snprintf(out, size,
                 "the training loss is not a number: epoch %" PRId64
                 " (the first is 0), optimiser step %" PRId64,
                 t->state.epoch - 1, t->state.nan_step);
    } else if (t->state.end == TRAINER_END_EPOCHS) {
        snprintf(out, size, "all %" PRId64 " epochs are done",
                 t->run.max_epochs);
    } else if (t->stopping.n_waited >= t->stopping.patience) {
        snprintf(out, size,
                 "early stopping: %s has not improved for %" PRId64 " epochs",
                 metric, t->stopping.n_waited);
    } else {
        snprintf(out, size, "early stopping: %s is not finite", metric);
    }
}

static void tell_done(const struct trainer *t, struct trainer_event *out)
{
    out->what = TRAINER_DONE;
    out->result = (struct trainer_result){
        .end = (enum trainer_end)t->state.end,
        .value = t->of_last ? t->state.last_value : t->state.best_value,
        .best_epoch = t->state.best_epoch,
        .best_value = t->state.best_value,
        .n_epochs = t->state.epoch,
    };
    explain(t, out->result.why, sizeof(out->result.why));
}

/* --- the door ------------------------------------------------------------- */

static int work(struct trainer *t, struct trainer_event *out, struct err *err)
{
    switch (t->stage) {
    case STAGE_TOKENIZE:
        return tokenize(t, err);
    case STAGE_PREPARE:
        return prepare(t, err);
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
        tell_done(t, out);
        return 0;
    }
    return 0;
}

int trainer_step(struct trainer *t, int64_t mono_ms, struct trainer_event *out,
                 struct err *err)
{
    struct trainer_event event = {.what = TRAINER_WORKED};
    int rc = checkpoint_is_due(t, mono_ms) ? save_last(t, &event, err)
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
    int rc = is_unsaved(t) ? save_last(t, &event, err) : 0;
    if (rc == 0) {
        event.progress = trainer_progress(t);
        *out = event;
    }
    return rc;
}

static int split_data(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    enum dataset_split_kind kind = t->run.split == RUN_SPLIT_STRATIFIED
                                       ? DATASET_SPLIT_STRATIFIED
                                       : DATASET_SPLIT_RANDOM;
    int rc = dataset_split(d, kind, t->run.fractions, t->run.seed,
                           &t->data.split, err);
    if (rc != 0) {
        return rc;
    }
    size_t n = t->data.split.n[DATASET_TRAIN], n_classes = dataset_n_classes(d);
    t->data.n_batches = batches_of(t, DATASET_TRAIN);
    t->data.order = mem_try(n, sizeof(*t->data.order));
    t->data.classes = mem_try(n_classes, sizeof(*t->data.classes));
    if (t->data.order == NULL || t->data.classes == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for the order of %zu rows",
                       n);
    }
    for (size_t i = 0; i < n_classes; i++) {
        t->data.classes[i] = (char *)dataset_class(d, i);
    }
    return 0;
}

static int begin(struct trainer *t, const struct trainer_options *options,
                 struct err *err)
{
    int rc = run_validate(&t->run, err);
    rc = rc == 0 ? split_data(t, err) : rc;
    if (rc == 0) {
        rc = run_model_check(&t->run, SMALLEST_VOCAB,
                             dataset_n_classes(t->data.dataset),
                             (int64_t)trainer_max_batch(t), true, err);
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
    free(t->warning);
    free(t);
}

/* --- what is going on ----------------------------------------------------- */

const char *trainer_phase_name(enum trainer_phase phase)
{
    static const char *const names[] = {
        [TRAINER_TOKENIZE] = "tokenize", [TRAINER_ENCODE] = "encode",
        [TRAINER_TRAIN] = "train",       [TRAINER_EVAL] = "eval",
        [TRAINER_SAVE] = "save",         [TRAINER_FINISHED] = "done",
    };
    return names[phase];
}

struct trainer_progress trainer_progress(const struct trainer *t)
{
    static const enum trainer_phase phases[] = {
        [STAGE_TOKENIZE] = TRAINER_TOKENIZE, [STAGE_PREPARE] = TRAINER_TOKENIZE,
        [STAGE_ENCODE] = TRAINER_ENCODE,     [STAGE_TRAIN] = TRAINER_TRAIN,
        [STAGE_EVAL] = TRAINER_EVAL,         [STAGE_BEST] = TRAINER_SAVE,
        [STAGE_REPORT] = TRAINER_SAVE,       [STAGE_LAST] = TRAINER_SAVE,
        [STAGE_DONE] = TRAINER_FINISHED,
    };
    bool is_over = t->stage == STAGE_LAST || t->stage == STAGE_DONE;
    struct trainer_progress p = {
        .phase = phases[t->stage],
        .epoch = is_over ? t->state.epoch - 1 : t->state.epoch,
        .n = 1,
        .step = t->state.step,
        .loss = t->last_loss,
    };
    if (p.phase == TRAINER_ENCODE) {
        p.at = (int64_t)encoded_size(t->data.encoded);
        p.n = (int64_t)dataset_size(t->data.dataset);
    } else if (p.phase == TRAINER_TRAIN) {
        p.at = t->state.batch;
        p.n = t->data.n_batches;
    } else if (p.phase == TRAINER_EVAL) {
        int64_t n_val = batches_of(t, DATASET_VAL);
        p.at = t->part == DATASET_VAL ? t->eval_at : n_val + t->eval_at;
        p.n = n_val + batches_of(t, DATASET_TEST);
    }
    return p;
}

const char *trainer_warning(const struct trainer *t)
{
    return t->warning;
}

size_t trainer_bytes(const struct trainer *t)
{
    size_t n_rows = dataset_size(t->data.dataset);
    size_t bytes = 2 * n_rows * sizeof(uint32_t); /* split and order */
    if (t->model != NULL) {
        bytes += model_bytes(model_config(t->model), true);
    }
    if (t->data.encoded != NULL) {
        bytes += encoded_bytes(t->data.encoded);
    }
    if (t->data.batch != NULL) {
        bytes +=
            trainer_max_batch(t) * (size_t)t->run.max_len * sizeof(int32_t);
    }
    return bytes;
}

struct trainer_sizes trainer_sizes(const struct trainer *t)
{
    struct trainer_sizes sizes = {
        .n_classes = dataset_n_classes(t->data.dataset),
        .vocab_size = t->tokenizer != NULL ? bpe_vocab_size(t->tokenizer) : 0,
        .n_batches = t->data.n_batches,
    };
    memcpy(sizes.n_rows, t->data.split.n, sizeof(sizes.n_rows));
    return sizes;
}
