#include "core/spec/spec_json.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/spec/spec.h"
#include "tests/lib/test_main.h"

#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char MINIMAL[] =
    "{\"study\":\"s\",\"data\":{\"source\":\"a.jsonl\"}}";

static void file_spec(const char *path, struct spec *out)
{
    struct buf text;
    struct err err;
    buf_init(&text, BUF_MAX_CONFIG);
    ck_assert_msg(file_read(path, &text, &err) == 0, "%s", err.msg);
    ck_assert_msg(spec_parse(text.data, text.len, out, &err) == 0, "%s: %s",
                  path, err.msg);
    buf_fini(&text);
}

/* MINIMAL with one value put at a path. */
static int parse_with(const char *path, const char *value, struct spec *out,
                      struct err *err)
{
    struct json *root, *node;
    ck_assert_int_eq(json_parse(MINIMAL, strlen(MINIMAL), &root, err), 0);
    ck_assert_msg(json_parse(value, strlen(value), &node, err) == 0, "%s",
                  err->msg);
    ck_assert_int_eq(json_set(root, path, node, err), 0);
    int rc = spec_from_json(root, out, err);
    json_free(root);
    return rc;
}

static char *canonical(const struct spec *s)
{
    struct buf b;
    buf_init(&b, BUF_MAX_CONFIG);
    spec_to_json(s, &b);
    ck_assert(!b.overflow);
    return buf_take(&b);
}

START_TEST(every_shipped_config_is_accepted)
{
    glob_t found;
    ck_assert_int_eq(glob("configs/*.json", 0, NULL, &found), 0);
    ck_assert_int_ge((int)found.gl_pathc, 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct spec s;
        file_spec(found.gl_pathv[i], &s);
        spec_fini(&s);
    }
    globfree(&found);
}
END_TEST

START_TEST(everyday_says_what_the_product_says)
{
    struct spec s;
    file_spec("configs/everyday.json", &s);
    ck_assert_str_eq(s.name, "everyday");
    ck_assert_int_eq(s.metric, RUN_VAL_ACC);
    ck_assert_int_eq(s.direction, SPEC_MAXIMIZE);
    ck_assert_int_eq(s.of, SPEC_OF_BEST);
    ck_assert_int_eq(s.n_trials, 20);
    ck_assert_int_eq(s.workers, 2);
    ck_assert_uint_eq(s.base.seed, 1);
    ck_assert(s.tpe.multivariate && s.tpe.constant_liar && !s.tpe.group);
    ck_assert(isnan(s.stop.value) && isnan(s.stop.hours));
    ck_assert_uint_eq(s.data.n_sources, 1);
    ck_assert_uint_eq(s.data.n_splits, 2);
    ck_assert_str_eq(s.data.splits[1], "test_sft");
    ck_assert_int_eq(s.data.min_class_count, 99);
    ck_assert_int_eq(s.base.monitor, RUN_MONITOR_VAL_LOSS);
    ck_assert_int_eq(s.base.patience, 2);
    ck_assert_int_eq(s.base.max_epochs, 5);
    ck_assert_uint_eq(s.space.n, 5);
    ck_assert_str_eq(s.space.params[0].name, "tokenizer_length");
    ck_assert_str_eq(s.space.params[3].name, "lr");
    struct dist lr = {
        .kind = DIST_FLOAT, .low = 1e-5, .high = 1e-3, .log = true};
    ck_assert(dist_equal(&s.space.params[3].dist, &lr));

    struct run run;
    struct err err;
    spec_run(&s, (double[]){100, 2, 0, 1e-4, 1e-5}, 7, &run);
    ck_assert_int_eq(run.tokenizer_length, 100);
    ck_assert_int_eq(run.emb_dim, 256);
    ck_assert_int_eq(run.num_heads, 2);
    ck_assert_double_eq(run.lr, 1e-4);
    ck_assert_int_eq(run.trial, 7);
    ck_assert_uint_eq(run.seed, 1);
    ck_assert_int_eq(run_validate(&run, &err), 0);
    spec_fini(&s);
}
END_TEST

