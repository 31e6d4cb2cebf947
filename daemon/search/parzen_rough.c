/* parzen_rough: densities in floats, to three digits: enough to tell which of
 * some points is the best, but for the few that are next to it. Where most
 * kernels matter to most points, of continuous dimensions, that is the largest
 * part of a suggestion. */
#include "core/base/mem.h"
#include "daemon/search/parzen_priv.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256 }; /* kernels: a few KiB by dimension */

/* A sum, in units of the largest scale. Kernels are left out where they are
 * below 2^-100 of their height, or where that is no float: up to 10^6 of them
 * are 1e-4 of such a sum, and less of any larger one. */
static const double SUM_MIN = 1e-20;
static const double UNIT_MIN = 1e-250, UNIT_MAX = 1e250;

/* Rows of a block of kernels, in units of the largest scale, and the points, in
 * units of the ranges. */
struct rough {
    size_t n_dims;
    double unit;
    float *scale, *memory;
    float **mu, **inv; /* by dimension; inv: sqrt(log2 e / 2) / sigma */
    float *y;          /* by point, then dimension */
};

static double largest_scale(const struct parzen *p)
{
    double largest = 0.0;
    for (size_t i = 0; i < p->n_kernels; i++) {
        largest = p->scale[i] > largest ? p->scale[i] : largest;
    }
    return largest;
}

static void put_points(struct rough *r, const struct parzen *p,
                       const struct parzen_points *points)
{
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        for (size_t c = 0; c < points->n; c++) {
            double at = points->at[i].left[c] - d->lo;
            r->y[c * p->n_dims + i] = (float)(at / (d->hi - d->lo));
        }
    }
}

static void rough_init(struct rough *r, const struct parzen *p,
                       const struct parzen_points *points)
{
    size_t n = p->n_dims;
    *r = (struct rough){
        .n_dims = n,
        .unit = largest_scale(p),
        .memory =
            mem_grow(NULL, (1 + 2 * n) * BLOCK + n * points->n, sizeof(float)),
        .mu = mem_grow(NULL, 2 * n, sizeof(*r->mu)),
    };
    r->scale = r->memory;
    r->inv = r->mu + n;
    for (size_t i = 0; i < n; i++) {
        r->mu[i] = r->memory + (1 + 2 * i) * BLOCK;
        r->inv[i] = r->mu[i] + BLOCK;
    }
    r->y = r->memory + (1 + 2 * n) * BLOCK;
    put_points(r, p, points);
}

static void rough_fini(struct rough *r)
{
    free(r->mu);
    free(r->memory);
}

/* Those from `first` on, and more that have no scale: as many as a vector
 * takes. Returns how many that makes. */
static size_t put_kernels(struct rough *r, const struct parzen *p, size_t first,
                          size_t n)
{
    const double sqrt_half_log2e = 0.84932180028801904272;
    size_t row =
        (n + DENSITY_ROUGH_PAD - 1) / DENSITY_ROUGH_PAD * DENSITY_ROUGH_PAD;
    for (size_t k = 0; k < row; k++) {
        r->scale[k] = k < n ? (float)(p->scale[first + k] / r->unit) : 0.0f;
    }
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        const double *mu = d->mu + first, *sigma = d->sigma + first;
        const double range = d->hi - d->lo, per_range = 1.0 / range;
        for (size_t k = 0; k < n; k++) {
            r->mu[i][k] = (float)((mu[k] - d->lo) * per_range);
            r->inv[i][k] = (float)(sqrt_half_log2e * range / sigma[k]);
        }
        for (size_t k = n; k < row; k++) {
            r->mu[i][k] = r->inv[i][k] = 0.0f;
        }
    }
    return row;
}

/* false: a sum is none that floats have. */
static bool sum_rough(struct parzen *p, const struct parzen_points *points,
                      double *out)
{
    struct rough r;
    parzen_set_scales(p);
    rough_init(&r, p, points);
    memset(out, 0, points->n * sizeof(*out));
    for (size_t first = 0; first < p->n_kernels; first += BLOCK) {
        size_t left = p->n_kernels - first;
        size_t n = put_kernels(&r, p, first, left < BLOCK ? left : BLOCK);
        for (size_t c = 0; c < points->n; c++) {
            out[c] += (double)density_best()->rough_normals(
                n, r.scale, r.n_dims, (const float *const *)r.mu,
                (const float *const *)r.inv, r.y + c * r.n_dims);
        }
    }
    rough_fini(&r);
    bool has_all = r.unit > UNIT_MIN && r.unit < UNIT_MAX;
    for (size_t c = 0; c < points->n; c++) {
        has_all = has_all && out[c] > SUM_MIN;
        out[c] *= r.unit;
    }
    return has_all;
}

bool parzen_sums_rough(struct parzen *p, size_t n, const double *x, double *out)
{
    if (!parzen_is_normal(p) || !p->has_magic_clip || p->n_kernels < BLOCK ||
        parzen_has_moments(p)) {
        return false;
    }
    struct parzen_points points;
    parzen_points_init(&points, p, n, x);
    bool is_summed = parzen_are_near(p, &points) && sum_rough(p, &points, out);
    parzen_points_fini(&points);
    return is_summed;
}
