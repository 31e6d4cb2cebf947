/* One request and its reply.
 *
 * Happy path: the library calls exchange_on_request when the headers are
 * there (begin: the gate judges, path and query are decoded), then for each
 * piece of the body, then once more without a piece: now the handler is asked
 * and its reply queued. exchange_on_completed ends it.
 *
 * Failure modes: a refusal in the first call is queued at once, and the
 * library closes the connection after it because the body was never read (how
 * long it would have been is known then); a peer that goes away leads straight
 * to exchange_on_completed. */
#include "core/base/mem.h"
#include "daemon/http/http_priv.h"
#include "daemon/http/url.h"

#include <stdlib.h>
#include <string.h>

struct exchange {
    struct http_request request;
    struct MHD_Connection *connection;
    struct peer *peer;
    const struct asset *asset; /* what is asked for, or NULL: the handler */
    char *path;                /* segments point into it */
    struct param {
        char *name, *value;
    } params[HTTP_MAX_PARAMS];
    int n_params;
    struct buf body;
};

static const struct refusal
    BAD_URL = {400, "INVALID", "the address is not percent-encoded UTF-8"},
    DEEP_URL = {404, "NOTFOUND", "no such path"},
    MANY_PARAMS = {400, "INVALID", "more than 8 query parameters"};

/* --- path and query --- */

static const char *find_param(const struct http_request *r, const char *name)
{
    const struct exchange *x = r->impl;
    for (int i = 0; i < x->n_params; i++) {
        if (strcmp(x->params[i].name, name) == 0) {
            return x->params[i].value;
        }
    }
    return NULL;
}

static const char *param_name(const struct http_request *r, int i)
{
    const struct exchange *x = r->impl;
    return i < x->n_params ? x->params[i].name : NULL;
}

static enum MHD_Result on_param(void *exchange, enum MHD_ValueKind kind,
                                const char *name, const char *value)
{
    struct exchange *x = exchange;
    (void)kind;
    if (x->n_params == HTTP_MAX_PARAMS) {
        x->n_params++; /* one too many */
        return MHD_NO;
    }
    x->params[x->n_params++] = (struct param){
        .name = mem_strdup(name), .value = mem_strdup(value ? value : "")};
    return MHD_YES;
}

static const struct refusal *read_query(struct exchange *x)
{
    if (x->peer->is_query_cut) {
        return &MANY_PARAMS;
    }
    MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, on_param,
                              x);
    if (x->n_params > HTTP_MAX_PARAMS) {
        x->n_params = HTTP_MAX_PARAMS;
        return &MANY_PARAMS;
    }
    for (int i = 0; i < x->n_params; i++) {
        if (!url_decode(x->params[i].name) || !url_decode(x->params[i].value)) {
            return &BAD_URL;
        }
    }
    return NULL;
}

static const struct refusal *read_path(struct exchange *x, const char *path)
{
    x->path = mem_strdup(path);
    switch (url_split(x->path, HTTP_MAX_SEGMENTS, x->request.segments,
                      &x->request.n_segments)) {
    case URL_OK:
        return NULL;
    case URL_MALFORMED:
        return &BAD_URL;
    case URL_TOO_DEEP:
        break;
    }
    return &DEEP_URL;
}

/* The header, else ?after=; what is no number asks for everything. */
static int64_t last_event_id(struct exchange *x)
{
    const char *text = gate_header(x->connection, "Last-Event-ID", NULL);
    if (text == NULL) {
        text = find_param(&x->request, "after");
    }
    if (text == NULL || *text < '0' || *text > '9') {
        return -1;
    }
    char *end;
    long long id = strtoll(text, &end, 10);
    return *end == '\0' ? id : -1;
}

static bool wants_json(struct MHD_Connection *c)
{
    const char *accept = gate_header(c, MHD_HTTP_HEADER_ACCEPT, NULL);
    return accept != NULL && strcasestr(accept, "application/json") != NULL;
}

/* --- beginning and end --- */

static struct exchange *exchange_new(struct peer *p, struct MHD_Connection *c)
{
    struct exchange *x = mem_alloc(1, sizeof(*x));
    *x = (struct exchange){.connection = c, .peer = p};
    x->request.query = find_param;
    x->request.param = param_name;
    x->request.impl = x;
    x->request.is_local = p->door->is_local;
    buf_init(&x->body, BUF_MAX_CONFIG);
    p->door->server->n_exchanges++;
    peer_enter(p, PEER_SENDING);
    return x;
}

static void exchange_free(struct exchange *x)
{
    for (int i = 0; i < x->n_params; i++) {
        free(x->params[i].name);
        free(x->params[i].value);
    }
    free(x->path);
    buf_fini(&x->body);
    free(x);
}

void exchange_on_completed(void *door, struct MHD_Connection *c,
                           void **exchange, enum MHD_RequestTerminationCode why)
{
    struct door *d = door;
    struct exchange *x = *exchange;
    (void)c;
    (void)why;
    if (x != NULL) {
        peer_enter(x->peer, PEER_IDLE);
        d->server->n_exchanges--;
        exchange_free(x);
        *exchange = NULL;
    }
}

/* --- the request --- */

static enum MHD_Result refuse(struct exchange *x, const struct refusal *r)
{
    peer_enter(x->peer, PEER_LISTENING);
    return reply_refuse(x->connection, r);
}

static enum MHD_Result begin(struct exchange *x, const char *method,
                             const char *url, const char *version)
{
    const struct refusal *r =
        gate_judge(x->peer, x->connection, method, url, version, &x->asset);
    if (r == NULL && x->asset == NULL) {
        /* The gate let pass only these. */
        x->request.method = strcmp(method, "GET") == 0    ? "GET"
                            : strcmp(method, "POST") == 0 ? "POST"
                                                          : "DELETE";
        r = read_path(x, gate_api_path(url));
        if (r == NULL) {
            r = read_query(x);
        }
    }
    return r == NULL ? MHD_YES : refuse(x, r);
}

static enum MHD_Result answer(struct exchange *x)
{
    struct http_server *s = x->peer->door->server;
    peer_enter(x->peer, PEER_LISTENING);
    if (x->asset != NULL) {
        return reply_asset(x->connection, x->asset);
    }
    struct http_reply reply = {.status = 200};
    x->request.body = x->body.data != NULL ? x->body.data : "";
    x->request.body_len = x->body.len;
    x->request.last_event_id = last_event_id(x);
    x->request.wants_json = wants_json(x->connection);
    buf_init(&reply.body, BUF_MAX_RESPONSE);
    s->handler.handle(s->handler.ctx, &x->request, &reply);
    return reply.topic > 0 && reply.status == 200
               ? events_open(s, x->peer, x->connection, &reply)
               : reply_handled(x->connection, &reply);
}

enum MHD_Result exchange_on_request(void *door, struct MHD_Connection *c,
                                    const char *url, const char *method,
                                    const char *version, const char *bytes,
                                    size_t *n, void **exchange)
{
    struct exchange *x = *exchange;
    (void)door;
    if (x == NULL) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        x = exchange_new(info->socket_context, c);
        *exchange = x;
        return begin(x, method, url, version);
    }
    if (*n > 0) {
        buf_add(&x->body, bytes, *n);
        *n = 0;
        return MHD_YES;
    }
    return answer(x);
}
