#include "core/spec/spec_json.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/spec/spec.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <glob.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    ck_assert_int_eq(
        spec_parse(PARSED_MINIMAL, strlen(PARSED_MINIMAL), &s, &err), 0);
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
    {"training", "{\"batch_size\":{\"choice\":[4,8]},\"beta1\":{\"float\":"
                 "[0.5,0.9],\"when\":{\"batch_size\":[8],\"lr\":0.1}},"
                 "\"lr\":{\"choice\":[0.1,0.2],\"when\":{\"batch_size\":8}}}"},
    {"pruner", "{\"type\":\"patient\",\"wrapped\":\"asha\",\"patience\":2}"},
};

START_TEST(right_configs_are_accepted_and_return)
{
    struct spec s, back;
    struct err err;
    int rc = parsed_with(ACCEPTED[_i].path, ACCEPTED[_i].value, &s, &err);
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
        ck_assert_int_eq(parsed_with("objective.metric", word, &s, &err), 0);
        ck_assert_int_eq(s.direction, strstr(word, "loss") != NULL
                                          ? SPEC_MINIMIZE
                                          : SPEC_MAXIMIZE);
        spec_fini(&s);
        free(word);
    }
    ck_assert_int_eq(parsed_with("objective",
                                 "{\"metric\":\"val-loss\","
                                 "\"direction\":\"maximize\"}",
                                 &s, &err),
                     0);
    ck_assert_int_eq(s.direction, SPEC_MAXIMIZE);
    spec_fini(&s);
}
END_TEST

