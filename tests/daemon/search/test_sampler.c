#include "daemon/search/sampler.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/sampler_random.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>

enum { N_DIMS = 5 };

static struct choice choices[3] = {{.kind = CHOICE_INT, .number = 1},
                                   {.kind = CHOICE_INT, .number = 2},
                                   {.kind = CHOICE_INT, .number = 4}};
static const struct dist dists[N_DIMS] = {
    {.kind = DIST_FLOAT, .low = -1, .high = 1},
    {.kind = DIST_FLOAT, .low = 1e-5, .high = 1e-2, .log = true},
    {.kind = DIST_INT, .low = 1, .high = 9, .step = 2},
    {.kind = DIST_CATEGORICAL, .high = 2, .choices = choices, .n_choices = 3},
    {.kind = DIST_FLOAT, .low = 4, .high = 4},
};
static const char *const names[N_DIMS] = {"x", "lr", "k", "c", "one"};

static struct spec spec;

static void set_up(void)
{
    spec_defaults(&spec);
    space_fini(&spec.space);
    spec.base.seed = 3;
    spec.space = (struct space){
        .params = mem_alloc(N_DIMS, sizeof(struct param)), .n = N_DIMS};
    for (size_t d = 0; d < N_DIMS; d++) {
        spec.space.params[d] =
            (struct param){.name = mem_strdup(names[d]), .field = -1};
        dist_copy(&spec.space.params[d].dist, &dists[d]);
    }
    spec.direction = SPEC_MINIMIZE;
}

static void tear_down(void)
{
    spec_fini(&spec);
}

static void put(struct history *h, const double *values, enum trial_state state,
                double value)
{
    int64_t n = history_n_trials(h);
    history_add(h);
    for (size_t d = 0; d < N_DIMS; d++) {
        history_set_param(h, n, names[d], &dists[d], values[d]);
    }
    history_set_state(h, n, state, value);
}

static double objective(const double *v)
{
    return v[0] * v[0] + fabs(log10(v[1]) + 4) + v[2] / 10 + v[3];
}

/* n trials by the sampler itself. */
static struct history *run(size_t n)
{
    struct history *h = history_new();
    for (size_t i = 0; i < n; i++) {
        double values[N_DIMS];
        sampler_suggest(&spec, h, (int64_t)i, NULL, values);
        put(h, values, TRIAL_COMPLETE, objective(values));
    }
    return h;
}

static bool same(const double *a, const double *b)
{
    for (size_t d = 0; d < N_DIMS; d++) {
        if (a[d] != b[d]) {
            return false;
        }
    }
    return true;
}

static void suggest(const struct history *h, double *out)
{
    sampler_suggest(&spec, h, history_n_trials(h), NULL, out);
}

START_TEST(test_values_lie_in_the_domain)
{
    spec.sampler = _i == 1 ? SPEC_SAMPLER_RANDOM : SPEC_SAMPLER_TPE;
    spec.tpe.multivariate = _i != 2;
    struct history *h = run(60);
    for (int64_t t = 0; t < 60; t++) {
        for (int d = 0; d < N_DIMS; d++) {
            ck_assert(dist_contains(&dists[d], history_param(h, t, d)));
        }
        ck_assert_double_eq(history_param(h, t, N_DIMS - 1), 4);
    }
    history_free(h);
}
END_TEST

START_TEST(test_same_seed_same_trials)
{
    struct history *h = run(15), *again = run(15);
    for (int64_t t = 0; t < 15; t++) {
        for (int d = 0; d < N_DIMS; d++) {
            ck_assert_double_eq(history_param(h, t, d),
                                history_param(again, t, d));
        }
    }
    double a[N_DIMS], b[N_DIMS];
    suggest(h, a);
    spec.base.seed = 4;
    suggest(h, b);
    ck_assert(!same(a, b));
    history_free(h);
    history_free(again);
}
END_TEST

