/* parzen: the Parzen estimator of TPE: a mixture of one product kernel per
 * observation and one prior kernel, over any mix of dimensions.
 *
 * Formulas and their order: optuna.md 1.5 to 1.8, shared with Optuna 5.
 * Kernels are numbered as the observations are (by trial), the prior last. A
 * point has one value per dimension in internal representation (space.h). */
#ifndef DAEMON_SEARCH_PARZEN_H
#define DAEMON_SEARCH_PARZEN_H
#include "core/base/rng.h"
#include "core/spec/space.h"

struct parzen;

struct parzen_options {
    double prior_weight;
    bool consider_magic_clip;
    bool consider_endpoints;
};

/* The n observations, as a selection of numbered ones. */
struct parzen_rows {
    size_t n;
    const uint32_t *number; /* of the i-th; NULL: i */
    const uint32_t *place;  /* by number: the i, or UINT32_MAX; NULL: itself */
    const uint32_t *out;    /* the n_out numbers that are none; with place */
    size_t n_out;
};

/* One dimension's observations by number. Of those selected: finite; the
 * logarithm already taken when dist->log; a choice's index when categorical.
 * order: numbers by (at, number), all selected ones among them; a NaN stands as
 * -inf. gap: by number, to the farther of the two neighbours in the order, the
 * only one at its ends; what is not finite stands beside numbers that are not
 * selected. NULL, both: sorted here by insertion, for few; else rows have a
 * place. */
struct parzen_column {
    const struct dist *dist; /* not single-valued */
    const double *at;
    const uint32_t *order;
    const double *gap;
    size_t n_order;
};

/* Borrows the distributions for the estimator's life, the rest until return. */
struct parzen *parzen_new(const struct parzen_options *options,
                          const struct parzen_rows *rows,
                          const struct parzen_column *columns, size_t n_dims,
                          size_t max_points);
void parzen_free(struct parzen *p);

/* Draw n points: x[dim * n + i]. Order of the draws: optuna.md 1.8. */
void parzen_sample(const struct parzen *p, struct rng *rng, size_t n,
                   double *x);
/* Log densities of n <= max_points points laid out as parzen_sample does. */
void parzen_log_pdf(struct parzen *p, size_t n, const double *x, double *out);
/* The same to as many digits as tell most points apart, where that is quicker.
 * Returns what it may be off by. */
double parzen_log_pdf_rough(struct parzen *p, size_t n, const double *x,
                            double *out);
/* The same for one point, in log space throughout and in Optuna's order of
 * operations; slow. x has one value per dimension. */
double parzen_log_pdf_exact(const struct parzen *p, const double *x);
/* How far, by its rounding, that may be from the density as defined: little,
 * but where a step is a tiny part of the range, as Optuna's is (4e-6 for an int
 * 0 .. 2^31). Depends on the distributions alone. */
double parzen_exact_error(const struct parzen *p);

/* --- for inspection ---------------------------------------------------------
 */
size_t parzen_n_kernels(const struct parzen *p);
double parzen_weight(const struct parzen *p, size_t kernel);
/* Of a numerical dimension; in log space when the dimension is log. */
double parzen_mu(const struct parzen *p, size_t dim, size_t kernel);
double parzen_sigma(const struct parzen *p, size_t dim, size_t kernel);
/* Probability of a choice under a categorical kernel. */
double parzen_choice(const struct parzen *p, size_t dim, size_t kernel,
                     size_t choice);

#endif
