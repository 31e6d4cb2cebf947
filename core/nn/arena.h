/* arena: one mapping that all tensors of a model lie in.
 *
 * The same layout function runs twice: over an arena that only counts
 * (base NULL: arena_take returns NULL), then over the mapped one. The memory
 * is zeroed and asks for huge pages: a training step walks all of it. */
#ifndef CORE_NN_ARENA_H
#define CORE_NN_ARENA_H
#include "core/base/base.h"
#include <stdbool.h>

enum { ARENA_ALIGNMENT = 64 };

struct arena {
    char *base;
    size_t size, used; /* used: SIZE_MAX once the count overflowed */
};

/* An array of n * size bytes, 64-byte aligned, or NULL while counting. */
void *arena_take(struct arena *a, size_t n, size_t size);
/* Give the arena `used` bytes of memory and start again at the beginning.
 * False when it cannot be had. */
MUST_CHECK bool arena_map(struct arena *a);
void arena_unmap(struct arena *a);

#endif
