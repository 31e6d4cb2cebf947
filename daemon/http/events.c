/* Streams of server-sent events.
 *
 * Happy path: a reply with a topic becomes a stream; the library asks on_read
 * for bytes when the reader can take some: first the beginning, then what the
 * source says, once there is something new (http_server_tell); when there is
 * nothing the connection is suspended. Being told resumes it: at once, or, when
 * its source was asked a moment ago, by the pace timer, so that what changes
 * often is said only every HTTP_PACE_MS. What was said is made by the source
 * from its state at that time: nothing is queued here, and a reader that is
 * slow hears less often.
 *
 * Failure modes: a reader that has gone is only found by writing, therefore
 * pings; one that does not read at all is closed by the library. Telling may
 * happen inside a handler or a source, that is inside the library: nothing
 * here runs it. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/http/http_priv.h"

#include <stdlib.h>
#include <string.h>

struct stream {
    struct stream *prev, *next;
    struct http_server *server;
    struct MHD_Connection *connection;
    struct peer *peer;
    int64_t topic;
    struct http_source source;
    struct buf text;  /* being sent */
    size_t at;        /* of its first byte not yet taken */
    uint64_t read_ms; /* when the source was asked last */
    bool is_suspended;
    bool is_told; /* the source may have something */
    bool is_ping_due;
    bool is_ending; /* when all is taken, the stream is over */
};

/* --- the library's side --- */

/* Move bytes of the text to out; all taken: its memory goes too. */
static size_t take(struct stream *t, char *out, size_t max)
{
    size_t left = t->text.len - t->at, n = left < max ? left : max;
    memcpy(out, t->text.data + t->at, n);
    t->at += n;
    if (t->at == t->text.len) {
        buf_fini(&t->text);
        buf_init(&t->text, BUF_MAX_RESPONSE);
        t->at = 0;
    }
    return n;
}

/* is_told is set again where the source, asked, told of something itself. */
static void ask_source(struct stream *t)
{
    if (t->is_told) {
        t->is_told = false;
        t->read_ms = uv_now(t->server->loop);
        if (t->source.read(t->source.ctx, &t->text)) {
            t->is_told = true;
        }
    }
    if (t->is_ping_due && t->text.len == 0) {
        buf_str(&t->text, ": ping\n\n");
    }
    t->is_ping_due = false;
}

static void wait_for_pace(struct http_server *s)
{
    if (!uv_is_active((uv_handle_t *)&s->pace)) {
        uv_timer_start(&s->pace, events_on_pace, HTTP_PACE_MS, 0);
    }
}

static ssize_t on_read(void *stream, uint64_t pos, char *out, size_t max)
{
    struct stream *t = stream;
    (void)pos;
    if (t->text.len == 0) {
        ask_source(t);
    }
    if (t->text.overflow) {
        LOG_WARN("stream cut: an event is too large", "topic=%lld",
                 (long long)t->topic);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (t->text.len > 0) {
        return (ssize_t)take(t, out, max);
    }
    if (t->is_ending) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    MHD_suspend_connection(t->connection);
    t->is_suspended = true;
    if (t->is_told) {
        wait_for_pace(t->server);
    }
    return 0;
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
    t->source.free(t->source.ctx);
    buf_fini(&t->text);
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
                         .source = reply->source,
                         .text = reply->body,
                         .is_told = true,
                         .is_ending = s->is_closing};
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

void events_on_pace(uv_timer_t *pace)
{
    struct http_server *s = pace->data;
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        if (t->is_told) {
            resume(t);
        }
    }
}

void http_server_tell(struct http_server *s, int64_t topic)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        if (t->topic != topic) {
            continue;
        }
        t->is_told = true;
        if (uv_now(s->loop) - t->read_ms >= HTTP_PACE_MS) {
            resume(t);
        } else if (t->is_suspended) {
            wait_for_pace(s);
        }
    }
}

static void end(struct stream *t)
{
    t->is_ending = true;
    resume(t);
}

void http_server_end_topic(struct http_server *s, int64_t topic)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        if (t->topic == topic) {
            end(t);
        }
    }
}

void events_ping(struct http_server *s)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        t->is_ping_due = true;
        resume(t);
    }
}

void events_end_tcp(struct http_server *s)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        if (!t->peer->door->is_local) {
            end(t);
        }
    }
}

void events_end_all(struct http_server *s)
{
    for (struct stream *t = s->streams; t != NULL; t = t->next) {
        end(t);
    }
}
