#include "core/base/mem.h"
#include "daemon/search/numpy_math.h"
#include "daemon/search/parzen.h"
#include "daemon/search/parzen_priv.h"
#include "daemon/search/truncnorm.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Under the kernel `id`, the probabilities of the intervals. */
static void fill_step(const struct parzen_dim *d, size_t id, size_t row,
                      const double *left, const double *right, double *out)
{
    if (d->mu[id] >= d->lo && d->mu[id] <= d->hi) {
        density_best()->row(row, d->mu[id], 1.0 / d->sigma[id],
                            1.0 / d->mass[id], left, right, out);
        return;
    }
    double all = log_mass(d, id, d->lo, d->hi); /* may underflow */
    for (size_t c = 0; c < row; c++) {
        out[c] = exp(log_mass(d, id, left[c], right[c]) - all);
    }
}

/* --- work: rows by point. Kernels are summed in blocks, so that a dimension of
 * many different kernels needs a table of one block only: its ids are then the
 * places in the block. */

enum { BLOCK = 1024 };

static bool is_wide(const struct parzen_dim *d)
{
    return d->dist->kind != DIST_CATEGORICAL && d->n_ids > BLOCK;
}

size_t parzen_work_size(const struct parzen *p)
{
    enum { SUMS = 2, INTERVALS = 2 };
    size_t most = p->n_kernels < BLOCK ? p->n_kernels : BLOCK, rows = SUMS;
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            rows += 1;
        } else if (d->dist->kind == DIST_CATEGORICAL) {
            rows += d->dist->n_choices + 1;
        } else {
            rows += INTERVALS + most;
        }
    }
    return rows * parzen_row_size(p->max_points);
}

struct layout { /* of the work */
    size_t row;
    double *sums, *of_block;
    double *points; /* the continuous dimensions' coordinates */
};

static double *put_points(const struct parzen_dim *d, size_t n, const double *x,
                          size_t row, double *out)
{
    for (size_t c = 0; c < row; c++) { /* the padding repeats the first */
        double v = x[c < n ? c : 0];
        out[c] = d->dist->log ? log(v) : v;
    }
    return out + row;
}

/* The rows of the kernels id[0 .. n - 1], or of the ids 0 .. n - 1. A stepped
 * dimension's intervals stand before its table. */
static void fill_steps(const struct parzen_dim *d, const uint32_t *id, size_t n,
                       size_t row, double *table)
{
    const double *left = table - 2 * row, *right = table - row;
    for (size_t i = 0; i < n; i++) {
        fill_step(d, id != NULL ? id[i] : i, row, left, right, table + i * row);
    }
}

static double *put_table(const struct parzen_dim *d, size_t n, const double *x,
                         size_t row, double **table, double *at)
{
    if (d->dist->kind == DIST_CATEGORICAL) {
        fill_choices(d, n, x, at);
        *table = at;
        return at + d->n_ids * row;
    }
    for (size_t c = 0; c < row; c++) {
        step_interval(d->dist, x[c < n ? c : 0], &at[c], &at[row + c]);
    }
    *table = at += 2 * row;
    if (is_wide(d)) {
        return at + BLOCK * row;
    }
    fill_steps(d, NULL, d->n_ids, row, at);
    return at + d->n_ids * row;
}

static struct layout lay_out(struct parzen *p, size_t n, const double *x)
{
    struct layout l = {.row = parzen_row_size(n), .sums = p->work};
    double **table = p->tables;
    l.of_block = l.sums + l.row;
    l.points = l.of_block + l.row;
    double *point = l.points, *at = l.points + p->n_cont * l.row;
    for (size_t d = 0; d < p->n_dims; d++, x += n) {
        if (p->dims[d].is_continuous) {
            point = put_points(&p->dims[d], n, x, l.row, point);
        } else {
            at = put_table(&p->dims[d], n, x, l.row, table++, at);
        }
    }
    return l;
}

/* n kernels from `first` on, for l->of_block. */
static void sum_block(struct parzen *p, const struct layout *l, size_t first,
                      size_t n, const uint32_t *places)
{
    struct density_kernels k = {.n = n,
                                .scale = p->scale + first,
                                .expo = p->expo + first,
                                .mu = p->mu,
                                .inv = p->inv,
                                .id = p->id};
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            p->mu[k.n_cont] = d->mu + first;
            p->inv[k.n_cont++] = d->inv + first;
        } else if (is_wide(d)) {
            fill_steps(d, d->id + first, n, l->row, p->tables[k.n_table]);
            p->id[k.n_table++] = places;
        } else {
            p->id[k.n_table++] = d->id + first;
        }
    }
    density_best()->sum(&k, l->row, l->points, (const double *const *)p->tables,
                        l->of_block);
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
    uint32_t places[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        places[i] = i;
    }
    const struct layout l = lay_out(p, n, x);
    memset(l.sums, 0, l.row * sizeof(*l.sums));
    for (size_t first = 0; first < p->n_kernels; first += BLOCK) {
        size_t left = p->n_kernels - first;
        sum_block(p, &l, first, left < BLOCK ? left : BLOCK, places);
        for (size_t c = 0; c < n; c++) {
            l.sums[c] += l.of_block[c];
        }
    }
    for (size_t c = 0; c < n; c++) {
        bool is_safe = l.sums[c] > SUM_MIN && l.sums[c] < SUM_MAX;
        out[c] = is_safe ? log(l.sums[c]) - p->log_scale : exact_at(p, n, x, c);
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
        if (dim->dist->kind == DIST_CATEGORICAL) {
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
