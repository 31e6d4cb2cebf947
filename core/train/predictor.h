/* predictor: a checkpoint's model with its tokenizer and classes, for use. */
#ifndef CORE_TRAIN_PREDICTOR_H
#define CORE_TRAIN_PREDICTOR_H
#include "core/base/err.h"
#include <stdint.h>
struct bpe;
struct checkpoint;

struct predictor;

/* Load a checkpoint of either kind (sha256: what its hash must be, or NULL:
 * what checkpoint_sum_read says of it; errors as checkpoint_open) or a model's
 * folder (errors as model_dir_open). Sets the process's threads for products to
 * the training's. */
MUST_CHECK int predictor_open(const char *path, const char *sha256,
                              struct predictor **out, struct err *err);
void predictor_free(struct predictor *p);
/* Write it as a model's folder (model_dir_write). */
MUST_CHECK int predictor_export(struct predictor *p, const char *dir,
                                struct err *err);

/* Tell the columns of its data, for who exports it; copies both, of which each
 * may be NULL. */
void predictor_set_columns(struct predictor *p, const char *text,
                           const char *label);

/* Run, classes, tokenizer, state: what the file says. Borrowed. */
const struct checkpoint *predictor_checkpoint(const struct predictor *p);

/* Log-probabilities (n, classes) of n texts (valid UTF-8), as the training's
 * evaluation computes them. Each text is cut at max_len tokens. */
MUST_CHECK int predictor_run(struct predictor *p, const struct span *texts,
                             size_t n, float *logprob, struct err *err);

#endif
