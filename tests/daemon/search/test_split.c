#include "daemon/search/split.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "daemon/history.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Trials from best to worst; added to the history in the order `number`. */
struct row {
    uint32_t number;
    enum trial_state state;
    double value;
    int64_t step; /* of the only report, -1: none */
    double report;
};

/* minimising; to maximise, values change sign */
static const struct row ranking[] = {
    {11, TRIAL_COMPLETE, -INFINITY, -1, 0},
    {3, TRIAL_COMPLETE, -1.5, -1, 0},
    {0, TRIAL_COMPLETE, 2, 5, 100},  /* reports of COMPLETE are of no account */
    {7, TRIAL_COMPLETE, 2, 9, -100}, /* a tie: the older one first */
    {15, TRIAL_COMPLETE, 2, -1, 0},
    {1, TRIAL_COMPLETE, INFINITY, -1, 0},
    {9, TRIAL_PRUNED, NAN, 7, -3},
    {2, TRIAL_PRUNED, NAN, 7, 4},
    {4, TRIAL_PRUNED, NAN, 7, INFINITY},
    {6, TRIAL_PRUNED, NAN, 7, NAN}, /* as bad as infinity, but younger */
    {16, TRIAL_PRUNED, -50, 2, -50},
    {5, TRIAL_PRUNED, NAN, 0, -1e9},
    {8, TRIAL_PRUNED, NAN, -1, 0}, /* never reported: last */
    {12, TRIAL_PRUNED, -1e9, -1, 0},
};
enum { N_RANKED = sizeof(ranking) / sizeof(ranking[0]), N_TRIALS = 18 };

/* Numbers that are not ranked: 10 runs, 13 failed with the best value of all,
 * 14 waits, 17 runs. */
static struct history *make_history(double sign)
{
    struct history *h = history_new();
    for (int64_t i = 0; i < N_TRIALS; i++) {
        history_add(h);
        history_set_state(h, i, TRIAL_RUNNING, NAN);
    }
    history_report(h, 10, 1000, -1e6 * sign);
    history_set_state(h, 13, TRIAL_FAIL, -1e6 * sign);
    history_set_state(h, 14, TRIAL_WAITING, NAN);
    for (size_t r = 0; r < N_RANKED; r++) {
        const struct row *row = &ranking[r];
        history_set_state(h, row->number, row->state, sign * row->value);
        if (row->step > 0) { /* of an earlier step, but reported later */
            history_report(h, row->number, row->step, sign * row->report);
            history_report(h, row->number, row->step - 1, -sign * 1e6);
        } else if (row->step == 0) {
            history_report(h, row->number, 0, sign * row->report);
        }
    }
    return h;
}

static int compare(const void *a, const void *b)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    return i < j ? -1 : i > j;
}

static void check_split(struct history *h, enum spec_direction direction)
{
    for (size_t n_below = 0; n_below <= N_RANKED + 2; n_below++) {
        uint32_t below[N_RANKED + 2], expected[N_RANKED];
        size_t n = n_below < N_RANKED ? n_below : N_RANKED;
        ck_assert_uint_eq(split_below(h, direction, -1, n_below, below), n);
        for (size_t i = 0; i < n; i++) {
            expected[i] = ranking[i].number;
        }
        qsort(expected, n, sizeof(*expected), compare);
        for (size_t i = 0; i < n; i++) {
            ck_assert_msg(below[i] == expected[i], "%zu below: %u, not %u",
                          n_below, below[i], expected[i]);
        }
    }
}

START_TEST(test_every_n_below)
{
    struct history *h = make_history(_i == 0 ? 1 : -1);
    check_split(h, _i == 0 ? SPEC_MINIMIZE : SPEC_MAXIMIZE);
    history_free(h);
}
END_TEST

START_TEST(test_self_is_not_split)
{
    struct history *h = make_history(1);
    uint32_t below[2];
    ck_assert_uint_eq(split_below(h, SPEC_MINIMIZE, 11, 2, below), 2);
    ck_assert_uint_eq(below[0], 0);
    ck_assert_uint_eq(below[1], 3);
    history_free(h);
}
END_TEST

START_TEST(test_gamma)
{
    for (int64_t n = 0; n < 3000; n++) {
        double tenth = ceil(0.1 * (double)n);
        ck_assert_int_eq(split_gamma(n), (int64_t)fmin(tenth, 25));
    }
}
END_TEST

/* --- the rules word by word, on random histories ---------------------------
 */

enum { N_HISTORIES = 10000, MAX_TRIALS = 60 };

/* Values that come again, and those that are none. */
static double any_value(struct rng *rng)
{
    static const double odd[] = {INFINITY, -INFINITY, 0.0, -0.0, 1.0};
    return rng_below(rng, 4) == 0 ? odd[rng_below(rng, ARRAY_LEN(odd))]
                                  : rng_below(rng, 6) / 4.0 - 0.5;
}

