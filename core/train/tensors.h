/* tensors: a model's weights and moments in a safetensors file.
 *
 * Weights stand under PyTorch's names; of a training also AdamW's moments under
 * "adamw.m.NAME" and "adamw.v.NAME" and, if the model keeps it, the weights'
 * average under "average.NAME". What is only predicted with has the average as
 * its weights. */
#ifndef CORE_TRAIN_TENSORS_H
#define CORE_TRAIN_TENSORS_H
#include "core/base/err.h"
#include <stdbool.h>
struct model;
struct safetensors;
struct safetensors_out;

/* Declare all of them; the model's memory is borrowed until the file is
 * written. */
void tensors_put(struct model *m, bool training, struct safetensors_out *w);
/* Fill the model. NOTFOUND, INVALID: a tensor is missing, or of another type
 * or shape than the model's; the model is filled in part then. */
MUST_CHECK int tensors_get(const struct safetensors *f, bool training,
                           struct model *m, struct err *err);

#endif
