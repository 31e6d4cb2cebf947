/* trainer: one training, from texts to the best checkpoint, step by step.
 *
 *   tokenize -> encode -> train -> eval -> save -> train ... -> done
 *
 * Each trainer_step does a bounded piece of work (train the tokenizer, encode
 * some texts, one optimiser step, one evaluation batch, write one file) and
 * says what is worth telling. The caller owns the loop: it may do other things
 * between two steps, take a checkpoint and go away.
 *
 * Epochs: the order of the training rows is shuffled by
 * rng_stream(seed, trial, RNG_SHUFFLE, epoch), the last, smaller batch is
 * kept. Metrics are means over rows: train-loss and train-acc over the epoch's
 * optimiser steps (dropout on), val-* and test-acc after them (dropout off);
 * NaN for an empty part, and an accuracy is NaN where the loss beside it is.
 * A NaN training loss ends the epoch there (all its metrics are NaN, because
 * the weights are) and the training with it; so do, after the epoch's last
 * step, weights that are not all finite, whatever the loss made of them.
 *
 * At the end of an epoch, in this order: the best checkpoint if the epoch is
 * strictly better than all before (TRAINER_CHECKPOINT), the metrics
 * (TRAINER_EPOCH), the checkpoint to continue from (TRAINER_CHECKPOINT). In the
 * middle of an epoch one is taken when checkpoint_seconds have passed. A file
 * is told only once it is durable. Superseded files are the caller's to
 * remove (checkpoint.h).
 *
 * Results are a function of (run, data set, kernels, BLAS, threads) alone: a
 * training that was interrupted anywhere and resumed from its last checkpoint
 * tells the same bits and writes the same best file. Time decides only when a
 * checkpoint is taken. */
#ifndef CORE_TRAIN_TRAINER_H
#define CORE_TRAIN_TRAINER_H
#include "core/base/err.h"
#include "core/spec/run.h"
#include <stdbool.h>
#include <stdint.h>
struct dataset;

struct trainer;

struct trainer_options {
    struct run run;
    enum run_metric metric; /* the objective: what makes an epoch the best */
    bool maximize;
    bool of_last; /* the training's value is the last epoch's, not the best's */
    const struct dataset *dataset; /* borrowed until trainer_free */
    const char *dataset_sha256;    /* its identity, kept in each checkpoint */
    const char *dir; /* existing folder for checkpoints; NULL: none are taken */
    /* Folder of tokenizers and token ids that trainings on the same data share
     * (shared.h), made when needed; NULL: nothing is shared. Results do not
     * depend on it. */
    const char *shared_dir;
    /* Names inside dir and hashes of the checkpoints to continue from; NULL or
     * "": from the start. best_file may be of a later epoch than resume_file.
     */
    const char *resume_file, *resume_sha256;
    const char *best_file, *best_sha256;
    /* The best model so far, of epoch lost_epoch, is there no more, and no
     * best_file is given: only a checkpoint from before that epoch's end will
     * do, for the epoch to be trained again. */
    bool best_is_lost;
    int64_t lost_epoch;
};

enum trainer_phase {
    TRAINER_TOKENIZE,
    TRAINER_ENCODE,
    TRAINER_TRAIN,
    TRAINER_EVAL,
    TRAINER_SAVE,
    TRAINER_FINISHED
};
/* "tokenize", "encode", "train", "eval", "save", "done": static. */
const char *trainer_phase_name(enum trainer_phase phase);

struct trainer_progress {
    enum trainer_phase phase;
    int64_t epoch; /* in work; 0 is the first */
    int64_t at, n; /* done so far and in all: texts (encode), batches
                      (train, eval), else 0 of 1 */
    int64_t step;  /* optimiser steps taken since the beginning */
    double loss;   /* mean of the last batch; NaN before the first */
};

enum trainer_what {
    TRAINER_WORKED,     /* nothing but progress */
    TRAINER_CHECKPOINT, /* event.checkpoint is durable */
    TRAINER_EPOCH,      /* event.metrics of event.progress.epoch */
    TRAINER_DONE        /* event.result; further steps say the same */
};

struct trainer_checkpoint {
    bool best;           /* the best epoch's weights, or one to continue from */
    int64_t epoch, step; /* best: that epoch; else the epoch in work */
    char file[64];       /* name inside dir */
    char sha256[65];
    uint64_t size;
};

enum trainer_end {
    TRAINER_END_EPOCHS, /* max_epochs done */
    TRAINER_END_EARLY,  /* early stopping */
    TRAINER_END_NAN     /* the training loss is NaN or a weight is not finite */
};

struct trainer_result {
    enum trainer_end end;
    double value;       /* objective: best or last epoch's; may be NaN */
    int64_t best_epoch; /* -1: no epoch had a number */
    double best_value;
    int64_t n_epochs; /* epochs reported in all */
    char why[256];    /* why it ended, one sentence for a person */
};

struct trainer_event {
    enum trainer_what what;
    struct trainer_progress progress; /* always filled */
    struct trainer_checkpoint checkpoint;
    struct run_metrics metrics;
    struct trainer_result result;
};

/* Check the run, split the data and, when resuming, verify and load the
 * checkpoint. Copies all but the data set. Sets the number of threads of the
 * products (model_set_threads).
 * INVALID: the run's values do not fit together, or the checkpoint belongs to
 * another run or data set. LIMIT: the model or the data need more memory than
 * there is (the sentence has the bytes; also told by trainer_step, since the
 * vocabulary is known only once the tokenizer is trained). NOTFOUND, CORRUPT,
 * IO: a checkpoint is missing or damaged; the caller may start over without. */
MUST_CHECK int trainer_new(const struct trainer_options *options,
                           struct trainer **out, struct err *err);
void trainer_free(struct trainer *t);

/* Do the next piece of work. mono_ms: a clock that never jumps.
 * FULL and IO: a checkpoint could not be written; the one before stays, and so
 * does the training: the next call goes on (the files of an epoch's end are
 * tried again, one that was due by time is tried again checkpoint_seconds
 * later). After any other error only trainer_free is allowed. */
MUST_CHECK int trainer_step(struct trainer *t, int64_t mono_ms,
                            struct trainer_event *out, struct err *err);

/* Make what was trained so far durable, now. TRAINER_CHECKPOINT, or
 * TRAINER_WORKED when there is nothing that the last checkpoint lacks. Errors
 * as trainer_step's FULL and IO. */
MUST_CHECK int trainer_checkpoint_now(struct trainer *t,
                                      struct trainer_event *out,
                                      struct err *err);

struct trainer_progress trainer_progress(const struct trainer *t);
/* NULL, or why a resumed training is not bit-exact ("kernels: portable in
 * the checkpoint, x86-64-v3 now"). Owned by t. */
const char *trainer_warning(const struct trainer *t);
/* Bytes of model, encoded texts and tables: what this training needs at its
 * peak, beside the data set. Grows while the phases pass; final in `train`. */
size_t trainer_bytes(const struct trainer *t);
/* Rows of train, val and test; classes; vocabulary (0 before `encode`). */
struct trainer_sizes {
    size_t n_rows[3], n_classes;
    int32_t vocab_size;
    int64_t n_batches; /* optimiser steps of one epoch */
    /* Found in the shared folder; false before `train`. */
    bool tokenizer_is_shared, texts_are_shared;
};
struct trainer_sizes trainer_sizes(const struct trainer *t);

#endif