START_TEST(minimal_config_gets_the_defaults)
{
    struct spec s;
    struct err err;
    ck_assert_int_eq(spec_parse(MINIMAL, strlen(MINIMAL), &s, &err), 0);
    struct run want;
    run_defaults(&want);
    for (int i = 0; i < RUN_N_FIELDS; i++) {
        ck_assert_double_eq(run_get(&s.base, i), run_get(&want, i));
    }
    ck_assert_int_eq(s.tpe.n_ei_candidates, 24);
    ck_assert_int_eq(s.stop.max_failures, 10);
    ck_assert_uint_eq(s.space.n, 0);
    spec_fini(&s);
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
     "pruner.zzzzzzzzzzzz: unknown key (known: type)"},
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
    {"seed", "18446744073709551616",
     "seed: must be between 0 and 9007199254740992"},
    {"workers", "257", "workers: must be between 0 and 256"},
    {"threads_per_worker", "0",
     "threads_per_worker: must be between 1 and 256"},
    {"sampler.type", "\"cmaes\"",
     "sampler.type: must be one of tpe, random, not 'cmaes'"},
    {"sampler.multivariate", "1",
     "sampler.multivariate: must be true or false, not a number"},
    {"sampler", "{\"group\":true,\"multivariate\":false}",
     "sampler.group: needs multivariate to be true"},
    {"pruner.type", "\"median\"",
     "pruner.type: must be one of none, not 'median'"},
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
     "training.lr: low must be <= high"},
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
    int rc = parse_with(REFUSED[_i].path, REFUSED[_i].value, &s, &err);
    ck_assert_int_eq(rc, ERR_INVALID);
    ck_assert_str_eq(err.msg, REFUSED[_i].sentence);
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
                              "but data.fractions gives them 0");
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

static const struct {
    const char *path, *value;
} ACCEPTED[] = {
    {"study", "\"it's <b>\\\"x\\\"</b>/../\\u00e9\\ud83d\\ude00\""},
    {"study", "\"{} $(rm) ; -- %s%n\""},
    {"$schema", "\"../schema/study.schema.json\""},
    {"training.early_stopping", "null"},
    {"training.early_stopping", "{\"monitor\":\"none\",\"patience\":9}"},
    {"data.source", "[\"a b.csv\",\"hf:o/n\",\"hf:o/n/c\",\"https://x/y\"]"},
    {"training.batch_size", "8.0"},
    {"training.batch_size", "1e2"},
    {"training.weight_decay", "{\"int\":[0,3]}"},
    {"training.weight_decay", "{\"choice\":[0,0.5]}"},
    {"model.mask", "{\"choice\":[\"notebook\",\"padding\"]}"},
    {"model.num_heads", "{\"choice\":[3,4]}"}, /* 3 fails in its trials */
    {"model.emb_dim", "{\"int\":[8,512],\"log\":true}"},
    {"training.lr", "{\"float\":[0.1,0.1]}"},
    {"training.lr", "{\"float\":[0.1,0.95],\"step\":0.25,\"name\":\"rate\"}"},
};