static void random_trial(struct rng *rng, struct history *h)
{
    static const enum trial_state states[] = {TRIAL_COMPLETE, TRIAL_COMPLETE,
                                              TRIAL_PRUNED,   TRIAL_PRUNED,
                                              TRIAL_RUNNING,  TRIAL_FAIL};
    int64_t i = history_n_trials(h);
    enum trial_state state = states[rng_below(rng, ARRAY_LEN(states))];
    history_add(h);
    for (uint32_t n = rng_below(rng, 4); n > 0; n--) { /* steps are missing */
        double v = rng_below(rng, 5) == 0 ? (double)NAN : any_value(rng);
        history_report(h, i, rng_below(rng, 4), v);
    }
    if (rng_below(rng, 3) == 0) {
        double c[2] = {any_value(rng), any_value(rng)};
        history_set_constraints(h, i, c, 1 + rng_below(rng, 2));
    }
    history_set_state(h, i, state,
                      state == TRIAL_COMPLETE ? any_value(rng) : (double)NAN);
}

/* Which of optuna.md 1.4's three stages a trial is in; -1: none. */
static int stage_of(const struct history *h, int64_t i)
{
    enum trial_state s = history_state(h, i);
    size_t n;
    const double *c = history_constraints(h, i, &n);
    bool is_infeasible = false;
    for (size_t k = 0; k < n; k++) {
        is_infeasible = is_infeasible || c[k] > 0;
    }
    if (s != TRIAL_COMPLETE && s != TRIAL_PRUNED) {
        return -1;
    }
    return is_infeasible ? 2 : s == TRIAL_COMPLETE ? 0 : 1;
}

/* Within its stage, the smaller key (first, then second) comes first. */
static void key_of(const struct history *h, int64_t i, int stage, double sign,
                   double key[2])
{
    size_t n;
    const double *c = history_constraints(h, i, &n);
    double value;
    key[0] = key[1] = 0.0;
    if (stage == 0) {
        key[0] = sign * history_value(h, i);
    } else if (stage == 1) {
        int64_t step = history_last_step(h, i, &value);
        key[0] = step < 0 ? 1.0 : -(double)step;
        key[1] = step < 0 ? 0.0 : isnan(value) ? INFINITY : sign * value;
    } else {
        for (size_t k = 0; k < n; k++) {
            key[0] += c[k] > 0 ? c[k] : 0.0;
        }
    }
}

/* Selection without a sort: the first smallest of what is left, n times. */
static size_t transcribed(const struct history *h, double sign, size_t n_below,
                          uint32_t *below)
{
    bool taken[MAX_TRIALS] = {false};
    size_t n = 0;
    for (int stage = 0; stage < 3; stage++) {
        for (bool found = true; found && n < n_below; n += found) {
            double best[2] = {0}, key[2];
            int64_t at = -1;
            for (int64_t i = 0; i < history_n_trials(h); i++) {
                if (taken[i] || stage_of(h, i) != stage) {
                    continue;
                }
                key_of(h, i, stage, sign, key);
                if (at < 0 || key[0] < best[0] ||
                    (key[0] == best[0] && key[1] < best[1])) {
                    at = i;
                    best[0] = key[0];
                    best[1] = key[1];
                }
            }
            found = at >= 0;
            if (found) {
                taken[at] = true;
                below[n] = (uint32_t)at;
            }
        }
    }
    qsort(below, n, sizeof(*below), compare);
    return n;
}

START_TEST(test_random_histories)
{
    struct rng rng;
    rng_mt19937(&rng, 4);
    for (int k = 0; k < N_HISTORIES; k++) {
        struct history *h = history_new();
        uint32_t expected[MAX_TRIALS], below[MAX_TRIALS];
        for (uint32_t n = rng_below(&rng, MAX_TRIALS); n > 0; n--) {
            random_trial(&rng, h);
        }
        bool minimizes = rng_below(&rng, 2) == 0;
        size_t n_below = rng_below(&rng, 30);
        size_t n = transcribed(h, minimizes ? 1.0 : -1.0, n_below, expected);
        ck_assert_uint_eq(split_below(h,
                                      minimizes ? SPEC_MINIMIZE : SPEC_MAXIMIZE,
                                      -1, n_below, below),
                          n);
        ck_assert_msg(memcmp(below, expected, n * sizeof(*below)) == 0,
                      "history %d", k);
        history_free(h);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("split");
    TCase *t = tcase_create("split");
    tcase_add_loop_test(t, test_every_n_below, 0, 2);
    tcase_add_test(t, test_self_is_not_split);
    tcase_add_test(t, test_gamma);
    tcase_add_test(t, test_random_histories);
    suite_add_tcase(s, t);
    return s;
}
