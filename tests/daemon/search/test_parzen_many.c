/* Estimators of thousands of kernels: fast densities against the exact ones. */
#include "core/base/rng.h"
#include "daemon/search/density.h"
#include "daemon/search/parzen.h"
#include "tests/lib/test_main.h"

#include <math.h>

enum { N_POINTS = 24 };
static const struct parzen_options defaults = {.prior_weight = 1.0,
                                               .consider_magic_clip = true};
static const struct dist unit = {.kind = DIST_FLOAT, .low = 0, .high = 1};
static const struct dist wide = {
    .kind = DIST_INT, .low = 0, .high = 1000000, .step = 1};

static void check(struct parzen *p, size_t n_dims, const double *x)
{
    double fast[N_POINTS], point[8];
    double allowed = 2.0 * DENSITY_ERROR + 2.0 * parzen_exact_error(p);
    parzen_log_pdf(p, N_POINTS, x, fast);
    for (size_t c = 0; c < N_POINTS; c++) {
        for (size_t d = 0; d < n_dims; d++) {
            point[d] = x[d * N_POINTS + c];
        }
        double exact = parzen_log_pdf_exact(p, point);
        ck_assert_msg(fabs(fast[c] - exact) <= allowed,
                      "point %zu: %.15g instead of %.15g", c, fast[c], exact);
    }
}

/* Thousands of different kernels of a stepped dimension. */
START_TEST(test_many_different_kernels)
{
    enum { N = 3000 };
    static double real[N], whole[N];
    double x[2 * N_POINTS];
    struct rng rng;
    rng_mt19937(&rng, 1);
    for (size_t i = 0; i < N; i++) {
        double u = 0.02 * rng_double(&rng);
        real[i] = i % 2 != 0 ? u : 1.0 - u;
        whole[i] = rng_below(&rng, 1000001);
    }
    for (size_t c = 0; c < N_POINTS; c++) {
        x[c] = c < 8 ? rng_double(&rng) : c < 16 ? 0.1 : 0.9;
        x[N_POINTS + c] = rng_below(&rng, 1000001);
    }
    const struct parzen_column columns[] = {{.dist = &unit, .at = real},
                                            {.dist = &wide, .at = whole}};
    struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = N},
                                  columns, 2, N_POINTS);
    check(p, 2, x);
    parzen_free(p);
}
END_TEST

/* Kernels in one place, points at 3 to 11 bandwidths from it: somewhere each
 * kernel is little beside the prior's, and all together are not. */
START_TEST(test_what_is_left_out_does_not_count)
{
    enum { N = 4000 };
    static double real[N];
    double x[N_POINTS];
    for (size_t i = 0; i < N; i++) {
        real[i] = 0.5;
    }
    for (size_t c = 0; c < N_POINTS; c++) {
        x[c] = 0.5 + 0.01 * (3.0 + (double)c / 3.0);
    }
    const struct parzen_column column = {.dist = &unit, .at = real};
    struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = N},
                                  &column, 1, N_POINTS);
    check(p, 1, x);
    parzen_free(p);
}
END_TEST

/* One continuous dimension: spread, in one place, at the ends of the range, or
 * with gaps wider than the smallest bandwidth; few enough for most to have a
 * wider one, and many. */
START_TEST(test_one_continuous_dimension)
{
    enum { N = 3000, SIZES = 4, SHAPES = 4 };
    static const size_t sizes[SIZES] = {200, 201, 700, N};
    static const struct dist dists[] = {
        {.kind = DIST_FLOAT, .low = 1e-5, .high = 1e-1, .log = true},
        {.kind = DIST_FLOAT, .low = -2, .high = 5}};
    static double at[N];
    double x[N_POINTS];
    struct rng rng;
    rng_mt19937(&rng, 200 + (uint32_t)_i);
    const struct dist *d = &dists[_i % 2];
    int shape = _i / 2 % SHAPES;
    double low = d->log ? log(d->low) : d->low;
    double high = d->log ? log(d->high) : d->high;
    for (size_t i = 0; i < N; i++) {
        double u = rng_double(&rng);
        double v = shape == 0   ? u
                   : shape == 1 ? 0.4 + 1e-6 * u
                   : shape == 2 ? (double)(i % 2)
                                : floor(40 * u) / 40 + 0.001 * u;
        at[i] = low + v * (high - low);
    }
    for (size_t c = 0; c < N_POINTS; c++) {
        double u = c < 8 ? rng_double(&rng) : 0.4 + 0.01 * (double)(c - 8);
        double v = low + (c == 0 ? 0.0 : c == 1 ? 1.0 : u) * (high - low);
        v = d->log ? exp(v) : v;
        x[c] = fmin(fmax(v, d->low), d->high);
    }
    for (size_t i = 0; i < SIZES; i++) {
        const struct parzen_column column = {.dist = d, .at = at};
        struct parzen *p =
            parzen_new(&defaults, &(struct parzen_rows){.n = sizes[i]}, &column,
                       1, N_POINTS);
        check(p, 1, x);
        check(p, 1, x); /* and again */
        parzen_free(p);
    }
}
END_TEST

