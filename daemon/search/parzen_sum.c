/* parzen_sum: the sums of kernels' terms that densities are, in linear space:
 * to about 1e-10. (parzen_pdf.c takes the logarithms, and has the exact ones.)
 *
 * Four ways. Few kernels: each at all points. Many: each point with the
 * kernels that matter to it. Many of one continuous dimension: cells of them
 * (parzen_moments.c). Choices alone: what a kernel has is in tables. */
#include "core/base/mem.h"
#include "daemon/search/parzen_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- kernels ---------------------------------------------------------------
 */

struct lot {
    size_t n;      /* arrays are padded */
    bool is_whole; /* kernel[0] and those that follow it; the rest unset */
    uint32_t kernel[PARZEN_LOT_MAX];
    double expo[PARZEN_LOT_MAX], term[PARZEN_LOT_MAX];
    double a[PARZEN_LOT_MAX], b[PARZEN_LOT_MAX]; /* what is at hand */
    uint32_t some[PARZEN_LOT_MAX];               /* places in the lot */
};

/* Of a lot's kernels, from what is by kernel; the padding is of the first. */
static const double *pick(const struct lot *lot, const double *from, double *to)
{
    if (lot->is_whole) {
        return from + lot->kernel[0];
    }
    for (size_t j = 0; j < lot->n; j++) {
        to[j] = from[lot->kernel[j]];
    }
    for (size_t j = lot->n; j < parzen_padded(lot->n); j++) {
        to[j] = to[0];
    }
    return to;
}

/* The n kernels in `some` as a lot of their own. */
static void pick_some(const struct lot *lot, size_t n, struct lot *out)
{
    out->n = n;
    out->is_whole = false;
    for (size_t i = 0; i < n; i++) {
        out->kernel[i] = lot->kernel[lot->some[i]];
    }
}

/* --- scales ----------------------------------------------------------------
 */

static void times_norm(const struct parzen_dim *d, struct lot *lot)
{
    const double unit = parzen_unit(d);
    const double *mu = pick(lot, d->mu, lot->a);
    const double *sigma = pick(lot, d->sigma, lot->b);
    double *mass = lot->expo;
    density_best()->mass(parzen_padded(lot->n), mu, sigma, d->lo, d->hi, mass);
    for (size_t j = 0; j < lot->n && d->has_outside; j++) {
        mass[j] = parzen_is_within(d, mu[j]) ? mass[j] : 1.0;
    }
    for (size_t j = 0; j < lot->n; j++) {
        double norm = d->is_continuous ? unit / sigma[j] : 1.0;
        lot->term[j] *= norm / mass[j];
    }
}

/* All of the lot's. */
static void set_scales(struct parzen *p, struct lot *lot)
{
    memcpy(lot->term, pick(lot, p->weight, lot->a), lot->n * sizeof(double));
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i].is_numerical) {
            times_norm(&p->dims[i], lot);
        }
    }
    if (lot->is_whole) {
        memcpy(p->scale + lot->kernel[0], lot->term, lot->n * sizeof(double));
        return;
    }
    for (size_t j = 0; j < lot->n; j++) {
        p->scale[lot->kernel[j]] = lot->term[j];
    }
}

void parzen_set_scales(struct parzen *p)
{
    struct lot lot = {.is_whole = true};
    for (size_t first = 0; first < p->n_kernels; first += lot.n) {
        size_t left = p->n_kernels - first;
        lot.n = left < PARZEN_LOT ? left : PARZEN_LOT;
        lot.kernel[0] = (uint32_t)first;
        set_scales(p, &lot);
    }
}

/* Of those that have none yet: of few points' kernels, few have. */
static void want_scales(struct parzen *p, struct lot *lot)
{
    size_t n = 0;
    for (size_t j = 0; j < lot->n; j++) {
        lot->some[n] = (uint32_t)j;
        n += isnan(p->scale[lot->kernel[j]]) != 0;
    }
    if (n == lot->n) {
        set_scales(p, lot);
    } else if (n > 0) {
        struct lot some;
        pick_some(lot, n, &some);
        set_scales(p, &some);
    }
}

/* 2^ of exponents that may be too large; an infinite sum is summed otherwise.
 */
