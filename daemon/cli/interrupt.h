/* interrupt: Ctrl-C, SIGTERM and SIGHUP as a flag; Ctrl-Z and the terminal. */
#ifndef DAEMON_CLI_INTERRUPT_H
#define DAEMON_CLI_INTERRUPT_H
#include <stdbool.h>

/* From now on these signals set the flag instead of ending the program; calls
 * that sleep return early. A second one while the first is not yet honoured
 * ends the program. */
void interrupt_watch(void);
/* Did one come? Never, when nobody watches. */
bool interrupt_came(void);
/* The flag itself, for code below that looks at one: the number of the signal;
 * 0: none came. */
const volatile int *interrupt_flag(void);

/* Hide the cursor of the terminal on fd and stop echoing keys, until
 * interrupt_give_back. Whatever ends or suspends the program meanwhile gives
 * the terminal back first, and who goes on after Ctrl-Z takes it again.
 * Returns a counter of such suspensions: after one, what was painted is gone.
 */
const volatile int *interrupt_take_terminal(int fd);
void interrupt_give_back(void);
/* Are we the job that the terminal's keyboard belongs to? */
bool interrupt_is_foreground(void);

#endif
