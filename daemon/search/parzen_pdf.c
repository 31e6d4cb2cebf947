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

/* The same where the difference of a narrow interval's tails would cancel: by
 * density.h's series, to 5e-12. */
static double log_step_mass(const struct parzen_dim *d, size_t id, double left,
                            double right)
{
    double z = (0.5 * (left + right) - d->mu[id]) / d->sigma[id];
    double h = (right - left) / d->sigma[id];
    if (h >= DENSITY_NARROW || fabs(z) * h > 0.01) {
        return log_mass(d, id, left, right);
    }
    return log(h) + log1p((z * z - 1.0) * h * h / 24.0) - 0.5 * z * z -
           LN_SQRT_2PI;
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

/* v as low + *place * step; false when it is none of these. (What it may be off
 * changes no mass by more than DENSITY_ERROR: bandwidths are at least a
 * hundredth of the range.) */
static bool find_place(const struct dist *dist, double v, ptrdiff_t *place)
{
    *place = (ptrdiff_t)((v - dist->low) / dist->step + 0.5);
    return fabs(dist->low + (double)*place * dist->step - v) <=
           1e-14 * (dist->high - dist->low);
}

/* A stepped dimension's points at hand, in the work: their intervals, their
 * places in steps from low, and, unless NULL, the mass under a centre by signed
 * distance in steps, when the bandwidth is sigma_min. */
struct steps {
    double *left, *right;
    ptrdiff_t *place;
    const double *by_distance;
};

/* Under the kernel `id`, the probabilities of the intervals. */
static void fill_step(const struct density_ops *ops, const struct parzen_dim *d,
                      const struct steps *s, size_t id, size_t row, double *out)
{
    double mu = d->mu[id], sigma = d->sigma[id];
    ptrdiff_t centre;
    if (mu < d->lo || mu > d->hi) {
        double all = log_mass(d, id, d->lo, d->hi); /* may underflow */
        for (size_t c = 0; c < row; c++) {
            out[c] = exp(log_step_mass(d, id, s->left[c], s->right[c]) - all);
        }
    } else if (s->by_distance != NULL && sigma == d->sigma_min &&
               find_place(d->dist, mu, &centre)) {
        const double *mass = s->by_distance - centre, scale = 1.0 / d->mass[id];
        const ptrdiff_t *place = s->place;
        for (size_t c = 0; c < row; c++) {
            out[c] = mass[place[c]] * scale;
        }
    } else {
        ops->row(row, mu, 1.0 / sigma, 1.0 / d->mass[id], s->left, s->right,
                 out);
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

/* Are the intervals' ends, as step_interval rounds them, where they are on the
 * ideal grid? Whole numbers' are. Of others an end is off from a centre by up
 * to 7 * 2^-53 of the largest number, m: its own rounding, and those of the
 * point, the centre and their multiples of the step. That changes a mass by
 * less than 2 * 7 * 2^-53 * m / step, times 12 when the bandwidth is a fifth of
 * a step (a farther step's mass is small beside the prior kernel's when it is
 * less): for m / step <= 2^12 by 6e-12, and 8e-11 at most. */
static bool is_even(const struct dist *dist)
{
    double m = fmax(fabs(dist->low), fabs(dist->high));
    bool is_whole = dist->low == rint(dist->low) &&
                    dist->step == rint(dist->step) && m < 0x1p52;
    return is_whole || m / dist->step <= 0x1p12;
}

/* Most kernels of many have the smallest bandwidth. Then the mass of a step's
 * interval depends on its distance from the centre alone, and there are fewer
 * distances than pairs of kernels and points. Returns the largest distance, 0
 * when masses are not to be had so. */
static size_t n_distances(const struct parzen *p, const struct dist *dist)
{
    enum { N_MAX = 1 << 16 };
    double n = rint((dist->high - dist->low) / dist->step);
    double n_pairs = (double)p->n_kernels * (double)p->max_points;
    bool is_less = n <= N_MAX && n <= n_pairs / 2.0;
    return !dist->log && is_less && is_even(dist) ? (size_t)n : 0;
}

size_t parzen_work_size(const struct parzen *p)
{
    enum { SUMS = 2, OF_STEPS = 3 };
    size_t most = p->n_kernels < BLOCK ? p->n_kernels : BLOCK, rows = SUMS;
    size_t distances = 0;
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            rows += 1;
        } else if (d->dist->kind == DIST_CATEGORICAL) {
            rows += d->dist->n_choices + 1;
        } else {
            rows += OF_STEPS + most;
            distances += parzen_row_size(2 * n_distances(p, d->dist) + 1);
        }
    }
    return rows * parzen_row_size(p->max_points) + distances;
}

struct layout { /* of the work */
    size_t row;
    double *sums, *of_block;
    double *points;      /* the continuous dimensions' coordinates */
    struct steps *steps; /* by dimension; owned */
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

/* The rows of the kernels id[0 .. n - 1], or of the ids 0 .. n - 1. */
static void fill_steps(const struct parzen_dim *d, const struct steps *s,
                       const uint32_t *id, size_t n, size_t row, double *table)
{
    const struct density_ops *ops = density_best();
    for (size_t i = 0; i < n; i++) {
        fill_step(ops, d, s, id != NULL ? id[i] : i, row, table + i * row);
    }
}

/* Masses of the distances -n .. n at `at`; those beyond 39 sigma are 0. */
static double *put_distances(const struct parzen_dim *d, struct steps *s,
                             size_t n, double *at)
{
    double step = d->dist->step, left[DENSITY_POINTS], right[DENSITY_POINTS];
    double *end = at + parzen_row_size(2 * n + 1), *middle = at + n;
    memset(at, 0, (size_t)(end - at) * sizeof(*at));
    for (size_t first = 0;
         first <= n && (double)first * step < 39.0 * d->sigma_min;
         first += DENSITY_POINTS) {
        double mass[DENSITY_POINTS];
        for (size_t i = 0; i < DENSITY_POINTS; i++) {
            left[i] = ((double)(first + i) - 0.5) * step;
            right[i] = ((double)(first + i) + 0.5) * step;
        }
        density_best()->row(DENSITY_POINTS, 0.0, 1.0 / d->sigma_min, 1.0, left,
                            right, mass);
        for (size_t i = 0; i < DENSITY_POINTS && first + i <= n; i++) {
            middle[first + i] = mass[i];
            *(middle - (first + i)) = mass[i];
        }
    }
    s->by_distance = middle;
    return end;
}

static double *put_steps(const struct parzen *p, const struct parzen_dim *d,
                         size_t n, const double *x, size_t row, struct steps *s,
                         double *at)
{
    size_t n_far = n_distances(p, d->dist);
    bool have_places = n_far > 0;
    *s = (struct steps){
        .left = at, .right = at + row, .place = (ptrdiff_t *)(at + 2 * row)};
    for (size_t c = 0; c < row; c++) {
        double v = x[c < n ? c : 0];
        step_interval(d->dist, v, &s->left[c], &s->right[c]);
        have_places = have_places && find_place(d->dist, v, &s->place[c]);
    }
    at += 3 * row;
    return have_places ? put_distances(d, s, n_far, at) : at;
}

static double *put_table(const struct parzen *p, const struct parzen_dim *d,
                         size_t n, const double *x, size_t row, struct steps *s,
                         double **table, double *at)
{
    if (d->dist->kind == DIST_CATEGORICAL) {
        fill_choices(d, n, x, at);
        *table = at;
        return at + d->n_ids * row;
    }
    *table = at = put_steps(p, d, n, x, row, s, at);
    if (is_wide(d)) {
        return at + BLOCK * row;
    }
    fill_steps(d, s, NULL, d->n_ids, row, at);
    return at + d->n_ids * row;
}

static struct layout lay_out(struct parzen *p, size_t n, const double *x)
{
    struct layout l = {.row = parzen_row_size(n),
                       .sums = p->work,
                       .steps = mem_grow(NULL, p->n_dims, sizeof(*l.steps))};
    double **table = p->tables;
    l.of_block = l.sums + l.row;
    l.points = l.of_block + l.row;
    double *point = l.points, *at = l.points + p->n_cont * l.row;
    for (size_t d = 0; d < p->n_dims; d++, x += n) {
        if (p->dims[d].is_continuous) {
            point = put_points(&p->dims[d], n, x, l.row, point);
        } else {
            at = put_table(p, &p->dims[d], n, x, l.row, &l.steps[d], table++,
                           at);
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
                                .sigma = p->sigma,
                                .id = p->id};
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            p->mu[k.n_cont] = d->mu + first;
            p->sigma[k.n_cont++] = d->sigma + first;
        } else if (is_wide(d)) {
            fill_steps(d, &l->steps[i], d->id + first, n, l->row,
                       p->tables[k.n_table]);
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
    free(l.steps);
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
        if (d->dist->kind != DIST_CATEGORICAL && !d->is_continuous) {
            double left, right; /* of the narrowest interval */
            step_interval(d->dist, d->dist->high, &left, &right);
            sum += error * (d->hi - d->lo) / (right - left);
        }
    }
    return sum;
}