/* Up to n_startup_trials finished ones: uniform; from then on: not. */
START_TEST(test_startup_gate)
{
    for (size_t n = 8; n <= 12; n++) {
        struct history *h = run(n);
        struct rng startup;
        rng_stream(&startup, spec.base.seed, (uint32_t)n, RNG_STARTUP, 0);
        double uniform[N_DIMS], values[N_DIMS];
        for (size_t d = 0; d < N_DIMS; d++) {
            uniform[d] = d + 1 < N_DIMS ? random_param(&startup, &dists[d]) : 4;
        }
        suggest(h, values);
        ck_assert_int_eq(same(values, uniform), n < 10);
        history_free(h);
    }
}
END_TEST

START_TEST(test_options_change_the_sample)
{
    struct history *h = run(30);
    double base[N_DIMS], other[N_DIMS];
    suggest(h, base);
    const struct spec_tpe tpe = spec.tpe;
    for (int i = 0; i < 4; i++) {
        spec.tpe = tpe;
        spec.tpe.prior_weight = i == 0 ? 20.0 : 1.0;
        spec.tpe.n_ei_candidates = i == 1 ? 5 : 24;
        spec.tpe.multivariate = i != 2;
        spec.tpe.n_startup_trials = i == 3 ? 31 : 10;
        suggest(h, other);
        ck_assert_msg(!same(base, other), "option %d", i);
    }
    history_free(h);
}
END_TEST

/* What did not end well, or not at all, is not learned from where the options
 * say so (failures: test_failures.c). */
START_TEST(test_unused_states)
{
    static const enum trial_state states[] = {TRIAL_FAIL, TRIAL_WAITING,
                                              TRIAL_RUNNING};
    spec.tpe.constant_liar = false;
    spec.tpe.learn_from_failures = false;
    struct history *h = run(20);
    double base[N_DIMS], with[N_DIMS];
    suggest(h, base);
    for (size_t s = 0; s < ARRAY_LEN(states); s++) {
        put(h, (double[]){0.9, 1e-2, 9, 2, 4}, states[s], -100);
        sampler_suggest(&spec, h, 20, NULL, with);
        ck_assert(same(base, with));
    }
    put(h, (double[]){0.9, 1e-2, 9, 2, 4}, TRIAL_PRUNED, NAN);
    sampler_suggest(&spec, h, 20, NULL, with);
    ck_assert(!same(base, with));
    history_free(h);
}
END_TEST

/* A trial's own row, already running, is not part of its history. */
START_TEST(test_own_row_is_ignored)
{
    struct history *h = run(20);
    double base[N_DIMS], with[N_DIMS];
    suggest(h, base);
    put(h, (double[]){0.9, 1e-2, 9, 2, 4}, TRIAL_RUNNING, NAN);
    sampler_suggest(&spec, h, 20, NULL, with);
    ck_assert(same(base, with));
    history_set_state(h, 20, TRIAL_COMPLETE, -100);
    sampler_suggest(&spec, h, 20, NULL, with);
    ck_assert(same(base, with));
    history_free(h);
}
END_TEST

/* The order in which trials ended is of no account, only their numbers. */
START_TEST(test_order_of_ending)
{
    struct history *h = run(40), *late = history_new();
    for (int64_t t = 0; t < 40; t++) {
        history_add(late);
    }
    for (int64_t t = 39; t >= 0; t--) {
        for (int d = 0; d < N_DIMS; d++) {
            history_set_param(late, t, names[d], &dists[d],
                              history_param(h, t, d));
        }
        history_set_state(late, t, TRIAL_COMPLETE, history_value(h, t));
    }
    double a[N_DIMS], b[N_DIMS];
    suggest(h, a);
    suggest(late, b);
    ck_assert(same(a, b));
    history_free(h);
    history_free(late);
}
END_TEST

static double spread_of_ten(bool liar)
{
    spec.tpe.constant_liar = liar;
    struct history *h = run(40);
    double x[10], mean = 0.0, sum = 0.0;
    for (size_t i = 0; i < 10; i++) {
        double values[N_DIMS];
        suggest(h, values);
        put(h, values, TRIAL_RUNNING, NAN);
        x[i] = values[0];
        mean += x[i] / 10;
    }
    for (size_t i = 0; i < 10; i++) {
        sum += (x[i] - mean) * (x[i] - mean);
    }
    history_free(h);
    return sqrt(sum / 10);
}

