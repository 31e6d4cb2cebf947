#include "core/base/log.h"
#include "core/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static enum log_level least_level = LOG_LEVEL_INFO;
static int log_fd = STDERR_FILENO;

enum { LINE_MAX_BYTES = 4096 };

void log_set_level(enum log_level least)
{
    least_level = least;
}

void log_set_fd(int fd)
{
    log_fd = fd;
}

static void prefix(struct buf *line, enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    static const int priority[] = {7, 6, 4, 3}; /* syslog's numbers */
    if (getenv("JOURNAL_STREAM") != NULL) {
        buf_printf(line, "<%d>", priority[level]);
        return;
    }
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    char day[32];
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_printf(line, "%s.%03ldZ %s ", day, now.tv_nsec / 1000000, names[level]);
}

void log_line(enum log_level level, const char *what, const char *fmt, ...)
{
    if (level < least_level) {
        return;
    }
    char fields[LINE_MAX_BYTES];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fields, sizeof(fields), fmt, ap);
    va_end(ap);

    struct buf line;
    buf_init(&line, 8 * LINE_MAX_BYTES);
    prefix(&line, level);
    buf_str(&line, what);
    buf_char(&line, ' ');
    for (const char *p = fields; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == 0x7f) {
            buf_printf(&line, "\\x%02x", c);
        } else {
            buf_char(&line, (char)c);
        }
    }
    buf_char(&line, '\n');
    /* One write: lines of several threads or processes do not mix. A log that
     * cannot be written (full disk) must not stop the program. */
    ssize_t ignored = write(log_fd, line.data, line.len);
    (void)ignored;
    buf_fini(&line);
}
