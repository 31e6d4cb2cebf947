/* pool_log: the file that a worker's output goes to.
 *
 * A file takes POOL_LOG_MAX bytes of all attempts together; of what comes after
 * that only the end is kept, and written when the attempt has ended: a mark
 * that says how much was dropped, then the last POOL_LOG_TAIL bytes. So the
 * last words of a worker, dead or not, are always at the file's end.
 *
 * File and folder are made when there is something to write: thousands of short
 * trials that print nothing cost no file each. */
#ifndef DAEMON_POOL_LOG_H
#define DAEMON_POOL_LOG_H
#include <stddef.h>
#include <stdint.h>

struct obituary;

enum {
    POOL_LOG_MAX = 10 << 20,
    POOL_LOG_TAIL = 64 << 10,
    POOL_LOG_TAILS = 16 /* written to one file at most */
};

struct pool_log { /* zeroed by pool_log_init */
    int fd;       /* -1: not open yet, or output goes nowhere */
    char *path;   /* to be opened at the first byte; NULL: nothing to open */
    uint64_t size;
    uint64_t n_dropped;
    char *tail; /* ring of the last dropped bytes; NULL: none yet. Owned */
};

void pool_log_init(struct pool_log *l);
/* Close what is open, and go on at the end of this file (copied; NULL:
 * nowhere). A file that cannot be written loses the output, nothing else. */
void pool_log_open(struct pool_log *l, const char *path);
void pool_log_add(struct pool_log *l, const char *at, size_t n);
/* Add what there is in the pipe fd, which does not block, and tell it to o: the
 * word that a worker's work is done comes by another way, and may be the first
 * to come. */
void pool_log_drain(struct pool_log *l, struct obituary *o, int fd);
/* Write the end that is kept, if any; what comes after it is kept anew. */
void pool_log_settle(struct pool_log *l);
void pool_log_close(struct pool_log *l); /* settles it */

#endif
