/* lines: a stream of bytes, cut into lines that go to the trial's log (standard
 * output) whole: two streams of one program never meet within a line.
 *
 * A carriage return begins the line anew, as on a terminal: of a progress bar
 * its last state remains. A line of LINES_MAX and more is printed as it comes,
 * and only its beginning is taken, as soon as it is too long. */
#ifndef WORKER_LINES_H
#define WORKER_LINES_H
#include "core/base/buf.h"
#include <stdbool.h>

enum { LINES_MAX = 64 << 10 };

struct lines {
    struct buf text; /* the line's beginning, so far */
    bool is_long, is_returned;
};

/* n bytes, and a NUL behind them; others may be among them. is_whole: they are
 * all of the line. */
typedef void lines_taker(void *ctx, const char *line, size_t n, bool is_whole);

void lines_init(struct lines *l);
void lines_fini(struct lines *l);
/* Each line is printed, then taken. take may be NULL. */
void lines_add(struct lines *l, const char *bytes, size_t n, lines_taker *take,
               void *ctx);
/* The stream is over: a line that was left open ends. */
void lines_end(struct lines *l, lines_taker *take, void *ctx);

#endif
