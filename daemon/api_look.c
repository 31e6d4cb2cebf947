/* What can be asked without changing anything. */
#include "core/base/build.h"
#include "core/base/paths.h"
#include "core/base/tail.h"
#include "daemon/api_priv.h"
#include "daemon/daemon.h"
#include "daemon/mirror.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void api_get_studies(struct call *c)
{
    struct views_time t = api_time();
    views_studies(daemon_mirror(c->api->daemon), api_state_dir(c), &t, &c->out);
}

void api_get_study(struct call *c)
{
    struct views_time t = api_time();
    const struct daemon *d = c->api->daemon;
    views_study(daemon_mirror(d), c->study, api_state_dir(c), daemon_trouble(d),
                &t, &c->out);
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
        api_refuse(c, &err);
        return false;
    }
    *out = v;
    return true;
}

void api_get_trials(struct call *c)
{
    struct views_filter f = {.state = -1};
    if (!query_int(c, "after", -1, &f.after) ||
        !query_int(c, "from", -1, &f.from) ||
        !query_int(c, "limit", 0, &f.limit)) {
        return;
    }
    const char *state = c->request->query(c->request, "state");
    if (state != NULL) {
        f.state = trial_state_by_name(state);
        if (f.state < 0) {
            api_refuse_invalid(c, "state: expected WAITING, RUNNING, COMPLETE, "
                                  "PRUNED or FAIL");
            return;
        }
    }
    struct views_time t = api_time();
    views_trials(c->study, &f, api_state_dir(c), &t, &c->out);
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
        api_refuse(c, &err);
        return NULL;
    }
    return c->study->trials[number];
}

void api_get_trial(struct call *c)
{
    const struct study_trial *trial = named_trial(c);
    if (trial != NULL) {
        struct views_time t = api_time();
        views_trial(c->study, trial, api_state_dir(c), true, &t, &c->out);
    }
}

/* The log at path, taken, as text, or as {"lines":[...]} for who wants JSON;
 * one that is not there is empty. */
static void reply_log(struct call *c, char *path)
{
    struct err err;
    struct buf text;
    int64_t tail;
    buf_init(&text, BUF_MAX_RESPONSE);
    if (query_int(c, "tail", 0, &tail)) {
        int rc = tail_read(path, tail, &text, &err);
        if (rc != 0 && rc != ERR_NOTFOUND) {
            api_refuse(c, &err);
        } else if (c->request->wants_json) {
            tail_put_lines(&c->out, text.len > 0 ? text.data : "", text.len);
        } else {
            buf_fini(&c->reply->body);
            c->reply->body = text;
            buf_init(&text, 0);
            c->reply->content_type = "text/plain; charset=utf-8";
        }
    }
    buf_fini(&text);
    free(path);
}

void api_get_log(struct call *c)
{
    const struct study_trial *trial = named_trial(c);
    if (trial != NULL) {
        reply_log(c, paths_trial_file(api_state_dir(c), c->study->id,
                                      trial->number, "log"));
    }
}

void api_get_prepare_log(struct call *c)
{
    reply_log(c, paths_prepare_log(api_state_dir(c), c->study->id));
}

/* What is stored; "pending": newer ones are being computed. */
void api_get_importances(struct call *c)
{
    const char *name = c->request->query(c->request, "evaluator");
    int evaluator =
        name != NULL ? importance_by_name(name) : IMPORTANCE_PED_ANOVA;
    if (evaluator < 0) {
        api_refuse_invalid(c, "evaluator: expected ped-anova, fanova or mdi");
        return;
    }
    const struct study *s = c->study;
    bool is_pending = !study_importances_are_current(s);
    if (is_pending) {
        daemon_want_importances(c->api->daemon, s->id);
    }
    views_importances(s, (enum importance_evaluator)evaluator, is_pending,
                      &c->out);
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

void api_get_health(struct call *c)
{
    const char *trouble = daemon_trouble(c->api->daemon);
    json_open(&c->out, '{');
    json_put_key(&c->out, "status");
    json_put_string(&c->out, trouble == NULL ? "ok" : "trouble");
    json_put_key(&c->out, "trouble");
    json_put_string(&c->out, trouble);
    json_put_key(&c->out, "warning");
    json_put_string(&c->out, daemon_warning(c->api->daemon));
    json_put_key(&c->out, "version");
    json_put_string(&c->out, BUILD_ID);
    json_put_key(&c->out, "pid");
    json_put_int(&c->out, getpid());
    json_put_key(&c->out, "state_dir");
    json_put_string(&c->out, api_state_dir(c));
    json_put_key(&c->out, "port");
    json_put_int(&c->out,
                 c->api->server != NULL ? http_server_port(c->api->server) : 0);
    json_put_key(&c->out, "workers");
    put_workers(c);
    json_close(&c->out, '}');
}
