/* Which options the type of a sampler, pruner or objective does not take. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *pruner, *says;
} pruners[] = {
    {"\"type\":\"none\"", ""},
    {"\"type\":\"median\",\"n_startup_trials\":3,\"interval_steps\":2", ""},
    {"\"type\":\"asha\",\"reduction_factor\":2,\"min_resource\":3", ""},
    {"\"type\":\"asha\",\"n_startup_trials\":5", ""}, /* the default */
    {"\"type\":\"asha\",\"n_startup_trials\":3,\"patience\":2",
     "pruner.n_startup_trials: pruner 'asha' does not take it, only median, "
     "percentile\n"
     "pruner.patience: pruner 'asha' does not take it, only patient\n"},
    {"\"type\":\"median\",\"percentile\":10",
     "pruner.percentile: pruner 'median' does not take it, only percentile\n"},
    {"\"type\":\"patient\",\"wrapped\":\"asha\",\"patience\":2,"
     "\"reduction_factor\":2",
     ""},
    {"\"type\":\"patient\",\"wrapped\":\"asha\",\"lower\":0",
     "pruner.lower: pruner 'patient' does not take it, only threshold\n"},
    {"\"type\":\"none\",\"wrapped\":\"asha\"",
     "pruner.wrapped: pruner 'none' does not take it, only patient\n"},
};

static const struct {
    const char *sampler, *says;
} samplers[] = {
    {"\"n_startup_trials\":5,\"group\":true", ""},
    {"\"type\":\"random\",\"n_startup_trials\":10", ""}, /* the default */
    {"\"type\":\"random\",\"n_startup_trials\":5",
     "sampler.n_startup_trials: sampler 'random' does not take it, only tpe\n"},
    {"\"type\":\"grid\",\"duplicates\":\"avoid\"", ""},
    {"\"type\":\"qmc\",\"qmc_type\":\"halton\",\"scramble\":true", ""},
    {"\"type\":\"cmaes\",\"qmc_type\":\"halton\",\"multivariate\":false",
     "sampler.multivariate: sampler 'cmaes' does not take it, only tpe\n"
     "sampler.qmc_type: sampler 'cmaes' does not take it, only qmc\n"},
};

#define TRAINING "\"data\":{\"source\":\"a.csv\"}"
#define SPHERE   "\"objective\":{\"type\":\"function\",\"function\":\"sphere\""
#define COMMAND  "\"objective\":{\"type\":\"command\",\"command\":[\"true\"]"
#define X_ONLY   "\"params\":{\"x\":{\"int\":[0,1]}}"

static const struct {
    const char *members, *says;
} objectives[] = {
    {COMMAND ",\"timeout_seconds\":1,\"memory_mb\":2,\"output_mb\":3,"
             "\"directory\":\"d\",\"constraints\":[\"c\"]}," X_ONLY,
     ""},
    {SPHERE "}," X_ONLY ",\"data\":{\"text\":\"text\"}", ""}, /* the default */
    {SPHERE ",\"of\":\"last\",\"metric\":\"val-loss\"}," X_ONLY, ""},
    {"\"objective\":{\"output_mb\":64}," TRAINING
     ",\"model\":{\"dropout\":{\"float\":[0,0.5]}},\"training\":{\"lr\":0.1},"
     "\"tokenizer\":{\"vocab_size\":500},\"threads_per_worker\":2",
     ""},
    {"\"objective\":{\"type\":\"classifier\",\"path\":\"t\",\"function\":\"f\","
     "\"command\":[\"c\"],\"timeout_seconds\":1}," TRAINING,
     "objective.path: objective 'classifier' does not take it, only table\n"
     "objective.function: objective 'classifier' does not take it, only "
     "function\n"
     "objective.command: objective 'classifier' does not take it, only "
     "command\n"
     "objective.timeout_seconds: objective 'classifier' does not take it, only "
     "command\n"},
    {SPHERE ",\"memory_mb\":2,\"output_mb\":3,\"directory\":\"d\"}," X_ONLY,
     "objective.directory: objective 'function' does not take it, only "
     "command\n"
     "objective.memory_mb: objective 'function' does not take it, only "
     "command\n"
     "objective.output_mb: objective 'function' does not take it, only "
     "command\n"},
    {COMMAND "}," X_ONLY
             ",\"threads_per_worker\":2,\"data\":{\"source\":\"a.csv\"},"
             "\"tokenizer\":{\"vocab_size\":500},\"model\":{\"emb_dim\":64},"
             "\"training\":{\"max_epochs\":3,\"batch_size\":16,"
             "\"early_stopping\":{\"monitor\":\"val-loss\"}}",
     "threads_per_worker: objective 'command' does not take it, only "
     "classifier\n"
     "data.source: objective 'command' does not take it, only classifier\n"
     "tokenizer.vocab_size: objective 'command' does not take it, only "
     "classifier\n"
     "model.emb_dim: objective 'command' does not take it, only classifier\n"
     "training.max_epochs: objective 'command' does not take it, only "
     "classifier\n"
     "training.early_stopping.monitor: objective 'command' does not take it, "
     "only classifier\n"},
};

static void check(const char *members, const char *says)
{
    struct spec s;
    struct err err;
    struct buf out;
    char *text = mem_printf("{\"study\":\"s\",\"n_trials\":1,%s}", members);
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    buf_init(&out, BUF_MAX_CONFIG);
    buf_str(&out, "");
    int n = spec_unused(&s, &out), lines = 0;
    for (const char *at = out.data; *at != '\0'; at++) {
        lines += *at == '\n';
    }
    ck_assert_str_eq(out.data, says);
    ck_assert_int_eq(n, lines);
    buf_fini(&out);
    spec_fini(&s);
    free(text);
}

static void check_section(const char *section, const char *members,
                          const char *says)
{
    char *all = mem_printf("\"%s\":{%s}," SPHERE "}," X_ONLY, section, members);
    check(all, says);
    free(all);
}

START_TEST(options_of_other_pruners_are_told)
{
    check_section("pruner", pruners[_i].pruner, pruners[_i].says);
}
END_TEST

START_TEST(options_of_other_samplers_are_told)
{
    check_section("sampler", samplers[_i].sampler, samplers[_i].says);
}
END_TEST

START_TEST(what_other_objectives_read_is_told)
{
    check(objectives[_i].members, objectives[_i].says);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("spec_unused");
    TCase *c = tcase_create("spec_unused");
    tcase_add_loop_test(c, options_of_other_pruners_are_told, 0,
                        (int)ARRAY_LEN(pruners));
    tcase_add_loop_test(c, options_of_other_samplers_are_told, 0,
                        (int)ARRAY_LEN(samplers));
    tcase_add_loop_test(c, what_other_objectives_read_is_told, 0,
                        (int)ARRAY_LEN(objectives));
    suite_add_tcase(s, c);
    return s;
}
