/* heartbeat: when a daemon last lived, for the one after it.
 *
 * What a silent trial has worked, and its study been active, is in no row: a
 * daemon that is killed takes it along. So PATH-alive beside the database holds
 * the time of its last tick, how long it had lived by then, and when it began:
 * the last two tell the time also when its clock was set meanwhile. It is
 * written without a sync: a kill loses nothing of it, and after a power loss an
 * older time, or none, counts.
 *
 * It is no file's mtime: copies of the folder, and a start that fails, would
 * change that. And it is named after the database, so that it goes away with
 * it (`mv parzen.db*`) when somebody goes back to a backup. */
#ifndef DAEMON_HEARTBEAT_H
#define DAEMON_HEARTBEAT_H
#include <stdint.h>

struct heartbeat {
    int fd;                       /* of PATH-alive, -1: none */
    int64_t born_utc_ms, born_ms; /* of this life; monotonic */
    /* Of the last beat, at first another life's; 0: none. */
    int64_t alive_ms; /* UTC */
    int64_t lived_ms; /* how long that life had lasted, monotonic: without the
                         time that the machine slept */
    int64_t begun_ms; /* UTC, as its clock said then */
};

/* A life begins: read what the last one left; nothing is written yet. A file
 * that cannot be opened is as good as none. */
void heartbeat_open(struct heartbeat *h, const char *db, int64_t now_ms,
                    int64_t mono_ms);
/* Alive now. A disk that takes nothing leaves the file as it was. */
void heartbeat_beat(struct heartbeat *h, int64_t now_ms, int64_t mono_ms);
void heartbeat_close(struct heartbeat *h);

#endif
