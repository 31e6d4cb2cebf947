/* channel: a file descriptor that speaks msg, on a libuv loop. */
#ifndef CORE_WIRE_CHANNEL_H
#define CORE_WIRE_CHANNEL_H
#include "core/base/err.h"
struct uv_loop_s;
struct channel;
struct msg;

struct channel_hooks { /* from the loop, never from inside a channel_ call */
    void *ctx;
    /* Borrows the message. */
    void (*on_msg)(void *ctx, const struct msg *msg);
    /* Exactly once, last word: why is 0 for a clean end of file, ERR_PROTO
     * for broken bytes, ERR_LIMIT for a flood or an unread queue, ERR_IO. */
    void (*on_end)(void *ctx, int why, const char *sentence);
};

/* Takes fd (a stream socket), also on error. Copies hooks, borrows loop. */
MUST_CHECK int channel_open(struct uv_loop_s *loop, int fd,
                            const struct channel_hooks *hooks,
                            struct channel **out, struct err *err);
/* Queue a message; never blocks. LIMIT when 4 MiB are waiting already. */
MUST_CHECK int channel_send(struct channel *c, const struct msg *m,
                            struct err *err);
/* Bytes not yet given to the kernel. */
size_t channel_queued(const struct channel *c);
/* Stop reading, close the fd; on_closed fires once from the loop, then c is
 * gone. on_end does not come any more. on_closed may be NULL. */
void channel_close(struct channel *c, void (*on_closed)(void *ctx), void *ctx);

#endif
