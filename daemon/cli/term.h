/* term: what a stream can show: colours, width, line drawing. */
#ifndef DAEMON_CLI_TERM_H
#define DAEMON_CLI_TERM_H
#include <stdbool.h>
#include <stdio.h>

enum term_style {
    TERM_PLAIN,
    TERM_BOLD,
    TERM_DIM,
    TERM_GOOD,   /* green */
    TERM_BAD,    /* red */
    TERM_WARN,   /* yellow */
    TERM_ACCENT, /* cyan */
    TERM_N_STYLES
};

struct term {
    FILE *file;
    bool is_tty;      /* a terminal that understands control sequences */
    bool has_colour;  /* is_tty, and NO_COLOR is not set */
    bool has_unicode; /* the locale does not say otherwise */
};

void term_init(struct term *t, FILE *file);
/* Columns and rows as they are now; 80 x 24 where nobody knows. */
void term_size(const struct term *t, int *columns, int *rows);
/* The escape sequence that begins a style, "" without colours. Static. */
const char *term_on(const struct term *t, enum term_style style);
/* Back to plain, "" without colours. Static. */
const char *term_off(const struct term *t, enum term_style style);

#endif
