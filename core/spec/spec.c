#include "core/spec/spec.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>

void spec_defaults(struct spec *s)
{
    *s = (struct spec){
        .name = mem_strdup(""),
        .work = {.metric = mem_strdup(""),
                 .path = mem_strdup(""),
                 .function = mem_strdup(""),
                 .directory = mem_strdup(""),
                 .timeout = NAN,
                 .output_mb = 64},
        .metric = RUN_VAL_ACC,
        .direction = SPEC_MAXIMIZE,
        .of = SPEC_OF_BEST,
        .n_trials = 20,
        .sampler = SPEC_SAMPLER_TPE,
        .tpe =
            {
                .n_startup_trials = 10,
                .n_ei_candidates = 24,
                .multivariate = true,
                .constant_liar = true,
                .prior_weight = 1.0,
                .consider_magic_clip = true,
                .learn_from_failures = true,
            },
        .pruner = SPEC_PRUNER_NONE,
        .pruning =
            {
                .percentile = 25.0,
                .n_startup_trials = 5,
                .interval_steps = 1,
                .n_min_trials = 1,
                .lower = NAN,
                .upper = NAN,
                .patience = 3,
                .p_threshold = 0.1,
                .n_startup_steps = 2,
            },
        .stop = {.value = NAN, .hours = NAN, .max_failures = 10},
        .data =
            {
                .text = mem_strdup("text"),
                .label = mem_strdup("label"),
                .min_class_count = 1,
            },
    };
    run_defaults(&s->base);
}

static void strings_free(char **strings, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(strings[i]);
    }
    free(strings);
}

void spec_fini(struct spec *s)
{
    free(s->name);
    free(s->work.metric);
    free(s->work.path);
    free(s->work.function);
    free(s->work.directory);
    strings_free(s->work.command, s->work.n_command);
    strings_free(s->work.constraints, s->work.n_constraints);
    strings_free(s->data.sources, s->data.n_sources);
    strings_free(s->data.test_sources, s->data.n_test_sources);
    strings_free(s->data.splits, s->data.n_splits);
    free(s->data.text);
    free(s->data.label);
    space_fini(&s->space);
    *s = (struct spec){0};
}

static char **strings_copy(char *const *strings, size_t n)
{
    char **copy = n > 0 ? mem_alloc(n, sizeof(*copy)) : NULL;
    for (size_t i = 0; i < n; i++) {
        copy[i] = mem_strdup(strings[i]);
    }
    return copy;
}

void spec_copy(struct spec *to, const struct spec *from)
{
    *to = *from;
    to->name = mem_strdup(from->name);
    to->work.metric = mem_strdup(from->work.metric);
    to->work.path = mem_strdup(from->work.path);
    to->work.function = mem_strdup(from->work.function);
    to->work.directory = mem_strdup(from->work.directory);
    to->work.command = strings_copy(from->work.command, from->work.n_command);
    to->work.constraints =
        strings_copy(from->work.constraints, from->work.n_constraints);
    to->data.sources = strings_copy(from->data.sources, from->data.n_sources);
    to->data.test_sources =
        strings_copy(from->data.test_sources, from->data.n_test_sources);
    to->data.splits = strings_copy(from->data.splits, from->data.n_splits);
    to->data.text = mem_strdup(from->data.text);
    to->data.label = mem_strdup(from->data.label);
    space_copy(&to->space, &from->space);
}

const char *spec_metric_name(const struct spec *s)
{
    return s->objective == SPEC_OBJECTIVE_CLASSIFIER
               ? RUN_METRIC_NAMES[s->metric]
           : s->work.metric[0] != '\0' ? s->work.metric
                                       : "value";
}

void spec_run(const struct spec *s, const double *values, int64_t trial,
              struct run *out)
{
    *out = s->base;
    out->trial = trial;
    space_apply(&s->space, values, out);
}
