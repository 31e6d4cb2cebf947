/* Optuna's own runs, trial by trial: every parameter that Optuna chose must be
 * what this sampler chooses from the same history and the same random streams.
 */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_TRIALS = 120, MAX_PARAMS = 8 };

static const char *const spaces[] = {"mixed",
                                     "notebook",
                                     "discrete",
                                     "sphere5",
                                     "conditional",
                                     "sphere5-univariate",
                                     "mixed-univariate",
                                     "conditional-group"};

static struct json *load(const char *space)
{
    char *path = mem_printf("tests/golden/tpe/tpe-%s-7.json", space);
    struct json *root = parsed_file(path);
    free(path);
    return root;
}

struct named {
    const char *name;
    struct dist dist;
};

static size_t load_dists(const struct json *root, struct named *out)
{
    struct err err = {0};
    size_t n = 0;
    const struct json *at = json_first(json_get(root, "distributions"));
    for (; at != NULL; at = json_next(at)) {
        ck_assert_uint_lt(n, MAX_PARAMS);
        out[n].name = json_key(at);
        ck_assert_msg(dist_from_optuna(at, &out[n].dist, &err) == 0, "%s",
                      err.msg);
        n++;
    }
    return n;
}

static const struct dist *find(const struct named *all, size_t n,
                               const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return &all[i].dist;
        }
    }
    ck_abort_msg("no distribution of %s", name);
    return NULL;
}

static bool option(const struct json *root, const char *name, bool otherwise)
{
    const struct json *v = json_get(json_get(root, "sampler"), name);
    return v != NULL ? json_bool(v) : otherwise;
}

static struct sampler_config config_of(const struct json *root)
{
    bool is_max =
        strcmp(json_string(json_get(root, "direction")), "maximize") == 0;
    return (struct sampler_config){
        .type = SPEC_SAMPLER_TPE,
        .direction = is_max ? SPEC_MAXIMIZE : SPEC_MINIMIZE,
        .tpe = {.n_startup_trials = 10,
                .n_ei_candidates = 24,
                .multivariate = option(root, "multivariate", true),
                .group = option(root, "group", false),
                .constant_liar = true,
                .prior_weight = 1.0,
                .consider_magic_clip = true}};
}

static void check_trial(const struct json *trial, struct sampler_ask *ask,
                        struct history *h, const struct named *dists,
                        size_t n_dists)
{
    int64_t number = history_n_trials(h) - 1;
    struct err err = {0};
    const struct json *at = json_first(json_get(trial, "params"));
    for (; at != NULL; at = json_next(at)) {
        const char *name = json_key(at);
        const struct dist *dist = find(dists, n_dists, name);
        double expected = NAN;
        ck_assert_int_eq(dist_value_from_json(dist, at, &expected, &err), 0);
        double value = sampler_param(ask, name, dist);
        double tolerance =
            dist->kind == DIST_FLOAT ? 1e-9 * fabs(expected) : 0.0;
        ck_assert_msg(fabs(value - expected) <= tolerance,
                      "trial %ld, %s: %.17g instead of %.17g", (long)number,
                      name, value, expected);
    }
    at = json_first(json_get(trial, "params"));
    for (; at != NULL; at = json_next(at)) {
        const struct dist *dist = find(dists, n_dists, json_key(at));
        double value = NAN;
        ck_assert_int_eq(dist_value_from_json(dist, at, &value, &err), 0);
        history_set_param(h, number, json_key(at), dist, value);
    }
}

START_TEST(test_golden)
{
    struct json *root = load(spaces[_i]);
    struct named dists[MAX_PARAMS];
    size_t n_dists = load_dists(root, dists);
    struct sampler_config config = config_of(root);
    struct rng rng, startup;
    rng_mt19937(&rng, 7);
    rng_mt19937(&startup, 7);
    struct history *h = history_new();
    const struct json *trial = json_first(json_get(root, "trials"));
    int n = 0;
    for (; trial != NULL; trial = json_next(trial), n++) {
        history_add(h);
        history_set_state(h, n, TRIAL_RUNNING, NAN);
        struct sampler_ask *ask = sampler_begin(&config, h, n, &rng, &startup);
        check_trial(trial, ask, h, dists, n_dists);
        sampler_end(ask);
        history_set_state(h, n, TRIAL_COMPLETE,
                          json_number(json_get(trial, "value")));
    }
    ck_assert_int_eq(n, N_TRIALS);
    history_free(h);
    for (size_t i = 0; i < n_dists; i++) {
        dist_fini(&dists[i].dist);
    }
    json_free(root);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sampler_golden");
    TCase *t = tcase_create("optuna");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_golden, 0, ARRAY_LEN(spaces));
    suite_add_tcase(s, t);
    return s;
}
