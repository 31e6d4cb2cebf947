/* pool_left: what a killed life of the daemon left running.
 *
 * A worker dies with its daemon, and what a worker started is ended by those
 * that outlive it (pool_strays.h). When all of them are killed at once, what
 * left its session goes on. It has a mark in its environment, as all that the
 * pool starts: the next life, which alone has the state directory then, ends
 * what carries it before there are workers of its own. */
#ifndef DAEMON_POOL_LEFT_H
#define DAEMON_POOL_LEFT_H

/* "PARZEN_POOL=..." for the pool of a state directory; no other has it, not
 * even where another mount gives it the same path. Owned. */
char *pool_mark(const char *state_dir);
/* Kill all processes that carry the mark, and what they make meanwhile, but
 * this one, those it stems from, and what shares a session, other than init's,
 * with one of them that carries the mark, too. Not while a pool of that state
 * directory works.
 * Not covered: who starts a daemon in a terminal multiplexer that a trial once
 * started loses its other panes, each of which is a session of its own. */
void pool_left_end(const char *mark);

#endif
