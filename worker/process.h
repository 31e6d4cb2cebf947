/* process: a program and all that it starts, which ends with it.
 *
 * A guardian stands between the worker and the program: it outlives neither,
 * and takes every descendant along when the program or the worker ends, also
 * those that left the program's process group and session. */
#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t group;        /* the program's pid and process group */
    pid_t guardian;     /* 0: killed, and reaped */
    int out_fd, err_fd; /* its standard output and error, not blocking */
    int status_fd;      /* the guardian's word */
    bool has_ended;
    bool is_lost; /* ended because the guardian was killed: no status */
    int status;   /* of waitpid, once has_ended and not is_lost */
    int64_t end_due_ms, look_ms, memory_due_ms; /* process.c's; 0: not yet */
};

/* Borrows all. argv[0] is looked up in PATH. The program has the umask and the
 * soft limits (core, files) that the daemon was started with
 * (core/base/heritage.h). UNREACHABLE: the system makes no process now (fork);
 * IO.
 */
MUST_CHECK int process_start(char *const *argv, char *const *envp,
                             const char *directory, struct process *out,
                             struct err *err);
/* Look whether it has ended; does not wait. Called again and again, it keeps
 * the guardian awake, and ends one that does not act on the program's end. */
bool process_has_ended(struct process *p);
void process_signal(struct process *p, int signal); /* to the group */
/* Do all its processes together use more memory than this? What they share
 * counts once. May be asked at any time: it looks now and then, as seldom as it
 * is dear, and says no between. */
bool process_exceeds(struct process *p, int64_t bytes);
/* Kill what is left of it, reap the guardian, close. */
void process_fini(struct process *p);

#endif
