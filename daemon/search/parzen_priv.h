/* parzen_priv: the estimator's inside, shared by parzen.c (building, drawing),
 * parzen_bandwidth.c, parzen_steps.c, parzen_near.c (which kernels matter to a
 * point), parzen_points.c, parzen_moments.c, parzen_rough.c, parzen_sum.c and
 * parzen_pdf.c (densities). */
#ifndef DAEMON_SEARCH_PARZEN_PRIV_H
#define DAEMON_SEARCH_PARZEN_PRIV_H
#include "daemon/search/density.h"
#include "daemon/search/parzen.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

struct parzen_dim {
    const struct dist *dist;
    bool is_numerical, is_continuous; /* neither: categorical */
    /* numerical */
    double lo, hi;      /* widened by half a step, then ln: optuna.md 1.5 */
    double sigma_min;   /* what a bandwidth is clipped to */
    double *mu, *sigma; /* by kernel */
    bool has_outside;   /* centres out of the bounds */
    double per_unit;    /* stepped: what a mass is multiplied by */
    /* stepped: a kernel of the smallest bandwidth on a place, in steps from
     * low, has masses that depend on the distance alone */
    size_t n_far;        /* the last place; 0: not told so */
    double *by_distance; /* 0 .. n_near; what is farther is nothing */
    size_t n_near;
    /* categorical: optuna.md 1.6 */
    uint32_t *id; /* the choice by kernel; the prior's: n_choices */
    double hit, miss, prior;
};

struct parzen_near;

/* All that is by kernel is padded, and in the arena. */
struct parzen {
    size_t n_kernels, max_points;
    double prior_weight;
    bool has_magic_clip;
    size_t n_dims, n_cont, n_choices; /* continuous, categorical ones */
    struct parzen_dim *dims;
    double *weight;
    double *scale; /* what a kernel's term is multiplied by: its weight, and the
                      norms of its densities; NaN until wanted */
    double *expo;  /* log2 of more of that, where a centre is out of the bounds
                      and the norm may overflow; NULL: nowhere; owned */
    double log_scale; /* ln of what all terms were multiplied by */
    double floor;     /* a lower exponent is nothing beside the prior's */
    double reach;     /* so many sigmas from a centre it is lower */
    double least_sum; /* a lower sum may have lost terms that count */
    struct parzen_near *near; /* NULL until wanted */
    double *arena, *rest;     /* rest: of the arena, for what is wanted later */
};

static inline bool parzen_is_within(const struct parzen_dim *d, double mu)
{
    return mu >= d->lo && mu <= d->hi;
}

/* A density is counted in a unit between those of the narrowest kernel and the
 * prior's, so that products over dimensions stay near 1; so is a mass
 * (parzen_dim.per_unit), and of a choice its n-fold. */
static inline double parzen_unit(const struct parzen_dim *d)
{
    return sqrt(d->sigma_min) * sqrt(d->hi - d->lo);
}

static inline uint32_t parzen_number(const struct parzen_rows *rows, size_t i)
{
    return rows->number != NULL ? rows->number[i] : (uint32_t)i;
}

/* Arrays by kernel have so many. */
static inline size_t parzen_padded(size_t n)
{
    return (n + DENSITY_PAD - 1) / DENSITY_PAD * DENSITY_PAD;
}

/* --- bandwidths: parzen_bandwidth.c --- */

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

/* --- steps: parzen_steps.c --- */

/* The interval that rounds to x, in the kernels' space. */
void parzen_step_interval(const struct dist *dist, double x, double *left,
                          double *right);
/* The place that v is, in steps from low; -1: it is none of 0 .. n_far. */
ptrdiff_t parzen_step_place(const struct parzen_dim *d, double v);
/* Most kernels of many have the smallest bandwidth. Then the mass of a step's
 * interval depends on its distance from the centre alone, and there are fewer
 * distances than pairs of kernels and points. Returns the largest distance, 0
 * when masses are not to be had so. */
size_t parzen_n_distances(const struct parzen *p, const struct parzen_dim *d);
/* by_distance, for n_far + 1 of which there is room, as far as `reach` sigmas.
 */
void parzen_set_distances(struct parzen_dim *d, double reach);
/* ln of what of a kernel lies in an interval, in Optuna's order of operations.
 */
double parzen_log_mass(const struct parzen_dim *d, size_t kernel, double left,
                       double right);
/* The same where the difference of a narrow interval's tails would cancel: by
 * density.h's series, to 5e-12. */
