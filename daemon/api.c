/* Every request is one of three things: a look (views), a user's event
 * (daemon_handle: when it returns 0, it is durable, and only then 2xx is said),
 * or a stream. Routes stand in one table. */
#include "daemon/api.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/spec/spec_json.h"
#include "daemon/action.h"
#include "daemon/daemon.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "daemon/views.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct api {
    struct daemon *daemon;
    struct api_options options;
    struct http_server *server; /* NULL: nobody to publish to */
};

/* One request on its way. */
struct call {
    struct api *api;
    const struct http_request *request;
    struct http_reply *reply;
    struct json_out out; /* writes the reply's body */
    struct study *study; /* of routes that name one */
};

static struct views_time time_now(void)
{
    struct timespec wall, mono;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return (struct views_time){
        .now_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000,
        .mono_ms = (int64_t)mono.tv_sec * 1000 + mono.tv_nsec / 1000000};
}

static const char *state_dir(const struct call *c)
{
    return daemon_state_dir(c->api->daemon);
}

/* --- refusals
 * ------------------------------------------------------------------- */

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
        return 503;
    default:
        return 500;
    }
}

/* The JSON path that a config's sentence begins with ("training.lr: ..."), or
 * nothing. */
static char *path_in(const char *message)
{
    size_t n = strspn(message, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                               "UVWXYZ0123456789_-.[]");
    return n > 0 && strncmp(message + n, ": ", 2) == 0 ? mem_strndup(message, n)
                                                       : NULL;
}

static void refuse_as(struct call *c, int status, const char *code,
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

static void refuse(struct call *c, const struct err *err)
{
    char *path = err->code == ERR_INVALID ? path_in(err->msg) : NULL;
    refuse_as(c, status_of(err->code), err_name(err->code), err->msg, path);
    free(path);
}

static void refuse_invalid(struct call *c, const char *message)
{
    refuse_as(c, 400, "INVALID", message, NULL);
}

/* --- bodies
 * ----------------------------------------------------------------------- */

/* The body as an object; an empty body is an empty object. NULL: refused. */
static struct json *body_object(struct call *c)
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
        refuse(c, &err);
        return NULL;
    }
    return root;
}

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
            refuse(c, &err);
            return false;
        }
    }
    return true;
}

/* --- looks
 * ----------------------------------------------------------------------------
 */

static void get_studies(struct call *c)
{
    struct views_time t = time_now();
    views_studies(daemon_mirror(c->api->daemon), state_dir(c), &t, &c->out);
}

static void get_study(struct call *c)
{
    struct views_time t = time_now();
    const struct daemon *d = c->api->daemon;
    views_study(daemon_mirror(d), c->study, state_dir(c), daemon_trouble(d), &t,
                &c->out);
}

static bool query_int(struct call *c, const char *name, int64_t absent,
                      int64_t *out)
{
    const char *text = c->request->query(c->request, name);
    *out = absent;
    if (text == NULL) {
        return true;
    }
    char *end;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || v < 0) {
        struct err err;
        err_set(&err, ERR_INVALID, "%s: expected a whole number", name);
        refuse(c, &err);
        return false;
    }
    *out = v;
    return true;
}

static void get_trials(struct call *c)
{
    struct views_filter f = {.state = -1};
    if (!query_int(c, "after", -1, &f.after) ||
        !query_int(c, "limit", 0, &f.limit)) {
        return;
    }
    const char *state = c->request->query(c->request, "state");
    if (state != NULL) {
        f.state = trial_state_by_name(state);
        if (f.state < 0) {
            refuse_invalid(c, "state: expected WAITING, RUNNING, COMPLETE, "
                              "PRUNED or FAIL");
            return;
        }
    }
    struct views_time t = time_now();
    views_trials(c->study, &f, state_dir(c), &t, &c->out);
}

/* The trial that segments[3] names; NULL: refused. */
static const struct study_trial *named_trial(struct call *c)
{
    const char *text = c->request->segments[3];
    char *end;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < 0 ||
        number >= (long long)c->study->n_trials) {
        struct err err;
        err_set(&err, ERR_NOTFOUND, "study '%s' has no trial %s",
                c->study->spec.name, text);
        refuse(c, &err);
        return NULL;
    }
    return c->study->trials[number];
}

