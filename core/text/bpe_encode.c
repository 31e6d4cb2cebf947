/* Most pieces of a text have been seen before, so a table of lines of 64 bytes
 * remembers, by the piece's own bytes, what the short ones became; a new piece
 * takes the line of whatever was there. Other pieces are merged: a heap holds
 * the mergeable pairs by rank, then place, and a symbol remembers the rank of
 * its pair, which tells an entry that has been overtaken. O(n log n). */
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/text/bpe_priv.h"
#include "core/text/pretokenize.h"

#include <stdlib.h>
#include <string.h>

enum {
    CACHE_LINES = 1 << 13, /* of 64 bytes */
    KEY_WORDS = 3,
    KEY_BYTES = KEY_WORDS * 8 - 1, /* the last byte is the length */
    LINE_IDS = 9,
    NO_MERGE = INT32_MAX, /* rank of a pair that is not merged */
    NONE = -1,
};

struct line {
    uint64_t key[KEY_WORDS]; /* all zero: empty */
    int32_t ids[LINE_IDS];
    int32_t n;
};

struct symbol {
    int32_t id;
    int32_t before, next;
    int32_t rank;    /* of the merge with the next symbol */
    int32_t becomes; /* id which that merge makes */
};

struct bpe_encoder {
    const struct bpe *tokenizer;
    struct pretokenizer *cutter;
    struct line *lines;
    struct symbol *symbols;
    uint64_t *heap; /* rank << 32 | index of the left symbol */
    size_t cap;     /* of symbols and heap */
    size_t n_heap;
};

struct bpe_encoder *bpe_encoder_new(const struct bpe *t)
{
    struct bpe_encoder *e = mem_alloc(1, sizeof(*e));
    e->tokenizer = t;
    e->cutter = pretokenizer_new();
    e->lines = mem_alloc(CACHE_LINES, sizeof(*e->lines));
    return e;
}

void bpe_encoder_free(struct bpe_encoder *e)
{
    if (e != NULL) {
        pretokenizer_free(e->cutter);
        free(e->lines);
        free(e->symbols);
        free(e->heap);
        free(e);
    }
}

/* --- merging -------------------------------------------------------------- */

static void sift_down(uint64_t *heap, size_t n, size_t at, uint64_t entry)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n) {
            break;
        }
        child += child + 1 < n && heap[child + 1] < heap[child];
        if (heap[child] >= entry) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = entry;
}

static void sift_up(uint64_t *heap, size_t at, uint64_t entry)
{
    while (at > 0 && heap[(at - 1) / 2] > entry) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = entry;
}

/* Look up the pair of the symbol at `at` and the next one. */
static bool find_pair(struct bpe_encoder *e, int32_t at)
{
    struct symbol *s = &e->symbols[at];
    s->rank = NO_MERGE;
    if (s->next != NONE) {
        int32_t right = e->symbols[s->next].id;
        const struct bpe_merge *m = bpe_merge_slot(e->tokenizer, s->id, right);
        if (m->left != 0) {
            s->rank = m->rank;
            s->becomes = m->id;
        }
    }
    return s->rank != NO_MERGE;
}

static uint64_t entry_of(const struct bpe_encoder *e, int32_t at)
{
    return (uint64_t)e->symbols[at].rank << 32 | (uint32_t)at;
}

static void push_pair(struct bpe_encoder *e, int32_t at)
{
    if (at != NONE && find_pair(e, at)) {
        sift_up(e->heap, e->n_heap, entry_of(e, at));
        e->n_heap++;
    }
}

/* Each merge takes one entry out and puts two in at most, and the symbols grow
 * fewer by one: 2n entries are enough for a piece of n bytes. */
static int reserve(struct bpe_encoder *e, size_t n, struct err *err)
{
    if (n <= e->cap) {
        return 0;
    }
    size_t cap = n > 256 ? n : 256;
    struct symbol *symbols = NULL;
    uint64_t *heap = NULL;
    if (cap <= INT32_MAX) {
        symbols = mem_try_grow(e->symbols, cap, sizeof(*symbols));
        e->symbols = symbols != NULL ? symbols : e->symbols;
        heap = mem_try_grow(e->heap, cap, 2 * sizeof(*heap));
        e->heap = heap != NULL ? heap : e->heap;
    }
    if (symbols == NULL || heap == NULL) {
        return err_set(err, ERR_LIMIT,
                       "no memory to encode a piece of %zu bytes", n);
    }
    e->cap = cap;
    return 0;
}

