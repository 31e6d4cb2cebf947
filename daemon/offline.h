/* offline: what parzend does with a database without being its daemon: it only
 * reads; a daemon may work at it meanwhile. One JSON value goes to stdout; an
 * error is one too, as HTTP's replies have it ({"error":{"code","message"}}).
 */
#ifndef DAEMON_OFFLINE_H
#define DAEMON_OFFLINE_H
#include <stdbool.h>

struct offline_request { /* all borrowed; NULL: not asked */
    const char *state_dir;
    const char *db;     /* instead of STATE/parzen.db; Optuna's too */
    const char *look;   /* a path of the HTTP API: "/studies/S/trials?.." */
    const char *replay; /* a study: recompute its suggestions (replay.h) */
    const char *export; /* a study: into the file `to`, for Optuna */
    const char *to, *stamp;
    bool overwrite;
};

bool offline_is_asked(const struct offline_request *r);
/* Do it; the exit code: 0, or 1 for an error. */
int offline_run(const struct offline_request *r);

#endif
