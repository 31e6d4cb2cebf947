/* Memory follows the actions, one function per kind (those of slots are in
 * mirror_slots.c). Nothing is decided here: what an action does not say
 * (counts, the best trial, the history that samplers see) follows from what it
 * says. */
#include "daemon/mirror.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/mirror_priv.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct mirror *mirror_new(int n_slots)
{
    struct mirror *m = mem_alloc(1, sizeof(*m));
    *m = (struct mirror){
        .slots = mem_alloc((size_t)n_slots, sizeof(*m->slots)),
        .n_slots = n_slots,
        .next_study_id = 1,
        .next_trial_id = 1,
        .next_seq = 1,
    };
    return m;
}

void mirror_free(struct mirror *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->n_studies; i++) {
        study_free(m->studies[i]);
    }
    for (int i = 0; i < m->n_slots; i++) {
        free(m->slots[i].kill_message);
    }
    for (size_t i = 0; i < m->n_left_out; i++) {
        free(m->left_out[i].name);
        free(m->left_out[i].reason);
    }
    free(m->left_out);
    free(m->studies);
    free(m->slots);
    free(m);
}

/* Place of the first study whose id is not below `study_id`. */
static size_t lower_bound(const struct mirror *m, int64_t study_id)
{
    size_t low = 0, high = m->n_studies;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (m->studies[mid]->id < study_id) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

struct study *mirror_study(const struct mirror *m, int64_t study_id)
{
    size_t at = lower_bound(m, study_id);
    bool found = at < m->n_studies && m->studies[at]->id == study_id;
    return found ? m->studies[at] : NULL;
}

struct study *mirror_study_by_name(const struct mirror *m, const char *name)
{
    for (size_t i = 0; i < m->n_studies; i++) {
        if (strcmp(m->studies[i]->spec.name, name) == 0) {
            return m->studies[i];
        }
    }
    return NULL;
}

void mirror_leave_out(struct mirror *m, const char *name, const char *reason)
{
    m->left_out =
        mem_grow(m->left_out, m->n_left_out + 1, sizeof(*m->left_out));
    m->left_out[m->n_left_out++] =
        (struct mirror_left_out){mem_strdup(name), mem_strdup(reason)};
}

int mirror_refuse_name(const struct mirror *m, const char *name,
                       struct err *err)
{
    for (size_t i = 0; i < m->n_left_out; i++) {
        if (strcmp(m->left_out[i].name, name) == 0) {
            return err_set(err, ERR_CONFLICT,
                           "study '%s' is Optuna's, and Parzen cannot show "
                           "it: %s",
                           name, m->left_out[i].reason);
        }
    }
    return err_set(err, ERR_NOTFOUND, "no study named '%s'", name);
}

struct study_trial *mirror_trial(const struct mirror *m, int64_t study_id,
                                 int64_t number)
{
    const struct study *s = mirror_study(m, study_id);
    bool found = s != NULL && number >= 0 && number < (int64_t)s->n_trials;
    return found ? s->trials[number] : NULL;
}

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void set_text(char **text, const char *to)
{
    char *copy = mem_strdup(to);
    free(*text);
    *text = copy;
}

/* --- studies -------------------------------------------------------------- */

static void add_study(struct mirror *m, const struct action *a)
{
    struct study *s = study_new(a->study, a->add_study.spec);
    s->created_ms = a->at_ms;
    s->running_since_ms = a->at_ms;
    s->running_since_mono_ms = a->mono_ms;
    size_t at = lower_bound(m, a->study);
    m->studies = mem_grow(m->studies, m->n_studies + 1, sizeof(struct study *));
    memmove(&m->studies[at + 1], &m->studies[at],
            (m->n_studies - at) * sizeof(struct study *));
    m->studies[at] = s;
    m->n_studies++;
    m->next_study_id = max_of(m->next_study_id, a->study + 1);
}

/* What its trials that have not ended reported to Optuna counts no more: they
 * begin anew. */
static void adopt_study(struct study *s, const struct action *a)
{
    spec_fini(&s->spec);
    spec_copy(&s->spec, a->add_study.spec);
    s->is_foreign = false;
    s->state = STUDY_RUNNING;
    set_text(&s->reason, NULL);
    s->created_ms = a->at_ms;
    s->active_ms = 0;
    s->running_since_ms = a->at_ms;
    s->running_since_mono_ms = a->mono_ms;
    for (size_t i = 0; i < s->n_trials; i++) {
        if (!trial_state_is_final(s->trials[i]->state)) {
            history_forget_reports(s->history, (int64_t)i);
        }
    }
}

static void change_study(struct study *s, const struct action *a)
{
    int64_t n_trials = s->spec.n_trials;
    spec_fini(&s->spec);
    spec_copy(&s->spec, a->add_study.spec);
    s->spec.n_trials = n_trials;
    history_set_space(s->history, &s->spec.space);
}

static void set_study(struct study *s, const struct action *a)
{
    s->state = a->set_study.state;
    set_text(&s->reason, a->set_study.reason);
    s->active_ms = a->set_study.active_ms;
    s->running_since_ms = a->set_study.running_since_ms;
    s->running_since_mono_ms = 0;
    if (s->state == STUDY_RUNNING) {
        s->running_since_mono_ms = a->mono_ms;
        s->n_prepares = 0;
        s->n_gone = 0;
        memset(s->deaths, 0, sizeof(s->deaths));
    }
}

static void delete_study(struct mirror *m, int64_t study_id)
{
    size_t at = lower_bound(m, study_id);
    assert(at < m->n_studies && m->studies[at]->id == study_id);
    study_free(m->studies[at]);
    m->n_studies--;
    memmove(&m->studies[at], &m->studies[at + 1],
            (m->n_studies - at) * sizeof(struct study *));
}

static void apply_study(struct mirror *m, struct study *s,
                        const struct action *a)
{
    switch (a->kind) {
    case ACTION_ADOPT_STUDY:
        adopt_study(s, a);
        break;
    case ACTION_CHANGE_STUDY:
        change_study(s, a);
        break;
    case ACTION_SET_STUDY:
        set_study(s, a);
        break;
    case ACTION_SET_TARGET:
        s->spec.n_trials = a->set_target.n_trials;
        break;
    case ACTION_SET_DATA:
        s->data = a->set_data;
        break;
    case ACTION_SET_IMPORTANCES:
        importances_fini(&s->importances[a->importances.evaluator]);
        importances_copy(&s->importances[a->importances.evaluator],
                         &a->importances.list);
        break;
    case ACTION_PREPARED:
        s->is_prepared = true;
        s->prepared_ms = a->mono_ms;
        s->n_prepares = 0;
        break;
    case ACTION_UNPREPARED:
        s->is_prepared = false;
        s->n_gone++;
        break;
    default: /* ACTION_DELETE_STUDY */
        delete_study(m, s->id);
        break;
    }
}

/* --- trials --------------------------------------------------------------- */

static void set_fixed(const struct study *s, struct study_trial *t,
                      const double *fixed)
{
    size_t n = s->spec.space.n;
    free(t->fixed);
    t->fixed = NULL;
    if (fixed != NULL) {
        t->fixed = mem_alloc(n, sizeof(*t->fixed));
        memcpy(t->fixed, fixed, n * sizeof(*t->fixed));
    }
}

static void add_trial(struct mirror *m, struct study *s, const struct action *a)
{
    struct study_trial *t = study_add_trial(s, a->add_trial.trial_id);
    assert(t->number == a->number);
    set_fixed(s, t, a->add_trial.fixed);
    t->seq = a->seq;
    t->seq_ms = a->at_ms;
    m->next_trial_id = max_of(m->next_trial_id, t->id + 1);
}

static void set_state(struct study *s, struct study_trial *t,
                      enum trial_state state)
{
    s->n_by_state[t->state]--;
    s->n_by_state[state]++;
    t->state = state;
    history_set_state(s->history, t->number, state, t->value);
    history_set_hidden(s->history, t->number, study_hides(t));
}

static void start_trial(struct study *s, struct study_trial *t,
                        const struct action *a)
{
    t->attempt = a->attempt;
    t->start_ms = t->start_ms != 0 ? t->start_ms : a->at_ms;
    t->attempt_ms = a->at_ms;
    t->not_before_ms = 0;
    t->progress = mem_grow(t->progress, 1, sizeof(*t->progress));
    *t->progress = (struct study_progress){
        .phase = "start",
        .loss = NAN,
        .next_epoch = -1,
        .at_ms = a->mono_ms,
        .started_ms = a->mono_ms,
    };
    const double *values = a->start_trial.values;
    if (values != NULL) { /* Optuna may have begun it: that is over */
        history_forget_reports(s->history, t->number);
    }
    for (size_t i = 0; values != NULL && i < s->spec.space.n; i++) {
        if (!isnan(values[i])) {
            const struct param *p = &s->spec.space.params[i];
            history_set_param(s->history, t->number, p->name, &p->dist,
                              values[i]);
        }
    }
    set_state(s, t, TRIAL_RUNNING);
}

static void add_report(struct study *s, struct study_trial *t,
                       const struct study_report *report)
{
    assert(t->n_reports == 0 ||
           report->epoch > t->reports[t->n_reports - 1].epoch);
    /* Capacity: the power of two at or above n_reports. */
    if ((t->n_reports & (t->n_reports - 1)) == 0) {
        size_t cap = t->n_reports == 0 ? 1 : 2 * t->n_reports;
        t->reports = mem_grow(t->reports, cap, sizeof(*t->reports));
    }
    t->reports[t->n_reports++] = *report;
    s->n_gone = 0;
    history_report(s->history, t->number, report->epoch,
                   report->metrics.value[s->spec.metric]);
}

static void rewind_to(struct study *s, struct study_trial *t, int64_t step)
{
    while (t->n_reports > 0 && t->reports[t->n_reports - 1].epoch >= step) {
        t->n_reports--;
    }
    history_rewind(s->history, t->number, step);
}

static void set_checkpoint(struct study_checkpoint **at,
                           const struct study_checkpoint *to)
{
    if (*at != NULL) {
        free((*at)->file);
        free(*at);
        *at = NULL;
    }
    if (to != NULL) {
        *at = mem_alloc(1, sizeof(**at));
        **at = *to;
        (*at)->file = mem_strdup(to->file);
    }
}

static void add_checkpoint(struct study_trial *t, const struct action *a)
{
    const struct study_checkpoint *new = &a->checkpoint.file;
    if (a->checkpoint.best) {
        set_checkpoint(&t->best, new);
        return;
    }
    if (a->checkpoint.shifts) {
        set_checkpoint(&t->previous, t->last);
    }
    set_checkpoint(&t->last, new);
}

static void discard(struct study_trial *t, const char *file)
{
    struct study_checkpoint **all[] = {&t->best, &t->previous, &t->last};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (*all[i] != NULL && strcmp((*all[i])->file, file) == 0) {
            set_checkpoint(all[i], NULL);
        }
    }
    if (t->last == NULL && t->previous != NULL) {
        t->last = t->previous;
        t->previous = NULL;
    }
}

