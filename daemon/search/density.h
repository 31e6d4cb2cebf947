/* density: sums of product kernels at many points: TPE's inner loop.
 *
 *   out[c] = sum_i scale[i] * 2^(expo[i] - log2 e / 2 sum_d z[d,i,c]^2)
 *                           * prod_t table[t][id[t,i], c]
 *   z[d,i,c] = (y[d,c] - mu[d,i]) / sigma[d,i]
 *
 * i counts kernels, c points, d continuous and t tabulated dimensions. Points
 * are the vectors' lanes: kernels stream past them once. In linear space: a sum
 * that under- or overflows is the caller's to recompute. Variants differ in
 * vector width only. A sum's relative error is below DENSITY_ERROR, and so are
 * those of whatever its callers put into it together. */
#ifndef DAEMON_SEARCH_DENSITY_H
#define DAEMON_SEARCH_DENSITY_H
#include <stddef.h>
#include <stdint.h>

enum {
    DENSITY_PAD = 8,     /* arrays by kernel have a multiple of it */
    DENSITY_POINTS = 24, /* rows by point have a multiple of it */
    DENSITY_PIECE = 8    /* so many points of a row are made at a time */
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

struct density_kernels {
    size_t n;
    size_t n_cont, n_table;
    double floor; /* a kernel may be left out at points where its 2^ has a lower
                     exponent; -inf: nowhere */
    const double *scale, *expo;
    const double *const *mu, *const *sigma; /* n_cont arrays by kernel */
    const uint32_t *const *id;              /* n_table arrays by kernel */
    /* Of the tables, by id and piece of its row: is it there? fill makes one,
     * by its first point, that is wanted and is not, and notes it. NULL: all
     * are.
     */
    const uint8_t *const *has_piece;
    void (*fill)(void *ctx, size_t t, uint32_t id, size_t point);
    void *ctx;
};

struct density_ops {
    const char *name;
    /* n_points is a multiple of DENSITY_POINTS, all of y and table finite.
     * y: n_cont rows; table: n_table tables with a row per id. */
    void (*sum)(const struct density_kernels *k, size_t n_points,
                const double *y, const double *const *table, double *out);
    /* out[i] = Phi((right - mu[i]) / sigma[i]) - Phi((left - mu[i]) /
     * sigma[i]), left <= right; n is a multiple of DENSITY_PAD. */
    void (*mass)(size_t n, const double *mu, const double *sigma, double left,
                 double right, double *out);
    /* The same for one kernel, inv = 1 / sigma, and n_points intervals, times
     * scale; n_points is a multiple of DENSITY_PIECE. */
    void (*row)(size_t n_points, double mu, double inv, double scale,
                const double *left, const double *right, double *out);
};

/* The fastest variant of this processor. */
const struct density_ops *density_best(void);
/* The i-th variant that this processor runs; NULL: no more. */
const struct density_ops *density_variant(size_t i);

#endif
