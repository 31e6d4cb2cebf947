/* channel: a file descriptor that speaks msg, on a libuv loop. */
#ifndef CORE_WIRE_CHANNEL_H
#define CORE_WIRE_CHANNEL_H
#include "core/base/err.h"
struct uv_loop_s;
struct channel;
struct msg;

enum {
    CHANNEL_MAX_QUEUED = 4 << 20, /* bytes that wait for the peer to read */
    /* A peer floods when it sends more than this for long: by what BURST
     * seconds allow. Each message sent to it pays for ANSWERS of its own: who
     * answers fast does not flood. */
    CHANNEL_MAX_PER_SECOND = 1000,
    CHANNEL_BURST = 8,
    CHANNEL_ANSWERS = 8
};

struct channel_hooks { /* from the loop, never from inside a channel_ call */
    void *ctx;
    /* Borrows the message. */
    void (*on_msg)(void *ctx, const struct msg *msg);
    /* Exactly once, last word: why is 0 for a clean end of file, ERR_PROTO
     * for broken bytes, ERR_LIMIT for a flood or an unread queue, ERR_IO when
     * the system says so or the peer ended inside a frame (it was killed). All
     * whole messages that arrived before the end were given to on_msg. The
     * owner calls channel_close, here or later. */
    void (*on_end)(void *ctx, int why, const char *sentence);
};

/* Takes fd (a stream socket), also on error. Copies hooks, borrows loop. The
 * program must ignore SIGPIPE. After an error the loop must run once more. */
MUST_CHECK int channel_open(struct uv_loop_s *loop, int fd,
                            const struct channel_hooks *hooks,
                            struct channel **out, struct err *err);
/* Queue a message; never blocks. LIMIT when it is larger than a frame, or when
 * 4 MiB would be waiting: then the peer does not read, and on_end follows. IO
 * when the peer is gone; on_end follows or has come. */
MUST_CHECK int channel_send(struct channel *c, const struct msg *m,
                            struct err *err);
/* Bytes not yet given to the kernel. */
size_t channel_queued(const struct channel *c);
/* Stop reading, close the fd; on_closed fires once from the loop, then c is
 * gone. on_end does not come any more. on_closed may be NULL. What is queued
 * is dropped: wait for channel_queued() == 0 first where that matters. */
void channel_close(struct channel *c, void (*on_closed)(void *ctx), void *ctx);

#endif
