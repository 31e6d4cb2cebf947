/* Every way to get a config wrong, and the sentence that it gets. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/spec.h"
#include "core/spec/spec_json.h"
#include "core/spec/tabulated.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

/* Right in a store that is older than the rule, refused of a new study. */
static const struct {
    const char *config, *sentence; /* NULL: it is right */
} REFUSED_NEW[] = {
    {"\"objective\":{\"type\":\"function\",\"function\":\"spere\"}",
     "objective.function: must be one of sphere, branin, hartmann6, "
     "rosenbrock, rastrigin, ackley, levy, styblinski-tang, michalewicz, "
     "shekel10, not 'spere'"},
    {"\"objective\":{\"type\":\"function\",\"function\":\"shekel10\"}",
     "params: shekel10 takes 4 numbers, not 1"},
    {"\"objective\":{\"type\":\"function\",\"function\":\"rosenbrock\"}",
     "params: rosenbrock takes at least 2 numbers, not 1"},
    {"\"objective\":{\"type\":\"function\",\"function\":\"levy\"},"
     "\"pruner\":{\"type\":\"threshold\"}",
     "pruner.lower: missing: a threshold needs it, or pruner.upper"},
    {"\"objective\":{\"type\":\"function\",\"function\":\"levy\"},"
     "\"pruner\":{\"type\":\"patient\",\"wrapped\":\"threshold\"}",
     "pruner.lower: missing: a threshold needs it, or pruner.upper"},
    {"\"objective\":{\"type\":\"function\",\"function\":\"levy\"},"
     "\"pruner\":{\"type\":\"threshold\",\"upper\":3}",
     NULL},
    {"\"objective\":{\"type\":\"function\",\"function\":\"levy\"},"
     "\"pruner\":{\"type\":\"threshold\",\"lower\":3}",
     NULL},
};

START_TEST(new_studies_must_be_more)
{
    struct spec s;
    struct err err;
    char *text = mem_printf("{\"study\":\"s\",\"params\":{\"x\":{\"float\":"
                            "[0,1]}},%s}",
                            REFUSED_NEW[_i].config);
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    int rc = spec_check_new(&s, &err);
    if (REFUSED_NEW[_i].sentence == NULL) {
        ck_assert_int_eq(rc, 0);
    } else {
        ck_assert_int_eq(rc, ERR_INVALID);
        ck_assert_str_eq(err.msg, REFUSED_NEW[_i].sentence);
    }
    spec_fini(&s);
    free(text);
}
END_TEST

/* The page could not address it; one that is there is read. */
START_TEST(a_name_is_no_folder_of_an_address)
{
    static const char *const names[] = {".", "..", "...", ".a"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct spec s;
        struct err err;
        char *quoted = mem_printf("\"%s\"", names[i]);
        ck_assert_int_eq(parsed_with("study", quoted, &s, &err), 0);
        ck_assert_int_eq(spec_check_new(&s, &err), i < 2 ? ERR_INVALID : 0);
        ck_assert(i >= 2 || strstr(err.msg, "study: must not be '.") != NULL);
        spec_fini(&s);
        free(quoted);
    }
}
END_TEST

/* Functions take numbers, so many as they are of; where conditions decide how
 * many there are, some trial must have that many. */
#define BRANIN "\"objective\":{\"type\":\"function\",\"function\":\"branin\"},"
static const struct {
    const char *config, *sentence; /* NULL: it is right */
} FUNCTIONS[] = {
    {BRANIN "\"params\":{\"x\":{\"float\":[0,1]},\"y\":{\"choice\":[1,2.5]}}",
     NULL},
    {BRANIN "\"params\":{\"x\":{\"float\":[0,1]},\"y\":{\"choice\":[1,\"2\"]}}",
     "params.y: a function takes numbers"},
    {BRANIN "\"params\":{\"x\":{\"int\":[0,1]},\"y\":{\"int\":[0,1]},"
            "\"z\":{\"int\":[0,1]}}",
     "params: branin takes 2 numbers, not 3"},
    {BRANIN "\"params\":{\"x\":{\"int\":[0,1]},"
            "\"y\":{\"int\":[0,1],\"when\":{\"x\":0}},"
            "\"z\":{\"int\":[0,1],\"when\":{\"x\":1}}}",
     NULL},
};

