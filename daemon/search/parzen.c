#include "daemon/search/parzen.h"

#include "core/base/mem.h"
#include "daemon/search/numpy_math.h"
#include "daemon/search/parzen_priv.h"
#include "daemon/search/truncnorm.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_FLAT_WEIGHTS = 25 }; /* the newest observations, all of weight 1 */
static const double SIGMA_MIN = 1e-12; /* without the magic clip */

/* --- storage -------------------------------------------------------------- */

static double *carve(double **at, size_t n)
{
    double *v = *at;
    *at += n;
    return v;
}

/* What is by kernel is in one block: a block that is by far the largest goes
 * back to the allocator's heap and comes from there again, where several alike
 * would be given back to the system, page by page, for each suggestion. And no
 * more than is needed: of 100,000 trials it is the daemon's largest memory. */
static void allocate(struct parzen *p)
{
    enum { OWN = 2, OF_NUMERICAL = 2, PER_DOUBLE = 2 };
    size_t n = parzen_padded(p->n_kernels), n_distances = 0;
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        n_distances += d->n_far > 0 ? d->n_far + 1 : 0;
    }
    size_t n_reals = OWN + OF_NUMERICAL * (p->n_dims - p->n_choices);
    p->arena = mem_grow(NULL,
                        n * n_reals + n / PER_DOUBLE * p->n_choices +
                            n_distances + parzen_near_size(p),
                        sizeof(*p->arena));
    double *at = p->arena;
    p->weight = carve(&at, n);
    p->scale = carve(&at, n);
    for (size_t i = 0; i < p->n_dims; i++) {
        struct parzen_dim *d = &p->dims[i];
        if (d->is_numerical) {
            d->mu = carve(&at, n);
            d->sigma = carve(&at, n);
        } else {
            d->id = (uint32_t *)carve(&at, n / PER_DOUBLE);
        }
        if (d->n_far > 0) {
            d->by_distance = carve(&at, d->n_far + 1);
        }
    }
    p->rest = at;
}

void parzen_free(struct parzen *p)
{
    if (p == NULL) {
        return;
    }
    free(p->dims);
    parzen_near_free(p->near);
    free(p->expo);
    free(p->arena);
    free(p);
}

/* --- weights -------------------------------------------------------------- */

/* Ones for the newest, before them a ramp from 1/n to 1: optuna.md 1.1. */
static void set_weights(struct parzen *p)
{
    size_t n = p->n_kernels - 1;
    size_t n_ramp = n > N_FLAT_WEIGHTS ? n - N_FLAT_WEIGHTS : 0;
    double first = n != 0 ? 1.0 / (double)n : 0.0;
    double step = n_ramp > 1 ? (1.0 - first) / (double)(n_ramp - 1) : 0.0;
    for (size_t i = 0; i < n_ramp; i++) {
        p->weight[i] = (double)i * step + first;
    }
    for (size_t i = n_ramp > 1 ? n_ramp - 1 : n_ramp; i < n; i++) {
        p->weight[i] = 1.0; /* the ramp's end, too */
    }
    p->weight[n] = n != 0 ? p->prior_weight : 1.0;
    double sum = numpy_sum(p->weight, p->n_kernels);
    for (size_t i = 0; i <= n; i++) {
        p->weight[i] /= sum;
    }
}

/* --- numerical dimensions --------------------------------------------------
 */

static void set_bounds(struct parzen_dim *d)
{
    double half = d->dist->step / 2.0;
    d->lo = d->dist->low - half;
    d->hi = d->dist->high + half;
    if (d->dist->log) {
        d->lo = log(d->lo);
        d->hi = log(d->hi);
    }
}

