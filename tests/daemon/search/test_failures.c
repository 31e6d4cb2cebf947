/* Spaces of which nine tenths fail: the search learns where (field.md section
 * 8, test 8; its end-to-end test is in tests/e2e/test_field.c). */
#include "core/spec/trial.h"
#include "daemon/history.h"
#include "tests/lib/search_run.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>

enum { N_SEEDS = 6, N_LEARN = 60, N_TRIALS = 90, DIMS_MAX = 5 };

static bool in_box(const double *v)
{
    return v[0] > 0.6 && v[0] < 0.916 && v[1] > 0.2 && v[1] < 0.516;
}

static bool in_interval(const double *v)
{
    return v[0] > 0.63 && v[0] < 0.73;
}

static bool is_choice(const double *v)
{
    return v[0] == 7;
}

static bool is_large(const double *v)
{
    return v[0] + v[1] + v[2] + v[3] + v[4] > 3.35;
}

static bool in_corner(const double *v)
{
    return v[0] < 0.464 && v[1] < 0.464 && v[2] < 0.464;
}

static bool on_a_ridge(const double *v)
{
    return fabs(v[1] - 0.3 * v[0] - 0.6) < 0.05;
}

#define UNIT(name) "\"" name "\":{\"float\":[0,1]}"

static const struct {
    const char *params;
    bool (*works)(const double *values);
} SPACES[] = {
    {UNIT("x") "," UNIT("y"), in_box},
    {UNIT("x"), in_interval},
    {"\"c\":{\"choice\":[0,1,2,3,4,5,6,7,8,9]}," UNIT("x"), is_choice},
    {UNIT("a") "," UNIT("b") "," UNIT("c") "," UNIT("d") "," UNIT("e"),
     is_large},
    {UNIT("a") "," UNIT("b") "," UNIT("c"), in_corner},
    {UNIT("x") "," UNIT("y"), on_a_ridge},
};

/* How many of the trials after the first N_LEARN work. */
static int count_working(int space, int seed, const char *sampler)
{
    char members[128];
    struct search_run r;
    int n = 0;
    snprintf(members, sizeof(members), "\"seed\":%d,\"sampler\":{%s},", seed,
             sampler);
    search_run_init(&r, members, SPACES[space].params);
    for (int i = 0; i < N_TRIALS; i++) {
        double v[DIMS_MAX];
        int64_t trial = search_run_ask(&r, v);
        if (SPACES[space].works(v)) {
            search_run_tell(&r, trial, fabs(v[0] - 0.3));
            n += i >= N_LEARN;
        } else {
            history_set_state(r.history, trial, TRIAL_FAIL, NAN);
        }
    }
    search_run_fini(&r);
    return n;
}

START_TEST(half_of_what_is_tried_then_works)
{
    int n = 0;
    for (int seed = 0; seed < N_SEEDS; seed++) {
        n += count_working(_i, seed, "");
    }
    ck_assert_msg(2 * n >= N_SEEDS * (N_TRIALS - N_LEARN), "%d of %d", n,
                  N_SEEDS * (N_TRIALS - N_LEARN));
}
END_TEST

/* As Optuna: failures are nothing that was seen. */
START_TEST(failures_may_be_ignored)
{
    int n = 0;
    for (int seed = 0; seed < N_SEEDS; seed++) {
        n += count_working(_i, seed, "\"learn_from_failures\":false");
    }
    ck_assert_msg(4 * n < N_SEEDS * (N_TRIALS - N_LEARN), "%d of %d", n,
                  N_SEEDS * (N_TRIALS - N_LEARN));
}
END_TEST

/* The option changes nothing then. */
START_TEST(without_failures_nothing_changes)
{
    static const char *const members[] = {
        "\"seed\":3,\"sampler\":{\"learn_from_failures\":true},",
        "\"seed\":3,\"sampler\":{\"learn_from_failures\":false},"};
    struct search_run r[2];
    for (int k = 0; k < 2; k++) {
        search_run_init(&r[k], members[k], SPACES[3].params);
    }
    for (int i = 0; i < 30; i++) {
        double v[2][DIMS_MAX];
        for (int k = 0; k < 2; k++) {
            int64_t trial = search_run_ask(&r[k], v[k]);
            search_run_tell(&r[k], trial, v[k][0]);
        }
        ck_assert_mem_eq(v[0], v[1], sizeof(v[0]));
    }
    search_run_fini(&r[0]);
    search_run_fini(&r[1]);
}
END_TEST

/* All failed so far: what follows keeps away from them, in the range. */
START_TEST(a_space_that_only_failed_is_filled)
{
    enum { N = 40, CELLS = 10 };
    struct search_run r;
    int count[CELLS] = {0}, n_seen = 0;
    search_run_init(&r, "\"seed\":1,", SPACES[1].params);
    for (int i = 0; i < N; i++) {
        double v[1];
        int64_t trial = search_run_ask(&r, v);
        ck_assert(v[0] >= 0 && v[0] <= 1);
        history_set_state(r.history, trial, TRIAL_FAIL, NAN);
        count[(int)fmin(v[0] * CELLS, CELLS - 1)]++;
    }
    for (int i = 0; i < CELLS; i++) {
        n_seen += count[i] >= 2;
    }
    ck_assert_int_eq(n_seen, CELLS);
    search_run_fini(&r);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("failures");
    TCase *t = tcase_create("failures");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, half_of_what_is_tried_then_works, 0,
                        sizeof(SPACES) / sizeof(SPACES[0]));
    tcase_add_loop_test(t, failures_may_be_ignored, 0,
                        sizeof(SPACES) / sizeof(SPACES[0]));
    tcase_add_test(t, without_failures_nothing_changes);
    tcase_add_test(t, a_space_that_only_failed_is_filled);
    suite_add_tcase(s, t);
    return s;
}
