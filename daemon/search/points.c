#include "daemon/search/points.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include <math.h>
#include <stdlib.h>

static double n_values(const struct dist *d)
{
    if (d->kind == DIST_CATEGORICAL) {
        return (double)d->n_choices;
    }
    if (dist_is_single(d)) {
        return 1.0;
    }
    return d->step > 0.0 ? floor((d->high - d->low) / d->step + 0.5) + 1.0
                         : (double)INFINITY;
}

static double nth_value(const struct dist *d, size_t i)
{
    double v = d->low + (double)i * d->step;
    return d->kind == DIST_CATEGORICAL ? (double)i : fmin(v, d->high);
}

/* SIZE_MAX: off the grid. */
static size_t index_of(const struct dist *d, double value)
{
    if (!dist_contains(d, value)) {
        return SIZE_MAX;
    }
    bool is_choice = d->kind == DIST_CATEGORICAL || dist_is_single(d);
    double at = is_choice ? value : (value - d->low) / d->step;
    return d->kind != DIST_CATEGORICAL && dist_is_single(d) ? 0
                                                            : (size_t)rint(at);
}

size_t points_product(const struct space *s)
{
    double n = 1.0;
    for (size_t i = 0; i < s->n && n <= POINTS_MAX; i++) {
        n *= n_values(&s->params[i].dist);
    }
    return n <= POINTS_MAX ? (size_t)n : 0;
}

void points_at(const struct points *p, size_t number, double *values)
{
    for (size_t i = p->space->n; i-- > 0;) {
        const struct dist *d = &p->space->params[i].dist;
        size_t n = (size_t)n_values(d);
        values[i] = nth_value(d, number % n);
        number /= n;
    }
    size_t *order = mem_alloc(p->space->n, sizeof(*order));
    (void)space_order(p->space, order);
    for (size_t k = 0; k < p->space->n; k++) {
        if (!space_is_active(p->space, values, order[k])) {
            values[order[k]] = NAN;
        }
    }
    free(order);
}

size_t points_find(const struct points *p, const double *values)
{
    size_t number = 0;
    for (size_t i = 0; i < p->space->n; i++) {
        const struct dist *d = &p->space->params[i].dist;
        size_t at = 0;
        if (!isnan(values[i])) {
            at = index_of(d, values[i]);
        } else if (space_is_active(p->space, values, i)) {
            return SIZE_MAX;
        }
        if (at == SIZE_MAX) {
            return SIZE_MAX;
        }
        number = number * (size_t)n_values(d) + at;
    }
    return number;
}

/* Numbers that are not their own point's: a value where nothing is. */
static void mark_duplicates(struct points *p)
{
    double *values = mem_alloc(p->space->n, sizeof(*values));
    for (size_t k = 0; k < p->n; k++) {
        points_at(p, k, values);
        if (points_find(p, values) != k) {
            p->mark[k] = POINTS_NONE;
            p->n_points--;
        }
    }
    free(values);
}

static void mark_tried(struct points *p, const struct history *h, int64_t self)
{
    size_t n = p->space->n;
    double *values = mem_alloc(n, sizeof(*values));
    int *params = mem_alloc(n, sizeof(*params));
    for (size_t i = 0; i < n; i++) {
        params[i] = history_find_param(h, p->space->params[i].name);
    }
    for (int64_t t = 0; t < history_n_trials(h); t++) {
        for (size_t i = 0; i < n; i++) {
            values[i] =
                params[i] < 0 ? (double)NAN : history_param(h, t, params[i]);
        }
        bool is_known = t != self && !history_is_hidden(h, t);
        size_t at = is_known ? points_find(p, values) : SIZE_MAX;
        if (at != SIZE_MAX && p->mark[at] == POINTS_FREE) {
            p->mark[at] = POINTS_TRIED;
            p->n_tried++;
        }
    }
    free(values);
    free(params);
}

bool points_init(struct points *p, const struct space *s,
                 const struct history *h, int64_t self)
{
    size_t n = points_product(s);
    *p = (struct points){.space = s, .n = n, .n_points = n};
    if (n == 0) {
        return false;
    }
    p->mark = mem_alloc(n, sizeof(*p->mark));
    if (space_has_conditions(s)) {
        mark_duplicates(p);
    }
    mark_tried(p, h, self);
    return true;
}

void points_fini(struct points *p)
{
    free(p->mark);
}