static void get_trial(struct call *c)
{
    const struct study_trial *trial = named_trial(c);
    if (trial != NULL) {
        struct views_time t = time_now();
        views_trial(c->study, trial, state_dir(c), true, &t, &c->out);
    }
}

static void get_log(struct call *c)
{
    const struct study_trial *trial = named_trial(c);
    if (trial == NULL) {
        return;
    }
    struct err err;
    char *path =
        paths_trial_file(state_dir(c), c->study->id, trial->number, "log");
    buf_reset(&c->reply->body);
    c->reply->content_type = "text/plain; charset=utf-8";
    if (file_exists(path) && file_read(path, &c->reply->body, &err) != 0) {
        c->reply->content_type = NULL;
        refuse(c, &err);
    }
    free(path);
}

static void put_workers(struct call *c)
{
    const struct mirror *m = daemon_mirror(c->api->daemon);
    static const char *const states[] = {"absent", "idle",     "preparing",
                                         "busy",   "stopping", "dying"};
    json_open(&c->out, '[');
    for (int i = 0; i < m->n_slots; i++) {
        const struct slot *s = &m->slots[i];
        json_open(&c->out, '{');
        json_put_key(&c->out, "slot");
        json_put_int(&c->out, i);
        json_put_key(&c->out, "state");
        json_put_string(&c->out, states[s->state]);
        json_put_key(&c->out, "pid");
        json_put_int(&c->out, daemon_worker_pid(c->api->daemon, i));
        const struct study *study =
            mirror_study(m, s->study != 0 ? s->study : s->id.study);
        json_put_key(&c->out, "study");
        json_put_string(&c->out, study != NULL ? study->spec.name : NULL);
        json_put_key(&c->out, "trial");
        if (s->id.study != 0) {
            json_put_int(&c->out, s->id.number);
        } else {
            json_put_null(&c->out);
        }
        json_close(&c->out, '}');
    }
    json_close(&c->out, ']');
}

static void get_health(struct call *c)
{
    const char *trouble = daemon_trouble(c->api->daemon);
    json_open(&c->out, '{');
    json_put_key(&c->out, "status");
    json_put_string(&c->out, trouble == NULL ? "ok" : "trouble");
    json_put_key(&c->out, "trouble");
    json_put_string(&c->out, trouble);
    json_put_key(&c->out, "version");
    json_put_string(&c->out, BUILD_ID);
    json_put_key(&c->out, "pid");
    json_put_int(&c->out, getpid());
    json_put_key(&c->out, "state_dir");
    json_put_string(&c->out, state_dir(c));
    json_put_key(&c->out, "port");
    json_put_int(&c->out,
                 c->api->server != NULL ? http_server_port(c->api->server) : 0);
    json_put_key(&c->out, "workers");
    put_workers(c);
    json_close(&c->out, '}');
}

/* --- users' events
 * ------------------------------------------------------------------------ */

/* Do it; then the study as it is now. */
static void handle(struct call *c, struct event *e)
{
    struct err err;
    e->slot = -1;
    if (daemon_handle(c->api->daemon, e, &err) != 0) {
        refuse(c, &err);
        return;
    }
    c->study = mirror_study(daemon_mirror(c->api->daemon), e->study);
    if (c->study != NULL) {
        get_study(c);
    } else {
        json_open(&c->out, '{');
        json_close(&c->out, '}');
    }
}

static void handle_study(struct call *c, struct event e)
{
    e.study = c->study->id;
    handle(c, &e);
}

/* The same name and the same config: the study goes on, nothing is made. */
static void continue_study(struct call *c, const struct spec *spec)
{
    struct buf difference;
    buf_init(&difference, 4096);
    if (c->study->is_foreign ||
        spec_difference(&c->study->spec, spec, &difference) != 0) {
        char *message = mem_printf(
            "a study named '%s' exists and its config differs: %s", spec->name,
            c->study->is_foreign ? "it was not made by us" : difference.data);
        char *path = difference.data != NULL ? path_in(difference.data) : NULL;
        refuse_as(c, 409, "CONFLICT", message, path);
        free(message);
        free(path);
    } else {
        get_study(c);
    }
    buf_fini(&difference);
}

