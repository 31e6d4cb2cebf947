#include "daemon/search/split.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rank {     /* smaller is better, compared from the top */
    double stage; /* 0: COMPLETE; PRUNED: 1, or 2 if it reported nothing;
                     3: infeasible */
    double step;  /* negated; of an infeasible one, the violation */
    double value; /* negated when maximising */
    uint32_t number;
};

int64_t split_gamma(int64_t n)
{
    int64_t tenth = n / 10 + (n % 10 != 0);
    return tenth < SPLIT_GAMMA_MAX ? tenth : SPLIT_GAMMA_MAX;
}

static bool is_before(const struct rank *a, const struct rank *b)
{
    if (a->stage != b->stage) {
        return a->stage < b->stage;
    }
    if (a->step != b->step) {
        return a->step < b->step;
    }
    if (a->value != b->value) {
        return a->value < b->value;
    }
    return a->number < b->number;
}

static struct rank rank_of(const struct history *h, uint32_t number,
                           enum trial_state state,
                           enum spec_direction direction)
{
    struct rank r = {.number = number};
    double value = 0.0, violation = history_violation(h, number);
    if (violation > 0.0) {
        r.stage = 3.0;
        r.step = violation;
        return r;
    }
    if (state == TRIAL_COMPLETE) {
        value = history_value(h, number);
    } else {
        int64_t step = history_last_step(h, number, &value);
        r.stage = step >= 0 ? 1.0 : 2.0;
        r.step = step >= 0 ? -(double)step : 0.0;
    }
    r.value = direction == SPEC_MAXIMIZE ? -value : value;
    if (isnan(r.value)) {
        r.value = INFINITY;
    }
    return r;
}

/* Put r into the sorted best of which there are n, at most max. */
static size_t insert(struct rank *best, size_t n, size_t max,
                     const struct rank *r)
{
    if (n == max) {
        if (n == 0 || !is_before(r, &best[n - 1])) {
            return n;
        }
        n--;
    }
    size_t at = n;
    while (at > 0 && is_before(r, &best[at - 1])) {
        at--;
    }
    memmove(&best[at + 1], &best[at], (n - at) * sizeof(*best));
    best[at] = *r;
    return n + 1;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    return i < j ? -1 : i > j;
}

size_t split_below(const struct history *h, enum spec_direction direction,
                   int64_t self, size_t n_below, uint32_t *below)
{
    struct rank *best = mem_grow(NULL, n_below, sizeof(*best));
    const uint8_t *state = history_states(h);
    const double *value = history_values(h);
    size_t n = 0, n_trials = (size_t)history_n_trials(h);
    const double sign = direction == SPEC_MAXIMIZE ? -1.0 : 1.0;
    for (size_t i = 0; i < n_trials; i++) {
        if (n == n_below && n > 0 && best[n - 1].stage == 0.0) {
            /* Only a better COMPLETE one counts now: most are seen through. */
            double bar = best[n - 1].value;
            while (i < n_trials &&
                   (state[i] != TRIAL_COMPLETE || !(sign * value[i] < bar))) {
                i++;
            }
        }
        if (i == n_trials || (int64_t)i == self ||
            (state[i] != TRIAL_COMPLETE && state[i] != TRIAL_PRUNED)) {
            continue;
        }
        struct rank r =
            rank_of(h, (uint32_t)i, (enum trial_state)state[i], direction);
        n = insert(best, n, n_below, &r);
    }
    for (size_t i = 0; i < n; i++) {
        below[i] = best[i].number;
    }
    qsort(below, n, sizeof(*below), compare_numbers);
    free(best);
    return n;
}