/* Continuous dimensions where a search has come together: the rough densities
 * are as far from the fast ones as they say, and so they are at the places that
 * no kernel is near to. */
START_TEST(test_rough_densities)
{
    enum { N = 1000, DIMS = 4 };
    static const struct dist dists[DIMS] = {
        {.kind = DIST_FLOAT, .low = 1e-5, .high = 1e-1, .log = true},
        {.kind = DIST_FLOAT, .low = 1e10, .high = 1e10 + 1e-2},
        {.kind = DIST_FLOAT, .low = -5, .high = 5},
        {.kind = DIST_FLOAT, .low = 0, .high = 1e-30}};
    static double at[DIMS][N];
    struct parzen_column columns[DIMS];
    double x[DIMS * N_POINTS], rough[N_POINTS], fast[N_POINTS];
    struct rng rng;
    rng_mt19937(&rng, 300 + (uint32_t)_i);
    size_t n_dims = 2 + (size_t)_i % 3;
    for (size_t d = 0; d < n_dims; d++) {
        double low = dists[d].log ? log(dists[d].low) : dists[d].low;
        double high = dists[d].log ? log(dists[d].high) : dists[d].high;
        for (size_t i = 0; i < N; i++) {
            double u =
                i % 8 == 0 ? rng_double(&rng) : 0.3 + 0.02 * rng_double(&rng);
            at[d][i] = low + u * (high - low);
        }
        for (size_t c = 0; c < N_POINTS; c++) {
            double u =
                c % 4 == 3 ? rng_double(&rng) : 0.3 + 0.03 * rng_double(&rng);
            double v = low + u * (high - low);
            x[d * N_POINTS + c] = dists[d].log ? exp(v) : v;
        }
        columns[d] = (struct parzen_column){.dist = &dists[d], .at = at[d]};
    }
    struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = N},
                                  columns, n_dims, N_POINTS);
    double error = parzen_log_pdf_rough(p, N_POINTS, x, rough);
    ck_assert(error > DENSITY_ERROR && error < 1e-2); /* it was taken */
    parzen_log_pdf(p, N_POINTS, x, fast);
    for (size_t c = 0; c < N_POINTS; c++) {
        ck_assert_msg(fabs(rough[c] - fast[c]) <= error,
                      "point %zu: %.15g instead of %.15g", c, rough[c],
                      fast[c]);
    }
    parzen_free(p);
}
END_TEST

/* So many dimensions that a kernel counts at a point where it is below 2^-100
 * of its height: a cluster of narrow kernels, wider ones around it, and points
 * at all distances from it. Then floats are too narrow, and whatever is told is
 * as right as it says. */