START_TEST(right_configs_are_accepted_and_return)
{
    struct spec s, back;
    struct err err;
    int rc = parse_with(ACCEPTED[_i].path, ACCEPTED[_i].value, &s, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    char *text = canonical(&s);
    ck_assert_msg(spec_parse(text, strlen(text), &back, &err) == 0, "%s",
                  err.msg);
    char *again = canonical(&back);
    ck_assert_str_eq(text, again);
    ck_assert(space_equal(&s.space, &back.space));
    free(text);
    free(again);
    spec_fini(&s);
    spec_fini(&back);
}
END_TEST

START_TEST(direction_follows_the_metric)
{
    struct spec s;
    struct err err;
    for (int m = 0; m < RUN_N_METRICS; m++) {
        char *word = mem_printf("\"%s\"", RUN_METRIC_NAMES[m]);
        ck_assert_int_eq(parse_with("objective.metric", word, &s, &err), 0);
        ck_assert_int_eq(s.direction, strstr(word, "loss") != NULL
                                          ? SPEC_MINIMIZE
                                          : SPEC_MAXIMIZE);
        spec_fini(&s);
        free(word);
    }
    ck_assert_int_eq(parse_with("objective",
                                "{\"metric\":\"val-loss\","
                                "\"direction\":\"maximize\"}",
                                &s, &err),
                     0);
    ck_assert_int_eq(s.direction, SPEC_MAXIMIZE);
    spec_fini(&s);
}
END_TEST

START_TEST(long_names_are_bounded_in_bytes)
{
    char text[SPEC_NAME_MAX + 4];
    struct spec s;
    struct err err;
    memset(text, 'x', sizeof(text));
    text[0] = '"';
    text[SPEC_NAME_MAX + 1] = '"';
    text[SPEC_NAME_MAX + 2] = '\0';
    ck_assert_int_eq(parse_with("study", text, &s, &err), 0);
    spec_fini(&s);
    text[SPEC_NAME_MAX + 1] = 'x';
    text[SPEC_NAME_MAX + 2] = '"';
    text[SPEC_NAME_MAX + 3] = '\0';
    ck_assert_int_eq(parse_with("study", text, &s, &err), ERR_INVALID);
}
END_TEST

/* --- property: any spec that is accepted returns exactly ------------------ */

static double any_real(struct rng *r, double low, double high)
{
    double v = low + (high - low) * rng_double(r);
    return v < low ? low : v > high ? high : v;
}

static void random_dist(struct rng *r, const struct run_field *f,
                        struct json_out *w)
{
    bool is_int = f->type == RUN_INT;
    double a = any_real(r, f->low, f->high), b = any_real(r, f->low, f->high);
    double low = is_int ? floor(fmin(a, b)) : fmin(a, b);
    double high = is_int ? floor(fmax(a, b)) : fmax(a, b);
    json_open(w, '{');
    json_put_key(w, is_int ? "int" : "float");
    json_open(w, '[');
    json_put_double(w, low);
    json_put_double(w, high);
    json_close(w, ']');
    uint32_t kind = rng_below(r, 3);
    if (kind == 0 && low > 0) {
        json_put_key(w, "log");
        json_put_bool(w, true);
    } else if (kind == 1 && high > low) {
        double step = (high - low) / (1 + rng_below(r, 9)) / 1.37;
        json_put_key(w, "step");
        json_put_double(w, is_int ? ceil(step) : step);
    }
    if (rng_below(r, 4) == 0) {
        json_put_key(w, "name");
        char *name = mem_printf("%s \xC3\xA9\"%u", f->key, rng_u32(r));
        json_put_string(w, name);
        free(name);
    }
    json_close(w, '}');
}

static void random_field(struct rng *r, const struct run_field *f,
                         struct json_out *w)
{
    double v = any_real(r, f->low, f->high);
    bool is_enum = f->type != RUN_INT && f->type != RUN_REAL;
    if (is_enum) {
        json_put_string(w, run_enum_name(f->type, 0));
    } else if (f->searchable && rng_below(r, 2) == 0) {
        random_dist(r, f, w);
    } else if (f->type == RUN_INT) {
        json_put_int(w, (int64_t)v);
    } else {
        json_put_double(w, v);
    }
}

/* emb_dim and num_heads stay as they are by default: they must fit. */
static char *random_config(struct rng *r)
{
    struct buf b;
    struct json_out w;
    buf_init(&b, BUF_MAX_CONFIG);
    json_out_init(&w, &b, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "study");
    json_put_string(&w, "\xF0\x9F\x98\x80 <'\"/\\>");
    json_put_key(&w, "stop");
    json_open(&w, '{');
    json_put_key(&w, "value");
    json_put_double(&w, any_real(r, -1e6, 1e6));
    json_close(&w, '}');
    static const char *const sections[] = {"data", "tokenizer", "model",
                                           "training"};
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        json_put_key(&w, sections[i]);
        json_open(&w, '{');
        if (i == 0) {
            json_put_key(&w, "source");
            json_put_string(&w, "x y/\xC3\xBC.csv");
        }
        for (int f = 0; f < RUN_N_FIELDS; f++) {
            if (strcmp(RUN_FIELD[f].section, sections[i]) == 0 &&
                f != RUN_FIELD_emb_dim && f != RUN_FIELD_num_heads &&
                rng_below(r, 2) == 0) {
                json_put_key(&w, RUN_FIELD[f].key);
                random_field(r, &RUN_FIELD[f], &w);
            }
        }
        json_close(&w, '}');
    }
    json_close(&w, '}');
    return buf_take(&b);
}

START_TEST(random_specs_return_exactly)
{
    struct rng r;
    size_t n_params = 0;
    for (uint32_t seed = 0; seed < 500; seed++) {
        rng_stream(&r, seed, 0, RNG_SAMPLER, 0);
        char *config = random_config(&r);
        struct spec s, back;
        struct err err;
        ck_assert_msg(spec_parse(config, strlen(config), &s, &err) == 0,
                      "seed %u: %s: %s", seed, err.msg, config);
        char *text = canonical(&s);
        ck_assert_int_eq(spec_parse(text, strlen(text), &back, &err), 0);
        char *again = canonical(&back);
        ck_assert_str_eq(text, again);
        ck_assert(space_equal(&s.space, &back.space));
        for (int f = 0; f < RUN_N_FIELDS; f++) {
            bool searched = false;
            for (size_t i = 0; i < s.space.n; i++) {
                searched = searched || s.space.params[i].field == f;
            }
            ck_assert(searched ||
                      run_get(&s.base, f) == run_get(&back.base, f));
        }
        n_params += s.space.n;
        free(config);
        free(text);
        free(again);
        spec_fini(&s);
        spec_fini(&back);
    }
    ck_assert_uint_gt(n_params, 500);
}
END_TEST

