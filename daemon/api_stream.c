/* Server-sent events: `trial` and `study` carry an id (the event's seq), so a
 * reader that comes back with Last-Event-ID gets what it missed; `progress`
 * has none. */
#include "daemon/action.h"
#include "daemon/api_priv.h"
#include "daemon/daemon.h"
#include "daemon/mirror.h"

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
    struct views_time t = api_time();
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
    struct views_time t = api_time();
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
void api_get_events(struct call *c)
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

void api_on_action(void *ctx, const struct action *action)
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
