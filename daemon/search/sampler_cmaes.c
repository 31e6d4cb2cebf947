#include "daemon/search/sampler_cmaes.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "daemon/history.h"
#include "daemon/search/sampler_random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SWEEPS_MAX = 50, FLAT_GENERATIONS = 10 };

struct cmaes {
    size_t d, lambda, mu;
    double *memory; /* all vectors and matrices */
    double *mean, *path_s, *path_c, *cov, *basis, *scale, *weights, *old_mean;
    double sigma, mu_eff, c_s, d_s, c_c, c_1, c_mu, chi;
    int64_t generation; /* since the last restart */
    int n_flat;         /* generations in a row without a spread of values */
};

/* --- state ------------------------------------------------------------------
 */

static void set_population(struct cmaes *s, size_t lambda)
{
    double d = (double)s->d, sum = 0.0, square = 0.0;
    s->lambda = lambda;
    s->mu = lambda / 2;
    s->weights = mem_grow(s->weights, s->mu, sizeof(double));
    for (size_t i = 0; i < s->mu; i++) {
        s->weights[i] = log((double)(lambda + 1) / 2.0) - log((double)(i + 1));
        sum += s->weights[i];
    }
    for (size_t i = 0; i < s->mu; i++) {
        s->weights[i] /= sum;
        square += s->weights[i] * s->weights[i];
    }
    s->mu_eff = 1.0 / square;
    s->c_s = (s->mu_eff + 2.0) / (d + s->mu_eff + 5.0);
    s->d_s = 1.0 + s->c_s +
             2.0 * fmax(0.0, sqrt((s->mu_eff - 1.0) / (d + 1.0)) - 1.0);
    s->c_c = (4.0 + s->mu_eff / d) / (d + 4.0 + 2.0 * s->mu_eff / d);
    s->c_1 = 2.0 / ((d + 1.3) * (d + 1.3) + s->mu_eff);
    s->c_mu = fmin(1.0 - s->c_1, 2.0 * (s->mu_eff - 2.0 + 1.0 / s->mu_eff) /
                                     ((d + 2.0) * (d + 2.0) + s->mu_eff));
    s->chi = sqrt(d) * (1.0 - 1.0 / (4.0 * d) + 1.0 / (21.0 * d * d));
}

static void begin_anew(struct cmaes *s, size_t lambda)
{
    size_t d = s->d;
    set_population(s, lambda);
    memset(s->path_s, 0, d * sizeof(double));
    memset(s->path_c, 0, d * sizeof(double));
    memset(s->cov, 0, d * d * sizeof(double));
    memset(s->basis, 0, d * d * sizeof(double));
    for (size_t i = 0; i < d; i++) {
        s->cov[i * d + i] = s->basis[i * d + i] = s->scale[i] = 1.0;
    }
    s->sigma = 1.0 / 6.0;
    s->generation = 0;
    s->n_flat = 0;
}

static void cmaes_init(struct cmaes *s, size_t d)
{
    *s = (struct cmaes){.d = d};
    s->memory = mem_alloc(5 * d + 2 * d * d, sizeof(double));
    s->mean = s->memory;
    s->path_s = s->mean + d;
    s->path_c = s->path_s + d;
    s->scale = s->path_c + d;
    s->old_mean = s->scale + d;
    s->cov = s->old_mean + d;
    s->basis = s->cov + d * d;
    begin_anew(s, 4 + (size_t)floor(3.0 * log((double)d)));
    for (size_t i = 0; i < d; i++) {
        s->mean[i] = 0.5;
    }
}

static void cmaes_fini(struct cmaes *s)
{
    free(s->memory);
    free(s->weights);
}

/* --- eigenvectors: Jacobi's rotations ---------------------------------------
 */

static void rotate(double *a, double *v, size_t d, size_t p, size_t q)
{
    double theta = (a[q * d + q] - a[p * d + p]) / (2.0 * a[p * d + q]);
    double t = copysign(1.0, theta) / (fabs(theta) + sqrt(theta * theta + 1.0));
    double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (size_t k = 0; k < d; k++) {
        double kp = a[k * d + p], kq = a[k * d + q];
        a[k * d + p] = c * kp - s * kq;
        a[k * d + q] = s * kp + c * kq;
    }
    for (size_t k = 0; k < d; k++) {
        double pk = a[p * d + k], qk = a[q * d + k];
        a[p * d + k] = c * pk - s * qk;
        a[q * d + k] = s * pk + c * qk;
        double vp = v[k * d + p], vq = v[k * d + q];
        v[k * d + p] = c * vp - s * vq;
        v[k * d + q] = s * vp + c * vq;
    }
}

