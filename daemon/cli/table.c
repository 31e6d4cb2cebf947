#include "daemon/cli/table.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "daemon/cli/width.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, NAME_WIDTH = 40 };

struct column {
    char *title;
    bool to_right;
    int width;
};

struct cell {
    char *text; /* printable */
    enum term_style style;
    int width;
};

struct table {
    struct column *columns;
    size_t n_columns;
    struct cell *cells; /* row by row */
    size_t n_cells, cap_cells;
};

struct table *table_new(void)
{
    return mem_alloc(1, sizeof(struct table));
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        free(t->columns[i].title);
    }
    for (size_t i = 0; i < t->n_cells; i++) {
        free(t->cells[i].text);
    }
    free(t->columns);
    free(t->cells);
    free(t);
}

static char *printable(const char *text)
{
    struct buf b;
    buf_init(&b, BUF_MAX_RESPONSE);
    width_printable(&b, text, strlen(text));
    return buf_take(&b);
}

static void add_column(struct table *t, const char *title, bool to_right)
{
    t->columns = mem_grow(t->columns, t->n_columns + 1, sizeof(*t->columns));
    char *shown = printable(title);
    t->columns[t->n_columns++] = (struct column){
        .title = shown, .to_right = to_right, .width = width_of(shown)};
}

void table_left(struct table *t, const char *title)
{
    add_column(t, title, false);
}

void table_right(struct table *t, const char *title)
{
    add_column(t, title, true);
}

void table_cell(struct table *t, enum term_style style, const char *text)
{
    if (t->n_cells == t->cap_cells) {
        t->cap_cells = t->cap_cells == 0 ? 64 : 2 * t->cap_cells;
        t->cells = mem_grow(t->cells, t->cap_cells, sizeof(*t->cells));
    }
    struct column *column = &t->columns[t->n_cells % t->n_columns];
    struct cell cell = {.text = printable(text), .style = style};
    cell.width = width_of(cell.text);
    if (cell.width > column->width) {
        column->width = cell.width;
    }
    t->cells[t->n_cells++] = cell;
}

void table_name(struct table *t, const struct term *term, enum term_style style,
                const char *name)
{
    struct buf fit;
    char *safe = printable(name);
    buf_init(&fit, BUF_MAX_RESPONSE);
    width_fit(&fit, safe, term->is_tty ? NAME_WIDTH : INT_MAX);
    char *shown = buf_take(&fit);
    table_cell(t, style, shown);
    free(shown);
    free(safe);
}

void table_cellf(struct table *t, enum term_style style, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    table_cell(t, style, text);
}

size_t table_n_rows(const struct table *t)
{
    return t->n_cells / t->n_columns;
}

/* One cell of a line; nothing is put behind the last one's text. */
static void put_cell(const struct table *t, size_t at, const struct cell *cell,
                     const struct term *term, struct buf *out)
{
    const struct column *column = &t->columns[at];
    int rest = column->width - cell->width;
    if (column->to_right) {
        width_spaces(out, rest);
    }
    buf_str(out, term_on(term, cell->style));
    buf_str(out, cell->text);
    buf_str(out, term_off(term, cell->style));
    if (at + 1 < t->n_columns) {
        width_spaces(out, (column->to_right ? 0 : rest) + GAP);
    }
}

static bool is_titled(const struct table *t)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (t->columns[i].title[0] != '\0') {
            return true;
        }
    }
    return false;
}

static void put_line(const struct table *t, const struct cell *cells,
                     const struct term *term, struct buf *out)
{
    int columns = INT_MAX, rows;
    struct buf line;
    buf_init(&line, BUF_MAX_RESPONSE);
    for (size_t i = 0; i < t->n_columns; i++) {
        put_cell(t, i, &cells[i], term, &line);
    }
    while (line.len > 0 && line.data[line.len - 1] == ' ') {
        line.data[--line.len] = '\0';
    }
    if (term->is_tty && is_titled(t)) {
        term_size(term, &columns, &rows);
    }
    width_fit(out, line.data, columns);
    buf_char(out, '\n');
    buf_fini(&line);
}

static void put_heading(const struct table *t, const struct term *term,
                        struct buf *out)
{
    struct cell *cells = mem_alloc(t->n_columns, sizeof(*cells));
    for (size_t i = 0; i < t->n_columns; i++) {
        cells[i] = (struct cell){.text = t->columns[i].title,
                                 .style = TERM_DIM,
                                 .width = width_of(t->columns[i].title)};
    }
    put_line(t, cells, term, out);
    free(cells);
}

/* Hand out the lines, heading and all, in `out`; flush: NULL, or what empties
 * it after each. */
static void put_lines(const struct table *t, const struct term *term,
                      struct buf *out, void (*flush)(struct buf *, FILE *))
{
    if (is_titled(t)) {
        put_heading(t, term, out);
    }
    for (size_t row = 0; row < table_n_rows(t); row++) {
        put_line(t, t->cells + row * t->n_columns, term, out);
        if (flush != NULL) {
            flush(out, term->file);
        }
    }
}

void table_put(const struct table *t, const struct term *term, struct buf *out)
{
    put_lines(t, term, out, NULL);
}

static void print(struct buf *line, FILE *file)
{
    fwrite(line->data, 1, line->len, file);
    buf_reset(line);
}

/* Line by line: there may be more of them than one buffer holds. */
void table_print(const struct table *t, const struct term *term)
{
    struct buf line;
    buf_init(&line, BUF_MAX_RESPONSE);
    put_lines(t, term, &line, print);
    if (line.len > 0) { /* the heading alone */
        print(&line, term->file);
    }
    buf_fini(&line);
}
