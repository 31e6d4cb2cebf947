/* pool_strays: what dead workers left running.
 *
 * A process may leave its parents (setsid, a double fork); the kernel gives an
 * orphan to the nearest ancestor that asked for orphans. A command's guardian
 * and its worker did (worker/process.c); when both are killed it is us. All our
 * children are workers then, or such orphans, which are killed and reaped.
 *
 * Unless others may send us theirs: process 1 gets everybody's orphans, and who
 * was started by a program's exec has the children that it had. Then none is
 * asked for and none is touched. */
#ifndef DAEMON_POOL_STRAYS_H
#define DAEMON_POOL_STRAYS_H
#include <stdbool.h>
#include <sys/types.h>
struct uv_loop_s;
struct pool_strays;

/* From the main thread: orphans come to it, and it makes the workers.
 * is_worker: a live one, or a dead one that is not reaped yet. Borrows loop. */
struct pool_strays *pool_strays_new(struct uv_loop_s *loop,
                                    bool (*is_worker)(void *ctx, pid_t pid),
                                    void *ctx);
/* A worker has died: end what it left, from the loop. */
void pool_strays_end(struct pool_strays *s);
/* on_closed once, when none is left (or does not end); then s is gone. */
void pool_strays_close(struct pool_strays *s, void (*on_closed)(void *ctx));

#endif
