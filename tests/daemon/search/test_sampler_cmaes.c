#include "daemon/search/sampler_cmaes.h"
#include "daemon/history.h"
#include "tests/lib/search_run.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { D = 4 };

#define BOX                                                                    \
    "\"a\":{\"float\":[-5,2]},\"b\":{\"float\":[-5,2]},"                       \
    "\"c\":{\"float\":[-5,2]},\"d\":{\"float\":[-5,2]}"

static double ellipsoid(const double *x)
{
    double sum = 0.0;
    for (int i = 0; i < D; i++) {
        double turned = x[i] + 0.5 * x[(i + 1) % D];
        sum += pow(10.0, i) * turned * turned;
    }
    return sum;
}

/* Best value of n trials, `parallel` of them running at a time. */
static double minimise(const char *sampler, int n, int parallel)
{
    char members[128];
    struct search_run r;
    double best = INFINITY, v[8][D];
    int64_t number[8];
    snprintf(members, sizeof(members),
             "\"seed\":2,\"sampler\":{\"type\":\"%s\"},", sampler);
    search_run_init(&r, members, BOX);
    for (int i = 0; i < n; i += parallel) {
        for (int k = 0; k < parallel; k++) {
            number[k] = search_run_ask(&r, v[k]);
        }
        for (int k = parallel; k-- > 0;) {
            double value = ellipsoid(v[k]);
            best = fmin(best, value);
            search_run_tell(&r, number[k], value);
        }
    }
    search_run_fini(&r);
    return best;
}

START_TEST(it_descends_a_turned_ellipsoid)
{
    double random = minimise("random", 800, 1);
    ck_assert_double_lt(minimise("cmaes", 1600, 1), 1e-9 * random);
    ck_assert_double_lt(minimise("cmaes", 800, 8), 1e-3 * random);
}
END_TEST

/* From a flat place it goes on elsewhere. */
START_TEST(it_restarts_where_nothing_changes)
{
    struct search_run r;
    double first[2] = {INFINITY, -INFINITY};
    search_run_init(&r, "\"sampler\":{\"type\":\"cmaes\"},", BOX);
    for (int i = 0; i < 400; i++) {
        double v[D];
        search_run_tell(&r, search_run_ask(&r, v), 1.0);
        for (int k = 0; k < D; k++) {
            ck_assert(v[k] >= -5 && v[k] <= 2);
        }
        if (i >= 200) {
            first[0] = fmin(first[0], v[0]);
            first[1] = fmax(first[1], v[0]);
        }
    }
    ck_assert_double_gt(first[1] - first[0], 1.0);
    search_run_fini(&r);
}
END_TEST

START_TEST(it_leaves_choices_and_conditions_to_chance)
{
    struct search_run r;
    int n_choice[2] = {0};
    search_run_init(&r, "\"sampler\":{\"type\":\"cmaes\"},",
                    "\"x\":{\"int\":[1,64],\"log\":true},"
                    "\"k\":{\"choice\":[\"a\",\"b\"]},"
                    "\"y\":{\"float\":[0,1],\"when\":{\"k\":\"b\"}}");
    for (int i = 0; i < 60; i++) {
        double v[3];
        int64_t number = search_run_ask(&r, v);
        ck_assert(v[0] >= 1 && v[0] <= 64 && v[0] == floor(v[0]));
        ck_assert_int_eq(isnan(v[2]), v[1] == 0.0);
        n_choice[(int)v[1]]++;
        search_run_tell(&r, number, v[0]);
    }
    ck_assert(n_choice[0] > 5 && n_choice[1] > 5);
    search_run_fini(&r);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sampler cmaes");
    TCase *t = tcase_create("sampler cmaes");
    tcase_add_test(t, it_descends_a_turned_ellipsoid);
    tcase_add_test(t, it_restarts_where_nothing_changes);
    tcase_add_test(t, it_leaves_choices_and_conditions_to_chance);
    suite_add_tcase(s, t);
    return s;
}