static void create_study(struct call *c, const struct spec *spec)
{
    struct err err;
    struct event e = {
        .kind = EVENT_ADD_STUDY, .slot = -1, .add_study = {.spec = spec}};
    if (daemon_handle(c->api->daemon, &e, &err) != 0) {
        refuse(c, &err);
        return;
    }
    c->study = mirror_study_by_name(daemon_mirror(c->api->daemon), spec->name);
    c->reply->status = 201;
    get_study(c);
}

static void post_studies(struct call *c)
{
    struct spec spec;
    struct err err;
    int rc = spec_parse(c->request->body, c->request->body_len, &spec, &err);
    if (rc != 0) {
        refuse(c, &err);
        return;
    }
    c->study = mirror_study_by_name(daemon_mirror(c->api->daemon), spec.name);
    if (c->study != NULL) {
        continue_study(c, &spec);
    } else {
        create_study(c, &spec);
    }
    spec_fini(&spec);
}

static void delete_study(struct call *c)
{
    int64_t topic = c->study->id;
    handle_study(c, (struct event){.kind = EVENT_DELETE});
    if (c->study == NULL && c->api->server != NULL) {
        http_server_end_topic(c->api->server, topic);
    }
}

static void post_pause(struct call *c)
{
    handle_study(c, (struct event){.kind = EVENT_PAUSE});
}

static void post_resume(struct call *c)
{
    static const char *const keys[] = {"n_trials"};
    struct json *root = body_object(c);
    if (root == NULL || !has_only(c, root, keys, ARRAY_LEN(keys))) {
        json_free(root);
        return;
    }
    struct event e = {.kind = EVENT_RESUME};
    const struct json *n = json_get(root, "n_trials");
    if (n != NULL &&
        (!json_integer(n, &e.resume.n_trials) || e.resume.n_trials < 1 ||
         e.resume.n_trials > SPEC_MAX_TRIALS)) {
        refuse_as(c, 400, "INVALID",
                  "n_trials: expected a whole number from 1 to 1000000",
                  "n_trials");
    } else {
        handle_study(c, e);
    }
    json_free(root);
}

static void post_stop(struct call *c)
{
    static const char *const keys[] = {"now"};
    struct json *root = body_object(c);
    if (root == NULL || !has_only(c, root, keys, ARRAY_LEN(keys))) {
        json_free(root);
        return;
    }
    const struct json *now = json_get(root, "now");
    if (now != NULL && json_kind(now) != JSON_BOOL) {
        refuse_as(c, 400, "INVALID", "now: expected true or false", "now");
    } else {
        struct event e = {.kind = EVENT_STOP};
        e.stop.now = now != NULL && json_bool(now);
        handle_study(c, e);
    }
    json_free(root);
}

/* {"params": {"lr": 0.001}} to values in the space's order, NaN where free. */
static int fixed_values(const struct study *s, const struct json *root,
                        double *values, struct err *err)
{
    const struct space *space = &s->spec.space;
    const struct json *params = json_get(root, "params");
    if (params == NULL || json_kind(params) != JSON_OBJECT ||
        json_size(params) == 0) {
        return err_set(err, ERR_INVALID,
                       "params: expected an object with at least one value");
    }
    for (size_t i = 0; i < space->n; i++) {
        values[i] = NAN;
    }
    for (const struct json *p = json_first(params); p != NULL;
         p = json_next(p)) {
        int at = space_find(space, json_key(p));
        if (at < 0) {
            return err_set(err, ERR_INVALID,
                           "params.%s: the study has no such parameter",
                           json_key(p));
        }
        int rc =
            dist_value_from_json(&space->params[at].dist, p, &values[at], err);
        if (rc != 0) {
            err_wrap(err, "params.%s", json_key(p));
            return rc;
        }
    }
    return 0;
}

