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

/* Put those from `first` up to `end` that are among the max best into `best`,
 * which is sorted and has n; n then. With a bar, max COMPLETE ones are known
 * whose value is not above it. */
static size_t select_best(const struct history *h, double sign, int64_t self,
                          size_t first, size_t end, double bar,
                          struct rank *best, size_t n, size_t max)
{
    const uint8_t *state = history_states(h);
    const double *value = history_values(h);
    enum spec_direction direction = sign < 0.0 ? SPEC_MAXIMIZE : SPEC_MINIMIZE;
    for (size_t i = first; i < end; i++) {
        bool is_full = n == max && n > 0 && best[n - 1].stage == 0.0;
        if (is_full || bar < INFINITY) {
            /* Only a better COMPLETE one counts: most are seen through. */
            double least =
                is_full ? best[n - 1].value : nextafter(bar, (double)INFINITY);
            while (i < end &&
                   (state[i] != TRIAL_COMPLETE || !(sign * value[i] < least))) {
                i++;
            }
        }
        if (i == end || (int64_t)i == self ||
            (state[i] != TRIAL_COMPLETE && state[i] != TRIAL_PRUNED)) {
            continue;
        }
        struct rank r =
            rank_of(h, (uint32_t)i, (enum trial_state)state[i], direction);
        n = insert(best, n, max, &r);
    }
    return n;
}

size_t split_below(const struct history *h, enum spec_direction direction,
                   int64_t self, size_t n_below, uint32_t *below)
{
    enum { NEWEST = 4 };
    struct rank *best = mem_grow(NULL, n_below, sizeof(*best));
    const double sign = direction == SPEC_MAXIMIZE ? -1.0 : 1.0;
    size_t n_trials = (size_t)history_n_trials(h);
    double bar = INFINITY;
    if (n_trials > 2 * NEWEST * n_below && n_below > 0) {
        /* In a search that goes well the newest are good: with these for a bar,
         * few of the others are looked at. */
        size_t n = select_best(h, sign, self, n_trials - NEWEST * n_below,
                               n_trials, INFINITY, best, 0, n_below);
        if (n == n_below && best[n - 1].stage == 0.0) {
            bar = best[n - 1].value;
        }
    }
    size_t n = select_best(h, sign, self, 0, n_trials, bar, best, 0, n_below);
    for (size_t i = 0; i < n; i++) {
        below[i] = best[i].number;
    }
    qsort(below, n, sizeof(*below), compare_numbers);
    free(best);
    return n;
}
