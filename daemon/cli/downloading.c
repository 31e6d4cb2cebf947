#include "daemon/cli/downloading.h"
#include "core/base/buf.h"
#include "daemon/cli/bars.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/clock.h"
#include "daemon/cli/format.h"
#include "daemon/cli/interrupt.h"

#include <inttypes.h>
#include <string.h>

enum { PAINT_MS = 100, BAR_WIDTH = 24 };

static void put_amount(struct buf *out, uint64_t n, const char *unit)
{
    char text[FORMAT_SIZE];
    if (strcmp(unit, "bytes") == 0) {
        format_bytes(n, text);
        buf_str(out, text);
    } else {
        buf_printf(out, "%" PRIu64 " %s", n, unit);
    }
}

/* The line's text: bar, amount, rate, time left. */
static void put_line(const struct downloading *d, int64_t elapsed_ms,
                     uint64_t done, uint64_t total, const char *unit,
                     struct buf *out)
{
    char left[FORMAT_SIZE];
    double rate =
        elapsed_ms > 0 ? (double)(done - d->first) / (double)elapsed_ms : 0;
    if (total > 0) {
        bars_progress(out, &d->cli->err, (double)done / (double)total,
                      BAR_WIDTH, TERM_ACCENT);
        buf_char(out, ' ');
    }
    put_amount(out, done, unit);
    if (total > 0) {
        buf_str(out, " of ");
        put_amount(out, total, unit);
    }
    if (rate > 0) {
        buf_str(out, ", ");
        put_amount(out, (uint64_t)(rate * 1000), unit);
        buf_str(out, "/s");
    }
    if (rate > 0 && total > done) {
        format_duration((int64_t)((double)(total - done) / rate), left);
        buf_printf(out, ", %s left", left);
    }
}

static void on_progress(void *ctx, uint64_t done, uint64_t total,
                        const char *unit)
{
    struct downloading *d = ctx;
    int64_t now = clock_now_ms();
    if (d->start_ms == 0 || done < d->first) {
        d->start_ms = now;
        d->first = done;
    }
    if (!d->cli->err.is_tty || now - d->painted_ms < PAINT_MS) {
        return;
    }
    struct buf line;
    buf_init(&line, 4096);
    put_line(d, now - d->start_ms, done, total, unit, &line);
    fprintf(stderr, "\r%s\033[K", line.data != NULL ? line.data : "");
    fflush(stderr);
    buf_fini(&line);
    d->painted_ms = now;
    d->is_painted = true;
}

static void wipe(struct downloading *d)
{
    if (d->is_painted) {
        fputs("\r\033[K", stderr);
        d->is_painted = false;
    }
}

static void on_note(void *ctx, const char *sentence)
{
    struct downloading *d = ctx;
    wipe(d);
    cli_say(d->cli, "%s", sentence);
}

void downloading_init(struct downloading *d, struct cli *c)
{
    interrupt_watch();
    *d = (struct downloading){.cli = c,
                              .watch = {.ctx = d,
                                        .on_progress = on_progress,
                                        .on_note = on_note,
                                        .stop = interrupt_flag()}};
}

int downloading_end(struct downloading *d, int rc, struct err *err)
{
    wipe(d);
    if (rc == ERR_UNREACHABLE) {
        rc = err->code = ERR_IO;
    }
    return rc;
}
