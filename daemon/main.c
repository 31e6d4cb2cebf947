/* parzend: options, state directory, then one loop until told to stop.
 *
 * The end, by SIGTERM, SIGINT or POST /api/v1/shutdown: the HTTP side closes,
 * the daemon drains (running trials checkpoint and go back to WAITING), the
 * store is closed, the loop runs empty. A second signal ends it at once: that
 * is safe too, only slower to resume. */
#include "core/base/file.h"
#include "core/base/heritage.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/api.h"
#include "daemon/check.h"
#include "daemon/daemon.h"
#include "daemon/descriptors.h"
#include "daemon/http/listen.h"
#include "daemon/http/server.h"
#include "daemon/offline.h"
#include "daemon/options.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum {
    EXIT_BUSY = 69, /* another daemon has the state directory */
    EXIT_IO = 74,   /* the disk failed: a person should look first */
    LOG_ROTATE_BYTES = 10 << 20,
};

struct program {
    uv_loop_t loop;
    struct options options;
    struct daemon *daemon;
    struct api *api;
    struct http_server *http;
    uv_signal_t sigterm, sigint;
    int log_fd; /* 0: stderr */
    bool is_ending;
    int exit_code;
};

/* --- systemd --- */

/* One datagram to $NOTIFY_SOCKET (sd_notify(3)'s protocol). */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) >= sizeof(to.sun_path)) {
        return;
    }
    memcpy(to.sun_path, path, strlen(path));
    if (to.sun_path[0] == '@') {
        to.sun_path[0] = '\0'; /* the abstract namespace */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        socklen_t n =
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
        sendto(fd, state, strlen(state), MSG_NOSIGNAL,
               (const struct sockaddr *)&to, n);
        close(fd);
    }
}

/* --- the end --- */

static void on_daemon_closed(void *ctx)
{
    struct program *p = ctx;
    p->daemon = NULL;
    uv_close((uv_handle_t *)&p->sigterm, NULL);
    uv_close((uv_handle_t *)&p->sigint, NULL);
}

static void on_http_closed(void *ctx)
{
    struct program *p = ctx;
    p->http = NULL;
    api_publish_to(p->api, NULL);
    daemon_close(p->daemon, p->options.grace_ms, on_daemon_closed, p);
}

static void begin_end(struct program *p, const char *why)
{
    if (p->is_ending) {
        LOG_WARN("ending at once", "why=%s", why);
        _exit(1); /* workers die with us; the next start resumes */
    }
    p->is_ending = true;
    LOG_INFO("ending", "why=%s", why);
    notify("STOPPING=1");
    http_server_close(p->http, on_http_closed, p);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    begin_end(handle->data, strsignal(signum));
}

static void on_shutdown(void *ctx)
{
    begin_end(ctx, "asked by a user");
}

/* Nothing more may be said or written: see reliability of a failing disk. */
static void on_fatal(void *ctx, const struct err *why)
{
    (void)ctx;
    LOG_ERROR("the store failed; ending so that a person can look", "%s",
              why->msg);
    _exit(why->code == ERR_CONFLICT ? EXIT_BUSY : EXIT_IO);
}

/* --- the beginning --- */

static int refuse_log(const char *path, mode_t mode, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "log %s is %s; it must be a regular file or a terminal",
                   path, file_kind(mode));
}

/* A pipe would keep us waiting for its reader, now or when it is full. */
static int open_log_file(const char *path, int *out, struct err *err)
{
    enum { APPEND = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW };
    struct stat st;
    int fd = open(path, APPEND | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0 && errno == ENXIO && lstat(path, &st) == 0) {
        return refuse_log(path, st.st_mode, err); /* nobody reads it */
    }
    int rc = 0;
    if (fd < 0 || fstat(fd, &st) != 0 || fcntl(fd, F_SETFL, O_APPEND) != 0) {
        rc = err_sys(err, errno, "log %s", path);
    } else if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
        rc = refuse_log(path, st.st_mode, err);
    }
    if (rc != 0 && fd >= 0) {
        close(fd);
    } else if (rc == 0) {
        *out = fd;
    }
    return rc;
}

static int open_log(struct program *p, struct err *err)
{
    int fd = -1, rc = open_log_file(p->options.log_path, &fd, err);
    if (rc != 0) {
        return rc;
    }
    log_set_fd(fd);
    if (p->log_fd > 0) {
        close(p->log_fd);
    }
    p->log_fd = fd;
    return 0;
}

/* The log of earlier lives is kept once, as FILE.1, when it is large. Only once
 * the state directory is ours: before, it may be another daemon's log. */
static void rotate_log(struct program *p)
{
    const char *path = p->options.log_path;
    struct stat st;
    struct err err;
    char old[4096];
    if (path == NULL || stat(path, &st) != 0 ||
        st.st_size <= LOG_ROTATE_BYTES) {
        return;
    }
    snprintf(old, sizeof(old), "%s.1", path);
    if (rename(path, old) != 0) {
        LOG_WARN("log", "%s: %s", old, strerror(errno));
    } else if (open_log(p, &err) != 0) {
        LOG_WARN("log", "%s", err.msg);
    }
}

