/* What starts next: running studies take turns; in a study what waits goes
 * first, lowest number first; a new trial only while the target has room.
 *
 * A trial that waits after a death keeps its place among the study's workers:
 * was another one begun meanwhile, that one would not know the first one's
 * result, and a study with one worker would depend on when a worker died. */
#include "core/base/mem.h"
#include "daemon/sched_priv.h"
#include "daemon/search/sampler.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int idle_slot(const struct mirror *m)
{
    for (int i = 0; i < m->n_slots; i++) {
        if (m->slots[i].state == SLOT_IDLE) {
            return i;
        }
    }
    return -1;
}

static bool has_share(const struct mirror *m, const struct study *s)
{
    int64_t used = 0;
    for (int i = 0; i < m->n_slots; i++) {
        used += sched_slot_works_for(&m->slots[i], s->id);
    }
    return s->spec.workers == 0 || used < s->spec.workers;
}

/* Is there a place for a trial that was never begun? */
static bool has_place(const struct mirror *m, const struct study *s)
{
    int64_t places = s->spec.workers == 0 || s->spec.workers > m->n_slots
                         ? m->n_slots
                         : s->spec.workers;
    int64_t begun = s->n_by_state[TRIAL_RUNNING] - sched_n_elsewhere(m, s);
    int64_t left = s->n_by_state[TRIAL_WAITING];
    for (size_t i = s->n_trials; i > 0 && left > 0; i--) {
        const struct study_trial *trial = s->trials[i - 1];
        if (trial->state == TRIAL_WAITING) {
            left--;
            begun += trial->attempt > 0;
        }
    }
    return begun < places;
}

/* The first that may start now; one that was never begun needs a place, and
 * without one stands in nobody's way. From the end, because few wait and they
 * are young; ends when all were seen. */
static const struct study_trial *
first_waiting(const struct turn *t, const struct study *s, bool is_place_free)
{
    const struct study_trial *first = NULL;
    int64_t left = s->n_by_state[TRIAL_WAITING];
    for (size_t i = s->n_trials; i > 0 && left > 0; i--) {
        const struct study_trial *trial = s->trials[i - 1];
        if (trial->state == TRIAL_WAITING) {
            left--;
            bool may_start = trial->not_before_ms <= t->mono_ms &&
                             (trial->attempt > 0 || is_place_free);
            first = may_start ? trial : first;
        }
    }
    return first;
}

/* What the trial's parameters must be, space.n values with NaN where free, or
 * NULL: those that the user enqueued; those that Optuna gave it already, where
 * the space has them. Owned. */
static double *given_values(const struct study *s,
                            const struct study_trial *trial)
{
    size_t n = s->spec.space.n;
    double *values = mem_alloc(n + 1, sizeof(*values));
    bool any = false;
    if (trial->number < (int64_t)s->n_trials) {
        study_values(s, trial->number, values);
    }
    for (size_t i = 0; i < n; i++) {
        if (trial->number >= (int64_t)s->n_trials ||
            !dist_contains(&s->spec.space.params[i].dist, values[i])) {
            values[i] = NAN;
        }
        if (isnan(values[i]) && trial->fixed != NULL) {
            values[i] = trial->fixed[i];
        }
        any = any || !isnan(values[i]);
    }
    if (!any) {
        free(values);
        return NULL;
    }
    return values;
}

/* Parameters and RUNNING are one commit: a trial that ever ran has them. */
static void start_trial(const struct turn *t, const struct study *s,
                        const struct study_trial *trial, int slot)
{
    double *values = NULL;
    if (trial->attempt == 0) {
        values = mem_alloc(s->spec.space.n, sizeof(*values));
        double *given = given_values(s, trial);
        sampler_suggest(&s->spec, s->history, trial->number, given, values);
        free(given);
    }
    struct action *a = turn_add_trial(t, ACTION_START_TRIAL, s, trial);
    a->attempt = trial->attempt + 1;
    a->slot = slot;
    a->start_trial.values = values;
    a = turn_add_trial(t, ACTION_ASSIGN, s, trial);
    a->attempt = trial->attempt + 1;
    a->slot = slot;
}

static void start_new_trial(const struct turn *t, const struct study *s,
                            int slot)
{
    const struct study_trial born = {
        .id = t->m->next_trial_id,
        .number = (int64_t)s->n_trials,
    };
    struct action *a = turn_add_trial(t, ACTION_ADD_TRIAL, s, &born);
    a->add_trial.trial_id = born.id;
    start_trial(t, s, &born, slot);
}

/* Nothing is left to be tried: the study ends when nothing waits or runs. */
static bool is_exhausted(const struct turn *t, const struct study *s)
{
    size_t n;
    if (!sampler_is_exhausted(&s->spec, s->history, &n)) {
        return false;
    }
    if (s->n_by_state[TRIAL_WAITING] + s->n_by_state[TRIAL_RUNNING] ==
        sched_n_elsewhere(t->m, s)) {
        turn_finish_study(t, s,
                          mem_printf("the space is exhausted: all %zu points "
                                     "were tried",
                                     n),
                          -1);
    }
    return true;
}

/* Another program brought it to its target: the end of no trial of ours ends
 * it. */
static bool is_through(const struct turn *t, const struct study *s)
{
    return study_n_finished(s) >= s->spec.n_trials &&
           s->n_by_state[TRIAL_WAITING] + s->n_by_state[TRIAL_RUNNING] ==
               sched_n_elsewhere(t->m, s);
}

static bool start_in(const struct turn *t, const struct study *s, int slot)
{
    if (s->state != STUDY_RUNNING || s->is_foreign || !has_share(t->m, s)) {
        return false;
    }
    if (is_through(t, s)) {
        int64_t n = study_n_finished(s);
        turn_finish_study(
            t, s,
            mem_printf("%" PRId64 " trial%s finished", n, n == 1 ? "" : "s"),
            -1);
        return false;
    }
    bool has_data = s->spec.objective == SPEC_OBJECTIVE_CLASSIFIER;
    if (has_data && !s->is_prepared) {
        if (s->preparing_slot >= 0) {
            return false;
        }
        turn_add(t, ACTION_PREPARE, s->id)->slot = slot;
        return true;
    }
    bool is_place_free = has_place(t->m, s);
    const struct study_trial *trial = first_waiting(t, s, is_place_free);
    if (trial != NULL) {
        start_trial(t, s, trial, slot);
        return true;
    }
    int64_t counted = sched_n_counted(s) - sched_n_elsewhere(t->m, s);
    if (is_place_free && counted < s->spec.n_trials && !is_exhausted(t, s)) {
        start_new_trial(t, s, slot);
        return true;
    }
    return false;
}

void sched_next(const struct mirror *m, int64_t now_ms, int64_t mono_ms,
                struct actions *out)
{
    const struct turn t = {
        .m = m, .now_ms = now_ms, .mono_ms = mono_ms, .out = out};
    int slot = idle_slot(m);
    size_t first = 0;
    while (first < m->n_studies && m->studies[first]->id <= m->last_turn) {
        first++;
    }
    bool started = slot < 0;
    for (size_t i = 0; i < m->n_studies && !started; i++) {
        started = start_in(&t, m->studies[(first + i) % m->n_studies], slot) ||
                  out->n > 0;
    }
}
