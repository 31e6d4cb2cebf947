/* The server's life.
 *
 * Happy path: http_server_new makes token, sockets, doors and the port file;
 * the clock runs while anybody is connected (sweeps, pings). Every now and then
 * it looks at STATE/sock: who removed it locked the command line out, so it is
 * made again, with a door of its own; the old one serves whom it has let in.
 * http_server_close only takes note, because a handler may ask for it: the
 * clock's next tick shuts the doors, ends the streams and waits for replies
 * under way, at most HTTP_LAST_WORDS_MS; then everything is closed, and
 * on_closed is the last thing that happens.
 *
 * Failure modes: whatever http_server_new has opened before it fails is closed
 * again, by the loop: the memory goes when the last handle is closed. */
#include "daemon/http/server.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/http/http_priv.h"
#include "daemon/http/listen.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    CLOCK_MS = 500,
    CLOSING_CLOCK_MS = 10,
    HELD_UP_MS = 2 * CLOCK_MS /* ticks further apart: the loop was held up */
};

/* --- the clock --- */

static void finish_close(struct http_server *s);

static void tick_closing(struct http_server *s, uint64_t now_ms)
{
    if (s->close_ms == 0) {
        s->close_ms = now_ms;
        for (struct door *d = s->doors; d != NULL; d = d->next) {
            door_shut(d);
        }
        listen_forget(s->state_dir);
    }
    events_end_all(s);
    if (s->n_exchanges == 0 || now_ms - s->close_ms > HTTP_LAST_WORDS_MS) {
        finish_close(s);
    }
}

uint64_t server_awake_ms(const struct http_server *s)
{
    uint64_t passed = uv_now(s->loop) - s->ticked_ms;
    return s->awake_ms + (passed < HELD_UP_MS ? passed : HELD_UP_MS);
}

static void tell_time(struct http_server *s)
{
    s->awake_ms = server_awake_ms(s);
    s->ticked_ms = uv_now(s->loop);
}

static void on_clock(uv_timer_t *clock)
{
    struct http_server *s = clock->data;
    uint64_t now_ms = uv_now(s->loop);
    if (s->is_closing) {
        tick_closing(s, now_ms);
        return;
    }
    tell_time(s);
    bool anybody = false;
    for (struct door *d = s->doors; d != NULL; d = d->next) {
        door_sweep(d);
        anybody = anybody || d->peers != NULL;
    }
    if (now_ms - s->pinged_ms >= HTTP_PING_MS) {
        s->pinged_ms = now_ms;
        events_ping(s);
    }
    if (!anybody) {
        uv_timer_stop(clock);
    }
}

void server_wake(struct http_server *s)
{
    if (!uv_is_active((uv_handle_t *)&s->clock)) {
        tell_time(s);
        uv_timer_start(&s->clock, on_clock, CLOCK_MS, CLOCK_MS);
    }
}

/* --- the end --- */

void server_on_handle(uv_handle_t *handle)
{
    struct http_server *s = handle->data;
    if (--s->n_handles > 0) {
        return;
    }
    void (*on_closed)(void *ctx) = s->on_closed;
    void *ctx = s->on_closed_ctx;
    for (struct door *d = s->doors, *next; d != NULL; d = next) {
        next = d->next;
        free(d);
    }
    assets_free(s->assets);
    free(s->state_dir);
    free(s);
    if (on_closed != NULL) {
        on_closed(ctx);
    }
}

static void finish_close(struct http_server *s)
{
    for (struct door *d = s->doors; d != NULL; d = d->next) {
        if (d->mhd != NULL) {
            door_close(d);
        }
    }
    uv_close((uv_handle_t *)&s->clock, server_on_handle);
    uv_close((uv_handle_t *)&s->watch, server_on_handle);
    uv_close((uv_handle_t *)&s->pace, server_on_handle);
}

