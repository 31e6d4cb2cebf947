#include "daemon/search/parzen.h"
#include "core/base/mem.h"
#include "daemon/search/density.h"
#include "tests/lib/normal.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_POINTS = 20000 };

static const struct parzen_options defaults = {.prior_weight = 1.0,
                                               .consider_magic_clip = true};

static struct dist real(double low, double high, double step, bool is_log)
{
    return (struct dist){.kind = DIST_FLOAT,
                         .low = low,
                         .high = high,
                         .step = step,
                         .log = is_log};
}

static struct dist whole(double low, double high, double step, bool is_log)
{
    return (struct dist){.kind = DIST_INT,
                         .low = low,
                         .high = high,
                         .step = step,
                         .log = is_log};
}

static struct dist choices(size_t n)
{
    return (struct dist){
        .kind = DIST_CATEGORICAL, .high = (double)n - 1.0, .n_choices = n};
}

static struct parzen *one(const struct parzen_options *options,
                          const struct dist *dist, size_t n, const double *obs)
{
    double *at = mem_alloc(n, sizeof(*at));
    for (size_t i = 0; i < n; i++) {
        at[i] = dist->log ? log(obs[i]) : obs[i];
    }
    struct parzen_column column = {.dist = dist, .at = at};
    struct parzen *p = parzen_new(
        options, &(struct parzen_rows){.n = n}, &column, 1,
        dist->step == 0.0 && dist->kind == DIST_FLOAT ? MAX_POINTS : 1);
    free(at);
    return p;
}

static void check_close(double value, double expected, double tolerance)
{
    ck_assert_msg(fabs(value - expected) <= tolerance, "%.15g instead of %.15g",
                  value, expected);
}

/* Both densities, the fast and the exact one. */
static void check_pdf(struct parzen *p, double x, double expected)
{
    double fast;
    parzen_log_pdf(p, 1, &x, &fast);
    check_close(fast, expected, 2e-12 + 1e-10 * fabs(expected));
    check_close(parzen_log_pdf_exact(p, &x), expected,
                2e-12 + 1e-10 * fabs(expected));
}

/* --- golden numbers: optuna.md 1.10 and section 8 ---------------------------
 */

START_TEST(test_float_golden)
{
    struct dist d = real(0, 10, 0, false);
    struct parzen *p = one(&defaults, &d, 3, (double[]){1, 4, 4.5});
    static const double sigmas[] = {3, 3, 2, 10};
    ck_assert_uint_eq(parzen_n_kernels(p), 4);
    for (size_t i = 0; i < 4; i++) {
        check_close(parzen_sigma(p, 0, i), sigmas[i], 1e-12);
        check_close(parzen_weight(p, i), 0.25, 1e-15);
    }
    check_close(parzen_mu(p, 0, 3), 5, 1e-15);
    check_pdf(p, 0, -2.381405631668);
    check_pdf(p, 2, -2.054873420920);
    check_pdf(p, 4.2, -1.942220630594);
    check_pdf(p, 10, -3.513098843039);
    parzen_free(p);
    p = one(&defaults, &d, 1, (double[]){1});
    check_close(parzen_sigma(p, 0, 0), 9, 1e-12);
    check_pdf(p, 2, -2.235615391524);
    parzen_free(p);
}
END_TEST

START_TEST(test_log_float_golden)
{
    struct dist d = real(1e-5, 1, 0, true);
    struct parzen *p = one(&defaults, &d, 2, (double[]){1e-4, 1e-2});
    check_close(parzen_sigma(p, 0, 0), 4.605170186, 1e-9);
    check_close(parzen_sigma(p, 0, 1), 4.605170186, 1e-9);
    check_close(parzen_mu(p, 0, 2), -5.7564627325, 1e-9);
    check_close(parzen_sigma(p, 0, 2), 11.512925465, 1e-9);
    check_pdf(p, 1e-3, -2.2924068002);
    parzen_free(p);
}
END_TEST

