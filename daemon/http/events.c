/* Streams of server-sent events.
 *
 * Happy path: a reply with a topic becomes a stream; the library asks
 * on_read for bytes: first the beginning, then the queue; when both are empty
 * the connection is suspended. http_server_publish appends to the queues,
 * resumes and wakes the door.
 *
 * Failure modes: a reader that has gone is only found by writing, therefore
 * pings; one that reads too slowly lets its queue overflow and is cut off (the
 * beginning does not count: that is what it asked for), one that does not read
 * at all is closed by the library. Publishing may happen inside a handler,
 * that is inside the library: nothing here runs it. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/http/http_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct stream {
    struct stream *prev, *next;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    int64_t topic;
    struct buf beginning, queue;
    size_t beginning_at, queue_at; /* of the first byte not yet taken */
    bool is_suspended;
    bool is_ending; /* when all is taken, the stream is over */
    bool is_cut;    /* at once */
};

/* --- the library's side --- */

/* Move bytes from b to out; all taken: b is empty again. */
static size_t take(struct buf *b, size_t *at, char *out, size_t max)
{
    size_t left = b->len - *at, n = left < max ? left : max;
    if (n > 0) {
        memcpy(out, b->data + *at, n);
        *at += n;
    }
    if (*at == b->len) {
        buf_reset(b);
        *at = 0;
    }
    return n;
}

static ssize_t on_read(void *stream, uint64_t pos, char *out, size_t max)
{
    struct stream *t = stream;
    (void)pos;
    if (t->is_cut) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    size_t n = 0;
    if (t->beginning.len > 0) {
        n = take(&t->beginning, &t->beginning_at, out, max);
        if (t->beginning.len == 0) {
            buf_fini(&t->beginning);
        }
    } else if (t->queue.len > 0) {
        n = take(&t->queue, &t->queue_at, out, max);
    } else if (t->is_ending) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        MHD_suspend_connection(t->connection);
        t->is_suspended = true;
    }
    return (ssize_t)n;
}

static void on_end(void *stream)
{
    struct stream *t = stream;
    if (t->prev != NULL) {
        t->prev->next = t->next;
    } else {
        t->server->streams = t->next;
    }
    if (t->next != NULL) {
        t->next->prev = t->prev;
    }
    buf_fini(&t->beginning);
    buf_fini(&t->queue);
    free(t);
}

enum MHD_Result events_open(struct http_server *s, struct peer *p,
                            struct MHD_Connection *c, struct http_reply *reply)
{
    struct stream *t = mem_alloc(1, sizeof(*t));
    *t = (struct stream){.next = s->streams,
                         .server = s,
                         .connection = c,
                         .peer = p,
                         .topic = reply->topic,
                         .beginning = reply->body,
                         .is_cut = reply->body.overflow,
                         .is_ending = s->is_closing};
    buf_init(&t->queue, HTTP_STREAM_QUEUE);
    if (s->streams != NULL) {
        s->streams->prev = t;
    }
    s->streams = t;
    peer_enter(p, PEER_STREAMING);
    return reply_stream(c, reply->content_type, on_read, on_end, t);
}

/* --- the daemon's side --- */

static void resume(struct stream *t)
{
    if (t->is_suspended) {
        t->is_suspended = false;
        MHD_resume_connection(t->connection);
        door_wake(t->peer->door);
    }
}

/* A write that waits for the reader fails now. */
static void cut(struct stream *t)
{
    LOG_INFO("stream cut: its reader is too far behind", "topic=%lld",
             (long long)t->topic);
    t->is_cut = true;
    resume(t);
    shutdown(t->peer->fd, SHUT_RDWR);
}

static void append(struct stream *t, const char *bytes, size_t n)
{
    if (t->is_cut || t->is_ending) {
        return;
    }
    if (t->queue_at > 0) {
        t->queue.len -= t->queue_at;
        memmove(t->queue.data, t->queue.data + t->queue_at, t->queue.len + 1);
        t->queue_at = 0;
    }
    buf_add(&t->queue, bytes, n);
    if (t->queue.overflow) {
        cut(t);
    } else {
        resume(t);
    }
}

void http_server_publish(struct http_server *s, int64_t topic,
                         const char *bytes, size_t n)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        if (t->topic == topic) {
            append(t, bytes, n);
        }
    }
}

bool http_server_is_watched(const struct http_server *s, int64_t topic)
{
    for (const struct stream *t = s->streams; t != NULL; t = t->next) {
        if (t->topic == topic) {
            return true;
        }
    }
    return false;
}

void http_server_end_topic(struct http_server *s, int64_t topic)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        if (t->topic == topic) {
            t->is_ending = true;
            resume(t);
        }
    }
}

void events_ping(struct http_server *s)
{
    static const char ping[] = ": ping\n\n";
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        append(t, ping, sizeof(ping) - 1);
    }
}

void events_end_tcp(struct http_server *s)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        if (!t->peer->door->is_local) {
            t->is_ending = true;
            resume(t);
        }
    }
}

void events_end_all(struct http_server *s)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        t->is_ending = true;
        resume(t);
    }
}
