/* encoded: texts as token ids, cut at max_len, and batches made of them. */
#ifndef CORE_TRAIN_ENCODED_H
#define CORE_TRAIN_ENCODED_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct bpe;
struct dataset;
struct model_batch;
struct rng;
struct stash;

struct encoded; /* rows are appended until n_rows are there */

/* Room for rows texts of text_bytes in all (a token has at least one byte);
 * what is left over is given back with the last row. Borrows tokenizer until
 * then. LIMIT when memory does not suffice. */
MUST_CHECK int encoded_new(const struct bpe *tokenizer, size_t n_rows,
                           size_t text_bytes, size_t max_len,
                           struct encoded **out, struct err *err);
void encoded_free(struct encoded *e);
/* Encode the next row; label is its class. */
MUST_CHECK int encoded_add(struct encoded *e, struct span text, int32_t label,
                           struct err *err);
/* Keep a complete one in a stash under its key (stash.h). */
MUST_CHECK int encoded_put(const struct encoded *e, const struct stash *s,
                           const char *key, struct err *err);
/* The whole data set as encoded_put kept it, in the memory that it is read to;
 * NULL when there is none, or it does not fit the data and these bounds. */
struct encoded *encoded_find(const struct stash *s, const char *key,
                             const struct dataset *d, size_t max_len,
                             int32_t vocab_size);
size_t encoded_size(const struct encoded *e); /* rows added */
size_t encoded_bytes(const struct encoded *e);

/* Memory for batches of up to max_rows rows. */
struct batch;
MUST_CHECK int batch_new(size_t max_rows, size_t max_len, struct batch **out,
                         struct err *err);
void batch_free(struct batch *b);
/* Merges to undo in what is trained on (bpe_unmerge). */
struct batch_unmerge {
    const struct bpe *tokenizer;
    double share;
    struct rng *rng;
};
/* Fill with n of e's rows, padded by 0. Borrowed until the next fill. unmerge
 * NULL: the texts as they are encoded. */
const struct model_batch *batch_fill(struct batch *b, const struct encoded *e,
                                     const uint32_t *rows, size_t n,
                                     const struct batch_unmerge *unmerge);

#endif
