#include "tests/lib/fix_http.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/http/server.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { TOPIC = 7, READ_LIMIT_S = 20, MOST_READ = 64 << 10 };

/* --- the handler: in the server's thread --- */

static void show(const struct http_request *r, struct http_reply *reply)
{
    struct json_out w;
    const char *x = r->query(r, "x");
    json_out_init(&w, &reply->body, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "method");
    json_put_string(&w, r->method);
    json_put_key(&w, "segments");
    json_open(&w, '[');
    for (int i = 0; i < r->n_segments; i++) {
        json_put_string(&w, r->segments[i]);
    }
    json_close(&w, ']');
    json_put_key(&w, "x");
    json_put_string(&w, x);
    json_put_key(&w, "body_len");
    json_put_int(&w, (int64_t)r->body_len);
    json_put_key(&w, "body");
    json_put_string(&w, r->body_len < 256 ? r->body : "long");
    json_put_key(&w, "local");
    json_put_bool(&w, r->is_local);
    json_put_key(&w, "wants_json");
    json_put_bool(&w, r->wants_json);
    json_close(&w, '}');
}

static long number(const struct http_request *r, const char *name, long absent)
{
    const char *text = r->query(r, name);
    return text != NULL ? strtol(text, NULL, 10) : absent;
}

static void close_server(struct fix_http *f)
{
    if (f->server != NULL) {
        http_server_close(f->server, NULL, NULL);
        f->server = NULL;
    }
}

static void on_stop(uv_async_t *stop)
{
    close_server(stop->data);
    uv_close((uv_handle_t *)stop, NULL);
}

/* --- a stream says what was published since it began --- */

struct fix_stream {
    struct fix_http *f;
    size_t at;
};

static bool read_published(void *stream, struct buf *out)
{
    struct fix_stream *t = stream;
    const struct buf *all = &t->f->published;
    size_t left = all->len - t->at, n = left < MOST_READ ? left : MOST_READ;
    if (n > 0) {
        buf_add(out, all->data + t->at, n);
    }
    t->at += n;
    t->f->n_read += n;
    t->f->n_reads++;
    return t->at < all->len;
}

static void free_stream(void *stream)
{
    struct fix_stream *t = stream;
    t->f->n_streams--;
    free(t);
}

static void open_stream(struct fix_http *f, const struct http_request *r,
                        struct http_reply *reply)
{
    struct fix_stream *t = mem_alloc(1, sizeof(*t));
    *t = (struct fix_stream){f, f->published.len};
    f->n_streams++;
    reply->topic = TOPIC;
    reply->content_type = "text/event-stream";
    reply->source = (struct http_source){t, read_published, free_stream};
    buf_printf(&reply->body, "after: %lld\n\n", (long long)r->last_event_id);
}

static void publish(struct fix_http *f, const struct http_request *r)
{
    for (long i = number(r, "times", 1); i > 0; i--) {
        buf_add(&f->published, r->body, r->body_len);
        http_server_tell(f->server, TOPIC);
    }
}

static void handle(void *ctx, const struct http_request *r,
                   struct http_reply *reply)
{
    struct fix_http *f = ctx;
    const char *what = r->n_segments > 0 ? r->segments[0] : "";
    if (strcmp(what, "stream") == 0) {
        open_stream(f, r, reply);
    } else if (strcmp(what, "publish") == 0) {
        publish(f, r);
        buf_str(&reply->body, "{}");
    } else if (strcmp(what, "watched") == 0) {
        buf_str(&reply->body, f->n_streams > 0 ? "true" : "false");
    } else if (strcmp(what, "read") == 0) {
        buf_printf(&reply->body, "read %d %zu", f->n_reads, f->n_read);
    } else if (strcmp(what, "end") == 0) {
        http_server_end_topic(f->server, TOPIC);
        buf_str(&reply->body, "{}");
    } else if (strcmp(what, "large") == 0) {
        for (long i = number(r, "n", 0); i > 0; i--) {
            buf_char(&reply->body, 'x');
        }
    } else if (strcmp(what, "hold") == 0) {
        usleep((useconds_t)(1000 * number(r, "ms", 0)));
        buf_str(&reply->body, "{}");
    } else if (strcmp(what, "close") == 0) {
        close_server(f);
        buf_str(&reply->body, "{\"closing\":true}");
    } else {
        show(r, reply);
    }
}

/* --- life --- */