/* What END_ATTEMPT and FINISH_TRIAL share: the attempt is over. A clock that
 * was set back makes none shorter than nothing. */
static void stop_work(struct study_trial *t, const struct action *a)
{
    int64_t ms = t->attempt_ms > 0 ? a->end.ended_ms - t->attempt_ms : 0;
    t->worked_ms += max_of(ms, 0);
    t->attempt_ms = 0;
    free(t->progress);
    t->progress = NULL;
    t->cause = a->end.cause;
    set_text(&t->message, a->end.message);
    t->place = a->end.place;
    t->n_at_place = a->end.n_at_place;
}

static void end_attempt(struct study *s, struct study_trial *t,
                        const struct action *a)
{
    stop_work(t, a);
    set_state(s, t, TRIAL_WAITING);
}

/* Of the feasible. The first of equals is the best, whatever the order in which
 * they end. */
static void consider_best(struct study *s, const struct study_trial *t)
{
    if (t->state != TRIAL_COMPLETE || isnan(t->value) ||
        history_violation(s->history, t->number) > 0.0) {
        return;
    }
    double best = s->best >= 0 ? s->trials[s->best]->value : (double)NAN;
    bool ties = !study_is_better(s, best, t->value) && t->number < s->best;
    if (study_is_better(s, t->value, best) || ties) {
        s->best = t->number;
    }
}

