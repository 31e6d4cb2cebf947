/* What users ask for. Each request is checked wholly before the first action:
 * an error appends nothing. Asking twice for what is so already is no error. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/sched_priv.h"
#include "daemon/search/sampler.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- new studies ---------------------------------------------------------- */

static int add_study(const struct turn *t, const struct spec *spec,
                     struct err *err)
{
    const struct study *old = mirror_study_by_name(t->m, spec->name);
    if (old != NULL && !study_is_stillborn(old)) {
        return err_set(err, ERR_CONFLICT, "study '%s' exists already",
                       spec->name);
    }
    if (old == NULL &&
        mirror_refuse_name(t->m, spec->name, err) == ERR_CONFLICT) {
        return ERR_CONFLICT;
    }
    if (old != NULL) {
        turn_add(t, ACTION_DELETE_STUDY, old->id);
    }
    struct action *a = turn_add(t, ACTION_ADD_STUDY, t->m->next_study_id);
    a->add_study.spec = mem_alloc(1, sizeof(*a->add_study.spec));
    spec_copy(a->add_study.spec, spec);
    return 0;
}

/* --- states --------------------------------------------------------------- */

static int refuse_state(const struct study *s, const char *verb,
                        struct err *err)
{
    return err_set(err, ERR_CONFLICT,
                   "study '%s' %s %s: there is nothing to %s", s->spec.name,
                   s->state == STUDY_FAILED ? "has" : "is",
                   study_state_name(s->state), verb);
}

static int pause_study(const struct turn *t, const struct study *s,
                       struct err *err)
{
    if (s->state == STUDY_PAUSED) {
        return 0;
    }
    if (s->state != STUDY_RUNNING) {
        return refuse_state(s, "pause", err);
    }
    turn_set_study(t, s, STUDY_PAUSED, NULL);
    return 0;
}

static int stop_study(const struct turn *t, const struct study *s, bool now,
                      struct err *err)
{
    if (s->state == STUDY_FINISHED || s->state == STUDY_FAILED) {
        return refuse_state(s, "stop", err);
    }
    if (s->state != STUDY_STOPPED) {
        turn_set_study(t, s, STUDY_STOPPED, NULL);
    }
    if (now) {
        turn_stop_trials(t, s, true, -1);
    }
    return 0;
}

static int check_target(const struct study *s, int64_t target, struct err *err)
{
    if (target == 0) {
        return 0;
    }
    if (target < 1 || target > SPEC_MAX_TRIALS) {
        return err_set(err, ERR_INVALID,
                       "n_trials: %" PRId64 " is not between 1 and %d", target,
                       SPEC_MAX_TRIALS);
    }
    if (target < sched_n_counted(s) && target != s->spec.n_trials) {
        return err_set(err, ERR_CONFLICT,
                       "study '%s' has %" PRId64 " trials finished, running "
                       "or waiting: a target of %" PRId64 " is too low",
                       s->spec.name, sched_n_counted(s), target);
    }
    return 0;
}

/* Is there anything that a study with this target could still do? */
static bool has_work(const struct study *s, int64_t target)
{
    return study_n_finished(s) < target ||
           sched_n_counted(s) > study_n_finished(s);
}

/* Did it end because nothing was left to do? One that a stop rule ended has
 * a rest that would run, too: that waits for the user's resume. */
static bool is_through(const struct study *s)
{
    size_t n;
    return s->state == STUDY_FINISHED &&
           (study_n_finished(s) >= s->spec.n_trials ||
            sampler_is_exhausted(&s->spec, s->history, &n));
}

static bool has_choices(const struct space *space)
{
    for (size_t i = 0; i < space->n; i++) {
        if (space->params[i].dist.kind == DIST_CATEGORICAL) {
            return true;
        }
    }
    return false;
}

/* What lets it go on: a larger target, unless no point is left for one. */
static int refuse_finished(const struct study *s, struct err *err)
{
    const char *name = s->spec.name;
    size_t n;
    char *how;
    if (!sampler_is_exhausted(&s->spec, s->history, &n)) {
        how = mem_printf("a larger target lets it go on (parzen resume '%s' "
                         "--trials N)",
                         name);
    } else if (has_choices(&s->spec.space)) {
        how = mem_printf("the space is exhausted, all %zu points were tried; "
                         "a config with more choices lets it go on (parzen "
                         "resume '%s' --config CONFIG)",
                         n, name);
    } else {
        how =
            mem_printf("the space is exhausted, all %zu points were tried", n);
    }
    int rc = err_set(err, ERR_CONFLICT,
                     "study '%s' is finished (%" PRId64 " of %" PRId64
                     " trials): %s",
                     name, study_n_finished(s), s->spec.n_trials, how);
    free(how);
    return rc;
}

