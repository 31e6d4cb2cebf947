/* fault_vfs: SQLite's file operations, failing on demand.
 *
 * Installed as SQLite's default VFS, it hands everything to the real one. Armed
 * with a countdown, it lets that many operations pass and fails the next: once
 * (one-shot), or from then on (sticky). Looping the countdown from 0 until a
 * run passes unharmed visits every operation of a scenario. */
#ifndef TESTS_LIB_FAULT_VFS_H
#define TESTS_LIB_FAULT_VFS_H
#include <stdbool.h>

enum fault_kind {
    FAULT_IO,    /* write, sync, truncate, open: an I/O error */
    FAULT_FULL,  /* write, truncate: no space left */
    FAULT_SHORT, /* write: half of the bytes arrive, then no space is left */
    FAULT_GROWTH /* write: no space left, unless the file has it already */
};

void fault_vfs_install(void);
void fault_vfs_arm(enum fault_kind kind, int countdown, bool sticky);
/* Let everything pass again. How many operations failed since arm. */
int fault_vfs_disarm(void);
#endif
