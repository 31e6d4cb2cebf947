/* api: /api/v1: requests to events, views to replies, changes to streams. */
#ifndef DAEMON_API_H
#define DAEMON_API_H
#include "daemon/http/server.h"
struct daemon;
struct api;

struct api_options {
    void (*on_shutdown)(void *ctx); /* POST /shutdown, Unix socket only */
    void *ctx;
};

/* Borrows the daemon and watches it (daemon_watch). */
struct api *api_new(struct daemon *d, const struct api_options *options);
/* After the streams that it began have ended. */
void api_free(struct api *a);
/* The handler for http_server_options. */
struct http_handler api_handler(struct api *a);
/* Who is told of changes from now on; NULL: nobody. Borrows. */
void api_publish_to(struct api *a, struct http_server *server);

#endif