static void post_enqueue(struct call *c)
{
    static const char *const keys[] = {"params"};
    struct json *root = body_object(c);
    if (root == NULL || !has_only(c, root, keys, ARRAY_LEN(keys))) {
        json_free(root);
        return;
    }
    double *values = mem_alloc(c->study->spec.space.n + 1, sizeof(*values));
    struct err err;
    if (fixed_values(c->study, root, values, &err) != 0) {
        refuse(c, &err);
    } else {
        handle_study(c, (struct event){.kind = EVENT_ENQUEUE,
                                       .enqueue = {.values = values}});
    }
    free(values);
    json_free(root);
}

static void post_retry(struct call *c)
{
    static const char *const keys[] = {"state", "cause"};
    struct json *root = body_object(c);
    if (root == NULL || !has_only(c, root, keys, ARRAY_LEN(keys))) {
        json_free(root);
        return;
    }
    struct event e = {.kind = EVENT_RETRY, .retry = {.cause = -1}};
    const struct json *state = json_get(root, "state");
    const struct json *cause = json_get(root, "cause");
    bool is_string = cause != NULL && json_kind(cause) == JSON_STRING;
    if (is_string) {
        e.retry.cause = trial_cause_by_name(json_string(cause));
    }
    if (state != NULL &&
        (json_kind(state) != JSON_STRING ||
         trial_state_by_name(json_string(state)) != TRIAL_FAIL)) {
        refuse_as(c, 400, "INVALID", "state: only FAIL trials can be retried",
                  "state");
    } else if (cause != NULL && (!is_string || e.retry.cause < 0)) {
        refuse_as(c, 400, "INVALID", "cause: no such cause", "cause");
    } else {
        handle_study(c, e);
    }
    json_free(root);
}

static void post_shutdown(struct call *c)
{
    if (!c->request->is_local) {
        refuse_as(c, 403, "FORBIDDEN",
                  "only the Unix socket may end the daemon", NULL);
        return;
    }
    json_open(&c->out, '{');
    json_put_key(&c->out, "pid");
    json_put_int(&c->out, getpid());
    json_close(&c->out, '}');
    c->api->options.on_shutdown(c->api->options.ctx);
}

/* --- streams
 * ----------------------------------------------------------------------------------
 */

/* One server-sent event; id 0: none. The data is one line of JSON. */
static void put_event(struct buf *out, int64_t id, const char *name,
                      const struct buf *data)
{
    if (id > 0) {
        buf_printf(out, "id: %lld\n", (long long)id);
    }
    buf_printf(out, "event: %s\ndata: ", name);
    buf_add(out, data->data, data->len);
    buf_str(out, "\n\n");
}

static void put_study_event(const struct api *a, const struct study *s,
                            struct buf *out)
{
    struct views_time t = time_now();
    struct buf data;
    struct json_out w;
    buf_init(&data, BUF_MAX_RESPONSE);
    json_out_init(&w, &data, JSON_COMPACT);
    views_study(daemon_mirror(a->daemon), s, daemon_state_dir(a->daemon),
                daemon_trouble(a->daemon), &t, &w);
    put_event(out, s->seq, "study", &data);
    buf_fini(&data);
}

static void put_trial_event(const struct api *a, const struct study *s,
                            const struct study_trial *trial, const char *name,
                            int64_t id, struct buf *out)
{
    struct views_time t = time_now();
    struct buf data;
    struct json_out w;
    buf_init(&data, BUF_MAX_RESPONSE);
    json_out_init(&w, &data, JSON_COMPACT);
    views_trial(s, trial, daemon_state_dir(a->daemon), id > 0, &t, &w);
    put_event(out, id, name, &data);
    buf_fini(&data);
}

/* The beginning of a stream: the study, and every trial that has changed since
 * the event the reader saw last. */