static void *run(void *fixture)
{
    struct fix_http *f = fixture;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    f->loop_rc = uv_loop_close(&f->loop);
    return NULL;
}

void fix_http_start(struct fix_http *f)
{
    struct err err;
    struct buf token;
    memset(f, 0, sizeof(*f));
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR);
    snprintf(f->state_dir, sizeof(f->state_dir), "/tmp/parzen-http-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->state_dir));
    buf_init(&f->published, 256 << 20);
    uv_loop_init(&f->loop);
    uv_async_init(&f->loop, &f->stop, on_stop);
    f->stop.data = f;
    struct http_server_options o = {.state_dir = f->state_dir,
                                    .handler = {f, handle}};
    ck_assert_msg(http_server_new(&f->loop, &o, &f->server, &err) == 0, "%s",
                  err.msg);
    f->port = http_server_port(f->server);
    char path[160];
    snprintf(path, sizeof(path), "%s/token", f->state_dir);
    buf_init(&token, sizeof(f->token) - 1);
    ck_assert_int_eq(file_read(path, &token, &err), 0);
    memcpy(f->token, token.data, token.len + 1);
    buf_fini(&token);
    ck_assert_int_eq(pthread_create(&f->thread, NULL, run, f), 0);
}

void fix_http_stop(struct fix_http *f)
{
    struct err err;
    uv_async_send(&f->stop);
    pthread_join(f->thread, NULL);
    ck_assert_int_eq(f->loop_rc, 0);
    ck_assert_int_eq(f->n_streams, 0);
    buf_fini(&f->published);
    ck_assert_int_eq(file_remove_tree(f->state_dir, &err), 0);
}

/* --- clients --- */

static int limit_reads(int fd)
{
    struct timeval limit = {.tv_sec = READ_LIMIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

int fix_http_tcp(const struct fix_http *f)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)f->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return limit_reads(fd);
}

int fix_http_local(const struct fix_http *f)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%.90s/sock", f->state_dir);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return limit_reads(fd);
}

bool fix_http_write(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
        if (done <= 0) {
            return false;
        }
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

bool fix_http_read_all(int fd, struct buf *out)
{
    char piece[16384];
    ssize_t n;
    while ((n = recv(fd, piece, sizeof(piece), 0)) > 0) {
        buf_add(out, piece, (size_t)n);
    }
    return n == 0;
}

bool fix_http_read_until(int fd, struct buf *out, const char *what)
{
    char piece[16384];
    while (out->data == NULL || strstr(out->data, what) == NULL) {
        ssize_t n = recv(fd, piece, sizeof(piece), 0);
        if (n <= 0) {
            return false;
        }
        buf_add(out, piece, (size_t)n);
    }
    return true;
}

/* The request with its holes filled. */
static void fill(const struct fix_http *f, const char *request, struct buf *out)
{
    for (const char *at = request; *at != '\0';) {
        if (strncmp(at, "{PORT}", 6) == 0) {
            buf_printf(out, "%d", f->port);
            at += 6;
        } else if (strncmp(at, "{TOKEN}", 7) == 0) {
            buf_str(out, f->token);
            at += 7;
        } else {
            buf_char(out, *at++);
        }
    }
}

static char *ask(const struct fix_http *f, int fd, const char *request)
{
    struct buf filled, reply;
    buf_init(&filled, 64 << 20);
    buf_init(&reply, 64 << 20);
    fill(f, request, &filled);
    fix_http_write(fd, filled.data, filled.len);
    fix_http_read_all(fd, &reply);
    close(fd);
    buf_fini(&filled);
    return buf_take(&reply);
}

char *fix_http_raw(const struct fix_http *f, const char *request)
{
    return ask(f, fix_http_tcp(f), request);
}

char *fix_http_raw_local(const struct fix_http *f, const char *request)
{
    return ask(f, fix_http_local(f), request);
}

int fix_http_status(const char *reply)
{
    return strncmp(reply, "HTTP/1.1 ", 9) == 0
               ? (int)strtol(reply + 9, NULL, 10)
               : 0;
}

int fix_http_get(const struct fix_http *f, const char *path)
{
    char *request = mem_printf("GET %s HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\n"
                               "Authorization: Bearer {TOKEN}\r\n"
                               "Connection: close\r\n\r\n",
                               path);
    char *reply = fix_http_raw(f, request);
    int status = fix_http_status(reply);
    free(reply);
    free(request);
    return status;
}

double fix_http_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
