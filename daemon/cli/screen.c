#include "daemon/cli/screen.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/width.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAME_MAX = 4 << 20 };

/* A terminal that got narrower has wrapped the lines that stood there. */
static int rows_painted(const struct screen *s)
{
    int columns, rows, n = 0;
    term_size(s->term, &columns, &rows);
    for (int i = 0; i < s->n_lines; i++) {
        n +=
            s->widths[i] > columns ? (s->widths[i] + columns - 1) / columns : 1;
    }
    return n;
}

/* Copy lines, wiping what stood behind each. */
static void put_lines(struct buf *out, const struct buf *lines)
{
    for (size_t at = 0; lines != NULL && at < lines->len;) {
        size_t n = strcspn(lines->data + at, "\n");
        buf_add(out, lines->data + at, n);
        buf_str(out, "\033[K\n");
        at += n + 1;
    }
}

static void measure(struct screen *s, const struct buf *block)
{
    s->n_lines = 0;
    for (size_t at = 0; at < block->len && s->n_lines < SCREEN_MAX_LINES;) {
        size_t n = strcspn(block->data + at, "\n");
        char *line = mem_strndup(block->data + at, n);
        s->widths[s->n_lines++] = width_of(line);
        free(line);
        at += n + 1;
    }
}

static void write_out(const struct screen *s, struct buf *frame)
{
    fwrite(frame->data, 1, frame->len, s->term->file);
    fflush(s->term->file);
    buf_fini(frame);
}

void screen_init(struct screen *s, const struct term *term)
{
    fflush(term->file);
    *s = (struct screen){.term = term,
                         .suspensions =
                             interrupt_take_terminal(fileno(term->file))};
    setvbuf(term->file, NULL, _IOFBF, 1 << 16);
}

void screen_paint(struct screen *s, const struct buf *above,
                  const struct buf *block)
{
    struct buf frame;
    if (s->n_suspensions != *s->suspensions) {
        s->n_suspensions = *s->suspensions;
        s->n_lines = 0; /* a shell has written since */
    }
    int up = rows_painted(s);
    buf_init(&frame, FRAME_MAX);
    buf_char(&frame, '\r');
    if (up > 0) {
        buf_printf(&frame, "\033[%dA", up);
    }
    put_lines(&frame, above);
    put_lines(&frame, block);
    buf_str(&frame, "\033[J");
    measure(s, block);
    write_out(s, &frame);
}

void screen_fini(struct screen *s)
{
    struct buf none;
    buf_init(&none, 1);
    screen_paint(s, NULL, &none);
    setvbuf(s->term->file, NULL, _IONBF, 0);
    buf_fini(&none);
    interrupt_give_back();
}
