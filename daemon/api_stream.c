/* Server-sent events. A feed is what one reader is still to be told: names of
 * trials, not bytes. What an event says is made when the reader takes it, of
 * the state then: a trial that changed ten times meanwhile is told of once, and
 * a reader that is slow, or takes nothing, costs a few bytes for each trial.
 *
 * `trial` carries an id (the trial's seq), so a reader that comes back with
 * Last-Event-ID gets what it missed. Trials are told of in the order of their
 * seqs, so ids only grow, and all that a reader has not seen has a larger one
 * than what it saw last. A stream's first event of a trial has all its epochs,
 * the next ones only what is new (views.h says how they are put together), or
 * each epoch would cost as much as all before it. `study` and `progress` have
 * no ids: the study as it is now begins every stream, progress is only of
 * interest while it lasts.
 *
 * A study that has ended is told of behind all its trials: who follows it goes
 * then.
 *
 * What other programs wrote no action tells: after a load a feed finds by
 * itself what its reader has not been told. Trials of our studies have seqs all
 * the same. Those of a study in Optuna's tables alone have none: their events
 * have no ids, a reader that comes back is told of all of them, and a feed
 * keeps a mark of each as it told it (views_mark). The stream of a study that
 * they deleted ends, also when another has its id by then. */
#include "core/base/mem.h"
#include "daemon/action.h"
#include "daemon/api_priv.h"
#include "daemon/daemon.h"
#include "daemon/mirror.h"

#include <stdlib.h>
#include <string.h>

enum { FEED_BYTES = 16 << 10 }; /* asked for once: so much, and an event */

/* A change; another one of the same trial after it makes it void. */
struct due {
    int64_t seq, number; /* seq 0: of a study of Optuna's */
};

/* A RUNNING trial that the reader has heard of. */
struct heard {
    int64_t number;
    int64_t n_epochs; /* it has; 0: the next event tells all */
    uint64_t mark;    /* of these (mark_of) */
    bool is_progress_due;
};

struct feed {
    struct feed *prev, *next; /* of the api's */
    struct api *api;
    int64_t study;
    char *name;       /* the study's: another may get its id */
    bool is_foreign;  /* it was, when the reader was told last */
    int64_t told_seq; /* the reader has all up to it */
    uint64_t *marks;  /* of a foreign one's trials, as told; 0: not yet */
    size_t n_marks;
    struct due *due; /* by seq; from `at` on */
    size_t at, n_due, cap_due;
    struct heard *heard;
    size_t n_heard, cap_heard;
    bool is_study_due;
    bool is_over; /* the study is gone */
};

/* --- events --- */

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

/* from: the first epoch that is told; -1: a progress event, without any. */
static void put_trial_event(const struct api *a, const struct study *s,
                            const struct study_trial *trial, int64_t from,
                            struct buf *out)
{
    struct views_time t = api_time();
    const char *state_dir = daemon_state_dir(a->daemon);
    struct buf data;
    struct json_out w;
    buf_init(&data, BUF_MAX_RESPONSE);
    json_out_init(&w, &data, JSON_COMPACT);
    if (from < 0) {
        views_trial(s, trial, state_dir, false, &t, &w);
        put_event(out, 0, "progress", &data);
    } else {
        views_trial_from(s, trial, state_dir, from, &t, &w);
        put_event(out, trial->seq, "trial", &data);
    }
    buf_fini(&data);
}

/* --- what the reader has heard of --- */

static struct heard *find_heard(const struct feed *f, int64_t number)
{
    for (size_t i = 0; i < f->n_heard; i++) {
        if (f->heard[i].number == number) {
            return &f->heard[i];
        }
    }
    return NULL;
}

static struct heard *add_heard(struct feed *f, int64_t number)
{
    struct heard *h = find_heard(f, number);
    if (h != NULL) {
        return h;
    }
    if (f->n_heard == f->cap_heard) {
        f->cap_heard = 2 * f->cap_heard + 8;
        f->heard = mem_grow(f->heard, f->cap_heard, sizeof(*f->heard));
    }
    f->heard[f->n_heard] = (struct heard){.number = number};
    return &f->heard[f->n_heard++];
}

static void forget_heard(struct feed *f, int64_t number)
{
    struct heard *h = find_heard(f, number);
    if (h != NULL) {
        *h = f->heard[--f->n_heard];
    }
}

/* --- what it is to be told --- */

static bool is_as_told(const struct feed *f, const struct study *s,
                       const struct study_trial *t)
{
    size_t at = (size_t)t->number;
    return at < f->n_marks && f->marks[at] == views_mark(s, t);
}

static void keep_mark(struct feed *f, const struct study *s,
                      const struct study_trial *t)
{
    if (f->n_marks < s->n_trials) {
        size_t n = s->n_trials - f->n_marks;
        f->marks = mem_grow(f->marks, s->n_trials, sizeof(*f->marks));
        memset(f->marks + f->n_marks, 0, n * sizeof(*f->marks));
        f->n_marks = s->n_trials;
    }
    f->marks[t->number] = views_mark(s, t);
}

