/* Every request is one of three things: a look (api_look.c), a user's event
 * (api_user.c: 2xx is said only when it is durable), or a stream
 * (api_stream.c). Routes stand in one table. */
#include "core/base/mem.h"
#include "core/base/nearest.h"
#include "daemon/api_priv.h"
#include "daemon/daemon.h"
#include "daemon/mirror.h"
#include "daemon/wall.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct views_time api_time(void)
{
    struct timespec mono;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return (struct views_time){.now_ms = wall_ms(),
                               .mono_ms = (int64_t)mono.tv_sec * 1000 +
                                          mono.tv_nsec / 1000000};
}

const char *api_state_dir(const struct call *c)
{
    return daemon_state_dir(c->api->daemon);
}

/* --- refusals --- */

static int status_of(int code)
{
    switch (code) {
    case ERR_INVALID:
        return 400;
    case ERR_NOTFOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_LIMIT:
        return 413;
    case ERR_FULL:
        return 507;
    case ERR_STORE:
    case ERR_BUSY:
        return 503;
    default:
        return 500;
    }
}

char *api_path_in(const char *message)
{
    size_t n = strspn(message, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                               "UVWXYZ0123456789_-.[]");
    return n > 0 && strncmp(message + n, ": ", 2) == 0 ? mem_strndup(message, n)
                                                       : NULL;
}

void api_refuse_as(struct call *c, int status, const char *code,
                   const char *message, const char *path)
{
    c->reply->status = status;
    buf_reset(&c->reply->body);
    json_out_init(&c->out, &c->reply->body, JSON_COMPACT);
    json_open(&c->out, '{');
    json_put_key(&c->out, "error");
    json_open(&c->out, '{');
    json_put_key(&c->out, "code");
    json_put_string(&c->out, code);
    json_put_key(&c->out, "message");
    json_put_string(&c->out, message);
    json_put_key(&c->out, "path");
    json_put_string(&c->out, path);
    json_close(&c->out, '}');
    json_close(&c->out, '}');
}

void api_refuse(struct call *c, const struct err *err)
{
    char *path = err->code == ERR_INVALID ? api_path_in(err->msg) : NULL;
    api_refuse_as(c, status_of(err->code), err_name(err->code), err->msg, path);
    free(path);
}

void api_refuse_invalid(struct call *c, const char *message)
{
    struct err err;
    err_set(&err, ERR_INVALID, "%s", message);
    api_refuse(c, &err);
}

/* --- bodies --- */

/* Refuse members that the route does not know. */
static bool has_only(struct call *c, const struct json *root,
                     const char *const *keys, size_t n_keys)
{
    for (const struct json *m = json_first(root); m != NULL; m = json_next(m)) {
        bool is_known = false;
        for (size_t i = 0; i < n_keys; i++) {
            is_known |= strcmp(json_key(m), keys[i]) == 0;
        }
        if (!is_known) {
            struct err err;
            err_set(&err, ERR_INVALID, "%s: unknown key", json_key(m));
            api_refuse(c, &err);
            return false;
        }
    }
    return true;
}

struct json *api_body(struct call *c, const char *const *keys, size_t n_keys)
{
    const struct http_request *r = c->request;
    struct json *root;
    struct err err;
    bool is_empty = r->body_len == 0;
    int rc = json_parse(is_empty ? "{}" : r->body, is_empty ? 2 : r->body_len,
                        &root, &err);
    if (rc == 0 && json_kind(root) != JSON_OBJECT) {
        json_free(root);
        rc = err_set(&err, ERR_INVALID, "the body must be a JSON object");
    }
    if (rc != 0) {
        api_refuse(c, &err);
        return NULL;
    }
    if (!has_only(c, root, keys, n_keys)) {
        json_free(root);
        return NULL;
    }
    return root;
}

/* --- routes --- */

/* '*' stands for a study's name, '#' for a trial's number. */
static const struct route {
    const char *method, *segments[HTTP_MAX_SEGMENTS];
    void (*fn)(struct call *c);
    const char *params; /* of the query, or NULL */
} routes[] = {
    {"GET", {"health"}, api_get_health, NULL},
    {"GET", {"studies"}, api_get_studies, NULL},
    {"POST", {"studies"}, api_post_studies, NULL},
    {"GET", {"studies", "*"}, api_get_study, NULL},
    {"DELETE", {"studies", "*"}, api_delete_study, NULL},
    {"GET",
     {"studies", "*", "trials"},
     api_get_trials,
     "after, from, state, limit"},
    {"GET", {"studies", "*", "trials", "#"}, api_get_trial, NULL},
    {"GET", {"studies", "*", "trials", "#", "log"}, api_get_log, "tail"},
    {"GET", {"studies", "*", "log"}, api_get_prepare_log, "tail"},
    {"GET", {"studies", "*", "importances"}, api_get_importances, "evaluator"},
    {"GET", {"studies", "*", "events"}, api_get_events, "after"},
    {"POST", {"studies", "*", "pause"}, api_post_pause, NULL},
    {"POST", {"studies", "*", "resume"}, api_post_resume, NULL},
    {"POST", {"studies", "*", "stop"}, api_post_stop, NULL},
    {"POST", {"studies", "*", "enqueue"}, api_post_enqueue, NULL},
    {"POST", {"studies", "*", "retry"}, api_post_retry, NULL},
    {"POST", {"shutdown"}, api_post_shutdown, NULL},
    {"POST", {"rotate-token"}, api_post_rotate_token, NULL},
};

