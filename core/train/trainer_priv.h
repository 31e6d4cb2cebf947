/* trainer_priv: the inside of struct trainer, for trainer*.c alone. */
#ifndef CORE_TRAIN_TRAINER_PRIV_H
#define CORE_TRAIN_TRAINER_PRIV_H
#include "core/data/dataset.h"
#include "core/nn/model.h"
#include "core/train/checkpoint.h"
#include "core/train/trainer.h"
struct batch;
struct bpe;
struct encoded;

/* What the next trainer_step does (trainer.c draws the order). */
enum stage {
    STAGE_TOKENIZE, /* train the tokenizer */
    STAGE_PREPARE,  /* model, memory for ids and batches */
    STAGE_ENCODE,   /* some texts */
    STAGE_TRAIN,    /* one optimiser step */
    STAGE_EVAL,     /* one batch of val, then of test */
    STAGE_BEST,     /* write the best checkpoint */
    STAGE_REPORT,   /* tell the metrics, end the epoch */
    STAGE_LAST,     /* write the checkpoint to continue from */
    STAGE_DONE
};

struct trainer_data { /* what is learned from */
    const struct dataset *dataset;
    char sha256[65];
    char **classes; /* names borrowed from the data set */
    struct dataset_split split;
    struct encoded *encoded;
    bool tokenizer_is_shared, texts_are_shared; /* found, not made here */
    uint32_t *order; /* training rows in this epoch's order */
    struct batch *batch;
    int64_t n_batches; /* of one epoch */
};

struct trainer_clock {    /* when the next mid-epoch checkpoint is due */
    int64_t due_ms;       /* -1: not yet counting */
    int64_t epoch, batch; /* position of the last durable checkpoint */
};

struct trainer {
    struct run run;
    enum run_metric metric;
    bool maximize, of_last;
    char *dir;        /* NULL: no checkpoints */
    char *shared_dir; /* NULL: nothing is shared */
    char *warning;
    struct trainer_data data;
    struct bpe *tokenizer;
    struct model *model;
    struct model_adamw adamw;
    enum stage stage;
    struct checkpoint_state state; /* what a checkpoint taken now would say */
    struct early_stopping stopping;
    struct trainer_clock clock;
    /* The epoch's evaluation. */
    enum dataset_part part;
    int64_t eval_at; /* batches of part done */
    struct metrics_sum sums[3];
    struct run_metrics metrics;
    double last_loss;
};

/* trainer_resume.c: verify and load what options name into a new trainer. */
MUST_CHECK int trainer_resume(struct trainer *t,
                              const struct trainer_options *options,
                              struct err *err);

/* trainer_prepare.c */
static inline size_t trainer_min(size_t a, size_t b)
{
    return a < b ? a : b;
}
int64_t trainer_n_batches(const struct trainer *t, enum dataset_part part);
size_t trainer_max_batch(const struct trainer *t);
MUST_CHECK int trainer_split(struct trainer *t, struct err *err);
MUST_CHECK int trainer_tokenize(struct trainer *t, struct err *err);
MUST_CHECK int trainer_prepare(struct trainer *t, struct err *err);
/* Some texts; all are done when encoded_size says so. */
MUST_CHECK int trainer_encode(struct trainer *t, struct err *err);

/* trainer_save.c: write a file and tell it in out. */
MUST_CHECK int trainer_save_last(struct trainer *t, struct trainer_event *out,
                                 struct err *err);
MUST_CHECK int trainer_save_best(struct trainer *t, struct trainer_event *out,
                                 struct err *err);
/* Is there anything that the last durable checkpoint lacks? */
bool trainer_is_unsaved(const struct trainer *t);

/* trainer_tell.c */
void trainer_tell_done(const struct trainer *t, struct trainer_event *out);

#endif