static void set_powers(const struct parzen *p, size_t n, double *expo)
{
    const double most = 1024.0;
    if (p->n_cont == 0) { /* they are 0 */
        for (size_t j = 0; j < n; j++) {
            expo[j] = 1.0;
        }
        return;
    }
    for (size_t j = 0; j < n && p->expo != NULL; j++) {
        expo[j] = expo[j] > most ? most : expo[j];
    }
    density_best()->powers(n, expo);
}

/* Where the centre is of a kernel whose mass at a point's place is told by the
 * distance; -1: it is not. */
static ptrdiff_t place_of(const struct parzen_dim *d, size_t kernel,
                          ptrdiff_t point)
{
    return point >= 0 && d->sigma[kernel] == d->sigma_min
               ? parzen_step_place(d, d->mu[kernel])
               : -1;
}

static double mass_at(const struct parzen_dim *d, ptrdiff_t a, ptrdiff_t b)
{
    size_t away = (size_t)labs(a - b);
    return away <= d->n_near ? d->by_distance[away] : 0.0;
}

/* Of a centre out of the bounds, the mass, which may underflow, by what of the
 * kernel lies within. From the bound on, a sigmas away, to the interval, z
 * sigmas away, that falls by e^((z^2 - a^2) / 2) or more: most of a range has
 * nothing. */
static double mass_from_outside(const struct parzen *p,
                                const struct parzen_dim *d, size_t kernel,
                                double left, double right)
{
    double mu = d->mu[kernel], sigma = d->sigma[kernel];
    double a = (mu < d->lo ? d->lo - mu : mu - d->hi) / sigma;
    double more = (mu < d->lo ? left - d->lo : d->hi - right) / sigma;
    if (more * (more + 2.0 * a) > p->reach * p->reach) {
        return 0.0;
    }
    return exp(parzen_log_step_mass(d, kernel, left, right) -
               parzen_log_mass(d, kernel, d->lo, d->hi));
}

/* --- all kernels at all points: points are the lanes -----------------------
 */

enum { BLOCK = 32 }; /* kernels: with 24 points, 6 KiB of terms */

static void row_from_outside(const struct parzen *p, const struct parzen_dim *d,
                             size_t row, const struct parzen_coordinate *at,
                             size_t kernel, double *mass)
{
    for (size_t c = 0; c < row; c++) { /* often the same: at an end */
        bool is_same = c > 0 && at->left[c] == at->left[c - 1];
        mass[c] = is_same ? mass[c - 1]
                          : mass_from_outside(p, d, kernel, at->left[c],
                                              at->right[c]);
    }
}

static void times_row(const struct parzen *p, const struct parzen_dim *d,
                      size_t row, const struct parzen_coordinate *at,
                      size_t kernel, double *mass, double *term)
{
    ptrdiff_t place = place_of(d, kernel, at->place[0]);
    if (place >= 0) {
        for (size_t c = 0; c < row; c++) {
            term[c] *= mass_at(d, place, at->place[c]);
        }
        return;
    }
    if (parzen_is_within(d, d->mu[kernel])) {
        density_best()->row_mass(row, d->mu[kernel], d->sigma[kernel], at->left,
                                 at->right, mass);
    } else {
        row_from_outside(p, d, row, at, kernel, mass);
    }
    for (size_t c = 0; c < row; c++) {
        term[c] *= mass[c] * d->per_unit;
    }
}

/* The terms of n kernels from `first` on, but for their scales; a row each. */
static void block_of_terms(const struct parzen *p,
                           const struct parzen_points *points, size_t first,
                           size_t n, double *mass, double *term)
{
    const struct density_ops *ops = density_best();
    const size_t row = points->row;
    memset(term, 0, n * row * sizeof(*term));
    for (size_t j = 0; j < n * row && p->expo != NULL; j++) {
        term[j] = p->expo[first + j / row];
    }
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            ops->block_exponents(n, d->mu + first, d->sigma + first, row,
                                 points->at[i].left, term);
        }
    }
    set_powers(p, n * row, term);
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        for (size_t k = first; k < first + n && !d->is_continuous; k++) {
            double *own = term + (k - first) * row;
            if (d->is_numerical) {
                times_row(p, d, row, &points->at[i], k, mass, own);
                continue;
            }
            const double *odds = points->at[i].odds + d->id[k] * row;
            for (size_t c = 0; c < row; c++) {
                own[c] *= odds[c];
            }
        }
    }
}