START_TEST(test_int_golden)
{
    struct dist d = whole(1, 10, 1, false);
    struct parzen *p = one(&defaults, &d, 3, (double[]){2, 3, 9});
    static const double sigmas[] = {2, 6, 6, 10};
    /* 2 is at the edge: its gap to the right is 1, which is clipped to 10/5 */
    for (size_t i = 0; i < 4; i++) {
        check_close(parzen_sigma(p, 0, i), sigmas[i], 1e-12);
    }
    check_pdf(p, 1, -2.108713759199);
    check_pdf(p, 3, -2.033022604761);
    check_pdf(p, 10, -2.656875274224);
    parzen_free(p);
}
END_TEST

START_TEST(test_log_int_golden)
{
    struct dist d = whole(1, 64, 1, true);
    struct parzen *p = one(&defaults, &d, 2, (double[]){1, 8});
    check_close(parzen_sigma(p, 0, 0), 2.0794415417, 1e-9);
    check_close(parzen_sigma(p, 0, 1), 2.0794415417, 1e-9);
    check_close(parzen_mu(p, 0, 2), 1.7367590216, 1e-9);
    check_close(parzen_sigma(p, 0, 2), 4.8598124044, 1e-9);
    check_pdf(p, 1, -1.428918110982);
    check_pdf(p, 5, -3.065201306435);
    check_pdf(p, 64, -6.206850932486);
    parzen_free(p);
}
END_TEST

START_TEST(test_step_golden)
{
    struct dist d = real(0, 1, 0.25, false);
    struct parzen *p = one(&defaults, &d, 1, (double[]){0.25});
    check_close(parzen_sigma(p, 0, 0), 0.875, 1e-12);
    check_close(parzen_mu(p, 0, 1), 0.5, 1e-12);
    check_close(parzen_sigma(p, 0, 1), 1.25, 1e-12);
    check_pdf(p, 0, -1.591754587737);
    check_pdf(p, 0.5, -1.553345046591);
    parzen_free(p);
}
END_TEST

START_TEST(test_choice_golden)
{
    struct dist d = choices(3);
    struct parzen *p = one(&defaults, &d, 3, (double[]){0, 2, 2});
    check_close(parzen_choice(p, 0, 0, 0), 0.714286, 1e-6);
    check_close(parzen_choice(p, 0, 0, 1), 0.142857, 1e-6);
    check_close(parzen_choice(p, 0, 3, 1), 1.0 / 3.0, 1e-15);
    check_pdf(p, 0, -1.098612288668);
    check_pdf(p, 1, -1.658228076604);
    check_pdf(p, 2, -0.741937344729);
    parzen_free(p);
}
END_TEST

START_TEST(test_bandwidths)
{
    struct dist d = real(-1, 1, 0, false);
    static const struct row {
        size_t n;
        double obs[4];
        bool clip, endpoints;
        double sigmas[5];
    } rows[] = {
        {0, {0}, true, false, {2}},
        {1, {0.4}, true, false, {1.4, 2}},
        {2, {-0.3, 0.3}, true, false, {0.6, 0.6, 2}},
        {2, {-0.3, 0.3}, true, true, {0.7, 0.7, 2}},
        {4, {-.4, .4, .41, .42}, false, false, {.8, .8, .01, .01, 2}},
        {4, {-.4, .4, .41, .42}, false, true, {.8, .8, .01, .58, 2}},
        {4, {-.4, .4, .41, .42}, true, true, {.8, .8, 1. / 3, .58, 2}},
        {3, {2.0, -3.0, 0.0}, true, false, {2, 2, 2, 2}},
    };
    for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
        struct parzen_options o = {.prior_weight = 1.0,
                                   .consider_magic_clip = rows[r].clip,
                                   .consider_endpoints = rows[r].endpoints};
        struct parzen *p = one(&o, &d, rows[r].n, rows[r].obs);
        ck_assert_uint_eq(parzen_n_kernels(p), rows[r].n + 1);
        for (size_t i = 0; i <= rows[r].n; i++) {
            check_close(parzen_sigma(p, 0, i), rows[r].sigmas[i], 1e-12);
        }
        ck_assert_double_eq(parzen_mu(p, 0, rows[r].n), 0.0);
        parzen_free(p);
    }
}
END_TEST

