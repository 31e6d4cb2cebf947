#include "daemon/search/sampler_tpe.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/acquisition.h"
#include "daemon/search/joint.h"
#include "daemon/search/parzen.h"
#include "daemon/search/sampler_random.h"
#include "daemon/search/split.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct joint_value {
    const char *name;
    const struct dist *dist;
    double value;
};

struct tpe {
    const struct spec_tpe *options;
    const struct history *history;
    int64_t self;
    struct rng *rng, *startup;
    bool is_startup; /* too few finished trials to model anything */
    uint32_t below[SPLIT_GAMMA_MAX]; /* the good trials, ascending */
    size_t n_below;
    bool is_drawn;             /* the joint sample, at its first use */
    struct joint_value *joint; /* owned */
    size_t n_joint;
};

/* Does a trial in this state tell of its parameters? */
static bool is_ended(const struct spec_tpe *options, enum trial_state state)
{
    return trial_state_has_value(state) ||
           (state == TRIAL_FAIL && options->learn_from_failures);
}

struct tpe *tpe_new(const struct sampler_config *config,
                    const struct history *history, int64_t number,
                    struct rng *rng, struct rng *startup)
{
    int64_t n = 0;
    for (int s = 0; s < TRIAL_N_STATES; s++) {
        n += is_ended(&config->tpe, (enum trial_state)s)
                 ? history_count(history, (enum trial_state)s)
                 : 0;
    }
    if (number >= 0 && number < history_n_trials(history)) {
        n -= is_ended(&config->tpe, history_state(history, number));
    }
    struct tpe *t = mem_alloc(1, sizeof(*t));
    *t = (struct tpe){.options = &config->tpe,
                      .history = history,
                      .self = number,
                      .rng = rng,
                      .startup = startup,
                      .is_startup = n < config->tpe.n_startup_trials};
    if (!t->is_startup) {
        t->n_below = split_below(history, config->direction, number,
                                 (size_t)split_gamma(n), t->below);
    }
    return t;
}

void tpe_free(struct tpe *t)
{
    if (t != NULL) {
        free(t->joint);
        free(t);
    }
}

/* --- observations -----------------------------------------------------------
 */

/* Where one parameter's observations stand, by trial number. */
struct source {
    const struct dist *dist;
    const double *at;           /* NULL: no trial has it */
    struct history_order order; /* of a numerical one */
};

static struct source source_of(const struct history *h,
                               const struct joint_param *p)
{
    struct source s = {.dist = p->dist};
    if (p->param < 0) {
        return s;
    }
    struct history_column c = history_column(h, p->param);
    /* Optuna may have had a parameter in both scales: it is kept in one. */
    if (p->dist->log != (c.log_value != NULL)) {
        return s;
    }
    s.at = p->dist->log ? c.log_value : c.value;
    if (p->dist->kind != DIST_CATEGORICAL) {
        s.order = history_order(h, p->param);
    }
    return s;
}

/* A look at the ends of the order: have all trials a finite centre? */
static bool all_have(const struct source *s, size_t n_trials)
{
    const struct history_order *o = &s->order;
    return o->n == n_trials && o->n > 0 && isfinite(s->at[o->number[0]]) &&
           isfinite(s->at[o->number[o->n - 1]]);
}

/* Clear the trials that lack the parameter. What only a foreign database can
 * hold (no such choice, ln of a negative) counts as lacking. */
static void clear_absent(const struct source *s, size_t n_trials,
                         uint8_t *is_observed)
{
    if (all_have(s, n_trials)) {
        return;
    }
    double low = -DBL_MAX, high = DBL_MAX;
    if (s->dist->kind == DIST_CATEGORICAL) {
        low = 0.0;
        high = nextafter((double)s->dist->n_choices, 0.0);
    }
    for (size_t i = 0; i < n_trials; i++) {
        is_observed[i] &= (uint8_t)((s->at[i] >= low) & (s->at[i] <= high));
    }
}

