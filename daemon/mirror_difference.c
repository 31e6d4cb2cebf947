/* What two mirrors disagree about, of what is durable: the simulator and
 * `parzen doctor` compare the mirror in memory with one loaded anew. */
#include "core/base/buf.h"
#include "core/spec/spec_json.h"
#include "daemon/history.h"
#include "daemon/mirror.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* Members that are int64_t, by name. */
struct member {
    const char *name;
    size_t offset;
};

#define STUDY_MEMBER(name)                                                     \
    {                                                                          \
#name, offsetof(struct study, name)                                    \
    }
#define TRIAL_MEMBER(name)                                                     \
    {                                                                          \
#name, offsetof(struct study_trial, name)                              \
    }

static const struct member STUDY_MEMBERS[] = {
    STUDY_MEMBER(id),
    STUDY_MEMBER(seq),
    STUDY_MEMBER(created_ms),
    STUDY_MEMBER(active_ms),
    STUDY_MEMBER(running_since_ms),
    STUDY_MEMBER(data.n_classes),
    STUDY_MEMBER(data.n_train),
    STUDY_MEMBER(data.n_val),
    STUDY_MEMBER(data.n_test),
    STUDY_MEMBER(best),
};

static const struct member TRIAL_MEMBERS[] = {
    TRIAL_MEMBER(id),
    TRIAL_MEMBER(number),
    TRIAL_MEMBER(seq),
    TRIAL_MEMBER(attempt),
    TRIAL_MEMBER(best_epoch),
    TRIAL_MEMBER(start_ms),
    TRIAL_MEMBER(end_ms),
    TRIAL_MEMBER(attempt_ms),
    TRIAL_MEMBER(worked_ms),
    TRIAL_MEMBER(seq_ms),
    TRIAL_MEMBER(place),
    TRIAL_MEMBER(n_at_place),
    TRIAL_MEMBER(memory.peak),
    TRIAL_MEMBER(memory.planned),
    TRIAL_MEMBER(memory.of_worker),
};

/* The one place where a sentence is made. "study 3 trial 4: cause: 1 and 2" */
struct where {
    int64_t study, trial; /* -1: none */
    struct buf *out;
};

static int say(const struct where *w, const char *what, const char *a,
               const char *b)
{
    buf_printf(w->out, "study %" PRId64, w->study);
    if (w->trial >= 0) {
        buf_printf(w->out, " trial %" PRId64, w->trial);
    }
    buf_printf(w->out, ": %s: %s and %s", what, a, b);
    return 1;
}

static int differ_int(const struct where *w, const char *what, int64_t a,
                      int64_t b)
{
    if (a == b) {
        return 0;
    }
    char left[32], right[32];
    snprintf(left, sizeof(left), "%" PRId64, a);
    snprintf(right, sizeof(right), "%" PRId64, b);
    return say(w, what, left, right);
}

static int differ_text(const struct where *w, const char *what, const char *a,
                       const char *b)
{
    const char *left = a != NULL ? a : "nothing";
    const char *right = b != NULL ? b : "nothing";
    bool equal = (a == NULL) == (b == NULL) && strcmp(left, right) == 0;
    return equal ? 0 : say(w, what, left, right);
}

static int differ_double(const struct where *w, const char *what, double a,
                         double b)
{
    if (memcmp(&a, &b, sizeof(a)) == 0) {
        return 0;
    }
    char left[40], right[40];
    snprintf(left, sizeof(left), "%a", a);
    snprintf(right, sizeof(right), "%a", b);
    return say(w, what, left, right);
}

static int differ_members(const struct where *w, const struct member *members,
                          size_t n, const void *a, const void *b)
{
    int found = 0;
    for (size_t i = 0; i < n && !found; i++) {
        int64_t left, right;
        memcpy(&left, (const char *)a + members[i].offset, sizeof(left));
        memcpy(&right, (const char *)b + members[i].offset, sizeof(right));
        found = differ_int(w, members[i].name, left, right);
    }
    return found;
}

