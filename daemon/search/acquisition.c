#include "daemon/search/acquisition.h"

#include "core/base/mem.h"
#include "daemon/search/density.h"
#include "daemon/search/parzen.h"
#include <math.h>
#include <stdlib.h>

/* 2 ln P(ok) from the log densities of finished and failed trials, each density
 * with the weight of its trials and its prior. */
static double reliability(const struct acquisition *a, double log_finished,
                          double log_failed)
{
    double odds = log_failed + log((double)a->n_failed + 1.0) - log_finished -
                  log((double)a->n_finished + 1.0);
    double log_ok = odds > 0.0 ? -odds - log1p(exp(-odds)) : -log1p(exp(odds));
    return 2.0 * log_ok;
}

static bool is_same_point(const double *x, size_t n, size_t n_dims, size_t a,
                          size_t b)
{
    for (size_t d = 0; d < n_dims; d++) {
        if (x[d * n + a] != x[d * n + b]) {
            return false;
        }
    }
    return true;
}

static double exact_value(const struct acquisition *a, const double *x,
                          size_t n, size_t n_dims, size_t c)
{
    double *point = mem_grow(NULL, n_dims, sizeof(*point));
    for (size_t d = 0; d < n_dims; d++) {
        point[d] = x[d * n + c];
    }
    double value = parzen_log_pdf_exact(a->below, point) -
                   parzen_log_pdf_exact(a->above, point);
    if (a->failed != NULL) {
        value += reliability(a, parzen_log_pdf_exact(a->finished, point),
                             parzen_log_pdf_exact(a->failed, point));
    }
    free(point);
    return value;
}

/* Each candidate's value by the fast densities; scratch has room for 2 n.
 * Returns what those may be off by. */
static double fast_values(const struct acquisition *a, bool is_rough,
                          const double *x, size_t n, double *scratch,
                          double *value)
{
    double error = DENSITY_ERROR;
    parzen_log_pdf(a->below, n, x, value);
    if (is_rough) {
        error = parzen_log_pdf_rough(a->above, n, x, scratch);
    } else {
        parzen_log_pdf(a->above, n, x, scratch);
    }
    for (size_t c = 0; c < n; c++) {
        value[c] -= scratch[c];
    }
    if (a->failed != NULL) {
        parzen_log_pdf(a->finished, n, x, scratch);
        parzen_log_pdf(a->failed, n, x, scratch + n);
        for (size_t c = 0; c < n; c++) {
            value[c] += reliability(a, scratch[c], scratch[n + c]);
        }
    }
    return error;
}

/* numpy's argmax: the first largest, and a NaN is larger than anything. */
static bool is_larger(double a, double b)
{
    return !isnan(b) && (isnan(a) || a > b);
}

static double largest(const double *value, size_t n)
{
    double max = -INFINITY;
    for (size_t c = 0; c < n; c++) {
        max = is_larger(value[c], max) ? value[c] : max;
    }
    return max;
}

static bool is_close(double value, double max, double close)
{
    return isnan(value) || value == max || value >= max - close;
}

/* Is it one point that is close to the largest? */
static bool is_alone(const double *value, double close, const double *x,
                     size_t n, size_t n_dims)
{
    double max = largest(value, n);
    size_t first = n;
    for (size_t c = 0; c < n; c++) {
        if (is_close(value[c], max, close)) {
            first = first == n ? c : first;
            if (!is_same_point(x, n, n_dims, first, c)) {
                return false;
            }
        }
    }
    return true;
}

/* The exact densities' best of those that are close. */
static size_t best_of_close(const struct acquisition *a, const double *value,
                            double close, const double *x, size_t n,
                            size_t n_dims)
{
    double max = largest(value, n), best_exact = 0.0;
    size_t best = n, first = n;
    bool has_exact = false; /* a candidate alone does not need it */
    for (size_t c = 0; c < n; c++) {
        if (!is_close(value[c], max, close)) {
            continue;
        }
        if (first == n) {
            first = best = c;
        } else if (!is_same_point(x, n, n_dims, first, c)) {
            if (!has_exact) {
                best_exact = exact_value(a, x, n, n_dims, first);
                has_exact = true;
            }
            double exact = exact_value(a, x, n, n_dims, c);
            if (is_larger(exact, best_exact)) {
                best = c;
                best_exact = exact;
            }
        }
    }
    return best < n ? best : 0;
}

/* Three steps, each for what the one before leaves open. Rough densities tell
 * most points apart. Candidates too close to each other for the fast ones to
 * tell which the exact ones prefer are decided by these: so the choice depends
 * on no vector width, and ties fall as Optuna's do. */
size_t acquisition_best(const struct acquisition *a, const double *x, size_t n,
                        size_t n_dims)
{
    /* a value adds up to 6 logarithms of densities, and two are compared */
    double close = 100.0 * DENSITY_ERROR + 12.0 * parzen_exact_error(a->below);
    double *value = mem_grow(NULL, 3 * n, sizeof(*value));
    double rough = fast_values(a, true, x, n, value + n, value);
    if (rough > DENSITY_ERROR) {
        if (is_alone(value, 4.0 * rough, x, n, n_dims)) {
            close = 4.0 * rough;
        } else {
            (void)fast_values(a, false, x, n, value + n, value);
        }
    }
    size_t best = best_of_close(a, value, close, x, n, n_dims);
    free(value);
    return best;
}

void acquisition_fini(struct acquisition *a)
{
    parzen_free(a->below);
    parzen_free(a->above);
    parzen_free(a->finished);
    parzen_free(a->failed);
}
