#include "daemon/search/acquisition.h"
#include "core/base/rng.h"
#include "daemon/search/parzen.h"
#include "tests/lib/test_main.h"

#include <math.h>

enum { N_CANDIDATES = 24, N_MAX = 100 };

static struct parzen *estimator(struct rng *rng, const struct dist *dist,
                                size_t n)
{
    const struct parzen_options options = {.prior_weight = 1.0,
                                           .consider_magic_clip = true};
    double at[N_MAX];
    for (size_t i = 0; i < n; i++) {
        double v = floor((dist->high + 1.0 - dist->low) * rng_double(rng));
        at[i] = dist->log ? log(dist->low + v) : dist->low + v;
    }
    const struct parzen_column column = {.dist = dist, .at = at};
    return parzen_new(&options, &(struct parzen_rows){.n = n}, &column, 1,
                      N_CANDIDATES);
}

static size_t best_of_exact(const struct acquisition *a, const double *x)
{
    size_t best = 0;
    double max = -INFINITY;
    for (size_t c = 0; c < N_CANDIDATES; c++) {
        double value = parzen_log_pdf_exact(a->below, &x[c]) -
                       parzen_log_pdf_exact(a->above, &x[c]);
        if (value > max) {
            max = value;
            best = c;
        }
    }
    return best;
}

/* Candidates so near to each other (10 steps of 2^31) that their densities
 * differ by less than the exact ones' rounding: the choice is that of the exact
 * ones all the same. */
START_TEST(test_near_candidates)
{
    static const struct dist dists[] = {
        {.kind = DIST_INT, .high = 0x1p31, .step = 1},
        {.kind = DIST_INT, .high = 0x1p40, .step = 1},
        {.kind = DIST_INT, .low = 1, .high = 1e9, .step = 1, .log = true}};
    const struct dist *dist = &dists[_i];
    struct rng rng;
    rng_mt19937(&rng, 17);
    double reach = floor(fmax(10.0, dist->high / 0x1p31 * 10.0));
    for (size_t round = 0; round < 50; round++) {
        struct acquisition a = {.below = estimator(&rng, dist, 10),
                                .above = estimator(&rng, dist, N_MAX)};
        double x[N_CANDIDATES];
        double inside = dist->high - 2.0 * reach - 1.0;
        double middle = 1.0 + reach + floor(inside * rng_double(&rng));
        for (size_t c = 0; c < N_CANDIDATES; c++) {
            x[c] = middle + rint((2.0 * rng_double(&rng) - 1.0) * reach);
        }
        size_t best = acquisition_best(&a, x, N_CANDIDATES, 1);
        ck_assert_double_eq(x[best], x[best_of_exact(&a, x)]);
        acquisition_fini(&a);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("acquisition");
    TCase *t = tcase_create("choice");
    tcase_add_loop_test(t, test_near_candidates, 0, 3);
    suite_add_tcase(s, t);
    return s;
}