/* cov = basis diag(scale^2) basis^T. */
static void decompose(struct cmaes *s)
{
    size_t d = s->d;
    double *a = mem_grow(NULL, d * d, sizeof(double));
    memcpy(a, s->cov, d * d * sizeof(double));
    memset(s->basis, 0, d * d * sizeof(double));
    for (size_t i = 0; i < d; i++) {
        s->basis[i * d + i] = 1.0;
    }
    bool rotated = true;
    for (int sweep = 0; rotated && sweep < SWEEPS_MAX; sweep++) {
        rotated = false;
        for (size_t p = 0; p < d; p++) {
            for (size_t q = p + 1; q < d; q++) {
                double off = fabs(a[p * d + q]);
                double size = sqrt(fabs(a[p * d + p] * a[q * d + q]));
                if (off > 1e-15 * size && off > 1e-300) {
                    rotate(a, s->basis, d, p, q);
                    rotated = true;
                }
            }
        }
    }
    for (size_t i = 0; i < d; i++) {
        s->scale[i] = sqrt(fmax(a[i * d + i], 1e-20));
    }
    free(a);
}

/* --- one generation ---------------------------------------------------------
 */

struct member {
    double value; /* smaller is better; NaN is the worst */
    const double *x;
    size_t place;
};

static int compare(const void *a, const void *b)
{
    const struct member *p = a, *q = b;
    if (isnan(p->value) != isnan(q->value)) {
        return isnan(p->value) ? 1 : -1;
    }
    if (p->value != q->value && !isnan(p->value)) {
        return p->value < q->value ? -1 : 1;
    }
    return p->place < q->place ? -1 : p->place > q->place;
}

/* C^(-1/2) (mean - old mean) / sigma, added to the path of sigma. */
static void follow_path(struct cmaes *s)
{
    size_t d = s->d;
    double rate = sqrt(s->c_s * (2.0 - s->c_s) * s->mu_eff);
    double *along = mem_alloc(d, sizeof(double));
    for (size_t k = 0; k < d; k++) {
        for (size_t i = 0; i < d; i++) {
            along[k] += s->basis[i * d + k] * (s->mean[i] - s->old_mean[i]);
        }
        along[k] /= s->scale[k] * s->sigma;
    }
    for (size_t i = 0; i < d; i++) {
        double step = 0.0;
        for (size_t k = 0; k < d; k++) {
            step += s->basis[i * d + k] * along[k];
        }
        s->path_s[i] = (1.0 - s->c_s) * s->path_s[i] + rate * step;
    }
    free(along);
}

static double norm(const double *v, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += v[i] * v[i];
    }
    return sqrt(sum);
}

static void adapt_covariance(struct cmaes *s, const struct member *members,
                             bool stalls)
{
    size_t d = s->d;
    double rate = sqrt(s->c_c * (2.0 - s->c_c) * s->mu_eff);
    for (size_t i = 0; i < d; i++) {
        double step = (s->mean[i] - s->old_mean[i]) / s->sigma;
        s->path_c[i] =
            (1.0 - s->c_c) * s->path_c[i] + (stalls ? 0.0 : rate * step);
    }
    double lost = stalls ? s->c_1 * s->c_c * (2.0 - s->c_c) : 0.0;
    for (size_t i = 0; i < d; i++) {
        for (size_t j = 0; j < d; j++) {
            double ranks = 0.0;
            for (size_t m = 0; m < s->mu; m++) {
                ranks += s->weights[m] * (members[m].x[i] - s->old_mean[i]) /
                         s->sigma * (members[m].x[j] - s->old_mean[j]) /
                         s->sigma;
            }
            s->cov[i * d + j] =
                (1.0 - s->c_1 - s->c_mu + lost) * s->cov[i * d + j] +
                s->c_1 * s->path_c[i] * s->path_c[j] + s->c_mu * ranks;
        }
    }
}

/* lambda members, sorted. */
static void learn(struct cmaes *s, const struct member *members)
{
    size_t d = s->d;
    memcpy(s->old_mean, s->mean, d * sizeof(double));
    for (size_t i = 0; i < d; i++) {
        s->mean[i] = 0.0;
        for (size_t m = 0; m < s->mu; m++) {
            s->mean[i] += s->weights[m] * members[m].x[i];
        }
    }
    s->generation++;
    follow_path(s);
    double length = norm(s->path_s, d);
    double decay = sqrt(1.0 - pow(1.0 - s->c_s, 2.0 * (double)s->generation));
    bool stalls = length / decay >= (1.4 + 2.0 / ((double)d + 1.0)) * s->chi;
    adapt_covariance(s, members, stalls);
    s->sigma *= exp(fmin(1.0, s->c_s / s->d_s * (length / s->chi - 1.0)));
    decompose(s);
    bool is_flat = members[0].value == members[s->lambda / 2].value;
    s->n_flat = is_flat ? s->n_flat + 1 : 0;
}

/* Nothing is left to be learned from here: too narrow, too long, or flat. */
static bool has_converged(const struct cmaes *s)
{
    double least = INFINITY, most = 0.0;
    for (size_t i = 0; i < s->d; i++) {
        least = fmin(least, s->scale[i]);
        most = fmax(most, s->scale[i]);
    }
    return s->sigma * most < 1e-9 || most > 1e7 * least || s->sigma > 1e4 ||
           !isfinite(s->sigma) || s->n_flat >= FLAT_GENERATIONS;
}

/* --- the space as [0, 1]^d --------------------------------------------------
 */

struct axes {
    const struct space *space;
    size_t *param; /* of the space; owned */
    size_t n;
};

