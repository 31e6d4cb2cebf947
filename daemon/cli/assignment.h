/* assignment: NAME=VALUE of a command line as a member of a JSON object. */
#ifndef DAEMON_CLI_ASSIGNMENT_H
#define DAEMON_CLI_ASSIGNMENT_H
#include "core/base/err.h"
struct json_out;
struct space;

/* Put the member that word says. The value is the first of these that the
 * parameter can have, or the first that there is where nothing fits or space
 * (NULL: unknown) has no such parameter: what it is as JSON; the number that it
 * is to people (.5, +0.5, 5., 007); a string. INVALID: no NAME=VALUE. */
MUST_CHECK int assignment_put(struct json_out *w, const char *word,
                              const struct space *space, struct err *err);

#endif
