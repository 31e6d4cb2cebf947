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
 * changes no mass by more than DENSITY_ERROR: n_distances wants bandwidths of
 * a hundredth of the range.) */
static bool find_place(const struct dist *dist, double inv_step, double v,
                       ptrdiff_t *place)
{
    *place = (ptrdiff_t)((v - dist->low) * inv_step + 0.5);
    return fabs(dist->low + (double)*place * dist->step - v) <=
           1e-14 * (dist->high - dist->low);
}

/* A stepped dimension's points at hand, in the work: their intervals, their
 * places in steps from low, and, unless NULL, the mass under a centre by signed
 * distance in steps, when the bandwidth is sigma_min. */
struct steps {
    double *left, *right;
    ptrdiff_t *place;
    double inv_step;
    const double *by_distance;
};

/* Under the kernel `id`, the probabilities of a piece's intervals. */
static void fill_step(const struct parzen_dim *d, const struct steps *s,
                      size_t id, size_t first, double *out)
{
    const double *left = s->left + first, *right = s->right + first;
    double mu = d->mu[id], sigma = d->sigma[id];
    ptrdiff_t centre;
    if (mu < d->lo || mu > d->hi) {
        double all = log_mass(d, id, d->lo, d->hi); /* may underflow */
        for (size_t c = 0; c < DENSITY_PIECE; c++) {
            out[c] = exp(log_step_mass(d, id, left[c], right[c]) - all);
        }
    } else if (s->by_distance != NULL && sigma == d->sigma_min &&
               find_place(d->dist, s->inv_step, mu, &centre)) {
        const double *mass = s->by_distance - centre, scale = d->inv_mass[id];
        const ptrdiff_t *place = s->place + first;
#pragma GCC unroll 8
        for (size_t c = 0; c < DENSITY_PIECE; c++) {
            out[c] = mass[place[c]] * scale;
        }
    } else {
        density_best()->row(DENSITY_PIECE, mu, 1.0 / sigma, d->inv_mass[id],
                            left, right, out);
    }
}

/* --- work: rows by point. Kernels are summed in blocks, so that a dimension of
 * many different kernels needs a table of one block only: its ids are then the
 * places in the block. A stepped dimension's rows are made in pieces, when
 * they are first wanted: most kernels are far from most points in another
 * dimension. */

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
static size_t n_distances(const struct parzen *p, const struct parzen_dim *d)
{
    enum { N_MAX = 1 << 16 };
    const struct dist *dist = d->dist;
    double n = rint((dist->high - dist->low) / dist->step);
    double n_pairs = (double)p->n_kernels * (double)p->max_points;
    bool is_less = n <= N_MAX && n <= n_pairs / 2.0;
    return !dist->log && p->has_magic_clip && is_less && is_even(dist)
               ? (size_t)n
               : 0;
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
            distances += parzen_row_size(2 * n_distances(p, d) + 1);
        }
    }
    return rows * parzen_row_size(p->max_points) + distances;
}

struct table {
    const struct parzen_dim *dim;
    struct steps steps;
    double *rows;
    uint8_t *has_piece; /* by id; NULL: categorical, all are there */
};

