/* PED-ANOVA (Watanabe, Bansal, Hutter, IJCAI 2023): how far the density of the
 * best tenth of the trials is from that of all, parameter by parameter, on a
 * grid. With Optuna's grid, bandwidths and classes of distributions. */
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/importance_priv.h"
#include "daemon/search/truncnorm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GRID_MAX = 50 };

/* --- the grid ---------------------------------------------------------------
 */

struct grid {
    const struct dist *dist;
    size_t n;
    double low, step; /* of the axis: ln, if the distribution is log */
};

static size_t at_most_max(double n)
{
    return n > GRID_MAX ? GRID_MAX : (size_t)n;
}

static struct grid grid_of(const struct dist *d)
{
    struct grid g = {.dist = d, .low = d->log ? log(d->low) : d->low};
    if (d->kind == DIST_CATEGORICAL) {
        g.n = d->n_choices;
        return g;
    }
    if (d->kind == DIST_INT && d->log) {
        g.n = at_most_max(ceil(log2(d->high - d->low + 1.0)) + 1.0);
    } else if (d->step > 0.0) {
        g.n = at_most_max(rint((d->high - d->low) / d->step) + 1.0);
    } else {
        g.n = GRID_MAX;
    }
    double high = d->log ? log(d->high) : d->high;
    g.step = (high - g.low) / (double)(g.n - 1);
    return g;
}

/* Midpoints go down. */
static size_t grid_index(const struct grid *g, double value)
{
    if (g->dist->kind == DIST_CATEGORICAL) {
        return (size_t)value;
    }
    double v = g->dist->log ? log(value) : value;
    double at = ceil((v - g->low) / g->step - 0.5);
    double last = (double)(g->n - 1);
    return at < 0.0 ? 0 : at > last ? (size_t)last : (size_t)at;
}

/* --- densities on it --------------------------------------------------------
 */

/* Bandwidth by the rule of thumb of Scott, on grid units. */
static double bandwidth(const double *counts, size_t n, double total)
{
    double sum = 0.0, square = 0.0, running = 0.0;
    double quarter = floor(total / 4.0), three = floor(3.0 * total / 4.0);
    double low = -1.0, high = 0.0;
    bool has_high = false;
    for (size_t g = 0; g < n; g++) {
        sum += counts[g] * (double)g;
    }
    double mean = sum / total;
    for (size_t g = 0; g < n; g++) {
        if (counts[g] == 0.0) {
            continue;
        }
        square += counts[g] * ((double)g - mean) * ((double)g - mean);
        running += counts[g];
        low = low < 0.0 && running >= quarter ? (double)g : low;
        if (!has_high) {
            high = (double)g; /* the last, unless one is beyond 3 W div 4 */
            has_high = running > three;
        }
    }
    double sd = sqrt(square / (total > 2.0 ? total - 1.0 : 1.0));
    double range = (high - low) / 1.34;
    double sigma = 1.059 * (range < sd ? range : sd) * pow(total, -0.2);
    return sigma > 0.5 / 1.64 ? sigma : 0.5 / 1.64;
}

/* Add weight times the normal's mass in each cell to pmf. */
static void add_kernel(double *pmf, size_t n, double mean, double sigma,
                       double weight)
{
    double all = truncnorm_log_mass((-0.5 - mean) / sigma,
                                    ((double)n - 0.5 - mean) / sigma);
    for (size_t g = 0; g < n; g++) {
        double left = ((double)g - 0.5 - mean) / sigma;
        double right = ((double)g + 0.5 - mean) / sigma;
        pmf[g] += weight * exp(truncnorm_log_mass(left, right) - all);
    }
}

static void numeric_pmf(const double *counts, size_t n, double total,
                        double *pmf)
{
    double sigma = bandwidth(counts, n, total);
    for (size_t g = 0; g < n; g++) {
        if (counts[g] > 0.0) {
            add_kernel(pmf, n, (double)g, sigma, counts[g] / (total + 1.0));
        }
    }
    double middle = (double)(n - 1) / 2.0;
    add_kernel(pmf, n, middle, (double)n, 1.0 / (total + 1.0));
}

static void categorical_pmf(const double *counts, size_t n, double total,
                            double *pmf)
{
    double n_kernels = 1.0;
    for (size_t c = 0; c < n; c++) {
        n_kernels += counts[c] > 0.0;
    }
    double other = 1.0 / n_kernels / (1.0 + (double)n / n_kernels);
    double own = (1.0 + 1.0 / n_kernels) / (1.0 + (double)n / n_kernels);
    for (size_t c = 0; c < n; c++) {
        double rest = total - counts[c];
        pmf[c] =
            (counts[c] * own + rest * other + 1.0 / (double)n) / (total + 1.0);
    }
}

