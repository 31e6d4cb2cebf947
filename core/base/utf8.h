/* utf8: strict validation and safe display of text from outside. */
#ifndef CORE_BASE_UTF8_H
#define CORE_BASE_UTF8_H
#include "core/base/base.h"
#include <stdbool.h>
struct buf;

/* Bytes before the first malformed sequence (overlong forms, surrogates and
 * code points above U+10FFFF are malformed); len when all is well formed. */
size_t utf8_valid_prefix(const char *s, size_t len);
bool utf8_is_valid(const char *s, size_t len);
/* Code points in a valid text. */
size_t utf8_length(const char *s, size_t len);
/* Append s with control characters (C0, DEL, C1, bidi overrides) as \xNN or
 * \u{NNNN}: what a terminal may show of a name. s must be valid. */
void utf8_printable(struct buf *out, const char *s, size_t len);
/* The same of any bytes: those of malformed sequences as \xNN. */
void utf8_printable_bytes(struct buf *out, const char *s, size_t len);
/* Decode the code point at s[*at], moving *at past it. s must be valid. */
unsigned utf8_next(const char *s, size_t *at);
/* Append the 1 to 4 bytes of a code point. */
void utf8_put(struct buf *out, unsigned code_point);

#endif
