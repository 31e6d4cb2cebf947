#include "daemon/study.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const STATE_NAMES[STUDY_N_STATES] = {
#define X(name, text, help) [STUDY_##name] = text,
    STUDY_STATES(X)
#undef X
};

const char *study_state_name(enum study_state s)
{
    return STATE_NAMES[s];
}

int study_state_by_name(const char *name)
{
    for (int i = 0; i < STUDY_N_STATES; i++) {
        if (strcmp(STATE_NAMES[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

struct study *study_new(int64_t id, const struct spec *spec)
{
    struct study *s = mem_alloc(1, sizeof(*s));
    *s = (struct study){
        .id = id,
        .state = STUDY_RUNNING,
        .preparing_slot = -1,
        .best = -1,
        .history = history_new(),
    };
    spec_copy(&s->spec, spec);
    return s;
}

static void checkpoint_free(struct study_checkpoint *c)
{
    if (c != NULL) {
        free(c->file);
        free(c);
    }
}

static void trial_free(struct study_trial *t)
{
    free(t->message);
    free(t->fixed);
    free(t->reports);
    free(t->progress);
    checkpoint_free(t->last);
    checkpoint_free(t->previous);
    checkpoint_free(t->best);
    free(t);
}

void study_free(struct study *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n_trials; i++) {
        trial_free(s->trials[i]);
    }
    free(s->trials);
    spec_fini(&s->spec);
    free(s->reason);
    for (int i = 0; i < IMPORTANCE_N_EVALUATORS; i++) {
        importances_fini(&s->importances[i]);
    }
    history_free(s->history);
    free(s);
}

struct study_trial *study_add_trial(struct study *s, int64_t trial_id)
{
    struct study_trial *t = mem_alloc(1, sizeof(*t));
    *t = (struct study_trial){
        .id = trial_id,
        .number = (int64_t)s->n_trials,
        .state = TRIAL_WAITING,
        .value = NAN,
        .best_epoch = -1,
        .place = -1,
    };
    /* Room grows by doubling: the capacity is the power of two at or above. */
    if ((s->n_trials & (s->n_trials - 1)) == 0) {
        size_t cap = s->n_trials == 0 ? 1 : 2 * s->n_trials;
        s->trials = mem_grow(s->trials, cap, sizeof(struct study_trial *));
    }
    s->trials[s->n_trials++] = t;
    s->n_by_state[TRIAL_WAITING]++;
    history_add(s->history);
    return t;
}

static bool is_file(const struct study_checkpoint *c, const char *file)
{
    return c != NULL && strcmp(c->file, file) == 0;
}

bool study_trial_has_file(const struct study_trial *t, const char *file)
{
    static const char *const ALWAYS[] = {"log", "command", PATHS_DAMAGED};
    for (size_t i = 0; i < ARRAY_LEN(ALWAYS); i++) {
        if (strcmp(file, ALWAYS[i]) == 0) {
            return true;
        }
    }
    return is_file(t->last, file) || is_file(t->previous, file) ||
           is_file(t->best, file);
}

/* Parameters mostly come to be in the space's order: at the guess. */
static int param_of(const struct history *h, const char *name, int guess)
{
    bool is_there = guess < history_n_params(h) &&
                    strcmp(history_param_name(h, guess), name) == 0;
    return is_there ? guess : history_find_param(h, name);
}

void study_values(const struct study *s, int64_t number, double *out)
{
    for (size_t i = 0; i < s->spec.space.n; i++) {
        int param = param_of(s->history, s->spec.space.params[i].name, (int)i);
        out[i] =
            param < 0 ? (double)NAN : history_param(s->history, number, param);
    }
}

bool study_importances_are_current(const struct study *s)
{
    /* ped-anova is stored last, and knows every parameter */
    int64_t n = s->n_by_state[TRIAL_COMPLETE];
    return n == 0 || history_n_params(s->history) == 0 ||
           s->importances[IMPORTANCE_PED_ANOVA].n_trials == n;
}

int64_t study_n_finished(const struct study *s)
{
    return s->n_by_state[TRIAL_COMPLETE] + s->n_by_state[TRIAL_PRUNED];
}

int64_t study_active_ms(const struct study *s, int64_t mono_ms)
{
    bool counts = s->state == STUDY_RUNNING && s->running_since_mono_ms > 0 &&
                  mono_ms > s->running_since_mono_ms;
    return s->active_ms + (counts ? mono_ms - s->running_since_mono_ms : 0);
}

int64_t study_last_sign_ms(const struct study *s)
{
    int64_t last = s->running_since_ms;
    for (size_t i = 0; i < s->n_trials; i++) {
        const struct study_trial *trial = s->trials[i];
        last = trial->start_ms > last ? trial->start_ms : last;
        last = trial->end_ms > last ? trial->end_ms : last;
    }
    return last;
}

bool study_counts_epochs(const struct study *s)
{
    return s->spec.objective == SPEC_OBJECTIVE_CLASSIFIER;
}

bool study_is_stillborn(const struct study *s)
{
    return s->state == STUDY_FAILED && !s->is_foreign && s->n_trials == 0 &&
           s->data.sha256[0] == '\0' && s->preparing_slot < 0;
}

static bool is_better(enum spec_direction direction, double a, double b)
{
    if (isnan(a) || isnan(b)) {
        return !isnan(a);
    }
    return direction == SPEC_MAXIMIZE ? a > b : a < b;
}

bool study_is_better(const struct study *s, double a, double b)
{
    return is_better(s->spec.direction, a, b);
}

void study_reported_value(const struct study *s, const struct study_trial *t,
                          double *value, int64_t *step)
{
    for (size_t i = 0; i < t->n_reports; i++) {
        double v = t->reports[i].metrics.value[s->spec.metric];
        if (i == 0 || s->spec.of == SPEC_OF_LAST ||
            study_is_better(s, v, *value)) {
            *value = v;
            *step = t->reports[i].epoch;
        }
    }
}
