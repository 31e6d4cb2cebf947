/* interrupt: Ctrl-C, SIGTERM and SIGHUP as a flag. */
#ifndef DAEMON_CLI_INTERRUPT_H
#define DAEMON_CLI_INTERRUPT_H

/* From now on these signals set the flag (the signal's number) instead of
 * ending the program; calls that sleep return early. A second one while the
 * first is not yet honoured ends the program. */
const volatile int *interrupt_watch(void);

#endif
