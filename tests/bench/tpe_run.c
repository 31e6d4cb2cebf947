/* tpe-run SPACE SEED N: N sequential trials of TPE on a fixed objective, as one
 * JSON object: the spaces, objectives and layout of the project's Optuna
 * oracle, so that both runs can be compared value by value. */
#include "core/base/build.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARAMS = 8 };

struct seen { /* a parameter of the study, in the order of first sight */
    char *name;
    struct dist dist;
};

struct tpe_run {
    struct history *history;
    struct sampler_config config;
    struct rng rng, startup;
    struct sampler_ask *ask;
    int64_t number;
    struct seen seen[MAX_PARAMS];
    size_t n_seen;
    /* of the trial at hand, in the order asked */
    size_t asked[MAX_PARAMS];
    double values[MAX_PARAMS];
    size_t n_asked;
};

static size_t seen_of(struct tpe_run *r, const char *name,
                      const struct dist *dist)
{
    for (size_t i = 0; i < r->n_seen; i++) {
        if (strcmp(r->seen[i].name, name) == 0) {
            return i;
        }
    }
    struct seen *s = &r->seen[r->n_seen];
    s->name = mem_strdup(name);
    dist_copy(&s->dist, dist);
    return r->n_seen++;
}

static double suggest(struct tpe_run *r, const char *name,
                      const struct dist *dist)
{
    double value = sampler_param(r->ask, name, dist);
    r->asked[r->n_asked] = seen_of(r, name, dist);
    r->values[r->n_asked++] = value;
    return value;
}

static double suggest_float(struct tpe_run *r, const char *name, double low,
                            double high, double step, bool log)
{
    struct dist d = {
        .kind = DIST_FLOAT, .low = low, .high = high, .step = step, .log = log};
    return suggest(r, name, &d);
}

static double suggest_int(struct tpe_run *r, const char *name, double low,
                          double high, double step, bool log)
{
    struct dist d = {
        .kind = DIST_INT, .low = low, .high = high, .step = step, .log = log};
    return suggest(r, name, &d);
}

static size_t suggest_choice(struct tpe_run *r, const char *name,
                             struct choice *choices, size_t n)
{
    struct dist d = {.kind = DIST_CATEGORICAL,
                     .high = (double)(n - 1),
                     .choices = choices,
                     .n_choices = n};
    return (size_t)suggest(r, name, &d);
}

/* --- the objectives ---------------------------------------------------------
 */

static double square(double x)
{
    return x * x;
}

static double mixed(struct tpe_run *r)
{
    struct choice choices[] = {{CHOICE_STRING, 0, (char[]){"p"}},
                               {CHOICE_STRING, 0, (char[]){"q"}},
                               {CHOICE_STRING, 0, (char[]){"r"}}};
    double a = suggest_float(r, "a", -5, 10, 0, false);
    double b = suggest_int(r, "b", 1, 9, 1, false);
    double c = (double)suggest_choice(r, "c", choices, 3);
    double l = suggest_float(r, "l", 1e-4, 1, 0, true);
    return square(a - 1) + b + c + fabs(log(l));
}

static double notebook(struct tpe_run *r)
{
    struct choice dims[] = {{CHOICE_INT, 64, NULL},
                            {CHOICE_INT, 128, NULL},
                            {CHOICE_INT, 256, NULL}};
    struct choice heads[] = {
        {CHOICE_INT, 2, NULL}, {CHOICE_INT, 4, NULL}, {CHOICE_INT, 8, NULL}};
    static const double of_dim[] = {0.0, 0.03, 0.02};
    static const double of_head[] = {0.01, 0.02, 0.0};
    double n = suggest_int(r, "tokenizer_length", 50, 500, 50, false);
    size_t d = suggest_choice(r, "emb_dim", dims, 3);
    size_t h = suggest_choice(r, "num_heads", heads, 3);
    double lr = suggest_float(r, "lr", 1e-5, 1e-3, 0, true);
    double wd = suggest_float(r, "weight_decay", 1e-6, 1e-3, 0, true);
    return exp(-square(log10(lr) + 3.6)) - 0.05 * fabs(log10(wd) + 4.5) -
           0.02 * fabs(n - 350) / 50 + of_dim[d] + of_head[h];
}

static double discrete(struct tpe_run *r)
{
    double x = suggest_float(r, "x", 0, 1, 0.25, false);
    double k = suggest_int(r, "k", 1, 64, 1, true);
    double s = suggest_int(r, "s", -10, 10, 4, false);
    return square(x - 0.5) + fabs(log2(k) - 3) + fabs(s + 2);
}

static double sphere5(struct tpe_run *r)
{
    static const char *const names[] = {"x0", "x1", "x2", "x3", "x4"};
    double sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        sum += square(suggest_float(r, names[i], -5.12, 2.12, 0, false));
    }
    return sum;
}

static double conditional(struct tpe_run *r)
{
    struct choice kinds[] = {{CHOICE_STRING, 0, (char[]){"svm"}},
                             {CHOICE_STRING, 0, (char[]){"tree"}}};
    if (suggest_choice(r, "kind", kinds, 2) == 0) {
        double c = suggest_float(r, "c", 1e-3, 1e3, 0, true);
        return fabs(log10(c) - 1) + 0.2;
    }
    double depth = suggest_int(r, "depth", 2, 32, 1, false);
    double leaf = suggest_float(r, "leaf", 0.01, 0.5, 0, false);
    return fabs(depth - 12) / 10 + leaf;
}

