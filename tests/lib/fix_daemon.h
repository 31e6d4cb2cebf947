/* fix_daemon: a process on DIR/sock that answers as the test says, for what no
 * real parzend can be brought to say at will. */
#ifndef TESTS_LIB_FIX_DAEMON_H
#define TESTS_LIB_FIX_DAEMON_H
#include <sys/types.h>
struct buf;

/* Put the body of the reply to the nth request (from 0) and return its status.
 * path: "/studies/s?x=1", behind /api/v1. Runs in the other process. */
typedef int fix_daemon_answer(const char *path, int n, struct buf *body);

struct fix_daemon {
    pid_t pid;
    int *n_requests; /* shared with it */
};

/* Makes the folder, if it is not there; the socket takes connections then. */
void fix_daemon_start(struct fix_daemon *d, const char *dir,
                      fix_daemon_answer *answer);
void fix_daemon_stop(struct fix_daemon *d);

#endif
