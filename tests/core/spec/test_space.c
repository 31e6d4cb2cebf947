#include "core/spec/space.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/run.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The distribution of an Optuna text; failing is the test's end. */
static struct dist dist_of(const char *text)
{
    struct json *node = parsed_text(text);
    struct dist d;
    struct err err;
    ck_assert_msg(dist_from_optuna(node, &d, &err) == 0, "%s: %s", text,
                  err.msg);
    json_free(node);
    return d;
}

static char *optuna_of(const struct dist *d)
{
    struct buf b;
    struct json_out w;
    buf_init(&b, 1 << 20);
    json_out_init(&w, &b, JSON_PYTHON);
    dist_put_optuna(d, &w);
    return buf_take(&b);
}

/* The very strings that Optuna writes (optuna.md 2.1, golden/optuna-5.0.db). */
START_TEST(optuna_text_returns_byte_for_byte)
{
    static const char *const texts[] = {
        "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, "
        "\"low\": 0.0, \"high\": 1.0, \"log\": false}}",
        "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null, "
        "\"low\": 1e-05, \"high\": 0.001, \"log\": true}}",
        "{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": 0.25, "
        "\"low\": -10.0, \"high\": 0.5, \"log\": false}}",
        "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, "
        "\"step\": 1, \"low\": 1, \"high\": 10}}",
        "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": true, "
        "\"step\": 1, \"low\": 1, \"high\": 64}}",
        "{\"name\": \"IntDistribution\", \"attributes\": {\"log\": false, "
        "\"step\": 50, \"low\": 50, \"high\": 500}}",
        "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": "
        "[\"a\", 1, 2.0, true, null, \"\\u00e9\"]}}",
        "{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": "
        "[\"\\ud83d\\ude00\", \"q\\\"\\\\\\n\", false, -3, 1e-05, 1e+16]}}",
    };
    struct dist d = dist_of(texts[_i]);
    char *back = optuna_of(&d);
    ck_assert_str_eq(back, texts[_i]);
    free(back);
    dist_fini(&d);
}
END_TEST

START_TEST(legacy_names_are_read)
{
    static const struct {
        const char *text;
        struct dist want;
    } rows[] = {
        {"{\"name\":\"UniformDistribution\",\"attributes\":{\"low\":0,"
         "\"high\":1}}",
         {.kind = DIST_FLOAT, .low = 0, .high = 1}},
        {"{\"attributes\":{\"high\":1,\"low\":0.5},"
         "\"name\":\"LogUniformDistribution\"}",
         {.kind = DIST_FLOAT, .low = 0.5, .high = 1, .log = true}},
        {"{\"name\":\"DiscreteUniformDistribution\",\"attributes\":{\"low\":0,"
         "\"high\":1,\"q\":0.3}}",
         {.kind = DIST_FLOAT, .low = 0, .high = 0.9, .step = 0.3}},
        {"{\"name\":\"IntUniformDistribution\",\"attributes\":{\"low\":1,"
         "\"high\":10,\"step\":4}}",
         {.kind = DIST_INT, .low = 1, .high = 9, .step = 4}},
        {"{\"name\":\"IntLogUniformDistribution\",\"attributes\":{\"low\":1,"
         "\"high\":10,\"step\":2}}",
         {.kind = DIST_INT, .low = 1, .high = 10, .step = 1, .log = true}},
        {"{\"type\":\"float\",\"low\":1,\"high\":2,\"log\":true}",
         {.kind = DIST_FLOAT, .low = 1, .high = 2, .log = true}},
        {"{\"type\":\"int\",\"low\":-1,\"high\":2}",
         {.kind = DIST_INT, .low = -1, .high = 2, .step = 1}},
    };
    struct dist d = dist_of(rows[_i].text);
    ck_assert(dist_equal(&d, &rows[_i].want));
    dist_fini(&d);
}
END_TEST

