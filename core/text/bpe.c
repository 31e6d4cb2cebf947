#include "core/text/bpe.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/text/bpe_priv.h"
#include "core/text/byte_alphabet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 64 << 10,
    /* A merge may double the longest token: 50 of them could ask for 2^50
     * bytes. What real texts need is less than one MiB. */
    TOKEN_BYTES_MAX = 256 << 20,
};

/* Tokens are never moved: the table of tokens points into the blocks. */
struct bpe_bytes {
    struct bpe_bytes *before;
    size_t used, size;
    char at[];
};

static int no_memory(struct err *err, size_t n_pairs)
{
    return err_set(err, ERR_LIMIT, "no memory for a tokenizer of %zu merges",
                   n_pairs);
}

/* Room for n bytes at the end of the last block; NULL without memory. */
static char *room_for(struct bpe *t, size_t n)
{
    struct bpe_bytes *last = t->bytes;
    if (last == NULL || last->size - last->used < n) {
        size_t size = n > BLOCK ? n : BLOCK;
        last = mem_try(1, sizeof(*last) + size);
        if (last == NULL) {
            return NULL;
        }
        last->before = t->bytes;
        last->size = size;
        t->bytes = last;
    }
    return last->at + last->used;
}

/* The id of left and right together: a new one, or that of the token which has
 * these bytes already. -1 without memory. */
static int32_t add_token(struct bpe *t, struct span left, struct span right)
{
    size_t len = left.len + right.len;
    char *at = room_for(t, len);
    if (at == NULL) {
        return -1;
    }
    memcpy(at, left.at, left.len);
    memcpy(at + left.len, right.at, right.len);
    int32_t n_before = t->tokens.n;
    int32_t id = piece_table_put(&t->tokens, (struct span){at, len});
    if (id == n_before) {
        t->bytes->used += len;
    }
    return id;
}

static bool add_bytes(struct bpe *t)
{
    static const char end_of_text[] = "<|endoftext|>";
    struct span none = {"", 0};
    struct span end = {end_of_text, sizeof(end_of_text) - 1};
    bool ok = add_token(t, end, none) == BPE_END_OF_TEXT;
    struct byte_alphabet alphabet;
    byte_alphabet_init(&alphabet);
    for (int i = 0; i < 256 && ok; i++) {
        char byte = (char)alphabet.in_order[i];
        t->byte_id[alphabet.in_order[i]] = BPE_FIRST_BYTE + i;
        ok = add_token(t, (struct span){&byte, 1}, none) == BPE_FIRST_BYTE + i;
    }
    return ok;
}

/* <|endoftext|> takes part in no merge and is made by none: no text may ever
 * be encoded as id 0. */
static int add_merge(struct bpe *t, size_t rank, size_t *n_bytes,
                     struct err *err)
{
    const int32_t *pair = t->pairs[rank];
    for (int i = 0; i < 2; i++) {
        if (pair[i] < BPE_FIRST_BYTE || pair[i] >= t->tokens.n) {
            return err_set(err, ERR_INVALID,
                           "merge %zu is of id %d, ids 1 to %d can be merged",
                           rank, (int)pair[i], (int)t->tokens.n - 1);
        }
    }
    struct bpe_merge *slot = bpe_merge_slot(t, pair[0], pair[1]);
    if (slot->left != 0) {
        return err_set(err, ERR_INVALID, "merge %zu repeats merge %d", rank,
                       (int)slot->rank);
    }
    struct span left = t->tokens.pieces[pair[0]];
    struct span right = t->tokens.pieces[pair[1]];
    *n_bytes += left.len + right.len;
    if (*n_bytes > TOKEN_BYTES_MAX) {
        return err_set(err, ERR_LIMIT,
                       "the tokens up to merge %zu have more than %d MiB", rank,
                       TOKEN_BYTES_MAX >> 20);
    }
    int32_t n_before = t->tokens.n, id = add_token(t, left, right);
    if (id < 0) {
        return no_memory(err, t->n_merges);
    }
    if (id == BPE_END_OF_TEXT) {
        return err_set(err, ERR_INVALID,
                       "merge %zu makes <|endoftext|>, which is id 0", rank);
    }
    if (id == n_before) {
        t->made_by[id - BPE_FIRST_MERGE] = (int32_t)rank;
    }
    *slot = (struct bpe_merge){
        .left = pair[0], .right = pair[1], .rank = (int32_t)rank, .id = id};
    return 0;
}

static bool allocate(struct bpe *t, const int32_t (*pairs)[2], size_t n_pairs)
{
    if (n_pairs > INT32_MAX - BPE_FIRST_MERGE) {
        return false;
    }
    size_t n_slots = 2;
    while (n_slots < 2 * n_pairs) {
        n_slots *= 2;
    }
    t->merge_mask = n_slots - 1;
    t->merges = mem_try(n_slots, sizeof(*t->merges));
    t->pairs = mem_try(n_pairs, sizeof(*t->pairs));
    t->made_by = mem_try(n_pairs, sizeof(*t->made_by));
    if (t->merges == NULL || t->pairs == NULL || t->made_by == NULL) {
        return false;
    }
    if (n_pairs != 0) {
        memcpy(t->pairs, pairs, n_pairs * sizeof(*pairs));
    }
    t->n_merges = n_pairs;
    return add_bytes(t);
}

int bpe_from_merges(const int32_t (*pairs)[2], size_t n_pairs, struct bpe **out,
                    struct err *err)
{
    struct bpe *t = mem_alloc(1, sizeof(*t));
    piece_table_init(&t->tokens);
    int rc = 0;
    if (!allocate(t, pairs, n_pairs)) {
        rc = no_memory(err, n_pairs);
    }
    size_t n_bytes = 0;
    for (size_t i = 0; i < n_pairs && rc == 0; i++) {
        rc = add_merge(t, i, &n_bytes, err);
    }
    if (rc != 0) {
        bpe_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void bpe_free(struct bpe *t)
{
    if (t == NULL) {
        return;
    }
    while (t->bytes != NULL) {
        struct bpe_bytes *last = t->bytes;
        t->bytes = last->before;
        free(last);
    }
    piece_table_fini(&t->tokens);
    free(t->pairs);
    free(t->made_by);
    free(t->merges);
    free(t);
}

/* --- looking and decoding ------------------------------------------------- */

int32_t bpe_vocab_size(const struct bpe *t)
{
    return t->tokens.n;
}

size_t bpe_n_merges(const struct bpe *t)
{
    return t->n_merges;
}

void bpe_merge_at(const struct bpe *t, size_t at, int32_t pair[2])
{
    assert(at < t->n_merges);
    pair[0] = t->pairs[at][0];
    pair[1] = t->pairs[at][1];
}

struct span bpe_token_bytes(const struct bpe *t, int32_t id)
{
    assert(id >= 0 && id < t->tokens.n);
    return t->tokens.pieces[id];
}

int bpe_decode(const struct bpe *t, const int32_t *ids, size_t n,
               struct buf *out, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0 || ids[i] >= t->tokens.n) {
            return err_set(err, ERR_INVALID,
                           "id %d at position %zu is not below %d", (int)ids[i],
                           i, (int)t->tokens.n);
        }
    }
    for (size_t i = 0; i < n; i++) {
        struct span token = t->tokens.pieces[ids[i]];
        buf_add(out, token.at, token.len);
    }
    return 0;
}
