/* listen: the sockets of the two doors, and the files that tell of them. */
#ifndef DAEMON_HTTP_LISTEN_H
#define DAEMON_HTTP_LISTEN_H
#include "core/base/err.h"
#include <stdbool.h>
#include <sys/types.h>

/* Listen on STATE/sock (0600), replacing one that an earlier life left: the
 * caller holds the state directory's lock. The path may be longer than a
 * socket's address. */
MUST_CHECK int listen_unix(const char *state_dir, int *fd, struct err *err);
/* The inode of STATE/sock; 0: there is no socket. */
ino_t listen_inode(const char *state_dir);
/* Listen on 127.0.0.1:port, 0: any free one; *actual is what it became.
 * CONFLICT when the port is in use, or not for this user. */
MUST_CHECK int listen_tcp(int port, int *fd, int *actual, struct err *err);
/* Write STATE/port. It outlives the daemon: the next start takes that port
 * again, so that the page keeps its address. Who listens, and whether anybody
 * does, is the Unix socket's to say. */
MUST_CHECK int listen_tell_port(const char *state_dir, int port,
                                struct err *err);
/* The port that was told last; 0: none. */
int listen_last_port(const char *state_dir);
/* Remove STATE/sock. */
void listen_forget(const char *state_dir);
/* Is the other end of this Unix connection a process of our user, or root? */
bool listen_peer_is_ours(int fd);

#endif
