#include "tests/lib/fix_hub.h"
#include "core/base/base.h"
#include "core/base/buf.h"

#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE_ROWS = 100 };

/* --- answers
 * ------------------------------------------------------------------ */

struct request {
    char path[64], dataset[128], config[64], split[64], token[64], range[64],
        if_none_match[64], if_range[64];
    int offset;
};

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            _exit(0);
        }
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* keep: send only so many bytes of the body, then hang up. */
static void reply(int fd, int status, const char *headers,
                  const struct buf *body, size_t keep)
{
    char head[512];
    snprintf(head, sizeof(head),
             "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\nConnection: close\r\n%s\r\n",
             status, body->len, headers);
    send_all(fd, head, strlen(head));
    send_all(fd, body->len > 0 ? body->data : "",
             body->len < keep ? body->len : keep);
}

static void reply_slowly(int fd, int status, const char *headers,
                         const struct buf *body, int pause_ms)
{
    size_t half = body->len / 2;
    reply(fd, status, headers, body, half);
    usleep((useconds_t)pause_ms * 1000);
    send_all(fd, body->data + half, body->len - half);
}

static void reply_error(int fd, int status, const char *headers,
                        const char *sentence)
{
    struct buf body;
    buf_init(&body, BUF_MAX_CONFIG);
    buf_printf(&body, "{\"error\":\"%s\"}", sentence);
    reply(fd, status, headers, &body, SIZE_MAX);
    buf_fini(&body);
}

static bool is_everyday(const struct request *r)
{
    return strcmp(r->dataset, FIX_HUB_EVERYDAY) == 0;
}

static bool is_train(const struct request *r)
{
    return strncmp(r->split, "train", 5) == 0;
}

static void put_row(struct buf *out, const struct fix_hub_state *s,
                    const struct request *r, int i)
{
    if (is_everyday(r)) {
        buf_printf(out,
                   "{\"topic\":\"topic %d\",\"completion\":"
                   "\"User: %s %d\\n\\nAI: of %d\"}",
                   i % 19, r->split, i, i % 19);
        return;
    }
    int class = (i + (s->changed_from > 0 && i >= s->changed_from)) % 3;
    buf_printf(out, "{\"text\":\"%s text %d\",\"label\":", r->split, i);
    if (strcmp(r->dataset, "org/labels") == 0) {
        buf_printf(out, "%d}", s->is_odd && i == 7 ? s->odd_label : class);
    } else {
        buf_printf(out, "\"class %d\"}", class);
    }
}

static void put_features(struct buf *out, const struct request *r)
{
    if (is_everyday(r)) {
        buf_str(out,
                "\"features\":[{\"feature_idx\":0,\"name\":\"topic\",\"type\":"
                "{\"dtype\":\"string\",\"_type\":\"Value\"}},"
                "{\"feature_idx\":1,\"name\":\"completion\",\"type\":"
                "{\"dtype\":\"string\",\"_type\":\"Value\"}}]");
        return;
    }
    buf_str(out, "\"features\":[{\"feature_idx\":0,\"name\":\"text\",\"type\":"
                 "{\"dtype\":\"string\",\"_type\":\"Value\"}},"
                 "{\"feature_idx\":1,\"name\":\"label\",\"type\":");
    buf_str(out, strcmp(r->dataset, "org/labels") == 0
                     ? "{\"names\":[\"zero\",\"one\",\"two\"],"
                       "\"_type\":\"ClassLabel\"}}]"
                     : "{\"dtype\":\"string\",\"_type\":\"Value\"}}]");
}

static void put_page(struct buf *out, const struct fix_hub_state *s,
                     const struct request *r, int n)
{
    int end = r->offset + PAGE_ROWS < n ? r->offset + PAGE_ROWS : n;
    buf_char(out, '{');
    put_features(out, r);
    buf_str(out, ",\"rows\":[");
    for (int i = r->offset; i < end; i++) {
        buf_printf(out, "%s{\"row_idx\":%d,\"row\":", i > r->offset ? "," : "",
                   i);
        put_row(out, s, r, i);
        buf_printf(out, ",\"truncated_cells\":[%s]}",
                   s->is_truncated && i == 7 ? "\"text\"" : "");
    }
    buf_printf(out,
               "],\"num_rows_total\":%d,\"num_rows_per_page\":100,"
               "\"partial\":%s}",
               n, s->is_partial ? "true" : "false");
}

static bool take(int *budget)
{
    if (__atomic_fetch_sub(budget, 1, __ATOMIC_SEQ_CST) > 0) {
        return true;
    }
    __atomic_fetch_add(budget, 1, __ATOMIC_SEQ_CST);
    return false;
}

