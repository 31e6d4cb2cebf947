/* fix_training: a tiny data set, a tiny run, and a caller of the trainer that
 * keeps what a daemon would commit. */
#ifndef TESTS_LIB_FIX_TRAINING_H
#define TESTS_LIB_FIX_TRAINING_H
#include "core/train/trainer.h"

enum { FIX_MAX_EPOCHS = 64 };

struct fix_training {
    char dir[64]; /* temporary; checkpoints are in dir/trial */
    char trial_dir[80];
    const char *shared_dir; /* of its trainers; NULL at first */
    bool maximize;          /* the objective, for an early best epoch */
    struct dataset *dataset;
    char sha256[65];
};

/* n_rows short texts of three classes, told apart by one word each. */
void fix_training_init(struct fix_training *f, size_t n_rows);
void fix_training_fini(struct fix_training *f);
/* Small and quick: 8-wide, batches of 5, three epochs, objective val-loss. */
void fix_training_run(struct run *run);
struct trainer_options fix_training_options(const struct fix_training *f,
                                            const struct run *run);

/* What was committed of a training: its files and reports. */
struct fix_record {
    struct trainer_checkpoint last, best; /* file "": none */
    struct run_metrics metrics[FIX_MAX_EPOCHS];
    int n_epochs;
    bool is_done;
    struct trainer_result result;
    int n_steps; /* of trainer_step, in all */
};

/* Continue what record says with a new trainer, for n_steps steps or (-1) to
 * the end; every step takes ms_per_step of the clock. Superseded files are
 * removed; an epoch told again must have the same bits. The trainer is then
 * dropped as a killed process would; lose_last: what the last step told was
 * not committed. stop: a checkpoint is asked for before the end. */
struct fix_plan {
    int n_steps, ms_per_step;
    bool lose_last, stop;
};
void fix_training_go(const struct fix_training *f, const struct run *run,
                     const struct fix_plan *plan, struct fix_record *record);
/* Equal reports, value and best file, bit by bit. */
void fix_record_must_equal(const struct fix_record *a,
                           const struct fix_record *b);

#endif
