#include "core/nn/arena.h"

#include "core/base/mem.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 2 << 20 };

void *arena_take(struct arena *a, size_t n, size_t size)
{
    size_t bytes, rounded, end;
    if (a->used == SIZE_MAX || !mem_mul(n, size, &bytes) ||
        __builtin_add_overflow(bytes, ARENA_ALIGNMENT - 1, &rounded)) {
        a->used = SIZE_MAX;
        return NULL;
    }
    rounded -= rounded % ARENA_ALIGNMENT;
    if (__builtin_add_overflow(a->used, rounded, &end)) {
        a->used = SIZE_MAX;
        return NULL;
    }
    void *at = a->base != NULL ? a->base + a->used : NULL;
    assert(a->base == NULL || end <= a->size);
    a->used = end;
    return at;
}

bool arena_map(struct arena *a)
{
    size_t size;
    if (__builtin_add_overflow(a->used, HUGE_PAGE, &size)) {
        return false;
    }
    size -= size % HUGE_PAGE;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        return false;
    }
    /* Only advice: without it everything works, with more TLB misses. */
    (void)madvise(p, size, MADV_HUGEPAGE);
    *a = (struct arena){.base = p, .size = size};
    return true;
}

void arena_unmap(struct arena *a)
{
    if (a->base != NULL) {
        munmap(a->base, a->size);
    }
    *a = (struct arena){0};
}