static void get_events(struct call *c)
{
    struct http_reply *reply = c->reply;
    int64_t after = c->request->last_event_id;
    reply->content_type = "text/event-stream";
    reply->topic = c->study->id;
    buf_str(&reply->body, "retry: 1000\n\n");
    put_study_event(c->api, c->study, &reply->body);
    for (size_t i = 0; i < c->study->n_trials; i++) {
        const struct study_trial *trial = c->study->trials[i];
        if (trial->seq > after) {
            put_trial_event(c->api, c->study, trial, "trial", trial->seq,
                            &reply->body);
        }
    }
}

static void on_action(void *ctx, const struct action *action)
{
    struct api *a = ctx;
    if (a->server == NULL || action->study == 0 ||
        !http_server_is_watched(a->server, action->study)) {
        return;
    }
    const struct mirror *m = daemon_mirror(a->daemon);
    const struct study *s = mirror_study(m, action->study);
    const struct study_trial *trial =
        s != NULL && action->number >= 0
            ? mirror_trial(m, action->study, action->number)
            : NULL;
    struct buf out;
    buf_init(&out, BUF_MAX_RESPONSE);
    if (action->kind == ACTION_PROGRESS && trial != NULL) {
        put_trial_event(a, s, trial, "progress", 0, &out);
    } else if (action_is_durable(action->kind) && trial != NULL) {
        put_trial_event(a, s, trial, "trial", trial->seq, &out);
    }
    bool is_end = action->kind == ACTION_FINISH_TRIAL ||
                  action->kind == ACTION_START_TRIAL;
    if (s != NULL && action_is_durable(action->kind) &&
        (trial == NULL || is_end)) {
        put_study_event(a, s, &out);
    }
    if (out.len > 0) {
        http_server_publish(a->server, action->study, out.data, out.len);
    }
    buf_fini(&out);
}

/* --- routes
 * --------------------------------------------------------------------------------------
 */

/* '*' stands for a study's name, '#' for a trial's number. */
static const struct route {
    const char *method, *segments[HTTP_MAX_SEGMENTS];
    void (*fn)(struct call *c);
} routes[] = {
    {"GET", {"health"}, get_health},
    {"GET", {"studies"}, get_studies},
    {"POST", {"studies"}, post_studies},
    {"GET", {"studies", "*"}, get_study},
    {"DELETE", {"studies", "*"}, delete_study},
    {"GET", {"studies", "*", "trials"}, get_trials},
    {"GET", {"studies", "*", "trials", "#"}, get_trial},
    {"GET", {"studies", "*", "trials", "#", "log"}, get_log},
    {"GET", {"studies", "*", "events"}, get_events},
    {"POST", {"studies", "*", "pause"}, post_pause},
    {"POST", {"studies", "*", "resume"}, post_resume},
    {"POST", {"studies", "*", "stop"}, post_stop},
    {"POST", {"studies", "*", "enqueue"}, post_enqueue},
    {"POST", {"studies", "*", "retry"}, post_retry},
    {"POST", {"shutdown"}, post_shutdown},
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
        struct err err;
        err_set(&err, ERR_NOTFOUND, "no study named '%s'", name);
        refuse(c, &err);
    }
    return c->study != NULL;
}

static void handle_request(void *ctx, const struct http_request *request,
                           struct http_reply *reply)
{
    struct call c = {.api = ctx, .request = request, .reply = reply};
    json_out_init(&c.out, &reply->body, JSON_COMPACT);
    bool is_path_known = false;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!path_matches(&routes[i], request)) {
            continue;
        }
        is_path_known = true;
        if (strcmp(routes[i].method, request->method) == 0) {
            if (find_study(&c, &routes[i])) {
                routes[i].fn(&c);
            }
            return;
        }
    }
    if (is_path_known) {
        refuse_as(&c, 405, "METHOD", "this path does not take that method",
                  NULL);
    } else {
        refuse_as(&c, 404, "NOTFOUND", "no such path", NULL);
    }
}

/* --- life
 * -------------------------------------------------------------------------------------------
 */

struct api *api_new(struct daemon *d, const struct api_options *options)
{
    struct api *a = mem_alloc(1, sizeof(*a));
    *a = (struct api){.daemon = d, .options = *options};
    daemon_watch(d, on_action, a);
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