START_TEST(functions_take_so_many_numbers)
{
    struct spec s;
    struct err err;
    char *text = mem_printf("{\"study\":\"s\",%s}", FUNCTIONS[_i].config);
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    int rc = spec_check_new(&s, &err);
    ck_assert_int_eq(rc, FUNCTIONS[_i].sentence != NULL ? ERR_INVALID : 0);
    if (rc != 0) {
        ck_assert_str_eq(err.msg, FUNCTIONS[_i].sentence);
    }
    spec_fini(&s);
    free(text);
}
END_TEST

/* Parameters of a command are variables of its environment. */
static const struct {
    const char *a, *b, *sentence; /* NULL: they go together */
} VARIABLES[] = {
    {"a-b", "a_b",
     "params: 'a-b' and 'a_b' are both PARZEN_PARAM_a_b in the command's "
     "environment: rename one"},
    {"\xc3\xa9", "\xc3\xb6",
     "params: '\xc3\xa9' and '\xc3\xb6' are both PARZEN_PARAM___ in the "
     "command's environment: rename one"},
    {"a", "A", NULL},
    {"a_b", "ab", NULL},
};

START_TEST(variables_have_one_parameter)
{
    struct spec s;
    struct err err;
    char *text = mem_printf("{\"study\":\"s\",\"objective\":{\"type\":"
                            "\"command\",\"command\":[\"true\"],\"direction\":"
                            "\"minimize\"},\"params\":{\"x\":{\"int\":[0,1]},"
                            "\"%s\":{\"int\":[0,1]},\"%s\":{\"int\":[0,1]}}}",
                            VARIABLES[_i].a, VARIABLES[_i].b);
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    int rc = spec_check_new(&s, &err);
    ck_assert_int_eq(rc, VARIABLES[_i].sentence != NULL ? ERR_INVALID : 0);
    if (rc != 0) {
        ck_assert_str_eq(err.msg, VARIABLES[_i].sentence);
    }
    spec_fini(&s);
    free(text);
}
END_TEST

/* Does the table below have a place for every point? */
static const struct {
    const char *params, *sentence; /* NULL: it has */
} TABLES[] = {
    {"\"op\":{\"choice\":[\"q\"]},\"n\":{\"int\":[0,2]}", NULL},
    {"\"op\":{\"choice\":[1,0]},\"n\":{\"float\":[0,2],\"step\":2}", NULL},
    {"\"op\":{\"choice\":[\"r\"]},\"n\":{\"int\":[0,2]}",
     "params.op: 'r' is not in the table"},
    {"\"op\":{\"choice\":[\"q\"]},\"n\":{\"int\":[0,3]}",
     "params.n: must be an index from 0 to 2"},
    {"\"op\":{\"choice\":[\"q\"]},\"n\":{\"choice\":[10,20]}",
     "params.n: must be an index from 0 to 2"},
    {"\"op\":{\"choice\":[true]},\"n\":{\"int\":[0,2]}",
     "params.op: must be an index from 0 to 1"},
    {"\"op\":{\"choice\":[\"q\"]},\"n\":{\"float\":[0,2]}",
     "params.n: must be an index from 0 to 2"},
    {"\"op\":{\"choice\":[\"q\"]}", "params.n: missing, but the table has it"},
    {"\"op\":{\"choice\":[\"q\"]},\"n\":{\"int\":[0,2],"
     "\"when\":{\"op\":\"q\"}}",
     "params.n: has a 'when', but a table needs every parameter in every "
     "trial"},
    {"\"op\":{\"choice\":[\"q\"]},\"n\":{\"int\":[0,2]},"
     "\"m\":{\"int\":[0,2]}",
     "params: the table has 2 parameters, not 3"},
};