START_TEST(test_rough_densities_of_many_dimensions)
{
    enum { N = 1000, MAX_DIMS = 60 };
    static double at[MAX_DIMS][N], x[MAX_DIMS * N_POINTS];
    struct parzen_column columns[MAX_DIMS];
    double rough[N_POINTS], fast[N_POINTS], away[N_POINTS];
    struct rng rng;
    rng_mt19937(&rng, 400 + (uint32_t)_i);
    size_t n_dims = 3 + 3 * (size_t)_i % (MAX_DIMS - 2);
    for (size_t c = 0; c < N_POINTS; c++) {
        away[c] = 0.03 * rng_double(&rng);
    }
    for (size_t d = 0; d < n_dims; d++) {
        for (size_t i = 0; i < N; i++) {
            double width = i % 10 == 0 ? 0.05 : i % 2 == 0 ? 0.004 : 0.002;
            at[d][i] = 0.4 + width * (rng_double(&rng) - 0.5);
        }
        for (size_t c = 0; c < N_POINTS; c++) {
            x[d * N_POINTS + c] =
                0.4 + away[c] + 1e-4 * (rng_double(&rng) - 0.5);
        }
        columns[d] = (struct parzen_column){.dist = &unit, .at = at[d]};
    }
    const struct parzen_options options = {
        .prior_weight = _i % 2 == 0 ? 1.0 : 1e-12, .consider_magic_clip = true};
    struct parzen *p = parzen_new(&options, &(struct parzen_rows){.n = N},
                                  columns, n_dims, N_POINTS);
    double error = parzen_log_pdf_rough(p, N_POINTS, x, rough);
    ck_assert_double_lt(error, 0.1); /* and no infinity */
    parzen_log_pdf(p, N_POINTS, x, fast);
    for (size_t c = 0; c < N_POINTS; c++) {
        ck_assert_msg(fabs(rough[c] - fast[c]) <= error,
                      "%zu dimensions, point %zu: %.15g instead of %.15g",
                      n_dims, c, rough[c], fast[c]);
    }
    parzen_free(p);
}
END_TEST

/* A value of the distribution's, near to `around` of its range, or anywhere. */
static double draw(const struct dist *d, double around, struct rng *rng)
{
    double at = rng_below(rng, 4) == 0
                    ? rng_double(rng)
                    : around + 0.03 * (rng_double(rng) - 0.5);
    double low = d->log ? log(d->low) : d->low;
    double high = d->log ? log(d->high) : d->high;
    double v = low + fmin(fmax(at, 0.0), 1.0) * (high - low);
    v = d->log ? exp(v) : v;
    v = d->step != 0.0 ? d->low + rint((v - d->low) / d->step) * d->step : v;
    return fmin(fmax(v, d->low), d->high);
}

/* All kinds of dimensions together, or some, clustered and spread, with centres
 * out of the bounds or not, with the smallest bandwidth clipped or not. */
START_TEST(test_any_space)
{
    enum { N = 700, KINDS = 6 };
    static const struct dist kinds[KINDS] = {
        {.kind = DIST_FLOAT, .low = 0, .high = 1},
        {.kind = DIST_FLOAT, .low = 1e-5, .high = 1e-1, .log = true},
        {.kind = DIST_INT, .low = 1, .high = 1000, .step = 1},
        {.kind = DIST_INT, .low = 1, .high = 4096, .step = 1, .log = true},
        {.kind = DIST_FLOAT, .low = -5, .high = 5, .step = 0.1},
        {.kind = DIST_CATEGORICAL, .high = 3, .n_choices = 4}};
    static double at[KINDS][N];
    struct parzen_column columns[KINDS];
    double x[KINDS * N_POINTS];
    size_t n_dims = 0;
    struct rng rng;
    rng_mt19937(&rng, 100 + (uint32_t)_i);
    for (size_t k = 0; k < KINDS; k++) {
        const struct dist *d = &kinds[k];
        if (_i > 0 && rng_below(&rng, 3) == 0 && k + 1 < KINDS) {
            continue; /* there is one that is left */
        }
        for (size_t i = 0; i < N; i++) {
            bool is_out = _i % 3 == 2 && rng_below(&rng, 50) == 0 &&
                          d->kind == DIST_FLOAT && !d->log;
            double v = d->kind == DIST_CATEGORICAL
                           ? (double)rng_below(&rng, 4)
                           : draw(d, 0.3, &rng) + (is_out ? 30 * d->high : 0);
            at[n_dims][i] = d->log ? log(v) : v;
        }
        for (size_t c = 0; c < N_POINTS; c++) {
            x[n_dims * N_POINTS + c] = d->kind == DIST_CATEGORICAL
                                           ? (double)rng_below(&rng, 4)
                                           : draw(d, 0.3, &rng);
        }
        columns[n_dims] = (struct parzen_column){.dist = d, .at = at[n_dims]};
        n_dims++;
    }
    const struct parzen_options options = {.prior_weight = 1.0,
                                           .consider_magic_clip = _i % 2 == 0};
    struct parzen *p = parzen_new(&options, &(struct parzen_rows){.n = N},
                                  columns, n_dims, N_POINTS);
    check(p, n_dims, x);
    parzen_free(p);
}
END_TEST

