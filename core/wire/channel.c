/* The happy path for a channel is:
 *
 * - channel_open puts the fd into a libuv pipe and starts to read.
 * - on_read feeds the bytes to the frame reader and gives each whole message
 *   to on_msg. Either callback may send or close: the channel itself stays
 *   allocated until close_done.
 * - channel_send frames the message and hands it to uv_write; on_written frees
 *   it.
 * - The peer closes its end: on_read sees the end of file, and on_end(0) comes.
 * - The owner calls channel_close; when both handles (pipe, timer) are closed,
 *   close_done frees the channel and calls on_closed. libuv calls on_written
 *   for each write that never happened before that.
 *
 * Possible failure modes are:
 *
 * - Bytes that are no message, or too many messages a second: end() at once,
 *   from the loop.
 * - A write fails because the peer is gone. Its last words may still lie in the
 *   socket, so the channel goes on reading until the end of file; should that
 *   not come (the peer shut down only one direction), the timer ends the
 *   channel after LAST_WORDS_MS.
 * - The peer does not read and the queue is full, or uv_write refuses:
 *   channel_send must not call back, so it returns the error and leaves the
 *   end to the timer at the next turn of the loop.
 * - The peer ends inside a frame: the piece is dropped and on_end gets ERR_IO;
 *   a worker that was killed did not break the protocol.
 *
 * Memory is bounded: the reader holds less than one frame beside one read, and
 * messages are delivered before more is read; writes are capped.
 */
#include "core/wire/channel.h"
#include "core/base/mem.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { READ_BYTES = 1 << 16, LAST_WORDS_MS = 1000, SECOND_MS = 1000 };

/* A leaky bucket: in it are messages received, less what was paid for and what
 * leaks, so that a reader that comes late is not taken for a fast writer. */
struct meter {
    uint64_t now_ms;
    double n;
};

struct channel {
    uv_pipe_t pipe;
    uv_timer_t timer;
    int n_open; /* handles not yet closed */
    struct channel_hooks hooks;
    struct frame_reader reader;
    struct meter meter;
    bool has_ended;    /* on_end was called */
    bool is_closing;   /* channel_close was called */
    bool cannot_write; /* a write failed */
    struct err last;   /* why the timer will end the channel */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
    char in[READ_BYTES];
};

struct outgoing {
    uv_write_t req;
    struct channel *channel;
    char *bytes;
};

/* --- the end -------------------------------------------------------------- */

/* Always the caller's last statement: the owner may close in on_end. */
static void end(struct channel *c, int why, const char *sentence)
{
    if (c->has_ended || c->is_closing) {
        return;
    }
    c->has_ended = true;
    uv_read_stop((uv_stream_t *)&c->pipe);
    uv_timer_stop(&c->timer);
    c->hooks.on_end(c->hooks.ctx, why, sentence);
}

static void on_timer(uv_timer_t *timer)
{
    struct channel *c = timer->data;
    end(c, c->last.code, c->last.msg);
}

/* End the channel from the loop, after_ms from now, unless it ends before. */
static void end_later(struct channel *c, uint64_t after_ms)
{
    if (!c->has_ended && !c->is_closing) {
        uv_timer_start(&c->timer, on_timer, after_ms, 0);
    }
}

/* --- reading -------------------------------------------------------------- */

static void meter_take(struct meter *m, double n)
{
    m->n = m->n > n ? m->n - n : 0.0;
}

static bool meter_is_flooded(struct meter *m, uint64_t now_ms)
{
    double seconds = (double)(now_ms - m->now_ms) / SECOND_MS;
    meter_take(m, CHANNEL_MAX_PER_SECOND * seconds);
    m->now_ms = now_ms;
    m->n += 1.0;
    return m->n > CHANNEL_BURST * CHANNEL_MAX_PER_SECOND;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct channel *c = handle->data;
    (void)suggested;
    *out = uv_buf_init(c->in, sizeof(c->in));
}

