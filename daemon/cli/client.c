/* One easy handle for calls; a stream is a second one driven by a multi handle,
 * so that the terminal is repainted and Ctrl-C noticed while nothing comes.
 *
 * The happy path of a stream: bytes arrive in on_stream_bytes, whole lines go
 * to stream_line, an empty line ends an event and hands it out.
 * Possible failures: no daemon (connect refused), a reply that is no stream
 * (its JSON is the error), the daemon's death (the transfer ends). */
#include "daemon/cli/client.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/cli/clock.h"
#include "daemon/cli/interrupt.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    CALL_TIMEOUT_S = 60,
    CONNECT_TIMEOUT_S = 5,
    TICK_MS = 100,
    EVENT_MAX = 64 << 20,
    AGAIN_MS = 250,      /* between requests while the database is held */
    SAY_AGAIN_MS = 2000, /* then the person hears of it */
    AGAIN_MAX_MS = 30000
};

struct client {
    CURL *easy;
    char *state_dir;
    char *sock;  /* path for messages */
    char *start; /* command for messages */
    int dir_fd;  /* -1, or the folder that a long path goes through */
};

/* The socket's path as sockaddr_un holds it, owned. That is 107 bytes: a longer
 * one goes through /proc/self/fd. The folder is opened for each request: the
 * daemon's start may make it between two of them. */
static char *fitting_path(struct client *c)
{
    struct sockaddr_un room;
    if (strlen(c->sock) < sizeof(room.sun_path)) {
        return mem_strdup(c->sock);
    }
    if (c->dir_fd >= 0) {
        close(c->dir_fd);
    }
    c->dir_fd = open(c->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return mem_printf("/proc/self/fd/%d/sock", c->dir_fd);
}

int client_new(const char *state_dir, const char *start, struct client **out,
               struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return err_set(err, ERR_IO, "the HTTP library cannot be started");
    }
    struct client *c = mem_alloc(1, sizeof(*c));
    *c = (struct client){.easy = curl_easy_init(),
                         .state_dir = mem_strdup(state_dir),
                         .sock = paths_in_state(state_dir, "sock"),
                         .start = mem_strdup(start),
                         .dir_fd = -1};
    *out = c;
    return 0;
}

void client_free(struct client *c)
{
    if (c == NULL) {
        return;
    }
    curl_easy_cleanup(c->easy);
    if (c->dir_fd >= 0) {
        close(c->dir_fd);
    }
    free(c->state_dir);
    free(c->sock);
    free(c->start);
    free(c);
    curl_global_cleanup();
}

void client_study_path(struct buf *out, const char *study, const char *rest)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-_~";
    buf_str(out, "/studies/");
    for (const char *p = study; *p != '\0'; p++) {
        if (strchr(plain, *p) != NULL) {
            buf_char(out, *p);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)*p);
        }
    }
    buf_str(out, rest);
}

/* --- one request --- */

static size_t on_bytes(char *at, size_t size, size_t n, void *ctx)
{
    struct buf *b = ctx;
    buf_add(b, at, size * n);
    return b->overflow ? 0 : size * n;
}

/* What every request has. The URL's host is only a word: the socket decides. */
static void prepare(struct client *c, CURL *easy, const char *path,
                    struct buf *url)
{
    char *sock = fitting_path(c);
    buf_printf(url, "http://localhost/api/v1%s", path);
    curl_easy_setopt(easy, CURLOPT_URL, url->data);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, sock);
    free(sock); /* curl has its own copy */
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
}

static int transfer_failed(const struct client *c, CURLcode code,
                           struct err *err)
{
    if (code == CURLE_COULDNT_CONNECT) {
        return err_set(err, ERR_UNREACHABLE, "no daemon answers on %s (%s)",
                       c->sock, c->start);
    }
    if (code == CURLE_WRITE_ERROR) {
        return err_set(err, ERR_LIMIT, "the daemon's reply is too large");
    }
    return err_set(err, ERR_UNREACHABLE, "the daemon did not answer: %s",
                   curl_easy_strerror(code));
}

