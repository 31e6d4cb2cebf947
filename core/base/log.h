/* log: levels and key=value lines on stderr.
 *
 *   LOG_INFO("trial assigned", "study=%s trial=%d attempt=%d", s, t, a);
 *   -> 2026-01-31T12:00:00.123Z info trial assigned study=s trial=3 attempt=1
 *
 * With JOURNAL_STREAM set (systemd) the time is left out and a <N> priority
 * prefix put in. Control characters are written as \xNN, so one event is one
 * line whatever a name contains. */
#ifndef CORE_BASE_LOG_H
#define CORE_BASE_LOG_H
#include "core/base/base.h"

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR
};

void log_set_level(enum log_level least);
/* Lines go to this descriptor from now on (default 2). Borrows. */
void log_set_fd(int fd);
void log_line(enum log_level level, const char *what, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#define LOG_DEBUG(what, ...) log_line(LOG_LEVEL_DEBUG, what, __VA_ARGS__)
#define LOG_INFO(what, ...)  log_line(LOG_LEVEL_INFO, what, __VA_ARGS__)
#define LOG_WARN(what, ...)  log_line(LOG_LEVEL_WARN, what, __VA_ARGS__)
#define LOG_ERROR(what, ...) log_line(LOG_LEVEL_ERROR, what, __VA_ARGS__)

#endif
