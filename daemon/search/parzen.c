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

static size_t padded(size_t n)
{
    return (n + DENSITY_PAD - 1) / DENSITY_PAD * DENSITY_PAD;
}

/* --- storage -------------------------------------------------------------- */

/* By kernel, what only building needs, of one dimension after the other. */
struct scratch {
    double *mu, *sigma;
};

static double *carve(double **at, size_t n)
{
    double *v = *at;
    *at += n;
    return v;
}

static uint32_t *carve_ids(double **at, size_t n)
{
    return (uint32_t *)carve(at, (n + 1) / 2);
}

/* What is by kernel is in one block, scratch and all: a block that is by far
 * the largest goes back to the allocator's heap and comes from there again,
 * where several alike would be given back to the system, page by page, for each
 * suggestion. And no more than is needed: of 100,000 trials it is the daemon's
 * largest memory. */
static struct scratch allocate(struct parzen *p, size_t max_points)
{
    enum { OWN = 3, OF_CONTINUOUS = 2, OF_SCRATCH = 2 };
    size_t n = padded(p->n_kernels), n_cont = 0;
    for (size_t i = 0; i < p->n_dims; i++) {
        n_cont += p->dims[i].is_continuous;
    }
    size_t n_reals = n * (OWN + OF_CONTINUOUS * n_cont + OF_SCRATCH);
    size_t n_ids = n * (p->n_dims - n_cont);
    p->max_points = max_points;
    p->arena = mem_grow(NULL, n_reals + n_ids / 2 + parzen_work_size(p),
                        sizeof(*p->arena));
    double *at = p->arena;
    p->weight = carve(&at, n);
    p->scale = carve(&at, n);
    p->expo = carve(&at, n);
    for (size_t i = 0; i < p->n_dims; i++) {
        struct parzen_dim *d = &p->dims[i];
        if (d->is_continuous) {
            d->mu = carve(&at, n);
            d->sigma = carve(&at, n);
        } else {
            d->id = carve_ids(&at, n);
        }
    }
    struct scratch s = {.mu = carve(&at, n), .sigma = carve(&at, n)};
    p->work = at;
    return s;
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
    free(p->has_piece);
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

/* The prior's kernel is as wide as the range; so is the padding. */
static void set_kernels(const struct parzen *p, struct parzen_dim *d,
                        const struct parzen_options *options,
                        const struct parzen_rows *rows,
                        const struct parzen_column *column,
                        const struct scratch *s)
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
    d->sigma_min = bounds.least;
    parzen_bandwidths(rows, column, &bounds, s->sigma);
    parzen_centres(rows, column, s->mu);
    for (size_t k = n; k < padded(p->n_kernels); k++) {
        s->mu[k] = 0.5 * (d->lo + d->hi);
        s->sigma[k] = range;
    }
}

/* Numbers of the different (mu, sigma) pairs, by hash: 0 is a free place. */
struct numbers {
    uint32_t *of; /* 1 + the number */
    unsigned n_bits;
};

/* Of the centre alone: tied observations have at most three bandwidths. */
static size_t hash(double mu, unsigned n_bits)
{
    uint64_t bits;
    memcpy(&bits, &mu, sizeof(bits));
    bits *= 0x9E3779B97F4A7C15u; /* odd: 2^64 / golden ratio */
    return (size_t)(bits >> (64 - n_bits));
}

/* The pair's place: where it is, or the free one where it belongs. */
static uint32_t *find_pair(const struct numbers *t, const struct scratch *s,
                           double mu, double sigma)
{
    size_t last = ((size_t)1 << t->n_bits) - 1;
    size_t i = hash(mu, t->n_bits);
    while (t->of[i] != 0 &&
           (s->mu[t->of[i] - 1] != mu || s->sigma[t->of[i] - 1] != sigma)) {
        i = (i + 1) & last;
    }
    return &t->of[i];
}

/* Room for the first n numbers, and more: with few places taken hardly two fall
 * on one. */