static int differ_checkpoint(const struct where *w, const char *what,
                             const struct study_checkpoint *a,
                             const struct study_checkpoint *b)
{
    if (a == NULL || b == NULL) {
        return differ_text(w, what, a != NULL ? a->file : NULL,
                           b != NULL ? b->file : NULL);
    }
    return differ_text(w, what, a->file, b->file) ||
           differ_text(w, what, a->sha256, b->sha256) ||
           differ_int(w, what, a->epoch, b->epoch) ||
           differ_int(w, what, a->step, b->step) ||
           differ_int(w, what, a->size, b->size);
}

static int differ_reports(const struct where *w, const struct study_trial *a,
                          const struct study_trial *b)
{
    int found =
        differ_int(w, "epochs", (int64_t)a->n_reports, (int64_t)b->n_reports);
    for (size_t i = 0; i < a->n_reports && !found; i++) {
        const struct study_report *x = &a->reports[i], *y = &b->reports[i];
        found = differ_int(w, "epoch", x->epoch, y->epoch) ||
                differ_int(w, "attempt of an epoch", x->attempt, y->attempt);
        for (int k = 0; k < RUN_N_METRICS && !found; k++) {
            found = differ_double(w, RUN_METRIC_NAMES[k], x->metrics.value[k],
                                  y->metrics.value[k]);
        }
    }
    return found;
}

static int differ_fixed(const struct where *w, size_t n, const double *a,
                        const double *b)
{
    int found = differ_int(w, "enqueued values", a != NULL, b != NULL);
    for (size_t i = 0; a != NULL && i < n && !found; i++) {
        found = differ_double(w, "an enqueued value", a[i], b[i]);
    }
    return found;
}

static int differ_params(const struct where *w, const struct history *a,
                         const struct history *b)
{
    int found = 0;
    for (int i = 0; i < history_n_params(a) && !found; i++) {
        const char *name = history_param_name(a, i);
        int j = history_find_param(b, name);
        double x = history_param(a, w->trial, i);
        double y = j >= 0 ? history_param(b, w->trial, j) : (double)NAN;
        found = isnan(x) && isnan(y) ? 0 : differ_double(w, name, x, y);
    }
    return found;
}

static int differ_rungs(const struct where *w, const struct history *a,
                        const struct history *b)
{
    size_t n, m;
    const double *x = history_rungs(a, w->trial, &n);
    const double *y = history_rungs(b, w->trial, &m);
    int found = differ_int(w, "rungs", (int64_t)n, (int64_t)m);
    for (size_t i = 0; i < n && !found; i++) {
        found = differ_double(w, "rung", x[i], y[i]);
    }
    return found;
}

static int differ_constraints(const struct where *w, const struct history *a,
                              const struct history *b)
{
    size_t n, m;
    const double *x = history_constraints(a, w->trial, &n);
    const double *y = history_constraints(b, w->trial, &m);
    int found = differ_int(w, "constraints", (int64_t)n, (int64_t)m);
    for (size_t i = 0; i < n && !found; i++) {
        found = differ_double(w, "constraint", x[i], y[i]);
    }
    return found;
}

static int differ_history(const struct where *w, const struct history *a,
                          const struct history *b)
{
    double x, y;
    int64_t i = history_last_step(a, w->trial, &x);
    int64_t k = history_last_step(b, w->trial, &y);
    return differ_int(w, "state in the history", history_state(a, w->trial),
                      history_state(b, w->trial)) ||
           differ_int(w, "hidden in the history",
                      history_is_hidden(a, w->trial),
                      history_is_hidden(b, w->trial)) ||
           differ_double(w, "value in the history", history_value(a, w->trial),
                         history_value(b, w->trial)) ||
           differ_int(w, "last step in the history", i, k) ||
           (i >= 0 && differ_double(w, "last value in the history", x, y)) ||
           differ_rungs(w, a, b) || differ_constraints(w, a, b) ||
           differ_params(w, a, b) || differ_params(w, b, a);
}

