/* Importances against Optuna's own, and what must hold of any. */
#include "daemon/search/importance.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "daemon/history.h"
#include "tests/lib/recorded_run.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const spaces[] = {"mixed", "sphere5", "discrete", "notebook",
                                     "conditional"};

static void golden(const char *space, struct recorded_run *run,
                   struct json **want)
{
    struct err err = {0};
    char *path = mem_printf("tests/golden/tpe/tpe-%s-7.json", space);
    ck_assert_msg(recorded_run_read(path, run, &err) == 0, "%s", err.msg);
    free(path);
    path = mem_printf("tests/golden/importance/importance-%s-7.json", space);
    *want = parsed_file(path);
    free(path);
}

static double value_of(const struct importances *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return list->items[i].value;
        }
    }
    ck_abort_msg("no importance of %s", name);
    return NAN;
}

START_TEST(ped_anova_is_optunas)
{
    static const char *const keys[] = {"ped-anova-raw", "ped-anova"};
    struct recorded_run run;
    struct json *want;
    golden(spaces[_i], &run, &want);
    for (int normalize = 0; normalize < 2; normalize++) {
        struct importances got;
        importance_compute(IMPORTANCE_PED_ANOVA, run.history, run.direction, 0,
                           normalize != 0, &got);
        const struct json *list = json_get(want, keys[normalize]);
        ck_assert_int_eq(json_size(list), (int)got.n);
        size_t at = 0;
        for (const struct json *p = json_first(list); p != NULL;
             p = json_next(p)) {
            ck_assert_str_eq(got.items[at].name, json_key(p));
            double v = json_number(p);
            ck_assert(fabs(got.items[at++].value - v) <= 1e-9 * fabs(v));
        }
        importances_fini(&got);
    }
    json_free(want);
    recorded_run_fini(&run);
}
END_TEST

/* Forests differ; their mean over eight must be near that of Optuna's eight. */
START_TEST(fanova_is_near_optunas)
{
    enum { N = 8 };
    struct recorded_run run;
    struct json *want;
    struct importances got[N];
    golden(spaces[_i], &run, &want);
    for (uint64_t s = 0; s < N; s++) {
        importance_compute(IMPORTANCE_FANOVA, run.history, run.direction, s,
                           true, &got[s]);
    }
    const struct json *list = json_get(want, "fanova");
    ck_assert_int_eq(json_size(list), (int)got[0].n);
    for (const struct json *p = json_first(list); p != NULL; p = json_next(p)) {
        double mean = 0.0;
        for (int s = 0; s < N; s++) {
            mean += value_of(&got[s], json_key(p)) / N;
        }
        double sd = json_number(json_get(p, "sd"));
        double off = mean - json_number(json_get(p, "mean"));
        ck_assert_msg(fabs(off) <= 3.0 * sd + 1e-12, "%s: off by %g, sd %g",
                      json_key(p), off, sd);
    }
    for (int s = 0; s < N; s++) {
        importances_fini(&got[s]);
    }
    json_free(want);
    recorded_run_fini(&run);
}
END_TEST

/* x matters, y little, z not at all; "one" has a single value; c has more
 * choices than fANOVA combines. */
static struct history *made_up(int n)
{
    static struct choice choices[12];
    for (int c = 0; c < 12; c++) {
        choices[c] = (struct choice){.kind = CHOICE_INT, .number = c};
    }
    const struct dist real = {.kind = DIST_FLOAT, .low = 0, .high = 1};
    const struct dist one = {.kind = DIST_INT, .low = 3, .high = 3, .step = 1};
    const struct dist choice = {.kind = DIST_CATEGORICAL,
                                .high = 11,
                                .choices = choices,
                                .n_choices = 12};
    struct history *h = history_new();
    struct rng r;
    rng_stream(&r, 3, 0, RNG_STARTUP, 0);
    for (int i = 0; i < n; i++) {
        double x = rng_double(&r), y = rng_double(&r), z = rng_double(&r);
        double c = rng_below(&r, 12);
        history_add(h);
        history_set_param(h, i, "x", &real, x);
        history_set_param(h, i, "y", &real, y);
        history_set_param(h, i, "z", &real, z);
        history_set_param(h, i, "c", &choice, c);
        history_set_param(h, i, "one", &one, 3);
        history_set_state(h, i, TRIAL_COMPLETE,
                          x * x + 0.2 * y + 0.01 * (c == 4));
    }
    return h;
}

START_TEST(what_matters_comes_first)
{
    struct history *h = made_up(200);
    struct importances got;
    importance_compute((enum importance_evaluator)_i, h, SPEC_MINIMIZE, 1, true,
                       &got);
    ck_assert_uint_eq(got.n, 5);
    ck_assert_int_eq(got.n_trials, 200);
    ck_assert_str_eq(got.items[0].name, "x");
    ck_assert_double_eq(value_of(&got, "one"), 0.0);
    double sum = 0.0;
    for (size_t i = 0; i < got.n; i++) {
        ck_assert(isfinite(got.items[i].value) && got.items[i].value >= 0);
        ck_assert(i == 0 || got.items[i].value <= got.items[i - 1].value);
        sum += got.items[i].value;
    }
    ck_assert_double_eq_tol(sum, 1.0, 1e-12);
    importances_fini(&got);
    history_free(h);
}
END_TEST

START_TEST(infinities_are_ignored_exactly)
{
    struct history *h = made_up(60), *plain = made_up(60);
    const struct dist real = {.kind = DIST_FLOAT, .low = 0, .high = 1};
    struct importances a, b;
    for (int i = 60; i < 64; i++) {
        history_add(h);
        history_set_param(h, i, "x", &real, 0.5);
        history_set_state(h, i, i < 62 ? TRIAL_FAIL : TRIAL_PRUNED, NAN);
    }
    importance_compute((enum importance_evaluator)_i, h, SPEC_MINIMIZE, 1, true,
                       &a);
    importance_compute((enum importance_evaluator)_i, plain, SPEC_MINIMIZE, 1,
                       true, &b);
    ck_assert_uint_eq(a.n, b.n);
    for (size_t i = 0; i < a.n; i++) {
        ck_assert_str_eq(a.items[i].name, b.items[i].name);
        ck_assert_double_eq(a.items[i].value, b.items[i].value);
    }
    importances_fini(&a);
    importances_fini(&b);
    history_free(h);
    history_free(plain);
}
END_TEST

START_TEST(few_trials_say_nothing)
{
    for (int n = 0; n < 2; n++) {
        struct history *h = made_up(n);
        struct importances got;
        importance_compute((enum importance_evaluator)_i, h, SPEC_MAXIMIZE, 1,
                           true, &got);
        ck_assert_uint_eq(got.n, n == 0 ? 0 : 5);
        for (size_t i = 0; i < got.n; i++) {
            ck_assert_double_eq(got.items[i].value, 0.2);
        }
        importances_fini(&got);
        history_free(h);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("importance");
    TCase *t = tcase_create("importance");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, ped_anova_is_optunas, 0, 5);
    tcase_add_loop_test(t, fanova_is_near_optunas, 0, 5);
    tcase_add_loop_test(t, what_matters_comes_first, 0,
                        IMPORTANCE_N_EVALUATORS);
    tcase_add_loop_test(t, infinities_are_ignored_exactly, 0,
                        IMPORTANCE_N_EVALUATORS);
    tcase_add_loop_test(t, few_trials_say_nothing, 0, IMPORTANCE_N_EVALUATORS);
    suite_add_tcase(s, t);
    return s;
}