/* rows' values of one parameter under one distribution; *pmf is owned. */
static double *density(const struct grid *g, const double *counts, double total)
{
    double *pmf = mem_alloc(g->n, sizeof(*pmf));
    if (g->dist->kind == DIST_CATEGORICAL) {
        categorical_pmf(counts, g->n, total, pmf);
    } else {
        numeric_pmf(counts, g->n, total, pmf);
    }
    for (size_t i = 0; i < g->n; i++) {
        pmf[i] += 1e-12;
    }
    return pmf;
}

/* Pearson divergence of top from all. */
static double divergence(const struct grid *g, const double *top, double n_top,
                         const double *all, double n_all)
{
    double *a = density(g, top, n_top), *b = density(g, all, n_all);
    double sum = 0.0;
    for (size_t i = 0; i < g->n; i++) {
        double off = a[i] / b[i] - 1.0;
        sum += b[i] * off * off;
    }
    free(a);
    free(b);
    return sum;
}

/* --- parameters -------------------------------------------------------------
 */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The loss that the best tenth does not exceed. */
static double top_cutoff(const double *loss, size_t n)
{
    double *sorted = mem_grow(NULL, n, sizeof(*sorted));
    memcpy(sorted, loss, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_doubles);
    double cutoff = sorted[(size_t)ceil(0.1 * (double)n) - 1];
    free(sorted);
    return cutoff;
}

struct top { /* which of the rows are the best tenth */
    const struct history *h;
    const struct importance_rows *rows;
    const double *loss;
    double cutoff, n;
};

/* A parameter's trials under one distribution. */
static double of_class(const struct top *t, int param, const struct dist *d)
{
    struct grid g = grid_of(d);
    double *top = mem_alloc(g.n, sizeof(*top));
    double *all = mem_alloc(g.n, sizeof(*all));
    double n_top = 0.0, n_all = 0.0, result = 0.0;
    for (size_t i = 0; i < t->rows->n; i++) {
        int64_t number = t->rows->numbers[i];
        if (history_param_dist(t->h, number, param) == d) {
            size_t at = grid_index(&g, history_param(t->h, number, param));
            if (at >= g.n) {
                continue; /* no such choice: a damaged database */
            }
            bool is_top = t->loss[i] <= t->cutoff;
            all[at]++;
            top[at] += is_top;
            n_all++;
            n_top += is_top;
        }
    }
    if (n_all >= 2.0 && n_top > 0.0) {
        double share_top = n_top / t->n, share = n_all / (double)t->rows->n;
        result = share_top * share_top / share *
                 divergence(&g, top, n_top, all, n_all);
    }
    free(top);
    free(all);
    return result;
}

static bool has_complete(const struct history *h, int param)
{
    const uint8_t *state = history_states(h);
    for (int64_t i = 0; i < history_n_trials(h); i++) {
        if (state[i] == TRIAL_COMPLETE && !isnan(history_param(h, i, param))) {
            return true;
        }
    }
    return false;
}

static double of_param(const struct top *t, int param)
{
    double sum = 0.0;
    for (int i = 0; i < history_n_dists(t->h, param); i++) {
        const struct dist *d = history_dist(t->h, param, i);
        if (!dist_is_single(d)) {
            sum += of_class(t, param, d);
        }
    }
    double share = t->n / (double)t->rows->n;
    return share * share * sum;
}

void importance_ped_anova(const struct history *h,
                          enum spec_direction direction, double *out)
{
    struct importance_rows rows;
    importance_rows_of(h, &rows);
    struct top t = {.h = h, .rows = &rows};
    double *loss = mem_grow(NULL, rows.n + 1, sizeof(*loss));
    for (size_t i = 0; i < rows.n; i++) {
        loss[i] = direction == SPEC_MAXIMIZE ? -rows.values[i] : rows.values[i];
    }
    t.loss = loss;
    t.cutoff = rows.n > 0 ? top_cutoff(loss, rows.n) : 0.0;
    for (size_t i = 0; i < rows.n; i++) {
        t.n += loss[i] <= t.cutoff;
    }
    for (int p = 0; p < history_n_params(h); p++) {
        if (has_complete(h, p)) {
            out[p] = rows.n > 1 ? of_param(&t, p) : 0.0;
        }
    }
    importance_rows_fini(&rows);
    free(loss);
}
