/* Discrete spaces: every point once, and conditional parameters. */
#include "daemon/search/sampler_points.h"
#include "core/spec/spec_json.h"
#include "daemon/history.h"
#include "daemon/search/points.h"
#include "daemon/search/sampler.h"
#include "tests/lib/search_run.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <string.h>

#define SPACE12 "\"a\":{\"int\":[1,3]},\"b\":{\"choice\":[\"p\",\"q\",\"r\",4]}"
/* tree: depth 1..3; svm: c in 2 values, with a kernel each: 3 + 2 * 2 points */
#define TREE                                                                   \
    "\"kind\":{\"choice\":[\"tree\",\"svm\"]},"                                \
    "\"kernel\":{\"choice\":[0,1],\"when\":{\"c\":[0.5,1.0]}},"                \
    "\"depth\":{\"int\":[1,3],\"when\":{\"kind\":\"tree\"}},"                  \
    "\"c\":{\"float\":[0.5,1.0],\"step\":0.5,\"when\":{\"kind\":[\"svm\"]}}"

static const char *const samplers[] = {
    "\"sampler\":{\"type\":\"grid\"},",
    "\"sampler\":{\"type\":\"brute-force\"},",
    "\"sampler\":{\"type\":\"random\",\"duplicates\":\"avoid\"},",
    "\"sampler\":{\"type\":\"tpe\",\"duplicates\":\"avoid\"},",
    "\"sampler\":{\"type\":\"qmc\",\"duplicates\":\"avoid\"},",
    "\"sampler\":{\"type\":\"cmaes\",\"duplicates\":\"avoid\"},"};
enum { N_SAMPLERS = sizeof(samplers) / sizeof(samplers[0]) };

/* Ask until the space is exhausted: no point comes twice. */
static size_t exhaust(struct search_run *r, size_t n_max)
{
    double seen[64][4] = {0};
    size_t n = 0, n_points;
    while (!sampler_is_exhausted(&r->spec, r->history, &n_points)) {
        ck_assert_uint_lt(n, n_max);
        int64_t number = search_run_ask(r, seen[n]);
        for (size_t i = 0; i < n; i++) {
            ck_assert_mem_ne(seen[i], seen[n],
                             r->spec.space.n * sizeof(double));
        }
        if (number % 3 != 2) { /* some run on */
            search_run_tell(r, number, seen[n][0]);
        }
        n++;
    }
    ck_assert_uint_eq(n_points, n);
    return n;
}

START_TEST(every_point_comes_once)
{
    struct search_run r;
    search_run_init(&r, samplers[_i], SPACE12);
    ck_assert_uint_eq(exhaust(&r, 13), 12);
    search_run_fini(&r);
}
END_TEST

START_TEST(conditional_spaces_are_counted_without_what_is_not_there)
{
    struct search_run r;
    search_run_init(&r, samplers[_i], TREE);
    ck_assert_uint_eq(exhaust(&r, 8), 7);
    search_run_fini(&r);
}
END_TEST

START_TEST(a_condition_holds_or_the_parameter_is_absent)
{
    struct search_run r;
    search_run_init(&r, "\"seed\":4,", TREE);
    int n_tree = 0;
    for (int i = 0; i < 60; i++) {
        double v[4]; /* kind, kernel, depth, c */
        int64_t number = search_run_ask(&r, v);
        bool is_tree = v[0] == 0.0;
        n_tree += is_tree;
        ck_assert_int_eq(isnan(v[2]), !is_tree);
        ck_assert_int_eq(isnan(v[3]), is_tree);
        ck_assert_int_eq(isnan(v[1]), is_tree); /* hangs on c, on kind */
        search_run_tell(&r, number, is_tree ? v[2] : v[3]);
    }
    ck_assert(n_tree > 5 && n_tree < 55);
    search_run_fini(&r);
}
END_TEST

START_TEST(what_the_user_fixes_stays)
{
    struct search_run r;
    search_run_init(&r, samplers[_i], SPACE12);
    for (int64_t i = 0; i < 4; i++) {
        const double fixed[2] = {2.0, NAN};
        double v[2];
        sampler_suggest(&r.spec, r.history, i, fixed, v);
        ck_assert_double_eq(v[0], 2.0);
        history_add(r.history);
        for (size_t p = 0; p < 2; p++) {
            history_set_param(r.history, i, r.spec.space.params[p].name,
                              &r.spec.space.params[p].dist, v[p]);
            ck_assert(p == 0 || i == 0 ||
                      history_param(r.history, i - 1, 1) != v[1]);
        }
        history_set_state(r.history, i, TRIAL_RUNNING, (double)NAN);
    }
    search_run_fini(&r);
}
END_TEST

START_TEST(a_grid_needs_steps)
{
    static const char text[] =
        "{\"study\":\"s\",\"objective\":{\"type\":\"function\","
        "\"function\":\"sphere\"},\"sampler\":{\"type\":\"grid\"},"
        "\"params\":{\"x\":{\"float\":[0,1]}}}";
    struct spec spec;
    struct err err = {0};
    ck_assert_int_eq(spec_parse(text, strlen(text), &spec, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "sampler.type: a grid needs steps or choices, "
                              "but 'x' is continuous");
}
END_TEST

START_TEST(a_continuous_space_is_never_exhausted)
{
    struct search_run r;
    size_t n;
    search_run_init(&r, samplers[3], "\"x\":{\"float\":[0,1]}");
    ck_assert_uint_eq(points_product(&r.spec.space), 0);
    for (int i = 0; i < 30; i++) {
        double v;
        search_run_tell(&r, search_run_ask(&r, &v), v);
    }
    ck_assert(!sampler_is_exhausted(&r.spec, r.history, &n));
    search_run_fini(&r);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sampler points");
    TCase *t = tcase_create("sampler points");
    tcase_add_loop_test(t, every_point_comes_once, 0, N_SAMPLERS);
    tcase_add_loop_test(
        t, conditional_spaces_are_counted_without_what_is_not_there, 0,
        N_SAMPLERS);
    tcase_add_test(t, a_condition_holds_or_the_parameter_is_absent);
    tcase_add_loop_test(t, what_the_user_fixes_stays, 0, N_SAMPLERS);
    tcase_add_test(t, a_grid_needs_steps);
    tcase_add_test(t, a_continuous_space_is_never_exhausted);
    suite_add_tcase(s, t);
    return s;
}
