/* server: the HTTP door: one server, two listeners, no idea of studies.
 *
 * STATE/sock (0600, same user only, no token) for the command line, and
 * 127.0.0.1:PORT for the page, where every request but a page file needs
 * "Authorization: Bearer TOKEN". Requests below /api/v1 go to the handler,
 * page files are embedded (assets.h). daemon/http/ alone includes the HTTP
 * library. */
#ifndef DAEMON_HTTP_SERVER_H
#define DAEMON_HTTP_SERVER_H
#include "core/base/buf.h"
#include "core/base/err.h"
#include <stdint.h>
struct uv_loop_s;
struct http_server;

enum { HTTP_MAX_SEGMENTS = 6 };

struct http_request {   /* borrowed during the call */
    const char *method; /* "GET", "POST" or "DELETE": others were refused */
    /* The path below /api/v1, cut at '/', each part percent-decoded and valid
     * UTF-8: /api/v1/studies/a%2Fb/trials -> "studies", "a/b", "trials". */
    const char *segments[HTTP_MAX_SEGMENTS];
    int n_segments;
    const char *body; /* of POST: JSON, at most BUF_MAX_CONFIG */
    size_t body_len;
    bool is_local;         /* came over the Unix socket */
    bool wants_json;       /* Accept names application/json */
    int64_t last_event_id; /* of the header or ?after=, -1: none */
    /* The decoded value of a query parameter, or NULL. */
    const char *(*query)(const struct http_request *r, const char *name);
    /* The decoded name of its i-th one, or NULL: there are no more. */
    const char *(*param)(const struct http_request *r, int i);
    void *impl;
};

/* What a stream has to say; it is asked for that when its reader can take it,
 * so that nothing waits in a queue for a reader that is slow. */
struct http_source {
    void *ctx; /* the stream's, until `free` */
    /* Append what is due, as whole events: nothing when nothing is, and only a
     * part when that is much. True: there is more to be asked for. */
    bool (*read)(void *ctx, struct buf *out);
    void (*free)(void *ctx); /* once: the stream has ended */
};

struct http_reply {
    int status;               /* 200 unless the handler says otherwise */
    const char *content_type; /* application/json unless it says otherwise */
    struct buf body;
    /* > 0: a stream of server-sent events: the body is its beginning, then it
     * stays open and says what its source has: first at once, then whenever
     * there is something new under this number (http_server_tell). */
    int64_t topic;
    struct http_source source; /* of a stream that is status 200; taken */
};

struct http_handler {
    void *ctx;
    void (*handle)(void *ctx, const struct http_request *request,
                   struct http_reply *reply);
};

struct http_server_options {
    const char *state_dir; /* sock, token and port files are made in it */
    int port;              /* 0: any free one */
    struct http_handler handler;
};

/* Listen. Writes STATE/token (made once, kept) and STATE/port. Borrows loop,
 * copies options. CONFLICT when the port is in use. */
MUST_CHECK int http_server_new(struct uv_loop_s *loop,
                               const struct http_server_options *options,
                               struct http_server **out, struct err *err);
int http_server_port(const struct http_server *s);
/* Make another STATE/token: the old one opens nothing from now on, and streams
 * that it opened end. On an error nothing has changed. */
MUST_CHECK int http_server_rotate_token(struct http_server *s, struct err *err);
/* There is something new under this topic: its streams will ask their sources,
 * each as soon as its reader takes bytes, but not more often than every 50 ms.
 * A reader that takes none at all is closed after 10 s; it comes back with its
 * Last-Event-ID. */
void http_server_tell(struct http_server *s, int64_t topic);
/* End the streams of a topic: its study is gone. */
void http_server_end_topic(struct http_server *s, int64_t topic);
/* End all streams and connections; on_closed once, then s is gone. */
void http_server_close(struct http_server *s, void (*on_closed)(void *ctx),
                       void *ctx);

#endif
