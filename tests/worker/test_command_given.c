/* What a command is given of a trial's parameters. */
#include "worker/command_given.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

/* lr, opt and "a b" are given, mom and nes are not. */
static const char NAMES[] = "[\"lr\",\"opt\",\"a b\",\"none\",\"mom\",\"nes\"]";
static const char PARAMS[] = "{\"lr\":0.001,\"opt\":\"adam{mom}\","
                             "\"a b\":-64,\"none\":null}";

static struct json *parsed(const char *text)
{
    struct json *root;
    struct err err;
    ck_assert_msg(json_parse(text, strlen(text), &root, &err) == 0, "%s: %s",
                  text, err.msg);
    return root;
}

/* The arguments with | between them; owned. */
static char *given(const char *command)
{
    struct json *names = parsed(NAMES), *params = parsed(PARAMS);
    struct json *list = parsed(command);
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

Suite *suite(void)
{
    Suite *s = suite_create("command_given");
    TCase *t = tcase_create("command_given");
    tcase_add_loop_test(t, test_arguments, 0, (int)ARRAY_LEN(ARGUMENTS));
    suite_add_tcase(s, t);
    return s;
}