START_TEST(test_liar_spreads_out)
{
    double without = 0.0, with = 0.0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        spec.base.seed = seed;
        without += spread_of_ten(false);
        with += spread_of_ten(true);
    }
    ck_assert_msg(with > 1.2 * without, "%g with, %g without", with, without);
}
END_TEST

START_TEST(test_fixed_values_win)
{
    struct history *h = run(15);
    double fixed[N_DIMS] = {NAN, 5.0, NAN, 1, 77}, base[N_DIMS], v[N_DIMS];
    suggest(h, base);
    sampler_suggest(&spec, h, 15, fixed, v);
    ck_assert_double_eq(v[1], 5.0); /* out of range, as Optuna's enqueue */
    ck_assert_double_eq(v[3], 1);
    ck_assert_double_eq(v[4], 77);
    ck_assert_double_eq(v[0], base[0]);
    ck_assert_double_eq(v[2], base[2]);
    history_free(h);
}
END_TEST

/* What only a foreign or damaged database can hold must do no harm. */
START_TEST(test_absurd_history)
{
    struct history *h = run(12);
    put(h, (double[]){INFINITY, -1, 1e300, 99, NAN}, TRIAL_COMPLETE, NAN);
    put(h, (double[]){-INFINITY, 0, -1e300, -1, 4}, TRIAL_PRUNED, NAN);
    spec.tpe.multivariate = _i == 0;
    double v[N_DIMS];
    suggest(h, v);
    for (size_t d = 0; d < N_DIMS; d++) {
        ck_assert(dist_contains(&dists[d], v[d]));
    }
    history_free(h);
}
END_TEST

START_TEST(test_asked_twice)
{
    struct history *h = run(15);
    struct sampler_config config = {.type = SPEC_SAMPLER_TPE, .tpe = spec.tpe};
    config.tpe.multivariate = false;
    struct rng rng, startup;
    rng_mt19937(&rng, 1);
    rng_mt19937(&startup, 1);
    struct sampler_ask *ask = sampler_begin(&config, h, 15, &rng, &startup);
    double first = sampler_param(ask, "x", &dists[0]);
    ck_assert_double_ne(sampler_param(ask, "y", &dists[0]), first);
    ck_assert_double_eq(sampler_param(ask, "x", &dists[0]), first);
    sampler_end(ask);
    history_free(h);
}
END_TEST

/* It must find the optimum better than chance does. */
START_TEST(test_beats_random)
{
    double best[2] = {0, 0};
    for (uint64_t seed = 0; seed < 5; seed++) {
        for (int s = 0; s < 2; s++) {
            spec.base.seed = seed;
            spec.sampler = s == 0 ? SPEC_SAMPLER_TPE : SPEC_SAMPLER_RANDOM;
            struct history *h = run(80);
            double min = INFINITY;
            for (int64_t t = 0; t < 80; t++) {
                min = fmin(min, history_value(h, t));
            }
            best[s] += min;
            history_free(h);
        }
    }
    ck_assert_msg(best[0] < best[1], "%g against %g", best[0], best[1]);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sampler");
    TCase *t = tcase_create("sampler");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_loop_test(t, test_values_lie_in_the_domain, 0, 3);
    tcase_add_test(t, test_same_seed_same_trials);
    tcase_add_test(t, test_startup_gate);
    tcase_add_test(t, test_options_change_the_sample);
    tcase_add_test(t, test_unused_states);
    tcase_add_test(t, test_own_row_is_ignored);
    tcase_add_test(t, test_order_of_ending);
    tcase_add_test(t, test_liar_spreads_out);
    tcase_add_test(t, test_fixed_values_win);
    tcase_add_loop_test(t, test_absurd_history, 0, 2);
    tcase_add_test(t, test_asked_twice);
    tcase_add_test(t, test_beats_random);
    suite_add_tcase(s, t);
    return s;
}