static bool is_axis(const struct param *p)
{
    return p->dist.kind != DIST_CATEGORICAL && !dist_is_single(&p->dist) &&
           p->n_when == 0;
}

static struct axes axes_of(const struct space *space)
{
    struct axes a = {space, mem_alloc(space->n, sizeof(*a.param)), 0};
    for (size_t i = 0; i < space->n; i++) {
        if (is_axis(&space->params[i])) {
            a.param[a.n++] = i;
        }
    }
    return a;
}

static void range_of(const struct dist *d, double *low, double *high)
{
    *low = d->low - d->step / 2.0;
    *high = d->high + d->step / 2.0;
    if (d->log) {
        *low = log(*low);
        *high = log(*high);
    }
}

static double to_unit(const struct dist *d, double value)
{
    double low, high;
    range_of(d, &low, &high);
    return ((d->log ? log(value) : value) - low) / (high - low);
}

/* --- the history as generations ---------------------------------------------
 */

/* The trial's coordinates; false: it has no value or lacks a parameter. */
static bool read_trial(const struct axes *a, const struct history *h,
                       int64_t number, double *x)
{
    for (size_t k = 0; k < a->n; k++) {
        const struct param *p = &a->space->params[a->param[k]];
        int param = history_find_param(h, p->name);
        double v = param < 0 ? (double)NAN : history_param(h, number, param);
        x[k] = isnan(v) ? (double)NAN : to_unit(&p->dist, v);
        if (!isfinite(x[k])) {
            return false;
        }
    }
    return true;
}

static void restart(struct cmaes *s, const struct spec *spec, uint32_t n)
{
    struct rng rng;
    rng_stream(&rng, spec->base.seed, 0, RNG_CMAES, n);
    begin_anew(s, 2 * s->lambda);
    for (size_t i = 0; i < s->d; i++) {
        s->mean[i] = rng_double(&rng);
    }
}

static void replay(struct cmaes *s, const struct spec *spec,
                   const struct axes *a, const struct history *h, int64_t self)
{
    int64_t n_trials = history_n_trials(h);
    double *x = mem_alloc((size_t)n_trials * a->n + 1, sizeof(double));
    struct member *members = mem_alloc((size_t)n_trials + 1, sizeof(*members));
    double sign = spec->direction == SPEC_MAXIMIZE ? -1.0 : 1.0;
    size_t n = 0;
    uint32_t n_restarts = 0;
    for (int64_t i = 0; i < n_trials; i++) {
        double *at = x + (size_t)i * a->n;
        bool is_used = trial_state_has_value(history_state(h, i));
        if (!is_used || i == self || !read_trial(a, h, i, at)) {
            continue;
        }
        members[n] = (struct member){sign * history_value(h, i), at, n};
        if (++n == s->lambda) {
            qsort(members, n, sizeof(*members), compare);
            learn(s, members);
            n = 0;
            if (has_converged(s)) {
                restart(s, spec, ++n_restarts);
            }
        }
    }
    free(x);
    free(members);
}

/* --- sampling ---------------------------------------------------------------
 */

static bool is_inside(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!(x[i] >= 0.0 && x[i] < 1.0)) {
            return false;
        }
    }
    return true;
}

/* Drawn again while it is outside of the range, then cut to it. */
static void draw(const struct cmaes *s, struct rng *rng, double *x)
{
    size_t d = s->d;
    double *z = mem_alloc(d, sizeof(double));
    bool inside = false;
    for (int tries = 0; tries < 100 && !inside; tries++) {
        for (size_t k = 0; k < d; k++) {
            z[k] = rng_normal(rng) * s->scale[k] * s->sigma;
        }
        for (size_t i = 0; i < d; i++) {
            x[i] = s->mean[i];
            for (size_t k = 0; k < d; k++) {
                x[i] += s->basis[i * d + k] * z[k];
            }
        }
        inside = is_inside(x, d);
    }
    for (size_t i = 0; i < d; i++) {
        x[i] = fmin(fmax(x[i], 0.0), 1.0 - 0x1p-53);
    }
    free(z);
}

bool cmaes_suggest(const struct spec *spec, const struct history *history,
                   int64_t number, double *out)
{
    struct axes a = axes_of(&spec->space);
    bool can = a.n > 0;
    if (can) {
        struct cmaes s;
        struct rng rng;
        double *x = mem_alloc(a.n, sizeof(double));
        cmaes_init(&s, a.n);
        replay(&s, spec, &a, history, number);
        rng_stream(&rng, spec->base.seed, (uint32_t)number, RNG_SAMPLER, 0);
        draw(&s, &rng, x);
        for (size_t i = 0, k = 0; i < spec->space.n; i++) {
            const struct param *p = &spec->space.params[i];
            if (is_axis(p)) {
                out[i] = random_at(&p->dist, x[k++]);
            } else {
                out[i] = dist_is_single(&p->dist)
                             ? p->dist.low
                             : random_param(&rng, &p->dist);
            }
        }
        free(x);
        cmaes_fini(&s);
    }
    free(a.param);
    return can;
}
