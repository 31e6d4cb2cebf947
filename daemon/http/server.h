/* server: the HTTP door: one server, two listeners.
 *
 * STATE/sock (0600, same user only, no token) for the command line, and
 * 127.0.0.1:PORT for the page, where every request but a page file needs
 * "Authorization: Bearer TOKEN". daemon/http/ alone includes the HTTP library.
 */
#ifndef DAEMON_HTTP_SERVER_H
#define DAEMON_HTTP_SERVER_H
#include "core/base/err.h"
struct daemon;
struct uv_loop_s;
struct http_server;

struct http_server_options {
    const char *state_dir; /* sock, token and port files are made in it */
    int port;              /* 0: any free one */
    /* POST /api/v1/shutdown (Unix socket only); called from the loop. */
    void (*on_shutdown)(void *ctx);
    void *ctx;
};

/* Listen. Writes STATE/token (made once, kept) and STATE/port. Borrows loop
 * and daemon, copies options. CONFLICT when the port is in use. */
MUST_CHECK int http_server_new(struct uv_loop_s *loop, struct daemon *daemon,
                               const struct http_server_options *options,
                               struct http_server **out, struct err *err);
int http_server_port(const struct http_server *s);
/* End all streams and connections; on_closed once, then s is gone. */
void http_server_close(struct http_server *s, void (*on_closed)(void *ctx),
                       void *ctx);

#endif
