#include "core/base/mem.h"
#include "daemon/search/numpy_math.h"
#include "daemon/search/parzen.h"
#include "daemon/search/parzen_priv.h"
#include "daemon/search/truncnorm.h"
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LN_SQRT_2PI 0.91893853320467274178

static const double SUM_MAX = 1e300; /* a term may be infinite */

static double exact_at(const struct parzen *p, size_t n, const double *x,
                       size_t c)
{
    double *point = mem_grow(NULL, p->n_dims, sizeof(*point));
    for (size_t d = 0; d < p->n_dims; d++) {
        point[d] = x[d * n + c];
    }
    double v = parzen_log_pdf_exact(p, point);
    free(point);
    return v;
}

void parzen_log_pdf(struct parzen *p, size_t n, const double *x, double *out)
{
    assert(n <= p->max_points);
    parzen_sums(p, n, x, out);
    for (size_t c = 0; c < n; c++) {
        bool is_safe = out[c] >= p->least_sum && out[c] < SUM_MAX;
        out[c] = is_safe ? log(out[c]) - p->log_scale : exact_at(p, n, x, c);
    }
}

double parzen_log_pdf_rough(struct parzen *p, size_t n, const double *x,
                            double *out)
{
    assert(n <= p->max_points);
    if (!parzen_sums_rough(p, n, x, out)) {
        parzen_log_pdf(p, n, x, out);
        return DENSITY_ERROR;
    }
    for (size_t c = 0; c < n; c++) {
        out[c] = log(out[c]) - p->log_scale;
    }
    return PARZEN_ROUGH * (double)p->n_dims;
}

/* --- exact: log space, one point, Optuna's order ---------------------------
 */

/* A row of 1.6 as Optuna normalises it: the position of the observed choice
 * decides how the row's sum rounds. */
static void add_log_choices(const struct parzen *p, const struct parzen_dim *d,
                            size_t x, double *v)
{
    size_t n_choices = d->dist->n_choices, n = p->n_kernels;
    double base = p->prior_weight / (double)n;
    double *row = mem_grow(NULL, n_choices, sizeof(*row));
    double *log_p = mem_grow(NULL, n_choices + 1, sizeof(*log_p));
    for (size_t i = 0; i < n_choices; i++) {
        row[i] = base;
        log_p[i] = NAN;
    }
    double sum = numpy_sum(row, n_choices);
    log_p[n_choices] = numpy_log(n == 1       ? d->prior
                                 : sum == 0.0 ? 0.0
                                              : base / sum);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = d->id[i];
        if (isnan(log_p[id])) {
            row[id] = base + 1.0;
            log_p[id] = numpy_log(row[x] / numpy_sum(row, n_choices));
            row[id] = base;
        }
        v[i] += log_p[id];
    }
    free(log_p);
    free(row);
}

/* Kernels of a stepped dimension are often the same: what was computed is
 * remembered, a while. */
struct known {
    double mu, sigma, of_x, of_all;
};

static size_t place_of(double mu, unsigned n_bits)
{
    uint64_t bits;
    memcpy(&bits, &mu, sizeof(bits));
    bits *= 0x9E3779B97F4A7C15u; /* odd: 2^64 / golden ratio */
    return (size_t)(bits >> (64 - n_bits));
}

static void add_log_masses(const struct parzen *p, const struct parzen_dim *d,
                           double x, double *v)
{
    enum { N_BITS = 12 };
    double left, right;
    parzen_step_interval(d->dist, x, &left, &right);
    struct known *known = mem_alloc((size_t)1 << N_BITS, sizeof(*known));
    for (size_t i = 0; i < p->n_kernels; i++) {
        struct known *k = &known[place_of(d->mu[i], N_BITS)];
        if (k->mu != d->mu[i] || k->sigma != d->sigma[i]) { /* sigma > 0 */
            *k = (struct known){.mu = d->mu[i],
                                .sigma = d->sigma[i],
                                .of_x = parzen_log_mass(d, i, left, right),
                                .of_all = parzen_log_mass(d, i, d->lo, d->hi)};
        }
        v[i] += k->of_x;
        v[i] -= k->of_all;
    }
    free(known);
}

static double log_normal(const struct parzen_dim *d, size_t i, double y)
{
    double mu = d->mu[i], sigma = d->sigma[i];
    double z = (y - mu) / sigma;
    double a = (d->lo - mu) / sigma, b = (d->hi - mu) / sigma;
    if (z < a || z > b) {
        return -INFINITY;
    }
    return (-(z * z) / 2.0 - LN_SQRT_2PI) - truncnorm_log_mass(a, b) -
           numpy_log(sigma);
}

static void add_log_normals(const struct parzen *p, const double *x, double *v)
{
    double *terms = mem_grow(NULL, p->n_cont, sizeof(*terms));
    for (size_t i = 0; i < p->n_kernels; i++) {
        size_t n = 0;
        for (size_t d = 0; d < p->n_dims; d++) {
            const struct parzen_dim *dim = &p->dims[d];
            if (dim->is_continuous) {
                double y = dim->dist->log ? numpy_log(x[d]) : x[d];
                terms[n++] = log_normal(dim, i, y);
            }
        }
        v[i] += numpy_sum(terms, n);
    }
    free(terms);
}

double parzen_log_pdf_exact(const struct parzen *p, const double *x)
{
    size_t n = p->n_kernels;
    double *v = mem_alloc(n, sizeof(*v));
    for (size_t d = 0; d < p->n_dims; d++) {
        const struct parzen_dim *dim = &p->dims[d];
        if (!dim->is_numerical) {
            add_log_choices(p, dim, (size_t)x[d], v);
        } else if (!dim->is_continuous) {
            add_log_masses(p, dim, x[d], v);
        }
    }
    if (p->n_cont != 0) {
        add_log_normals(p, x, v);
    }
    double max = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        v[i] += numpy_log(p->weight[i]);
        max = fmax(max, v[i]);
    }
    double shift = max == -INFINITY ? 0.0 : max;
    for (size_t i = 0; i < n; i++) {
        v[i] = numpy_exp(v[i] - shift);
    }
    double sum = numpy_sum(v, n);
    free(v);
    return numpy_log(sum) + shift;
}

/* A mass is the difference of two tails (log_diff). Their logarithms have an
 * error of a few 2^-53, which is that many times tail / mass of the mass, and
 * the ratio is at most 1.3 bandwidths by widths of the interval. A bandwidth is
 * at most the range; the kernels whose tails' logarithms are large have a
 * bandwidth smaller in proportion. */
double parzen_exact_error(const struct parzen *p)
{
    const double error = 8.0 * DBL_EPSILON;
    double sum = 0.0;
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_numerical && !d->is_continuous) {
            double left, right; /* of the narrowest interval */
            parzen_step_interval(d->dist, d->dist->high, &left, &right);
            sum += error * (d->hi - d->lo) / (right - left);
        }
    }
    return sum;
}