START_TEST(damaged_distributions_are_refused)
{
    static const char *const texts[] = {
        "null",
        "[]",
        "{}",
        "{\"name\":\"FloatDistribution\"}",
        "{\"name\":3,\"attributes\":{}}",
        "{\"name\":\"NoDistribution\",\"attributes\":{\"low\":0,\"high\":1}}",
        "{\"type\":\"float\",\"low\":0}",
        "{\"type\":\"float\",\"low\":\"0\",\"high\":1}",
        "{\"type\":\"float\",\"low\":2,\"high\":1}",
        "{\"type\":\"float\",\"low\":0,\"high\":1,\"log\":true}",
        "{\"type\":\"float\",\"low\":1,\"high\":2,\"log\":true,\"step\":1}",
        "{\"type\":\"float\",\"low\":1,\"high\":2,\"log\":1}",
        "{\"type\":\"float\",\"low\":1,\"high\":2,\"step\":0}",
        "{\"type\":\"float\",\"low\":1,\"high\":2,\"step\":-1}",
        "{\"type\":\"float\",\"low\":-1e308,\"high\":1e308}",
        "{\"type\":\"float\",\"low\":0,\"high\":1,\"step\":1e-300}",
        "{\"type\":\"int\",\"low\":0.5,\"high\":1}",
        "{\"type\":\"int\",\"low\":0,\"high\":1,\"log\":true}",
        "{\"type\":\"int\",\"low\":1,\"high\":9,\"log\":true,\"step\":2}",
        "{\"type\":\"int\",\"low\":0,\"high\":1e300}",
        "{\"type\":\"categorical\",\"choices\":[]}",
        "{\"type\":\"categorical\",\"choices\":[[1]]}",
        "{\"type\":\"categorical\",\"choices\":\"ab\"}",
        "{\"type\":\"categorical\"}",
    };
    struct json *node = parsed_text(texts[_i]);
    struct dist d;
    struct err err = {0};
    ck_assert_msg(dist_from_optuna(node, &d, &err) == ERR_INVALID, "%s",
                  texts[_i]);
    ck_assert_int_gt((int)strlen(err.msg), 0);
    json_free(node);
}
END_TEST

START_TEST(too_many_choices_are_refused)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_str(&b, "{\"type\":\"categorical\",\"choices\":[0");
    for (int i = 0; i < SPACE_MAX_CHOICES; i++) {
        buf_str(&b, ",1");
    }
    buf_str(&b, "]}");
    struct json *node = parsed_text(b.data);
    struct dist d;
    ck_assert_int_eq(dist_from_optuna(node, &d, NULL), ERR_LIMIT);
    json_free(node);
    buf_fini(&b);
}
END_TEST

/* The answers of Python's decimal module to Optuna's formula. */
START_TEST(high_becomes_the_last_grid_point)
{
    static const struct {
        double low, high, step, want;
    } rows[] = {
        {0, 1, 0.3, 0.9},
        {0, 1, 0.1, 1},
        {0.1, 0.75, 0.1, 0.7},
        {-1, 1, 0.7, 0.4},
        {1e-5, 1e-3, 1e-4, 0.00091},
        {-0.5, 0.35, 0.05, 0.35},
        {0, 1e22, 7e21, 7e21},
        {2, 2.5, 1, 2},
        {0.1, 0.3, 0.2, 0.3},
        {0, 0.7, 0.1, 0.7},
        {-1.05, -0.01, 0.13, -0.01},
        {1e-300, 1, 0.1, 1},
    };
    struct dist d = {.kind = DIST_FLOAT,
                     .low = rows[_i].low,
                     .high = rows[_i].high,
                     .step = rows[_i].step};
    struct err err;
    ck_assert_int_eq(dist_normalize(&d, &err), 0);
    ck_assert_double_eq(d.high, rows[_i].want);
    ck_assert(dist_contains(&d, d.high));
    ck_assert(dist_contains(&d, d.low));
}
END_TEST

START_TEST(contains_knows_range_and_grid)
{
    struct dist real = {.kind = DIST_FLOAT, .low = 0, .high = 1};
    ck_assert(dist_contains(&real, 0) && dist_contains(&real, 1));
    ck_assert(!dist_contains(&real, -1e-300) && !dist_contains(&real, NAN));
    real.step = 0.1;
    ck_assert(dist_contains(&real, 0.1 + 0.2));
    ck_assert(!dist_contains(&real, 0.35));
    struct dist whole = {.kind = DIST_INT, .low = 1, .high = 9, .step = 4};
    ck_assert(dist_contains(&whole, 5) && !dist_contains(&whole, 4));
    ck_assert(!dist_contains(&whole, 1.5) && !dist_contains(&whole, 13));
}
END_TEST