/* The trial, unless it has changed since then; NULL: nothing is due. */
static const struct study_trial *
due_trial(const struct feed *f, const struct study *s, const struct due *d)
{
    const struct study_trial *t =
        d->number < (int64_t)s->n_trials ? s->trials[d->number] : NULL;
    if (t == NULL || t->seq != d->seq) {
        return NULL;
    }
    return s->is_foreign && is_as_told(f, s, t) ? NULL : t;
}

/* Make room for one more: by leaving out what is void, else by growing. */
static void make_room(struct feed *f, const struct study *s)
{
    size_t n = 0;
    for (size_t i = f->at; i < f->n_due; i++) {
        if (due_trial(f, s, &f->due[i]) != NULL) {
            f->due[n++] = f->due[i];
        }
    }
    f->at = 0;
    f->n_due = n;
    if (n >= f->cap_due / 2) {
        f->cap_due = 2 * f->cap_due + 16;
        f->due = mem_grow(f->due, f->cap_due, sizeof(*f->due));
    }
}

/* A load may have made it due already, before its action was told. */
static void add_due(struct feed *f, const struct study *s, int64_t seq,
                    int64_t number)
{
    if (seq <= (f->at < f->n_due ? f->due[f->n_due - 1].seq : f->told_seq)) {
        return;
    }
    if (f->n_due == f->cap_due) {
        make_room(f, s);
    }
    f->due[f->n_due++] = (struct due){.seq = seq, .number = number};
}

static int compare_due(const void *a, const void *b)
{
    const struct due *x = a, *y = b;
    int by_seq = (x->seq > y->seq) - (x->seq < y->seq);
    return by_seq != 0 ? by_seq
                       : (x->number > y->number) - (x->number < y->number);
}

/* All that the reader has not been told of, in place of what is due. */
static void find_due(struct feed *f, const struct study *s)
{
    if (f->cap_due < s->n_trials + 1) {
        f->cap_due = s->n_trials + 1;
        f->due = mem_grow(f->due, f->cap_due, sizeof(*f->due));
    }
    f->at = f->n_due = 0;
    for (size_t i = 0; i < s->n_trials; i++) {
        const struct study_trial *t = s->trials[i];
        if (s->is_foreign ? !is_as_told(f, s, t) : t->seq > f->told_seq) {
            f->due[f->n_due++] = (struct due){t->seq, t->number};
        }
    }
    qsort(f->due, f->n_due, sizeof(*f->due), compare_due);
}

/* An id that nothing has yet is of another database: everything is new to its
 * reader. */
static int64_t known_seq(const struct feed *f, int64_t last_event_id)
{
    const struct mirror *m = daemon_mirror(f->api->daemon);
    return last_event_id < m->next_seq ? last_event_id : -1;
}

/* --- telling --- */

/* Tells whether the first n epochs are those that were told. Ours only come and
 * are taken back at the end: the last one's step says that. */
static uint64_t mark_of(const struct study *s, const struct study_trial *t,
                        int64_t n)
{
    return s->is_foreign ? views_steps_mark(s, t, n)
                         : (uint64_t)views_step_of(s, t, n);
}

/* The first epoch that is news. Another program's steps come in any order, and
 * with new values: when those that are known changed, all are told. */
static int64_t first_news(const struct feed *f, const struct study *s,
                          const struct study_trial *t)
{
    const struct heard *h = find_heard(f, t->number);
    bool is_known = h != NULL && mark_of(s, t, h->n_epochs) == h->mark;
    return is_known ? h->n_epochs : 0;
}

static void tell_trial(struct feed *f, const struct study *s,
                       const struct study_trial *t, struct buf *out)
{
    put_trial_event(f->api, s, t, first_news(f, s, t), out);
    if (s->is_foreign) {
        keep_mark(f, s, t);
    } else {
        f->told_seq = t->seq;
    }
    if (t->state == TRIAL_RUNNING) {
        struct heard *h = add_heard(f, t->number);
        h->n_epochs = views_n_epochs(s, t);
        h->mark = mark_of(s, t, h->n_epochs);
        h->is_progress_due = false;
    } else {
        forget_heard(f, t->number);
    }
}

static void tell_progress(struct feed *f, const struct study *s,
                          struct buf *out)
{
    for (size_t i = 0; i < f->n_heard; i++) {
        struct heard *h = &f->heard[i];
        if (h->is_progress_due && h->number < (int64_t)s->n_trials) {
            put_trial_event(f->api, s, s->trials[h->number], -1, out);
        }
        h->is_progress_due = false;
    }
}

static void forget_due(struct feed *f)
{
    free(f->due);
    f->due = NULL;
    f->at = f->n_due = f->cap_due = 0;
}

