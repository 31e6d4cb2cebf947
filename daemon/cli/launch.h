/* launch: the daemon of a state directory: is it there, start it, end it. */
#ifndef DAEMON_CLI_LAUNCH_H
#define DAEMON_CLI_LAUNCH_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct cli;
struct json;

struct launch_options {
    int port;      /* -1: the usual one, or another when that is taken */
    int n_workers; /* 0: as many as there are cores */
};

/* Start parzend, which stands beside this program, unless one answers already;
 * returns when it answers. *started says which. *health (json_free) is what it
 * says of itself. The daemon outlives us. Errors have the sentence that it died
 * with; UNREACHABLE when it neither answers nor dies. */
MUST_CHECK int launch_daemon(struct cli *c, const struct launch_options *o,
                             bool *started, struct json **health,
                             struct err *err);
/* The same with the usual options, said to the user when it was started. */
MUST_CHECK int launch_ensure(struct cli *c, struct err *err);
/* GET /health; UNREACHABLE when no daemon answers. */
MUST_CHECK int launch_health(struct cli *c, struct json **health,
                             struct err *err);
/* Has a process the state directory's lock? */
bool launch_is_held(const char *state_dir);
/* Ask the daemon to end and wait until its process is gone. *pid is its. */
MUST_CHECK int launch_stop(struct cli *c, int64_t *pid, struct err *err);
/* The page's address with its token, a new string. */
MUST_CHECK int launch_url(const struct cli *c, const struct json *health,
                          char **out, struct err *err);
/* The path of a program beside ours: a new string. */
char *launch_beside_us(const char *program);

#endif
