/* The signed-rank test of Wilcoxon (Biometrics 1, 1945) against the best trial,
 * step by step; ties and zeros as in scipy.stats.wilcoxon, method "auto",
 * zero_method "zsplit". */
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/pruner_priv.h"

#include <math.h>
#include <stdlib.h>

enum { EXACT_MAX = 50 }; /* differences; more: the normal distribution */

/* --- the test ---------------------------------------------------------------
 */

static int compare_magnitude(const void *a, const void *b)
{
    double x = fabs(*(const double *)a), y = fabs(*(const double *)b);
    return (x > y) - (x < y);
}

/* Sum of the ranks of the positive differences, half of those of zeros; ties
 * share their mean rank. *ties: the sum of t^3 - t over their sizes. Sorts. */
static double positive_ranks(double *d, size_t n, double *ties)
{
    double sum = 0.0;
    *ties = 0.0;
    qsort(d, n, sizeof(*d), compare_magnitude);
    for (size_t i = 0, end; i < n; i = end) {
        end = i + 1;
        while (end < n && fabs(d[end]) == fabs(d[i])) {
            end++;
        }
        double size = (double)(end - i);
        double rank = ((double)i + 1.0 + (double)end) / 2.0;
        *ties += size * (size * size - 1.0);
        for (size_t k = i; k < end; k++) {
            sum += d[k] > 0.0 ? rank : d[k] == 0.0 ? rank / 2.0 : 0.0;
        }
    }
    return sum;
}

/* P(sum of ranks >= at), or <= at: counts of subsets of 1 .. n by their sum. */
static double exact_p(size_t n, double at, bool greater)
{
    double count[EXACT_MAX * (EXACT_MAX + 1) / 2 + 1] = {1.0};
    size_t top = 0;
    for (size_t rank = 1; rank <= n; rank++) {
        top += rank;
        for (size_t s = top; s >= rank; s--) {
            count[s] += count[s - rank];
        }
    }
    size_t cut = (size_t)at;
    double sum = 0.0;
    for (size_t s = greater ? cut : 0; s <= (greater ? top : cut); s++) {
        sum += count[s];
    }
    return ldexp(sum, -(int)n);
}

/* One-sided p of "the differences are greater (less) than 0". */
static double signed_rank_p(double *d, size_t n, bool greater)
{
    double ties;
    bool has_zero = false;
    for (size_t i = 0; i < n; i++) {
        has_zero = has_zero || d[i] == 0.0;
    }
    double sum = positive_ranks(d, n, &ties);
    if (n <= EXACT_MAX && !has_zero) {
        return exact_p(n, sum, greater);
    }
    double count = (double)n;
    double mean = count * (count + 1.0) * 0.25;
    double sd =
        sqrt((count * (count + 1.0) * (2.0 * count + 1.0) - 0.5 * ties) / 24.0);
    double z = (sum - mean) / sd;
    return 0.5 * erfc((greater ? z : -z) / sqrt(2.0));
}

/* --- the trials -------------------------------------------------------------
 */

/* The best feasible COMPLETE trial, the first of equals; -1: none. */
static int64_t best_trial(const struct pruning *p)
{
    const uint8_t *state = history_states(p->history);
    int64_t n = history_n_trials(p->history), best = -1;
    for (int64_t i = 0; i < n; i++) {
        double v = history_value(p->history, i);
        if (state[i] != TRIAL_COMPLETE || isnan(v) ||
            history_violation(p->history, i) > 0.0) {
            continue;
        }
        double best_value = best >= 0 ? history_value(p->history, best) : v;
        bool is_better = p->maximize ? v > best_value : v < best_value;
        best = best < 0 || is_better ? i : best;
    }
    return best;
}

/* Mean of the best trial's reports; NaN when one is not finite or none is. */
static double mean_of_best(const struct pruning *p, int64_t best)
{
    size_t n = history_n_reports(p->history, best);
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double v;
        (void)history_report_at(p->history, best, i, &v);
        if (!isfinite(v)) {
            return NAN;
        }
        sum += v;
    }
    return sum / (double)n;
}

static double mean_of_own(const struct pruning *p)
{
    double sum = 0.0;
    for (size_t i = 0; i < p->n; i++) {
        if (!isfinite(p->values[i])) {
            return NAN;
        }
        sum += p->values[i];
    }
    return sum / (double)p->n;
}

bool pruner_wilcoxon(const struct pruning *p)
{
    int64_t best = best_trial(p);
    if (best < 0) {
        return false;
    }
    double own_mean = mean_of_own(p), best_mean = mean_of_best(p, best);
    if (isnan(own_mean) || isnan(best_mean) ||
        (p->maximize ? own_mean >= best_mean : own_mean <= best_mean)) {
        return false;
    }
    double *d = mem_grow(NULL, p->n, sizeof(*d));
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        double v;
        if (history_value_at(p->history, best, p->steps[i], &v)) {
            d[n++] = p->values[i] - v;
        }
    }
    int64_t least = p->options->n_startup_steps;
    least = least > 2 ? least : 2;
    bool prunes = (int64_t)n >= least &&
                  signed_rank_p(d, n, !p->maximize) < p->options->p_threshold;
    free(d);
    return prunes;
}