/* The prior's kernel is as wide as the range; so is the padding. */
static void set_kernels(const struct parzen *p, struct parzen_dim *d,
                        const struct parzen_options *options,
                        const struct parzen_rows *rows,
                        const struct parzen_column *column)
{
    size_t n = rows->n;
    double range = d->hi - d->lo;
    double n_min = fmin(100.0, (double)n + 2.0);
    bool has_ends = options->consider_endpoints || n < 2;
    const struct parzen_bounds bounds = {
        .first = has_ends ? d->lo : (double)INFINITY,
        .last = has_ends ? d->hi : -(double)INFINITY,
        .least = options->consider_magic_clip ? range / n_min : SIGMA_MIN,
        .most = range,
    };
    d->sigma_min = fmin(bounds.least, bounds.most);
    parzen_bandwidths(rows, column, &bounds, d->sigma);
    parzen_centres(rows, column, d->mu);
    for (size_t k = n; k < parzen_padded(p->n_kernels); k++) {
        d->mu[k] = 0.5 * (d->lo + d->hi);
        d->sigma[k] = range;
    }
}

static bool has_outside(const struct parzen_dim *d, size_t n)
{
    double least = d->lo, most = d->hi;
    for (size_t k = 0; k < n; k++) { /* fmin is a call */
        least = d->mu[k] < least ? d->mu[k] : least;
        most = d->mu[k] > most ? d->mu[k] : most;
    }
    return least < d->lo || most > d->hi;
}

/* The mass within of a centre outside may underflow: of a continuous
 * dimension's it goes into the exponent. */
static void set_exponents(struct parzen *p, const struct parzen_dim *d)
{
    if (!d->is_continuous || !d->has_outside) {
        return;
    }
    if (p->expo == NULL) {
        p->expo = mem_alloc(parzen_padded(p->n_kernels), sizeof(*p->expo));
    }
    for (size_t k = 0; k < p->n_kernels; k++) {
        double mu = d->mu[k], sigma = d->sigma[k];
        if (!parzen_is_within(d, mu)) {
            p->expo[k] -= M_LOG2E * truncnorm_log_mass((d->lo - mu) / sigma,
                                                       (d->hi - mu) / sigma);
        }
    }
}

/* 1 / a mass between those that the prior's kernel and the narrowest one have
 * in a step of middling width. */
static double mass_per_unit(const struct parzen_dim *d)
{
    double left[2], right[2];
    parzen_step_interval(d->dist, d->dist->low, &left[0], &right[0]);
    parzen_step_interval(d->dist, d->dist->high, &left[1], &right[1]);
    double width = sqrt(right[0] - left[0]) * sqrt(right[1] - left[1]);
    double most = fmin(1.0, 0.4 * width / d->sigma_min);
    double unit = sqrt(most) * sqrt(width / (d->hi - d->lo));
    return unit > 0.0 && isfinite(1.0 / unit) ? 1.0 / unit : 1.0;
}

static void build_numerical(struct parzen *p, struct parzen_dim *d,
                            const struct parzen_options *options,
                            const struct parzen_rows *rows,
                            const struct parzen_column *column)
{
    const double sqrt_2pi = 2.50662827463100050242;
    set_bounds(d);
    set_kernels(p, d, options, rows, column);
    d->has_outside = has_outside(d, p->n_kernels);
    set_exponents(p, d);
    if (d->is_continuous) {
        p->log_scale += log(sqrt_2pi) + log(parzen_unit(d));
    } else {
        d->per_unit = mass_per_unit(d);
        p->log_scale += log(d->per_unit);
    }
}

/* --- categorical dimensions ------------------------------------------------
 */

static void build_categorical(struct parzen *p, struct parzen_dim *d,
                              const struct parzen_rows *rows,
                              const struct parzen_column *column)
{
    size_t n = rows->n;
    double n_choices = (double)d->dist->n_choices;
    double base = p->prior_weight / (double)p->n_kernels;
    d->hit = (1.0 + base) / (1.0 + n_choices * base);
    d->miss = base / (1.0 + n_choices * base);
    d->prior = n == 0 || p->prior_weight > 0.0 ? 1.0 / n_choices : 0.0;
    p->log_scale += log(n_choices);
    for (size_t i = 0; i < n; i++) {
        d->id[i] = (uint32_t)column->at[parzen_number(rows, i)];
    }
    d->id[n] = (uint32_t)d->dist->n_choices;
}

/* --- the whole -------------------------------------------------------------
 */

/* log2 of the least that the prior's kernel, which is as wide as the ranges,
 * adds to a sum: at the ends of the ranges, for the narrowest steps. (Its norms
 * add to that.) */