START_TEST(test_weights)
{
    struct dist d = real(0, 1, 0, false);
    double obs[60];
    for (size_t i = 0; i < ARRAY_LEN(obs); i++) {
        obs[i] = 0.5;
    }
    static const size_t sizes[] = {0, 1, 24, 25, 26, 27, 60};
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        size_t n = sizes[s], ramp = n > 25 ? n - 25 : 0;
        struct parzen *p = one(&defaults, &d, n, obs);
        double unit = parzen_weight(p, n), sum = 0.0; /* the prior's is 1 */
        for (size_t i = 0; i <= n; i++) {
            sum += parzen_weight(p, i);
            double w = 1.0;
            if (i < ramp && ramp > 1) {
                w = 1.0 / (double)n +
                    (double)i / (double)(ramp - 1) * (1.0 - 1.0 / (double)n);
            } else if (i < ramp) {
                w = 1.0 / (double)n;
            }
            check_close(parzen_weight(p, i) / unit, w, 1e-12);
        }
        check_close(sum, 1.0, 1e-12);
        parzen_free(p);
    }
}
END_TEST

/* --- properties
 * --------------------------------------------------------------- */

static double uniform(struct rng *rng, double low, double high)
{
    return low + (high - low) * rng_double(rng);
}

/* n observations of dist, some of them equal, some outside of the range. */
static struct parzen *random_parzen(struct rng *rng, const struct dist *dist,
                                    size_t n)
{
    double *obs = mem_alloc(n, sizeof(*obs));
    for (size_t i = 0; i < n; i++) {
        if (dist->kind == DIST_CATEGORICAL) {
            obs[i] = rng_below(rng, (uint32_t)dist->n_choices);
        } else if (i % 3 == 2) {
            obs[i] = obs[rng_below(rng, (uint32_t)i)];
        } else if (dist->log) {
            obs[i] = exp(uniform(rng, log(dist->low), log(dist->high) + 1));
        } else {
            double range = dist->high - dist->low;
            obs[i] = uniform(rng, dist->low - range / 4, dist->high);
        }
        if (dist->kind == DIST_INT) {
            obs[i] = fmax(rint(obs[i]), dist->log ? 1.0 : -1e9);
        }
    }
    struct parzen *p = one(&defaults, dist, n, obs);
    free(obs);
    return p;
}

static const size_t sizes[] = {0, 1, 2, 7, 30, 200};

START_TEST(test_pmf_sums_to_one)
{
    const struct dist dists[] = {
        whole(1, 10, 1, false),
        whole(-10, 10, 4, false),
        whole(1, 64, 1, true),
        real(0, 1, 0.25, false),
        real(-3, 4.5, 0.5, false),
        choices(2),
        choices(17),
    };
    struct rng rng;
    rng_mt19937(&rng, 5);
    for (size_t k = 0; k < ARRAY_LEN(dists); k++) {
        const struct dist *d = &dists[k];
        struct parzen *p = random_parzen(&rng, d, sizes[_i]);
        double step = d->step != 0.0 ? d->step : 1.0, sum = 0.0;
        for (double x = d->low; x <= d->high + step / 2; x += step) {
            double v;
            parzen_log_pdf(p, 1, &x, &v);
            sum += exp(v);
        }
        check_close(sum, 1.0, 1e-12);
        parzen_free(p);
    }
}
END_TEST

