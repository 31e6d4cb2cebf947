#include "daemon/search/parzen.h"

#include "core/base/mem.h"
#include "daemon/search/numpy_math.h"
#include "daemon/search/parzen_priv.h"
#include "daemon/search/truncnorm.h"
#include <math.h>
#include <stdlib.h>

enum { N_FLAT_WEIGHTS = 25 }; /* the newest observations, all of weight 1 */
static const double SIGMA_MIN = 1e-12; /* without the magic clip */

static size_t padded(size_t n)
{
    return (n + DENSITY_PAD - 1) / DENSITY_PAD * DENSITY_PAD;
}

/* --- storage -------------------------------------------------------------- */

/* Next array of the arena: by kernel, the padding behind it zeroed. */
static double *carve(struct parzen *p, double **at)
{
    double *v = *at;
    *at += padded(p->n_kernels);
    for (size_t i = p->n_kernels; i < padded(p->n_kernels); i++) {
        v[i] = 0.0;
    }
    return v;
}

static uint32_t *carve_ids(struct parzen *p, uint32_t **at)
{
    uint32_t *v = *at;
    *at += padded(p->n_kernels);
    for (size_t i = p->n_kernels; i < padded(p->n_kernels); i++) {
        v[i] = 0;
    }
    return v;
}

static void dim_carve(struct parzen *p, struct parzen_dim *d, double **at,
                      uint32_t **id_at)
{
    if (d->is_continuous) {
        d->mu = carve(p, at);
        d->sigma = carve(p, at);
    } else {
        d->id = carve_ids(p, id_at);
    }
}

/* What is by kernel is in one block, scratch and all: a block that is by far
 * the largest goes back to the allocator's heap and comes from there again,
 * where several alike would be given back to the system, page by page, for each
 * suggestion. And no more than is needed: of 100,000 trials it is the daemon's
 * largest memory. Returns two scratch arrays by kernel. */
static double *allocate(struct parzen *p, size_t max_points)
{
    enum { OWN = 3, PER_DIM = 2, SCRATCH = 2 };
    size_t n = padded(p->n_kernels), n_cont = 0;
    for (size_t i = 0; i < p->n_dims; i++) {
        n_cont += p->dims[i].is_continuous;
    }
    size_t n_reals = n * (OWN + PER_DIM * n_cont + SCRATCH);
    size_t n_ids = n * (p->n_dims - n_cont);
    p->max_points = max_points;
    p->arena = mem_grow(NULL, n_reals + (n_ids + 1) / 2 + parzen_work_size(p),
                        sizeof(*p->arena));
    double *at = p->arena;
    uint32_t *id_at = (uint32_t *)(p->arena + n_reals);
    p->work = p->arena + n_reals + (n_ids + 1) / 2;
    p->weight = carve(p, &at);
    p->scale = carve(p, &at);
    p->expo = carve(p, &at);
    for (size_t i = 0; i < p->n_dims; i++) {
        dim_carve(p, &p->dims[i], &at, &id_at);
    }
    return at;
}

void parzen_free(struct parzen *p)
{
    if (p == NULL) {
        return;
    }
    for (size_t i = 0; i < p->n_dims; i++) {
        free(p->dims[i].by_id);
    }
    free(p->dims);
    free(p->mu);
    free(p->sigma);
    free(p->id);
    free(p->tables);
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
    for (size_t i = 0; i < n; i++) {
        bool is_ramp = i < n_ramp && (i + 1 < n_ramp || n_ramp == 1);
        p->weight[i] = is_ramp ? (double)i * step + first : 1.0;
    }
    p->weight[n] = n != 0 ? p->prior_weight : 1.0;
    double sum = numpy_sum(p->weight, p->n_kernels);
    for (size_t i = 0; i <= n; i++) {
        p->weight[i] /= sum;
    }
}

/* --- numerical dimensions --------------------------------------------------
 */

static int compare_centres(const void *a, const void *b, void *ctx)
{
    const double *mu = ctx;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    if (mu[i] != mu[j]) {
        return mu[i] < mu[j] ? -1 : 1;
    }
    return i < j ? -1 : i > j;
}

/* The order of the n centres by (mu, index). A given order is by value; that
 * leaves equal values, and values whose logarithms are equal, to be swapped:
 * few, so by insertion. */
static void sort_centres(const double *mu, size_t n, const uint32_t *given,
                         uint32_t *order)
{
    for (size_t i = 0; i < n; i++) {
        order[i] = given != NULL ? given[i] : (uint32_t)i;
    }
    if (given == NULL) {
        qsort_r(order, n, sizeof(*order), compare_centres, (void *)mu);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        uint32_t k = order[i];
        size_t j = i;
        while (j > 0 && (mu[order[j - 1]] > mu[k] ||
                         (mu[order[j - 1]] == mu[k] && order[j - 1] > k))) {
            order[j] = order[j - 1];
            j--;
        }
        order[j] = k;
    }
}

