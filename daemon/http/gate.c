/* Who is turned away, and why: from the first lines of a request, before its
 * body is read. */
#include "daemon/http/http_priv.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static const struct refusal
    STRANGER = {403, "FORBIDDEN", "this socket is its owner's alone"},
    HEAD = {400, "INVALID",
            "header lines must be \"NAME: VALUE\", each ended by CR LF"},
    FRAMING = {400, "INVALID",
               "the length of the body must be said exactly once"},
    CODING = {411, "INVALID",
              "a body needs a Content-Length; none comes in chunks"},
    NO_BODY = {400, "INVALID", "only POST takes a body"},
    HOST = {421, "HOST",
            "Host must be 127.0.0.1, localhost or [::1] with this port"},
    NO_HOST = {400, "INVALID", "HTTP/1.1 needs a Host"},
    ORIGIN = {403, "FORBIDDEN", "other sites have no business here"},
    METHOD = {405, "METHOD", "expected GET, POST or DELETE"},
    READ_ONLY = {405, "METHOD", "the page's files can only be read"},
    LONG_URL = {414, "LIMIT", "the address is longer than 4096 bytes"},
    MANY_HEADERS = {431, "LIMIT", "more than 64 header lines"},
    LONG_HEADERS = {431, "LIMIT", "the header lines are longer than 16 KiB"},
    NO_PATH = {404, "NOTFOUND", "no such path"},
    NO_TOKEN = {401, "TOKEN",
                "this needs \"Authorization: Bearer TOKEN\" with the token of "
                "the state directory; 'parzen daemon url' prints the page's "
                "address with it"},
    SLOW_DOWN = {429, "TOKEN", "too many wrong tokens; try again in a second"},
    NOT_JSON = {415, "INVALID", "Content-Type must be application/json"},
    LARGE_BODY = {413, "LIMIT", "the body is larger than 1 MiB"};

/* --- headers --- */

struct search {
    const char *name, *value;
    int n;
};

static enum MHD_Result on_header(void *search, enum MHD_ValueKind kind,
                                 const char *name, const char *value)
{
    struct search *s = search;
    (void)kind;
    if (strcasecmp(name, s->name) == 0) {
        s->value = value;
        s->n++;
    }
    return MHD_YES;
}

const char *gate_header(struct MHD_Connection *c, const char *name, int *n)
{
    struct search s = {.name = name};
    MHD_get_connection_values(c, MHD_HEADER_KIND, on_header, &s);
    if (n != NULL) {
        *n = s.n;
    }
    return s.n == 1 ? s.value : NULL;
}

/* --- one judgement each; NULL: nothing to say --- */

/* Addresses in the library's buffer, as numbers: they are only compared. */
struct head {
    uintptr_t at;  /* behind what was judged so far, before its line's end */
    size_t length; /* of what was judged, at least */
    bool is_in_place, is_bad;
};

/* Where the text stands does not matter to a library that keeps copies. */
static void judge_text(struct head *h, const char *text, size_t n, size_t gap,
                       bool is_exact)
{
    uintptr_t at = (uintptr_t)text;
    bool is_there = is_exact ? at == h->at + gap : at >= h->at + gap;
    h->is_bad |= (h->is_in_place && !is_there) ||
                 memchr(text, '\0', n) != NULL || memchr(text, '\r', n) != NULL;
    h->at = at + n;
    h->length += gap + n;
}

static enum MHD_Result on_line(void *head, enum MHD_ValueKind kind,
                               const char *name, size_t name_len,
                               const char *value, size_t value_len)
{
    struct head *h = head;
    (void)kind;
    judge_text(h, name, name_len, strlen("\r\n"), true);
    judge_text(h, value != NULL ? value : "", value_len, strlen(":"), false);
    h->is_bad |= name_len == 0 || strcspn(name, " \t") < name_len;
    return MHD_YES;
}

/* The library takes bare line feeds, folded lines and NULs, each of which
 * another reader may take for something else. It does not tell of them, but it
 * cuts the head where it was read: behind a line that CR LF ended the next one
 * stands two bytes further, behind a bare line feed one, and a folded line is
 * a copy elsewhere. (A NUL before a bare line feed is the one thing that looks
 * like CR LF: it has written NULs over both.) Of a library that copies the
 * version only the sizes are known: the head is not shorter than its parts. */
static const struct refusal *judge_head(struct peer *p,
                                        struct MHD_Connection *c,
                                        const char *method, const char *url,
                                        const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL) {
        return &HEAD;
    }
    uintptr_t begin = (uintptr_t)method, end = begin + info->header_size;
    struct head h = {.at = begin,
                     .is_in_place = (uintptr_t)version > begin &&
                                    (uintptr_t)version < end};
    judge_text(&h, method, strlen(method), 0, true);
    judge_text(&h, url, strlen(url), strlen(" "), true);
    h.at += p->url_len - strlen(url); /* the query */
    judge_text(&h, version, strlen(version), strlen(" "), true);
    h.is_bad |= strlen(version) != strlen("HTTP/1.1") || p->has_blank;
    MHD_get_connection_values_n(c, MHD_HEADER_KIND, on_line, &h);
    h.is_bad |= h.is_in_place && h.at + strlen("\r\n\r\n") != end;
    return h.is_bad || h.length + strlen("\r\n\r\n") > info->header_size ? &HEAD
                                                                         : NULL;
}

/* The library takes requests with two lengths and believes one of them; who
 * stands between (a proxy) may believe the other. In chunks it takes bare line
 * feeds, too, and nobody needs chunks here. */