START_TEST(test_density_integrates_to_one)
{
    enum { CELLS = MAX_POINTS };
    const struct dist dists[] = {real(0, 10, 0, false), real(1e-5, 1, 0, true)};
    static double x[CELLS], v[CELLS];
    struct rng rng;
    rng_mt19937(&rng, 6);
    for (size_t k = 0; k < ARRAY_LEN(dists); k++) {
        const struct dist *d = &dists[k];
        struct parzen *p = random_parzen(&rng, d, sizes[_i]);
        double lo = d->log ? log(d->low) : d->low;
        double width = ((d->log ? log(d->high) : d->high) - lo) / CELLS;
        for (int i = 0; i < CELLS; i++) { /* the density is one of ln x */
            x[i] = lo + width * (i + 0.5);
            x[i] = d->log ? exp(x[i]) : x[i];
        }
        parzen_log_pdf(p, CELLS, x, v);
        double sum = 0.0;
        for (int i = 0; i < CELLS; i++) {
            sum += exp(v[i]) * width;
        }
        check_close(sum, 1.0, 1e-4);
        parzen_free(p);
    }
}
END_TEST

/* Many dimensions of all kinds, against the plain sum in log space. */
START_TEST(test_fast_equals_exact)
{
    enum { N_DIMS = 9, N_POINTS = 40, N_MAX = 300 };
    const struct dist dists[N_DIMS] = {
        real(0, 1, 0, false),       real(1e-6, 1e-2, 0, true),
        whole(1, 9, 1, false),      choices(4),
        whole(1, 500, 1, true),     real(-5, 5, 0.5, false),
        real(-1e9, 1, 0, false),    choices(30),
        whole(0, 1000000, 1, false)};
    size_t n = (size_t[]){0, 1, 5, 26, 300}[_i];
    struct rng rng;
    rng_mt19937(&rng, 7);
    static double at[N_DIMS][N_MAX];
    struct parzen_column columns[N_DIMS];
    for (size_t d = 0; d < N_DIMS; d++) {
        const struct dist *dist = &dists[d];
        for (size_t i = 0; i < n; i++) {
            double v = uniform(&rng, dist->low, dist->high + 0.2);
            v = dist->kind == DIST_FLOAT ? v : floor(v);
            at[d][i] = dist->log ? log(v) : v;
        }
        columns[d] = (struct parzen_column){.dist = dist, .at = at[d]};
    }
    struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = n},
                                  columns, N_DIMS, N_POINTS);
    double x[N_DIMS * N_POINTS], fast[N_POINTS];
    parzen_sample(p, &rng, N_POINTS, x);
    parzen_log_pdf(p, N_POINTS, x, fast);
    for (size_t c = 0; c < N_POINTS; c++) {
        double point[N_DIMS];
        for (size_t d = 0; d < N_DIMS; d++) {
            point[d] = x[d * N_POINTS + c];
            ck_assert(dist_contains(&dists[d], point[d]));
        }
        double exact = parzen_log_pdf_exact(p, point);
        ck_assert(isfinite(exact));
        check_close(fast[c], exact, 1e-9);
    }
    parzen_free(p);
}
END_TEST

/* Stepped dimensions by many kernels, most with the smallest bandwidth, on the
 * steps, between them and outside: what a look-up by distance gives is within
 * the densities' error of what Optuna's sum gives. */
START_TEST(test_steps_of_many_kernels)
{
    enum { N = 400, N_POINTS = 50 };
    const struct dist dists[] = {
        whole(1, 1000, 1, false),         real(-5, 5, 0.1, false),
        real(0, 1000, 0.1, false),        whole(-10, 10, 4, false),
        whole(3, 1000000, 1, false),      real(1e5, 1e5 + 1, 0.001, false),
        real(1e9, 1e9 + 1, 0.001, false), real(-4e4, -4e4 + 20, 0.01, false)};
    const struct dist *dist = &dists[_i];
    struct rng rng;
    rng_mt19937(&rng, 13);
    double at[N], x[N_POINTS], fast[N_POINTS];
    double n_steps = rint((dist->high - dist->low) / dist->step);
    for (size_t i = 0; i < N; i++) {
        double steps = floor(uniform(&rng, 0, n_steps + 1));
        steps += i % 37 == 36 ? 0.25 : 0.0;
        steps += i % 41 == 40 ? n_steps : 0.0;
        at[i] = dist->low + steps * dist->step;
    }
    const struct parzen_column column = {.dist = dist, .at = at};
    struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = N},
                                  &column, 1, N_POINTS);
    parzen_sample(p, &rng, N_POINTS, x);
    x[0] = dist->low;
    x[1] = dist->high;
    parzen_log_pdf(p, N_POINTS, x, fast);
    for (size_t c = 0; c < N_POINTS; c++) {
        check_close(fast[c], parzen_log_pdf_exact(p, &x[c]), DENSITY_ERROR);
    }
    parzen_free(p);
}
END_TEST

