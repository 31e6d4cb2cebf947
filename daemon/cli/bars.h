/* bars: parts of a whole as a line of a terminal. */
#ifndef DAEMON_CLI_BARS_H
#define DAEMON_CLI_BARS_H
#include "daemon/cli/term.h"
struct buf;

/* Append a bar of `width` columns, `fraction` of it done: a thin coloured line
 * on a dim one, "=====>....." without Unicode. */
void bars_progress(struct buf *out, const struct term *term, double fraction,
                   int width, enum term_style style);
/* Append a solid bar of at most `width` columns, in eighths of a column, and
 * nothing behind it. */
void bars_solid(struct buf *out, const struct term *term, double fraction,
                int width, enum term_style style);

#endif