static void finish_trial(struct study *s, struct study_trial *t,
                         const struct action *a)
{
    stop_work(t, a);
    t->value = a->end.value;
    t->best_epoch = a->end.best_epoch;
    t->memory = a->end.memory;
    t->end_ms = a->at_ms;
    set_state(s, t, a->end.state);
    if (t->state != TRIAL_FAIL) {
        set_checkpoint(&t->last, NULL);
        set_checkpoint(&t->previous, NULL);
    }
    if (t->state == TRIAL_COMPLETE) {
        history_keep_resource(s->history, t->number);
    }
    consider_best(s, t);
}

static void retry_trial(struct study *s, struct study_trial *t)
{
    assert(t->state == TRIAL_FAIL);
    t->cause = TRIAL_CAUSE_NONE;
    set_text(&t->message, NULL);
    t->value = NAN;
    t->best_epoch = -1;
    t->memory = (struct trial_memory){0};
    t->end_ms = 0;
    t->place = -1;
    t->n_at_place = 0;
    t->not_before_ms = 0;
    set_state(s, t, TRIAL_WAITING);
}

/* It may have ended in this decision. */
static void set_progress(struct study_trial *t, const struct study_progress *to)
{
    if (t->progress != NULL) {
        *t->progress = *to;
    }
}

