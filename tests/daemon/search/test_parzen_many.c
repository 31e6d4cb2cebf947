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
    double fast[N_POINTS], point[2];
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

/* More different kernels of a stepped dimension than a table has rows: they are
 * summed in blocks, and each block makes its own. */
START_TEST(test_more_kernels_than_rows)
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

Suite *suite(void)
{
    Suite *s = suite_create("parzen of many");
    TCase *t = tcase_create("fast against exact");
    tcase_add_test(t, test_more_kernels_than_rows);
    tcase_add_test(t, test_what_is_left_out_does_not_count);
    suite_add_tcase(s, t);
    return s;
}