static void sum_blocks(struct parzen *p, const struct parzen_points *points,
                       double *sum)
{
    const size_t row = points->row;
    double *mass = mem_grow(NULL, (1 + BLOCK) * row, sizeof(*mass));
    double *term = mass + row;
    for (size_t first = 0; first < p->n_kernels; first += BLOCK) {
        size_t left = p->n_kernels - first, n = left < BLOCK ? left : BLOCK;
        block_of_terms(p, points, first, n, mass, term);
        density_best()->block_sum(n, p->scale + first, row, term, sum);
    }
    free(mass);
}

static void sum_normals(struct parzen *p, const struct parzen_points *points,
                        double *sum)
{
    const double **by_dim = mem_grow(NULL, 3 * p->n_dims, sizeof(*by_dim));
    const double **mu = by_dim, **sigma = mu + p->n_dims;
    const double **y = sigma + p->n_dims;
    for (size_t i = 0; i < p->n_dims; i++) {
        mu[i] = p->dims[i].mu;
        sigma[i] = p->dims[i].sigma;
        y[i] = points->at[i].left;
    }
    density_best()->block_normals(p->n_kernels, p->scale, p->n_dims, mu, sigma,
                                  points->row, y, sum);
    free(by_dim);
}

static void sum_all(struct parzen *p, const struct parzen_points *points,
                    double *out)
{
    double *sum = mem_alloc(points->row, sizeof(*sum));
    parzen_set_scales(p);
    if (parzen_is_normal(p)) {
        sum_normals(p, points, sum);
    } else {
        sum_blocks(p, points, sum);
    }
    memcpy(out, sum, points->n * sizeof(*out));
    free(sum);
}

/* --- many: kernels are the lanes -------------------------------------------
 */

static void begin_terms(const struct parzen *p, const struct parzen_at *at,
                        struct lot *lot)
{
    const struct density_ops *ops = density_best();
    size_t n = parzen_padded(lot->n);
    if (p->expo != NULL) {
        memcpy(lot->expo, pick(lot, p->expo, lot->a), n * sizeof(*lot->expo));
    } else {
        memset(lot->expo, 0, n * sizeof(*lot->expo));
    }
    for (size_t i = 0; i < p->n_dims && p->n_cont > 0; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            ops->exponents(n, pick(lot, d->mu, lot->a),
                           pick(lot, d->sigma, lot->b), at[i].left, lot->expo);
        }
    }
    set_powers(p, n, lot->expo);
    for (size_t j = 0; j < lot->n; j++) {
        lot->term[j] = p->scale[lot->kernel[j]] * lot->expo[j];
    }
}

/* The masses that are not told by the distance. */
static void times_some(const struct parzen *p, const struct parzen_dim *d,
                       const struct parzen_at *at, struct lot *lot, size_t n)
{
    struct lot some;
    pick_some(lot, n, &some);
    density_best()->step_mass(parzen_padded(n), pick(&some, d->mu, some.a),
                              pick(&some, d->sigma, some.b), at->left,
                              at->right, some.term);
    for (size_t i = 0; i < n; i++) {
        uint32_t k = some.kernel[i];
        double mass = parzen_is_within(d, d->mu[k])
                          ? some.term[i]
                          : mass_from_outside(p, d, k, at->left, at->right);
        lot->term[lot->some[i]] *= mass * d->per_unit;
    }
}

static void times_masses(const struct parzen *p, const struct parzen_dim *d,
                         const struct parzen_at *at, struct lot *lot)
{
    size_t n = 0;
    for (size_t j = 0; j < lot->n; j++) {
        ptrdiff_t place = place_of(d, lot->kernel[j], at->place);
        if (place >= 0) {
            lot->term[j] *= mass_at(d, place, at->place);
        } else {
            lot->some[n++] = (uint32_t)j;
        }
    }
    if (n > 0) {
        times_some(p, d, at, lot, n);
    }
}