/* By trial number: has it all n parameters? Owned by the caller. */
static uint8_t *find_observed(const struct history *h,
                              const struct source *sources, size_t n)
{
    size_t n_trials = (size_t)history_n_trials(h);
    uint8_t *is_observed = mem_grow(NULL, n_trials + 1, sizeof(*is_observed));
    memset(is_observed, 1, n_trials);
    for (size_t d = 0; d < n; d++) {
        if (sources[d].at == NULL) {
            memset(is_observed, 0, n_trials);
        } else {
            clear_absent(&sources[d], n_trials, is_observed);
        }
    }
    return is_observed;
}

/* What the estimators are made from, beside the good trials. */
enum part {
    PART_ABOVE,    /* all that ended and is not good; what runs, when it is to
                      be kept away from */
    PART_FINISHED, /* COMPLETE and PRUNED, good or not */
    PART_FAILED
};

static bool is_in(const struct tpe *t, enum part part, enum trial_state state)
{
    switch (part) {
    case PART_FINISHED:
        return trial_state_has_value(state);
    case PART_FAILED:
        return state == TRIAL_FAIL;
    default: /* PART_ABOVE */
        return is_ended(t->options, state) ||
               (state == TRIAL_RUNNING && t->options->constant_liar);
    }
}

/* The observed trials of a part, as parzen_rows has them; the memory of
 * `number`, which holds all three lists, is the caller's. */
static struct parzen_rows select_part(const struct tpe *t, enum part part,
                                      const uint8_t *is_observed,
                                      uint32_t **number)
{
    bool has_state[TRIAL_N_STATES];
    for (int s = 0; s < TRIAL_N_STATES; s++) {
        has_state[s] = is_in(t, part, (enum trial_state)s);
    }
    const uint8_t *state = history_states(t->history);
    size_t n_trials = (size_t)history_n_trials(t->history), n = 0, n_out = 0;
    /* one number more is written than counts */
    uint32_t *in = mem_grow(NULL, 3 * (n_trials + 1), sizeof(*in));
    uint32_t *place = in + n_trials + 1, *out = place + n_trials + 1;
    for (size_t i = 0; i < n_trials; i++) {
        place[i] = is_observed[i] & has_state[state[i]];
    }
    for (size_t i = 0; i < t->n_below && part == PART_ABOVE; i++) {
        place[t->below[i]] = 0;
    }
    if (t->self >= 0 && (size_t)t->self < n_trials) {
        place[t->self] = 0;
    }
    for (size_t i = 0; i < n_trials; i++) {
        uint32_t is_taken = place[i];
        place[i] = is_taken != 0 ? (uint32_t)n : UINT32_MAX;
        in[n] = out[n_out] = (uint32_t)i;
        n += is_taken;
        n_out += 1 - is_taken;
    }
    *number = in;
    return (struct parzen_rows){
        .n = n, .number = in, .place = place, .out = out, .n_out = n_out};
}

static size_t select_below(const struct tpe *t, const uint8_t *is_observed,
                           uint32_t *number)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_below; i++) {
        number[n] = t->below[i];
        n += is_observed[t->below[i]];
    }
    return n;
}

/* --- the estimators --------------------------------------------------------
 */

/* The order helps when many of the trials are in rows. */
static struct parzen *estimate(const struct tpe *t,
                               const struct parzen_rows *rows,
                               const struct source *sources, size_t n_dims)
{
    const struct parzen_options options = {
        .prior_weight = t->options->prior_weight,
        .consider_magic_clip = t->options->consider_magic_clip,
        .consider_endpoints = t->options->consider_endpoints};
    struct parzen_column *columns = mem_alloc(n_dims, sizeof(*columns));
    for (size_t d = 0; d < n_dims; d++) {
        const struct source *s = &sources[d];
        columns[d] = (struct parzen_column){.dist = s->dist, .at = s->at};
        if (rows->place != NULL && rows->n > 0) {
            columns[d].order = s->order.number;
            columns[d].gap = s->order.gap;
            columns[d].n_order = s->order.n;
        }
    }
    struct parzen *p = parzen_new(&options, rows, columns, n_dims,
                                  (size_t)t->options->n_ei_candidates);
    free(columns);
    return p;
}

static struct parzen *estimate_below(const struct tpe *t,
                                     const uint8_t *is_observed,
                                     const struct source *sources,
                                     size_t n_dims)
{
    uint32_t number[SPLIT_GAMMA_MAX];
    const struct parzen_rows rows = {.n = select_below(t, is_observed, number),
                                     .number = number};
    return estimate(t, &rows, sources, n_dims);
}

