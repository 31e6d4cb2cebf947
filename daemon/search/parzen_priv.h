/* parzen_priv: the estimator's inside, shared by parzen.c (building, drawing),
 * parzen_bandwidth.c and parzen_pdf.c (densities). */
#ifndef DAEMON_SEARCH_PARZEN_PRIV_H
#define DAEMON_SEARCH_PARZEN_PRIV_H
#include "daemon/search/density.h"
#include "daemon/search/parzen.h"

/* Continuous dimensions have mu, sigma by kernel. The others repeat few
 * different kernels, which have numbers: id by kernel, the rest by id. A
 * categorical dimension's ids are the choices, n_choices the prior. */
struct parzen_dim {
    const struct dist *dist;
    double lo, hi; /* widened by half a step, then ln: optuna.md 1.5 */
    bool is_continuous;
    double sigma_min; /* what a bandwidth is clipped to */
    double *mu, *sigma;
    double *inv_mass; /* stepped: 1 / that of [lo, hi] */
    double *by_id;    /* mu, sigma, inv_mass of a stepped one; owned */
    uint32_t *id;     /* NULL when continuous */
    size_t n_ids;
    double hit, miss, prior; /* categorical: optuna.md 1.6 */
};

struct parzen {
    size_t n_kernels;
    double prior_weight;
    bool has_magic_clip;
    size_t n_dims, n_cont; /* n_cont: continuous ones */
    struct parzen_dim *dims;
    double *weight;
    double log_scale; /* ln of what all kernels' scale was divided by */
    double *scale, *expo;
    double max_scale;
    /* parzen_log_pdf's: what density_kernels points to, and its memory */
    const double **mu, **sigma; /* of the continuous dimensions */
    const uint32_t **id;        /* of the others */
    const uint8_t **has_piece;  /* of the same */
    double **tables;            /* of the same */
    size_t max_points;
    double *work; /* in the arena */
    double *arena;
};

static inline uint32_t parzen_number(const struct parzen_rows *rows, size_t i)
{
    return rows->number != NULL ? rows->number[i] : (uint32_t)i;
}

struct parzen_bounds {
    double first, last; /* beyond the first and the last observation; an
                           infinity inwards: it has one neighbour */
    double least, most; /* what a bandwidth is clipped to */
};
/* By kernel, of the rows->n observations. */
void parzen_centres(const struct parzen_rows *rows,
                    const struct parzen_column *column, double *mu);
void parzen_bandwidths(const struct parzen_rows *rows,
                       const struct parzen_column *column,
                       const struct parzen_bounds *b, double *sigma);

/* How many numbers parzen_log_pdf works with, at most. */
size_t parzen_work_size(const struct parzen *p);

/* Length of a row by point, with its padding. */
static inline size_t parzen_row_size(size_t n_points)
{
    return (n_points + DENSITY_POINTS - 1) / DENSITY_POINTS * DENSITY_POINTS;
}

#endif
