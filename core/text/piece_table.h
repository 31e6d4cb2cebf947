/* piece_table: distinct byte strings, numbered in the order they came. */
#ifndef CORE_TEXT_PIECE_TABLE_H
#define CORE_TEXT_PIECE_TABLE_H
#include "core/base/base.h"
#include <stdint.h>

struct piece_slot {
    uint32_t tag;     /* high half of the hash */
    uint32_t at_plus; /* 1 + index of the piece, 0 when empty */
};

struct piece_table {
    struct span *pieces; /* borrowed bytes */
    int32_t n, cap;
    struct piece_slot *slots;
    size_t mask; /* number of slots - 1, or 0 before the first piece */
};

void piece_table_init(struct piece_table *t);
void piece_table_fini(struct piece_table *t);
/* The number of this piece, which is t->n - 1 (one more than before) if it is
 * new; -1 when memory does not suffice. Borrows the bytes until fini. */
MUST_CHECK int32_t piece_table_put(struct piece_table *t, struct span piece);
/* The number of this piece, -1 if it is not there. */
int32_t piece_table_find(const struct piece_table *t, struct span piece);

#endif
