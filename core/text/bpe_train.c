/* Training counts the distinct pieces of the texts, lays their bytes out as
 * chains of nodes, one per token, and then merges pair by pair.
 *
 * Every place where a pair stands is in that pair's list, threaded through the
 * nodes, so a merge touches those places and their neighbours and nothing
 * else; and every node knows its pair, so no pair is ever looked up. All
 * places of a pair that has the new token in it arise within the one merge
 * which makes that token (whatever lies between two cuts that no merge
 * crossed is merged as it would be alone, so no token is made in two ways):
 * two tables by the neighbour's id, emptied after each merge, find the pairs
 * being made. Lists run from left to right, as merges must where a token
 * stands next to its like.
 *
 * The heap holds what a pair counted when it was put there. Counts only fall,
 * so a pair that reaches the top with an old count is put back with its own.
 */
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/text/byte_alphabet.h"
#include "core/text/piece_table.h"
#include "core/text/pretokenize.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = -1 };

struct node {
    int32_t token;
    int32_t left, right; /* neighbours in the piece, or NONE */
    int32_t pair; /* of this token and the right one's, if there is one */
    int32_t before, next; /* in the list of that pair */
    int64_t weight;       /* how often the texts have this piece */
};

struct pair {
    int64_t count;
    int32_t left, right; /* tokens */
    int32_t first, last; /* nodes where it stands, or NONE */
};

struct candidate {
    int64_t count;
    uint64_t tie; /* left id, right id: the lower goes first */
    int32_t pair;
};

struct trainer {
    struct node *nodes;
    size_t n_nodes;
    struct pair *pairs;
    size_t n_pairs, cap_pairs;
    struct candidate *heap;
    size_t n_heap, cap_heap;
    int32_t *with_left, *with_right; /* [tokens] pair being made, or NONE */
    int32_t (*merges)[2];
    size_t n_merges, max_merges;
    int64_t least; /* count of a pair that is still merged */
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "no memory to train a tokenizer on texts "
                   "of this size");
}

/* --- counting pieces ------------------------------------------------------ */

struct pieces {
    struct piece_table table;
    int64_t *counts; /* [table.cap] */
    int32_t cap;
};

static int count_piece(struct pieces *w, struct span piece, struct err *err)
{
    int32_t at = piece_table_put(&w->table, piece);
    if (at < 0) {
        return no_memory(err);
    }
    if (at >= w->cap) {
        int64_t *counts =
            mem_try_grow(w->counts, (size_t)w->table.cap, sizeof(*counts));
        if (counts == NULL) {
            return no_memory(err);
        }
        memset(counts + w->cap, 0,
               (size_t)(w->table.cap - w->cap) * sizeof(*counts));
        w->counts = counts;
        w->cap = w->table.cap;
    }
    w->counts[at]++;
    return 0;
}

static int count_pieces(struct pieces *w, const struct span *texts,
                        size_t n_texts, struct err *err)
{
    struct pretokenizer *cutter = pretokenizer_new();
    int rc = 0;
    for (size_t i = 0; i < n_texts && rc == 0; i++) {
        struct span piece;
        pretokenizer_start(cutter, texts[i]);
        while ((rc = pretokenizer_next(cutter, &piece, err)) > 0) {
            rc = count_piece(w, piece, err);
            if (rc != 0) {
                break;
            }
        }
        if (rc != 0) {
            err_wrap(err, "text %zu", i);
        }
    }
    pretokenizer_free(cutter);
    return rc;
}

/* --- heap of candidates --------------------------------------------------- */

static bool goes_first(const struct candidate *a, const struct candidate *b)
{
    return a->count != b->count ? a->count > b->count : a->tie < b->tie;
}

static void sift_down(struct candidate *heap, size_t n, size_t at,
                      struct candidate c)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n) {
            break;
        }
        if (child + 1 < n && goes_first(&heap[child + 1], &heap[child])) {
            child++;
        }
        if (!goes_first(&heap[child], &c)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = c;
}

