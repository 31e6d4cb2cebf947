/* Replies, and the headers that each of them has. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/http/http_priv.h"

#include <stdlib.h>
#include <string.h>

/* Scripts and styles are the page's own files; the page makes no HTML from
 * strings (the one policy, "default", lets nothing but "" pass: chart.js). */
#define POLICY                                                                 \
    "default-src 'none'; script-src 'self'; style-src 'self'; "                \
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "              \
    "form-action 'none'; frame-ancestors 'none'; "                             \
    "require-trusted-types-for 'script'; trusted-types default"

/* Queue and let go; the library keeps it until it is sent. */
static enum MHD_Result enqueue(struct MHD_Connection *c, int status,
                               const char *content_type, const char *caching,
                               struct MHD_Response *r)
{
    static const char *const always[][2] = {
        {"Content-Security-Policy", POLICY},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
    };
    if (r == NULL) {
        return MHD_NO; /* no memory: the connection is closed */
    }
    for (size_t i = 0; i < ARRAY_LEN(always); i++) {
        MHD_add_response_header(r, always[i][0], always[i][1]);
    }
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, caching);
    if (content_type != NULL) {
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    }
    enum MHD_Result rc = MHD_queue_response(c, (unsigned)status, r);
    MHD_destroy_response(r);
    return rc;
}

enum MHD_Result reply_refuse(struct MHD_Connection *c, const struct refusal *r)
{
    struct buf body;
    struct json_out w;
    buf_init(&body, BUF_MAX_CONFIG);
    json_out_init(&w, &body, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "error");
    json_open(&w, '{');
    json_put_key(&w, "code");
    json_put_string(&w, r->code);
    json_put_key(&w, "message");
    json_put_string(&w, r->message);
    json_put_key(&w, "path");
    json_put_null(&w);
    json_close(&w, '}');
    json_close(&w, '}');
    size_t n = body.len;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        n, buf_take(&body), MHD_RESPMEM_MUST_FREE);
    if (response != NULL && r->status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header(response, "Allow", "GET, POST, DELETE");
    } else if (response != NULL && r->status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    } else if (response != NULL && r->status == MHD_HTTP_TOO_MANY_REQUESTS) {
        MHD_add_response_header(response, "Retry-After", "1");
    }
    return enqueue(c, r->status, "application/json", "no-store", response);
}

enum MHD_Result reply_asset(struct MHD_Connection *c, const struct asset *a)
{
    const char *known = gate_header(c, MHD_HTTP_HEADER_IF_NONE_MATCH, NULL);
    bool is_known = known != NULL && strstr(known, a->etag) != NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        is_known ? 0 : a->n, (void *)a->bytes, MHD_RESPMEM_PERSISTENT);
    if (response != NULL) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, a->etag);
    }
    /* no-cache: kept, but asked for again each time. */
    return enqueue(c, is_known ? 304 : 200, is_known ? NULL : a->content_type,
                   "no-cache", response);
}

enum MHD_Result reply_handled(struct MHD_Connection *c,
                              struct http_reply *reply)
{
    if (reply->body.overflow) {
        static const struct refusal large = {
            500, "LIMIT", "the reply is too large; ask for fewer trials"};
        buf_fini(&reply->body);
        return reply_refuse(c, &large);
    }
    size_t n = reply->body.len;
    const char *type = reply->content_type;
    return enqueue(c, reply->status, type != NULL ? type : "application/json",
                   "no-store",
                   MHD_create_response_from_buffer(n, buf_take(&reply->body),
                                                   MHD_RESPMEM_MUST_FREE));
}

enum MHD_Result reply_stream(struct MHD_Connection *c, const char *content_type,
                             MHD_ContentReaderCallback read,
                             MHD_ContentReaderFreeCallback end, void *ctx)
{
    return enqueue(c, 200, content_type, "no-store",
                   MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32 << 10,
                                                     read, ctx, end));
}
