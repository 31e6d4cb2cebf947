/* checkpoint_sum: the SHA-256 of a checkpoint in a file beside it, PATH.sha256,
 * as sha256sum writes and checks it: for folders that have no database, which
 * holds those of a study's. */
#ifndef CORE_TRAIN_CHECKPOINT_SUM_H
#define CORE_TRAIN_CHECKPOINT_SUM_H
#include "core/base/err.h"

#define CHECKPOINT_SUM ".sha256"

/* For dir/file, once that is whole. FULL, IO. */
MUST_CHECK int checkpoint_sum_write(const char *dir, const char *file,
                                    const char sha256[65], struct err *err);
/* What the file at path must have; "": nothing beside it says so. CORRUPT: what
 * is beside it is no such line. */
MUST_CHECK int checkpoint_sum_read(const char *path, char sha256[65],
                                   struct err *err);

#endif
