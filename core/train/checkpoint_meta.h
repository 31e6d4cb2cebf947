/* checkpoint_meta: what a checkpoint says beside its tensors, as the strings
 * of safetensors' __metadata__. Of checkpoint.c alone. */
#ifndef CORE_TRAIN_CHECKPOINT_META_H
#define CORE_TRAIN_CHECKPOINT_META_H
#include "core/base/err.h"
struct checkpoint;
struct safetensors;
struct safetensors_out;

/* LIMIT when the tokenizer is larger than a file may be. */
MUST_CHECK int checkpoint_meta_put(const struct checkpoint *c,
                                   struct safetensors_out *w, struct err *err);
/* Fill out, which is to be released by checkpoint_fini. INVALID or LIMIT names
 * the part that is wrong; then out is as it was. */
MUST_CHECK int checkpoint_meta_get(const struct safetensors *f,
                                   struct checkpoint *out, struct err *err);

#endif