double parzen_log_step_mass(const struct parzen_dim *d, size_t kernel,
                            double left, double right);

/* --- which kernels: parzen_near.c --- */

enum { PARZEN_LOT = 128, PARZEN_LOT_MAX = 2 * PARZEN_LOT };

/* A numerical coordinate of a point, in the kernels' space: of a continuous
 * dimension left = right, of a stepped one the interval that rounds to it. */
struct parzen_at {
    double left, right;
    ptrdiff_t place; /* stepped: in steps from low; -1: none of these */
};

/* By how much a kernel's exponent is lower at the coordinate than at its
 * centre; 0 when distance does not tell. */
static inline double parzen_loss(const struct parzen_dim *d,
                                 const struct parzen_at *at, size_t kernel)
{
    const double half_log2e = 0.72134752044448170368;
    double mu = d->mu[kernel];
    double away = mu > at->right ? mu - at->right : at->left - mu;
    if (away <= 0.0 || !parzen_is_within(d, mu)) {
        return 0.0;
    }
    double z = away / d->sigma[kernel];
    return half_log2e * z * z;
}

/* --- points: parzen_points.c --- */

/* Points by coordinate, rows of `row`; the padding is of the first point. */
struct parzen_coordinate {
    double *left, *right; /* numerical: see struct parzen_at */
    ptrdiff_t *place;     /* stepped: from low; -1, all: one is on none */
    double *odds;         /* categorical: a row by id */
};

struct parzen_points {
    size_t n, row;
    struct parzen_coordinate *at; /* by dimension */
    double *memory;
};

/* Of x[dim * n + i]. */
void parzen_points_init(struct parzen_points *points, const struct parzen *p,
                        size_t n, const double *x);
void parzen_points_fini(struct parzen_points *points);
/* The c-th's numerical coordinates: at[dim]. */
void parzen_point_at(const struct parzen *p, const struct parzen_points *points,
                     size_t c, struct parzen_at *at);

/* How many doubles it takes in the arena; 0: p has no numerical dimension. */
size_t parzen_near_size(const struct parzen *p);
/* Make p->near, of a p with a numerical dimension, when it is not there. */
void parzen_want_near(struct parzen *p);
void parzen_near_free(struct parzen_near *near);

struct parzen_walk {
    const struct parzen *p;
    const struct parzen_at *at;
    unsigned octave;   /* the next */
    size_t first, end; /* what is left of a run */
    float middle[DENSITY_SCREENED], half[DENSITY_SCREENED];
};
void parzen_walk_init(struct parzen_walk *w, const struct parzen *p,
                      const struct parzen_at *at);
/* The next kernels that may count at the point: how many, 0 at the end. */
size_t parzen_walk_next(struct parzen_walk *w, uint32_t kernel[PARZEN_LOT_MAX]);

/* --- many kernels of one continuous dimension: parzen_moments.c --- */

bool parzen_has_moments(const struct parzen *p);
/* sum[c] at y[c], in the kernels' space, of a p that has them. n_points is a
 * multiple of DENSITY_POINTS. */
void parzen_sum_moments(struct parzen *p, size_t n_points, const double *y,
                        double *sum);

/* --- sums: parzen_sum.c --- */

/* parzen_log_pdf's, before ln and log_scale. */
void parzen_sums(struct parzen *p, size_t n, const double *x, double *out);
/* All of p->scale. */
void parzen_set_scales(struct parzen *p);
/* Do most kernels matter to most points, as some of both tell? */
bool parzen_are_near(const struct parzen *p,
                     const struct parzen_points *points);
/* Continuous dimensions alone, no centre out of the bounds. */
static inline bool parzen_is_normal(const struct parzen *p)
{
    return p->n_cont == p->n_dims && p->expo == NULL;
}

/* --- in floats: parzen_rough.c --- */

/* To PARZEN_ROUGH by dimension; false: not where that is quicker, or where
 * floats are too narrow. A coordinate and a centre in units of the range are
 * off by 2^-25, a bandwidth is at least a hundredth, and an exponent counts
 * down to -100: by its dimensions' distances it is off by at most
 * 2 sqrt(100) 2^-24 85 = 1e-4, times ln 2. The rest is for the rounding of
 * squares and sums (2^-17 at 100, each), and for what is left out. */
#define PARZEN_ROUGH 2e-4
bool parzen_sums_rough(struct parzen *p, size_t n, const double *x,
                       double *out);

#endif
