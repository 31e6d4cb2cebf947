/* http_priv: shared by the files of this room; nobody else includes it.
 *
 * server.c owns all and closes all; door.c runs the HTTP library on the loop,
 * one door a listener, and watches the peers' clocks; exchange.c takes one
 * request to its reply, gate.c refuses, reply.c answers; events.c holds
 * streams open. */
#ifndef DAEMON_HTTP_HTTP_PRIV_H
#define DAEMON_HTTP_HTTP_PRIV_H
#include "daemon/http/assets.h"
#include "daemon/http/auth.h"
#include "daemon/http/server.h"

#include <microhttpd.h>
#include <sys/types.h>
#include <uv.h>

/* --- limits --- */
enum {
    HTTP_MAX_CONNECTIONS = 128,
    HTTP_MAX_CONNECTIONS_PER_IP = 112,
    HTTP_MAX_CROWD = 16,       /* peers that were slow to say anything */
    HTTP_CROWD_MS = 1000,      /* ... for so long */
    HTTP_MEMORY = 32 << 10,    /* a connection's: request line + headers */
    HTTP_MAX_URL = 4 << 10,    /* longer: 414 */
    HTTP_MAX_HEADERS = 64,     /* more: 431 */
    HTTP_MAX_HEAD = 16 << 10,  /* less its address; longer: 431 */
    HTTP_MAX_PARAMS = 8,       /* of a query */
    HTTP_STALL_S = 10,         /* neither reads nor writes: closed */
    HTTP_PACE_MS = 50,         /* between two looks at a stream's source */
    HTTP_PING_MS = 15000,      /* finds streams whose reader has gone */
    HTTP_WATCH_MS = 2000,      /* between looks at STATE/sock */
    HTTP_LAST_WORDS_MS = 1000, /* for replies under way at the end */
};

/* --- doors and peers --- */

/* What a peer is doing; each has a time limit (door.c). */
enum peer_phase {
    PEER_SILENT,    /* connected, no request yet */
    PEER_SENDING,   /* its headers are here, its body is not */
    PEER_LISTENING, /* a reply is on its way */
    PEER_STREAMING, /* a reply without an end */
    PEER_IDLE       /* between two requests */
};

struct peer {
    struct peer *prev, *next; /* in its door; the newest first */
    struct door *door;
    int fd;            /* the library's */
    size_t url_len;    /* of the request that is beginning, with its query */
    bool is_query_cut; /* it has too many parameters; none are read */
    bool has_blank;    /* in its address, with the query */
    bool is_stranger;
    enum peer_phase phase;
    uint64_t since_ms; /* of server_awake_ms */
};

struct door {
    struct door *next; /* of the server's */
    struct http_server *server;
    bool is_local;          /* the Unix socket's */
    int listen_fd;          /* -1: it lets nobody in any more */
    struct MHD_Daemon *mhd; /* NULL: closed */
    uv_poll_t poll;         /* the library's epoll descriptor */
    uv_timer_t timer;
    bool is_due; /* it must run again, though no descriptor says so */
    struct peer *peers;
};

/* Takes listen_fd. */
MUST_CHECK int door_open(struct door *d, struct http_server *s, int listen_fd,
                         bool is_local, struct err *err);
/* Let nobody in any more. */
void door_shut(struct door *d);
/* End what is left. The two handles are closing then (server_on_handle). */
void door_close(struct door *d);
/* A connection was resumed: let the library run soon. It is not run from here,
 * who resumes may be inside it. */
void door_wake(struct door *d);
/* Drop peers that take too long. From a timer. */
void door_sweep(struct door *d);
void peer_enter(struct peer *p, enum peer_phase phase);

/* --- exchanges --- */
enum MHD_Result exchange_on_request(void *door, struct MHD_Connection *c,
                                    const char *url, const char *method,
                                    const char *version, const char *bytes,
                                    size_t *n, void **exchange);
void exchange_on_completed(void *door, struct MHD_Connection *c,
                           void **exchange,
                           enum MHD_RequestTerminationCode why);

/* --- refusals --- */
struct refusal {
    int status;
    const char *code, *message;
};
/* What speaks against this request from its first lines on, or NULL; *asset is
 * set when a page file is asked for. */
const struct refusal *gate_judge(struct peer *p, struct MHD_Connection *c,
                                 const char *method, const char *url,
                                 const char *version,
                                 const struct asset **asset);
/* The part of url below /api/v1, or NULL. */
const char *gate_api_path(const char *url);
/* The only header of this name; NULL: none, or several (*n says). */
const char *gate_header(struct MHD_Connection *c, const char *name, int *n);

/* --- replies --- */
enum MHD_Result reply_refuse(struct MHD_Connection *c, const struct refusal *r);
enum MHD_Result reply_asset(struct MHD_Connection *c, const struct asset *a);
/* Takes reply->body. */
enum MHD_Result reply_handled(struct MHD_Connection *c,
                              struct http_reply *reply);
/* The reply whose reader and end are these. */
enum MHD_Result reply_stream(struct MHD_Connection *c, const char *content_type,
                             MHD_ContentReaderCallback read,
                             MHD_ContentReaderFreeCallback end, void *ctx);

/* --- streams --- */
struct stream;
/* Takes the beginning and the source. */
enum MHD_Result events_open(struct http_server *s, struct peer *p,
                            struct MHD_Connection *c, struct http_reply *reply);
void events_ping(struct http_server *s);
/* The streams that had to wait for their next look may have it (s->pace). */
void events_on_pace(uv_timer_t *pace);
/* Those that a token opened. */
void events_end_tcp(struct http_server *s);
void events_end_all(struct http_server *s);

/* --- the server --- */
struct http_server {
    uv_loop_t *loop;
    struct http_handler handler;
    char *state_dir;
    int port;
    struct auth auth;
    struct assets *assets;
    struct door *doors; /* the newest first; owned, until all is closed */
    ino_t sock;         /* STATE/sock, as we made it */
    bool is_sock_lost;  /* and could not be made again; said */
    struct stream *streams;
    int n_exchanges;    /* requests that have no whole reply yet */
    uv_timer_t clock;   /* sweeps, pings; runs while there are peers */
    uv_timer_t watch;   /* looks whether STATE/sock is there */
    uv_timer_t pace;    /* runs while a stream waits for its next look */
    uint64_t ticked_ms; /* the clock, last */
    uint64_t awake_ms;  /* then (server_awake_ms) */
    uint64_t pinged_ms;
    int n_handles; /* that are not closed */
    bool is_closing;
    uint64_t close_ms; /* when it began */
    void (*on_closed)(void *ctx);
    void *on_closed_ctx;
};
/* A handle is closed. */
void server_on_handle(uv_handle_t *handle);
/* Somebody is here: let the clock run. */
void server_wake(struct http_server *s);
/* The time that peers are judged by. It does not count what the loop was held
 * up (by a slow disk): they could not be heard meanwhile. */
uint64_t server_awake_ms(const struct http_server *s);

#endif
