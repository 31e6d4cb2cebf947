/* checkpoint: a training, or its best model, in one safetensors file.
 *
 * `last` files hold weights and AdamW's moments ("adamw.m.NAME",
 * "adamw.v.NAME"), `best` files weights only, under PyTorch's names. All else
 * is in __metadata__: format and version, kind, the run, the data set's
 * SHA-256, class names, tokenizer.json, the training's state, and the build,
 * kernels and BLAS that made it. No clock, path or attempt is in a file: the
 * same training writes the same bytes. */
#ifndef CORE_TRAIN_CHECKPOINT_H
#define CORE_TRAIN_CHECKPOINT_H
#include "core/base/err.h"
#include "core/spec/run.h"
#include "core/train/early_stopping.h"
#include "core/train/metrics.h"
#include <stdbool.h>
#include <stdint.h>
struct bpe;
struct dataset;
struct model;

enum { CHECKPOINT_VERSION = 1, CHECKPOINT_NAME_MAX = 64 };
enum checkpoint_kind { CHECKPOINT_LAST, CHECKPOINT_BEST };

/* Where a training stands, always between two optimiser steps. */
struct checkpoint_state {
    int64_t epoch;            /* epochs finished (best: the epoch's number) */
    int64_t batch;            /* batches of the epoch in work */
    int64_t step;             /* optimiser steps in all */
    struct metrics_sum train; /* over those batches */
    int64_t best_epoch;       /* -1: none yet */
    double best_value;        /* of the objective metric; NaN: none yet */
    double last_value;        /* the same of the last finished epoch */
    double stopping_best;     /* early stopping */
    int64_t stopping_waited;
    int64_t end; /* enum trainer_end; -1: the training goes on */
    /* Optimiser step of a NaN loss, or after which the weights were not all
     * finite; -1: none. train then stays, at the end too. */
    int64_t nan_step;
};

/* Everything beside the tensors. Strings and tokenizer are owned by a struct
 * that checkpoint_open filled, borrowed in one given to checkpoint_write. */
struct checkpoint {
    enum checkpoint_kind kind;
    struct run run;
    enum run_metric metric;
    bool maximize;
    char dataset_sha256[65];
    char **classes;
    size_t n_classes;
    struct bpe *tokenizer;
    struct checkpoint_state state;
    struct run_metrics metrics; /* of the best epoch; NaN in a `last` */
    char *kernels, *blas, *build;
    /* The columns of its data, NULL where unknown: no checkpoint's file has
     * them, a model's folder may. */
    char *text_column, *label_column;
};

/* Write model and c to path, atomically and durably. FULL, IO, LIMIT. */
MUST_CHECK int checkpoint_write(const struct checkpoint *c, struct model *model,
                                const char *path, char sha256[65],
                                uint64_t *size, struct err *err);

/* Verify a file and load it whole. sha256: what its hash must be, or NULL.
 * trainable: the model gets its moments (INVALID of a `best` file);
 * otherwise weights only, and max_batch rows at once (0: the run's batch).
 * CORRUPT: hash, header or shapes are wrong; NOTFOUND, IO, LIMIT. On success
 * both are owned by the caller: checkpoint_fini, model_free. model may be NULL:
 * metadata only. */
MUST_CHECK int checkpoint_open(const char *path, const char *sha256,
                               bool trainable, int max_batch,
                               struct checkpoint *out, struct model **model,
                               struct err *err);
void checkpoint_fini(struct checkpoint *c);

/* "last-EPOCH-BATCH.safetensors", "best-EPOCH.safetensors". */
void checkpoint_name(enum checkpoint_kind kind, int64_t epoch, int64_t batch,
                     char out[CHECKPOINT_NAME_MAX]);
/* The best checkpoint in dir, of the latest epoch; false: it has none. */
bool checkpoint_find_best(const char *dir, char out[CHECKPOINT_NAME_MAX]);
/* Remove the checkpoints in dir (files with such names, and no others) that
 * are not one of keep, with their sums; NULL entries are skipped. */
MUST_CHECK int checkpoint_remove_others(const char *dir,
                                        const char *const *keep, size_t n_keep,
                                        struct err *err);

#endif
