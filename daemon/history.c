#include "daemon/history.h"

#include "core/base/mem.h"
#include "daemon/history_column.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What one trial reported, ascending by step. */
struct series {
    double *value;
    int64_t *step; /* NULL: 0, 1, .. n - 1, as trainings report */
    uint32_t n, cap;
};

struct reals {
    double *value;
    size_t n;
};

struct history {
    size_t n, cap;
    uint8_t *state;
    bool *is_hidden;
    double *value;
    struct series *series;
    struct reals *rungs;       /* NULL: nobody passed any */
    struct reals *constraints; /* NULL: nobody told any */
    int64_t n_by_state[TRIAL_N_STATES];
    int64_t resource; /* -1: not set */
    struct param_column *params;
    size_t n_params;
    size_t likely; /* the parameter to be set next, if all are in turn */
};

struct history *history_new(void)
{
    struct history *h = mem_alloc(1, sizeof(*h));
    h->resource = -1;
    return h;
}

void history_free(struct history *h)
{
    if (h == NULL) {
        return;
    }
    for (size_t p = 0; p < h->n_params; p++) {
        column_fini(&h->params[p]);
    }
    for (size_t i = 0; i < h->n; i++) {
        free(h->series[i].value);
        free(h->series[i].step);
        if (h->rungs != NULL) {
            free(h->rungs[i].value);
        }
        if (h->constraints != NULL) {
            free(h->constraints[i].value);
        }
    }
    free(h->params);
    free(h->state);
    free(h->is_hidden);
    free(h->value);
    free(h->series);
    free(h->rungs);
    free(h->constraints);
    free(h);
}

static void grow(struct history *h)
{
    size_t cap = h->cap != 0 ? h->cap + h->cap / 2 : 16;
    h->state = mem_grow(h->state, cap, sizeof(*h->state));
    h->is_hidden = mem_grow(h->is_hidden, cap, sizeof(*h->is_hidden));
    h->value = reals_grow(h->value, h->cap, cap);
    h->series = mem_grow(h->series, cap, sizeof(*h->series));
    if (h->rungs != NULL) {
        h->rungs = mem_grow(h->rungs, cap, sizeof(*h->rungs));
    }
    if (h->constraints != NULL) {
        h->constraints = mem_grow(h->constraints, cap, sizeof(struct reals));
    }
    for (size_t p = 0; p < h->n_params; p++) {
        column_grow(&h->params[p], h->cap, cap);
    }
    h->cap = cap;
}

void history_add(struct history *h)
{
    if (h->n == h->cap) {
        grow(h);
    }
    h->state[h->n] = TRIAL_WAITING;
    h->is_hidden[h->n] = true;
    h->value[h->n] = NAN;
    h->series[h->n] = (struct series){0};
    if (h->rungs != NULL) {
        h->rungs[h->n] = (struct reals){0};
    }
    if (h->constraints != NULL) {
        h->constraints[h->n] = (struct reals){0};
    }
    h->n_by_state[TRIAL_WAITING]++;
    h->n++;
}

static size_t row(const struct history *h, int64_t number)
{
    assert(number >= 0 && (size_t)number < h->n);
    return (size_t)number;
}

/* --- parameters ----------------------------------------------------------- */

static struct param_column *column_of(struct history *h, const char *name,
                                      const struct dist *dist)
{
    size_t likely = h->likely < h->n_params ? h->likely : 0;
    bool is_likely =
        likely < h->n_params && strcmp(h->params[likely].name, name) == 0;
    int found = is_likely ? (int)likely : history_find_param(h, name);
    h->likely = (size_t)found + 1;
    if (found >= 0) {
        return &h->params[found];
    }
    h->params = mem_grow(h->params, h->n_params + 1, sizeof(*h->params));
    column_init(&h->params[h->n_params], name, dist->log, h->cap);
    return &h->params[h->n_params++];
}

void history_settle(struct history *h)
{
    for (size_t p = 0; p < h->n_params; p++) {
        const struct param_column *c = &h->params[p];
        if (c->n_dists > 0 && c->dists[0]->dist.kind != DIST_CATEGORICAL) {
            column_sort(&h->params[p], h->n, h->cap);
        }
    }
}

