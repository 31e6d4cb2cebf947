/* One listener: an HTTP library's daemon, driven by the loop.
 *
 * Happy path: the library keeps all its descriptors in one epoll descriptor;
 * when that is readable, or the library's next timeout is over, or door_wake
 * asked for it, door_pump lets it run; it accepts, reads, calls
 * exchange_on_request, writes.
 *
 * Failure modes: a peer that says nothing, or drips, or does not read. The
 * library closes who neither reads nor writes for HTTP_STALL_S; a dripping
 * peer is never that silent, so each phase of a peer has a limit of its own
 * (door_sweep), and when many are slow to begin, the slowest go first. Sockets
 * are never closed behind the library's back: they are shut down, and it finds
 * the end by itself. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/http/http_priv.h"
#include "daemon/http/listen.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- peers --- */

static const uint64_t PHASE_LIMIT_MS[] = {
    [PEER_SILENT] = 5000,     [PEER_SENDING] = 10000,
    [PEER_LISTENING] = 60000, [PEER_STREAMING] = 0 /* none */,
    [PEER_IDLE] = 15000,
};

void peer_enter(struct peer *p, enum peer_phase phase)
{
    p->phase = phase;
    p->since_ms = server_awake_ms(p->door->server);
}

static void peer_add(struct door *d, struct MHD_Connection *c, void **slot)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct peer *p = mem_alloc(1, sizeof(*p));
    *p = (struct peer){.door = d, .next = d->peers, .fd = info->connect_fd};
    p->is_stranger = d->is_local && !listen_peer_is_ours(p->fd);
    if (d->peers != NULL) {
        d->peers->prev = p;
    }
    d->peers = p;
    server_wake(d->server);
    peer_enter(p, PEER_SILENT);
    *slot = p;
}

static void peer_remove(struct door *d, struct peer *p)
{
    if (p->prev != NULL) {
        p->prev->next = p->next;
    } else {
        d->peers = p->next;
    }
    if (p->next != NULL) {
        p->next->prev = p->prev;
    }
    free(p);
}

static void on_connection(void *door, struct MHD_Connection *c, void **slot,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        peer_add(door, c, slot);
    } else if (*slot != NULL) {
        peer_remove(door, *slot);
        *slot = NULL;
    }
}

static int crowd_size(const struct door *d, uint64_t now_ms)
{
    int n = 0;
    for (const struct peer *p = d->peers; p != NULL; p = p->next) {
        n += p->phase == PEER_SILENT && now_ms - p->since_ms > HTTP_CROWD_MS;
    }
    return n;
}

void door_sweep(struct door *d)
{
    uint64_t now_ms = server_awake_ms(d->server);
    int n_allowed = HTTP_MAX_CROWD, n_crowd = crowd_size(d, now_ms);
    for (struct peer *p = d->peers; p != NULL; p = p->next) {
        uint64_t limit = PHASE_LIMIT_MS[p->phase], age = now_ms - p->since_ms;
        bool is_late = limit > 0 && age > limit;
        if (p->phase == PEER_SILENT && age > HTTP_CROWD_MS &&
            n_crowd > HTTP_MAX_CROWD) {
            is_late |= n_allowed-- <= 0; /* the list goes from new to old */
        }
        if (is_late) {
            shutdown(p->fd, SHUT_RDWR);
        }
    }
}

/* --- the library on the loop --- */

static void on_timer(uv_timer_t *timer);

static void door_pump(struct door *d)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    d->is_due = false;
    MHD_run(d->mhd);
    if (d->is_due) {
        uv_timer_start(&d->timer, on_timer, 0, 0);
    } else if (MHD_get_timeout(d->mhd, &timeout_ms) == MHD_YES) {
        uv_timer_start(&d->timer, on_timer, timeout_ms, 0);
    } else {
        uv_timer_stop(&d->timer);
    }
}

