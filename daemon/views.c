#include "daemon/views.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/spec/spec_json.h"
#include "daemon/history.h"
#include "daemon/mirror.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* --- helpers --- */

static void put_int(struct json_out *w, const char *key, int64_t v)
{
    json_put_key(w, key);
    json_put_int(w, v);
}

/* null for what is not there. */
static void put_time(struct json_out *w, const char *key, int64_t ms)
{
    json_put_key(w, key);
    if (ms > 0) {
        json_put_int(w, ms);
    } else {
        json_put_null(w);
    }
}

static void put_string(struct json_out *w, const char *key, const char *s)
{
    json_put_key(w, key);
    json_put_string(w, s);
}

static void put_bool(struct json_out *w, const char *key, bool v)
{
    json_put_key(w, key);
    json_put_bool(w, v);
}

/* --- one trial --- */

/* The history's number of the study's parameter i: the config's order first,
 * so that columns do not move, then what only its rows know; -1 past the last.
 */
static int param_at(const struct study *s, int i)
{
    const struct history *h = s->history;
    const struct space *space = &s->spec.space;
    if (i < (int)space->n) {
        int p = history_find_param(h, space->params[i].name);
        return p >= 0 ? p : history_n_params(h); /* no trial has it yet */
    }
    int skip = i - (int)space->n;
    for (int p = 0; p < history_n_params(h); p++) {
        if (space_find(space, history_param_name(h, p)) < 0 && skip-- == 0) {
            return p;
        }
    }
    return -1;
}

/* What a trial that waits was told to try. */
static void put_fixed(const struct study *s, const struct study_trial *t,
                      struct json_out *w)
{
    for (size_t i = 0; i < s->spec.space.n; i++) {
        if (!isnan(t->fixed[i])) {
            json_put_key(w, s->spec.space.params[i].name);
            dist_put_value(&s->spec.space.params[i].dist, t->fixed[i], w);
        }
    }
}

static void put_params(const struct study *s, const struct study_trial *t,
                       struct json_out *w)
{
    const struct history *h = s->history;
    bool any = false;
    json_put_key(w, "params");
    json_open(w, '{');
    for (int i = 0, p; (p = param_at(s, i)) >= 0; i++) {
        const struct dist *dist = p < history_n_params(h)
                                      ? history_param_dist(h, t->number, p)
                                      : NULL;
        if (dist != NULL) {
            json_put_key(w, history_param_name(h, p));
            dist_put_value(dist, history_param(h, t->number, p), w);
            any = true;
        }
    }
    if (!any && t->fixed != NULL) {
        put_fixed(s, t, w);
    }
    json_close(w, '}');
}

/* Is it our training, with epochs and metrics? Else it reports values. */
static bool is_training(const struct study *s)
{
    return s->spec.objective == SPEC_OBJECTIVE_CLASSIFIER && !s->is_foreign;
}

static const char *unit_name(const struct study *s)
{
    return is_training(s) ? "epoch" : "step";
}

/* All metrics of a training's epochs. */
static void put_metrics(const struct study_trial *t, size_t from,
                        struct json_out *w)
{
    for (size_t i = from; i < t->n_reports; i++) {
        json_open(w, '{');
        put_int(w, "epoch", t->reports[i].epoch);
        for (int m = 0; m < RUN_N_METRICS; m++) {
            json_put_key(w, RUN_METRIC_NAMES[m]);
            json_put_double(w, t->reports[i].metrics.value[m]);
        }
        json_close(w, '}');
    }
}

/* The values of another objective's steps, also of those that Optuna ran: the
 * history has all. */
static void put_steps(const struct study *s, const struct study_trial *t,
                      size_t from, struct json_out *w)
{
    size_t n = history_n_reports(s->history, t->number);
    for (size_t i = from; i < n; i++) {
        double value;
        json_open(w, '{');
        put_int(w, "step", history_report_at(s->history, t->number, i, &value));
        json_put_key(w, spec_metric_name(&s->spec));
        json_put_double(w, value);
        json_close(w, '}');
    }
}