void history_set_param(struct history *h, int64_t number, const char *name,
                       const struct dist *dist, double value)
{
    size_t i = row(h, number);
    column_set(column_of(h, name, dist), i, dist, value,
               trial_state_has_value(h->state[i]), h->cap);
}

void history_set_space(struct history *h, const struct space *space)
{
    for (size_t i = 0; i < space->n; i++) {
        const struct param *p = &space->params[i];
        int at = history_find_param(h, p->name);
        if (at >= 0 && p->dist.kind == DIST_CATEGORICAL) {
            column_set_choices(&h->params[at], &p->dist);
        }
    }
}

/* --- states and reports -----------------------------------------------------
 */

void history_set_state(struct history *h, int64_t number,
                       enum trial_state state, double value)
{
    size_t i = row(h, number);
    int change = (int)trial_state_has_value(state) -
                 (int)trial_state_has_value(h->state[i]);
    for (size_t p = 0; change != 0 && p < h->n_params; p++) {
        column_count(&h->params[p], i, change);
    }
    h->n_by_state[h->state[i]]--;
    h->n_by_state[state]++;
    h->state[i] = (uint8_t)state;
    h->is_hidden[i] = h->is_hidden[i] && state == TRIAL_WAITING;
    h->value[i] = value;
}

void history_set_hidden(struct history *h, int64_t number, bool is_hidden)
{
    if (is_hidden) {
        history_set_state(h, number, TRIAL_WAITING, (double)NAN);
    }
    h->is_hidden[row(h, number)] = is_hidden;
}

static int64_t series_step(const struct series *s, size_t i)
{
    return s->step != NULL ? s->step[i] : (int64_t)i;
}

