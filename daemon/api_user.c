/* What users change: each is one event; the reply is said only when
 * daemon_handle returned, and then it is durable. */
#include "core/base/mem.h"
#include "core/base/nearest.h"
#include "core/spec/spec_json.h"
#include "daemon/api_priv.h"
#include "daemon/daemon.h"
#include "daemon/event.h"
#include "daemon/mirror.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Do it; then the study as it is now. */
static void handle(struct call *c, struct event *e)
{
    struct err err;
    e->slot = -1;
    if (daemon_handle(c->api->daemon, e, &err) != 0) {
        api_refuse(c, &err);
        return;
    }
    c->study = mirror_study(daemon_mirror(c->api->daemon), e->study);
    if (c->study != NULL) {
        api_get_study(c);
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

/* Would `parzen resume STUDY --config CONFIG` take this config? */
static bool may_become(const struct study *s, const struct spec *spec)
{
    struct buf difference;
    buf_init(&difference, 4096);
    bool may = spec_change_difference(&s->spec, spec, &difference) == 0;
    buf_fini(&difference);
    return may;
}

/* The same name and the same config: the study goes on, nothing is made. */
static void continue_study(struct call *c, const struct spec *spec)
{
    struct buf difference;
    buf_init(&difference, 4096);
    if (c->study->is_foreign ||
        spec_difference(&c->study->spec, spec, &difference) != 0) {
        char *message = mem_printf(
            "a study named '%s' exists and its config differs: %s%s",
            spec->name,
            c->study->is_foreign
                ? "it has none (parzen resume STUDY --config CONFIG goes on "
                  "with it)"
                : difference.data,
            !c->study->is_foreign && may_become(c->study, spec)
                ? " (parzen resume STUDY --config CONFIG appends choices)"
                : "");
        char *path =
            difference.data != NULL ? api_path_in(difference.data) : NULL;
        api_refuse_as(c, 409, "CONFLICT", message, path);
        free(message);
        free(path);
    } else {
        api_get_study(c);
    }
    buf_fini(&difference);
}

/* A study that failed in its preparation, and now a config that may mend it. */
static bool may_replace(const struct study *s, const struct spec *spec)
{
    struct buf difference;
    buf_init(&difference, 4096);
    bool may = study_is_stillborn(s) &&
               spec_difference(&s->spec, spec, &difference) != 0;
    buf_fini(&difference);
    return may;
}

static void create_study(struct call *c, const struct spec *spec)
{
    struct err err;
    int64_t replaced = c->study != NULL ? c->study->id : 0;
    struct event e = {
        .kind = EVENT_ADD_STUDY, .slot = -1, .add_study = {.spec = spec}};
    if (daemon_handle(c->api->daemon, &e, &err) != 0) {
        api_refuse(c, &err);
        return;
    }
    if (replaced != 0 && c->api->server != NULL) {
        http_server_end_topic(c->api->server, replaced);
    }
    c->study = mirror_study_by_name(daemon_mirror(c->api->daemon), spec->name);
    c->reply->status = 201;
    api_get_study(c);
}

void api_post_studies(struct call *c)
{
    struct spec spec;
    struct err err;
    int rc = spec_parse(c->request->body, c->request->body_len, &spec, &err);
    if (rc != 0) {
        api_refuse(c, &err);
        return;
    }
    c->study = mirror_study_by_name(daemon_mirror(c->api->daemon), spec.name);
    if (c->study != NULL && !may_replace(c->study, &spec)) {
        continue_study(c, &spec);
    } else if (spec_check_new(&spec, &err) != 0) {
        api_refuse(c, &err);
    } else {
        create_study(c, &spec);
    }
    spec_fini(&spec);
}

void api_delete_study(struct call *c)
{
    int64_t topic = c->study->id;
    handle_study(c, (struct event){.kind = EVENT_DELETE});
    if (c->study == NULL && c->api->server != NULL) {
        http_server_end_topic(c->api->server, topic);
    }
}

void api_post_pause(struct call *c)
{
    handle_study(c, (struct event){.kind = EVENT_PAUSE});
}

/* With a config: one for a study that Optuna made, or the study's own, with
 * what may change. */
static void resume_with(struct call *c, const struct json *config,
                        int64_t n_trials)
{
    struct event e = {.kind = EVENT_CHANGE};
    struct spec spec;
    struct err err;
    if (spec_from_json(config, &spec, &err) != 0) {
        api_refuse(c, &err);
        return;
    }
    spec.n_trials = n_trials != 0 ? n_trials : spec.n_trials;
    if (strcmp(spec.name, c->study->spec.name) != 0) {
        api_refuse_as(c, 400, "INVALID",
                      "study: the config is of a study of another name",
                      "study");
    } else if (c->study->is_foreign && spec_check_new(&spec, &err) != 0) {
        api_refuse(c, &err);
    } else {
        e.kind = c->study->is_foreign ? EVENT_ADOPT : EVENT_CHANGE;
        e.add_study.spec = &spec;
        handle_study(c, e);
    }
    spec_fini(&spec);
}

void api_post_resume(struct call *c)
{
    static const char *const keys[] = {"n_trials", "config"};
    struct json *root = api_body(c, keys, ARRAY_LEN(keys));
    if (root == NULL) {
        return;
    }
    struct event e = {.kind = EVENT_RESUME};
    const struct json *n = json_get(root, "n_trials");
    const struct json *config = json_get(root, "config");
    if (n != NULL &&
        (!json_integer(n, &e.resume.n_trials) || e.resume.n_trials < 1 ||
         e.resume.n_trials > SPEC_MAX_TRIALS)) {
        api_refuse_as(c, 400, "INVALID",
                      "n_trials: expected a whole number from 1 to 1000000",
                      "n_trials");
    } else if (config != NULL) {
        resume_with(c, config, e.resume.n_trials);
    } else {
        handle_study(c, e);
    }
    json_free(root);
}

void api_post_stop(struct call *c)
{
    static const char *const keys[] = {"now"};
    struct json *root = api_body(c, keys, ARRAY_LEN(keys));
    if (root == NULL) {
        return;
    }
    const struct json *now = json_get(root, "now");
    if (now != NULL && json_kind(now) != JSON_BOOL) {
        api_refuse_as(c, 400, "INVALID", "now: expected true or false", "now");
    } else {
        struct event e = {.kind = EVENT_STOP};
        e.stop.now = now != NULL && json_bool(now);
        handle_study(c, e);
    }
    json_free(root);
}

static int no_such_param(const struct space *space, const char *name,
                         struct err *err)
{
    const char **known = mem_alloc(space->n + 1, sizeof(*known));
    for (size_t i = 0; i < space->n; i++) {
        known[i] = space->params[i].name;
    }
    const char *meant = nearest(name, known, space->n);
    err_set(err, ERR_INVALID,
            "params.%s: the study has no such parameter%s%s%s", name,
            meant != NULL ? " (did you mean '" : "", meant != NULL ? meant : "",
            meant != NULL ? "'?)" : "");
    free(known);
    return ERR_INVALID;
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
            return no_such_param(space, json_key(p), err);
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

/* A trial as it is now. */
static void put_trial(struct call *c, int64_t study, int64_t number)
{
    const struct mirror *m = daemon_mirror(c->api->daemon);
    struct views_time t = api_time();
    views_trial(mirror_study(m, study), mirror_trial(m, study, number),
                api_state_dir(c), true, &t, &c->out);
}

/* The first from `number` on that has these values: what others have added may
 * stand before it. */
static int64_t enqueued(const struct study *s, int64_t number,
                        const double *values)
{
    size_t size = s->spec.space.n * sizeof(*values);
    int64_t last = (int64_t)s->n_trials - 1;
    while (number < last &&
           (s->trials[number]->fixed == NULL ||
            memcmp(s->trials[number]->fixed, values, size) != 0)) {
        number++;
    }
    return number;
}

/* The reply is the trial that it became. */
void api_post_enqueue(struct call *c)
{
    static const char *const keys[] = {"params"};
    struct json *root = api_body(c, keys, ARRAY_LEN(keys));
    if (root == NULL) {
        return;
    }
    double *values = mem_alloc(c->study->spec.space.n + 1, sizeof(*values));
    struct err err;
    struct event e = {.kind = EVENT_ENQUEUE,
                      .slot = -1,
                      .study = c->study->id,
                      .enqueue = {.values = values}};
    int64_t number = (int64_t)c->study->n_trials; /* at least */
    if (fixed_values(c->study, root, values, &err) != 0 ||
        daemon_handle(c->api->daemon, &e, &err) != 0) {
        api_refuse(c, &err);
    } else {
        const struct mirror *m = daemon_mirror(c->api->daemon);
        put_trial(c, e.study,
                  enqueued(mirror_study(m, e.study), number, values));
    }
    free(values);
    json_free(root);
}

/* Say which causes there are. */
static void refuse_cause(struct call *c)
{
    struct buf message;
    buf_init(&message, 4096);
    buf_str(&message, "cause: expected one of");
    for (int i = TRIAL_CAUSE_NONE + 1; i < TRIAL_N_CAUSES; i++) {
        buf_printf(&message, "%s%s", i > TRIAL_CAUSE_NONE + 1 ? ", " : " ",
                   trial_cause_name((enum trial_cause)i));
    }
    api_refuse_as(c, 400, "INVALID", message.data, "cause");
    buf_fini(&message);
}

void api_post_retry(struct call *c)
{
    static const char *const keys[] = {"state", "cause"};
    struct json *root = api_body(c, keys, ARRAY_LEN(keys));
    if (root == NULL) {
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
        api_refuse_as(c, 400, "INVALID",
                      "state: only FAIL trials can be retried", "state");
    } else if (cause != NULL && (!is_string || e.retry.cause < 0)) {
        refuse_cause(c);
    } else {
        handle_study(c, e);
    }
    json_free(root);
}

void api_post_shutdown(struct call *c)
{
    if (!c->request->is_local) {
        api_refuse_as(c, 403, "FORBIDDEN",
                      "only the Unix socket may end the daemon", NULL);
        return;
    }
    json_open(&c->out, '{');
    json_put_key(&c->out, "pid");
    json_put_int(&c->out, getpid());
    json_close(&c->out, '}');
    c->api->options.on_shutdown(c->api->options.ctx);
}

/* The new token is in the file, not in the reply. */
void api_post_rotate_token(struct call *c)
{
    struct err err;
    if (!c->request->is_local || c->api->server == NULL) {
        api_refuse_as(c, 403, "FORBIDDEN",
                      "only the Unix socket may rotate the token", NULL);
    } else if (http_server_rotate_token(c->api->server, &err) != 0) {
        api_refuse(c, &err);
    } else {
        json_open(&c->out, '{');
        json_close(&c->out, '}');
    }
}