START_TEST(single_and_compatible)
{
    struct dist a = {.kind = DIST_FLOAT, .low = 0, .high = 0.5, .step = 1};
    struct err err;
    ck_assert_int_eq(dist_normalize(&a, &err), 0);
    ck_assert(dist_is_single(&a));
    struct dist b = {.kind = DIST_FLOAT, .low = -7, .high = 3};
    ck_assert(!dist_is_single(&b));
    ck_assert(dist_is_compatible(&a, &b) && !dist_equal(&a, &b));
    struct dist c = {.kind = DIST_FLOAT, .low = 1, .high = 3, .log = true};
    ck_assert(!dist_is_compatible(&b, &c));
    struct dist n = {.kind = DIST_INT, .low = -7, .high = 3, .step = 1};
    ck_assert(!dist_is_compatible(&b, &n));

    struct dist x = dist_of("{\"type\":\"categorical\",\"choices\":[1,\"a\"]}");
    struct dist y =
        dist_of("{\"type\":\"categorical\",\"choices\":[true,\"a\"]}");
    struct dist z = dist_of("{\"type\":\"categorical\",\"choices\":[\"a\",1]}");
    ck_assert(dist_equal(&x, &y) && !dist_is_compatible(&x, &z));
    dist_fini(&x);
    dist_fini(&y);
    dist_fini(&z);
}
END_TEST

static void check_value(const struct dist *d, const char *text, double want)
{
    struct json *node = parsed_text(text);
    struct err err;
    double got = -77;
    int rc = dist_value_from_json(d, node, &got, &err);
    ck_assert_int_eq(rc, isnan(want) ? ERR_INVALID : 0);
    ck_assert_double_eq(got, isnan(want) ? -77 : want);
    json_free(node);
}

START_TEST(values_find_the_same_choice)
{
    struct dist d = dist_of("{\"type\":\"categorical\",\"choices\":"
                            "[\"1\", 1, true, 2.0, null, 0, false]}");
    check_value(&d, "\"1\"", 0);
    check_value(&d, "1", 1);
    check_value(&d, "1.0", 1);
    check_value(&d, "true", 2);
    check_value(&d, "2", 3);
    check_value(&d, "null", 4);
    check_value(&d, "0", 5);
    check_value(&d, "false", 6);
    check_value(&d, "3", NAN);
    check_value(&d, "\"x\"", NAN);
    check_value(&d, "[1]", NAN);
    dist_fini(&d);
    struct dist n = {.kind = DIST_INT, .low = 1, .high = 9, .step = 1};
    check_value(&n, "4", 4);
    check_value(&n, "400", 400);
    check_value(&n, "4.5", NAN);
    check_value(&n, "true", NAN);
    struct dist f = {.kind = DIST_FLOAT, .low = 1, .high = 9};
    check_value(&f, "4.5", 4.5);
    check_value(&f, "null", NAN);
}
END_TEST

static void check_optuna(const struct dist *d, const char *text, double want)
{
    struct json *node = parsed_text(text);
    struct err err;
    double got = -77;
    int rc = dist_value_from_optuna(d, node, &got, &err);
    ck_assert_int_eq(rc, isnan(want) ? ERR_INVALID : 0);
    ck_assert_double_eq(got, isnan(want) ? -77 : want);
    json_free(node);
}

START_TEST(true_is_one_to_optuna_alone)
{
    struct dist d = dist_of("{\"type\":\"categorical\",\"choices\":[2,1]}");
    check_value(&d, "true", NAN);
    check_optuna(&d, "true", 1);
    check_optuna(&d, "1.0", 1);
    check_optuna(&d, "false", NAN);
    dist_fini(&d);
    struct dist both =
        dist_of("{\"type\":\"categorical\",\"choices\":[true,1]}");
    check_optuna(&both, "1", 1);
    check_optuna(&both, "true", 0);
    dist_fini(&both);
    struct dist n = {.kind = DIST_INT, .low = 1, .high = 9, .step = 1};
    check_optuna(&n, "4", 4);
    check_optuna(&n, "true", NAN);
}
END_TEST