static const struct space_row {
    const char *name;
    double (*objective)(struct tpe_run *r);
    enum spec_direction direction;
    bool multivariate, group;
    const char *sampler; /* the options, as the oracle prints them */
} spaces[] = {
    {"mixed", mixed, SPEC_MINIMIZE, true, false, "{}"},
    {"notebook", notebook, SPEC_MAXIMIZE, true, false, "{}"},
    {"discrete", discrete, SPEC_MINIMIZE, true, false, "{}"},
    {"sphere5", sphere5, SPEC_MINIMIZE, true, false, "{}"},
    {"conditional", conditional, SPEC_MINIMIZE, true, false, "{}"},
    {"sphere5-univariate", sphere5, SPEC_MINIMIZE, false, false,
     "{\"multivariate\": false}"},
    {"mixed-univariate", mixed, SPEC_MINIMIZE, false, false,
     "{\"multivariate\": false}"},
    {"conditional-group", conditional, SPEC_MINIMIZE, true, true,
     "{\"multivariate\": true, \"group\": true}"},
};

/* --- the run ----------------------------------------------------------------
 */

static void put_trial(const struct tpe_run *r, double value, struct json_out *w)
{
    json_open(w, '{');
    json_put_key(w, "number");
    json_put_int(w, r->number);
    json_put_key(w, "params");
    json_open(w, '{');
    for (size_t i = 0; i < r->n_asked; i++) {
        const struct seen *s = &r->seen[r->asked[i]];
        json_put_key(w, s->name);
        dist_put_value(&s->dist, r->values[i], w);
    }
    json_close(w, '}');
    json_put_key(w, "value");
    json_put_double(w, value);
    json_close(w, '}');
}

static void run_trial(struct tpe_run *r, const struct space_row *space,
                      struct json_out *w)
{
    history_add(r->history);
    history_set_state(r->history, r->number, TRIAL_RUNNING, NAN);
    r->n_asked = 0;
    r->ask =
        sampler_begin(&r->config, r->history, r->number, &r->rng, &r->startup);
    double value = space->objective(r);
    sampler_end(r->ask);
    for (size_t i = 0; i < r->n_asked; i++) {
        const struct seen *s = &r->seen[r->asked[i]];
        history_set_param(r->history, r->number, s->name, &s->dist,
                          r->values[i]);
    }
    history_set_state(r->history, r->number, TRIAL_COMPLETE, value);
    put_trial(r, value, w);
}

static void put_run(const struct tpe_run *r, const struct space_row *space,
                    const char *seed, const char *trials)
{
    struct buf buf;
    struct json_out w;
    buf_init(&buf, BUF_MAX_RESPONSE);
    json_out_init(&w, &buf, JSON_PYTHON);
    json_open(&w, '{');
    json_put_key(&w, "parzen");
    json_put_string(&w, BUILD_ID);
    json_put_key(&w, "space");
    json_put_string(&w, space->name);
    json_put_key(&w, "seed");
    json_put_raw(&w, seed);
    json_put_key(&w, "direction");
    json_put_string(&w, space->direction == SPEC_MAXIMIZE ? "maximize"
                                                          : "minimize");
    json_put_key(&w, "sampler");
    json_put_raw(&w, space->sampler);
    json_put_key(&w, "distributions");
    json_open(&w, '{');
    for (size_t i = 0; i < r->n_seen; i++) {
        json_put_key(&w, r->seen[i].name);
        dist_put_optuna(&r->seen[i].dist, &w);
    }
    json_close(&w, '}');
    json_put_key(&w, "trials");
    json_put_raw(&w, trials);
    json_close(&w, '}');
    puts(buf.data);
    buf_fini(&buf);
}

static void run(const struct space_row *space, uint32_t seed, int64_t n)
{
    struct tpe_run *r = mem_alloc(1, sizeof(*r));
    r->history = history_new();
    r->config =
        (struct sampler_config){.type = SPEC_SAMPLER_TPE,
                                .direction = space->direction,
                                .tpe = {.n_startup_trials = 10,
                                        .n_ei_candidates = 24,
                                        .multivariate = space->multivariate,
                                        .group = space->group,
                                        .constant_liar = true,
                                        .prior_weight = 1.0,
                                        .consider_magic_clip = true}};
    rng_mt19937(&r->rng, seed);
    rng_mt19937(&r->startup, seed);
    struct buf trials;
    struct json_out w;
    buf_init(&trials, BUF_MAX_RESPONSE);
    json_out_init(&w, &trials, JSON_PYTHON);
    json_open(&w, '[');
    for (r->number = 0; r->number < n; r->number++) {
        run_trial(r, space, &w);
    }
    json_close(&w, ']');
    char text[16];
    snprintf(text, sizeof(text), "%u", seed);
    put_run(r, space, text, trials.data);
    buf_fini(&trials);
    for (size_t i = 0; i < r->n_seen; i++) {
        free(r->seen[i].name);
        dist_fini(&r->seen[i].dist);
    }
    history_free(r->history);
    free(r);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 4 && i < ARRAY_LEN(spaces); i++) {
        if (strcmp(spaces[i].name, argv[1]) == 0) {
            run(&spaces[i], (uint32_t)strtoul(argv[2], NULL, 10),
                strtoll(argv[3], NULL, 10));
            return EXIT_SUCCESS;
        }
    }
    fprintf(stderr, "usage: tpe-run SPACE SEED N\nspaces:");
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++) {
        fprintf(stderr, " %s", spaces[i].name);
    }
    fputc('\n', stderr);
    return 2;
}