void door_wake(struct door *d)
{
    d->is_due = true;
    if (uv_is_closing((uv_handle_t *)&d->timer)) {
        return;
    }
    uv_timer_start(&d->timer, on_timer, 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    door_pump(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    door_pump(poll->data);
}

/* --- life --- */

static void on_library_log(void *door, const char *fmt, va_list args)
{
    char line[256];
    (void)door;
    vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\n")] = '\0';
    LOG_DEBUG("http library", "%s", line);
}

static bool has_many_params(const char *query)
{
    int n = 0;
    while ((query = strchr(query, '&')) != NULL && n <= HTTP_MAX_PARAMS) {
        n++;
        query++;
    }
    return n > HTTP_MAX_PARAMS;
}

/* The whole address, before the library cuts it at '?'. For each parameter it
 * takes memory of the connection's, and when that ends, it falls silent: a
 * query that will be refused is cut off here. It stands in the connection's
 * buffer, which is not constant. */
static void *on_address(void *door, const char *url, struct MHD_Connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct peer *p = info->socket_context;
    (void)door;
    p->url_len = strlen(url);
    p->has_blank = strchr(url, ' ') != NULL;
    char *query = (char *)(uintptr_t)strchrnul(url, '?');
    p->is_query_cut = has_many_params(query);
    if (p->is_query_cut) {
        query[1] = '\0';
    }
    return NULL; /* no exchange yet */
}

/* Paths and queries come as they were sent: url.c decodes them, so that "%2F"
 * in a name is no border between two parts. */
static size_t keep_escapes(void *door, struct MHD_Connection *c, char *s)
{
    (void)door;
    (void)c;
    return strlen(s);
}

/* A strict library itself refuses what has no Host, as 400; the gate says 421,
 * as to any other Host that is not ours. Up to 0.9.75 the only other thing that
 * it is strict about are blanks in the address, which the gate refuses, too;
 * later ones look at more, and that is worth more than this number. */
enum { STRICTNESS = MHD_VERSION <= 0x00097500 ? 0 : 1 };

static struct MHD_Daemon *start_library(struct door *d)
{
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    unsigned per_ip = d->is_local ? 0 : HTTP_MAX_CONNECTIONS_PER_IP;
    return MHD_start_daemon(
        flags, 0, NULL, NULL, exchange_on_request, d, /* logger goes first */
        MHD_OPTION_EXTERNAL_LOGGER, on_library_log, d, MHD_OPTION_LISTEN_SOCKET,
        (MHD_socket)d->listen_fd, MHD_OPTION_STRICT_FOR_CLIENT, (int)STRICTNESS,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_MAX_CONNECTIONS,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, per_ip,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_STALL_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MEMORY,
        MHD_OPTION_URI_LOG_CALLBACK, on_address, d,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, d,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, d,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, d, MHD_OPTION_END);
}

int door_open(struct door *d, struct http_server *s, int listen_fd,
              bool is_local, struct err *err)
{
    *d = (struct door){
        .server = s, .is_local = is_local, .listen_fd = listen_fd};
    d->mhd = start_library(d);
    if (d->mhd == NULL) {
        close(listen_fd); /* the library that did not start has left it open */
        return err_set(err, ERR_IO, "the HTTP library did not start");
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = uv_poll_init(s->loop, &d->poll, info->epoll_fd);
    if (rc != 0) {
        MHD_stop_daemon(d->mhd);
        d->mhd = NULL;
        return err_set(err, ERR_IO, "watch the HTTP library: %s",
                       uv_strerror(rc));
    }
    uv_timer_init(s->loop, &d->timer);
    d->poll.data = d->timer.data = d;
    s->n_handles += 2;
    uv_poll_start(&d->poll, UV_READABLE, on_readable);
    return 0;
}

void door_shut(struct door *d)
{
    if (d->listen_fd >= 0) {
        MHD_quiesce_daemon(d->mhd);
        close(d->listen_fd);
        d->listen_fd = -1;
    }
}

/* The poll handle lets go of the descriptor before the library closes it. The
 * library aborts when a connection is still suspended, and a resumed one is
 * that until it has run once more; an ending stream does not suspend again. */
void door_close(struct door *d)
{
    struct http_server *s = d->server;
    d->poll.data = d->timer.data = s;
    uv_close((uv_handle_t *)&d->poll, server_on_handle);
    uv_close((uv_handle_t *)&d->timer, server_on_handle);
    MHD_run(d->mhd);
    MHD_stop_daemon(d->mhd);
    d->mhd = NULL;
}
