/* wall: the daemon's only look at the wall clock, which people and programs
 * set as they like: no duration and no deadline is computed from it. */
#ifndef DAEMON_WALL_H
#define DAEMON_WALL_H
#include <stdint.h>
struct timespec;

/* UTC milliseconds; at least 1, whatever the clock says: 0 means "not yet"
 * where times are kept, and nothing there is below it. */
int64_t wall_ms(void);
int64_t wall_ms_of(const struct timespec *t);

#endif
