/* program: another program, run to its end. */
#ifndef DAEMON_CLI_PROGRAM_H
#define DAEMON_CLI_PROGRAM_H
#include "core/base/err.h"
#include <stdbool.h>
struct buf;
struct json;

/* Run it and append what it prints on its standard output (and error, if so
 * wished) to out; its exit code, or -1 when it did not run or was killed. argv
 * ends with NULL. */
int program_run(const char *path, const char *const *argv, bool with_errors,
                struct buf *out);
/* Run `parzend ARGV...`, which stands beside us, for one JSON value (json_free
 * *out); {"error":{"code","message"}} is an error. argv[0] is ignored. */
MUST_CHECK int program_ask_parzend(const char **argv, struct json **out,
                                   struct err *err);

#endif