/* A page's tag stands for its bytes; 304 when the reader has them. */
static bool is_unchanged(int fd, struct fix_hub_state *s,
                         const struct request *r, const struct buf *body,
                         char *headers, size_t size)
{
    static const struct buf none;
    char etag[32];
    uint64_t sum = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < body->len; i++) {
        sum = (sum ^ (unsigned char)body->data[i]) * 1099511628211u;
    }
    snprintf(etag, sizeof(etag), "\"%016llx\"", (unsigned long long)sum);
    size_t len = strlen(headers);
    snprintf(headers + len, size - len, "ETag: %s\r\n", etag);
    if (strcmp(r->if_none_match, etag) != 0) {
        return false;
    }
    __atomic_fetch_add(&s->n_unchanged, 1, __ATOMIC_SEQ_CST);
    reply(fd, 304, headers, &none, 0);
    return true;
}

static void serve_page(int fd, struct fix_hub_state *s, const struct request *r,
                       const struct buf *body, const char *headers)
{
    bool is_first = r->offset == 0;
    size_t half = body->len / 2;
    int page = r->offset / PAGE_ROWS;
    if (!is_first && take(&s->n_429)) {
        reply_error(fd, 429, "Retry-After: 1\r\n", "slow down");
    } else if (!is_first && take(&s->n_500)) {
        reply_error(fd, 500, "X-Error-Code: ResponseNotReady\r\n", "later");
    } else if (!is_first && take(&s->n_cut)) {
        reply(fd, 200, headers, body, half);
    } else {
        if (!is_first && take(&s->n_slow)) {
            usleep(700000);
        }
        usleep((useconds_t)s->ms_per_page * 1000);
        reply(fd, 200, headers, body, SIZE_MAX);
        if (is_train(r) && page < FIX_HUB_PAGES) {
            __atomic_fetch_add(&s->train_pages[page], 1, __ATOMIC_SEQ_CST);
        }
    }
}

