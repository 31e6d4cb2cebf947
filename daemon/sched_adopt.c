/* A study that Optuna made goes on here, with a config of ours.
 *
 * Its space must fit what the trials have: each of their parameters, with the
 * same kind, scale and choices; bounds may differ, and new parameters may come,
 * as in Optuna. Finished trials count towards the target and inform the
 * sampler; waiting ones are run; one that Optuna left running (nobody can know
 * whether it still does) is put back and repeated with its parameters. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/sched_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int refuse_dist(const char *name, const struct dist *theirs,
                       const struct dist *ours, struct err *err)
{
    struct buf a, b;
    struct json_out w;
    buf_init(&a, BUF_MAX_CONFIG);
    buf_init(&b, BUF_MAX_CONFIG);
    json_out_init(&w, &a, JSON_PYTHON);
    dist_put_optuna(theirs, &w);
    json_out_init(&w, &b, JSON_PYTHON);
    dist_put_optuna(ours, &w);
    int rc = err_set(err, ERR_INVALID,
                     "params.%s: the study has %.300s, which %.300s of the "
                     "config does not fit: kind, log and choices must be equal",
                     name, a.data, b.data);
    buf_fini(&a);
    buf_fini(&b);
    return rc;
}

static int check_space(const struct study *s, const struct spec *spec,
                       struct err *err)
{
    const struct history *h = s->history;
    for (int p = 0; p < history_n_params(h); p++) {
        const char *name = history_param_name(h, p);
        int at = space_find(&spec->space, name);
        if (at < 0) {
            return err_set(err, ERR_INVALID,
                           "params.%s: the study's trials have it, but the "
                           "config does not search it",
                           name);
        }
        const struct dist *ours = &spec->space.params[at].dist;
        for (int i = 0; i < history_n_dists(h, p); i++) {
            if (!dist_is_compatible(ours, history_dist(h, p, i))) {
                return refuse_dist(name, history_dist(h, p, i), ours, err);
            }
        }
    }
    return 0;
}

static const char *direction_name(enum spec_direction d)
{
    return d == SPEC_MAXIMIZE ? "maximize" : "minimize";
}

/* What waits or was left running will be run: it counts as well. */
static int check_target(const struct study *s, int64_t target, struct err *err)
{
    if (study_n_finished(s) >= target) {
        return err_set(err, ERR_CONFLICT,
                       "study '%s' has %" PRId64
                       " finished trials: a target of "
                       "%" PRId64 " leaves nothing to do; give a larger one",
                       s->spec.name, study_n_finished(s), target);
    }
    if (sched_n_counted(s) > target) {
        return err_set(err, ERR_CONFLICT,
                       "study '%s' has %" PRId64 " trials finished, running "
                       "or waiting: a target of %" PRId64 " is too low",
                       s->spec.name, sched_n_counted(s), target);
    }
    return 0;
}

static int check(const struct study *s, const struct spec *spec,
                 struct err *err)
{
    if (!s->is_foreign) {
        return err_set(err, ERR_CONFLICT, "study '%s' has a config already",
                       s->spec.name);
    }
    if (spec->direction != s->spec.direction) {
        return err_set(err, ERR_INVALID,
                       "objective.direction: the study is to %s, the config "
                       "to %s",
                       direction_name(s->spec.direction),
                       direction_name(spec->direction));
    }
    int rc = check_space(s, spec, err);
    return rc == 0 ? check_target(s, spec->n_trials, err) : rc;
}

/* A value of one distribution as another has it; NaN: it has none such. */
static double in_dist(const struct dist *from, double value,
                      const struct dist *to)
{
    struct buf text;
    struct json_out w;
    struct json *node;
    struct err ignored;
    double found = NAN;
    buf_init(&text, BUF_MAX_CONFIG);
    json_out_init(&w, &text, JSON_PYTHON);
    dist_put_value(from, value, &w);
    if (json_parse(text.data, text.len, &node, &ignored) == 0) {
        if (dist_value_from_optuna(to, node, &found, &ignored) != 0) {
            found = NAN;
        }
        json_free(node);
    }
    buf_fini(&text);
    return found;
}

/* What was enqueued, as another space has it; owned, or NULL: nothing is. */
static double *in_space(const struct study *s, const struct study_trial *trial,
                        const struct space *space)
{
    bool any = false;
    double *fixed = mem_alloc(space->n + 1, sizeof(*fixed));
    for (size_t i = 0; i < space->n && trial->fixed != NULL; i++) {
        const struct param *p = &space->params[i];
        int at = space_find(&s->spec.space, p->name);
        bool is_free = at < 0 || isnan(trial->fixed[at]);
        fixed[i] = is_free ? (double)NAN
                           : in_dist(&s->spec.space.params[at].dist,
                                     trial->fixed[at], &p->dist);
        any = any || !isnan(fixed[i]);
    }
    if (!any) {
        free(fixed);
        fixed = NULL;
    }
    return fixed;
}

int sched_adopt(const struct turn *t, const struct study *s,
                const struct spec *spec, struct err *err)
{
    int rc = check(s, spec, err);
    if (rc != 0) {
        return rc;
    }
    struct action *a = turn_add(t, ACTION_ADOPT_STUDY, s->id);
    a->add_study.spec = mem_alloc(1, sizeof(*a->add_study.spec));
    spec_copy(a->add_study.spec, spec);
    for (size_t i = 0; i < s->n_trials; i++) {
        a = turn_add_trial(t, ACTION_ADOPT_TRIAL, s, s->trials[i]);
        a->add_trial.fixed = in_space(s, s->trials[i], &spec->space);
    }
    for (size_t i = 0; i < s->n_trials; i++) {
        if (s->trials[i]->state == TRIAL_RUNNING) {
            turn_end_attempt(t, s, s->trials[i], TRIAL_CAUSE_DAEMON,
                             "Optuna left it running");
        }
    }
    return 0;
}
