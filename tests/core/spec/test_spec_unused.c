/* Which options of a sampler or pruner its type does not take. */
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

static void check(const char *section, const char *members, const char *says)
{
    struct spec s;
    struct err err;
    struct buf out;
    char *text = mem_printf(
        "{\"study\":\"s\",\"n_trials\":1,\"%s\":{%s},\"objective\":"
        "{\"type\":\"function\",\"function\":\"sphere\"},\"params\":{\"x\":"
        "{\"int\":[0,1]}}}",
        section, members);
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

START_TEST(options_of_other_pruners_are_told)
{
    check("pruner", pruners[_i].pruner, pruners[_i].says);
}
END_TEST

START_TEST(options_of_other_samplers_are_told)
{
    check("sampler", samplers[_i].sampler, samplers[_i].says);
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
    suite_add_tcase(s, c);
    return s;
}