static int code_of_status(long status)
{
    switch (status) {
    case 400:
    case 413:
        return ERR_INVALID;
    case 404:
        return ERR_NOTFOUND;
    case 409:
        return ERR_CONFLICT;
    case 503:
        return ERR_STORE;
    case 507:
        return ERR_FULL;
    default:
        return ERR_IO;
    }
}

/* {"error":{"code":..., "message":...}} as an error. */
static int refused(long status, const struct buf *reply, struct err *err)
{
    struct json *root = NULL;
    const struct json *message = NULL, *name = NULL;
    int code = code_of_status(status);
    if (json_parse(reply->data != NULL ? reply->data : "", reply->len, &root,
                   NULL) == 0 &&
        json_kind(root) == JSON_OBJECT) {
        const struct json *error = json_get(root, "error");
        bool has_both = error != NULL && json_kind(error) == JSON_OBJECT;
        message = has_both ? json_get(error, "message") : NULL;
        name = has_both ? json_get(error, "code") : NULL;
    }
    if (name != NULL && json_kind(name) == JSON_STRING &&
        strcmp(json_string(name), err_name(ERR_BUSY)) == 0) {
        code = ERR_BUSY;
    }
    if (message != NULL && json_kind(message) == JSON_STRING) {
        err_set(err, code, "%s", json_string(message));
    } else {
        err_set(err, code, "the daemon answered with HTTP status %ld", status);
    }
    json_free(root);
    return code;
}

static int request(struct client *c, const char *method, const char *path,
                   const char *body, int *status, struct buf *reply,
                   struct err *err)
{
    struct buf url;
    buf_init(&url, 16 << 10);
    curl_easy_reset(c->easy);
    prepare(c, c->easy, path, &url);
    struct curl_slist *headers =
        curl_slist_append(NULL, "Content-Type: application/json");
    curl_easy_setopt(c->easy, CURLOPT_TIMEOUT, (long)CALL_TIMEOUT_S);
    curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, reply);
    if (body != NULL || strcmp(method, "POST") == 0) {
        const char *text = body != NULL ? body : "{}";
        curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE, (long)strlen(text));
        curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, text);
    }
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, method);
    CURLcode code = curl_easy_perform(c->easy);
    long http = 0;
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &http);
    curl_slist_free_all(headers);
    buf_fini(&url);
    if (code != CURLE_OK) {
        return transfer_failed(c, code, err);
    }
    if (status != NULL) {
        *status = (int)http;
    }
    return http >= 400 ? refused(http, reply, err) : 0;
}

/* BUSY is said before anything was done: the same may be asked again. */
static int request_again(struct client *c, const char *method, const char *path,
                         const char *body, int *status, struct buf *reply,
                         struct err *err)
{
    const struct timespec nap = {.tv_nsec = AGAIN_MS * 1000000L};
    int rc = request(c, method, path, body, status, reply, err);
    int64_t began = clock_now_ms();
    int ms = 0;
    while (rc == ERR_BUSY && clock_now_ms() - began < AGAIN_MAX_MS) {
        if (ms == SAY_AGAIN_MS) {
            fprintf(stderr, "waiting, for at most %d s: %s\n",
                    (int)AGAIN_MAX_MS / 1000, err->msg);
        }
        nanosleep(&nap, NULL);
        if (interrupt_came()) {
            return err_set(err, ERR_CANCELED, "interrupted");
        }
        ms += AGAIN_MS;
        buf_reset(reply);
        rc = request(c, method, path, body, status, reply, err);
    }
    return rc;
}

int client_call(struct client *c, const char *method, const char *path,
                const char *body, int *status, struct json **out,
                struct err *err)
{
    struct buf reply;
    buf_init(&reply, BUF_MAX_RESPONSE);
    int rc = request_again(c, method, path, body, status, &reply, err);
    if (rc == 0) {
        rc = json_parse(reply.data != NULL ? reply.data : "", reply.len, out,
                        err);
        if (rc != 0) {
            err_wrap(err, "the daemon's reply");
            rc = err->code = ERR_PROTO;
        }
    }
    buf_fini(&reply);
    return rc;
}

int client_get_text(struct client *c, const char *path, struct buf *out,
                    struct err *err)
{
    return request(c, "GET", path, NULL, NULL, out, err);
}

