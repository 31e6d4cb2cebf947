#include "daemon/wall.h"

#include <time.h>

int64_t wall_ms_of(const struct timespec *t)
{
    int64_t ms = (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
    return ms > 0 ? ms : 1;
}

int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return wall_ms_of(&t);
}
