/* quote: what Python writes as JSON, made JSON. */
#ifndef WORKER_QUOTE_H
#define WORKER_QUOTE_H
struct buf;

/* Python's json writes NaN, Infinity and -Infinity, what it and C print are
 * nan, -nan, inf and -inf: no JSON. Appends text to out with {"is":"NaN"} for
 * such a word, where it is in no string: not a string of its own, which is
 * something else. At most QUOTE_GROWS times as long. */
enum { QUOTE_GROWS = 4 };
void quote_non_finite(const char *text, struct buf *out);

#endif
