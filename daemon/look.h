/* look: a loaded database through the same views as the daemon's HTTP API, for
 * files that no daemon has. */
#ifndef DAEMON_LOOK_H
#define DAEMON_LOOK_H
#include "core/base/err.h"
struct json_out;
struct mirror;

/* path: below /api/v1, percent-encoded, with its query: GET of /studies,
 * /studies/S, /studies/S/trials[?state=&limit=&after=&from=],
 * /studies/S/trials/N or /studies/S/importances[?evaluator=]; importances are
 * computed here. */
MUST_CHECK int look(struct mirror *m, const char *state_dir, const char *path,
                    struct json_out *w, struct err *err);

#endif