static double least_of_prior(const struct parzen *p)
{
    const double density_at_half = 0.35206532676429952;
    double least = log2(p->weight[p->n_kernels - 1]);
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (!d->is_numerical) {
            least += log2(d->prior);
        } else if (d->is_continuous) {
            least += log2(parzen_unit(d) / (d->hi - d->lo)) - M_LOG2E / 8.0;
        } else {
            double left, right;
            parzen_step_interval(d->dist, d->dist->high, &left, &right);
            least += log2(density_at_half * (right - left) / (d->hi - d->lo));
        }
    }
    return least;
}

/* log2 of the most that a kernel's densities, norms and masses in a step can
 * be: at an edge, half of it lies out of the bounds; of a centre out of them,
 * all that is within may lie in one step. */
static double most_of_kernel(const struct parzen *p)
{
    const double density_at_0 = 0.39894228040143267794;
    double most = 0.0;
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            most += 1.0 + log2(parzen_unit(d) / d->sigma_min);
        } else if (d->is_numerical) {
            double left, right; /* of the widest step */
            parzen_step_interval(d->dist, d->dist->low, &left, &right);
            double mass = density_at_0 * (right - left) / d->sigma_min;
            most += d->has_outside ? 0.0 : 1.0 + fmin(log2(mass), 0.0);
        }
    }
    return most;
}

/* What is left out of a sum, in all, is less than 2^-36 of what the prior's
 * kernel adds to it: z sigmas from the centre a density is 2^(its exponent) of
 * the largest, and a mass is less. (The weights' sum is 1.) */
static void set_floor(struct parzen *p)
{
    const double nothing = -1100.0; /* 2^ that is 0 */
    double max_expo = 0.0;
    for (size_t k = 0; k < p->n_kernels && p->expo != NULL; k++) {
        max_expo = fmax(max_expo, p->expo[k]);
    }
    p->floor = least_of_prior(p) - 36.0 - most_of_kernel(p);
    p->floor = fmax(p->floor, nothing);
    p->reach = sqrt(2.0 * M_LN2 * (max_expo - p->floor));
}

/* A kernel's term is a product that may underflow, on the way to what may be
 * 2^most times as much. All of them together are then less than 1e-10 of a sum
 * from here on. */
static void set_least_sum(struct parzen *p)
{
    const double lost = -988.0; /* log2 of the least double / 1e-10 */
    double most = most_of_kernel(p) + log2((double)p->n_kernels);
    for (size_t i = 0; i < p->n_dims; i++) {
        const struct parzen_dim *d = &p->dims[i];
        most += d->is_continuous  ? 0.0
                : d->is_numerical ? log2(d->per_unit)
                                  : log2((double)d->dist->n_choices);
    }
    p->least_sum = fmax(1e-100, exp2(most + lost));
}

static void build(struct parzen *p, const struct parzen_options *options,
                  const struct parzen_rows *rows,
                  const struct parzen_column *columns)
{
    allocate(p);
    set_weights(p);
    for (size_t k = 0; k < parzen_padded(p->n_kernels); k++) {
        p->scale[k] = k < p->n_kernels ? (double)NAN : 0.0;
    }
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i].is_numerical) {
            build_numerical(p, &p->dims[i], options, rows, &columns[i]);
        } else {
            build_categorical(p, &p->dims[i], rows, &columns[i]);
        }
    }
    set_floor(p);
    set_least_sum(p);
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i].n_far > 0) {
            parzen_set_distances(&p->dims[i], p->reach);
        }
    }
}

struct parzen *parzen_new(const struct parzen_options *options,
                          const struct parzen_rows *rows,
                          const struct parzen_column *columns, size_t n_dims,
                          size_t max_points)
{
    struct parzen *p = mem_alloc(1, sizeof(*p));
    *p = (struct parzen){.n_kernels = rows->n + 1,
                         .max_points = max_points,
                         .prior_weight = options->prior_weight,
                         .has_magic_clip = options->consider_magic_clip,
                         .n_dims = n_dims,
                         .dims = mem_alloc(n_dims, sizeof(*p->dims))};
    for (size_t i = 0; i < n_dims; i++) {
        struct parzen_dim *d = &p->dims[i];
        d->dist = columns[i].dist;
        d->is_numerical = d->dist->kind != DIST_CATEGORICAL;
        d->is_continuous = d->is_numerical && d->dist->step == 0.0;
        bool is_stepped = d->is_numerical && !d->is_continuous;
        d->n_far = is_stepped ? parzen_n_distances(p, d) : 0;
        p->n_cont += d->is_continuous;
        p->n_choices += !d->is_numerical;
    }
    build(p, options, rows, columns);
    return p;
}

