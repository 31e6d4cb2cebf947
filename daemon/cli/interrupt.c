#include "daemon/cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile int caught; /* the one thing that a handler may write */

static void on_signal(int signum)
{
    caught = signum;
}

const volatile int *interrupt_watch(void)
{
    /* RESETHAND: the second one is not caught any more. */
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    return &caught;
}