START_TEST(values_are_written_in_external_form)
{
    struct dist c = dist_of("{\"type\":\"categorical\",\"choices\":"
                            "[\"a\", 2, 2.5, true, null]}");
    struct dist n = {.kind = DIST_INT, .low = 1, .high = 9, .step = 1};
    struct dist f = {.kind = DIST_FLOAT, .low = 1, .high = 9};
    struct buf b;
    struct json_out w;
    buf_init(&b, 1000);
    json_out_init(&w, &b, JSON_COMPACT);
    json_open(&w, '[');
    for (int i = 0; i < 6; i++) { /* 5 is no choice */
        dist_put_value(&c, i, &w);
    }
    dist_put_value(&c, 0.5, &w);
    dist_put_value(&n, 7, &w);
    dist_put_value(&f, 7, &w);
    dist_put_value(&f, NAN, &w);
    json_close(&w, ']');
    ck_assert_str_eq(b.data, "[\"a\",2,2.5,true,null,null,null,7,7.0,null]");
    buf_fini(&b);
    dist_fini(&c);
}
END_TEST

START_TEST(apply_writes_fields)
{
    struct space s = {.n = 4, .params = mem_alloc(4, sizeof(struct param))};
    s.params[0] =
        (struct param){.name = mem_strdup("lr"),
                       .field = RUN_FIELD_lr,
                       .dist = {.kind = DIST_FLOAT, .low = 0, .high = 1}};
    s.params[1] = (struct param){
        .name = mem_strdup("heads"),
        .field = RUN_FIELD_num_heads,
        .dist = dist_of("{\"type\":\"categorical\",\"choices\":[2, 4]}")};
    s.params[2] = (struct param){
        .name = mem_strdup("mask"),
        .field = RUN_FIELD_mask,
        .dist =
            dist_of("{\"type\":\"categorical\",\"choices\":[\"notebook\"]}")};
    s.params[3] =
        (struct param){.name = mem_strdup("alien"),
                       .field = -1,
                       .dist = {.kind = DIST_FLOAT, .low = 0, .high = 1}};
    struct space copy;
    space_copy(&copy, &s);
    ck_assert(space_equal(&copy, &s));
    space_fini(&s);
    ck_assert_int_eq(space_find(&copy, "mask"), 2);
    ck_assert_int_eq(space_find(&copy, "none"), -1);

    struct run run;
    run_defaults(&run);
    space_apply(&copy, (double[]){0.25, 1, 0, 0.5}, &run);
    ck_assert_double_eq(run.lr, 0.25);
    ck_assert_int_eq(run.num_heads, 4);
    ck_assert_int_eq(run.mask, RUN_MASK_NOTEBOOK);
    space_apply(&copy, (double[]){NAN, 7, NAN, NAN}, &run);
    ck_assert_double_eq(run.lr, 0.25);
    ck_assert_int_eq(run.num_heads, 4);
    space_fini(&copy);
}
END_TEST

/* 0.1 * 3 is not 0.3, but the same point of the grid. */
START_TEST(a_condition_holds_on_its_point_of_the_grid)
{
    static const struct {
        double x;
        bool holds;
    } cases[] = {{0.1 * 3, true}, {0.3, true},   {0.2, false},
                 {0.4, false},    {0.34, false}, {NAN, false}};
    double wanted = 0.3;
    struct condition when = {.parent = 0, .values = &wanted, .n = 1};
    struct param params[] = {
        {.name = (char *)"x",
         .dist = {.kind = DIST_FLOAT, .low = 0, .high = 1, .step = 0.1}},
        {.name = (char *)"y",
         .dist = {.kind = DIST_FLOAT, .low = 0, .high = 1},
         .when = &when,
         .n_when = 1}};
    const struct space space = {.params = params, .n = 2};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const double values[] = {cases[i].x, NAN};
        ck_assert_msg(space_is_active(&space, values, 1) == cases[i].holds,
                      "%.17g", cases[i].x);
    }
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("space");
    TCase *t = tcase_create("space");
    tcase_add_loop_test(t, optuna_text_returns_byte_for_byte, 0, 8);
    tcase_add_loop_test(t, legacy_names_are_read, 0, 7);
    tcase_add_loop_test(t, damaged_distributions_are_refused, 0, 24);
    tcase_add_test(t, too_many_choices_are_refused);
    tcase_add_loop_test(t, high_becomes_the_last_grid_point, 0, 12);
    tcase_add_test(t, contains_knows_range_and_grid);
    tcase_add_test(t, single_and_compatible);
    tcase_add_test(t, values_find_the_same_choice);
    tcase_add_test(t, true_is_one_to_optuna_alone);
    tcase_add_test(t, values_are_written_in_external_form);
    tcase_add_test(t, apply_writes_fields);
    tcase_add_test(t, a_condition_holds_on_its_point_of_the_grid);
    suite_add_tcase(s, t);
    return s;
}