static void set_constraints(struct study *s, const struct study_trial *t,
                            const struct action *a)
{
    history_set_constraints(s->history, t->number, a->constraints.values,
                            a->constraints.n);
}

static void apply_trial(struct study *s, struct study_trial *t,
                        const struct action *a)
{
    switch (a->kind) {
    case ACTION_ADOPT_TRIAL:
        set_fixed(s, t, a->add_trial.fixed);
        break;
    case ACTION_START_TRIAL:
        start_trial(s, t, a);
        break;
    case ACTION_REPORT:
        add_report(s, t, &a->report);
        break;
    case ACTION_REWIND:
        rewind_to(s, t, a->rewind.step);
        break;
    case ACTION_RUNG:
        history_set_rung(s->history, t->number, a->rung.rung, a->rung.value);
        break;
    case ACTION_CONSTRAINTS:
        set_constraints(s, t, a);
        break;
    case ACTION_CHECKPOINT:
        add_checkpoint(t, a);
        break;
    case ACTION_DISCARD:
        discard(t, a->discard.file);
        break;
    case ACTION_END_ATTEMPT:
        end_attempt(s, t, a);
        break;
    case ACTION_FINISH_TRIAL:
        finish_trial(s, t, a);
        break;
    case ACTION_RETRY_TRIAL:
        retry_trial(s, t);
        break;
    case ACTION_FLAG_TRIAL:
        t->nondeterministic = true;
        break;
    case ACTION_PROGRESS:
        set_progress(t, &a->progress);
        break;
    case ACTION_DEATH:
        s->deaths[s->n_deaths++ % STUDY_DEATHS] =
            (struct study_death){t->number, a->mono_ms};
        break;
    default: /* ACTION_DELAY */
        t->not_before_ms = a->delay.not_before_ms;
        break;
    }
}

/* --- all ------------------------------------------------------------------ */

static void apply(struct mirror *m, struct study *s, const struct action *a)
{
    struct study_trial *t = mirror_trial(m, a->study, a->number);
    assert(s != NULL || a->kind == ACTION_ADD_STUDY);
    switch (a->kind) {
    case ACTION_ADD_STUDY:
        add_study(m, a);
        break;
    case ACTION_ADD_TRIAL:
        add_trial(m, s, a);
        break;
    case ACTION_ADOPT_STUDY:
    case ACTION_CHANGE_STUDY:
    case ACTION_SET_STUDY:
    case ACTION_SET_TARGET:
    case ACTION_SET_DATA:
    case ACTION_SET_IMPORTANCES:
    case ACTION_PREPARED:
    case ACTION_UNPREPARED:
    case ACTION_DELETE_STUDY:
        apply_study(m, s, a);
        break;
    default:
        assert(t != NULL);
        apply_trial(s, t, a);
        if (a->seq != 0) {
            t->seq = a->seq;
            t->seq_ms = a->at_ms;
        }
        break;
    }
}

void mirror_apply(struct mirror *m, const struct action *a)
{
    if (!mirror_apply_slot(m, a)) {
        apply(m, mirror_study(m, a->study), a);
    }
    m->next_seq = max_of(m->next_seq, a->seq + 1);
    if (a->seq != 0 && a->number < 0 && a->kind != ACTION_DELETE_STUDY &&
        a->kind != ACTION_SET_IMPORTANCES) {
        mirror_study(m, a->study)->seq = a->seq;
    }
}
