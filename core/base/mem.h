/* mem: allocation with the house's two policies.
 *
 * mem_alloc and friends are for control-plane sizes that the program itself
 * chose: running out there aborts with a message. mem_try* are for any size
 * that comes from a config, a peer or a file: NULL when it cannot be had or
 * n * size overflows. Everything is released by free(). */
#ifndef CORE_BASE_MEM_H
#define CORE_BASE_MEM_H
#include "core/base/base.h"
#include <stdbool.h>
#include <stdint.h>

void *mem_alloc(size_t n, size_t size);         /* zeroed; aborts */
void *mem_grow(void *p, size_t n, size_t size); /* realloc; aborts */
char *mem_strdup(const char *s);                /* aborts; NULL -> NULL */
char *mem_strndup(const char *s, size_t len);   /* aborts */
char *mem_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

void *mem_try(size_t n, size_t size);               /* zeroed; may be NULL */
void *mem_try_grow(void *p, size_t n, size_t size); /* realloc; NULL: p stays */

/* From now on what is freed stays with the process, up to 32 MiB, for what is
 * taken next: large memory that comes and goes, all alike, is not given back
 * and cleared again page by page. */
void mem_keep(void);

/* a * b in *out; false on overflow. */
MUST_CHECK bool mem_mul(size_t a, size_t b, size_t *out);

#endif
