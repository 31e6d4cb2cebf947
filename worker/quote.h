/* quote: what Python writes as JSON, made JSON. */
#ifndef WORKER_QUOTE_H
#define WORKER_QUOTE_H
struct buf;

/* Python writes NaN and Infinity, which are not JSON: as strings they are.
 * Appends text to out with these words quoted, where they are in no string. */
void quote_non_finite(const char *text, struct buf *out);

#endif
