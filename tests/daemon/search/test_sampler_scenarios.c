/* What Optuna suggests after histories that plain runs never have: made by
 * tests/golden/tpe/scenarios.py, which says which. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char golden[] = "tests/golden/tpe/scenarios.jsonl";

/* A number, or a string where JSON has none: "nan", "inf", "-inf". */
static double number(const struct json *node)
{
    if (json_kind(node) == JSON_STRING) {
        return strtod(json_string(node), NULL);
    }
    return json_kind(node) == JSON_NUMBER ? json_number(node) : NAN;
}

static struct sampler_config config_of(const struct json *root)
{
    const struct json *o = json_get(root, "options");
    bool is_max =
        strcmp(json_string(json_get(root, "direction")), "maximize") == 0;
    return (struct sampler_config){
        .type = SPEC_SAMPLER_TPE,
        .direction = is_max ? SPEC_MAXIMIZE : SPEC_MINIMIZE,
        .tpe = {
            .n_startup_trials =
                (int64_t)json_number(json_get(o, "n_startup_trials")),
            .n_ei_candidates =
                (int64_t)json_number(json_get(o, "n_ei_candidates")),
            .multivariate = json_bool(json_get(o, "multivariate")),
            .group = json_bool(json_get(o, "group")),
            .constant_liar = json_bool(json_get(o, "constant_liar")),
            .prior_weight = json_number(json_get(o, "prior_weight")),
            .consider_magic_clip =
                json_bool(json_get(o, "consider_magic_clip")),
            .consider_endpoints = json_bool(json_get(o, "consider_endpoints")),
        }};
}

static void load_trial(struct history *h, const struct json *trial)
{
    struct err err = {0};
    int64_t n = history_n_trials(h);
    history_add(h);
    const struct json *at = json_first(json_get(trial, "params"));
    for (; at != NULL; at = json_next(at)) {
        struct dist dist;
        const struct json *pair = json_first(at);
        ck_assert_msg(dist_from_optuna(pair, &dist, &err) == 0, "%s", err.msg);
        history_set_param(h, n, json_key(at), &dist,
                          json_number(json_next(pair)));
        dist_fini(&dist);
    }
    at = json_first(json_get(trial, "steps"));
    for (; at != NULL; at = json_next(at)) {
        const struct json *pair = json_first(at);
        history_report(h, n, (int64_t)json_number(pair),
                       number(json_next(pair)));
    }
    int state = trial_state_by_name(json_string(json_get(trial, "state")));
    ck_assert_int_ge(state, 0);
    history_set_state(h, n, (enum trial_state)state,
                      number(json_get(trial, "value")));
}

static void check_asked(struct sampler_ask *ask, const struct json *asked,
                        uint32_t seed)
{
    struct err err = {0};
    for (; asked != NULL; asked = json_next(asked)) {
        struct dist dist;
        const struct json *name = json_first(asked);
        const struct json *as = json_next(name);
        ck_assert_msg(dist_from_optuna(as, &dist, &err) == 0, "%s", err.msg);
        double expected = json_number(json_next(as));
        double value = sampler_param(ask, json_string(name), &dist);
        double tolerance = dist.kind == DIST_FLOAT ? 1e-9 * fabs(expected) : 0;
        ck_assert_msg(fabs(value - expected) <= tolerance,
                      "scenario %u, %s: %.17g instead of %.17g", seed,
                      json_string(name), value, expected);
        dist_fini(&dist);
    }
}

static void check_scenario(const char *line, size_t len)
{
    struct err err = {0};
    struct json *root;
    ck_assert_msg(json_parse(line, len, &root, &err) == 0, "%s", err.msg);
    uint32_t seed = (uint32_t)json_number(json_get(root, "seed"));
    struct history *h = history_new();
    const struct json *trial = json_first(json_get(root, "trials"));
    for (; trial != NULL; trial = json_next(trial)) {
        load_trial(h, trial);
    }
    struct sampler_config config = config_of(root);
    struct rng rng, startup;
    rng_mt19937(&rng, seed);
    rng_mt19937(&startup, seed);
    struct sampler_ask *ask =
        sampler_begin(&config, h, history_n_trials(h), &rng, &startup);
    check_asked(ask, json_first(json_get(root, "asked")), seed);
    sampler_end(ask);
    history_free(h);
    json_free(root);
}

START_TEST(test_scenarios)
{
    const char *path = getenv("PARZEN_SCENARIOS"); /* a longer list */
    struct err err = {0};
    struct buf buf;
    buf_init(&buf, BUF_MAX_RESPONSE);
    ck_assert_msg(file_read(path != NULL ? path : golden, &buf, &err) == 0,
                  "%s", err.msg);
    int n = 0;
    for (char *at = buf.data, *end; (end = strchr(at, '\n')) != NULL;
         at = end + 1) {
        check_scenario(at, (size_t)(end - at));
        n++;
    }
    ck_assert_int_ge(n, 40);
    buf_fini(&buf);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sampler_scenarios");
    TCase *t = tcase_create("optuna");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_scenarios);
    suite_add_tcase(s, t);
    return s;
}