/* The density of one stepped dimension by its definition. */
static double true_log_pdf(const struct parzen *p, const struct dist *dist,
                           double x)
{
    double half = dist->step / 2.0;
    double end[] = {x - half, x + half, dist->low - half, dist->high + half};
    for (size_t i = 0; i < ARRAY_LEN(end); i++) {
        end[i] = dist->log ? log(end[i]) : end[i];
    }
    long double sum = 0;
    for (size_t k = 0; k < parzen_n_kernels(p); k++) {
        double mu = parzen_mu(p, 0, k), sigma = parzen_sigma(p, 0, k);
        sum += parzen_weight(p, k) * normal_mass(end[0], end[1], mu, sigma) /
               normal_mass(end[2], end[3], mu, sigma);
    }
    return (double)logl(sum);
}

/* Where a step is a small part of the bandwidth, few kernels or many, within
 * the range or (every 16th) just outside. */
START_TEST(test_narrow_steps)
{
    enum { N_MAX = 400, N_POINTS = 24 };
    const struct dist dists[] = {
        whole(0, 1e6, 1, false),          whole(0, 1e9, 1, false),
        whole(0, 0x1p40, 1, false),       whole(1, 1e9, 1, true),
        real(1e5, 1e5 + 1, 0.001, false), real(1e9, 1e9 + 1, 0.001, false),
        real(0, 1e6, 0.001, false)};
    const struct dist *dist = &dists[_i];
    struct rng rng;
    rng_mt19937(&rng, 15);
    for (size_t n = 0; n <= N_MAX; n += 100) {
        double at[N_MAX], x[N_POINTS], fast[N_POINTS];
        double lo = dist->log ? 0.0 : dist->low;
        double hi = dist->log ? log(dist->high) : dist->high;
        for (size_t i = 0; i < n; i++) {
            double v = uniform(&rng, lo, hi) + (i % 16 == 15 ? hi - lo : 0.0);
            v = dist->log ? exp(v) : v;
            v = dist->low + rint((v - dist->low) / dist->step) * dist->step;
            at[i] = dist->log ? log(v) : v;
        }
        const struct parzen_column column = {.dist = dist, .at = at};
        struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = n},
                                      &column, 1, N_POINTS);
        parzen_sample(p, &rng, N_POINTS, x);
        parzen_log_pdf(p, N_POINTS, x, fast);
        for (size_t c = 0; c < N_POINTS; c++) {
            double expected = true_log_pdf(p, dist, x[c]);
            check_close(fast[c], expected, DENSITY_ERROR);
            check_close(parzen_log_pdf_exact(p, &x[c]), expected,
                        DENSITY_ERROR + parzen_exact_error(p));
        }
        parzen_free(p);
    }
}
END_TEST

