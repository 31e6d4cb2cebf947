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
    size_t at = 0;
    for (size_t end = n; at < end;) {
        size_t middle = at + (end - at) / 2;
        bool is_later = is_before(&best[middle], r);
        at = is_later ? middle + 1 : at;
        end = is_later ? end : middle;
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

/* A value that may still count is below the worst of the best when these are
 * all there, and not above the bar. */
struct limits {
    double below, bar;
};

static bool is_within(const struct limits *l, double value)
{
    return (value < l->below) & (value <= l->bar);
}

/* From i on, before end: the first COMPLETE one that may count; end: none does.
 * Most are seen through, many at once. */
static size_t next_within(const struct history *h, double sign,
                          const struct limits *l, size_t i, size_t end)
{
    enum { LOT = 16 };
    const uint8_t *state = history_states(h);
    const double *value = history_values(h);
    for (bool any = false; !any && i + LOT <= end; i += any ? 0 : LOT) {
        for (size_t k = 0; k < LOT; k++) {
            any |= is_within(l, sign * value[i + k]);
        }
    }
    while (i < end &&
           (state[i] != TRIAL_COMPLETE || !is_within(l, sign * value[i]))) {
        i++;
    }
    return i;
}

/* Put those from `first` up to `end` that are among the max best into `best`,
 * which is sorted and has none; how many. max COMPLETE ones are known whose
 * value is not above the bar, if that is not infinite. */
static size_t select_best(const struct history *h, double sign, int64_t self,
                          size_t first, size_t end, double bar,
                          struct rank *best, size_t max)
{
    const uint8_t *state = history_states(h);
    enum spec_direction direction = sign < 0.0 ? SPEC_MAXIMIZE : SPEC_MINIMIZE;
    struct limits limits = {(double)INFINITY, bar};
    bool is_full = false;
    size_t n = 0;
    for (size_t i = first; i < end; i++) {
        i = is_full || bar < (double)INFINITY
                ? next_within(h, sign, &limits, i, end)
                : i;
        if (i == end || (int64_t)i == self ||
            !trial_state_has_value((enum trial_state)state[i])) {
            continue;
        }
        struct rank r =
            rank_of(h, (uint32_t)i, (enum trial_state)state[i], direction);
        n = insert(best, n, max, &r);
        is_full = n == max && n > 0 && best[n - 1].stage == 0.0;
        limits.below = is_full ? best[n - 1].value : (double)INFINITY;
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
                               n_trials, INFINITY, best, n_below);
        if (n == n_below && best[n - 1].stage == 0.0) {
            bar = best[n - 1].value;
        }
    }
    size_t n = select_best(h, sign, self, 0, n_trials, bar, best, n_below);
    for (size_t i = 0; i < n; i++) {
        below[i] = best[i].number;
    }
    qsort(below, n, sizeof(*below), compare_numbers);
    free(best);
    return n;
}
