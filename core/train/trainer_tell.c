/* What is going on in a training, for those who look in. */
#include "core/text/bpe.h"
#include "core/train/encoded.h"
#include "core/train/trainer_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void explain_end(const struct trainer *t, char *out, size_t size)
{
    const char *metric = RUN_METRIC_NAMES[t->stopping.metric];
    if (t->state.end == TRAINER_END_NAN) {
        const struct metrics_sum *sum = &t->state.train;
        bool by_weights = sum->n_rows > 0 && !isnan(sum->loss);
        snprintf(out, size, "%s: epoch %" PRId64 ", optimiser step %" PRId64,
                 by_weights ? "the weights are not all finite"
                            : "the training loss is not a number",
                 t->state.epoch, t->state.nan_step);
    } else if (t->state.end == TRAINER_END_EPOCHS && t->run.max_epochs == 1) {
        snprintf(out, size, "the one epoch is done");
    } else if (t->state.end == TRAINER_END_EPOCHS) {
        snprintf(out, size, "all %" PRId64 " epochs are done",
                 t->run.max_epochs);
    } else if (t->stopping.n_waited >= t->stopping.patience) {
        snprintf(out, size,
                 "early stopping: %s has not improved for %" PRId64 " epoch%s",
                 metric, t->stopping.n_waited,
                 t->stopping.n_waited == 1 ? "" : "s");
    } else {
        snprintf(out, size, "early stopping: %s is not finite", metric);
    }
}

/* A value that is not a number has a reason beside the training's end. */
static void explain(const struct trainer *t, double value, char *out,
                    size_t size)
{
    explain_end(t, out, size);
    size_t len = strlen(out);
    if (isnan(value) && t->state.end != TRAINER_END_NAN) {
        snprintf(out + len, size - len, ", but %s %s a number",
                 RUN_METRIC_NAMES[t->metric],
                 t->of_last ? "of the last one is not" : "never was");
    }
}

void trainer_tell_done(const struct trainer *t, struct trainer_event *out)
{
    out->what = TRAINER_DONE;
    out->result = (struct trainer_result){
        .end = (enum trainer_end)t->state.end,
        .value = t->of_last ? t->state.last_value : t->state.best_value,
        .best_epoch = t->state.best_epoch,
        .best_value = t->state.best_value,
        .n_epochs = t->state.epoch,
    };
    explain(t, out->result.value, out->result.why, sizeof(out->result.why));
}

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
        int64_t n_val = trainer_n_batches(t, DATASET_VAL);
        p.at = t->part == DATASET_VAL ? t->eval_at : n_val + t->eval_at;
        p.n = n_val + trainer_n_batches(t, DATASET_TEST);
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
        .tokenizer_is_shared = t->data.tokenizer_is_shared,
        .texts_are_shared = t->data.texts_are_shared,
    };
    memcpy(sizes.n_rows, t->data.split.n, sizeof(sizes.n_rows));
    return sizes;
}