/* Whatever the objective is: a metric that is written has its direction. */
START_TEST(direction_of_objectives_without_a_training)
{
    static const struct {
        const char *objective;
        enum spec_direction direction;
    } cases[] = {
        {"\"type\":\"command\",\"command\":[\"true\"]", SPEC_MINIMIZE},
        {"\"type\":\"command\",\"command\":[\"true\"],\"metric\":\"val-acc\"",
         SPEC_MAXIMIZE},
        {"\"type\":\"command\",\"command\":[\"true\"],\"metric\":\"val-loss\"",
         SPEC_MINIMIZE},
        {"\"type\":\"function\",\"function\":\"sphere\"", SPEC_MINIMIZE},
        {"\"type\":\"function\",\"function\":\"sphere\",\"metric\":"
         "\"val-acc\"",
         SPEC_MAXIMIZE},
        {"\"type\":\"function\",\"function\":\"sphere\",\"metric\":"
         "\"val-acc\",\"direction\":\"minimize\"",
         SPEC_MINIMIZE},
        {"\"type\":\"table\",\"path\":\"t.csv\",\"metric\":\"test-acc\"",
         SPEC_MAXIMIZE},
    };
    struct spec s;
    struct err err;
    char *text = mem_printf("{\"study\":\"s\",\"params\":{\"x\":{\"float\":"
                            "[0,1]}},\"objective\":{%s}}",
                            cases[_i].objective);
    ck_assert_msg(spec_parse(text, strlen(text), &s, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(s.direction, cases[_i].direction);
    spec_fini(&s);
    free(text);
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
    ck_assert_int_eq(parsed_with("study", text, &s, &err), 0);
    spec_fini(&s);
    text[SPEC_NAME_MAX + 1] = 'x';
    text[SPEC_NAME_MAX + 2] = '"';
    text[SPEC_NAME_MAX + 3] = '\0';
    ck_assert_int_eq(parsed_with("study", text, &s, &err), ERR_INVALID);
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
    ck_assert_int_eq(
        spec_parse(PARSED_MINIMAL, strlen(PARSED_MINIMAL), &a, &err), 0);
    ck_assert_int_eq(parsed_with(path, value, &b, &err), 0);
    ck_assert_int_eq(spec_difference(&a, &b, &out), want != NULL);
    ck_assert_str_eq(out.data != NULL ? out.data : "",
                     want != NULL ? want : "");
    spec_fini(&a);
    spec_fini(&b);
    buf_fini(&out);
}

START_TEST(what_is_kept_is_said)
{
    struct spec a, b;
    struct err err;
    struct buf out;
    buf_init(&out, 10000);
    ck_assert_int_eq(
        spec_parse(PARSED_MINIMAL, strlen(PARSED_MINIMAL), &a, &err), 0);
    ck_assert_int_eq(parsed_with("training.lr", "0.5", &b, &err), 0);
    ck_assert_int_eq(spec_kept(&a, &b, &out), 0); /* no such difference */
    b.n_trials = 7;
    b.stop.max_failures = 2;
    ck_assert_int_eq(spec_kept(&a, &b, &out), 2);
    char *want = mem_printf("n_trials: %d is kept, the config says 7\n"
                            "stop.max_failures: %d is kept, the config says "
                            "2\n",
                            (int)a.n_trials, (int)a.stop.max_failures);
    ck_assert_str_eq(out.data, want);
    free(want);
    spec_fini(&a);
    spec_fini(&b);
    buf_fini(&out);
}
END_TEST

START_TEST(differences_name_path_and_values)
{
    struct buf changeable;
    buf_init(&changeable, 10000);
    spec_changeable(&changeable);
    ck_assert_str_eq(changeable.data,
                     "objective.timeout_seconds, objective.memory_mb, "
                     "objective.output_mb, n_trials, workers, "
                     "threads_per_worker and stop");
    buf_fini(&changeable);
    check_difference("training.lr", "0.01",
                     "training.lr: 0.001 in the study, 0.01 in the config");
    check_difference("training.lr", "{\"float\":[0.1,1],\"log\":true}",
                     "training.lr: 0.001 in the study, "
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

/* Two configs that search only these parameters. */
static void check_params(const char *study, const char *config,
                         const char *want)
{
    static const char text[] =
        "{\"study\":\"s\",\"objective\":{\"type\":\"function\",\"function\":"
        "\"sphere\"},\"params\":{%s}}";
    char *texts[] = {mem_printf(text, study), mem_printf(text, config)};
    struct spec specs[2];
    struct err err;
    struct buf out;
    buf_init(&out, 10000);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            spec_parse(texts[i], strlen(texts[i]), &specs[i], &err), 0);
        free(texts[i]);
    }
    ck_assert_int_eq(spec_difference(&specs[0], &specs[1], &out), 1);
    ck_assert_str_eq(out.data, want);
    spec_fini(&specs[0]);
    spec_fini(&specs[1]);
    buf_fini(&out);
}

#define X  "\"x\":{\"float\":[0.0,1.0]}"
#define Y  "\"y\":{\"int\":[0,9]}"
#define Y2 "\"y\":{\"int\":[0,5]}"

START_TEST(differences_of_params_name_the_parameter)
{
    check_params(X "," Y, X "," Y2,
                 "params.y: {\"int\":[0,9]} in the study, {\"int\":[0,5]} in "
                 "the config");
    check_params(
        X "," Y, X,
        "params.y: {\"int\":[0,9]} in the study, missing in the config");
    check_params(
        X, X "," Y,
        "params.y: missing in the study, {\"int\":[0,9]} in the config");
    check_params(X "," Y, Y "," X,
                 "params: {" X "," Y "} in the study, {" Y "," X
                 "} in the config");
}
END_TEST

static void check_change(const char *from, const char *to, bool may)
{
    struct spec a, b;
    struct err err;
    struct buf out;
    buf_init(&out, 10000);
    ck_assert_int_eq(parsed_with("training.batch_size", from, &a, &err), 0);
    ck_assert_int_eq(parsed_with("training.batch_size", to, &b, &err), 0);
    ck_assert_int_eq(spec_change_difference(&a, &b, &out), !may);
    ck_assert(may || strncmp(out.data, "training.batch_size: ", 21) == 0);
    ck_assert_int_eq(spec_difference(&a, &b, &out), strcmp(from, to) != 0);
    spec_fini(&a);
    spec_fini(&b);
    buf_fini(&out);
}

START_TEST(choices_may_be_appended)
{
    check_change("{\"choice\":[8,16]}", "{\"choice\":[8,16]}", true);
    check_change("{\"choice\":[8,16]}", "{\"choice\":[8,16,4,2]}", true);
    check_change("{\"choice\":[8]}", "{\"choice\":[8,16]}", true);
    check_change("{\"choice\":[8,16]}", "{\"choice\":[4,8,16]}", false);
    check_change("{\"choice\":[8,16]}", "{\"choice\":[16,8]}", false);
    check_change("{\"choice\":[8,16]}", "{\"choice\":[8]}", false);
    check_change("{\"int\":[8,16]}", "{\"int\":[8,17]}", false);
    check_change("8", "{\"choice\":[8,16]}", false);
}
END_TEST

START_TEST(relative_paths_are_resolved)
{
    struct spec s;
    struct err err;
    ck_assert_int_eq(
        parsed_with("data.source",
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
    ck_assert_int_eq(parsed_with("data.test_source", "\"t.csv\"", &s, &err), 0);
    spec_resolve_paths(&s, "/base");
    ck_assert_uint_eq(s.data.n_test_sources, 1);
    ck_assert_str_eq(s.data.test_sources[0], "/base/t.csv");
    spec_fini(&s);
}
END_TEST

START_TEST(a_stored_config_means_what_was_done_then)
{
    struct spec s;
    struct err err;
    ck_assert_int_eq(
        spec_parse_stored(PARSED_MINIMAL, strlen(PARSED_MINIMAL), &s, &err), 0);
    ck_assert_double_eq(s.base.token_dropout, 0);
    ck_assert_int_eq(s.base.norm, RUN_NORM_POST);
    ck_assert_int_eq(s.base.max_len, 350);
    spec_fini(&s);
    ck_assert_int_eq(
        spec_parse(PARSED_MINIMAL, strlen(PARSED_MINIMAL), &s, &err), 0);
    ck_assert_double_eq(s.base.token_dropout, 0.1);
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
    tcase_add_loop_test(t, right_configs_are_accepted_and_return, 0,
                        (int)ARRAY_LEN(ACCEPTED));
    tcase_add_test(t, direction_follows_the_metric);
    tcase_add_loop_test(t, direction_of_objectives_without_a_training, 0, 7);
    tcase_add_test(t, long_names_are_bounded_in_bytes);
    tcase_add_test(t, random_specs_return_exactly);
    tcase_add_test(t, differences_name_path_and_values);
    tcase_add_test(t, differences_of_params_name_the_parameter);
    tcase_add_test(t, choices_may_be_appended);
    tcase_add_test(t, what_is_kept_is_said);
    tcase_add_test(t, relative_paths_are_resolved);
    tcase_add_test(t, a_stored_config_means_what_was_done_then);
    tcase_add_test(t, the_committed_schema_is_the_tables);
    suite_add_tcase(s, t);
    return s;
}
