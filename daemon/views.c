#include "daemon/views.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/history.h"
#include "daemon/mirror.h"
#include "daemon/views_priv.h"

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
    if (t->mono_ms > 0) {
        return study_active_ms(s, t->mono_ms);
    }
    int64_t last = study_last_sign_ms(s);
    int64_t running = s->running_since_ms > 0 ? last - s->running_since_ms : 0;
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
        views_put_int(w, trial_state_name((enum trial_state)i),
                      s->n_by_state[i]);
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
    views_put_string(w, "sha256", s->data.sha256);
    views_put_int(w, "classes", s->data.n_classes);
    views_put_int(w, "train", s->data.n_train);
    views_put_int(w, "val", s->data.n_val);
    views_put_int(w, "test", s->data.n_test);
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
    views_put_string(w, "phase", p->phase);
    views_put_int(w, "done", p->done);
    json_put_key(w, "total");
    if (p->total > 0) {
        json_put_int(w, p->total);
    } else {
        json_put_null(w);
    }
    views_put_string(w, "unit", p->unit);
    views_put_int(w, "elapsed_ms", t->mono_ms - p->started_ms);
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
        views_put_time(w, "created", f.created_ms);
        views_put_time(w, "active_ms", f.active_ms);
    } else {
        views_put_time(w, "created", s->created_ms);
        views_put_int(w, "active_ms", active_ms(s, t));
    }
}

/* The keys that every view of a study has. */
static void put_summary(const struct mirror *m, const struct study *s,
                        const char *state_dir, const struct views_time *t,
                        struct json_out *w)
{
    views_put_string(w, "name", s->spec.name);
    views_put_int(w, "id", s->id);
    views_put_int(w, "seq", s->seq);
    views_put_string(w, "state", study_state_name(s->state));
    views_put_string(w, "reason", s->reason);
    views_put_bool(w, "foreign", s->is_foreign);
    views_put_string(w, "metric", spec_metric_name(&s->spec));
    views_put_string(w, "direction",
                     s->spec.direction == SPEC_MAXIMIZE ? "maximize"
                                                        : "minimize");
    views_put_string(w, "unit", views_unit_name(s));
    views_put_int(w, "n_trials", s->spec.n_trials);
    put_counts(s, w);
    views_put_int(w, "finished", study_n_finished(s));
    json_put_key(w, "best");
    if (s->best >= 0) {
        views_trial(s, s->trials[s->best], state_dir, false, t, w);
    } else {
        json_put_null(w);
    }
    put_times(s, t, w);
    put_eta(s, t, w);
    views_put_int(w, "workers", busy_slots(m, s));
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
        views_put_string(w, "name", m->left_out[i].name);
        views_put_string(w, "reason", m->left_out[i].reason);
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
    for (int i = 0, p; (p = views_param_at(s, i)) >= 0; i++) {
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
    views_put_string(w, "trouble", trouble);
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
