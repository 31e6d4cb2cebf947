#include "daemon/views.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/history.h"
#include "daemon/views_priv.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- one trial --- */

int views_param_at(const struct study *s, int i)
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
    for (int i = 0, p; (p = views_param_at(s, i)) >= 0; i++) {
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

const char *views_unit_name(const struct study *s)
{
    return is_training(s) ? "epoch" : "step";
}

/* All metrics of a training's epochs. */
static void put_metrics(const struct study_trial *t, size_t from,
                        struct json_out *w)
{
    for (size_t i = from; i < t->n_reports; i++) {
        json_open(w, '{');
        views_put_int(w, "epoch", t->reports[i].epoch);
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
        views_put_int(w, "step",
                      history_report_at(s->history, t->number, i, &value));
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

int64_t views_step_of(const struct study *s, const struct study_trial *t,
                      int64_t n)
{
    double value;
    bool is_there =
        n > 0 && n <= (int64_t)history_n_reports(s->history, t->number);
    return is_there
               ? history_report_at(s->history, t->number, (size_t)n - 1, &value)
               : -1;
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
    views_put_string(w, "checkpoint_sha256", t->best->sha256);
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
    views_put_string(w, "phase", p->phase);
    views_put_int(w, "epoch", p->epoch);
    views_put_int(w, "step", p->step);
    views_put_int(w, "n_steps", p->n_steps);
    json_put_key(w, "loss");
    json_put_double(w, p->loss);
    views_put_int(w, "elapsed_ms",
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
    views_put_bool(w, "peak_of_worker", m->of_worker != 0);
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
    views_put_bool(w, "feasible",
                   history_violation(s->history, t->number) == 0.0);
}

/* from: the first epoch; -1: without them. */
static void put_trial(const struct study *s, const struct study_trial *t,
                      const char *state_dir, int64_t from,
                      const struct views_time *time, struct json_out *w)
{
    json_open(w, '{');
    views_put_int(w, "number", t->number);
    views_put_int(w, "seq", t->seq);
    views_put_string(w, "state", trial_state_name(t->state));
    views_put_string(w, "cause",
                     t->cause != TRIAL_CAUSE_NONE ? trial_cause_name(t->cause)
                                                  : NULL);
    views_put_string(w, "message", t->message);
    views_put_int(w, "attempt", t->attempt);
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
    views_put_time(w, "start", t->start_ms);
    views_put_time(w, "end", t->end_ms);
    put_duration(t, time, w);
    put_params(s, t, w);
    put_constraints(s, t, w);
    views_put_int(w, "n_epochs", views_n_epochs(s, t));
    if (from >= 0) {
        put_epochs(s, t, from, w);
    }
    put_checkpoint(s, t, state_dir, w);
    put_progress(t, time, w);
    views_put_bool(w, "enqueued", t->fixed != NULL);
    views_put_bool(w, "nondeterministic", t->nondeterministic);
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

/* --- the mark --- */

/* One to one in each of the two: what differs somewhere, and is the same
 * behind, stays different. */
static uint64_t mix(uint64_t mark, uint64_t word)
{
    mark = (mark ^ word) * 0x9e3779b97f4a7c15u;
    return mark ^ mark >> 32;
}

static uint64_t mix_double(uint64_t mark, double value)
{
    uint64_t word = 0;
    if (!isnan(value)) {
        memcpy(&word, &value, sizeof(word));
    }
    return mix(mark + isnan(value), word);
}

/* A sum: a load may bring the study's parameters in another order than the last
 * one. What a trial does not have counts nothing: another trial may be the
 * first that has it. */
static uint64_t mark_params(const struct study *s, const struct study_trial *t)
{
    const struct history *h = s->history;
    uint64_t sum = 0;
    for (int i = 0; i < history_n_params(h); i++) {
        double value = history_param(h, t->number, i);
        sum += isnan(value) ? 0 : mix_double(1, value);
    }
    for (size_t i = 0; t->fixed != NULL && i < s->spec.space.n; i++) {
        sum += isnan(t->fixed[i]) ? 0 : mix_double(2, t->fixed[i]);
    }
    return sum;
}

uint64_t views_steps_mark(const struct study *s, const struct study_trial *t,
                          int64_t first)
{
    size_t n = history_n_reports(s->history, t->number);
    n = (size_t)first < n ? (size_t)first : n;
    uint64_t mark = n;
    for (size_t i = 0; i < n; i++) {
        double value;
        mark = mix(mark, (uint64_t)history_report_at(s->history, t->number, i,
                                                     &value));
        mark = mix_double(mark, value);
    }
    return mark;
}

uint64_t views_mark(const struct study *s, const struct study_trial *t)
{
    const int64_t numbers[] = {
        (int64_t)t->state, (int64_t)t->cause,  t->attempt,
        t->best_epoch,     t->start_ms,        t->end_ms,
        t->memory.peak,    t->memory.planned,  t->memory.of_worker,
        t->fixed != NULL,  t->nondeterministic};
    uint64_t mark = 1;
    size_t n;
    const double *constraints = history_constraints(s->history, t->number, &n);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        mark = mix(mark, (uint64_t)numbers[i]);
    }
    mark = mix_double(mark, t->value);
    for (size_t i = 0; i < n; i++) {
        mark = mix_double(mark, constraints[i]);
    }
    mark = mix(mark, mark_params(s, t));
    mark = mix(mark, views_steps_mark(s, t, INT64_MAX));
    return mark != 0 ? mark : 1;
}

/* --- all trials --- */

static bool is_wanted(const struct views_filter *f,
                      const struct study_trial *trial)
{
    return trial->seq > f->after && trial->number >= f->from &&
           (f->state < 0 || (int)trial->state == f->state);
}

/* Number of the first trial to look at: `from`, or that of the first of the
 * last `limit` trials that are wanted. */
static int64_t first_wanted(const struct study *s, const struct views_filter *f)
{
    if (f->from >= 0) {
        return f->from;
    }
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
    int64_t left = !is_page && f->limit > 0 ? f->limit : INT64_MAX;
    json_open(w, '{');
    json_put_key(w, "trials");
    json_open(w, '[');
    for (int64_t i = 0; i < n; i++) {
        const struct study_trial *trial = s->trials[i];
        seq = trial->seq > seq ? trial->seq : seq;
        if (i >= first && trial->seq <= last_seq && left > 0 &&
            is_wanted(f, trial)) {
            views_trial(s, trial, state_dir, true, t, w);
            left--;
        }
    }
    json_close(w, ']');
    views_put_int(w, "seq", seq < last_seq ? seq : last_seq);
    views_put_int(w, "study_id", s->id);
    json_close(w, '}');
}