static const struct refusal *judge_framing(struct MHD_Connection *c)
{
    int n_lengths, n_codings;
    gate_header(c, MHD_HTTP_HEADER_CONTENT_LENGTH, &n_lengths);
    gate_header(c, MHD_HTTP_HEADER_TRANSFER_ENCODING, &n_codings);
    return n_lengths + n_codings > 1 ? &FRAMING
           : n_codings > 0           ? &CODING
                                     : NULL;
}

/* On the Unix socket any Host will do: who may connect is known. */
static const struct refusal *judge_local_host(struct MHD_Connection *c,
                                              const char *version)
{
    int n;
    gate_header(c, MHD_HTTP_HEADER_HOST, &n);
    return n == 0 && strcmp(version, "HTTP/1.0") != 0 ? &NO_HOST : NULL;
}

static const struct refusal *judge_origin(struct MHD_Connection *c, int port)
{
    int n;
    const char *host = gate_header(c, MHD_HTTP_HEADER_HOST, NULL);
    if (host == NULL || !auth_is_our_host(host, port)) {
        return &HOST;
    }
    const char *origin = gate_header(c, MHD_HTTP_HEADER_ORIGIN, &n);
    if (n > 0 && (origin == NULL || !auth_is_our_origin(origin, port))) {
        return &ORIGIN;
    }
    const char *site = gate_header(c, "Sec-Fetch-Site", &n);
    if (n > 0 && (site == NULL || (strcmp(site, "same-origin") != 0 &&
                                   strcmp(site, "none") != 0))) {
        return &ORIGIN;
    }
    return NULL;
}

static const struct refusal *judge_size(const struct peer *p,
                                        struct MHD_Connection *c)
{
    if (p->url_len > HTTP_MAX_URL) { /* with its query */
        return &LONG_URL;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info->header_size - p->url_len > HTTP_MAX_HEAD) {
        return &LONG_HEADERS;
    }
    return MHD_get_connection_values(c, MHD_HEADER_KIND, NULL, NULL) >
                   HTTP_MAX_HEADERS
               ? &MANY_HEADERS
               : NULL;
}

/* HEAD is for page files: the library leaves out the body. */
static const struct refusal *judge_method(const char *method,
                                          const struct asset *asset)
{
    bool is_get = strcmp(method, "GET") == 0;
    if (asset != NULL) {
        return is_get || strcmp(method, "HEAD") == 0 ? NULL : &READ_ONLY;
    }
    return is_get || strcmp(method, "POST") == 0 ||
                   strcmp(method, "DELETE") == 0
               ? NULL
               : &METHOD;
}

static const struct refusal *judge_token(struct http_server *s,
                                         struct MHD_Connection *c)
{
    const char *value = gate_header(c, MHD_HTTP_HEADER_AUTHORIZATION, NULL);
    switch (auth_check(&s->auth, value, (int64_t)uv_now(s->loop))) {
    case AUTH_OK:
        return NULL;
    case AUTH_TOO_MANY:
        return &SLOW_DOWN;
    case AUTH_WRONG:
        break;
    }
    return &NO_TOKEN;
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof(json) - 1;
    return type != NULL && strncasecmp(type, json, n) == 0 &&
           strchr("; \t", type[n]) != NULL; /* or its end */
}

static const struct refusal *judge_body(struct MHD_Connection *c,
                                        const char *method)
{
    const char *length = gate_header(c, MHD_HTTP_HEADER_CONTENT_LENGTH, NULL);
    const char *digits = length == NULL ? "" : length + strspn(length, "0");
    if (*digits == '\0') {
        return NULL; /* no body */
    }
    if (strcmp(method, "POST") != 0) {
        return &NO_BODY;
    }
    if (!is_json(gate_header(c, MHD_HTTP_HEADER_CONTENT_TYPE, NULL))) {
        return &NOT_JSON;
    }
    /* The library has seen to it that these are digits. */
    size_t n_digits = strlen(digits), max_digits = sizeof("1048576") - 1;
    bool is_large = n_digits > max_digits ||
                    (n_digits == max_digits && strcmp(digits, "1048576") > 0);
    _Static_assert(BUF_MAX_CONFIG == 1048576, "said in two places");
    return is_large ? &LARGE_BODY : NULL;
}

/* --- all of them, in this order --- */

const char *gate_api_path(const char *url)
{
    static const char root[] = "/api/v1/";
    size_t n = sizeof(root) - 1;
    return strncmp(url, root, n) == 0 ? url + n : NULL;
}

const struct refusal *gate_judge(struct peer *p, struct MHD_Connection *c,
                                 const char *method, const char *url,
                                 const char *version,
                                 const struct asset **asset)
{
    struct http_server *s = p->door->server;
    bool is_local = p->door->is_local, is_api = gate_api_path(url) != NULL;
    const struct refusal *r =
        p->is_stranger ? &STRANGER : judge_head(p, c, method, url, version);
    if (r == NULL) {
        r = judge_framing(c);
    }
    if (r == NULL) {
        r = is_local ? judge_local_host(c, version) : judge_origin(c, s->port);
    }
    if (r == NULL) {
        r = judge_size(p, c);
    }
    if (r == NULL) {
        *asset = is_api ? NULL : assets_find(s->assets, url);
        r = judge_method(method, *asset);
    }
    if (r == NULL && !is_api && *asset == NULL) {
        r = &NO_PATH;
    }
    if (r == NULL && is_api && !is_local) {
        r = judge_token(s, c);
    }
    return r != NULL ? r : judge_body(c, method);
}