static int check_table(const char *table, const char *params, struct err *err)
{
    struct spec s;
    struct json *root;
    char *text = mem_printf("{\"study\":\"s\",\"objective\":{\"type\":"
                            "\"table\",\"path\":\"t\"},\"params\":{%s}}",
                            params);
    ck_assert_msg(spec_parse(text, strlen(text), &s, err) == 0, "%s", err->msg);
    ck_assert_int_eq(json_parse(table, strlen(table), &root, err), 0);
    int rc = tabulated_check(root, &s, err);
    json_free(root);
    spec_fini(&s);
    free(text);
    return rc;
}

START_TEST(params_fit_their_table)
{
    struct err err;
    int rc = check_table("{\"space\":[{\"name\":\"op\",\"values\":[\"p\","
                         "\"q\"]},{\"name\":\"n\",\"values\":[10,20,30]}],"
                         "\"values\":[6,5,4,3,2,null]}",
                         TABLES[_i].params, &err);
    ck_assert_int_eq(rc, TABLES[_i].sentence != NULL ? ERR_INVALID : 0);
    if (rc != 0) {
        ck_assert_str_eq(err.msg, TABLES[_i].sentence);
    }
}
END_TEST

START_TEST(a_damaged_table_is_said_to_be)
{
    static const char *const tables[][2] = {
        {"[]", "the table has no list 'space'"},
        {"{\"space\":3}", "the table has no list 'space'"},
        {"{\"space\":[3]}", "the table's space is damaged"},
        {"{\"space\":[{\"name\":\"n\",\"values\":[1,2]}],\"values\":[1]}",
         "the table's list 'values' must have a value for each of its 2 "
         "points"},
    };
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        ck_assert_int_eq(
            check_table(tables[i][0], "\"n\":{\"int\":[0,1]}", &err),
            ERR_INVALID);
        ck_assert_str_eq(err.msg, tables[i][1]);
    }
}
END_TEST

/* What a parameter's condition may look at, of a new study. */
#define COMMAND "\"objective\":{\"type\":\"command\",\"command\":[\"true\"]},"
static const struct {
    const char *config, *path; /* NULL: it is right */
} CONDITIONS[] = {
    {COMMAND "\"params\":{\"x\":{\"float\":[0,1]},"
             "\"y\":{\"int\":[0,9],\"when\":{\"x\":0.1}}}",
     "params.y.when.x"},
    {COMMAND "\"params\":{\"x\":{\"float\":[0.1,1],\"log\":true},"
             "\"y\":{\"int\":[0,9],\"when\":{\"x\":[0.1,1]}}}",
     "params.y.when.x"},
    {"\"data\":{\"source\":\"a\"},\"training\":{"
     "\"lr\":{\"float\":[0.1,1],\"name\":\"x\"},"
     "\"beta1\":{\"float\":[0,0.5],\"when\":{\"x\":0.1}}}",
     "training.beta1.when.x"},
    {COMMAND "\"params\":{\"x\":{\"float\":[0,1],\"step\":0.1},"
             "\"y\":{\"int\":[0,9],\"when\":{\"x\":0.3}}}",
     NULL},
    {COMMAND "\"params\":{\"x\":{\"float\":[1,1]},"
             "\"y\":{\"int\":[0,9],\"when\":{\"x\":1}}}",
     NULL},
    {COMMAND "\"params\":{\"x\":{\"choice\":[0.1,0.2]},"
             "\"y\":{\"int\":[0,9],\"when\":{\"x\":0.1}}}",
     NULL},
    {COMMAND "\"params\":{\"x\":{\"int\":[1,2]},"
             "\"y\":{\"int\":[0,9],\"when\":{\"x\":2}}}",
     NULL},
};

START_TEST(nothing_hangs_on_a_point_of_a_continuum)
{
    struct spec s;
    struct err err;
    char *text = mem_printf("{\"study\":\"s\",%s}", CONDITIONS[_i].config);
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    int rc = spec_check_new(&s, &err);
    if (CONDITIONS[_i].path == NULL) {
        ck_assert_int_eq(rc, 0);
    } else {
        char *sentence =
            mem_printf("%s: a range without a step never has exactly this "
                       "value: give 'x' a step or choices",
                       CONDITIONS[_i].path);
        ck_assert_int_eq(rc, ERR_INVALID);
        ck_assert_str_eq(err.msg, sentence);
        free(sentence);
    }
    spec_fini(&s);
    free(text);
}
END_TEST