/* fmax without its care for NaN, which costs a call. */
static double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Each observation's bandwidth: the larger gap to its neighbours, the bounds
 * standing in at the ends, then clipped. */
static void set_sigmas(const struct parzen_options *options,
                       const struct parzen_dim *d, size_t n,
                       const uint32_t *order, const double *mu, double *sigma)
{
    double range = d->hi - d->lo;
    double n_min = fmin(100.0, (double)n + 2.0);
    double min = options->consider_magic_clip ? range / n_min : SIGMA_MIN;
    bool skip_ends = !options->consider_endpoints && n >= 2;
    double left = d->lo;
    for (size_t j = 0; j < n; j++) {
        double at = mu[order[j]];
        double right = j + 1 < n ? mu[order[j + 1]] : d->hi;
        double gap = larger(at - left, right - at);
        if (skip_ends && j == 0) {
            gap = right - at;
        } else if (skip_ends && j == n - 1) {
            gap = at - left;
        }
        gap = larger(gap, min);
        sigma[order[j]] = gap < range ? gap : range;
        left = at;
    }
    sigma[n] = range;
}

/* Number the different (mu, sigma) pairs. Tied observations are neighbours in
 * the order, and have at most three bandwidths. */
static void number_kernels(struct parzen_dim *d, size_t n,
                           const uint32_t *order, const double *mu,
                           const double *sigma)
{
    enum { N_TIED = 3 };
    size_t tied[N_TIED], n_tied = 0, n_ids = 0;
    for (size_t j = 0; j <= n; j++) {
        size_t k = j < n ? order[j] : n;
        if (n_tied > 0 && (j == n || mu[k] != mu[tied[0]])) {
            n_tied = 0;
        }
        size_t t = 0;
        while (t < n_tied && sigma[k] != sigma[tied[t]]) {
            t++;
        }
        d->id[k] = t < n_tied ? d->id[tied[t]] : (uint32_t)n_ids++;
        if (t == n_tied && n_tied < N_TIED) {
            tied[n_tied++] = k;
        }
    }
    d->n_ids = n_ids;
}

/* mu, sigma by kernel become those by id. */
static void set_by_id(struct parzen *p, struct parzen_dim *d, const double *mu,
                      const double *sigma)
{
    enum { PER_ID = 4 };
    size_t n = padded(d->n_ids);
    d->by_id = mem_alloc(n * PER_ID, sizeof(*d->by_id));
    d->mu = d->by_id;
    d->sigma = d->by_id + n;
    d->inv = d->by_id + 2 * n;
    d->mass = d->by_id + 3 * n;
    for (size_t k = 0; k < p->n_kernels; k++) {
        d->mu[d->id[k]] = mu[k];
        d->sigma[d->id[k]] = sigma[k];
    }
    for (size_t i = 0; i < n; i++) {
        d->sigma[i] = i < d->n_ids ? d->sigma[i] : 1.0; /* the padding's */
        d->inv[i] = 1.0 / d->sigma[i];
    }
    density_best()->mass(n, d->mu, d->sigma, d->lo, d->hi, d->mass);
}

/* Take one continuous dimension's normalisation into the kernels' scale. It is
 * counted in units of the range, so that products stay near 1. A centre outside
 * of the range has a mass that may underflow: it goes into the exponent. mass:
 * scratch by kernel. */
static void normalize(struct parzen *p, struct parzen_dim *d, double *mass)
{
    const double inv_sqrt_2pi = 0.39894228040143267794;
    double range = d->hi - d->lo;
    p->log_scale += log(range);
    for (size_t i = p->n_kernels; i < padded(p->n_kernels); i++) {
        d->sigma[i] = 1.0;
    }
    density_best()->mass(padded(p->n_kernels), d->mu, d->sigma, d->lo, d->hi,
                         mass);
    for (size_t i = 0; i < p->n_kernels; i++) {
        double of_all = mass[i];
        if (d->mu[i] < d->lo || d->mu[i] > d->hi) {
            p->expo[i] -= truncnorm_log_mass((d->lo - d->mu[i]) / d->sigma[i],
                                             (d->hi - d->mu[i]) / d->sigma[i]);
            of_all = 1.0;
        }
        p->scale[i] *= range * (1.0 / d->sigma[i]) * inv_sqrt_2pi / of_all;
    }
}

/* Many dimensions: before the product of their scales overflows. */
static void fold_scale(struct parzen *p)
{
    for (size_t k = 0; k < p->n_kernels; k++) {
        p->expo[k] += log(p->scale[k]);
        p->scale[k] = 1.0;
    }
}