static void number_again(struct numbers *t, const struct scratch *s, size_t n)
{
    free(t->of);
    t->n_bits += 2;
    t->of = mem_alloc((size_t)1 << t->n_bits, sizeof(*t->of));
    for (size_t id = 0; id < n; id++) {
        *find_pair(t, s, s->mu[id], s->sigma[id]) = (uint32_t)id + 1;
    }
}

/* Number the pairs, which then stand at the beginning of the scratch. */
static void number_kernels(const struct parzen *p, struct parzen_dim *d,
                           const struct scratch *s)
{
    struct numbers t = {.n_bits = 6};
    size_t n_ids = 0;
    number_again(&t, s, 0);
    for (size_t k = 0; k < p->n_kernels; k++) {
        double mu = s->mu[k], sigma = s->sigma[k];
        uint32_t *place = find_pair(&t, s, mu, sigma);
        if (*place == 0) {
            s->mu[n_ids] = mu;
            s->sigma[n_ids] = sigma;
            *place = (uint32_t)++n_ids;
            d->id[k] = *place - 1;
            if (n_ids > (size_t)1 << t.n_bits >> 3) {
                number_again(&t, s, n_ids);
            }
        } else {
            d->id[k] = *place - 1;
        }
    }
    d->n_ids = n_ids;
    free(t.of);
}

/* --- masses within the bounds ---------------------------------------------
 * Of most kernels it is 1: those that reach beyond a bound are put aside, a few
 * at a time. */

enum { EDGE = 64 };
struct edge {
    size_t at[EDGE];
    double mu[EDGE], sigma[EDGE];
    size_t n;
};

static void end_edge(const struct parzen_dim *d, struct edge *e, double *mass)
{
    double found[EDGE];
    for (size_t i = e->n; i < padded(e->n); i++) {
        e->mu[i] = e->mu[0];
        e->sigma[i] = e->sigma[0];
    }
    density_best()->mass(padded(e->n), e->mu, e->sigma, d->lo, d->hi, found);
    for (size_t i = 0; i < e->n; i++) {
        mass[e->at[i]] = found[i];
    }
    e->n = 0;
}

static void set_masses(const struct parzen_dim *d, const double *mu,
                       const double *sigma, size_t n, double *mass)
{
    struct edge e = {.n = 0};
    for (size_t i = 0; i < n; i++) {
        double reach = DENSITY_REACH * sigma[i];
        mass[i] = 1.0;
        if (mu[i] - d->lo < reach || d->hi - mu[i] < reach) {
            e.at[e.n] = i;
            e.mu[e.n] = mu[i];
            e.sigma[e.n++] = sigma[i];
        }
        if (e.n == EDGE) {
            end_edge(d, &e, mass);
        }
    }
    end_edge(d, &e, mass);
}

static void set_by_id(struct parzen_dim *d, const struct scratch *s)
{
    enum { PER_ID = 3 };
    size_t n = padded(d->n_ids);
    d->by_id = mem_grow(NULL, n * PER_ID, sizeof(*d->by_id));
    d->mu = d->by_id;
    d->sigma = d->by_id + n;
    d->inv_mass = d->by_id + 2 * n;
    for (size_t i = 0; i < n; i++) {
        d->mu[i] = s->mu[i < d->n_ids ? i : 0];
        d->sigma[i] = s->sigma[i < d->n_ids ? i : 0];
    }
    set_masses(d, d->mu, d->sigma, n, d->inv_mass);
    for (size_t i = 0; i < n; i++) {
        d->inv_mass[i] = 1.0 / d->inv_mass[i];
    }
}

/* Take the normalisation of a continuous dimension's kernels into their scale.
 * It is counted in units of the range, so that products stay near 1. A centre
 * outside of the range has a mass that may underflow: it goes into the
 * exponent. */
static void set_by_kernel(struct parzen *p, struct parzen_dim *d, double *mass)
{
    const double inv_sqrt_2pi = 0.39894228040143267794;
    double range = d->hi - d->lo;
    p->log_scale += log(range);
    set_masses(d, d->mu, d->sigma, p->n_kernels, mass);
    for (size_t k = 0; k < p->n_kernels; k++) {
        double mu = d->mu[k], sigma = d->sigma[k];
        if (mu < d->lo || mu > d->hi) {
            p->expo[k] -= M_LOG2E * truncnorm_log_mass((d->lo - mu) / sigma,
                                                       (d->hi - mu) / sigma);
            mass[k] = 1.0;
        }
        p->scale[k] *= range * inv_sqrt_2pi / (sigma * mass[k]);
    }
}