/* The first report whose step is not below `step`. */
static size_t series_find(const struct series *s, int64_t step)
{
    size_t low = 0, high = s->n;
    if (s->step == NULL) {
        return step < (int64_t)s->n ? (size_t)step : s->n;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (s->step[mid] < step) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static void series_grow(struct series *s, bool wants_steps)
{
    if (s->n == s->cap) {
        s->cap = s->cap == 0 ? 1 : 2 * s->cap;
        s->value = mem_grow(s->value, s->cap, sizeof(*s->value));
        if (s->step != NULL) {
            s->step = mem_grow(s->step, s->cap, sizeof(*s->step));
        }
    }
    if (wants_steps && s->step == NULL) {
        s->step = mem_grow(NULL, s->cap, sizeof(*s->step));
        for (uint32_t i = 0; i < s->n; i++) {
            s->step[i] = i;
        }
    }
}

void history_report(struct history *h, int64_t number, int64_t step,
                    double value)
{
    struct series *s = &h->series[row(h, number)];
    assert(step >= 0);
    size_t at = series_find(s, step);
    if (at < s->n && series_step(s, at) == step) {
        return;
    }
    series_grow(s, step != (int64_t)s->n);
    memmove(&s->value[at + 1], &s->value[at], (s->n - at) * sizeof(*s->value));
    s->value[at] = value;
    if (s->step != NULL) {
        memmove(&s->step[at + 1], &s->step[at], (s->n - at) * sizeof(*s->step));
        s->step[at] = step;
    }
    s->n++;
}

void history_forget_reports(struct history *h, int64_t number)
{
    struct series *s = &h->series[row(h, number)];
    free(s->value);
    free(s->step);
    *s = (struct series){0};
}

void history_rewind(struct history *h, int64_t number, int64_t step)
{
    size_t i = row(h, number);
    struct series *s = &h->series[i];
    s->n = (uint32_t)series_find(s, step);
    if (s->n == 0 && h->rungs != NULL) {
        free(h->rungs[i].value);
        h->rungs[i] = (struct reals){0};
    }
}

void history_keep_resource(struct history *h, int64_t number)
{
    double value;
    if (h->resource < 0) {
        h->resource = history_last_step(h, number, &value);
    }
}

void history_forget_resource(struct history *h)
{
    h->resource = -1;
}

int64_t history_resource(const struct history *h)
{
    return h->resource;
}

void history_set_rung(struct history *h, int64_t number, int64_t rung,
                      double value)
{
    size_t i = row(h, number);
    if (h->rungs == NULL) {
        h->rungs = mem_alloc(h->cap, sizeof(*h->rungs));
    }
    struct reals *r = &h->rungs[i];
    if (rung == (int64_t)r->n) {
        r->value = mem_grow(r->value, r->n + 1, sizeof(*r->value));
        r->value[r->n++] = value;
    }
}

void history_copy_params(struct history *h, const struct history *from,
                         int64_t number)
{
    for (int p = 0; p < history_n_params(from); p++) {
        const struct dist *dist = history_param_dist(from, number, p);
        if (dist != NULL) {
            history_set_param(h, number, history_param_name(from, p), dist,
                              history_param(from, number, p));
        }
    }
}

void history_set_constraints(struct history *h, int64_t number,
                             const double *values, size_t n)
{
    size_t i = row(h, number);
    if (h->constraints == NULL) {
        h->constraints = mem_alloc(h->cap, sizeof(struct reals));
    }
    struct reals *c = &h->constraints[i];
    free(c->value);
    *c = (struct reals){array_copy(values, n, n, sizeof(*values)), n};
}

/* --- filtering ------------------------------------------------------------ */

static void copy_trial(struct history *to, const struct history *from, size_t i)
{
    const struct series *s = &from->series[i];
    to->series[i] = *s;
    if (s->value != NULL) {
        to->series[i].value =
            array_copy(s->value, s->n, s->cap, sizeof(*s->value));
    }
    if (s->step != NULL) {
        to->series[i].step =
            array_copy(s->step, s->n, s->cap, sizeof(*s->step));
    }
}

static struct reals *copy_reals(const struct reals *from, size_t n, size_t cap)
{
    struct reals *to = from != NULL ? mem_alloc(cap, sizeof(*to)) : NULL;
    for (size_t i = 0; from != NULL && i < n; i++) {
        to[i].n = from[i].n;
        if (from[i].n > 0) {
            to[i].value = array_copy(from[i].value, from[i].n, from[i].n,
                                     sizeof(*from[i].value));
        }
    }
    return to;
}

static struct history *copy_all(const struct history *h, bool is_whole)
{
    size_t cap = is_whole ? h->cap : h->n;
    struct history *to = mem_alloc(1, sizeof(*to));
    *to = *h;
    to->cap = cap;
    to->state = array_copy(h->state, h->n, cap, sizeof(*h->state));
    to->is_hidden = array_copy(h->is_hidden, h->n, cap, sizeof(bool));
    to->value = array_copy(h->value, cap, cap, sizeof(*h->value));
    to->series = mem_alloc(cap, sizeof(*h->series));
    to->rungs = is_whole ? copy_reals(h->rungs, h->n, cap) : NULL;
    to->constraints = is_whole ? copy_reals(h->constraints, h->n, cap) : NULL;
    to->params = mem_alloc(h->n_params, sizeof(*h->params));
    for (size_t p = 0; p < h->n_params; p++) {
        column_copy(&to->params[p], &h->params[p], h->n, cap, is_whole);
    }
    for (size_t i = 0; is_whole && i < h->n; i++) {
        copy_trial(to, h, i);
    }
    return to;
}

struct history *history_copy(const struct history *h)
{
    return copy_all(h, false);
}

struct history *history_filter(const struct history *h,
                               bool (*sees)(const void *ctx, int64_t number),
                               const void *ctx)
{
    struct history *to = copy_all(h, true);
    for (size_t i = 0; i < to->n; i++) {
        if (!sees(ctx, (int64_t)i)) {
            history_set_state(to, (int64_t)i, TRIAL_WAITING, (double)NAN);
        }
    }
    return to;
}

/* --- reading -------------------------------------------------------------- */

int64_t history_n_trials(const struct history *h)
{
    return (int64_t)h->n;
}

int64_t history_count(const struct history *h, enum trial_state state)
{
    return h->n_by_state[state];
}

enum trial_state history_state(const struct history *h, int64_t number)
{
    return (enum trial_state)h->state[row(h, number)];
}

bool history_is_hidden(const struct history *h, int64_t number)
{
    return h->is_hidden[row(h, number)];
}

double history_value(const struct history *h, int64_t number)
{
    return h->value[row(h, number)];
}

int64_t history_last_step(const struct history *h, int64_t number,
                          double *value)
{
    const struct series *s = &h->series[row(h, number)];
    return s->n == 0 ? -1 : history_report_at(h, number, s->n - 1, value);
}

size_t history_n_reports(const struct history *h, int64_t number)
{
    return h->series[row(h, number)].n;
}

int64_t history_report_at(const struct history *h, int64_t number, size_t i,
                          double *value)
{
    const struct series *s = &h->series[row(h, number)];
    assert(i < s->n);
    *value = s->value[i];
    return series_step(s, i);
}

bool history_value_at(const struct history *h, int64_t number, int64_t step,
                      double *value)
{
    const struct series *s = &h->series[row(h, number)];
    size_t at = series_find(s, step);
    if (at == s->n || series_step(s, at) != step) {
        return false;
    }
    *value = s->value[at];
    return true;
}

const double *history_rungs(const struct history *h, int64_t number, size_t *n)
{
    size_t i = row(h, number);
    *n = h->rungs != NULL ? h->rungs[i].n : 0;
    return *n > 0 ? h->rungs[i].value : NULL;
}

const double *history_constraints(const struct history *h, int64_t number,
                                  size_t *n)
{
    size_t i = row(h, number);
    *n = h->constraints != NULL ? h->constraints[i].n : 0;
    return *n > 0 ? h->constraints[i].value : NULL;
}

double history_violation(const struct history *h, int64_t number)
{
    size_t n;
    const double *values = history_constraints(h, number, &n);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i] > 0.0 ? values[i] : 0.0;
    }
    return sum;
}

