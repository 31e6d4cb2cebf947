#include "core/train/encoded.h"
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/nn/model.h"
#include "core/text/bpe.h"
#include "core/train/stash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct encoded {
    struct bpe_encoder *encoder; /* NULL once all rows are there */
    struct stash_file file;      /* what ids and starts are in, or nothing */
    int32_t *ids;                /* rows one after the other */
    uint64_t *starts;            /* (n_rows + 1) into ids */
    int32_t *labels;
    size_t n_rows, n_added, max_ids, max_len;
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

int encoded_new(const struct bpe *tokenizer, size_t n_rows, size_t text_bytes,
                size_t max_len, struct encoded **out, struct err *err)
{
    size_t by_length;
    size_t max_ids = mem_mul(n_rows, max_len, &by_length)
                         ? min_size(by_length, text_bytes)
                         : text_bytes;
    struct encoded *e = mem_alloc(1, sizeof(*e));
    *e = (struct encoded){
        .ids = mem_try(max_ids + 1, sizeof(*e->ids)),
        .starts = mem_try(n_rows + 1, sizeof(*e->starts)),
        .labels = mem_try(n_rows + 1, sizeof(*e->labels)),
        .n_rows = n_rows,
        .max_ids = max_ids,
        .max_len = max_len,
    };
    if (e->ids == NULL || e->starts == NULL || e->labels == NULL) {
        encoded_free(e);
        return err_set(err, ERR_LIMIT,
                       "no memory for %zu texts of %zu tokens in all", n_rows,
                       max_ids);
    }
    e->encoder = bpe_encoder_new(tokenizer);
    *out = e;
    return 0;
}

void encoded_free(struct encoded *e)
{
    if (e == NULL) {
        return;
    }
    if (e->encoder != NULL) {
        bpe_encoder_free(e->encoder);
    }
    if (e->file.bytes != NULL) {
        stash_close(&e->file);
    } else {
        free(e->ids);
        free(e->starts);
    }
    free(e->labels);
    free(e);
}

static void finish(struct encoded *e)
{
    bpe_encoder_free(e->encoder);
    e->encoder = NULL;
    size_t used = e->starts[e->n_rows];
    int32_t *fitted = realloc(e->ids, (used + 1) * sizeof(*e->ids));
    if (fitted != NULL) {
        e->ids = fitted;
        e->max_ids = used;
    }
}

int encoded_add(struct encoded *e, struct span text, int32_t label,
                struct err *err)
{
    assert(e->n_added < e->n_rows);
    size_t start = e->starts[e->n_added], n_ids;
    size_t room = min_size(e->max_len, e->max_ids - start);
    int rc = bpe_encode(e->encoder, text, e->ids + start, room, &n_ids, err);
    if (rc != 0) {
        return rc;
    }
    e->labels[e->n_added] = label;
    e->n_added++;
    e->starts[e->n_added] = start + n_ids;
    if (e->n_added == e->n_rows) {
        finish(e);
    }
    return 0;
}

size_t encoded_size(const struct encoded *e)
{
    return e->n_added;
}

size_t encoded_bytes(const struct encoded *e)
{
    return (e->max_ids + 1) * sizeof(*e->ids) +
           (e->n_rows + 1) * (sizeof(*e->starts) + sizeof(*e->labels));
}

/* --- in a stash: n_rows, then starts, then ids, little-endian --------------
 */

int encoded_put(const struct encoded *e, const struct stash *s, const char *key,
                struct err *err)
{
    assert(e->n_added == e->n_rows);
    uint64_t n_rows = e->n_rows;
    const struct span parts[] = {
        {(const char *)&n_rows, sizeof(n_rows)},
        {(const char *)e->starts, (e->n_rows + 1) * sizeof(*e->starts)},
        {(const char *)e->ids, e->starts[e->n_rows] * sizeof(*e->ids)}};
    return stash_put(s, key, parts, ARRAY_LEN(parts), err);
}