static void deliver(struct channel *c)
{
    struct err err = {0};
    for (;;) {
        struct msg msg;
        int rc = frame_reader_next(&c->reader, &msg, &err);
        if (rc == 0) {
            return;
        }
        if (rc < 0) {
            end(c, rc, err.msg);
            return;
        }
        if (meter_is_flooded(&c->meter, uv_now(c->pipe.loop))) {
            msg_fini(&msg);
            end(c, ERR_LIMIT, "the peer floods the channel");
            return;
        }
        c->hooks.on_msg(c->hooks.ctx, &msg);
        msg_fini(&msg);
        if (c->is_closing || c->has_ended) {
            return;
        }
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    struct channel *c = stream->data;
    struct err err = {0};
    if (n == UV_EOF) {
        bool is_whole = c->reader.pending.len == c->reader.at;
        end(c, is_whole ? 0 : ERR_IO,
            is_whole ? "the peer closed the channel"
                     : "the peer ended inside a message");
    } else if (n < 0) {
        end(c, ERR_IO, uv_strerror((int)n));
    } else if (n > 0) {
        int rc = frame_reader_feed(&c->reader, bytes->base, (size_t)n, &err);
        if (rc != 0) {
            end(c, rc, err.msg);
        } else {
            deliver(c);
        }
    }
}

/* --- opening and closing -------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct channel *c = handle->data;
    if (--c->n_open > 0) {
        return;
    }
    void (*on_closed)(void *) = c->on_closed;
    void *ctx = c->closed_ctx;
    frame_reader_fini(&c->reader);
    free(c);
    if (on_closed != NULL) {
        on_closed(ctx);
    }
}

void channel_close(struct channel *c, void (*on_closed)(void *ctx), void *ctx)
{
    if (c->is_closing) {
        return;
    }
    c->is_closing = true;
    c->on_closed = on_closed;
    c->closed_ctx = ctx;
    uv_close((uv_handle_t *)&c->pipe, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

/* libuv aborts when it is told to poll a regular file. */
static bool is_socket(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

int channel_open(struct uv_loop_s *loop, int fd,
                 const struct channel_hooks *hooks, struct channel **out,
                 struct err *err)
{
    if (!is_socket(fd)) {
        if (fd >= 0) {
            close(fd);
        }
        return err_set(err, ERR_INVALID, "descriptor %d is not a socket", fd);
    }
    struct channel *c = mem_alloc(1, sizeof(*c));
    c->hooks = *hooks;
    frame_reader_init(&c->reader);
    uv_pipe_init(loop, &c->pipe, 0); /* these two cannot fail */
    uv_timer_init(loop, &c->timer);
    c->pipe.data = c;
    c->timer.data = c;
    c->n_open = 2;
    c->meter.now_ms = uv_now(loop);
    int rc = uv_pipe_open(&c->pipe, fd);
    if (rc != 0) {
        close(fd);
    } else {
        rc = uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
    }
    if (rc != 0) {
        channel_close(c, NULL, NULL);
        return err_set(err, ERR_IO, "open a channel: %s", uv_strerror(rc));
    }
    *out = c;
    return 0;
}

/* --- writing -------------------------------------------------------------- */

static void on_written(uv_write_t *req, int status)
{
    struct outgoing *o = req->data;
    struct channel *c = o->channel;
    free(o->bytes);
    free(o);
    if (status < 0 && status != UV_ECANCELED && !c->cannot_write) {
        c->cannot_write = true;
        err_set(&c->last, ERR_IO, "write to the peer: %s", uv_strerror(status));
        end_later(c, LAST_WORDS_MS);
    }
}

size_t channel_queued(const struct channel *c)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe);
}

static int write_bytes(struct channel *c, struct buf *frame, struct err *err)
{
    struct outgoing *o = mem_alloc(1, sizeof(*o));
    uv_buf_t bytes = uv_buf_init(frame->data, (unsigned)frame->len);
    o->channel = c;
    o->bytes = buf_take(frame);
    o->req.data = o;
    int rc = uv_write(&o->req, (uv_stream_t *)&c->pipe, &bytes, 1, on_written);
    if (rc != 0) {
        free(o->bytes);
        free(o);
        c->cannot_write = true;
        err_set(&c->last, ERR_IO, "write to the peer: %s", uv_strerror(rc));
        end_later(c, LAST_WORDS_MS);
        return err_set(err, ERR_IO, "%s", c->last.msg);
    }
    return 0;
}

int channel_send(struct channel *c, const struct msg *m, struct err *err)
{
    if (c->has_ended || c->is_closing || c->cannot_write) {
        return err_set(err, ERR_IO, "the peer is gone");
    }
    struct buf frame;
    buf_init(&frame, 4 + BUF_MAX_FRAME);
    int rc = frame_encode(m, &frame, err);
    if (rc == 0 && channel_queued(c) + frame.len > CHANNEL_MAX_QUEUED) {
        c->cannot_write = true;
        rc = err_set(&c->last, ERR_LIMIT,
                     "the peer does not read: %d MiB are waiting",
                     CHANNEL_MAX_QUEUED >> 20);
        err_set(err, rc, "%s", c->last.msg);
        end_later(c, 0);
    }
    if (rc == 0) {
        rc = write_bytes(c, &frame, err);
    }
    if (rc == 0) {
        meter_take(&c->meter, CHANNEL_ANSWERS);
    }
    buf_fini(&frame);
    return rc;
}
