#include "core/base/rng.h"
#include "daemon/search/parzen.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>

static int compare_at(const void *a, const void *b, void *at)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    double x = ((const double *)at)[i], y = ((const double *)at)[j];
    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

/* The order and the gaps that a history keeps of all trials build, for those
 * that are selected, what sorting builds. */
START_TEST(test_kept_order)
{
    enum { N = 400 };
    static const struct {
        uint32_t keeps; /* one of so many is left out */
        double grid;
    } cases[] = {{64, 1e6}, {64, 20}, {3, 1e6}, {3, 20}, {40, 3}};
    size_t which = (size_t)_i / 2; /* each with bounds as neighbours, or not */
    const struct dist d = {.kind = DIST_FLOAT, .low = 0, .high = 1};
    double at[N], gap[N], selected[N];
    uint32_t order[N], number[N], place[N], out[N];
    struct parzen_rows rows = {.number = number, .place = place, .out = out};
    struct rng rng;
    rng_mt19937(&rng, 20 + (uint32_t)_i);
    for (uint32_t i = 0; i < N; i++) {
        double on_grid =
            rint(rng_double(&rng) * cases[which].grid) / cases[which].grid;
        at[i] = 0.1 + 0.8 * on_grid; /* the ends are no bounds */
        order[i] = i;
        bool is_out = rng_below(&rng, cases[which].keeps) == 0;
        place[i] = is_out ? UINT32_MAX : (uint32_t)rows.n;
        selected[rows.n] = at[i];
        number[rows.n] = out[rows.n_out] = i;
        rows.n += !is_out;
        rows.n_out += is_out;
    }
    qsort_r(order, N, sizeof(*order), compare_at, at);
    for (size_t j = 0; j < N; j++) {
        double left = j > 0 ? at[order[j]] - at[order[j - 1]] : -INFINITY;
        double right = j + 1 < N ? at[order[j + 1]] - at[order[j]] : -INFINITY;
        gap[order[j]] = fmax(left, right);
    }
    struct parzen_options bare = {.prior_weight = 1.0,
                                  .consider_endpoints = _i % 2 != 0};
    struct parzen_column column = {
        .dist = &d, .at = at, .order = order, .gap = gap, .n_order = N};
    struct parzen *p = parzen_new(&bare, &rows, &column, 1, 1);
    struct parzen_column alone = {.dist = &d, .at = selected};
    struct parzen *q =
        parzen_new(&bare, &(struct parzen_rows){.n = rows.n}, &alone, 1, 1);
    ck_assert_uint_gt(rows.n_out, 0);
    for (size_t i = 0; i <= rows.n; i++) {
        ck_assert_double_eq(parzen_sigma(p, 0, i), parzen_sigma(q, 0, i));
        ck_assert_double_eq(parzen_mu(p, 0, i), parzen_mu(q, 0, i));
    }
    parzen_free(p);
    parzen_free(q);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("parzen bandwidth");
    TCase *t = tcase_create("order");
    tcase_add_loop_test(t, test_kept_order, 0, 10);
    suite_add_tcase(s, t);
    return s;
}