/* A study that came to its end goes on only when the user says how far: else a
 * script that resumes what it finds would run it for ever. */
static int check_finished(const struct study *s, int64_t target,
                          struct err *err)
{
    bool is_over = is_through(s) && s->n_by_state[TRIAL_WAITING] == 0;
    return s->state == STUDY_FINISHED &&
                   (target == 0 ? is_over : target <= study_n_finished(s))
               ? refuse_finished(s, err)
               : 0;
}

static int check_resume(const struct study *s, int64_t target, struct err *err)
{
    int rc = check_finished(s, target, err);
    return rc != 0 ? rc : check_target(s, target, err);
}

static void set_target(const struct turn *t, const struct study *s,
                       int64_t n_trials)
{
    if (n_trials != s->spec.n_trials) {
        turn_add(t, ACTION_SET_TARGET, s->id)->set_target.n_trials = n_trials;
    }
}

static void do_resume(const struct turn *t, const struct study *s,
                      int64_t target)
{
    int64_t n_trials = target != 0 ? target : s->spec.n_trials;
    set_target(t, s, n_trials);
    if (!has_work(s, n_trials)) {
        int64_t finished = study_n_finished(s);
        turn_set_study(t, s, STUDY_FINISHED,
                       mem_printf("%" PRId64 " trial%s finished", finished,
                                  finished == 1 ? "" : "s"));
    } else if (s->state != STUDY_RUNNING) {
        turn_set_study(t, s, STUDY_RUNNING, NULL);
    }
}

/* It came to this very target: to ask for it again is no mistake. */
static bool is_there_already(const struct study *s, int64_t target)
{
    return s->state == STUDY_FINISHED && target == s->spec.n_trials &&
           target <= study_n_finished(s);
}

static int resume_study(const struct turn *t, const struct study *s,
                        int64_t target, struct err *err)
{
    if (is_there_already(s, target)) {
        return 0;
    }
    int rc = check_resume(s, target, err);
    if (rc == 0) {
        do_resume(t, s, target);
    }
    return rc;
}

/* --- another config ------------------------------------------------------- */

static int check_change(const struct study *s, const struct spec *spec,
                        struct err *err)
{
    struct buf difference, changeable;
    buf_init(&difference, BUF_MAX_CONFIG);
    buf_init(&changeable, BUF_MAX_CONFIG);
    int rc = 0;
    if (spec_change_difference(&s->spec, spec, &difference) != 0) {
        spec_changeable(&changeable);
        rc = err_set(err, ERR_INVALID,
                     "%s; a study's choices may be appended to, and %s may "
                     "change",
                     difference.data, changeable.data);
    }
    buf_fini(&difference);
    buf_fini(&changeable);
    return rc;
}

static bool is_same(const struct spec *a, const struct spec *b)
{
    struct buf x, y;
    buf_init(&x, BUF_MAX_CONFIG);
    buf_init(&y, BUF_MAX_CONFIG);
    spec_to_json(a, &x);
    spec_to_json(b, &y);
    bool same = strcmp(x.data, y.data) == 0;
    buf_fini(&x);
    buf_fini(&y);
    return same;
}

/* Nothing that its trials had becomes untrue: it goes on, and they inform. */
static int change_study(const struct turn *t, const struct study *s,
                        const struct spec *spec, struct err *err)
{
    int rc = check_change(s, spec, err);
    if (rc == 0) {
        rc = check_resume(s, spec->n_trials, err);
    }
    if (rc != 0) {
        return rc;
    }
    struct spec *changed = mem_alloc(1, sizeof(*changed));
    spec_copy(changed, spec);
    changed->n_trials = s->spec.n_trials; /* a SET_TARGET of its own */
    if (is_same(&s->spec, changed)) {
        spec_fini(changed);
        free(changed);
    } else {
        turn_add(t, ACTION_CHANGE_STUDY, s->id)->add_study.spec = changed;
    }
    do_resume(t, s, spec->n_trials);
    return 0;
}

static int delete_study(const struct turn *t, const struct study *s)
{
    turn_stop_trials(t, s, false, -1);
    for (int i = 0; i < t->m->n_slots; i++) {
        const struct slot *slot = &t->m->slots[i];
        if (slot->state == SLOT_PREPARING && slot->study == s->id) {
            turn_kill(t, i, TRIAL_CAUSE_INTERRUPTED,
                      mem_strdup("the study was deleted"));
        }
    }
    turn_add(t, ACTION_DELETE_STUDY, s->id);
    return 0;
}

/* --- trials --------------------------------------------------------------- */