static void check_difference(const char *path, const char *value,
                             const char *want)
{
    struct spec a, b;
    struct err err;
    struct buf out;
    buf_init(&out, 10000);
    ck_assert_int_eq(spec_parse(MINIMAL, strlen(MINIMAL), &a, &err), 0);
    ck_assert_int_eq(parse_with(path, value, &b, &err), 0);
    ck_assert_int_eq(spec_difference(&a, &b, &out), want != NULL);
    ck_assert_str_eq(out.data != NULL ? out.data : "",
                     want != NULL ? want : "");
    spec_fini(&a);
    spec_fini(&b);
    buf_fini(&out);
}

START_TEST(differences_name_path_and_values)
{
    check_difference("training.lr", "0.01",
                     "training.lr: 2e-05 in the study, 0.01 in the config");
    check_difference("training.lr", "{\"float\":[0.1,1],\"log\":true}",
                     "training.lr: 2e-05 in the study, "
                     "{\"float\":[0.1,1.0],\"log\":true} in the config");
    check_difference("data.source", "[\"b\"]",
                     "data.source: [\"a.jsonl\"] in the study, [\"b\"] in the "
                     "config");
    check_difference("objective.metric", "\"val-loss\"",
                     "objective.metric: \"val-acc\" in the study, "
                     "\"val-loss\" in the config");
    check_difference("seed", "0", NULL);
    check_difference("n_trials", "99", NULL);
    check_difference("workers", "9", NULL);
    check_difference("threads_per_worker", "2", NULL);
    check_difference("stop", "{\"value\":1,\"hours\":2,\"max_failures\":3}",
                     NULL);
}
END_TEST

START_TEST(relative_paths_are_resolved)
{
    struct spec s;
    struct err err;
    ck_assert_int_eq(
        parse_with("data.source",
                   "[\"a.csv\",\"/b.csv\",\"hf:o/n\",\"http://x\",\"../c\"]",
                   &s, &err),
        0);
    spec_resolve_paths(&s, "/base");
    static const char *const want[] = {"/base/a.csv", "/b.csv", "hf:o/n",
                                       "http://x", "/base/../c"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        ck_assert_str_eq(s.data.sources[i], want[i]);
    }
    spec_fini(&s);
}
END_TEST

START_TEST(the_committed_schema_is_the_tables)
{
    struct buf want, file;
    struct err err;
    buf_init(&want, BUF_MAX_CONFIG);
    buf_init(&file, BUF_MAX_CONFIG);
    spec_schema(&want);
    ck_assert(!want.overflow);
    ck_assert_int_eq(file_read("schema/study.schema.json", &file, &err), 0);
    ck_assert_msg(strcmp(want.data, file.data) == 0,
                  "run: build/bench/spec-schema > schema/study.schema.json");
    struct json *root;
    ck_assert_int_eq(json_parse(want.data, want.len, &root, &err), 0);
    json_free(root);
    buf_fini(&want);
    buf_fini(&file);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("spec_json");
    TCase *t = tcase_create("spec_json");
    tcase_add_test(t, every_shipped_config_is_accepted);
    tcase_add_test(t, everyday_says_what_the_product_says);
    tcase_add_test(t, minimal_config_gets_the_defaults);
    tcase_add_loop_test(t, wrong_configs_are_refused_with_path_and_reason, 0,
                        (int)ARRAY_LEN(REFUSED));
    tcase_add_test(t, test_accuracy_needs_test_rows);
    tcase_add_test(t, no_config_at_all);
    tcase_add_loop_test(t, right_configs_are_accepted_and_return, 0,
                        (int)ARRAY_LEN(ACCEPTED));
    tcase_add_test(t, direction_follows_the_metric);
    tcase_add_test(t, long_names_are_bounded_in_bytes);
    tcase_add_test(t, random_specs_return_exactly);
    tcase_add_test(t, differences_name_path_and_values);
    tcase_add_test(t, relative_paths_are_resolved);
    tcase_add_test(t, the_committed_schema_is_the_tables);
    suite_add_tcase(s, t);
    return s;
}
