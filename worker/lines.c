#include "worker/lines.h"

#include <stdio.h>

void lines_init(struct lines *l)
{
    *l = (struct lines){.is_long = false};
    buf_init(&l->text, LINES_MAX);
}

void lines_fini(struct lines *l)
{
    buf_fini(&l->text);
}

static void begin_anew(struct lines *l)
{
    buf_reset(&l->text);
    l->is_long = l->is_returned = false;
}

static void end_line(struct lines *l, lines_taker *take, void *ctx)
{
    if (l->text.len > 0) {
        fwrite(l->text.data, 1, l->text.len, stdout);
    }
    putchar('\n');
    if (!l->is_long && l->text.len > 0 && take != NULL) {
        take(ctx, l->text.data, l->text.len, true);
    }
    begin_anew(l);
}

static void add_byte(struct lines *l, char byte, lines_taker *take, void *ctx)
{
    if (l->is_returned && !l->is_long) {
        begin_anew(l);
    }
    l->is_returned = false;
    if (l->text.len + 1 >= LINES_MAX) { /* print what there is */
        fwrite(l->text.data, 1, l->text.len, stdout);
        if (!l->is_long && take != NULL) {
            take(ctx, l->text.data, l->text.len, false);
        }
        buf_reset(&l->text);
        l->is_long = true;
    }
    buf_char(&l->text, byte);
}

void lines_add(struct lines *l, const char *bytes, size_t n, lines_taker *take,
               void *ctx)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            end_line(l, take, ctx);
        } else if (bytes[i] == '\r') {
            l->is_returned = true;
        } else {
            add_byte(l, bytes[i], take, ctx);
        }
    }
}

void lines_end(struct lines *l, lines_taker *take, void *ctx)
{
    if (l->text.len > 0 || l->is_long) {
        end_line(l, take, ctx);
    }
}
