/* fix_http: an HTTP server on a loop in its own thread, a handler that shows
 * what it was given, and blocking clients over both doors.
 *
 * The handler's paths below /api/v1: "stream[?after=N]" opens a stream of
 * topic 7 that begins with "after: N"; "publish[?times=N]" (POST) publishes
 * the body; "end" ends the topic; "watched" tells whether it has streams,
 * "read" how often they were asked for bytes, and how many they gave;
 * "large?n=N" replies with N bytes; "hold?ms=N" holds the loop up for so long;
 * "close" (POST) closes the server from within; anything else is shown: method,
 * segments, body, and so on. */
#ifndef TESTS_LIB_FIX_HTTP_H
#define TESTS_LIB_FIX_HTTP_H
#include "core/base/buf.h"
#include <pthread.h>
#include <uv.h>
struct http_server;

struct fix_http {
    char state_dir[128];
    char token[64];
    int port;
    int loop_rc; /* of uv_loop_close */
    uv_loop_t loop;
    uv_async_t stop;
    struct http_server *server;
    struct buf published; /* all of it */
    size_t n_read;        /* of it, by all streams */
    int n_reads, n_streams;
    pthread_t thread;
};

/* Assert that the server is up. */
void fix_http_start(struct fix_http *f);
/* Close it, join, remove the folder; asserts that no handle is left. */
void fix_http_stop(struct fix_http *f);

/* A connected socket with a time limit of 20 s for each read. */
int fix_http_tcp(const struct fix_http *f);
int fix_http_local(const struct fix_http *f);
/* Write all; false when the peer has gone. */
bool fix_http_write(int fd, const char *bytes, size_t n);
/* Read until the end of the stream. False: time is over, or a reset. */
bool fix_http_read_all(int fd, struct buf *out);
/* Read until `what` is in out; false when the stream ends before. */
bool fix_http_read_until(int fd, struct buf *out, const char *what);

/* Send these bytes over a new TCP connection, read to the end, give the reply
 * (free it; "" when the connection was closed without one). "{PORT}" and
 * "{TOKEN}" are replaced. */
char *fix_http_raw(const struct fix_http *f, const char *request);
/* The same over the Unix socket. */
char *fix_http_raw_local(const struct fix_http *f, const char *request);
/* GET this path with token and host; status of the reply. */
int fix_http_get(const struct fix_http *f, const char *path);
/* The status in a reply's first line, 0 when there is none. */
int fix_http_status(const char *reply);
/* Of a clock that nobody sets. */
double fix_http_seconds(void);

#endif
