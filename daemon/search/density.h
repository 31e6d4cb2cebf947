/* density: sums of product kernels at many points: TPE's inner loop.
 *
 *   out[c] = sum_i scale[i] * exp(expo[i] - 1/2 sum_d z[d,i,c]^2)
 *                           * prod_t table[t,c][id[t,i]]
 *   z[d,i,c] = (y[d,c] - mu[d,i]) * inv[d,i]
 *
 * i counts kernels, c points, d continuous and t tabulated dimensions. In
 * linear space: a sum that under- or overflows is the caller's to recompute.
 * Variants differ in vector width only; relative error below 1e-13. */
#ifndef DAEMON_SEARCH_DENSITY_H
#define DAEMON_SEARCH_DENSITY_H
#include <stddef.h>
#include <stdint.h>

enum { DENSITY_PAD = 8 }; /* arrays by kernel have a multiple of it */

struct density_kernels {
    size_t n; /* padded: kernels added for that have scale 0 and finite rest */
    size_t n_cont, n_table;
    const double *scale, *expo;
    const double *const *mu, *const *inv; /* n_cont arrays */
    const uint32_t *const *id;            /* n_table arrays */
};

struct density_ops {
    const char *name;
    /* y: n_cont x n_points. table: n_table x n_points pointers. */
    void (*sum)(const struct density_kernels *k, size_t n_points,
                const double *y, const double *const *table, double *out);
    /* out[i] = Phi((right - mu[i]) * inv[i]) - Phi((left - mu[i]) * inv[i]),
     * left <= right; n is a multiple of DENSITY_PAD. */
    void (*mass)(size_t n, const double *mu, const double *inv, double left,
                 double right, double *out);
};

/* The fastest variant of this processor. */
const struct density_ops *density_best(void);
/* The i-th variant that this processor runs; NULL: no more. */
const struct density_ops *density_variant(size_t i);

#endif
