/* training: one training in this process: its steps, its files, its end. */
#ifndef DAEMON_CLI_TRAINING_H
#define DAEMON_CLI_TRAINING_H
#include "core/base/err.h"
#include "core/train/trainer.h"
struct cli;
struct dataset;
struct spec;

struct training_epoch {
    struct run_metrics metrics;
    double seconds; /* since the epoch before, or the beginning */
};

struct training {
    struct training_epoch *epochs; /* owned */
    size_t n_epochs;
    struct trainer_result result;
    char *checkpoint; /* path of the best; owned, NULL without --out */
    double seconds;
    int64_t peak_bytes, planned_bytes; /* of this process; of the training */
};

/* Train spec's base run on d and show it on stderr. out_dir: folder for the
 * checkpoints and TensorBoard's log (made), or NULL. CANCELED after Ctrl-C:
 * what was trained so far is in *out all the same, as it is after any error:
 * training_fini. */
MUST_CHECK int training_run(struct cli *c, const struct spec *spec,
                            const struct dataset *d, const char *sha256,
                            const char *out_dir, struct training *out,
                            struct err *err);
void training_fini(struct training *t);

#endif
