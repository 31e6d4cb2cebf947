/* density: sums of product kernels: TPE's inner loops.
 *
 * A kernel's term at a point is
 *
 *   scale * 2^(expo - log2 e / 2 sum_d z[d]^2) * prod_t mass[t] prod_u odds[u]
 *
 * with d over continuous, t over stepped and u over categorical dimensions, and
 * z[d] = (y[d] - mu[d]) / sigma[d].
 * What is here does a part of that for many kernels, or many points, at once.
 * In linear space: a sum that under- or overflows is the caller's to recompute.
 * Variants differ in vector width only. A sum's relative error is below
 * DENSITY_ERROR, and so are those of whatever its callers put into it
 * together. */
#ifndef DAEMON_SEARCH_DENSITY_H
#define DAEMON_SEARCH_DENSITY_H
#include <stddef.h>
#include <stdint.h>

enum {
    DENSITY_PAD = 8,         /* arrays by kernel have a multiple of it */
    DENSITY_POINTS = 24,     /* rows by point have a multiple of it */
    DENSITY_SCREENED = 5,    /* dimensions that a screen may have */
    DENSITY_SCREEN_PAD = 16, /* so much follows its kernels */
    DENSITY_ROUGH_PAD = 64,  /* kernels in floats are a multiple of it */
    DENSITY_MOMENTS = 16,    /* of a cell */
    DENSITY_CELLS = 3        /* in a sigma */
};

#define DENSITY_ERROR 1e-10

/* An interval of fewer sigmas is narrow: its mass, as the difference of two
 * tails, would lose the digits that these have in common. The difference's
 * relative error is about 2^-52 (1 + |z|) / h, the series' is (z h)^4 / 1920:
 * at this h both are below 1.2e-11 up to |z| = 22, farther than which a sum
 * above 1e-100 does not come from. */
#define DENSITY_NARROW 0x1p-11

/* So many sigmas from its centre a kernel has less than 1e-16 left. */
#define DENSITY_REACH 8.3

/* Kernels in some order, as few bytes: to tell which ones matter to a point. In
 * units of a dimension's range. */
struct density_screen {
    size_t n_dims;
    const float *mu[DENSITY_SCREENED];
    const float *inv[DENSITY_SCREENED]; /* sqrt(log2 e / 2) / sigma */
    const float *expo;
    const uint32_t *kernel; /* their numbers */
};

/* Centres of kernels of one bandwidth, in one dimension, by cell. t sigmas from
 * the middle of its cell a kernel that is h sigmas from it has
 *
 *   e^(-(t - h)^2 / 2) = e^(-t^2 / 2) sum_j t^j / j! e^(-h^2 / 2) h^j
 *
 * so a cell's kernels count, at any point, by the moments sum e^(-h^2 / 2) h^j
 * (the fast Gauss transform, Greengard and Strain 1991, with Taylor's series as
 * in Yang, Duraiswami, Gumerov and Davis 2003). |h| is at most 1/6: what is
 * left out after 16 terms is below 2e-13 of a kernel up to 6 sigmas, 1e-9
 * at 10. */
struct density_cells {
    double lo, sigma; /* the first begins at lo */
    size_t n;
    double *moment; /* by cell, then j */
    size_t row;     /* n, and DENSITY_PAD or more that are zero */
    double *series; /* moment / j!, by j, then cell: rows */
};

struct density_ops {
    const char *name;

    /* out[c] = sum_i scale[i] prod_t table[t][id[t][i] * n_points + c];
     * n_points is a multiple of DENSITY_POINTS. */
    void (*choices)(size_t n, const double *scale, size_t n_tables,
                    const uint32_t *const *id, const double *const *table,
                    size_t n_points, double *out);

    /* Numbers of those, from first up to end, whose exponent at the point is
     * not below floor, to out, and by how much it is above, each; how many. A
     * point is an interval by dimension: its middle and half its width. May
     * read DENSITY_SCREEN_PAD - 1 further. */
    size_t (*near)(const struct density_screen *s, size_t first, size_t end,
                   const float *middle, const float *half, float floor,
                   uint32_t *out, float *above);

    /* In all that follows n is a multiple of DENSITY_PAD, that of points of
     * DENSITY_POINTS. One point and many kernels: */

    /* expo[i] -= log2 e / 2 ((y - mu[i]) / sigma[i])^2 */
    void (*exponents)(size_t n, const double *mu, const double *sigma, double y,
                      double *expo);
    /* v[i] = 2^v[i], v[i] <= 1024 */
    void (*powers)(size_t n, double *v);
    /* out[i] = Phi((right - mu[i]) / sigma[i]) - Phi((left - mu[i]) /
     * sigma[i]), left <= right: `mass` of wide intervals, step_mass of any. */
    void (*mass)(size_t n, const double *mu, const double *sigma, double left,
                 double right, double *out);
    void (*step_mass)(size_t n, const double *mu, const double *sigma,
                      double left, double right, double *out);

    /* Put kernels into their cells' moments; a centre beyond the last cell, by
     * a rounding, is in it. */
    void (*add_moments)(const struct density_cells *cells, size_t n,
                        const double *mu, const double *scale);
    /* Their sum at a point, as far as `reach` sigmas, and a little farther. */
    double (*sum_moments)(const struct density_cells *cells, double y,
                          double reach);

    /* Some kernels, any number, and many points. Of normal densities alone, out
     * by point: out[c] += sum_i scale[i] 2^(-log2 e / 2
     * sum_d ((y[d][c] - mu[d][i]) / sigma[d][i])^2) */
    void (*block_normals)(size_t n_kernels, const double *scale, size_t n_dims,
                          const double *const *mu, const double *const *sigma,
                          size_t n_points, const double *const *y, double *out);
    /* The same at one point in floats, n a multiple of DENSITY_ROUGH_PAD, inv =
     * sqrt(log2 e / 2) / sigma. */
    float (*rough_normals)(size_t n, const float *scale, size_t n_dims,
                           const float *const *mu, const float *const *inv,
                           const float *y);
    /* Of others, a row by kernel: */
    void (*block_exponents)(size_t n_kernels, const double *mu,
                            const double *sigma, size_t n_points,
                            const double *y, double *expo);
    /* The same as step_mass, of one kernel. */
    void (*row_mass)(size_t n_points, double mu, double sigma,
                     const double *left, const double *right, double *out);
    /* out[c] += sum_i scale[i] term[i * n_points + c] */
    void (*block_sum)(size_t n_kernels, const double *scale, size_t n_points,
                      const double *term, double *out);
};

/* The fastest variant of this processor. */
const struct density_ops *density_best(void);
/* The i-th variant that this processor runs; NULL: no more. */
const struct density_ops *density_variant(size_t i);

#endif