/* What is searched is what the user meant it to be: a value outside of it is a
 * slip of the pen, and so is one that its own condition would drop. (Optuna
 * only warns, and what it enqueued is tried as it is.) */
static int check_values(const struct study *s, const double *values,
                        struct err *err)
{
    const struct space *space = &s->spec.space;
    for (size_t i = 0; i < space->n; i++) {
        const struct param *p = &space->params[i];
        if (!isnan(values[i]) &&
            (dist_check(&p->dist, values[i], err) != 0 ||
             space_check_active(space, values, i, err) != 0)) {
            err_wrap(err, "params.%s", p->name);
            return ERR_INVALID;
        }
    }
    return 0;
}

/* The target that has room for n trials more. Who asks for a trial gets it: the
 * target stays what the study comes to and never passes. */
static int64_t target_with(const struct study *s, int64_t n)
{
    int64_t needed = sched_n_counted(s) + n;
    return needed > s->spec.n_trials ? needed : s->spec.n_trials;
}

static int enqueue(const struct turn *t, const struct study *s,
                   const double *values, struct err *err)
{
    int64_t target = target_with(s, 1);
    int rc = check_values(s, values, err);
    if (rc == 0) {
        rc = check_target(s, target, err);
    }
    if (rc != 0) {
        return rc;
    }
    size_t n = s->spec.space.n;
    set_target(t, s, target);
    struct action *a = turn_add(t, ACTION_ADD_TRIAL, s->id);
    a->number = (int64_t)s->n_trials;
    a->add_trial.trial_id = t->m->next_trial_id;
    a->add_trial.fixed = mem_alloc(n, sizeof(*values));
    memcpy(a->add_trial.fixed, values, n * sizeof(*values));
    if (is_through(s)) {
        turn_set_study(t, s, STUDY_RUNNING, NULL);
    }
    return 0;
}

static bool is_retried(const struct study_trial *trial, int cause)
{
    return trial->state == TRIAL_FAIL &&
           (cause < 0 || (int)trial->cause == cause);
}

static int refuse_retry(const struct study *s, int cause, struct err *err)
{
    bool any = cause < 0 || cause >= TRIAL_N_CAUSES;
    return err_set(err, ERR_CONFLICT, "study '%s' has no failed trial%s%s",
                   s->spec.name, any ? "" : " of cause ",
                   any ? "" : trial_cause_name((enum trial_cause)cause));
}

/* A failed trial uses up nothing of the target, one that waits does. */
static int retry(const struct turn *t, const struct study *s, int cause,
                 struct err *err)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->n_trials; i++) {
        n += is_retried(s->trials[i], cause);
    }
    if (n == 0) {
        return refuse_retry(s, cause, err);
    }
    int64_t target = target_with(s, n);
    int rc = check_target(s, target, err);
    if (rc != 0) {
        return rc;
    }
    set_target(t, s, target);
    for (size_t i = 0; i < s->n_trials; i++) {
        if (is_retried(s->trials[i], cause)) {
            turn_add_trial(t, ACTION_RETRY_TRIAL, s, s->trials[i]);
        }
    }
    if (is_through(s) || s->state == STUDY_FAILED) {
        turn_set_study(t, s, STUDY_RUNNING, NULL);
    }
    return 0;
}

/* --- all ------------------------------------------------------------------ */

int sched_user(const struct turn *t, const struct event *e, struct err *err)
{
    if (e->kind == EVENT_ADD_STUDY) {
        return add_study(t, e->add_study.spec, err);
    }
    const struct study *s = mirror_study(t->m, e->study);
    if (s == NULL) {
        return err_set(err, ERR_NOTFOUND, "there is no study %" PRId64,
                       e->study);
    }
    if (e->kind == EVENT_DELETE) {
        return delete_study(t, s);
    }
    if (e->kind == EVENT_ADOPT) {
        return sched_adopt(t, s, e->add_study.spec, err);
    }
    if (s->is_foreign) {
        return err_set(
            err, ERR_CONFLICT,
            "study '%s' has no config: give one (parzen resume STUDY "
            "--config CONFIG)",
            s->spec.name);
    }
    switch (e->kind) {
    case EVENT_CHANGE:
        return change_study(t, s, e->add_study.spec, err);
    case EVENT_PAUSE:
        return pause_study(t, s, err);
    case EVENT_RESUME:
        return resume_study(t, s, e->resume.n_trials, err);
    case EVENT_STOP:
        return stop_study(t, s, e->stop.now, err);
    case EVENT_ENQUEUE:
        return enqueue(t, s, e->enqueue.values, err);
    case EVENT_RETRY:
        return retry(t, s, e->retry.cause, err);
    default:
        return err_set(err, ERR_INVALID, "event %d is not known", (int)e->kind);
    }
}
