/* parzen_priv: the estimator's inside, shared by parzen.c (building, drawing)
 * and parzen_pdf.c (densities). */
#ifndef DAEMON_SEARCH_PARZEN_PRIV_H
#define DAEMON_SEARCH_PARZEN_PRIV_H
#include "daemon/search/density.h"
#include "daemon/search/parzen.h"

/* Continuous dimensions have mu, sigma, inv by kernel. The others repeat few
 * different kernels, which have numbers: id by kernel, the rest by id. A
 * categorical dimension's ids are the choices, n_choices the prior. */
struct parzen_dim {
    const struct dist *dist;
    double lo, hi; /* widened by half a step, then ln: optuna.md 1.5 */
    bool is_continuous;
    double *mu, *sigma, *inv;
    double *mass; /* of [lo, hi]; by id */
    uint32_t *id; /* NULL when continuous */
    size_t n_ids;
    double hit, miss, prior; /* categorical: optuna.md 1.6 */
};

struct parzen {
    size_t n_kernels;
    double prior_weight;
    size_t n_dims;
    struct parzen_dim *dims;
    double *weight;
    double log_scale; /* ln of what all kernels' scale was divided by */
    double *scale, *expo;
    const double **mu, **inv; /* of the continuous dimensions */
    const uint32_t **id;      /* of the others */
    const double **tables;    /* of the same; parzen_log_pdf's */
    struct density_kernels kernels;
    double *arena;
    uint32_t *id_arena;
    size_t max_points;
    double *work; /* parzen_log_pdf's, in the arena */
};

/* Length of a row by point, with its padding. */
static inline size_t parzen_row_size(size_t n_points)
{
    return (n_points + DENSITY_POINTS - 1) / DENSITY_POINTS * DENSITY_POINTS;
}

#endif