/* 200 dimensions: every product underflows or overflows in linear space. */
START_TEST(test_many_dimensions)
{
    enum { N_DIMS = 200, N = 150 };
    struct dist d = real(0, 1, 0, false), c = choices(50);
    struct rng rng;
    rng_mt19937(&rng, 8);
    double *at = mem_alloc(N, sizeof(*at));
    struct parzen_column columns[N_DIMS];
    for (size_t i = 0; i < N; i++) {
        at[i] = rng_double(&rng);
    }
    double *chosen = mem_alloc(N, sizeof(*chosen));
    for (size_t i = 0; i < N_DIMS; i++) {
        bool is_choice = _i == 1 && i % 2 == 0;
        columns[i] = (struct parzen_column){.dist = is_choice ? &c : &d,
                                            .at = is_choice ? chosen : at};
    }
    struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = N},
                                  columns, N_DIMS, 1);
    double x[N_DIMS], fast;
    parzen_sample(p, &rng, 1, x);
    parzen_log_pdf(p, 1, x, &fast);
    double exact = parzen_log_pdf_exact(p, x);
    ck_assert(isfinite(exact));
    check_close(fast, exact, 1e-9 * fabs(exact));
    parzen_free(p);
    free(at);
    free(chosen);
}
END_TEST

START_TEST(test_extremes_stay_finite)
{
    struct parzen_options bare = {.prior_weight = _i == 0 ? 1.0 : 0.0};
    struct dist d = real(0, 1, 0, false);
    struct parzen *p = one(&bare, &d, 3, (double[]){0.5, 0.5, 0.5});
    check_close(parzen_sigma(p, 0, 1), 1e-12, 1e-20);
    struct rng rng;
    rng_mt19937(&rng, 9);
    double x[24], v[24];
    parzen_sample(p, &rng, 24, x);
    parzen_log_pdf(p, 24, x, v);
    for (size_t c = 0; c < 24; c++) {
        ck_assert(x[c] >= 0.0 && x[c] <= 1.0 && isfinite(v[c]));
    }
    double far = 0.1, density;
    parzen_log_pdf(p, 1, &far, &density);
    ck_assert(!isnan(density) && density < 0.0);
    parzen_free(p);
}
END_TEST

/* Below 25 observations all weigh the same: their order is of no account. */
START_TEST(test_order_does_not_matter)
{
    struct dist d = real(0, 10, 0, false);
    double obs[20], back[20];
    struct rng rng;
    rng_mt19937(&rng, 10);
    for (size_t i = 0; i < 20; i++) {
        obs[i] = back[19 - i] = 10 * rng_double(&rng);
    }
    struct parzen *p = one(&defaults, &d, 20, obs);
    struct parzen *q = one(&defaults, &d, 20, back);
    for (double x = 0; x <= 10; x += 0.37) {
        double v, w;
        parzen_log_pdf(p, 1, &x, &v);
        parzen_log_pdf(q, 1, &x, &w);
        check_close(v, w, 1e-13);
    }
    parzen_free(p);
    parzen_free(q);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("parzen");
    TCase *t = tcase_create("golden");
    tcase_add_test(t, test_float_golden);
    tcase_add_test(t, test_log_float_golden);
    tcase_add_test(t, test_int_golden);
    tcase_add_test(t, test_log_int_golden);
    tcase_add_test(t, test_step_golden);
    tcase_add_test(t, test_choice_golden);
    tcase_add_test(t, test_bandwidths);
    tcase_add_test(t, test_weights);
    suite_add_tcase(s, t);
    t = tcase_create("properties");
    tcase_add_loop_test(t, test_pmf_sums_to_one, 0, (int)ARRAY_LEN(sizes));
    tcase_add_loop_test(t, test_density_integrates_to_one, 0,
                        (int)ARRAY_LEN(sizes));
    tcase_add_loop_test(t, test_fast_equals_exact, 0, 5);
    tcase_add_loop_test(t, test_steps_of_many_kernels, 0, 8);
    tcase_add_loop_test(t, test_narrow_steps, 0, 7);
    tcase_add_loop_test(t, test_many_dimensions, 0, 2);
    tcase_add_loop_test(t, test_extremes_stay_finite, 0, 2);
    tcase_add_test(t, test_order_does_not_matter);
    suite_add_tcase(s, t);
    return s;
}
