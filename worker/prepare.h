/* prepare: a study's data set, read once and kept in the cache. */
#ifndef WORKER_PREPARE_H
#define WORKER_PREPARE_H
#include "core/base/err.h"
struct msg_prepare;
struct msg_prepared;

/* Verify the cached file of p->expected_sha256, or read, filter and save the
 * sources. INVALID "the data has changed ..." when another data set comes out
 * than the study remembers. *out owns out->sha256. */
MUST_CHECK int prepare_data(const struct msg_prepare *p,
                            struct msg_prepared *out, struct err *err);

#endif