static const struct {
    const char *path, *value, *sentence;
} REFUSED[] = {
    {"study", "\"\"", "study: must have 1 to 512 bytes"},
    {"study", "7", "study: must be a string, not a number"},
    {"study", "\"a\\nb\"", "study: must not contain control characters"},
    {"study", "\"a\\u0085b\"", "study: must not contain control characters"},
    {"lr", "1", "lr: unknown key (did you mean 'training.lr'?)"},
    {"training.learning_rate", "1",
     "training.learning_rate: unknown key (did you mean 'lr'?)"},
    {"training.epochs", "1",
     "training.epochs: unknown key (did you mean 'max_epochs'?)"},
    {"training.batchsize", "1",
     "training.batchsize: unknown key (did you mean 'batch_size'?)"},
    {"trainning", "{}", "trainning: unknown key (did you mean 'training'?)"},
    {"pruner.zzzzzzzzzzzz", "1",
     "pruner.zzzzzzzzzzzz: unknown key (known: type, wrapped, percentile, "
     "n_startup_trials, n_warmup_steps, interval_steps, n_min_trials, "
     "min_resource, max_resource, reduction_factor, min_early_stopping_rate, "
     "bootstrap_count, lower, upper, patience, min_delta, p_threshold, "
     "n_startup_steps)"},
    {"training.early_stopping.patince", "1",
     "training.early_stopping.patince: unknown key (did you mean "
     "'patience'?)"},
    {"training", "[]", "training: must be an object, not a list"},
    {"sampler", "null", "sampler: must be an object, not null"},
    {"training.early_stopping", "3",
     "training.early_stopping: must be an object, not a number"},
    {"training.early_stopping.patience", "3",
     "training.early_stopping.monitor: missing"},
    {"training.early_stopping.monitor", "\"val\"",
     "training.early_stopping.monitor: must be one of none, train-loss, "
     "train-acc, val-loss, val-acc, not 'val'"},
    {"n_trials", "1.5", "n_trials: must be a whole number, not 1.5"},
    {"n_trials", "0", "n_trials: must be between 1 and 1000000"},
    {"n_trials", "1e300", "n_trials: must be between 1 and 1000000"},
    {"n_trials", "null", "n_trials: must be a whole number, not null"},
    {"n_trials", "\"20\"", "n_trials: must be a whole number, not a string"},
    {"seed", "-1", "seed: must be between 0 and 9007199254740992"},
    {"seed", "9007199254740993",
     "seed: must be between 0 and 9007199254740992"},
    {"seed", "18446744073709551616",
     "seed: must be between 0 and 9007199254740992"},
    {"params", "{\"x\":{\"int\":[1,9007199254740993]}}",
     "params.x: low and high must be within 2^53"},
    {"params", "{\"x\":{\"int\":[-9007199254740993,1]}}",
     "params.x: low and high must be within 2^53"},
    {"workers", "257", "workers: must be between 0 and 256"},
    {"threads_per_worker", "0",
     "threads_per_worker: must be between 1 and 256"},
    {"sampler.type", "\"simplex\"",
     "sampler.type: must be one of tpe, random, grid, brute-force, qmc, cmaes, "
     "not 'simplex'"},
    {"sampler.duplicates", "\"never\"",
     "sampler.duplicates: must be one of allow, avoid, not 'never'"},
    {"params", "{\"x\":{\"float\":[0,1]}}",
     "params.x: the built-in training has no such setting"},
    {"objective", "{\"type\":\"function\"}",
     "objective.function: missing: its name"},
    {"objective", "{\"type\":\"command\",\"command\":[\"true\"]}",
     "params: there must be at least one"},
    {"training.lr", "{\"float\":[0.1,1],\"when\":{\"no\":1}}",
     "training.lr.when: there is no parameter 'no'"},
    {"training.lr", "{\"float\":[0.1,1],\"when\":{\"lr\":1}}",
     "params: conditions ('when') that form a circle"},
    {"training.lr", "{\"float\":[0.1,1],\"when\":{\"lr\":2}}",
     "training.lr.when.lr: 2 is no value that it can have"},
    {"training.lr", "{\"float\":[0.1,1],\"when\":3}",
     "training.lr.when: must be {NAME: VALUE or [VALUES]}, not a number"},
    {"sampler.multivariate", "1",
     "sampler.multivariate: must be true or false, not a number"},
    {"sampler", "{\"group\":true,\"multivariate\":false}",
     "sampler.group: needs multivariate to be true"},
    {"pruner.type", "\"mean\"",
     "pruner.type: must be one of none, median, percentile, asha, hyperband, "
     "threshold, patient, wilcoxon, not 'mean'"},
    {"pruner.wrapped", "\"patient\"",
     "pruner.wrapped: patient cannot wrap itself"},
    {"pruner.reduction_factor", "1",
     "pruner.reduction_factor: must be at least 2, or 0"},
    {"pruner", "{\"lower\":2,\"upper\":1}",
     "pruner.lower: must not be above pruner.upper"},
    {"stop.value", "\"x\"",
     "stop.value: must be a number or null, not a "
     "string"},
    {"stop.hours", "0", "stop.hours: must be between 1e-06 and 1000000"},
    {"objective.metric", "\"acc\"",
     "objective.metric: must be one of train-loss, train-acc, val-loss, "
     "val-acc, test-acc, not 'acc'"},
    {"objective.of", "\"mean\"",
     "objective.of: must be one of best, last, not 'mean'"},
    {"data.source", "[]", "data.source: must have 1 to 64 entries"},
    {"data.source", "null",
     "data.source: must be a string or a list of strings, not null"},
    {"data.source", "[1]",
     "data.source: must be a list of strings, not a number"},
    {"data.source", "\"hf:justone\"",
     "data.source: 'hf:justone' is not hf:OWNER/NAME or hf:OWNER/NAME/CONFIG"},
    {"data.source", "\"hf:a//b\"",
     "data.source: 'hf:a//b' is not hf:OWNER/NAME or hf:OWNER/NAME/CONFIG"},
    {"data.splits", "\"train\"",
     "data.splits: must be a list of strings, not a string"},
    {"data.splits", "[\"\"]", "data.splits: must have 1 to 512 bytes"},
    {"data.fractions", "[0.8,0.2]",
     "data.fractions: must be a list of three numbers: train, validation, "
     "test"},
    {"data.fractions", "[0.8,0.2,0.2]",
     "data.fractions: must sum to 1, not to 1.2"},
    {"data.fractions", "[1,0,0]",
     "data.fractions: train and validation must get rows"},
    {"data.split", "{\"choice\":[\"random\"]}",
     "data.split: cannot be searched: give one value"},
    {"data.min_class_count", "0",
     "data.min_class_count: must be between 1 and 1000000000"},
    {"training.batch_size", "1.5",
     "training.batch_size: must be a whole number, not 1.5"},
    {"training.batch_size", "70000",
     "training.batch_size: must be between 1 and 65536"},
    {"training.lr", "true", "training.lr: must be a number, not true or false"},
    {"training.lr", "-1", "training.lr: must be between 1e-12 and 1000"},
    {"training.lr", "{\"float\":[1e-3,1e-5]}",
     "training.lr: low must be <= high: 0.001 is above 1e-05"},
    {"training.lr", "{\"float\":[0,1],\"log\":true}",
     "training.lr: low must be > 0 when log"},
    {"training.lr", "{\"float\":[0,1]}",
     "training.lr: low must be between 1e-12 and 1000"},
    {"training.lr", "{\"float\":[1,1001]}",
     "training.lr: high must be between 1e-12 and 1000"},
    {"training.lr", "{\"float\":[2000,3000]}",
     "training.lr: low must be between 1e-12 and 1000"},
    {"training.lr", "{\"float\":[1,2],\"log\":true,\"step\":0.1}",
     "training.lr: log and step exclude each other"},
    {"training.lr", "{\"float\":[1,2],\"step\":0}",
     "training.lr: step must be > 0"},
    {"training.lr", "{\"float\":[1,2],\"log\":1}",
     "training.lr: log must be true or false"},
    {"training.lr", "{\"float\":[1]}",
     "training.lr: 'float' must be [low, high]"},
    {"training.lr", "{\"float\":[1,\"2\"]}",
     "training.lr: 'float' must be [low, high]"},
    {"training.lr", "{\"float\":[1,2],\"int\":[1,2]}",
     "training.lr: a distribution has one of 'float', 'int', 'choice'"},
    {"training.lr", "{}",
     "training.lr: a distribution has one of 'float', 'int', 'choice'"},
    {"training.lr", "{\"flaot\":[1,2]}",
     "training.lr.flaot: unknown key (did you mean 'float'?)"},
    {"training.lr", "{\"choice\":[1,2],\"log\":true}",
     "training.lr: 'choice' has neither 'step' nor 'log'"},
    {"training.lr", "{\"choice\":[]}",
     "training.lr: there must be at least one choice"},
    {"training.lr", "{\"choice\":[1,2,1.0]}",
     "training.lr: choice number 3 stands there twice"},
    {"training.lr", "{\"choice\":[1,\"2\"]}",
     "training.lr: choices must be numbers"},
    {"training.lr", "{\"choice\":[0]}",
     "training.lr: choices must be between 1e-12 and 1000"},
    {"training.lr", "{\"choice\":[1],\"name\":\"\"}",
     "training.lr.name: must have 1 to 512 bytes"},
    {"training.lr", "{\"choice\":[1],\"name\":1}",
     "training.lr.name: must be a string, not a number"},
    {"model.emb_dim", "{\"float\":[1,2]}",
     "model.emb_dim: takes whole numbers: use 'int' or 'choice'"},
    {"model.emb_dim", "{\"int\":[1.5,2]}",
     "model.emb_dim: low, high and step must be whole numbers"},
    {"model.emb_dim", "{\"int\":[64,128],\"log\":true,\"step\":2}",
     "model.emb_dim: step must be 1 when log"},
    {"model.emb_dim", "{\"choice\":[64,64.5]}",
     "model.emb_dim: choices must be whole numbers"},
    {"model.mask", "{\"choice\":[\"padding\",\"none\"]}",
     "model.mask: choices must be among padding, notebook"},
    {"model.mask", "{\"int\":[0,1]}", "model.mask: takes words: use 'choice'"},
    {"model.mask", "\"none\"",
     "model.mask: must be one of padding, notebook, not 'none'"},
    {"model.num_heads", "7",
     "model.num_heads: 7 heads do not divide emb_dim 128"},
    {"model.num_heads", "{\"choice\":[3,7]}",
     "model.num_heads: no value divides any emb_dim"},
    {"model",
     "{\"emb_dim\":{\"int\":[65,127],\"step\":2},"
     "\"num_heads\":{\"choice\":[2,4]}}",
     "model.num_heads: no value divides any emb_dim"},
    {"training",
     "{\"lr\":{\"float\":[1,2],\"name\":\"x\"},"
     "\"weight_decay\":{\"float\":[1,2],\"name\":\"x\"}}",
     "training.weight_decay: the parameter 'x' is that of training.lr "
     "already"},
};