/* *n trials are in it. */
static struct parzen *estimate_part(const struct tpe *t, enum part part,
                                    const uint8_t *is_observed,
                                    const struct source *sources, size_t n_dims,
                                    size_t *n)
{
    uint32_t *number;
    struct parzen_rows rows = select_part(t, part, is_observed, &number);
    *n = rows.n;
    struct parzen *p = estimate(t, &rows, sources, n_dims);
    free(number);
    return p;
}

static void estimate_all(const struct tpe *t, const struct source *sources,
                         size_t n_dims, struct acquisition *out)
{
    uint8_t *is_observed = find_observed(t->history, sources, n_dims);
    size_t n_above;
    *out = (struct acquisition){
        .below = estimate_below(t, is_observed, sources, n_dims),
        .above = estimate_part(t, PART_ABOVE, is_observed, sources, n_dims,
                               &n_above)};
    if (t->options->learn_from_failures &&
        history_count(t->history, TRIAL_FAIL) > 0) {
        out->finished = estimate_part(t, PART_FINISHED, is_observed, sources,
                                      n_dims, &out->n_finished);
        out->failed = estimate_part(t, PART_FAILED, is_observed, sources,
                                    n_dims, &out->n_failed);
    }
    free(is_observed);
}

/* Sample the n_dims parameters together: out[d]. */
static void sample(const struct tpe *t, const struct joint_param *params,
                   size_t n_dims, double *out)
{
    struct source *sources = mem_alloc(n_dims, sizeof(*sources));
    for (size_t d = 0; d < n_dims; d++) {
        sources[d] = source_of(t->history, &params[d]);
    }
    struct acquisition a;
    estimate_all(t, sources, n_dims, &a);
    size_t n = (size_t)t->options->n_ei_candidates;
    double *x = mem_grow(NULL, n_dims * n, sizeof(*x));
    parzen_sample(a.below, t->rng, n, x);
    size_t best = acquisition_best(&a, x, n, n_dims);
    for (size_t d = 0; d < n_dims; d++) {
        out[d] = x[d * n + best];
    }
    free(x);
    acquisition_fini(&a);
    free(sources);
}

/* --- joint and independent ---------------------------------------------------
 */

static void draw_space(struct tpe *t, const struct joint_space *s)
{
    if (s->n == 0) {
        return;
    }
    double *values = mem_grow(NULL, s->n, sizeof(*values));
    sample(t, s->params, s->n, values);
    t->joint = mem_grow(t->joint, t->n_joint + s->n, sizeof(*t->joint));
    for (size_t d = 0; d < s->n; d++) {
        t->joint[t->n_joint++] = (struct joint_value){.name = s->params[d].name,
                                                      .dist = s->params[d].dist,
                                                      .value = values[d]};
    }
    free(values);
}

static void draw_joint(struct tpe *t)
{
    t->is_drawn = true;
    if (t->is_startup) {
        return;
    }
    if (t->options->group) {
        size_t n;
        struct joint_space *groups = joint_groups(t->history, t->self, &n);
        for (size_t g = 0; g < n; g++) {
            draw_space(t, &groups[g]);
            joint_fini(&groups[g]);
        }
        free(groups);
    } else if (t->options->multivariate) {
        struct joint_space all;
        joint_intersection(t->history, t->self, &all);
        draw_space(t, &all);
        joint_fini(&all);
    }
}

double tpe_param(struct tpe *t, const char *name, const struct dist *dist)
{
    if (!t->is_drawn) {
        draw_joint(t);
    }
    for (size_t i = 0; i < t->n_joint; i++) {
        const struct joint_value *v = &t->joint[i];
        if (strcmp(v->name, name) == 0 && dist_is_compatible(v->dist, dist) &&
            dist_contains(dist, v->value)) {
            return v->value;
        }
    }
    if (t->is_startup) {
        return random_param(t->startup, dist);
    }
    const struct joint_param alone = {.name = name,
                                      .dist = dist,
                                      .param =
                                          history_find_param(t->history, name)};
    double value;
    sample(t, &alone, 1, &value);
    return value;
}
