/* screen: a block of lines at the bottom of a terminal that is repainted in
 * place, and lines above it that stay. */
#ifndef DAEMON_CLI_SCREEN_H
#define DAEMON_CLI_SCREEN_H
#include "daemon/cli/term.h"
struct buf;

enum { SCREEN_MAX_LINES = 512 };

struct screen {
    const struct term *term;      /* borrowed */
    int widths[SCREEN_MAX_LINES]; /* of the lines that stand there */
    int n_lines;
    const volatile int *suspensions; /* by Ctrl-Z (interrupt.h) */
    int n_suspensions;               /* that were noticed */
};

/* Until screen_fini the cursor is hidden and keys are not echoed, except while
 * the program is suspended. One screen at a time. */
void screen_init(struct screen *s, const struct term *term);
/* Print `above` (whole lines, NULL: none) over the block's place and paint the
 * block below it: one write, so nothing flickers. */
void screen_paint(struct screen *s, const struct buf *above,
                  const struct buf *block);
/* Wipe the block and show the cursor. */
void screen_fini(struct screen *s);

#endif