static int differ_trial(const struct where *w, size_t n_params,
                        const struct study_trial *a,
                        const struct study_trial *b)
{
    return differ_text(w, "state", trial_state_name(a->state),
                       trial_state_name(b->state)) ||
           differ_text(w, "cause", trial_cause_name(a->cause),
                       trial_cause_name(b->cause)) ||
           differ_text(w, "message", a->message, b->message) ||
           differ_members(w, TRIAL_MEMBERS, ARRAY_LEN(TRIAL_MEMBERS), a, b) ||
           differ_double(w, "value", a->value, b->value) ||
           differ_fixed(w, n_params, a->fixed, b->fixed) ||
           differ_reports(w, a, b) ||
           differ_checkpoint(w, "last checkpoint", a->last, b->last) ||
           differ_checkpoint(w, "previous checkpoint", a->previous,
                             b->previous) ||
           differ_checkpoint(w, "best checkpoint", a->best, b->best) ||
           differ_int(w, "nondeterministic", a->nondeterministic,
                      b->nondeterministic);
}

static int differ_spec(const struct where *w, const struct spec *a,
                       const struct spec *b)
{
    struct buf x, y;
    buf_init(&x, BUF_MAX_CONFIG);
    buf_init(&y, BUF_MAX_CONFIG);
    spec_to_json(a, &x);
    spec_to_json(b, &y);
    int found = differ_text(w, "config", x.data, y.data);
    buf_fini(&x);
    buf_fini(&y);
    return found;
}

static int differ_importances(const struct where *w,
                              const struct importances *a,
                              const struct importances *b)
{
    int found =
        differ_int(w, "importances", (int64_t)a->n, (int64_t)b->n) ||
        differ_int(w, "trials of importances", a->n_trials, b->n_trials);
    for (size_t i = 0; i < a->n && !found; i++) {
        found =
            differ_text(w, "parameter", a->items[i].name, b->items[i].name) ||
            differ_double(w, "importance", a->items[i].value,
                          b->items[i].value);
    }
    return found;
}

static int differ_study(const struct study *a, const struct study *b,
                        struct buf *out)
{
    struct where w = {.study = a->id, .trial = -1, .out = out};
    int found =
        differ_members(&w, STUDY_MEMBERS, ARRAY_LEN(STUDY_MEMBERS), a, b) ||
        differ_text(&w, "state", study_state_name(a->state),
                    study_state_name(b->state)) ||
        differ_text(&w, "reason", a->reason, b->reason) ||
        differ_text(&w, "data", a->data.sha256, b->data.sha256) ||
        differ_int(&w, "is_foreign", a->is_foreign, b->is_foreign) ||
        differ_int(&w, "resource", history_resource(a->history),
                   history_resource(b->history)) ||
        differ_spec(&w, &a->spec, &b->spec) ||
        differ_int(&w, "trials", (int64_t)a->n_trials, (int64_t)b->n_trials);
    for (int i = 0; i < TRIAL_N_STATES && !found; i++) {
        found = differ_int(&w, trial_state_name(i), a->n_by_state[i],
                           b->n_by_state[i]);
    }
    for (int i = 0; i < IMPORTANCE_N_EVALUATORS && !found; i++) {
        found = differ_importances(&w, &a->importances[i], &b->importances[i]);
    }
    for (size_t i = 0; i < a->n_trials && !found; i++) {
        w.trial = (int64_t)i;
        found = differ_trial(&w, a->spec.space.n, a->trials[i], b->trials[i]) ||
                differ_history(&w, a->history, b->history);
    }
    return found;
}

int mirror_difference(const struct mirror *a, const struct mirror *b,
                      struct buf *out)
{
    size_t n = a->n_studies > b->n_studies ? a->n_studies : b->n_studies;
    for (size_t i = 0; i < n; i++) {
        if (i >= a->n_studies || i >= b->n_studies) {
            buf_printf(out, "studies: %zu and %zu", a->n_studies, b->n_studies);
            return 1;
        }
        if (differ_study(a->studies[i], b->studies[i], out)) {
            return 1;
        }
    }
    return 0;
}
