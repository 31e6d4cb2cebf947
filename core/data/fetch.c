/* The happy path: fetch_add queues a transfer; fetch_wait begins as many as may
 * run, drives curl until one ends, and hands its reply out.
 *
 * Possible failures, all told by curl at a transfer's end: no connection, a
 * connection that is cut or stalls, an answer that asks to come back later
 * (429, 5xx). Each puts the transfer back into the queue with a time before
 * which it does not begin again, until its tries are used up. What a file has
 * got by then is kept: with the ETag of the first answer the next try asks for
 * the rest (RFC 9110, If-Range), and writes from the start when it gets 200. */
#include "core/data/fetch.h"
#include "core/base/mem.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 100,
    CONNECT_S = 15,
    MAX_PAUSE_MS = 60000,
    MAX_RETRY_AFTER_S = 600,
    ERROR_BODY_MAX = 64 << 10 /* of an answer that is no content */
};

const struct fetch_options FETCH_DEFAULTS = {.n_parallel = 4,
                                             .n_tries = 8,
                                             .n_dead_tries = 3,
                                             .pause_ms = 500,
                                             .stall_s = 30};

struct transfer {
    struct transfer *next;
    struct fetch *owner;
    int64_t id;
    char *url, *token;
    char *known_etag; /* of the request, or of the first answer */
    int fd;
    uint64_t n_there, total;
    void (*on_begin)(void *ctx, const char *etag);
    void *ctx;
    size_t max_bytes;
    struct buf body;
    char *etag, *revision, *error_code; /* of the answer in work */
    CURL *easy;                         /* NULL while it waits */
    struct curl_slist *headers;
    char why[CURL_ERROR_SIZE];
    int64_t not_before_ms;
    int n_tries, n_dead;
    bool has_begun; /* the answer's status is looked at */
    bool is_too_large;
    int file_errno;
};

struct fetch {
    struct fetch_options options;
    struct fetch_watch watch;
    CURLM *multi;
    struct transfer *transfers;
    int n_running;
    int64_t hold_until_ms; /* the server asked for silence */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void fetch_note(const struct fetch_watch *w, const char *fmt, ...)
{
    if (w == NULL || w->on_note == NULL) {
        return;
    }
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    w->on_note(w->ctx, text);
}

void fetch_escape(struct buf *out, const char *s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "abcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *s != '\0'; s++) {
        if (strchr(plain, *s) != NULL) {
            buf_char(out, *s);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)*s);
        }
    }
}

/* --- addresses ------------------------------------------------------------ */

/* A part of an address (curl_free), NULL: it has none. */
static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static bool is_this_machine(const char *host)
{
    struct in_addr a;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &a) == 1 &&
            ntohl(a.s_addr) >> 24 == IN_LOOPBACKNET);
}

/* Asks the parser that the transfer asks: another reading of the address than
 * its own could send a secret elsewhere. */
bool fetch_is_private(const char *url)
{
    CURLU *u = curl_url();
    bool is_private = false;
    if (u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        char *scheme = part_of(u, CURLUPART_SCHEME);
        char *host = part_of(u, CURLUPART_HOST);
        char *user = part_of(u, CURLUPART_USER);
        char *password = part_of(u, CURLUPART_PASSWORD);
        is_private = scheme != NULL && host != NULL && user == NULL &&
                     password == NULL &&
                     (strcmp(scheme, "https") == 0 ||
                      (strcmp(scheme, "http") == 0 && is_this_machine(host)));
        curl_free(scheme);
        curl_free(host);
        curl_free(user);
        curl_free(password);
    }
    curl_url_cleanup(u);
    return is_private;
}

/* --- life ----------------------------------------------------------------- */

int fetch_new(const struct fetch_options *options,
              const struct fetch_watch *watch, struct fetch **out,
              struct err *err)
{
    CURLM *multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
                       ? curl_multi_init()
                       : NULL;
    if (multi == NULL) {
        return err_set(err, ERR_IO, "the HTTP library cannot be started");
    }
    struct fetch *f = mem_alloc(1, sizeof(*f));
    *f = (struct fetch){.options = *options, .multi = multi};
    if (watch != NULL) {
        f->watch = *watch;
    }
    *out = f;
    return 0;
}

static void forget_answer(struct transfer *t)
{
    free(t->etag);
    free(t->revision);
    free(t->error_code);
    t->etag = t->revision = t->error_code = NULL;
}

static void end_transfer(struct transfer *t)
{
    if (t->easy != NULL) {
        curl_multi_remove_handle(t->owner->multi, t->easy);
        curl_easy_cleanup(t->easy);
        curl_slist_free_all(t->headers);
        t->easy = NULL;
        t->headers = NULL;
        t->owner->n_running--;
    }
}

static void free_transfer(struct transfer *t)
{
    end_transfer(t);
    forget_answer(t);
    buf_fini(&t->body);
    free(t->url);
    free(t->token);
    free(t->known_etag);
    free(t);
}

void fetch_free(struct fetch *f)
{
    if (f == NULL) {
        return;
    }
    while (f->transfers != NULL) {
        struct transfer *t = f->transfers;
        f->transfers = t->next;
        free_transfer(t);
    }
    curl_multi_cleanup(f->multi);
    free(f);
}

