/* report_text: an evaluation for a terminal. */
#ifndef DAEMON_CLI_REPORT_TEXT_H
#define DAEMON_CLI_REPORT_TEXT_H
#include "core/base/err.h"
#include "daemon/cli/term.h"
struct report;
struct report_title;

/* Print figures, classes, confusions and the first n_errors errors. */
MUST_CHECK int report_text(const struct report *r,
                           const struct report_title *title, size_t n_errors,
                           const struct term *term, struct err *err);

#endif