static void build_numerical(struct parzen *p, struct parzen_dim *d,
                            const struct parzen_options *options,
                            const uint32_t *rows,
                            const struct parzen_column *column, uint32_t *order,
                            double *scratch)
{
    size_t n = p->n_kernels - 1;
    double half = d->dist->step / 2.0;
    d->lo = d->dist->low - half;
    d->hi = d->dist->high + half;
    if (d->dist->log) {
        d->lo = log(d->lo);
        d->hi = log(d->hi);
    }
    double *mu = d->is_continuous ? d->mu : scratch;
    double *sigma =
        d->is_continuous ? d->sigma : scratch + padded(p->n_kernels);
    for (size_t i = 0; i < n; i++) {
        mu[i] = column->at[rows != NULL ? rows[i] : i];
    }
    mu[n] = 0.5 * (d->lo + d->hi);
    sort_centres(mu, n, column->order, order);
    set_sigmas(options, d, n, order, mu, sigma);
    if (d->is_continuous) {
        normalize(p, d, scratch);
    } else {
        number_kernels(d, n, order, mu, sigma);
        set_by_id(p, d, mu, sigma);
    }
}

/* --- categorical dimensions ------------------------------------------------
 */

static void build_categorical(struct parzen *p, struct parzen_dim *d,
                              const uint32_t *rows,
                              const struct parzen_column *column)
{
    size_t n = p->n_kernels - 1;
    double n_choices = (double)d->dist->n_choices;
    double base = p->prior_weight / (double)p->n_kernels;
    d->hit = (1.0 + base) / (1.0 + n_choices * base);
    d->miss = base / (1.0 + n_choices * base);
    d->prior = n == 0 || p->prior_weight > 0.0 ? 1.0 / n_choices : 0.0;
    for (size_t i = 0; i < n; i++) {
        d->id[i] = (uint32_t)column->at[rows != NULL ? rows[i] : i];
    }
    d->id[n] = (uint32_t)d->dist->n_choices;
    d->n_ids = d->dist->n_choices + 1;
}

/* --- the whole -------------------------------------------------------------
 */

static void build_dim(struct parzen *p, size_t i,
                      const struct parzen_options *options,
                      const uint32_t *rows, const struct parzen_column *column,
                      uint32_t *order, double *scratch)
{
    enum { N_UNTIL_FOLDED = 8 };
    struct parzen_dim *d = &p->dims[i];
    if (d->dist->kind == DIST_CATEGORICAL) {
        build_categorical(p, d, rows, column);
    } else {
        build_numerical(p, d, options, rows, column, order, scratch);
    }
    p->n_cont += d->is_continuous;
    if (d->is_continuous && p->n_cont % N_UNTIL_FOLDED == 0) {
        fold_scale(p);
    }
}

struct parzen *parzen_new(const struct parzen_options *options, size_t n,
                          const uint32_t *rows,
                          const struct parzen_column *columns, size_t n_dims,
                          size_t max_points)
{
    struct parzen *p = mem_alloc(1, sizeof(*p));
    *p = (struct parzen){.n_kernels = n + 1,
                         .prior_weight = options->prior_weight,
                         .n_dims = n_dims,
                         .dims = mem_alloc(n_dims, sizeof(*p->dims)),
                         .mu = mem_alloc(n_dims, sizeof(*p->mu)),
                         .sigma = mem_alloc(n_dims, sizeof(*p->sigma)),
                         .id = mem_alloc(n_dims, sizeof(*p->id)),
                         .tables = mem_alloc(n_dims, sizeof(*p->tables))};
    for (size_t i = 0; i < n_dims; i++) {
        const struct dist *dist = columns[i].dist;
        p->dims[i].dist = dist;
        p->dims[i].is_continuous =
            dist->kind != DIST_CATEGORICAL && dist->step == 0.0;
    }
    double *scratch = allocate(p, max_points);
    uint32_t *order = mem_grow(NULL, n + 1, sizeof(*order));
    set_weights(p);
    for (size_t k = 0; k < padded(p->n_kernels); k++) {
        p->scale[k] = p->weight[k];
        p->expo[k] = 0.0;
    }
    for (size_t i = 0; i < n_dims; i++) {
        build_dim(p, i, options, rows, &columns[i], order, scratch);
    }
    free(order);
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
    const struct parzen_dim *d = &p->dims[dim];
    return d->mu[d->is_continuous ? kernel : d->id[kernel]];
}

double parzen_sigma(const struct parzen *p, size_t dim, size_t kernel)
{
    const struct parzen_dim *d = &p->dims[dim];
    return d->sigma[d->is_continuous ? kernel : d->id[kernel]];
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