void fetch_add(struct fetch *f, const struct fetch_request *r)
{
    struct transfer *t = mem_alloc(1, sizeof(*t)), **end = &f->transfers;
    *t = (struct transfer){.owner = f,
                           .id = r->id,
                           .url = mem_strdup(r->url),
                           .token = mem_strdup(r->token),
                           .known_etag = mem_strdup(r->etag),
                           .fd = r->fd,
                           .n_there = r->n_there,
                           .on_begin = r->on_begin,
                           .ctx = r->ctx,
                           .max_bytes = r->max_bytes};
    buf_init(&t->body, t->max_bytes);
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = t;
}

/* --- what curl tells
 * ---------------------------------------------------------- */

static long status_of(const struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Keep a header's value when the line is of that name. */
static void keep_header(const char *line, size_t len, const char *name,
                        char **out)
{
    size_t n = strlen(name);
    if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return;
    }
    for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++) {
    }
    while (len > n && strchr(" \t\r\n", line[len - 1]) != NULL) {
        len--;
    }
    free(*out);
    *out = mem_strndup(line + n, len - n);
}

static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * n;
    if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        forget_answer(t); /* a redirection's headers are not the content's */
        t->has_begun = false;
    }
    keep_header(line, len, "etag", &t->etag);
    keep_header(line, len, "x-revision", &t->revision);
    keep_header(line, len, "x-error-code", &t->error_code);
    return len;
}

/* The first bytes of an answer: where do they belong? */
static void begin_body(struct transfer *t, long status)
{
    t->has_begun = true;
    buf_reset(&t->body);
    t->body.max = status == 200 ? t->max_bytes : ERROR_BODY_MAX;
    if (t->fd >= 0 && status == 200) {
        t->n_there = 0;
        if (ftruncate(t->fd, 0) != 0) {
            t->file_errno = errno;
        }
        free(t->known_etag);
        t->known_etag = mem_strdup(t->etag);
        if (t->on_begin != NULL) {
            t->on_begin(t->ctx, t->etag);
        }
    }
    curl_off_t length = -1;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    t->total = length > 0 ? t->n_there + (uint64_t)length : 0;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * n, done = 0;
    long status = status_of(t);
    if (!t->has_begun) {
        begin_body(t, status);
    }
    if (t->fd < 0 || (status != 200 && status != 206)) {
        buf_add(&t->body, bytes, len);
        t->is_too_large = t->body.overflow && status == 200;
        return t->is_too_large ? 0 : len;
    }
    while (done < len && t->file_errno == 0) {
        ssize_t got =
            pwrite(t->fd, bytes + done, len - done, (off_t)(t->n_there + done));
        if (got < 0 && errno != EINTR) {
            t->file_errno = errno;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    t->n_there += done;
    return t->file_errno == 0 ? len : 0;
}

/* --- turns
 * -------------------------------------------------------------------- */

static void add_header(struct transfer *t, const char *name, const char *value)
{
    char *line = mem_printf("%s: %s", name, value);
    t->headers = curl_slist_append(t->headers, line);
    free(line);
}

static void put_conditions(struct transfer *t)
{
    if (t->token != NULL) {
        char *bearer = mem_printf("Bearer %s", t->token);
        add_header(t, "Authorization", bearer);
        free(bearer);
    }
    if (t->known_etag != NULL && t->fd >= 0 && t->n_there > 0) {
        char *range = mem_printf("bytes=%llu-", (unsigned long long)t->n_there);
        add_header(t, "Range", range);
        add_header(t, "If-Range", t->known_etag);
        free(range);
    } else if (t->known_etag != NULL && t->n_tries == 0) {
        add_header(t, "If-None-Match", t->known_etag);
    }
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void begin_transfer(struct transfer *t)
{
    CURL *e = t->easy = curl_easy_init();
    t->has_begun = false;
    t->why[0] = '\0';
    forget_answer(t);
    curl_easy_setopt(e, CURLOPT_URL, t->url);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->why);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "parzen");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                     (long)t->owner->options.stall_s);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    if (t->fd < 0) { /* ranges are of the bytes as they are sent */
        curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    }
    put_conditions(t);
    curl_multi_add_handle(t->owner->multi, e);
    t->owner->n_running++;
}

/* Begin what may begin; the time until the next one may, at most TICK_MS. */
static int begin_due(struct fetch *f)
{
    int64_t now = now_ms(), wait = TICK_MS;
    for (struct transfer *t = f->transfers; t != NULL; t = t->next) {
        int64_t due = t->not_before_ms > f->hold_until_ms ? t->not_before_ms
                                                          : f->hold_until_ms;
        if (t->easy != NULL) {
            continue;
        }
        if (due <= now && f->n_running < f->options.n_parallel) {
            begin_transfer(t);
        } else if (due > now && due - now < wait) {
            wait = due - now;
        }
    }
    return (int)wait;
}

/* Has no server heard of it? */
static bool is_dead(CURLcode code)
{
    return code == CURLE_COULDNT_CONNECT ||
           code == CURLE_COULDNT_RESOLVE_HOST ||
           code == CURLE_COULDNT_RESOLVE_PROXY;
}

