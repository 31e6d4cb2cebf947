/* follow: watch a study until it is over, on the terminal or as lines. */
#ifndef DAEMON_CLI_FOLLOW_H
#define DAEMON_CLI_FOLLOW_H
#include "core/base/err.h"
#include <stdint.h>
struct cli;
struct json;

/* Follow from what `study` (its view) says on: news go to stderr. 0 when the
 * study is over; CANCELED after Ctrl-C, UNREACHABLE when the daemon died and
 * none came back for a while, NOTFOUND when the study was deleted.
 * n_history: as many of the trials finished before are shown first. */
MUST_CHECK int follow_study(struct cli *c, const struct json *study,
                            int n_history, struct err *err);

#endif
