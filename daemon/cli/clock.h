/* clock: how long something takes; no wall clock that is set changes it. */
#ifndef DAEMON_CLI_CLOCK_H
#define DAEMON_CLI_CLOCK_H
#include <stdint.h>

/* Monotonic milliseconds, only good for differences. */
int64_t clock_now_ms(void);
/* The same as seconds, to the nanosecond. */
double clock_now_s(void);

#endif
