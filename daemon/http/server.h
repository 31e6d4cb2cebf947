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
    int64_t last_event_id; /* of the header or ?after=, -1: none */
    /* The decoded value of a query parameter, or NULL. */
    const char *(*query)(const struct http_request *r, const char *name);
    /* The decoded name of its i-th one, or NULL: there are no more. */
    const char *(*param)(const struct http_request *r, int i);
    void *impl;
};

struct http_reply {
    int status;               /* 200 unless the handler says otherwise */
    const char *content_type; /* application/json unless it says otherwise */
    struct buf body;
    /* > 0: a stream of server-sent events: the body is its beginning, then it
     * stays open and gets what is published under this number. */
    int64_t topic;
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
/* Give these bytes (whole events, "id: 7\nevent: trial\ndata: {...}\n\n") to
 * every stream of this topic. A stream that does not read is closed once it is
 * too far behind; it comes back with its Last-Event-ID. */
void http_server_publish(struct http_server *s, int64_t topic,
                         const char *bytes, size_t n);
/* End the streams of a topic: its study is gone. */
void http_server_end_topic(struct http_server *s, int64_t topic);
/* Has the topic any stream? Saves making events that nobody reads. */
bool http_server_is_watched(const struct http_server *s, int64_t topic);
/* End all streams and connections; on_closed once, then s is gone. */
void http_server_close(struct http_server *s, void (*on_closed)(void *ctx),
                       void *ctx);

#endif