int history_n_params(const struct history *h)
{
    return (int)h->n_params;
}

static const struct param_column *column(const struct history *h, int param)
{
    assert(param >= 0 && (size_t)param < h->n_params);
    return &h->params[param];
}

const char *history_param_name(const struct history *h, int param)
{
    return column(h, param)->name;
}

int history_find_param(const struct history *h, const char *name)
{
    for (size_t p = 0; p < h->n_params; p++) {
        if (strcmp(h->params[p].name, name) == 0) {
            return (int)p;
        }
    }
    return -1;
}

double history_param(const struct history *h, int64_t number, int param)
{
    return column(h, param)->value[row(h, number)];
}

const struct dist *history_param_dist(const struct history *h, int64_t number,
                                      int param)
{
    const struct param_column *c = column(h, param);
    size_t i = row(h, number);
    return isnan(c->value[i]) ? NULL : &column_dist(c, i)->dist;
}

struct history_column history_column(const struct history *h, int param)
{
    const struct param_column *c = column(h, param);
    return (struct history_column){.value = c->value,
                                   .log_value = c->log_value};
}

struct history_order history_order(const struct history *h, int param)
{
    assert(param >= 0 && (size_t)param < h->n_params);
    struct param_column *c = &h->params[param];
    column_sort(c, h->n, h->cap);
    return (struct history_order){
        .number = c->order, .gap = c->gap, .n = c->n_order};
}

const uint8_t *history_states(const struct history *h)
{
    return h->state;
}

const double *history_values(const struct history *h)
{
    return h->value;
}

int history_n_dists(const struct history *h, int param)
{
    return (int)column(h, param)->n_dists;
}

const struct dist *history_dist(const struct history *h, int param, int i)
{
    const struct param_column *c = column(h, param);
    assert(i >= 0 && (size_t)i < c->n_dists);
    return &c->dists[i]->dist;
}

int64_t history_dist_count(const struct history *h, int param, int i)
{
    const struct param_column *c = column(h, param);
    assert(i >= 0 && (size_t)i < c->n_dists);
    return c->dists[i]->n_finished;
}