struct layout { /* of the work */
    size_t row;
    double *sums, *of_block;
    double *points;       /* the continuous dimensions' coordinates */
    struct table *tables; /* of the others; owned */
    uint8_t *has_pieces;  /* of all of them; owned */
    size_t first;         /* kernel of the block at hand */
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

/* Masses of the distances -n .. n at `at`; those beyond 39 sigma are 0. */
static double *put_distances(const struct parzen_dim *d, struct steps *s,
                             size_t n, double *at)
{
    const struct density_ops *ops = density_best();
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
        ops->row(DENSITY_POINTS, 0.0, 1.0 / d->sigma_min, 1.0, left, right,
                 mass);
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
    size_t n_far = n_distances(p, d);
    bool have_places = n_far > 0;
    *s = (struct steps){.left = at,
                        .right = at + row,
                        .place = (ptrdiff_t *)(at + 2 * row),
                        .inv_step = 1.0 / d->dist->step};
    for (size_t c = 0; c < row; c++) {
        double v = x[c < n ? c : 0];
        step_interval(d->dist, v, &s->left[c], &s->right[c]);
        have_places =
            have_places && find_place(d->dist, s->inv_step, v, &s->place[c]);
    }
    at += 3 * row;
    return have_places ? put_distances(d, s, n_far, at) : at;
}

static size_t n_rows(const struct parzen_dim *d)
{
    return is_wide(d) ? BLOCK : d->n_ids;
}

static double *put_table(const struct parzen *p, size_t n, const double *x,
                         size_t row, struct table *t, double *at)
{
    if (t->dim->dist->kind == DIST_CATEGORICAL) {
        fill_choices(t->dim, n, x, at);
    } else {
        at = put_steps(p, t->dim, n, x, row, &t->steps, at);
    }
    t->rows = at;
    return at + n_rows(t->dim) * row;
}

/* density_kernels' fill. */
static void fill_piece(void *ctx, size_t which, uint32_t id, size_t point)
{
    const struct layout *l = ctx;
    struct table *t = &l->tables[which];
    size_t real = is_wide(t->dim) ? t->dim->id[l->first + id] : id;
    size_t at = id * l->row + point;
    fill_step(t->dim, &t->steps, real, point, t->rows + at);
    t->has_piece[at / DENSITY_PIECE] = 1;
}

static size_t n_pieces(const struct parzen_dim *d, size_t row)
{
    bool is_stepped = !d->is_continuous && d->dist->kind != DIST_CATEGORICAL;
    return is_stepped ? n_rows(d) * (row / DENSITY_PIECE) : 0;
}

static void lay_out(struct parzen *p, size_t n, const double *x,
                    struct layout *l)
{
    size_t row = parzen_row_size(n), n_all = 0;
    for (size_t d = 0; d < p->n_dims; d++) {
        n_all += n_pieces(&p->dims[d], row);
    }
    *l = (struct layout){.row = row,
                         .sums = p->work,
                         .of_block = p->work + row,
                         .points = p->work + 2 * row,
                         .tables = mem_alloc(p->n_dims, sizeof(*l->tables)),
                         .has_pieces = mem_alloc(n_all + 1, 1)};
    double *point = l->points, *at = l->points + p->n_cont * row;
    uint8_t *has_piece = l->has_pieces;
    struct table *t = l->tables;
    for (size_t d = 0; d < p->n_dims; d++, x += n) {
        const struct parzen_dim *dim = &p->dims[d];
        if (dim->is_continuous) {
            point = put_points(dim, n, x, row, point);
            continue;
        }
        size_t pieces = n_pieces(dim, row);
        *t = (struct table){.dim = dim,
                            .has_piece = pieces > 0 ? has_piece : NULL};
        has_piece += pieces;
        at = put_table(p, n, x, row, t++, at);
    }
}

/* n kernels from `first` on, for l->of_block. */
static void sum_block(struct parzen *p, struct layout *l, size_t first,
                      size_t n, double floor, const uint32_t *places)
{
    struct density_kernels k = {.n = n,
                                .floor = floor,
                                .scale = p->scale + first,
                                .expo = p->expo + first,
                                .mu = p->mu,
                                .sigma = p->sigma,
                                .id = p->id,
                                .has_piece = p->has_piece,
                                .fill = fill_piece,
                                .ctx = l};
    l->first = first;
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            p->mu[k.n_cont] = d->mu + first;
            p->sigma[k.n_cont++] = d->sigma + first;
            continue;
        }
        const struct table *t = &l->tables[k.n_table];
        if (is_wide(d)) {
            memset(t->has_piece, 0, n_pieces(d, l->row));
        }
        p->tables[k.n_table] = t->rows;
        p->has_piece[k.n_table] = t->has_piece;
        p->id[k.n_table++] = is_wide(d) ? places : d->id + first;
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

/* The prior's kernel is part of each sum: what is left out, in all, is less
 * than 2^-40 of it at the point where it is least. (Masses are at most 1.) */
static double floor_of(struct parzen *p, struct layout *l, size_t n,
                       const uint32_t *places)
{
    double least = INFINITY;
    sum_block(p, l, p->n_kernels - 1, 1, -(double)INFINITY, places);
    for (size_t c = 0; c < n; c++) {
        least = fmin(least, l->of_block[c]);
    }
    return -40.0 + log2(least / ((double)p->n_kernels * p->max_scale));
}

void parzen_log_pdf(struct parzen *p, size_t n, const double *x, double *out)
{
    assert(n <= p->max_points);
    uint32_t places[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        places[i] = i;
    }
    struct layout l;
    lay_out(p, n, x, &l);
    memset(l.sums, 0, l.row * sizeof(*l.sums));
    double floor = floor_of(p, &l, n, places);
    for (size_t first = 0; first < p->n_kernels; first += BLOCK) {
        size_t left = p->n_kernels - first;
        sum_block(p, &l, first, left < BLOCK ? left : BLOCK, floor, places);
        for (size_t c = 0; c < n; c++) {
            l.sums[c] += l.of_block[c];
        }
    }
    for (size_t c = 0; c < n; c++) {
        bool is_safe = l.sums[c] > SUM_MIN && l.sums[c] < SUM_MAX;
        out[c] = is_safe ? log(l.sums[c]) - p->log_scale : exact_at(p, n, x, c);
    }
    free(l.tables);
    free(l.has_pieces);
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
