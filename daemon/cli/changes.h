/* changes: what of a study's config is another than before, for people. */
#ifndef DAEMON_CLI_CHANGES_H
#define DAEMON_CLI_CHANGES_H
#include "core/base/json.h"
#include "daemon/cli/cli.h"

/* One line for each value that differs between two canonical configs, in the
 * order of `after`: "stop.hours: null before, now 3.0". */
void changes_say(const struct cli *c, const struct json *before,
                 const struct json *after);

#endif
