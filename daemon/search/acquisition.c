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

/* Each candidate's value by the fast densities; scratch has room for 2 n. */
static void fast_values(const struct acquisition *a, const double *x, size_t n,
                        double *scratch, double *value)
{
    parzen_log_pdf(a->below, n, x, value);
    parzen_log_pdf(a->above, n, x, scratch);
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
}

/* numpy's argmax: the first largest, and a NaN is larger than anything. */
static bool is_larger(double a, double b)
{
    return !isnan(b) && (isnan(a) || a > b);
}

/* Candidates too close to each other for the fast densities to tell which the
 * exact ones prefer are decided by these: so the choice depends on no vector
 * width, and ties fall as Optuna's do. */
size_t acquisition_best(const struct acquisition *a, const double *x, size_t n,
                        size_t n_dims)
{
    /* a value adds up to 6 logarithms of densities, and two are compared */
    const double close =
        100.0 * DENSITY_ERROR + 12.0 * parzen_exact_error(a->below);
    double *value = mem_grow(NULL, 3 * n, sizeof(*value));
    fast_values(a, x, n, value + n, value);
    double max = -INFINITY;
    for (size_t c = 0; c < n; c++) {
        max = is_larger(value[c], max) ? value[c] : max;
    }
    size_t best = n, first = n;
    double best_exact = 0.0;
    bool has_exact = false; /* a candidate alone does not need it */
    for (size_t c = 0; c < n; c++) {
        bool is_close =
            isnan(value[c]) || value[c] == max || value[c] >= max - close;
        if (first == n && is_close) {
            first = best = c;
        } else if (is_close && !is_same_point(x, n, n_dims, first, c)) {
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
    free(value);
    return best < n ? best : 0;
}

void acquisition_fini(struct acquisition *a)
{
    parzen_free(a->below);
    parzen_free(a->above);
    parzen_free(a->finished);
    parzen_free(a->failed);
}