START_TEST(wrong_configs_are_refused_with_path_and_reason)
{
    struct spec s;
    struct err err = {0};
    int rc = parsed_with(REFUSED[_i].path, REFUSED[_i].value, &s, &err);
    ck_assert_int_eq(rc, ERR_INVALID);
    ck_assert_str_eq(err.msg, REFUSED[_i].sentence);
}
END_TEST

/* A space in which some points are possible is accepted; the others can be
 * counted. */
static const struct {
    const char *model;
    size_t n, n_impossible;
    int64_t emb_dim, num_heads;
} HEADS[] = {
    {"{}", 1, 0, 0, 0},
    {"{\"emb_dim\":{\"choice\":[64,33]},\"num_heads\":4}", 2, 1, 33, 4},
    {"{\"emb_dim\":30,\"num_heads\":{\"choice\":[3,4,8]}}", 3, 2, 30, 4},
    {"{\"emb_dim\":{\"int\":[32,36],\"step\":2},"
     "\"num_heads\":{\"choice\":[2,4,3]}}",
     9, 3, 32, 3},
    {"{\"emb_dim\":{\"choice\":[64,33]},"
     "\"num_heads\":{\"choice\":[2,4],\"when\":{\"emb_dim\":64}}}",
     0, 0, 0, 0},
};