/* --- drawing ---------------------------------------------------------------
 */

/* n component numbers by the inverse of the weights' cumulative sum. */
static void draw_components(const struct parzen *p, struct rng *rng, size_t n,
                            uint32_t *out)
{
    size_t k = p->n_kernels;
    double *cdf = mem_grow(NULL, k, sizeof(*cdf));
    double sum = 0.0;
    for (size_t i = 0; i < k; i++) {
        cdf[i] = sum += p->weight[i];
    }
    for (size_t i = 0; i < k; i++) {
        cdf[i] /= sum;
    }
    for (size_t c = 0; c < n; c++) {
        double u = rng_double(rng);
        size_t low = 0, high = k - 1;
        while (low < high) { /* the first above u */
            size_t mid = low + (high - low) / 2;
            if (cdf[mid] <= u) {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        out[c] = (uint32_t)low;
    }
    free(cdf);
}

/* How many cumulative probabilities of the component's row are below u. */
static double draw_choice(const struct parzen *p, size_t dim, uint32_t k,
                          double u)
{
    size_t last = p->dims[dim].dist->n_choices - 1, choice = 0;
    double sum = parzen_choice(p, dim, k, 0);
    while (choice < last && sum < u) {
        choice++;
        sum += parzen_choice(p, dim, k, choice);
    }
    return (double)choice;
}

static double draw_number(const struct parzen *p, size_t dim, uint32_t k,
                          double u)
{
    const struct parzen_dim *d = &p->dims[dim];
    const struct dist *dist = d->dist;
    double mu = parzen_mu(p, dim, k), sigma = parzen_sigma(p, dim, k);
    double x = truncnorm_ppf(u, (d->lo - mu) / sigma, (d->hi - mu) / sigma);
    x = x * sigma + mu;
    if (dist->log) {
        x = exp(x);
    }
    if (dist->step != 0.0) {
        x = dist->low + rint((x - dist->low) / dist->step) * dist->step;
    }
    return fmin(fmax(x, dist->low), dist->high);
}

void parzen_sample(const struct parzen *p, struct rng *rng, size_t n, double *x)
{
    uint32_t *component = mem_grow(NULL, n, sizeof(*component));
    draw_components(p, rng, n, component);
    for (size_t d = 0; d < p->n_dims; d++) {
        for (size_t c = 0; c < n && p->dims[d].dist->kind == DIST_CATEGORICAL;
             c++) {
            x[d * n + c] = draw_choice(p, d, component[c], rng_double(rng));
        }
    }
    for (size_t d = 0; d < p->n_dims; d++) {
        for (size_t c = 0; c < n && p->dims[d].dist->kind != DIST_CATEGORICAL;
             c++) {
            x[d * n + c] = draw_number(p, d, component[c], rng_double(rng));
        }
    }
    free(component);
}

/* --- inspection ------------------------------------------------------------
 */

size_t parzen_n_kernels(const struct parzen *p)
{
    return p->n_kernels;
}

double parzen_weight(const struct parzen *p, size_t kernel)
{
    return p->weight[kernel];
}

double parzen_mu(const struct parzen *p, size_t dim, size_t kernel)
{
    return p->dims[dim].mu[kernel];
}

double parzen_sigma(const struct parzen *p, size_t dim, size_t kernel)
{
    return p->dims[dim].sigma[kernel];
}

double parzen_choice(const struct parzen *p, size_t dim, size_t kernel,
                     size_t choice)
{
    const struct parzen_dim *d = &p->dims[dim];
    if (d->id[kernel] == d->dist->n_choices) {
        return d->prior;
    }
    return d->id[kernel] == choice ? d->hit : d->miss;
}
