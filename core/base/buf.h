/* buf: a growing byte buffer with a maximum set at birth.
 *
 * An append that would pass max sets `overflow` and changes nothing more: the
 * writer looks once, at the end. data is always NUL-terminated (the NUL is not
 * counted in len) and NULL only before the first append. */
#ifndef CORE_BASE_BUF_H
#define CORE_BASE_BUF_H
#include "core/base/base.h"
#include <stdbool.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t len, cap, max;
    bool overflow;
};

/* All maxima of the program in one list, in bytes. */
enum {
    BUF_MAX_FRAME = 1 << 20,      /* one wire frame */
    BUF_MAX_CONFIG = 1 << 20,     /* a study config or an HTTP body */
    BUF_MAX_RESPONSE = 256 << 20, /* what the HTTP side may print */
    BUF_MAX_TOKENIZER = 64 << 20, /* a tokenizer.json */
    BUF_MAX_PAGE = 64 << 20,      /* one reply of a data set server */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* len = 0, overflow = false; keeps memory */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Give the bytes away (caller frees); the buffer is empty again. Never NULL. */
char *buf_take(struct buf *b);

#endif
