#include "core/base/mem.h"

#include <features.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NORETURN static void out_of_memory(size_t n, size_t size)
{
    fprintf(stderr, "out of memory: %zu x %zu bytes\n", n, size);
    abort();
}

bool mem_mul(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

void *mem_alloc(size_t n, size_t size)
{
    void *p = calloc(n != 0 ? n : 1, size);
    if (p == NULL) {
        out_of_memory(n, size);
    }
    return p;
}

void *mem_grow(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!mem_mul(n, size, &bytes)) {
        out_of_memory(n, size);
    }
    void *q = realloc(p, bytes != 0 ? bytes : 1);
    if (q == NULL) {
        out_of_memory(n, size);
    }
    return q;
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_alloc(len + 1, 1);
    memcpy(copy, s, len);
    return copy;
}

char *mem_strdup(const char *s)
{
    return s != NULL ? mem_strndup(s, strlen(s)) : NULL;
}

char *mem_printf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text;
    int len = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (len < 0) {
        out_of_memory(1, 0);
    }
    return text;
}

void *mem_try(size_t n, size_t size)
{
    return calloc(n != 0 ? n : 1, size);
}

void *mem_try_grow(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (!mem_mul(n, size, &bytes)) {
        return NULL;
    }
    return realloc(p, bytes != 0 ? bytes : 1);
}

void mem_keep(void)
{
#ifdef __GLIBC__
    enum { KEPT = 32 << 20 }; /* the largest that both take */
    mallopt(M_TRIM_THRESHOLD, KEPT);
    mallopt(M_MMAP_THRESHOLD, KEPT);
#endif
}
