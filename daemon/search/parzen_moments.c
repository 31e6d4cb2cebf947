/* parzen_moments: the density of one continuous dimension, whose many kernels
 * have, nearly all, the smallest bandwidth: that is what the clip is for. These
 * count by the moments of cells of their centres (density.h), which cost a
 * kernel a few operations, however many points there are; the few wider ones
 * are summed one by one. */
#include "core/base/mem.h"
#include "daemon/search/parzen_priv.h"

#include <stdlib.h>
#include <string.h>

/* The clip is a hundredth of the range, or more. */
enum { SIGMAS_MAX = 100, CELLS_MAX = SIGMAS_MAX * DENSITY_CELLS + 1 };

/* How far a cell's kernels may matter: farther than where the series ends. */
static const double REACH_MAX = 10.0;

bool parzen_has_moments(const struct parzen *p)
{
    enum { MANY = 200 }; /* for fewer, cells cost more than kernels */
    return p->n_dims == 1 && p->n_cont == 1 && p->n_kernels > MANY &&
           p->has_magic_clip && !p->dims[0].has_outside &&
           p->reach <= REACH_MAX;
}

static void set_scales(struct parzen *p)
{
    const struct parzen_dim *d = &p->dims[0];
    const double unit = parzen_unit(d);
    density_best()->mass(parzen_padded(p->n_kernels), d->mu, d->sigma, d->lo,
                         d->hi, p->scale);
    for (size_t k = 0; k < p->n_kernels; k++) {
        p->scale[k] = p->weight[k] * unit / (d->sigma[k] * p->scale[k]);
    }
    for (size_t k = p->n_kernels; k < parzen_padded(p->n_kernels); k++) {
        p->scale[k] = 0.0;
    }
}

/* --- the smallest bandwidth ------------------------------------------------
 */

static void cells_init(struct density_cells *cells, const struct parzen_dim *d)
{
    double n = ceil((d->hi - d->lo) / d->sigma_min * DENSITY_CELLS);
    *cells = (struct density_cells){
        .lo = d->lo,
        .sigma = d->sigma_min,
        .n = n < CELLS_MAX ? (size_t)n : CELLS_MAX,
        .row = parzen_padded(CELLS_MAX) + DENSITY_PAD,
    };
    size_t n_moments = cells->n * DENSITY_MOMENTS;
    cells->moment = mem_alloc(n_moments + DENSITY_MOMENTS * cells->row,
                              sizeof(*cells->moment));
    cells->series = cells->moment + n_moments;
}

static void set_series(struct density_cells *cells)
{
    double factor = 1.0;
    for (size_t j = 0; j < DENSITY_MOMENTS; j++) {
        factor /= j > 1 ? (double)j : 1.0;
        for (size_t c = 0; c < cells->n; c++) {
            cells->series[j * cells->row + c] =
                factor * cells->moment[c * DENSITY_MOMENTS + j];
        }
    }
}

/* --- the others ------------------------------------------------------------
 */

struct kernels {
    size_t n;
    double *mu, *sigma, *scale;
};

/* Take those out of p->scale that are wider. */
static struct kernels take_wider(struct parzen *p)
{
    const struct parzen_dim *d = &p->dims[0];
    size_t n = p->n_kernels;
    struct kernels wide = {.mu = mem_grow(NULL, 3 * n, sizeof(double))};
    wide.sigma = wide.mu + n;
    wide.scale = wide.sigma + n;
    for (size_t k = 0; k < n; k++) {
        bool is_wide = d->sigma[k] > d->sigma_min;
        wide.mu[wide.n] = d->mu[k];
        wide.sigma[wide.n] = d->sigma[k];
        wide.scale[wide.n] = p->scale[k];
        wide.n += is_wide;
        p->scale[k] = is_wide ? 0.0 : p->scale[k];
    }
    return wide;
}

void parzen_sum_moments(struct parzen *p, size_t n_points, const double *y,
                        double *sum)
{
    const struct density_ops *ops = density_best();
    struct density_cells cells;
    set_scales(p);
    struct kernels wide = take_wider(p);
    cells_init(&cells, &p->dims[0]);
    ops->add_moments(&cells, parzen_padded(p->n_kernels), p->dims[0].mu,
                     p->scale);
    set_series(&cells);
    for (size_t c = 0; c < n_points; c++) {
        sum[c] = ops->sum_moments(&cells, y[c], p->reach);
    }
    ops->block_normals(wide.n, wide.scale, 1, (const double *const *)&wide.mu,
                       (const double *const *)&wide.sigma, n_points, &y, sum);
    free(wide.mu);
    free(cells.moment);
}
