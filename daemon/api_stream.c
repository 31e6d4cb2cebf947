/* Server-sent events: `trial` carries an id (the trial's seq), so a reader that
 * comes back with Last-Event-ID gets what it missed. `study` and `progress`
 * have none: the study as it is now begins every stream, progress is only of
 * interest while it lasts. Ids never fall within a stream, or a reader that
 * lost its connection in the middle would lose trials too. */
#include "core/base/mem.h"
#include "daemon/action.h"
#include "daemon/api_priv.h"
#include "daemon/daemon.h"
#include "daemon/mirror.h"

#include <stdlib.h>

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
    put_event(out, 0, "study", &data);
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

static int compare_seq(const void *a, const void *b)
{
    const struct study_trial *const *x = a, *const *y = b;
    return ((*x)->seq > (*y)->seq) - ((*x)->seq < (*y)->seq);
}

static void put_trials_since(struct call *c, int64_t after)
{
    const struct study *s = c->study;
    const struct study_trial **changed =
        mem_alloc(s->n_trials + 1, sizeof(*changed));
    size_t n = 0;
    for (size_t i = 0; i < s->n_trials; i++) {
        if (s->trials[i]->seq > after) {
            changed[n++] = s->trials[i];
        }
    }
    qsort(changed, n, sizeof(*changed), compare_seq);
    for (size_t i = 0; i < n; i++) {
        put_trial_event(c->api, s, changed[i], "trial", changed[i]->seq,
                        &c->reply->body);
    }
    free(changed);
}

/* The beginning of a stream: the study, and every trial that has changed since
 * the event the reader saw last. */
void api_get_events(struct call *c)
{
    struct http_reply *reply = c->reply;
    reply->content_type = "text/event-stream";
    reply->topic = c->study->id;
    buf_str(&reply->body, "retry: 1000\n\n");
    put_study_event(c->api, c->study, &reply->body);
    put_trials_since(c, c->request->last_event_id);
}

/* Does the action of a trial change what is said of its study? */
static bool changes_counts(enum action_kind kind)
{
    return kind == ACTION_ADD_TRIAL || kind == ACTION_START_TRIAL ||
           kind == ACTION_END_ATTEMPT || kind == ACTION_FINISH_TRIAL ||
           kind == ACTION_RETRY_TRIAL;
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
    if (action->kind == ACTION_PREPARING && s != NULL) {
        put_study_event(a, s, &out);
    }
    if (s != NULL && action_is_durable(action->kind) &&
        (trial == NULL || changes_counts(action->kind))) {
        put_study_event(a, s, &out);
    }
    if (out.len > 0) {
        http_server_publish(a->server, action->study, out.data, out.len);
    }
    buf_fini(&out);
}