/* --- a stream --- */

struct stream {
    struct buf line, data; /* not yet whole */
    char name[32];         /* of the event in work */
    const struct client_events *events;
    CURL *easy;
    bool is_over; /* on_event said so */
};

static void stream_event(struct stream *s)
{
    struct json *data;
    if (s->data.len > 0 && !s->data.overflow &&
        json_parse(s->data.data, s->data.len, &data, NULL) == 0) {
        s->is_over = s->events->on_event(s->events->ctx, s->name, data) != 0;
        json_free(data);
    }
    buf_reset(&s->data);
    s->name[0] = '\0';
}

static void stream_line(struct stream *s, const char *line)
{
    if (line[0] == '\0') {
        stream_event(s);
    } else if (strncmp(line, "event: ", 7) == 0) {
        snprintf(s->name, sizeof(s->name), "%.31s", line + 7);
    } else if (strncmp(line, "data: ", 6) == 0) {
        buf_str(&s->data, line + 6);
    }
}

static size_t on_stream_bytes(char *at, size_t size, size_t n, void *ctx)
{
    struct stream *s = ctx;
    long status = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    for (size_t i = 0; i < size * n; i++) {
        if (at[i] != '\n' || status != 200) {
            buf_char(&s->line, at[i]);
            continue;
        }
        if (!s->is_over) {
            stream_line(s, s->line.data != NULL ? s->line.data : "");
        }
        buf_reset(&s->line);
    }
    return s->line.overflow ? 0 : size * n;
}

/* Drive the transfer; 0 when the stream ended or on_event said stop. */
static int drive(CURLM *multi, struct stream *s, CURLcode *ended,
                 struct err *err)
{
    int running = 1;
    while (running > 0 && !s->is_over) {
        if (interrupt_came()) {
            return err_set(err, ERR_CANCELED, "interrupted");
        }
        if (curl_multi_perform(multi, &running) != CURLM_OK ||
            curl_multi_poll(multi, NULL, 0, TICK_MS, NULL) != CURLM_OK) {
            return err_set(err, ERR_IO, "the HTTP library failed");
        }
        s->events->on_tick(s->events->ctx);
    }
    int left;
    const CURLMsg *m = curl_multi_info_read(multi, &left);
    *ended = m != NULL ? m->data.result : CURLE_OK;
    return 0;
}

/* The transfer is over: why? */
static int stream_end(struct client *c, struct stream *s, CURLcode code,
                      struct err *err)
{
    long status = 0;
    curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
    if (s->is_over) {
        return 0;
    }
    if (status >= 400) {
        return refused(status, &s->line, err);
    }
    return code == CURLE_OK
               ? err_set(err, ERR_UNREACHABLE, "the daemon ended the stream")
               : transfer_failed(c, code, err);
}

int client_follow(struct client *c, const char *study, int64_t after,
                  const struct client_events *events, struct err *err)
{
    struct stream s = {.events = events, .easy = curl_easy_init()};
    struct buf path, url;
    buf_init(&s.line, EVENT_MAX);
    buf_init(&s.data, EVENT_MAX);
    buf_init(&path, 16 << 10);
    buf_init(&url, 16 << 10);
    client_study_path(&path, study, "/events");
    if (after >= 0) {
        buf_printf(&path, "?after=%lld", (long long)after);
    }
    prepare(c, s.easy, path.data, &url);
    curl_easy_setopt(s.easy, CURLOPT_WRITEFUNCTION, on_stream_bytes);
    curl_easy_setopt(s.easy, CURLOPT_WRITEDATA, &s);
    CURLM *multi = curl_multi_init();
    curl_multi_add_handle(multi, s.easy);
    CURLcode code = CURLE_OK;
    int rc = drive(multi, &s, &code, err);
    if (rc == 0) {
        rc = stream_end(c, &s, code, err);
    }
    curl_multi_remove_handle(multi, s.easy);
    curl_easy_cleanup(s.easy);
    curl_multi_cleanup(multi);
    buf_fini(&s.line);
    buf_fini(&s.data);
    buf_fini(&path);
    buf_fini(&url);
    return rc;
}
