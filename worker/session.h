/* session: a worker's life on its channel: one job at a time. */
#ifndef WORKER_SESSION_H
#define WORKER_SESSION_H
#include "core/base/err.h"
struct uv_loop_s;

/* Say HELLO on fd (taken) and do what the daemon asks until QUIT or the end
 * of the channel. Runs loop; returns when nothing is open any more. 0 after
 * QUIT, UNREACHABLE when the daemon went away. */
MUST_CHECK int session_run(struct uv_loop_s *loop, int fd, struct err *err);

#endif