static bool read_feed(void *feed, struct buf *out)
{
    struct feed *f = feed;
    const struct api *a = f->api;
    daemon_settle(a->daemon); /* nobody reads what is not durable */
    const struct study *s = mirror_study(daemon_mirror(a->daemon), f->study);
    if (s == NULL || f->is_over) {
        return false; /* deleted */
    }
    while (f->at < f->n_due && out->len < FEED_BYTES) {
        const struct study_trial *t = due_trial(f, s, &f->due[f->at++]);
        if (t != NULL) {
            tell_trial(f, s, t, out);
        }
    }
    bool is_all = f->at == f->n_due;
    if (is_all) {
        forget_due(f);
        tell_progress(f, s, out);
    }
    if (f->is_study_due && (is_all || s->state == STUDY_RUNNING)) {
        f->is_study_due = false;
        put_study_event(a, s, out);
    }
    return !is_all;
}

static void free_feed(void *feed)
{
    struct feed *f = feed;
    if (f->prev != NULL) {
        f->prev->next = f->next;
    } else {
        f->api->feeds = f->next;
    }
    if (f->next != NULL) {
        f->next->prev = f->prev;
    }
    daemon_mind_readers(f->api->daemon, f->api->feeds != NULL);
    free(f->name);
    free(f->marks);
    free(f->due);
    free(f->heard);
    free(f);
}

/* The beginning of a stream: the study, then what its feed has. */
void api_get_events(struct call *c)
{
    struct http_reply *reply = c->reply;
    struct feed *f = mem_alloc(1, sizeof(*f));
    *f = (struct feed){.api = c->api,
                       .study = c->study->id,
                       .name = mem_strdup(c->study->spec.name),
                       .is_foreign = c->study->is_foreign,
                       .next = c->api->feeds};
    if (f->next != NULL) {
        f->next->prev = f;
    }
    c->api->feeds = f;
    daemon_mind_readers(c->api->daemon, true);
    f->told_seq = known_seq(f, c->request->last_event_id);
    find_due(f, c->study);
    reply->content_type = "text/event-stream";
    reply->topic = c->study->id;
    reply->source = (struct http_source){f, read_feed, free_feed};
    buf_str(&reply->body, "retry: 1000\n\n");
    put_study_event(c->api, c->study, &reply->body);
}

/* --- changes --- */

/* Does the action of a trial change what is said of its study? */
static bool changes_counts(enum action_kind kind)
{
    return kind == ACTION_ADD_TRIAL || kind == ACTION_START_TRIAL ||
           kind == ACTION_END_ATTEMPT || kind == ACTION_FINISH_TRIAL ||
           kind == ACTION_RETRY_TRIAL;
}

/* Take note of what an action changed; false: nothing that is told. */
static bool note_action(struct feed *f, const struct study *s,
                        const struct action *action)
{
    bool is_durable = action_is_durable(action->kind);
    bool is_trial =
        action->number >= 0 && action->number < (int64_t)s->n_trials;
    if (action->kind == ACTION_PROGRESS && is_trial) {
        add_heard(f, action->number)->is_progress_due = true;
        return true;
    }
    if (action->kind == ACTION_REWIND) { /* epochs that it has heard changed */
        forget_heard(f, action->number);
    }
    if (is_durable && is_trial) {
        add_due(f, s, action->seq, action->number);
    }
    f->is_foreign &= s->is_foreign;
    if (action->kind == ACTION_PREPARING ||
        (is_durable && (!is_trial || changes_counts(action->kind)))) {
        f->is_study_due = true;
    }
    return is_durable || f->is_study_due;
}

void api_on_action(void *ctx, const struct action *action)
{
    struct api *a = ctx;
    const struct study *s =
        a->feeds != NULL && action->study != 0
            ? mirror_study(daemon_mirror(a->daemon), action->study)
            : NULL;
    bool is_told = false;
    for (struct feed *f = s != NULL ? a->feeds : NULL; f != NULL; f = f->next) {
        if (f->study == action->study && !f->is_over) {
            is_told |= note_action(f, s, action);
        }
    }
    if (is_told && a->server != NULL) {
        http_server_tell(a->server, action->study);
    }
}

/* Is the study of that id still the one that the reader follows? One of ours
 * never becomes one of Optuna's alone, and none loses trials. */
static bool is_its_study(const struct feed *f, const struct study *s)
{
    return s != NULL && strcmp(f->name, s->spec.name) == 0 &&
           (f->is_foreign || !s->is_foreign) &&
           (!s->is_foreign || f->n_marks <= s->n_trials);
}

void api_on_news(void *ctx)
{
    struct api *a = ctx;
    for (struct feed *f = a->feeds; f != NULL; f = f->next) {
        const struct study *s =
            mirror_study(daemon_mirror(a->daemon), f->study);
        if (is_its_study(f, s)) {
            find_due(f, s);
            f->is_foreign = s->is_foreign;
            f->is_study_due = true;
        } else {
            f->is_over = true;
        }
        if (a->server != NULL) {
            (f->is_over ? http_server_end_topic : http_server_tell)(a->server,
                                                                    f->study);
        }
    }
}
