/* heritage: what a user's program is to have of the process that the user
 * started, though those between set it otherwise for themselves: how private
 * its files are, how large a core dump may be, how many files it may open. */
#ifndef CORE_BASE_HERITAGE_H
#define CORE_BASE_HERITAGE_H
#include <stdint.h>
#include <sys/types.h>

struct heritage {
    mode_t umask;
    uint64_t core;  /* bytes, or RLIM_INFINITY */
    uint64_t files; /* that may be open at once */
};

/* Note what this process has, for itself and all that it starts: in the
 * environment. Before there are threads. */
void heritage_note(void);
/* Files for this user alone from now on, and no core dumps. */
void heritage_hide(void);
/* What was noted; what this process has, where nothing was. */
void heritage_read(struct heritage *out);
/* Have it again. May be called between fork and exec. */
void heritage_take(const struct heritage *h);

#endif
