#include "core/base/mem.h"
#include "daemon/search/numpy_math.h"
#include "daemon/search/parzen.h"
#include "daemon/search/parzen_priv.h"
#include "daemon/search/truncnorm.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define LN_SQRT_2PI 0.91893853320467274178

/* Sums outside of this may have lost terms to under- or overflow. */
static const double SUM_MIN = 1e-100, SUM_MAX = 1e100;

/* --- fast: linear space, all points at once ---------------------------------
 */

/* Of a stepped x: the interval that rounds to it, in the kernels' space. */
static void step_interval(const struct dist *dist, double x, double *left,
                          double *right)
{
    *left = x - dist->step / 2.0;
    *right = x + dist->step / 2.0;
    if (dist->log) {
        *left = log(*left);
        *right = log(*right);
    }
}

static double log_mass(const struct parzen_dim *d, size_t id, double left,
                       double right)
{
    double mu = d->mu[id], sigma = d->sigma[id];
    return truncnorm_log_mass((left - mu) / sigma, (right - mu) / sigma);
}

static void fill_choices(const struct parzen_dim *d, size_t n, const double *x,
                         double *table)
{
    size_t row = parzen_row_size(n), prior = d->dist->n_choices;
    for (size_t i = 0; i < prior * row; i++) {
        table[i] = d->miss;
    }
    for (size_t c = 0; c < row; c++) {
        table[prior * row + c] = d->prior;
        if (c < n) {
            table[(size_t)x[c] * row + c] = d->hit;
        }
    }
}

/* left: scratch for two rows. */
static void fill_steps(const struct parzen_dim *d, size_t n, const double *x,
                       double *left, double *table)
{
    size_t row = parzen_row_size(n);
    double *right = left + row;
    for (size_t c = 0; c < row; c++) { /* the padding repeats the first */
        step_interval(d->dist, x[c < n ? c : 0], &left[c], &right[c]);
    }
    const struct density_ops *ops = density_best();
    for (size_t i = 0; i < d->n_ids; i++) {
        double *at = table + i * row;
        if (d->mu[i] >= d->lo && d->mu[i] <= d->hi) {
            ops->row(row, d->mu[i], d->inv[i], 1.0 / d->mass[i], left, right,
                     at);
            continue;
        }
        double all = log_mass(d, i, d->lo, d->hi); /* may underflow */
        for (size_t c = 0; c < row; c++) {
            at[c] = exp(log_mass(d, i, left[c], right[c]) - all);
        }
    }
}

/* Point coordinates of the continuous dimensions, in padded rows; then, for
 * each other dimension, the probability of each point under each different
 * kernel. Lays both out in p->work. */
static const double *lay_out(struct parzen *p, size_t n, const double *x,
                             const double **tables)
{
    size_t row = parzen_row_size(n);
    double *intervals = p->work + row; /* the sums come first */
    double *rows = intervals + 2 * row, *next_row = rows;
    double *at = rows + p->kernels.n_cont * row;
    for (size_t d = 0; d < p->n_dims; d++, x += n) {
        const struct parzen_dim *dim = &p->dims[d];
        if (dim->is_continuous) {
            for (size_t c = 0; c < row; c++) {
                double v = x[c < n ? c : 0];
                *next_row++ = dim->dist->log ? log(v) : v;
            }
            continue;
        }
        if (dim->dist->kind == DIST_CATEGORICAL) {
            fill_choices(dim, n, x, at);
        } else {
            fill_steps(dim, n, x, intervals, at);
        }
        *tables++ = at;
        at += dim->n_ids * row;
    }
    return rows;
}

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
    double *sums = p->work;
    const double *rows = lay_out(p, n, x, p->tables);
    density_best()->sum(&p->kernels, parzen_row_size(n), rows, p->tables, sums);
    for (size_t c = 0; c < n; c++) {
        bool is_safe = sums[c] > SUM_MIN && sums[c] < SUM_MAX;
        out[c] = is_safe ? log(sums[c]) - p->log_scale : exact_at(p, n, x, c);
    }
}

/* --- exact: log space, one point, Optuna's order
 * ------------------------------ */

/* A row of 1.6 as Optuna normalises it: the position of the observed choice
 * decides how the row's sum rounds. */
static void add_log_choices(const struct parzen *p, const struct parzen_dim *d,
                            size_t x, double *v)
{
    size_t n_choices = d->dist->n_choices, n = p->n_kernels;
    double base = p->prior_weight / (double)n;
    double *row = mem_grow(NULL, n_choices, sizeof(*row));
    double *log_p = mem_grow(NULL, d->n_ids, sizeof(*log_p));
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

static void add_log_masses(const struct parzen *p, const struct parzen_dim *d,
                           double x, double *v)
{
    double left, right;
    step_interval(d->dist, x, &left, &right);
    double *of_x = mem_grow(NULL, d->n_ids, sizeof(*of_x));
    double *of_all = mem_grow(NULL, d->n_ids, sizeof(*of_all));
    for (size_t i = 0; i < d->n_ids; i++) {
        of_x[i] = log_mass(d, i, left, right);
        of_all[i] = log_mass(d, i, d->lo, d->hi);
    }
    for (size_t i = 0; i < p->n_kernels; i++) {
        v[i] += of_x[d->id[i]];
        v[i] -= of_all[d->id[i]];
    }
    free(of_all);
    free(of_x);
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
    double *terms = mem_grow(NULL, p->kernels.n_cont, sizeof(*terms));
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
        if (dim->dist->kind == DIST_CATEGORICAL) {
            add_log_choices(p, dim, (size_t)x[d], v);
        } else if (!dim->is_continuous) {
            add_log_masses(p, dim, x[d], v);
        }
    }
    if (p->kernels.n_cont != 0) {
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
