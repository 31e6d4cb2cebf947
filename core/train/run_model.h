/* run_model: what a run says about the model and its optimiser. */
#ifndef CORE_TRAIN_RUN_MODEL_H
#define CORE_TRAIN_RUN_MODEL_H
#include "core/base/err.h"
#include "core/nn/model.h"
#include "core/spec/run.h"

/* The model of a run with this vocabulary and number of classes. LIMIT names
 * the bytes when it is larger than the machine's memory; INVALID as model_new.
 */
MUST_CHECK int run_model_new(const struct run *run, size_t vocab_size,
                             size_t n_classes, int64_t max_batch,
                             bool trainable, struct model **out,
                             struct err *err);
/* The same check without making it: before a tokenizer exists. */
MUST_CHECK int run_model_check(const struct run *run, size_t vocab_size,
                               size_t n_classes, int64_t max_batch,
                               bool trainable, struct err *err);
enum model_precision run_model_precision(const struct run *run);
struct model_adamw run_model_adamw(const struct run *run);

#endif