static bool is_broken(CURLcode code)
{
    return is_dead(code) || code == CURLE_RECV_ERROR ||
           code == CURLE_SEND_ERROR || code == CURLE_PARTIAL_FILE ||
           code == CURLE_GOT_NOTHING || code == CURLE_OPERATION_TIMEDOUT ||
           code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM ||
           code == CURLE_SSL_CONNECT_ERROR || code == CURLE_WEIRD_SERVER_REPLY;
}

static const char *reason(const struct transfer *t, CURLcode code)
{
    return t->why[0] != '\0' ? t->why : curl_easy_strerror(code);
}

/* Put a transfer back into the queue; false when its tries are used up. */
static bool try_again(struct transfer *t, CURLcode code, long status)
{
    struct fetch *f = t->owner;
    int64_t pause = f->options.pause_ms;
    t->n_tries++;
    t->n_dead = is_dead(code) ? t->n_dead + 1 : 0;
    if (t->n_tries >= f->options.n_tries ||
        t->n_dead >= f->options.n_dead_tries) {
        return false;
    }
    for (int i = 1; i < t->n_tries && pause < MAX_PAUSE_MS; i++) {
        pause *= 2;
    }
    pause = pause < MAX_PAUSE_MS ? pause : MAX_PAUSE_MS;
    curl_off_t after = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after);
    if (code == CURLE_OK && after > 0) {
        pause = 1000 * (after < MAX_RETRY_AFTER_S ? after : MAX_RETRY_AFTER_S);
        f->hold_until_ms = now_ms() + pause;
    }
    t->not_before_ms = now_ms() + pause;
    if (code == CURLE_OK) {
        fetch_note(&f->watch, "%s: answered %ld, trying again in %.1f s",
                   t->url, status, (double)pause / 1000);
    } else {
        fetch_note(&f->watch, "%s: %s, trying again in %.1f s", t->url,
                   reason(t, code), (double)pause / 1000);
    }
    end_transfer(t);
    return true;
}

static int fail(struct transfer *t, CURLcode code, struct err *err)
{
    if (t->is_too_large) {
        return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", t->url,
                       t->max_bytes);
    }
    if (t->file_errno != 0) {
        return err_sys(err, t->file_errno, "%s: writing", t->url);
    }
    return err_set(err, is_broken(code) ? ERR_UNREACHABLE : ERR_IO, "%s: %s",
                   t->url, reason(t, code));
}

static void take_off(struct fetch *f, struct transfer *t)
{
    struct transfer **at = &f->transfers;
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    free_transfer(t);
}

static void hand_out(struct transfer *t, long status, struct fetch_reply *out)
{
    *out = (struct fetch_reply){.id = t->id,
                                .status = status == 206 ? 200 : (int)status,
                                .body = t->body,
                                .etag = t->etag,
                                .revision = t->revision,
                                .error_code = t->error_code};
    buf_init(&t->body, 0);
    t->etag = t->revision = t->error_code = NULL;
}

/* A transfer ended: 1 when *out has its reply, 0 when it is tried again. */
static int on_end(struct fetch *f, struct transfer *t, CURLcode code,
                  struct fetch_reply *out, struct err *err)
{
    long status = status_of(t);
    bool is_later = code == CURLE_OK && (status == 429 || status >= 500);
    if ((is_later || is_broken(code)) && try_again(t, code, status)) {
        return 0;
    }
    int rc = 1;
    if (code != CURLE_OK) {
        rc = fail(t, code, err);
    } else {
        if (status == 200 && !t->has_begun) {
            begin_body(t, status); /* an empty body */
        }
        hand_out(t, status, out);
    }
    take_off(f, t);
    return rc;
}

static void tell_bytes(const struct fetch *f)
{
    const struct transfer *t = f->transfers;
    if (f->watch.on_progress != NULL && t != NULL && t->fd >= 0) {
        f->watch.on_progress(f->watch.ctx, t->n_there, t->total, "bytes");
    }
}

int fetch_wait(struct fetch *f, struct fetch_reply *out, struct err *err)
{
    for (;;) {
        int n_running, n_left, rc = 0;
        if (f->watch.stop != NULL && *f->watch.stop != 0) {
            return err_set(err, ERR_CANCELED, "interrupted");
        }
        int wait = begin_due(f);
        curl_multi_perform(f->multi, &n_running);
        const CURLMsg *m = curl_multi_info_read(f->multi, &n_left);
        if (m != NULL && m->msg == CURLMSG_DONE) {
            struct transfer *t;
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
            rc = on_end(f, t, m->data.result, out, err);
            if (rc != 0) {
                return rc > 0 ? 0 : rc;
            }
            continue;
        }
        tell_bytes(f);
        curl_multi_poll(f->multi, NULL, 0, wait, NULL);
    }
}

void fetch_reply_fini(struct fetch_reply *r)
{
    buf_fini(&r->body);
    free(r->etag);
    free(r->revision);
    free(r->error_code);
    *r = (struct fetch_reply){0};
}