static bool path_matches(const struct route *route,
                         const struct http_request *r)
{
    for (int i = 0; i < HTTP_MAX_SEGMENTS; i++) {
        const char *want = route->segments[i];
        if (want == NULL) {
            return i == r->n_segments;
        }
        if (i >= r->n_segments) {
            return false;
        }
        bool is_any = want[0] == '*' || want[0] == '#';
        if (!is_any && strcmp(want, r->segments[i]) != 0) {
            return false;
        }
    }
    return r->n_segments == HTTP_MAX_SEGMENTS;
}

static bool takes_param(const struct route *route, const char *name)
{
    size_t n = strlen(name), n_there;
    bool takes = n == 0; /* "&&" */
    for (const char *at = route->params; at != NULL && *at != '\0' && !takes;
         at += n_there + strspn(at + n_there, ", ")) {
        n_there = strcspn(at, ",");
        takes = n_there == n && strncmp(at, name, n) == 0;
    }
    return takes;
}

/* Refuse parameters that the route does not know: who misspells one would take
 * everything for what was asked. */
static bool has_only_its_params(struct call *c, const struct route *route)
{
    const char *name;
    int i = 0;
    while ((name = c->request->param(c->request, i)) != NULL &&
           takes_param(route, name)) {
        i++;
    }
    if (name != NULL) {
        struct err err;
        err_set(&err, ERR_INVALID, "%s: unknown parameter; this path takes %s",
                name, route->params != NULL ? route->params : "none");
        api_refuse(c, &err);
    }
    return name == NULL;
}

static void refuse_unknown(struct call *c, const char *name)
{
    const struct mirror *m = daemon_mirror(c->api->daemon);
    const char **known = mem_alloc(m->n_studies + 1, sizeof(*known));
    for (size_t i = 0; i < m->n_studies; i++) {
        known[i] = m->studies[i]->spec.name;
    }
    const char *meant = nearest(name, known, m->n_studies);
    struct err err;
    if (mirror_refuse_name(m, name, &err) == ERR_NOTFOUND && meant != NULL) {
        err_set(&err, ERR_NOTFOUND, "%s (did you mean '%s'?)", err.msg, meant);
    }
    free(known);
    api_refuse(c, &err);
}

/* Find the study that the route names; false: refused. */
static bool find_study(struct call *c, const struct route *route)
{
    const char *want = route->segments[1];
    if (want == NULL || want[0] != '*') {
        return true;
    }
    const char *name = c->request->segments[1];
    c->study = mirror_study_by_name(daemon_mirror(c->api->daemon), name);
    if (c->study == NULL) {
        refuse_unknown(c, name);
    }
    return c->study != NULL;
}

static void handle_request(void *ctx, const struct http_request *request,
                           struct http_reply *reply)
{
    struct call c = {.api = ctx, .request = request, .reply = reply};
    json_out_init(&c.out, &reply->body, JSON_COMPACT);
    daemon_look_around(c.api->daemon); /* all that is durable, no more */
    bool is_path_known = false;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_matches(&routes[i], request)) {
            continue;
        }
        is_path_known = true;
        if (strcmp(routes[i].method, request->method) == 0) {
            if (has_only_its_params(&c, &routes[i]) &&
                find_study(&c, &routes[i])) {
                routes[i].fn(&c);
            }
            return;
        }
    }
    if (is_path_known) {
        api_refuse_as(&c, 405, "METHOD", "this path does not take that method",
                      NULL);
    } else {
        api_refuse_as(&c, 404, "NOTFOUND", "no such path", NULL);
    }
}

/* --- life --- */

struct api *api_new(struct daemon *d, const struct api_options *options)
{
    struct api *a = mem_alloc(1, sizeof(*a));
    *a = (struct api){.daemon = d, .options = *options};
    daemon_watch(d, &(struct daemon_watcher){a, api_on_action, api_on_news});
    return a;
}

void api_free(struct api *a)
{
    free(a);
}

struct http_handler api_handler(struct api *a)
{
    return (struct http_handler){.ctx = a, .handle = handle_request};
}

void api_publish_to(struct api *a, struct http_server *server)
{
    a->server = server;
}