/* Lay e's arrays over a file; false when it is not what e must be. */
static bool lay_over(struct encoded *e, struct span content, int32_t vocab_size)
{
    uint64_t n_rows, last = 0;
    size_t head = sizeof(n_rows) + (e->n_rows + 1) * sizeof(*e->starts);
    if (content.len < head || (content.len - head) % sizeof(*e->ids) != 0) {
        return false;
    }
    memcpy(&n_rows, content.at, sizeof(n_rows));
    e->starts = (uint64_t *)(uintptr_t)(content.at + sizeof(n_rows));
    e->ids = (int32_t *)(uintptr_t)(content.at + head);
    e->max_ids = (content.len - head) / sizeof(*e->ids);
    bool fits = n_rows == e->n_rows && e->starts[0] == 0 &&
                e->starts[e->n_rows] == e->max_ids;
    for (size_t i = 0; fits && i < e->n_rows; last = e->starts[++i]) {
        fits =
            e->starts[i + 1] >= last && e->starts[i + 1] - last <= e->max_len;
    }
    for (size_t i = 0; fits && i < e->max_ids; i++) {
        fits = e->ids[i] >= 0 && e->ids[i] < vocab_size;
    }
    return fits;
}

struct encoded *encoded_find(const struct stash *s, const char *key,
                             const struct dataset *d, size_t max_len,
                             int32_t vocab_size)
{
    struct stash_file file;
    if (!stash_open(s, key, &file)) {
        return NULL;
    }
    size_t n = dataset_size(d);
    struct encoded *e = mem_alloc(1, sizeof(*e));
    *e = (struct encoded){.file = file,
                          .labels = mem_try(n + 1, sizeof(*e->labels)),
                          .n_rows = n,
                          .n_added = n,
                          .max_len = max_len};
    if (e->labels == NULL || !lay_over(e, file.content, vocab_size)) {
        encoded_free(e);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        e->labels[i] = dataset_label(d, i);
    }
    return e;
}

/* --- batches -------------------------------------------------------------- */

struct batch {
    struct model_batch view;
    int32_t *ids, *lengths, *labels;
    size_t max_rows, max_len;
};

int batch_new(size_t max_rows, size_t max_len, struct batch **out,
              struct err *err)
{
    size_t n_ids;
    bool fits = mem_mul(max_rows, max_len, &n_ids);
    struct batch *b = mem_alloc(1, sizeof(*b));
    *b = (struct batch){
        .ids = fits ? mem_try(n_ids, sizeof(*b->ids)) : NULL,
        .lengths = mem_try(max_rows, sizeof(*b->lengths)),
        .labels = mem_try(max_rows, sizeof(*b->labels)),
        .max_rows = max_rows,
        .max_len = max_len,
    };
    if (b->ids == NULL || b->lengths == NULL || b->labels == NULL) {
        batch_free(b);
        return err_set(err, ERR_LIMIT,
                       "no memory for a batch of %zu texts of %zu tokens",
                       max_rows, max_len);
    }
    *out = b;
    return 0;
}

void batch_free(struct batch *b)
{
    if (b == NULL) {
        return;
    }
    free(b->ids);
    free(b->lengths);
    free(b->labels);
    free(b);
}

/* Write a text's ids to row; returns how many. */
static size_t put_text(int32_t *row, size_t max_len, const int32_t *ids,
                       size_t n, const struct batch_unmerge *unmerge)
{
    if (unmerge != NULL) {
        return bpe_unmerge(unmerge->tokenizer, ids, n, unmerge->share,
                           unmerge->rng, row, max_len);
    }
    memcpy(row, ids, n * sizeof(*row));
    return n;
}

const struct model_batch *batch_fill(struct batch *b, const struct encoded *e,
                                     const uint32_t *rows, size_t n,
                                     const struct batch_unmerge *unmerge)
{
    assert(n >= 1 && n <= b->max_rows);
    for (size_t i = 0; i < n; i++) {
        assert(rows[i] < e->n_added);
        size_t start = e->starts[rows[i]];
        size_t length = e->starts[rows[i] + 1] - start;
        int32_t *row = b->ids + i * b->max_len;
        length = put_text(row, b->max_len, e->ids + start, length, unmerge);
        memset(row + length, 0, (b->max_len - length) * sizeof(*row));
        b->lengths[i] = (int32_t)length;
        b->labels[i] = e->labels[rows[i]];
    }
    b->view = (struct model_batch){
        .ids = b->ids, .lengths = b->lengths, .labels = b->labels, .n = (int)n};
    return &b->view;
}
