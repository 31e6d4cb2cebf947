/* Open addressing, at most half full. The hash multiplies 64-bit words into
 * 128 bits and folds the halves (the idea of wyhash, Wang Yi). */
#include "core/text/piece_table.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

static const uint64_t K0 = 0x9E3779B97F4A7C15u, K1 = 0xD6E8FEB86659FD93u;

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t load32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t hash_of(struct span piece)
{
    const char *p = piece.at;
    size_t n = piece.len;
    uint64_t h = K0 ^ n, tail;
    if (n >= 8) {
        for (; n > 8; n -= 8, p += 8) {
            h = fold(h ^ load64(p), K1);
        }
        tail = load64(p + n - 8); /* may overlap the last word: harmless */
    } else if (n >= 4) {
        tail = load32(p) << 32 | load32(p + n - 4);
    } else {
        tail = 0;
        for (size_t i = 0; i < n; i++) {
            tail = tail << 8 | (unsigned char)p[i];
        }
    }
    return fold(h ^ tail, K1 ^ K0);
}

void piece_table_init(struct piece_table *t)
{
    *t = (struct piece_table){0};
}

void piece_table_fini(struct piece_table *t)
{
    free(t->pieces);
    free(t->slots);
    piece_table_init(t);
}

/* The slot of this piece, or the empty one where it belongs. */
static struct piece_slot *slot_of(const struct piece_table *t,
                                  struct span piece, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (size_t at = hash & t->mask;; at = (at + 1) & t->mask) {
        struct piece_slot *slot = &t->slots[at];
        if (slot->at_plus == 0) {
            return slot;
        }
        if (slot->tag == tag) {
            struct span there = t->pieces[slot->at_plus - 1];
            if (there.len == piece.len &&
                memcmp(there.at, piece.at, piece.len) == 0) {
                return slot;
            }
        }
    }
}

static bool grow(struct piece_table *t)
{
    size_t n_slots = t->mask == 0 ? FIRST_SLOTS : 2 * (t->mask + 1);
    if (n_slots / 2 > INT32_MAX) {
        return false;
    }
    struct span *pieces = mem_try_grow(t->pieces, n_slots / 2, sizeof(*pieces));
    if (pieces == NULL) {
        return false;
    }
    t->pieces = pieces;
    struct piece_slot *slots = mem_try(n_slots, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    free(t->slots);
    t->slots = slots;
    t->mask = n_slots - 1;
    t->cap = (int32_t)(n_slots / 2);
    for (int32_t i = 0; i < t->n; i++) {
        uint64_t hash = hash_of(pieces[i]);
        *slot_of(t, pieces[i], hash) = (struct piece_slot){
            .tag = (uint32_t)(hash >> 32), .at_plus = (uint32_t)i + 1};
    }
    return true;
}

int32_t piece_table_put(struct piece_table *t, struct span piece)
{
    if (t->n == t->cap && !grow(t)) {
        return -1;
    }
    uint64_t hash = hash_of(piece);
    struct piece_slot *slot = slot_of(t, piece, hash);
    if (slot->at_plus == 0) {
        t->pieces[t->n++] = piece;
        *slot = (struct piece_slot){.tag = (uint32_t)(hash >> 32),
                                    .at_plus = (uint32_t)t->n};
    }
    return (int32_t)(slot->at_plus - 1);
}

int32_t piece_table_find(const struct piece_table *t, struct span piece)
{
    if (t->mask == 0) {
        return -1;
    }
    return (int32_t)slot_of(t, piece, hash_of(piece))->at_plus - 1;
}