void http_server_close(struct http_server *s, void (*on_closed)(void *ctx),
                       void *ctx)
{
    s->is_closing = true;
    s->on_closed = on_closed;
    s->on_closed_ctx = ctx;
    uv_timer_start(&s->clock, on_clock, 0, CLOSING_CLOCK_MS);
}

/* --- the beginning --- */

static int add_door(struct http_server *s, int listen_fd, bool is_local,
                    struct err *err)
{
    struct door *d = mem_alloc(1, sizeof(*d));
    int rc = door_open(d, s, listen_fd, is_local, err);
    if (rc != 0) {
        free(d);
        return rc;
    }
    d->next = s->doors;
    s->doors = d;
    return 0;
}

static int open_local(struct http_server *s, struct err *err)
{
    int fd, rc = listen_unix(s->state_dir, &fd, err);
    if (rc == 0) {
        rc = add_door(s, fd, true, err);
    }
    /* 0, which no file has: the next look tries again. */
    s->sock = rc == 0 ? listen_inode(s->state_dir) : 0;
    return rc;
}

static int open_tcp(struct http_server *s, int port, struct err *err)
{
    int fd, rc = listen_tcp(port, &fd, &s->port, err);
    return rc != 0 ? rc : add_door(s, fd, false, err);
}

/* --- the socket that was removed ------------------------------------------ */

static void open_local_again(struct http_server *s)
{
    struct err err;
    struct door *before = s->doors;
    if (open_local(s, &err) != 0) {
        if (!s->is_sock_lost) {
            LOG_WARN("socket", "it is gone and cannot be made again: %s",
                     err.msg);
        }
        s->is_sock_lost = true;
        return;
    }
    s->is_sock_lost = false;
    LOG_WARN("socket", "%s/sock was gone; made again", s->state_dir);
    for (struct door *d = before; d != NULL; d = d->next) {
        if (d->is_local) {
            door_shut(d);
        }
    }
}

static void on_watch(uv_timer_t *watch)
{
    struct http_server *s = watch->data;
    if (s->is_closing) {
        return;
    }
    for (struct door *d = s->doors; d != NULL; d = d->next) {
        if (d->listen_fd < 0 && d->mhd != NULL && d->peers == NULL) {
            door_close(d);
        }
    }
    ino_t now = listen_inode(s->state_dir);
    if (now == 0 || now != s->sock) {
        open_local_again(s);
    }
}

/* --- all ------------------------------------------------------------------ */

/* The port first: it is what may be taken. The socket last: who finds it
 * answering finds the port's file too. */
static int open_all(struct http_server *s, int port, struct err *err)
{
    int rc = auth_load(&s->auth, s->state_dir, err);
    if (rc == 0) {
        rc = open_tcp(s, port, err);
    }
    if (rc == 0) {
        rc = listen_tell_port(s->state_dir, s->port, err);
    }
    if (rc == 0) {
        rc = open_local(s, err);
    }
    return rc;
}

int http_server_new(struct uv_loop_s *loop,
                    const struct http_server_options *options,
                    struct http_server **out, struct err *err)
{
    struct http_server *s = mem_alloc(1, sizeof(*s));
    *s = (struct http_server){.loop = loop,
                              .handler = options->handler,
                              .state_dir = mem_strdup(options->state_dir),
                              .assets = assets_new(),
                              .n_handles = 3};
    uv_timer_init(loop, &s->clock);
    uv_timer_init(loop, &s->watch);
    uv_timer_init(loop, &s->pace);
    s->clock.data = s->watch.data = s->pace.data = s;
    int rc = open_all(s, options->port, err);
    if (rc != 0) {
        s->is_closing = true;
        listen_forget(s->state_dir);
        finish_close(s);
        return rc;
    }
    uv_timer_start(&s->watch, on_watch, HTTP_WATCH_MS, HTTP_WATCH_MS);
    *out = s;
    return 0;
}

int http_server_rotate_token(struct http_server *s, struct err *err)
{
    int rc = auth_rotate(&s->auth, s->state_dir, err);
    if (rc == 0) {
        events_end_tcp(s);
    }
    return rc;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}