/* The end of a range need not be on its grid: points are drawn there. */
START_TEST(test_point_off_the_grid)
{
    enum { N = 700 };
    const struct dist d = {
        .kind = DIST_FLOAT, .low = 0, .high = 1.05, .step = 0.1};
    static double at[N];
    double x[N_POINTS];
    for (size_t i = 0; i < N; i++) {
        at[i] = 0.1 * (double)(i % 11);
    }
    for (size_t c = 0; c < N_POINTS; c++) {
        x[c] = c % 2 != 0 ? d.high : 0.1 * (double)(c % 11);
    }
    for (size_t n = 10; n <= N; n += 690) { /* few, and many */
        const struct parzen_column column = {.dist = &d, .at = at};
        struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = n},
                                      &column, 1, N_POINTS);
        check(p, 1, x);
        parzen_free(p);
    }
}
END_TEST

/* Ranges, and their ratios to the bandwidths, that floats do not hold or hold
 * with few digits; and one that is less than the smallest bandwidth. */
START_TEST(test_ranges_beyond_floats)
{
    static const struct {
        double range;
        bool has_clip;
    } rows[] = {{1e-44, true}, {1e-26, false}, {1e35, false}, {1e45, true}};
    enum { N = 700 };
    const struct dist d = {.kind = DIST_FLOAT, .high = rows[_i].range};
    static double at[N];
    double x[N_POINTS];
    struct rng rng;
    rng_mt19937(&rng, 20);
    for (size_t i = 0; i < N; i++) { /* far from most points */
        at[i] = d.high * (i % 4 == 0 ? 0.25 : 1.0 - 0.2 * rng_double(&rng));
    }
    for (size_t c = 0; c < N_POINTS; c++) {
        x[c] = d.high * (c % 2 != 0 ? 0.25 : 0.1 * rng_double(&rng));
    }
    const struct parzen_options options = {
        .prior_weight = 1.0, .consider_magic_clip = rows[_i].has_clip};
    const struct parzen_column column = {.dist = &d, .at = at};
    struct parzen *p = parzen_new(&options, &(struct parzen_rows){.n = N},
                                  &column, 1, N_POINTS);
    check(p, 1, x);
    parzen_free(p);
}
END_TEST

/* Centres out of stepped ranges: most of what of such a kernel is within lies
 * in the step at the end. Points there, so far in the first dimension that the
 * kernel may be left out, or hardly. */
START_TEST(test_centres_beyond_the_steps)
{
    enum { N = 1000, DIMS = 4 };
    const struct dist steps = {.kind = DIST_INT, .high = 10000, .step = 1};
    static double real[N], whole[N];
    double x[DIMS * N_POINTS];
    for (size_t i = 0; i < N; i++) {
        real[i] = 0.5;
        whole[i] = 40 * steps.high;
    }
    for (size_t c = 0; c < N_POINTS; c++) {
        x[c] = 0.5 + 0.01 * (10.4 + 0.02 * (double)c);
        for (size_t d = 1; d < DIMS; d++) {
            x[d * N_POINTS + c] = steps.high;
        }
    }
    const struct parzen_column columns[DIMS] = {{.dist = &unit, .at = real},
                                                {.dist = &steps, .at = whole},
                                                {.dist = &steps, .at = whole},
                                                {.dist = &steps, .at = whole}};
    struct parzen *p = parzen_new(&defaults, &(struct parzen_rows){.n = N},
                                  columns, DIMS, N_POINTS);
    check(p, DIMS, x);
    parzen_free(p);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("parzen of many");
    TCase *t = tcase_create("fast against exact");
    tcase_add_test(t, test_many_different_kernels);
    tcase_add_test(t, test_what_is_left_out_does_not_count);
    tcase_add_loop_test(t, test_one_continuous_dimension, 0, 16);
    tcase_add_loop_test(t, test_rough_densities, 0, 30);
    tcase_add_loop_test(t, test_rough_densities_of_many_dimensions, 0, 60);
    tcase_add_loop_test(t, test_any_space, 0, 60);
    tcase_add_test(t, test_point_off_the_grid);
    tcase_add_loop_test(t, test_ranges_beyond_floats, 0, 4);
    tcase_add_test(t, test_centres_beyond_the_steps);
    suite_add_tcase(s, t);
    return s;
}
