/* run_json: a run as JSON, for files that outlive the program.
 *
 * Sections and keys as in a study config, every key present, in the table's
 * order; enums by name, doubles by the shortest digits that come back, the
 * seed as a string (it has 64 bits). Same run, same bytes. A file from before
 * there was a key means by it what the table says (run.h: before). */
#ifndef CORE_TRAIN_RUN_JSON_H
#define CORE_TRAIN_RUN_JSON_H
#include "core/base/err.h"
#include "core/spec/run.h"
struct buf;
struct json;
struct json_out;

void run_put_json(const struct run *run, struct json_out *w);
/* INVALID names the path and what is wrong (unknown keys, too); the result is
 * validated. */
MUST_CHECK int run_from_json(const struct json *root, struct run *out,
                             struct err *err);

/* Append the first difference that changes a result ("model.emb_dim: 64 in
 * the checkpoint, 128 in the run"). checkpoint_seconds and threads are passed
 * over. 0 if equal, 1 if out was written. */
int run_difference(const struct run *checkpoint, const struct run *run,
                   struct buf *out);

/* A double that may be NaN or infinite, written as json_put_double does.
 * False when node is NULL or something else. */
MUST_CHECK bool json_get_double(const struct json *node, double *out);

#endif