static double sum_lot(struct parzen *p, const struct parzen_points *points,
                      size_t c, const struct parzen_at *at, struct lot *lot)
{
    want_scales(p, lot);
    begin_terms(p, at, lot);
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_numerical && !d->is_continuous) {
            times_masses(p, d, &at[i], lot);
        }
        const double *odds = points->at[i].odds;
        for (size_t j = 0; j < lot->n && !d->is_numerical; j++) {
            lot->term[j] *= odds[d->id[lot->kernel[j]] * points->row + c];
        }
    }
    double sum = 0.0;
    for (size_t j = 0; j < lot->n; j++) {
        sum += lot->term[j];
    }
    return sum;
}

static void sum_near(struct parzen *p, const struct parzen_points *points,
                     double *out)
{
    struct parzen_at *at = mem_alloc(p->n_dims, sizeof(*at));
    struct lot lot;
    lot.is_whole = false;
    for (size_t c = 0; c < points->n; c++) {
        struct parzen_walk walk;
        parzen_point_at(p, points, c, at);
        parzen_walk_init(&walk, p, at);
        out[c] = 0.0;
        while ((lot.n = parzen_walk_next(&walk, lot.kernel)) > 0) {
            out[c] += sum_lot(p, points, c, at, &lot);
        }
    }
    free(at);
}

static bool is_near(const struct parzen *p, const struct parzen_at *at,
                    size_t kernel)
{
    double e = p->expo != NULL ? p->expo[kernel] : 0.0;
    for (size_t i = 0; i < p->n_dims && e >= p->floor; i++) {
        const struct parzen_dim *d = &p->dims[i];
        e -= d->is_numerical ? parzen_loss(d, &at[i], kernel) : 0.0;
    }
    return e >= p->floor;
}

/* As some of both tell: when a search has come together, most kernels matter to
 * most points. A kernel of a lot costs many times what it costs in a row. */
bool parzen_are_near(const struct parzen *p, const struct parzen_points *points)
{
    enum { POINTS = 3, KERNELS = 64, ONE_IN = 16 };
    size_t n = 0;
    if (p->n_kernels < KERNELS) {
        return true;
    }
    struct parzen_at *at = mem_alloc(p->n_dims, sizeof(*at));
    for (size_t i = 0; i < POINTS; i++) {
        parzen_point_at(p, points, i * points->n / POINTS, at);
        for (size_t k = 0; k < KERNELS; k++) {
            n += is_near(p, at, k * p->n_kernels / KERNELS);
        }
    }
    free(at);
    return n > POINTS * KERNELS / ONE_IN;
}

/* --- one continuous dimension ----------------------------------------------
 */

static void sum_by_moments(struct parzen *p, const struct parzen_points *points,
                           double *out)
{
    double *sum = mem_grow(NULL, points->row, sizeof(*sum));
    parzen_sum_moments(p, points->row, points->at[0].left, sum);
    memcpy(out, sum, points->n * sizeof(*out));
    free(sum);
}

/* --- choices alone ---------------------------------------------------------
 */

static void sum_choices(const struct parzen *p,
                        const struct parzen_points *points, double *out)
{
    const double **table = mem_grow(NULL, p->n_dims, sizeof(*table));
    const uint32_t **id = mem_grow(NULL, p->n_dims, sizeof(*id));
    double *sum = mem_grow(NULL, points->row, sizeof(*sum));
    for (size_t i = 0; i < p->n_dims; i++) {
        table[i] = points->at[i].odds;
        id[i] = p->dims[i].id;
    }
    density_best()->choices(p->n_kernels, p->weight, p->n_dims, id, table,
                            points->row, sum);
    memcpy(out, sum, points->n * sizeof(*out));
    free(sum);
    free(id);
    free(table);
}

void parzen_sums(struct parzen *p, size_t n, const double *x, double *out)
{
    struct parzen_points points;
    parzen_points_init(&points, p, n, x);
    if (p->n_choices == p->n_dims) {
        sum_choices(p, &points, out);
    } else if (parzen_has_moments(p)) {
        sum_by_moments(p, &points, out);
    } else if (p->near == NULL && parzen_are_near(p, &points)) {
        sum_all(p, &points, out);
    } else {
        parzen_want_near(p);
        sum_near(p, &points, out);
    }
    parzen_points_fini(&points);
}
