/* bpe_priv: what the files of bpe know of a tokenizer's inside. */
#ifndef CORE_TEXT_BPE_PRIV_H
#define CORE_TEXT_BPE_PRIV_H
#include "core/text/piece_table.h"

/* What a pair of ids becomes. Merges of low rank go first. */
struct bpe_merge {
    int32_t left, right; /* left is 0 in an empty slot: no merge is of id 0 */
    int32_t rank, id;
};

struct bpe_bytes; /* a block of token bytes */

struct bpe {
    struct piece_table tokens; /* a token's number is its id */
    struct bpe_bytes *bytes;   /* where the tokens' bytes are */
    int32_t byte_id[256];
    int32_t (*pairs)[2]; /* [n_merges] */
    int32_t *made_by;    /* [n_merges]: the merge that first made id 257 + i */
    size_t n_merges;
    struct bpe_merge *merges; /* open addressing, at most half full */
    size_t merge_mask;
};

/* The slot of the merge of this pair, or the empty one where it belongs. */
static inline struct bpe_merge *bpe_merge_slot(const struct bpe *t,
                                               int32_t left, int32_t right)
{
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    uint64_t hash = key * 0x9E3779B97F4A7C15u;
    for (size_t at = hash >> 32 & t->merge_mask;;
         at = (at + 1) & t->merge_mask) {
        struct bpe_merge *m = &t->merges[at];
        if ((m->left == left && m->right == right) || m->left == 0) {
            return m;
        }
    }
}

#endif
