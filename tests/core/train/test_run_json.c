#include "core/train/run_json.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static struct run some_run(void)
{
    struct run run;
    run_defaults(&run);
    run.seed = UINT64_MAX - 1; /* no double holds this */
    run.trial = 41;
    run.threads = 2;
    run.fractions[0] = 0.7;
    run.fractions[1] = 0.2;
    run.fractions[2] = 0.1;
    run.lr = 1.0 / 3.0 * 1e-4;
    run.mask = RUN_MASK_NOTEBOOK;
    run.monitor = RUN_MONITOR_VAL_ACC;
    return run;
}

static void print(const struct run *run, struct buf *out)
{
    struct json_out w;
    buf_init(out, BUF_MAX_CONFIG);
    json_out_init(&w, out, JSON_COMPACT);
    run_put_json(run, &w);
}

static int parse(const char *text, struct run *out, struct err *err)
{
    struct json *root;
    int rc = json_parse(text, strlen(text), &root, err);
    ck_assert_msg(rc == 0, "%s", err->msg);
    rc = run_from_json(root, out, err);
    json_free(root);
    return rc;
}

START_TEST(test_comes_back_equal)
{
    struct run run = some_run(), back;
    struct buf text, again;
    struct err err = {0};
    print(&run, &text);
    ck_assert_msg(parse(text.data, &back, &err) == 0, "%s", err.msg);
    for (int i = 0; i < RUN_N_FIELDS; i++) {
        ck_assert_double_eq(run_get(&run, i), run_get(&back, i));
    }
    ck_assert_uint_eq(back.seed, run.seed);
    ck_assert_int_eq(back.trial, 41);
    ck_assert_int_eq(back.threads, 2);
    print(&back, &again);
    ck_assert_str_eq(text.data, again.data);
    buf_fini(&text);
    buf_fini(&again);
}
END_TEST

/* Replace the first `from` of a good text by `to`: must be refused. */
static void must_refuse(const char *from, const char *to, const char *words)
{
    struct run run = some_run(), back;
    struct buf text, changed;
    struct err err = {0};
    print(&run, &text);
    const char *at = strstr(text.data, from);
    ck_assert_msg(at != NULL, "no '%s' in %s", from, text.data);
    buf_init(&changed, BUF_MAX_CONFIG);
    buf_add(&changed, text.data, (size_t)(at - text.data));
    buf_str(&changed, to);
    buf_str(&changed, at + strlen(from));
    ck_assert_int_eq(parse(changed.data, &back, &err), ERR_INVALID);
    ck_assert_msg(strstr(err.msg, words) != NULL, "'%s' has no '%s'", err.msg,
                  words);
    buf_fini(&text);
    buf_fini(&changed);
}

START_TEST(test_wrong_values_are_refused)
{
    must_refuse("\"emb_dim\":128", "\"emb_dim\":127", "num_heads");
    must_refuse("\"emb_dim\":128", "\"emb_dim\":1.5", "model.emb_dim");
    must_refuse("\"emb_dim\":128", "\"emb_dim\":1e300", "model.emb_dim");
    must_refuse("\"emb_dim\":128", "\"emb_dim\":\"128\"", "model.emb_dim");
    must_refuse("\"emb_dim\":128", "\"other\":128", "model.emb_dim: missing");
    must_refuse("\"notebook\"", "\"no such\"", "model.mask");
    must_refuse("\"notebook\"", "1", "model.mask");
    must_refuse("\"18446744073709551614\"", "\"18446744073709551616\"", "seed");
    must_refuse("\"18446744073709551614\"", "\"-1\"", "seed");
    must_refuse("\"18446744073709551614\"", "5", "seed");
    must_refuse("[0.7,0.2,0.1]", "[0.7,0.3]", "data.fractions");
    must_refuse("[0.7,0.2,0.1]", "[0.7,0.2,0.1,0.0]", "data.fractions");
    must_refuse("[0.7,0.2,0.1]", "[0.7,0.2,\"nan\"]", "fractions");
    must_refuse("\"dropout\":0.1", "\"dropout\":\"nan\"", "model.dropout");
    must_refuse("\"trial\":41", "\"trial\":-1", "trial");
    must_refuse("\"token_dropout\"", "\"token_drop\"",
                "model.token_drop: unknown key");
}
END_TEST

static char *without(const char *text, const char *part)
{
    const char *at = strstr(text, part);
    ck_assert_msg(at != NULL, "no '%s' in %s", part, text);
    return mem_printf("%.*s%s", (int)(at - text), text, at + strlen(part));
}

/* Older than two keys: it means what was done then, not today's defaults. */
START_TEST(test_an_older_file_means_what_was_done_then)
{
    struct run run = some_run(), back;
    struct buf text;
    struct err err = {0};
    print(&run, &text);
    char *less = without(text.data, "\"token_dropout\":0.1,");
    char *older = without(less, "\"pooling\":\"mean\",");
    ck_assert_msg(parse(older, &back, &err) == 0, "%s", err.msg);
    ck_assert_double_eq(back.token_dropout, 0);
    ck_assert_int_eq(back.pooling, RUN_POOLING_FLATTEN);
    ck_assert_double_eq(back.dropout, 0.1);
    free(older);
    free(less);
    buf_fini(&text);
}
END_TEST

START_TEST(test_difference_names_the_first)
{
    struct run a = some_run(), b = a;
    struct buf out;
    buf_init(&out, 1000);
    b.threads = 1;
    b.checkpoint_seconds++;
    ck_assert_int_eq(run_difference(&a, &b, &out), 0);
    ck_assert_uint_eq(out.len, 0);
    b.mask = RUN_MASK_PADDING;
    b.lr = 1;
    ck_assert_int_eq(run_difference(&a, &b, &out), 1);
    ck_assert_str_eq(
        out.data, "model.mask: notebook in the checkpoint, padding in the run");
    buf_fini(&out);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("run_json");
    TCase *tc = tcase_create("json");
    tcase_add_test(tc, test_comes_back_equal);
    tcase_add_test(tc, test_wrong_values_are_refused);
    tcase_add_test(tc, test_an_older_file_means_what_was_done_then);
    tcase_add_test(tc, test_difference_names_the_first);
    suite_add_tcase(s, tc);
    return s;
}
