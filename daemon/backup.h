/* backup: copies of the database, made in a thread beside the loop: one an
 * hour, when something has changed since the last; STATE/backups/ holds them.
 */
#ifndef DAEMON_BACKUP_H
#define DAEMON_BACKUP_H
#include <stdint.h>
struct backup;
struct uv_loop_s;

struct backup_hooks { /* called from the loop, never from inside a call */
    void *ctx;
    /* A number that changes with the rows; 0: there is nothing to keep, or
     * nothing should be begun now. */
    int64_t (*state)(void *ctx);
};

/* Borrows loop, copies the rest. every_ms 0: none are made. Release by
 * backup_close. */
struct backup *backup_new(struct uv_loop_s *loop, const char *state_dir,
                          int64_t every_ms, const struct backup_hooks *hooks);
/* Give up what is being made; on_closed fires once, then *b is gone. */
void backup_close(struct backup *b, void (*on_closed)(void *ctx), void *ctx);

#endif
