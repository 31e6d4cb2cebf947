/* tail: a log file as a terminal may show it. */
#ifndef CORE_BASE_TAIL_H
#define CORE_BASE_TAIL_H
#include "core/base/err.h"
#include <stdint.h>
struct buf;
struct json_out;

/* Append the lines of the file at path, their control characters and broken
 * UTF-8 by their codes. Of more than n_bytes (0: no limit) only the end, from
 * the beginning of a line. NOTFOUND: there is no such file; IO: it is something
 * else, or cannot be read; LIMIT: out has no room for that. */
MUST_CHECK int tail_read(const char *path, int64_t n_bytes, struct buf *out,
                         struct err *err);
/* {"lines": [...]} of n bytes of text, without their ends. */
void tail_put_lines(struct json_out *w, const char *text, size_t n);

#endif
