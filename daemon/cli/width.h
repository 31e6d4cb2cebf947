/* width: how many columns of a terminal a text takes. */
#ifndef DAEMON_CLI_WIDTH_H
#define DAEMON_CLI_WIDTH_H
#include "core/base/base.h"
struct buf;

/* Columns of valid UTF-8 without control characters: 0 for what combines with
 * the sign before it, 2 for East Asian wide signs and emoji, else 1. Escape
 * sequences that set colours (ESC [ ... m) take none. */
int width_of(const char *s);
/* Append s cut to at most max columns, the last one an ellipsis where it is
 * cut. Colour sequences are kept, also those behind the cut. */
void width_fit(struct buf *out, const char *s, int max);
/* Append n spaces; none when n is negative. */
void width_spaces(struct buf *out, int n);
/* Append any bytes as what a terminal may show: control characters escaped,
 * malformed UTF-8 as \xNN. */
void width_printable(struct buf *out, const char *s, size_t len);

#endif