START_TEST(impossible_heads_are_counted)
{
    struct spec s;
    struct spec_heads h;
    struct err err;
    ck_assert_msg(parsed_with("model", HEADS[_i].model, &s, &err) == 0, "%s",
                  err.msg);
    spec_heads(&s, &h);
    ck_assert_uint_eq(h.n, HEADS[_i].n);
    ck_assert_uint_eq(h.n_impossible, HEADS[_i].n_impossible);
    ck_assert_int_eq(h.emb_dim, HEADS[_i].emb_dim);
    ck_assert_int_eq(h.num_heads, HEADS[_i].num_heads);
    spec_fini(&s);
}
END_TEST

START_TEST(test_accuracy_needs_test_rows)
{
    static const char text[] =
        "{\"study\":\"s\",\"objective\":{\"metric\":\"test-acc\"},"
        "\"data\":{\"source\":\"a\",\"fractions\":[0.5,0.5,0]}}";
    struct spec s;
    struct err err;
    ck_assert_int_eq(spec_parse(text, strlen(text), &s, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "objective.metric: test-acc needs test rows, "
                              "but data.fractions gives them 0 and there is "
                              "no data.test_source");
}
END_TEST

START_TEST(a_test_source_has_test_rows)
{
    static const char text[] =
        "{\"study\":\"s\",\"objective\":{\"metric\":\"test-acc\"},"
        "\"data\":{\"source\":\"a\",\"test_source\":\"b\","
        "\"fractions\":[0.5,0.5,0]}}";
    struct spec s;
    struct err err;
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    spec_fini(&s);
}
END_TEST

START_TEST(no_config_at_all)
{
    struct spec s;
    struct err err;
    ck_assert_int_eq(spec_parse("[]", 2, &s, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "a study config must be an object, not a list");
    ck_assert_int_eq(spec_parse("{}", 2, &s, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "study: missing");
    ck_assert_int_eq(spec_parse("{\"study\":\"x\"}", 13, &s, &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg, "data.source: missing");
    ck_assert_int_eq(spec_parse("", 0, &s, &err), ERR_INVALID);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("spec_refused");
    TCase *t = tcase_create("spec_refused");
    tcase_add_loop_test(t, wrong_configs_are_refused_with_path_and_reason, 0,
                        (int)ARRAY_LEN(REFUSED));
    tcase_add_loop_test(t, new_studies_must_be_more, 0,
                        (int)ARRAY_LEN(REFUSED_NEW));
    tcase_add_test(t, a_name_is_no_folder_of_an_address);
    tcase_add_loop_test(t, functions_take_so_many_numbers, 0,
                        (int)ARRAY_LEN(FUNCTIONS));
    tcase_add_loop_test(t, params_fit_their_table, 0, (int)ARRAY_LEN(TABLES));
    tcase_add_test(t, a_damaged_table_is_said_to_be);
    tcase_add_loop_test(t, nothing_hangs_on_a_point_of_a_continuum, 0,
                        (int)ARRAY_LEN(CONDITIONS));
    tcase_add_loop_test(t, impossible_heads_are_counted, 0,
                        (int)ARRAY_LEN(HEADS));
    tcase_add_loop_test(t, variables_have_one_parameter, 0,
                        (int)ARRAY_LEN(VARIABLES));
    tcase_add_test(t, test_accuracy_needs_test_rows);
    tcase_add_test(t, a_test_source_has_test_rows);
    tcase_add_test(t, no_config_at_all);
    suite_add_tcase(s, t);
    return s;
}