static void set_up(struct bpe_encoder *e, struct span piece)
{
    int32_t n = (int32_t)piece.len;
    for (int32_t i = 0; i < n; i++) {
        e->symbols[i] = (struct symbol){
            .id = e->tokenizer->byte_id[(unsigned char)piece.at[i]],
            .before = i - 1,
            .next = i + 1 < n ? i + 1 : NONE,
        };
    }
    e->n_heap = 0;
    for (int32_t i = 0; i < n; i++) {
        if (find_pair(e, i)) {
            e->heap[e->n_heap++] = entry_of(e, i);
        }
    }
    for (size_t i = e->n_heap / 2; i-- > 0;) {
        sift_down(e->heap, e->n_heap, i, e->heap[i]);
    }
}

/* Leaves the piece's tokens in the chain of symbols that begins at 0. */
static int merge_piece(struct bpe_encoder *e, struct span piece,
                       struct err *err)
{
    int rc = reserve(e, piece.len, err);
    if (rc != 0) {
        return rc;
    }
    set_up(e, piece);
    struct symbol *s = e->symbols;
    while (e->n_heap > 0) {
        uint64_t top = e->heap[0];
        e->n_heap--;
        sift_down(e->heap, e->n_heap, 0, e->heap[e->n_heap]);
        int32_t at = (int32_t)(top & UINT32_MAX);
        if (s[at].rank != (int32_t)(top >> 32)) {
            continue; /* overtaken by a merge of one of its symbols */
        }
        int32_t gone = s[at].next;
        s[at].id = s[at].becomes;
        s[at].next = s[gone].next;
        s[gone].rank = NO_MERGE;
        if (s[at].next != NONE) {
            s[s[at].next].before = at;
        }
        push_pair(e, s[at].before);
        push_pair(e, at);
    }
    return 0;
}

/* --- the cache ------------------------------------------------------------ */

/* The key of a piece of 1 to KEY_BYTES bytes. */
static void make_key(struct span piece, uint64_t key[KEY_WORDS])
{
    char bytes[KEY_WORDS * 8] = {0};
    memcpy(bytes, piece.at, piece.len);
    bytes[KEY_BYTES] = (char)piece.len;
    memcpy(key, bytes, sizeof(bytes));
}

static struct line *line_of(const struct bpe_encoder *e,
                            const uint64_t key[KEY_WORDS])
{
    uint64_t h = key[0] * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 32 ^ key[1]) * 0xD6E8FEB86659FD93u;
    h = (h ^ h >> 32 ^ key[2]) * 0x9E3779B97F4A7C15u;
    return &e->lines[h >> 32 & (CACHE_LINES - 1)];
}

static bool same_key(const uint64_t *a, const uint64_t *b)
{
    return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2])) == 0;
}

/* --- encoding ------------------------------------------------------------- */

static size_t write_symbols(const struct symbol *s, int32_t *ids, size_t max)
{
    size_t n = 0;
    for (int32_t at = 0; at != NONE && n < max; at = s[at].next) {
        ids[n++] = s[at].id;
    }
    return n;
}

static int encode_piece(struct bpe_encoder *e, struct span piece, int32_t *ids,
                        size_t max, size_t *n, struct err *err)
{
    struct line *line = NULL;
    uint64_t key[KEY_WORDS];
    if (piece.len <= KEY_BYTES) {
        make_key(piece, key);
        line = line_of(e, key);
        if (same_key(line->key, key)) {
            *n = (size_t)line->n < max ? (size_t)line->n : max;
            memcpy(ids, line->ids, *n * sizeof(*ids));
            return 0;
        }
    }
    int rc = merge_piece(e, piece, err);
    if (rc != 0) {
        return rc;
    }
    if (line != NULL) {
        int32_t made[KEY_BYTES];
        size_t n_made = write_symbols(e->symbols, made, KEY_BYTES);
        if (n_made <= LINE_IDS) {
            memcpy(line->key, key, sizeof(line->key));
            memcpy(line->ids, made, n_made * sizeof(*made));
            line->n = (int32_t)n_made;
        }
    }
    *n = write_symbols(e->symbols, ids, max);
    return 0;
}

int bpe_encode(struct bpe_encoder *e, struct span text, int32_t *ids,
               size_t max_ids, size_t *n_ids, struct err *err)
{
    size_t n = 0;
    int rc = 0;
    pretokenizer_start(e->cutter, text);
    while (n < max_ids) {
        struct span piece;
        size_t n_new;
        rc = pretokenizer_next(e->cutter, &piece, err);
        if (rc <= 0) {
            break;
        }
        rc = encode_piece(e, piece, ids + n, max_ids - n, &n_new, err);
        if (rc != 0) {
            break;
        }
        n += n_new;
    }
    if (rc < 0) {
        return rc;
    }
    *n_ids = n;
    return 0;
}