static bool push(struct trainer *t, int32_t pair)
{
    const struct pair *p = &t->pairs[pair];
    if (p->count < t->least) {
        return true;
    }
    if (t->n_heap == t->cap_heap) {
        size_t cap = 2 * t->cap_heap + 1024;
        struct candidate *heap = mem_try_grow(t->heap, cap, sizeof(*heap));
        if (heap == NULL) {
            return false;
        }
        t->heap = heap;
        t->cap_heap = cap;
    }
    struct candidate c = {.count = p->count,
                          .tie = (uint64_t)p->left << 32 | (uint32_t)p->right,
                          .pair = pair};
    size_t at = t->n_heap++;
    while (at > 0 && goes_first(&c, &t->heap[(at - 1) / 2])) {
        t->heap[at] = t->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    t->heap[at] = c;
    return true;
}

/* The most frequent pair, or NONE when none is frequent enough. */
static int32_t pop(struct trainer *t)
{
    while (t->n_heap > 0) {
        struct candidate top = t->heap[0];
        int64_t count = t->pairs[top.pair].count;
        if (count == top.count || count < t->least) {
            t->n_heap--;
            sift_down(t->heap, t->n_heap, 0, t->heap[t->n_heap]);
            if (count >= t->least) {
                return top.pair;
            }
        } else {
            top.count = count;
            sift_down(t->heap, t->n_heap, 0, top);
        }
    }
    return NONE;
}

/* --- pairs and the places where they stand -------------------------------- */

static int32_t new_pair(struct trainer *t, int32_t left, int32_t right)
{
    if (t->n_pairs == t->cap_pairs) {
        size_t cap = 2 * t->cap_pairs + 1024;
        struct pair *pairs = cap > INT32_MAX
                                 ? NULL
                                 : mem_try_grow(t->pairs, cap, sizeof(*pairs));
        if (pairs == NULL) {
            return NONE;
        }
        t->pairs = pairs;
        t->cap_pairs = cap;
    }
    t->pairs[t->n_pairs] = (struct pair){
        .left = left, .right = right, .first = NONE, .last = NONE};
    return (int32_t)t->n_pairs++;
}

/* The pair at this node is `pair` from now on. */
static void attach(struct trainer *t, int32_t at, int32_t pair)
{
    struct node *n = &t->nodes[at];
    struct pair *p = &t->pairs[pair];
    n->pair = pair;
    n->before = p->last;
    n->next = NONE;
    if (p->last == NONE) {
        p->first = at;
    } else {
        t->nodes[p->last].next = at;
    }
    p->last = at;
    p->count += n->weight;
}

static void detach(struct trainer *t, int32_t at)
{
    struct node *n = &t->nodes[at];
    struct pair *p = &t->pairs[n->pair];
    if (n->before == NONE) {
        p->first = n->next;
    } else {
        t->nodes[n->before].next = n->next;
    }
    if (n->next == NONE) {
        p->last = n->before;
    } else {
        t->nodes[n->next].before = n->before;
    }
    p->count -= n->weight;
}

/* The pair at `at` has the token made just now at its left or right: find it
 * in the table by its other token, or make it. */
static bool attach_new(struct trainer *t, int32_t at, int32_t *slot)
{
    struct node *n = &t->nodes[at];
    if (*slot == NONE) {
        *slot = new_pair(t, n->token, t->nodes[n->right].token);
        if (*slot == NONE) {
            return false;
        }
    }
    attach(t, at, *slot);
    return true;
}

/* --- merging -------------------------------------------------------------- */

/* Make one token of the one at p and its right neighbour. */
static bool merge_place(struct trainer *t, int32_t p, int32_t made)
{
    struct node *n = t->nodes;
    int32_t gone = n[p].right, left = n[p].left, right = n[gone].right;
    detach(t, p);
    if (left != NONE) {
        detach(t, left);
    }
    if (right != NONE) {
        detach(t, gone);
        n[right].left = p;
    }
    n[p].token = made;
    n[p].right = right;
    return (left == NONE ||
            attach_new(t, left, &t->with_left[n[left].token])) &&
           (right == NONE || attach_new(t, p, &t->with_right[n[right].token]));
}

static bool merge_pair(struct trainer *t, int32_t pair)
{
    int32_t made = BPE_FIRST_MERGE + (int32_t)t->n_merges;
    t->merges[t->n_merges][0] = t->pairs[pair].left;
    t->merges[t->n_merges][1] = t->pairs[pair].right;
    t->n_merges++;
    size_t first_new = t->n_pairs;
    while (t->pairs[pair].first != NONE) {
        if (!merge_place(t, t->pairs[pair].first, made)) {
            return false;
        }
    }
    for (size_t i = first_new; i < t->n_pairs; i++) {
        t->with_left[t->pairs[i].left] = NONE;
        t->with_right[t->pairs[i].right] = NONE;
        if (!push(t, (int32_t)i)) {
            return false;
        }
    }
    return true;
}

/* --- laying out and running ----------------------------------------------- */

static int allocate(struct trainer *t, const struct pieces *w,
                    const struct bpe_options *options, struct err *err)
{
    for (int32_t i = 0; i < w->table.n; i++) {
        size_t len = w->table.pieces[i].len;
        t->n_nodes += len > 1 ? len : 0;
    }
    if (t->n_nodes > INT32_MAX - BPE_FIRST_MERGE) {
        return no_memory(err);
    }
    /* Each merge makes at least one token of two. */
    t->max_merges = (size_t)(options->vocab_size - BPE_FIRST_MERGE);
    if (t->max_merges > t->n_nodes) {
        t->max_merges = t->n_nodes;
    }
    size_t n_tokens = BPE_FIRST_MERGE + t->max_merges;
    t->nodes = mem_try(t->n_nodes, sizeof(*t->nodes));
    t->merges = mem_try(t->max_merges, sizeof(*t->merges));
    t->with_left = mem_try(n_tokens, sizeof(*t->with_left));
    t->with_right = mem_try(n_tokens, sizeof(*t->with_right));
    if (t->nodes == NULL || t->merges == NULL || t->with_left == NULL ||
        t->with_right == NULL) {
        return no_memory(err);
    }
    memset(t->with_left, 0xFF, n_tokens * sizeof(*t->with_left)); /* NONE */
    memset(t->with_right, 0xFF, n_tokens * sizeof(*t->with_right));
    return 0;
}

/* A chain of nodes for one piece; at is the first of them. */
static bool lay_out(struct trainer *t, struct span piece, int64_t weight,
                    int32_t at, const int32_t *byte_id, int32_t *pair_of)
{
    int32_t len = (int32_t)piece.len;
    for (int32_t i = 0; i < len; i++) {
        t->nodes[at + i] = (struct node){
            .token = byte_id[(unsigned char)piece.at[i]],
            .left = i > 0 ? at + i - 1 : NONE,
            .right = i + 1 < len ? at + i + 1 : NONE,
            .weight = weight,
        };
    }
    for (int32_t i = 0; i + 1 < len; i++) {
        size_t bytes = (size_t)(unsigned char)piece.at[i] << 8 |
                       (unsigned char)piece.at[i + 1];
        if (!attach_new(t, at + i, &pair_of[bytes])) {
            return false;
        }
    }
    return true;
}

static int lay_out_all(struct trainer *t, const struct pieces *w,
                       struct err *err)
{
    struct byte_alphabet alphabet;
    int32_t byte_id[256], at = 0;
    byte_alphabet_init(&alphabet);
    for (int i = 0; i < 256; i++) {
        byte_id[alphabet.in_order[i]] = BPE_FIRST_BYTE + i;
    }
    size_t size = 256 * 256 * sizeof(int32_t);
    int32_t *pair_of = mem_alloc(1, size);
    memset(pair_of, 0xFF, size); /* NONE */
    bool ok = true;
    for (int32_t i = 0; i < w->table.n && ok; i++) {
        struct span piece = w->table.pieces[i];
        if (piece.len > 1) {
            ok = lay_out(t, piece, w->counts[i], at, byte_id, pair_of);
            at += (int32_t)piece.len;
        }
    }
    free(pair_of);
    for (size_t i = 0; i < t->n_pairs && ok; i++) {
        ok = push(t, (int32_t)i);
    }
    return ok ? 0 : no_memory(err);
}

static int run(struct trainer *t, const struct pieces *w,
               const struct bpe_options *options, struct err *err)
{
    int rc = allocate(t, w, options, err);
    if (rc == 0) {
        rc = lay_out_all(t, w, err);
    }
    while (rc == 0 && t->n_merges < t->max_merges) {
        int32_t pair = pop(t);
        if (pair == NONE) {
            break;
        }
        if (!merge_pair(t, pair)) {
            rc = no_memory(err);
        }
    }
    return rc;
}

int bpe_train(const struct span *texts, size_t n_texts,
              const struct bpe_options *options, struct bpe **out,
              struct err *err)
{
    if (options->vocab_size < BPE_FIRST_MERGE || options->min_frequency < 0) {
        return err_set(err, ERR_INVALID,
                       "vocab_size is %d and min_frequency %d; they must be "
                       "at least %d and 0",
                       (int)options->vocab_size, (int)options->min_frequency,
                       BPE_FIRST_MERGE);
    }
    struct pieces w = {0};
    struct trainer t = {
        .least = options->min_frequency > 1 ? options->min_frequency : 1};
    piece_table_init(&w.table);
    int rc = count_pieces(&w, texts, n_texts, err);
    if (rc == 0) {
        rc = run(&t, &w, options, err);
    }
    if (rc == 0) {
        rc = bpe_from_merges((const int32_t(*)[2])t.merges, t.n_merges, out,
                             err);
    }
    free(t.nodes);
    free(t.pairs);
    free(t.heap);
    free(t.with_left);
    free(t.with_right);
    free(t.merges);
    free(w.counts);
    piece_table_fini(&w.table);
    return rc;
}
