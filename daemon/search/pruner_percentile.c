/* Pruners that compare a trial with what others had at the same step, or with
 * fixed bounds. */
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/pruner_priv.h"

#include <math.h>
#include <stdlib.h>

/* The COMPLETE trials' values at `step` without NaN; *n_at counts all. */
static size_t values_at(const struct pruning *p, int64_t step, double *values,
                        int64_t *n_at)
{
    const uint8_t *state = history_states(p->history);
    int64_t n_trials = history_n_trials(p->history);
    size_t n = 0;
    *n_at = 0;
    for (int64_t i = 0; i < n_trials; i++) {
        double v;
        if (state[i] != TRIAL_COMPLETE || i == p->number ||
            !history_value_at(p->history, i, step, &v)) {
            continue;
        }
        (*n_at)++;
        if (!isnan(v)) {
            values[n++] = v;
        }
    }
    return n;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* numpy.percentile, method "linear", with its arithmetic: between infinities
 * it is NaN. Sorts. */
static double percentile_of(double *values, size_t n, double percentile)
{
    if (n == 0) {
        return NAN;
    }
    qsort(values, n, sizeof(*values), compare);
    double at = percentile / 100.0 * (double)(n - 1);
    size_t low = (size_t)floor(at);
    double share = at - (double)low;
    size_t high = low + 1 < n ? low + 1 : n - 1;
    double gap = values[high] - values[low];
    return share >= 0.5 ? values[high] - gap * (1.0 - share)
                        : values[low] + gap * share;
}

bool pruner_percentile(const struct pruning *p, double percentile)
{
    const struct spec_pruning *o = p->options;
    int64_t n_complete = history_count(p->history, TRIAL_COMPLETE);
    if (n_complete == 0 || n_complete < o->n_startup_trials ||
        !pruning_is_due(p)) {
        return false;
    }
    double best = pruning_best(p->values, p->n, p->maximize);
    if (isnan(best)) {
        return true;
    }
    double *values = mem_grow(NULL, (size_t)n_complete, sizeof(*values));
    int64_t n_at;
    size_t n = values_at(p, p->steps[p->n - 1], values, &n_at);
    double limit =
        n_at < o->n_min_trials
            ? (double)NAN
            : percentile_of(values, n,
                            p->maximize ? 100.0 - percentile : percentile);
    free(values);
    return p->maximize ? best < limit : best > limit;
}

bool pruner_threshold(const struct pruning *p)
{
    double value = p->values[p->n - 1];
    return pruning_is_due(p) && (isnan(value) || value < p->options->lower ||
                                 value > p->options->upper);
}
