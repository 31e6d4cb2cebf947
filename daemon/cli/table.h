/* table: aligned columns for people.
 *
 * Texts may be any bytes: what a terminal must not see is escaped, widths are
 * those of terminal columns. */
#ifndef DAEMON_CLI_TABLE_H
#define DAEMON_CLI_TABLE_H
#include "core/base/base.h"
#include "daemon/cli/term.h"
struct buf;
struct table;

struct table *table_new(void);
void table_free(struct table *t);
/* Columns come before cells. Numbers go to the right. */
void table_left(struct table *t, const char *title);
void table_right(struct table *t, const char *title);
/* The next cell, row by row. */
void table_cell(struct table *t, enum term_style style, const char *text);
void table_cellf(struct table *t, enum term_style style, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The next cell, a name of any length: on a terminal cut, so that there is room
 * for what stands behind it. */
void table_name(struct table *t, const struct term *term, enum term_style style,
                const char *name);
size_t table_n_rows(const struct table *t);
/* Append the table. Without any title there is no heading and values stand
 * whole; else lines wider than the terminal are cut there, never in a file or a
 * pipe. */
void table_put(const struct table *t, const struct term *term, struct buf *out);
/* The same, printed. */
void table_print(const struct table *t, const struct term *term);

#endif