/* Many dimensions: before the product of their scales overflows. */
static void fold_scale(struct parzen *p)
{
    for (size_t k = 0; k < p->n_kernels; k++) {
        p->expo[k] += log2(p->scale[k]);
        p->scale[k] = 1.0;
    }
}

static void build_numerical(struct parzen *p, struct parzen_dim *d,
                            const struct parzen_options *options,
                            const struct parzen_rows *rows,
                            const struct parzen_column *column,
                            const struct scratch *s)
{
    double half = d->dist->step / 2.0;
    d->lo = d->dist->low - half;
    d->hi = d->dist->high + half;
    if (d->dist->log) {
        d->lo = log(d->lo);
        d->hi = log(d->hi);
    }
    if (d->is_continuous) {
        const struct scratch own = {.mu = d->mu, .sigma = d->sigma};
        set_kernels(p, d, options, rows, column, &own);
        set_by_kernel(p, d, s->mu);
    } else {
        set_kernels(p, d, options, rows, column, s);
        number_kernels(p, d, s);
        set_by_id(d, s);
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
    for (size_t i = 0; i < n; i++) {
        d->id[i] = (uint32_t)column->at[parzen_number(rows, i)];
    }
    d->id[n] = (uint32_t)d->dist->n_choices;
    d->n_ids = d->dist->n_choices + 1;
}

/* --- the whole -------------------------------------------------------------
 */

static void build_dim(struct parzen *p, size_t i,
                      const struct parzen_options *options,
                      const struct parzen_rows *rows,
                      const struct parzen_column *column,
                      const struct scratch *s)
{
    enum { N_UNTIL_FOLDED = 8 };
    struct parzen_dim *d = &p->dims[i];
    if (d->dist->kind == DIST_CATEGORICAL) {
        build_categorical(p, d, rows, column);
    } else {
        build_numerical(p, d, options, rows, column, s);
    }
    p->n_cont += d->is_continuous;
    if (d->is_continuous && p->n_cont % N_UNTIL_FOLDED == 0) {
        fold_scale(p);
    }
}

struct parzen *parzen_new(const struct parzen_options *options,
                          const struct parzen_rows *rows,
                          const struct parzen_column *columns, size_t n_dims,
                          size_t max_points)
{
    struct parzen *p = mem_alloc(1, sizeof(*p));
    *p = (struct parzen){.n_kernels = rows->n + 1,
                         .prior_weight = options->prior_weight,
                         .has_magic_clip = options->consider_magic_clip,
                         .n_dims = n_dims,
                         .dims = mem_alloc(n_dims, sizeof(*p->dims)),
                         .mu = mem_alloc(n_dims, sizeof(*p->mu)),
                         .sigma = mem_alloc(n_dims, sizeof(*p->sigma)),
                         .id = mem_alloc(n_dims, sizeof(*p->id)),
                         .has_piece = mem_alloc(n_dims, sizeof(*p->has_piece)),
                         .tables = mem_alloc(n_dims, sizeof(*p->tables))};
    for (size_t i = 0; i < n_dims; i++) {
        const struct dist *dist = columns[i].dist;
        p->dims[i].dist = dist;
        p->dims[i].is_continuous =
            dist->kind != DIST_CATEGORICAL && dist->step == 0.0;
    }
    struct scratch scratch = allocate(p, max_points);
    set_weights(p);
    for (size_t k = 0; k < p->n_kernels; k++) {
        p->scale[k] = p->weight[k];
        p->expo[k] = 0.0;
    }
    for (size_t i = 0; i < n_dims; i++) {
        build_dim(p, i, options, rows, &columns[i], &scratch);
    }
    for (size_t k = 0; k < p->n_kernels; k++) {
        bool is_larger = p->scale[k] > p->max_scale; /* fmax is a call */
        p->max_scale = is_larger ? p->scale[k] : p->max_scale;
    }
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