int64_t views_n_epochs(const struct study *s, const struct study_trial *t)
{
    return (int64_t)(is_training(s) ? t->n_reports
                                    : history_n_reports(s->history, t->number));
}

static void put_epochs(const struct study *s, const struct study_trial *t,
                       int64_t from, struct json_out *w)
{
    int64_t last = views_n_epochs(s, t) - 1;
    from = from < last ? from : last;
    json_put_key(w, "epochs");
    json_open(w, '[');
    if (last >= 0 && is_training(s)) {
        put_metrics(t, (size_t)from, w);
    } else if (last >= 0) {
        put_steps(s, t, (size_t)from, w);
    }
    json_close(w, ']');
}

static void put_checkpoint(const struct study *s, const struct study_trial *t,
                           const char *state_dir, struct json_out *w)
{
    json_put_key(w, "checkpoint");
    if (t->best == NULL) {
        json_put_null(w);
        return;
    }
    char *path = paths_trial_file(state_dir, s->id, t->number, t->best->file);
    json_put_string(w, path);
    free(path);
    put_string(w, "checkpoint_sha256", t->best->sha256);
}

static void put_progress(const struct study_trial *t,
                         const struct views_time *time, struct json_out *w)
{
    const struct study_progress *p = t->progress;
    json_put_key(w, "progress");
    if (p == NULL) {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    put_string(w, "phase", p->phase);
    put_int(w, "epoch", p->epoch);
    put_int(w, "step", p->step);
    put_int(w, "n_steps", p->n_steps);
    json_put_key(w, "loss");
    json_put_double(w, p->loss);
    put_int(w, "elapsed_ms",
            p->started_ms > 0 ? time->mono_ms - p->started_ms : 0);
    json_close(w, '}');
}

/* What its attempts took: not the time that it waited between them. A trial of
 * Optuna's has none of ours. -1: unknown. */
static int64_t duration_ms(const struct study_trial *t,
                           const struct views_time *time)
{
    if (t->progress != NULL) {
        return t->progress->started_ms > 0
                   ? t->worked_ms + time->mono_ms - t->progress->started_ms
                   : -1;
    }
    if (t->attempt > 0) {
        return t->worked_ms;
    }
    return t->start_ms > 0 && t->end_ms > 0 ? t->end_ms - t->start_ms : -1;
}

static void put_duration(const struct study_trial *t,
                         const struct views_time *time, struct json_out *w)
{
    int64_t ms = duration_ms(t, time);
    json_put_key(w, "duration_ms");
    if (ms >= 0) {
        json_put_int(w, ms);
    } else {
        json_put_null(w);
    }
}

static void put_memory(const struct trial_memory *m, struct json_out *w)
{
    const int64_t values[] = {m->peak, m->planned};
    static const char *const keys[] = {"peak_bytes", "planned_bytes"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        json_put_key(w, keys[i]);
        if (values[i] > 0) {
            json_put_int(w, values[i]);
        } else {
            json_put_null(w);
        }
    }
    put_bool(w, "peak_of_worker", m->of_worker != 0);
}

/* By the config's names; a study of Optuna's has numbers for them. */
static void put_constraints(const struct study *s, const struct study_trial *t,
                            struct json_out *w)
{
    size_t n;
    const double *values = history_constraints(s->history, t->number, &n);
    if (n == 0) {
        return;
    }
    json_put_key(w, "constraints");
    json_open(w, '{');
    for (size_t i = 0; i < n; i++) {
        char number[24];
        snprintf(number, sizeof(number), "%zu", i);
        bool has_name = n == s->spec.work.n_constraints;
        json_put_key(w, has_name ? s->spec.work.constraints[i] : number);
        json_put_double(w, values[i]);
    }
    json_close(w, '}');
    put_bool(w, "feasible", history_violation(s->history, t->number) == 0.0);
}

/* from: the first epoch; -1: without them. */
static void put_trial(const struct study *s, const struct study_trial *t,
                      const char *state_dir, int64_t from,
                      const struct views_time *time, struct json_out *w)
{
    json_open(w, '{');
    put_int(w, "number", t->number);
    put_int(w, "seq", t->seq);
    put_string(w, "state", trial_state_name(t->state));
    put_string(w, "cause",
               t->cause != TRIAL_CAUSE_NONE ? trial_cause_name(t->cause)
                                            : NULL);
    put_string(w, "message", t->message);
    put_int(w, "attempt", t->attempt);
    json_put_key(w, "value");
    if (trial_state_is_final(t->state) && !isnan(t->value)) {
        json_put_double(w, t->value);
    } else {
        json_put_null(w);
    }
    json_put_key(w, "best_epoch");
    if (t->best_epoch >= 0) {
        json_put_int(w, t->best_epoch);
    } else {
        json_put_null(w);
    }
    put_memory(&t->memory, w);
    put_time(w, "start", t->start_ms);
    put_time(w, "end", t->end_ms);
    put_duration(t, time, w);
    put_params(s, t, w);
    put_constraints(s, t, w);
    put_int(w, "n_epochs", views_n_epochs(s, t));
    if (from >= 0) {
        put_epochs(s, t, from, w);
    }
    put_checkpoint(s, t, state_dir, w);
    put_progress(t, time, w);
    put_bool(w, "enqueued", t->fixed != NULL);
    put_bool(w, "nondeterministic", t->nondeterministic);
    json_close(w, '}');
}

void views_trial(const struct study *s, const struct study_trial *t,
                 const char *state_dir, bool with_epochs,
                 const struct views_time *time, struct json_out *w)
{
    put_trial(s, t, state_dir, with_epochs ? 0 : -1, time, w);
}

void views_trial_from(const struct study *s, const struct study_trial *t,
                      const char *state_dir, int64_t from,
                      const struct views_time *time, struct json_out *w)
{
    assert(from >= 0);
    put_trial(s, t, state_dir, from, time, w);
}

static bool is_wanted(const struct views_filter *f,
                      const struct study_trial *trial)
{
    return trial->seq > f->after &&
           (f->state < 0 || (int)trial->state == f->state);
}

/* Number of the first of the last `limit` trials that are wanted. */
static int64_t first_wanted(const struct study *s, const struct views_filter *f)
{
    int64_t left = f->limit, at = (int64_t)s->n_trials;
    while (f->limit > 0 && left > 0 && at > 0) {
        at--;
        left -= is_wanted(f, s->trials[at]);
    }
    return f->limit > 0 ? at : 0;
}

static int compare_seqs(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The seq of the last of the `limit` wanted trials that changed first;
 * INT64_MAX: there are no more than that. */
static int64_t last_wanted_seq(const struct study *s,
                               const struct views_filter *f)
{
    int64_t *seqs = mem_alloc(s->n_trials + 1, sizeof(*seqs)), n = 0;
    for (size_t i = 0; i < s->n_trials; i++) {
        if (is_wanted(f, s->trials[i])) {
            seqs[n++] = s->trials[i]->seq;
        }
    }
    qsort(seqs, (size_t)n, sizeof(*seqs), compare_seqs);
    int64_t last = n > f->limit ? seqs[f->limit - 1] : INT64_MAX;
    free(seqs);
    return last;
}

void views_trials(const struct study *s, const struct views_filter *f,
                  const char *state_dir, const struct views_time *t,
                  struct json_out *w)
{
    bool is_page = f->after >= 0 && f->limit > 0;
    int64_t seq = s->seq, n = (int64_t)s->n_trials;
    int64_t first = is_page ? 0 : first_wanted(s, f);
    int64_t last_seq = is_page ? last_wanted_seq(s, f) : INT64_MAX;
    json_open(w, '{');
    json_put_key(w, "trials");
    json_open(w, '[');
    for (int64_t i = 0; i < n; i++) {
        const struct study_trial *trial = s->trials[i];
        seq = trial->seq > seq ? trial->seq : seq;
        if (i >= first && trial->seq <= last_seq && is_wanted(f, trial)) {
            views_trial(s, trial, state_dir, true, t, w);
        }
    }
    json_close(w, ']');
    put_int(w, "seq", seq < last_seq ? seq : last_seq);
    json_close(w, '}');
}

/* --- studies --- */

/* What Optuna's rows know of a study's times: it was there when its first trial
 * began, and at work while one ran; trials begin in the order of their numbers.
 * 0: they know nothing. */
struct foreign_times {
    int64_t created_ms, active_ms;
};

static struct foreign_times foreign_times(const struct study *s)
{
    struct foreign_times f = {0};
    int64_t until = 0;
    for (size_t i = 0; i < s->n_trials; i++) {
        const struct study_trial *t = s->trials[i];
        bool is_first = f.created_ms == 0 || t->start_ms < f.created_ms;
        if (t->start_ms > 0 && is_first) {
            f.created_ms = t->start_ms;
        }
        int64_t from = t->start_ms > until ? t->start_ms : until;
        if (t->start_ms > 0 && t->end_ms > from) {
            f.active_ms += t->end_ms - from;
            until = t->end_ms;
        }
    }
    return f;
}

static int64_t active_ms(const struct study *s, const struct views_time *t)
{
    int64_t now = t->now_ms > 0 ? t->now_ms : study_last_sign_ms(s);
    int64_t running = s->running_since_ms > 0 ? now - s->running_since_ms : 0;
    return s->active_ms + (running > 0 ? running : 0);
}

/* From the pace so far; running trials count as half done. */
static void put_eta(const struct study *s, const struct views_time *t,
                    struct json_out *w)
{
    int64_t finished = study_n_finished(s);
    int64_t left = s->spec.n_trials - finished;
    json_put_key(w, "eta_ms");
    if (s->state != STUDY_RUNNING || finished == 0 || left <= 0) {
        json_put_null(w);
        return;
    }
    double half = 0.5 * (double)s->n_by_state[TRIAL_RUNNING];
    double pace = (double)active_ms(s, t) / ((double)finished + half);
    json_put_int(w, (int64_t)(pace * fmax((double)left - half, 0.5)));
}

static void put_counts(const struct study *s, struct json_out *w)
{
    json_put_key(w, "counts");
    json_open(w, '{');
    for (int i = 0; i < TRIAL_N_STATES; i++) {
        put_int(w, trial_state_name((enum trial_state)i), s->n_by_state[i]);
    }
    json_close(w, '}');
}

static void put_data(const struct study *s, struct json_out *w)
{
    json_put_key(w, "data");
    if (s->data.sha256[0] == '\0') {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    put_string(w, "sha256", s->data.sha256);
    put_int(w, "classes", s->data.n_classes);
    put_int(w, "train", s->data.n_train);
    put_int(w, "val", s->data.n_val);
    put_int(w, "test", s->data.n_test);
    json_close(w, '}');
}

static void put_preparation(const struct study *s, const struct views_time *t,
                            struct json_out *w)
{
    const struct study_preparation *p = &s->preparation;
    json_put_key(w, "preparing");
    if (s->preparing_slot < 0) {
        json_put_null(w);
        return;
    }
    json_open(w, '{');
    put_string(w, "phase", p->phase);
    put_int(w, "done", p->done);
    json_put_key(w, "total");
    if (p->total > 0) {
        json_put_int(w, p->total);
    } else {
        json_put_null(w);
    }
    put_string(w, "unit", p->unit);
    put_int(w, "elapsed_ms", t->mono_ms - p->started_ms);
    json_close(w, '}');
}

static int64_t busy_slots(const struct mirror *m, const struct study *s)
{
    int64_t n = 0;
    for (int i = 0; i < m->n_slots; i++) {
        n += m->slots[i].id.study == s->id || m->slots[i].study == s->id;
    }
    return n;
}

static void put_times(const struct study *s, const struct views_time *t,
                      struct json_out *w)
{
    if (s->is_foreign) {
        struct foreign_times f = foreign_times(s);
        put_time(w, "created", f.created_ms);
        put_time(w, "active_ms", f.active_ms);
    } else {
        put_time(w, "created", s->created_ms);
        put_int(w, "active_ms", active_ms(s, t));
    }
}

/* The keys that every view of a study has. */
static void put_summary(const struct mirror *m, const struct study *s,
                        const char *state_dir, const struct views_time *t,
                        struct json_out *w)
{
    put_string(w, "name", s->spec.name);
    put_int(w, "id", s->id);
    put_int(w, "seq", s->seq);
    put_string(w, "state", study_state_name(s->state));
    put_string(w, "reason", s->reason);
    put_bool(w, "foreign", s->is_foreign);
    put_string(w, "metric", spec_metric_name(&s->spec));
    put_string(w, "direction",
               s->spec.direction == SPEC_MAXIMIZE ? "maximize" : "minimize");
    put_string(w, "unit", unit_name(s));
    put_int(w, "n_trials", s->spec.n_trials);
    put_counts(s, w);
    put_int(w, "finished", study_n_finished(s));
    json_put_key(w, "best");
    if (s->best >= 0) {
        views_trial(s, s->trials[s->best], state_dir, false, t, w);
    } else {
        json_put_null(w);
    }
    put_times(s, t, w);
    put_eta(s, t, w);
    put_int(w, "workers", busy_slots(m, s));
    put_data(s, w);
    put_preparation(s, t, w);
}

void views_studies(const struct mirror *m, const char *state_dir,
                   const struct views_time *t, struct json_out *w)
{
    json_open(w, '{');
    json_put_key(w, "studies");
    json_open(w, '[');
    for (size_t i = 0; i < m->n_studies; i++) {
        json_open(w, '{');
        put_summary(m, m->studies[i], state_dir, t, w);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_put_key(w, "left_out");
    json_open(w, '[');
    for (size_t i = 0; i < m->n_left_out; i++) {
        json_open(w, '{');
        put_string(w, "name", m->left_out[i].name);
        put_string(w, "reason", m->left_out[i].reason);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}

static void put_config(const struct study *s, struct json_out *w)
{
    json_put_key(w, "config");
    if (s->is_foreign) {
        json_put_null(w);
        return;
    }
    struct buf config;
    buf_init(&config, BUF_MAX_CONFIG);
    spec_to_json(&s->spec, &config);
    json_put_raw(w, config.data);
    buf_fini(&config);
}

void views_study(const struct mirror *m, const struct study *s,
                 const char *state_dir, const char *trouble,
                 const struct views_time *t, struct json_out *w)
{
    json_open(w, '{');
    put_summary(m, s, state_dir, t, w);
    put_config(s, w);
    json_put_key(w, "params");
    json_open(w, '[');
    for (int i = 0, p; (p = param_at(s, i)) >= 0; i++) {
        if (p < history_n_params(s->history)) {
            json_put_string(w, history_param_name(s->history, p));
        }
    }
    json_close(w, ']');
    json_put_key(w, "running");
    json_open(w, '[');
    for (size_t i = 0; i < s->n_trials; i++) {
        if (s->trials[i]->state == TRIAL_RUNNING) {
            views_trial(s, s->trials[i], state_dir, false, t, w);
        }
    }
    json_close(w, ']');
    put_string(w, "trouble", trouble);
    json_close(w, '}');
}

void views_importances(const struct study *s, enum importance_evaluator e,
                       bool is_pending, struct json_out *w)
{
    const struct importances *list = &s->importances[e];
    json_open(w, '{');
    json_put_key(w, "evaluator");
    json_put_string(w, importance_name(e));
    json_put_key(w, "n_trials");
    json_put_int(w, list->n_trials);
    json_put_key(w, "pending");
    json_put_bool(w, is_pending);
    json_put_key(w, "importances");
    json_open(w, '[');
    for (size_t i = 0; i < list->n; i++) {
        json_open(w, '{');
        json_put_key(w, "param");
        json_put_string(w, list->items[i].name);
        json_put_key(w, "importance");
        json_put_double(w, list->items[i].value);
        json_close(w, '}');
    }
    json_close(w, ']');
    json_close(w, '}');
}