static bool is_known(const struct request *r)
{
    static const char *const known[] = {"org/good", "org/two", "org/labels",
                                        "org/gated", FIX_HUB_EVERYDAY};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(r->dataset, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void put_splits(struct buf *out, const struct request *r)
{
    static const char *const configs[] = {"a", "b"};
    bool is_two = strcmp(r->dataset, "org/two") == 0;
    const char *ending = is_everyday(r) ? "_sft" : "";
    buf_str(out, "{\"splits\":[");
    for (int i = 0; i < (is_two ? 2 : 1); i++) {
        buf_printf(out,
                   "%s{\"dataset\":\"%s\",\"config\":\"%s\",\"split\":"
                   "\"train%s\"},{\"dataset\":\"%s\",\"config\":\"%s\","
                   "\"split\":\"test%s\"}",
                   i > 0 ? "," : "", r->dataset,
                   is_two ? configs[i] : "default", ending, r->dataset,
                   is_two ? configs[i] : "default", ending);
    }
    buf_str(out, "],\"pending\":[],\"failed\":[]}");
}

/* The rows of "train" as lines, by range and entity tag. */
static void serve_file(int fd, struct fix_hub_state *s, struct request *r)
{
    struct buf all, part;
    char headers[256], etag[64];
    size_t from = 0;
    buf_init(&all, BUF_MAX_RESPONSE);
    buf_init(&part, BUF_MAX_RESPONSE);
    strcpy(r->split, "train");
    for (int i = 0; i < s->n_train; i++) {
        put_row(&all, s, r, i);
        buf_char(&all, '\n');
    }
    snprintf(etag, sizeof(etag), "\"%s\"", s->revision);
    if (strcmp(r->if_none_match, etag) == 0) {
        reply(fd, 304, "", &part, 0);
        return;
    }
    if (strcmp(r->if_range, etag) == 0) {
        sscanf(r->range, "bytes=%zu-", &from);
    }
    snprintf(headers, sizeof(headers), s->is_untagged ? "" : "ETag: %s\r\n",
             etag);
    buf_add(&part, all.data + from, all.len - from);
    bool is_cut = take(&s->n_cut);
    size_t keep = is_cut ? part.len / 2 : SIZE_MAX;
    if (is_cut || s->ms_of_file == 0) {
        reply(fd, from > 0 ? 206 : 200, headers, &part, keep);
    } else {
        reply_slowly(fd, from > 0 ? 206 : 200, headers, &part, s->ms_of_file);
    }
    __atomic_fetch_add(&s->n_bytes_of_file, (int)(is_cut ? keep : part.len),
                       __ATOMIC_SEQ_CST);
    buf_fini(&all);
    buf_fini(&part);
}

static void answer(int fd, struct fix_hub_state *s, struct request *r)
{
    struct buf body;
    char headers[128] = "";
    __atomic_fetch_add(&s->n_requests, 1, __ATOMIC_SEQ_CST);
    if (s->revision[0] != '\0') {
        snprintf(headers, sizeof(headers), "X-Revision: %s\r\n", s->revision);
    }
    buf_init(&body, BUF_MAX_RESPONSE);
    if (strcmp(r->path, "/file.jsonl") == 0) {
        serve_file(fd, s, r);
    } else if (strcmp(r->dataset, "org/gated") == 0 &&
               strcmp(r->token, "Bearer secret") != 0) {
        reply_error(fd, 401, "X-Error-Code: ExternalUnauthenticatedError\r\n",
                    "The dataset does not exist, or is not accessible");
    } else if (!is_known(r)) {
        reply_error(fd, 404, "X-Error-Code: ExternalAuthenticatedError\r\n",
                    "The dataset does not exist");
    } else if (strcmp(r->path, "/splits") == 0) {
        put_splits(&body, r);
        reply(fd, 200, headers, &body, SIZE_MAX);
    } else if (strcmp(r->path, "/rows") == 0) {
        put_page(&body, s, r, is_train(r) ? s->n_train : s->n_test);
        if (!s->has_page_tags ||
            !is_unchanged(fd, s, r, &body, headers, sizeof(headers))) {
            serve_page(fd, s, r, &body, headers);
        }
    } else {
        reply_error(fd, 404, "", "Not Found");
    }
    buf_fini(&body);
}

/* --- requests
 * ----------------------------------------------------------------- */

/* Copy the value of a query's key, %2F decoded. */
static void get_query(const char *line, const char *key, char *out, size_t size)
{
    char with[64];
    snprintf(with, sizeof(with), "%s=", key);
    const char *at = strstr(line, with);
    size_t n = 0;
    out[0] = '\0';
    if (at == NULL) {
        return;
    }
    for (at += strlen(with); *at != '&' && *at != ' ' && n + 1 < size; at++) {
        unsigned code = (unsigned char)*at;
        if (*at == '%' && sscanf(at + 1, "%2x", &code) == 1) {
            at += 2;
        }
        out[n++] = (char)code;
    }
    out[n] = '\0';
}

static void get_header(const char *text, const char *name, char *out,
                       size_t size)
{
    const char *at = strcasestr(text, name);
    size_t n = at != NULL ? strcspn(at + strlen(name), "\r\n") : 0;
    snprintf(out, size, "%.*s", (int)n, at != NULL ? at + strlen(name) : "");
}

static void serve(int fd, struct fix_hub_state *s)
{
    char text[8192];
    size_t len = 0;
    struct request r = {.offset = 0};
    do {
        ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (n <= 0) {
            return;
        }
        len += (size_t)n;
        text[len] = '\0';
    } while (strstr(text, "\r\n\r\n") == NULL && len + 1 < sizeof(text));
    char offset[16];
    sscanf(text, "GET %63[^? ]", r.path);
    get_query(text, "dataset", r.dataset, sizeof(r.dataset));
    get_query(text, "config", r.config, sizeof(r.config));
    get_query(text, "split", r.split, sizeof(r.split));
    get_query(text, "offset", offset, sizeof(offset));
    get_header(text, "\nAuthorization: ", r.token, sizeof(r.token));
    get_header(text, "\nRange: ", r.range, sizeof(r.range));
    get_header(text, "\nIf-Range: ", r.if_range, sizeof(r.if_range));
    get_header(text, "\nIf-None-Match: ", r.if_none_match,
               sizeof(r.if_none_match));
    r.offset = (int)strtol(offset, NULL, 10);
    answer(fd, s, &r);
}

static void serve_all(int listener, struct fix_hub_state *s)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            serve(fd, s);
            _exit(0);
        }
        close(fd);
    }
}

/* --- life
 * --------------------------------------------------------------------- */

void fix_hub_restart(struct fix_hub *h)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)h->port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(fd, 64), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    h->port = ntohs(address.sin_port);
    h->pid = fork();
    if (h->pid == 0) {
        serve_all(fd, h->state);
    }
    close(fd);
}

void fix_hub_init(struct fix_hub *h)
{
    *h = (struct fix_hub){.state = mmap(NULL, sizeof(*h->state),
                                        PROT_READ | PROT_WRITE,
                                        MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    ck_assert_ptr_ne(h->state, MAP_FAILED);
    h->state->n_train = 2260;
    h->state->n_test = 119;
    strcpy(h->state->revision, "abc123");
    fix_hub_restart(h);
    snprintf(h->url, sizeof(h->url), "http://127.0.0.1:%d", h->port);
}

void fix_hub_kill(struct fix_hub *h)
{
    kill(h->pid, SIGKILL);
    waitpid(h->pid, NULL, 0);
    h->pid = 0;
}

void fix_hub_fini(struct fix_hub *h)
{
    if (h->pid != 0) {
        fix_hub_kill(h);
    }
    munmap(h->state, sizeof(*h->state));
}