/* The index of the WAL is mapped, and was cut off: nothing behind this access
 * can go on. The fault is in a page of a file, so no lock of malloc's or of the
 * log's is held here. */
static void on_bus_error(int signum)
{
    (void)signum;
    LOG_ERROR("store", "parzen.db-shm was cut off while it was in use, or its "
                       "disk failed; ending. What was acknowledged is in the "
                       "other files: start anew");
    _exit(EXIT_IO);
}

static void settle_in(void)
{
    signal(SIGBUS, on_bus_error);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error, not an end */
    heritage_note();          /* for commands */
    heritage_hide();
    mem_keep(); /* suggestions' */
}

static void watch_signals(struct program *p)
{
    uv_signal_init(&p->loop, &p->sigterm);
    uv_signal_init(&p->loop, &p->sigint);
    p->sigterm.data = p->sigint.data = p;
    uv_signal_start(&p->sigterm, on_signal, SIGTERM);
    uv_signal_start(&p->sigint, on_signal, SIGINT);
}

/* Two state directories, two daemons: 7373 is only the first one's. The other
 * keeps the port that it had, so that links to its page stay true. */
static int open_http(struct program *p, struct err *err)
{
    int last = listen_last_port(p->options.state_dir);
    const int ports[] = {p->options.port, last != p->options.port ? last : 0,
                         0};
    size_t n = p->options.is_port_asked ? 1 : ARRAY_LEN(ports);
    int rc = ERR_CONFLICT;
    for (size_t i = 0; i < n && rc == ERR_CONFLICT; i++) {
        const struct http_server_options http = {
            .state_dir = p->options.state_dir,
            .port = ports[i],
            .handler = api_handler(p->api)};
        rc = http_server_new(&p->loop, &http, &p->http, err);
        if (rc == ERR_CONFLICT && i + 1 < n) {
            /* without its advice to name another port: we do that */
            LOG_WARN("port", "%.*s; taking another",
                     (int)strcspn(err->msg, ";"), err->msg);
        }
    }
    return rc;
}

static int open_doors(struct program *p, struct err *err)
{
    const struct daemon_options daemon = {.state_dir = p->options.state_dir,
                                          .worker_path = p->options.worker_path,
                                          .n_workers = p->options.n_workers,
                                          .threads_per_worker = 1,
                                          .backup_every_ms =
                                              p->options.backup_every_ms,
                                          .on_fatal = on_fatal,
                                          .ctx = p};
    int rc = daemon_new(&p->loop, &daemon, &p->daemon, err);
    if (rc != 0) {
        return rc;
    }
    rotate_log(p);
    const struct api_options api = {.on_shutdown = on_shutdown, .ctx = p};
    p->api = api_new(p->daemon, &api);
    rc = open_http(p, err);
    if (rc != 0) {
        p->is_ending = true; /* a signal now has no HTTP side to close */
        daemon_close(p->daemon, 0, on_daemon_closed, p);
        return rc;
    }
    api_publish_to(p->api, p->http);
    return 0;
}

static int exit_code_of(int rc)
{
    return rc == 0              ? 0
           : rc == ERR_CONFLICT ? EXIT_BUSY
           : rc == ERR_IO       ? EXIT_IO
                                : 1;
}

static int run(struct program *p)
{
    struct err err;
    int rc = descriptors_claim(p->options.n_workers, &err);
    if (rc == 0) {
        rc = options_claim_state(&p->options, &err);
    }
    if (rc == 0 && p->options.log_path != NULL) {
        rc = open_log(p, &err);
    }
    if (rc != 0) {
        fprintf(stderr, "parzend: %s\n", err.msg);
        return exit_code_of(rc);
    }
    uv_loop_init(&p->loop);
    watch_signals(p);
    rc = open_doors(p, &err);
    if (rc != 0) {
        fprintf(stderr, "parzend: %s\n", err.msg);
        LOG_ERROR("not started", "%s", err.msg);
        if (p->daemon == NULL) {
            on_daemon_closed(p);
        }
    } else {
        LOG_INFO("ready", "state=%s port=%d workers=%d pid=%d",
                 p->options.state_dir, http_server_port(p->http),
                 p->options.n_workers, (int)getpid());
        notify("READY=1");
    }
    uv_run(&p->loop, UV_RUN_DEFAULT);
    api_free(p->api);
    uv_loop_close(&p->loop);
    return exit_code_of(rc);
}

static int check(const struct options *o)
{
    struct err err;
    int n = 0;
    log_set_level(LOG_LEVEL_ERROR); /* findings alone are printed */
    int rc = o->state_dir != NULL
                 ? check_state(o->state_dir, &n, &err)
                 : err_set(&err, ERR_INVALID,
                           "no state directory: give --state, or set HOME");
    if (rc != 0) {
        fprintf(stderr, "parzend: %s\n", err.msg);
    }
    return rc != 0 || n > 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    options_parse(&p.options, argc, argv);
    settle_in();
    int code = p.options.check ? check(&p.options)
               : offline_is_asked(&p.options.offline)
                   ? offline_run(&p.options.offline)
                   : run(&p);
    options_fini(&p.options);
    return code;
}
