/* proc: what the kernel tells of processes. */
#ifndef CORE_BASE_PROC_H
#define CORE_BASE_PROC_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
    pid_t pid, parent;
    char state;     /* 'Z': dead, and not reaped */
    int64_t memory; /* resident, bytes: what several share counts for each */
};

/* false: there is none, or it may not be looked at. */
bool proc_read(pid_t pid, struct proc *out);
/* The bytes of a process's resident memory where what n processes share counts
 * as the nth part: a sum over processes counts it once. The kernel walks all
 * its pages: that takes milliseconds when they are many. What proc_read tells,
 * where the kernel does not say; 0: the process has ended. */
int64_t proc_share(pid_t pid);
/* The children of the calling thread, as many of them as there is room for;
 * returns how many. Orphans become children of the main thread. May be called
 * between fork and exec. */
int proc_children(pid_t *out, int max);
/* Was it started with this "NAME=value" in its environment? false also when
 * that may not be looked at. */
bool proc_has_env(pid_t pid, const char *entry);

/* The variable that says which daemon's pool a process is of; its workers hand
 * it down to what they start. */
#define PROC_POOL "PARZEN_POOL"

#endif
