/* What a command is given of a trial's parameters. */
#include "worker/command_given.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/wire/msg.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"
#include "worker/objective.h"

#include <stdlib.h>
#include <string.h>

/* lr, opt and "a b" are given, mom and nes are not. */
static const char NAMES[] = "[\"lr\",\"opt\",\"a b\",\"none\",\"mom\",\"nes\"]";
static const char PARAMS[] = "{\"lr\":0.001,\"opt\":\"adam{mom}\","
                             "\"a b\":-64,\"none\":null}";

/* The arguments with | between them; owned. */
static char *given(const char *command)
{
    struct json *names = parsed_text(NAMES), *params = parsed_text(PARAMS);
    struct json *list = parsed_text(command);
    struct strings argv = {0};
    given_arguments(list, names, params, &argv);
    char *all = mem_strdup("");
    for (size_t i = 0; i < argv.n; i++) {
        char *more = mem_printf("%s%s%s", all, i > 0 ? "|" : "", argv.items[i]);
        free(all);
        all = more;
    }
    ck_assert(argv.n == 0 || argv.items[argv.n] == NULL);
    strings_fini(&argv);
    json_free(list);
    json_free(names);
    json_free(params);
    return all;
}

static const struct {
    const char *command, *given;
} ARGUMENTS[] = {
    {"[]", ""},
    {"[\"p\"]", "p"},
    {"[\"p\",\"{lr}\",\"--lr={lr}\",\"x{a b}y{lr}\"]",
     "p|0.001|--lr=0.001|x-64y0.001"},
    {"[\"p\",\"[{none}]\",\"{none}\"]", "p|[]|"}, /* null is a value */
    {"[\"p\",\"{opt}\"]", "p|adam{mom}"}, /* a value is not read again */
    {"[\"p\",\"{\",\"}{\",\"{}\",\"{lr\",\"lr}\",\"{{lr}}\"]",
     "p|{|}{|{}|{lr|lr}|{0.001}"},
    {"[\"p\",\"{LR}\",\"{ lr}\",\"{\\\"lr\\\":{lr}}\"]",
     "p|{LR}|{ lr}|{\"lr\":0.001}"},
    /* what the trial does not have */
    {"[\"p\",\"--m\",\"{mom}\",\"--lr\",\"{lr}\"]", "p|--lr|0.001"},
    {"[\"p\",\"-m\",\"{mom}\"]", "p"},
    {"[\"p\",\"--m={mom}\",\"--lr={lr}\"]", "p|--lr=0.001"},
    {"[\"p\",\"--on\",\"--m={mom}\"]", "p|--on"}, /* no value of --on's */
    {"[\"p\",\"--on\",\"-m{mom}\"]", "p|--on"},
    {"[\"p\",\"--lr={lr}\",\"{mom}\"]", "p|--lr=0.001"},
    {"[\"p\",\"{lr}\",\"{mom}\"]", "p|0.001"},
    {"[\"p\",\"{a b}\",\"{mom}\"]", "p|-64"}, /* a value, no option */
    {"[\"p\",\"-5\",\"{mom}\",\"-.5\",\"{mom}\",\"-\",\"{mom}\"]",
     "p|-5|-.5|-"},
    {"[\"p\",\"--\",\"{mom}\",\"x\"]", "p|--|x"},
    {"[\"p\",\"--range\",\"{lr},{mom}\",\"x\"]", "p|x"},
    {"[\"p\",\"--set\",\"m.mom={mom}\",\"m.lr={lr}\"]", "p|m.lr=0.001"},
    {"[\"p\",\"--betas\",\"{mom}\",\"{nes}\",\"x\"]", "p|x"},
    {"[\"p\",\"--on\",\"--m={mom}\",\"{nes}\"]", "p|--on"},
    {"[\"p\",\"--on\",\"--m\",\"{mom}\",\"{nes}\"]", "p|--on"},
    {"[\"sh\",\"-c\",\"train --m {mom} --lr {lr}\"]",
     "sh|-c|train --m  --lr 0.001"},
    {"[\"sh\",\"-c\",\"a\\n{mom}\"]", "sh|-c|a\n"},
    {"[\"{mom}\",\"{mom}\",\"x\"]", "|x"}, /* cannot be executed, and says so */
    {"[\"-p\",\"{mom}\",\"x\"]", "-p|x"},
};

START_TEST(test_arguments)
{
    char *all = given(ARGUMENTS[_i].command);
    ck_assert_str_eq(all, ARGUMENTS[_i].given);
    free(all);
}
END_TEST

/* NAME=value of an environment; NULL: it has none. Fails where it has two. */
static const char *value_in(const struct strings *env, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < env->n; i++) {
        size_t n = strlen(name);
        if (strncmp(env->items[i], name, n) == 0 && env->items[i][n] == '=') {
            ck_assert_msg(value == NULL, "%s twice", name);
            value = env->items[i] + n + 1;
        }
    }
    return value;
}

#define HAS(name, value) ck_assert_pstr_eq(value_in(&env, name), value)

START_TEST(test_environment)
{
    struct msg_assign assign = {.id = {7, 12, 3}, .run = {.seed = UINT64_MAX}};
    struct json *params = parsed_text(
        "{\"lr\":1e-5,\"n\":64,\"on\":true,\"off\":false,\"none\":null,"
        "\"opt\":\"a b=\\u20ac\",\"a-b.c\":2.0,\"\\u00e9\":0.1}");
    struct objective_task task = {.assign = &assign, .params = params};
    struct strings env = {0};
    setenv("PARZEN_PARAM_old", "of the outer command", 1);
    setenv("PARZEN_TRIAL", "99", 1);
    setenv("PARZEN_POOL", "the mark", 1);
    setenv("PARZENX", "the user's", 1);
    given_environment(&task, "/p.json", "/c", &env);
    ck_assert_ptr_null(env.items[env.n]);
    HAS("PARZEN_PARAM_lr", "1e-05");
    HAS("PARZEN_PARAM_n", "64");
    HAS("PARZEN_PARAM_on", "true");
    HAS("PARZEN_PARAM_off", "false");
    HAS("PARZEN_PARAM_none", "");
    HAS("PARZEN_PARAM_opt", "a b=\xe2\x82\xac");
    HAS("PARZEN_PARAM_a_b_c", "2.0");
    HAS("PARZEN_PARAM___", "0.1");
    HAS("PARZEN_PARAM_old", NULL);
    HAS("PARZEN_TRIAL", "12");
    HAS("PARZEN_ATTEMPT", "3");
    HAS("PARZEN_SEED", "18446744073709551615");
    HAS("PARZEN_PARAMS_FILE", "/p.json");
    HAS("PARZEN_CHECKPOINT_DIR", "/c");
    HAS("PARZEN_POOL", "the mark"); /* by which it is found (proc.h) */
    HAS("PARZENX", "the user's");
    HAS("PATH", getenv("PATH"));
    strings_fini(&env);
    json_free(params);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("command_given");
    TCase *t = tcase_create("command_given");
    tcase_add_loop_test(t, test_arguments, 0, (int)ARRAY_LEN(ARGUMENTS));
    tcase_add_test(t, test_environment);
    suite_add_tcase(s, t);
    return s;
}
