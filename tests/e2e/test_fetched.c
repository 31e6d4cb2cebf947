/* Data that come over the network: a study on the Hub's, files fetched. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "tests/lib/fix_hub.h"
#include "tests/lib/home_study.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>

enum { RUN_S = 60 };

static struct home home;

static void setup(void)
{
    home_init(&home);
}

static void teardown(void)
{
    home_fini(&home);
}

static double number(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    ck_assert_ptr_nonnull(v);
    return json_number(v);
}

static const char *hub_config(void)
{
    return home_file(
        &home, "hub.json",
        "{\"study\": \"hub\", \"n_trials\": 1, \"seed\": 3,"
        " \"data\": {\"source\": \"hf:org/good\","
        " \"splits\": [\"train\", \"test\"],"
        " \"text\": \"text\", \"label\": \"label\"},"
        " \"tokenizer\": {\"tokenizer_length\": {\"int\": [20, 100]},"
        " \"vocab_size\": 300},"
        " \"model\": {\"max_len\": 16, \"emb_dim\": 8, \"num_heads\": 2,"
        " \"ffn_dim\": 16, \"head1_dim\": 16, \"head2_dim\": 8},"
        " \"training\": {\"max_epochs\": 1, \"batch_size\": 64,"
        " \"lr\": 0.001}}");
}

static int n_pages(const struct fix_hub *hub)
{
    int n = 0;
    for (int i = 0; i < 23; i++) {
        n += hub->state->train_pages[i];
    }
    return n;
}

START_TEST(test_study_from_the_hub)
{
    struct fix_hub hub;
    fix_hub_init(&hub);
    setenv("HF_DATASETS_SERVER", hub.url, 1);
    setenv("HF_HOME", home.dir, 1);
    hub.state->n_429 = 1;
    hub.state->n_500 = 1;
    hub.state->n_cut = 3;
    hub.state->n_slow = 2;
    hub.state->ms_per_page = 40;
    home_start(&home, (const char *const[]){"--workers", "1", NULL});
    home_post(&home, hub_config());
    for (int i = 0; i < 500 && n_pages(&hub) < 8; i++) {
        home_sleep_ms(10);
    }
    home_kill_daemon(&home); /* and its worker with it */
    int before = n_pages(&hub);
    ck_assert_int_ge(before, 8);
    ck_assert_int_lt(before, 23);
    home_start(&home, (const char *const[]){"--workers", "1", NULL});
    home_wait_state(&home, "hub", "finished", RUN_S);
    ck_assert_int_le(n_pages(&hub), 23 + 1 + 4); /* 4 were on their way */
    char *status = home_expect(
        &home, 0, NULL, (const char *const[]){"status", "hub", "--json", NULL});
    struct json *root = parsed_text(status);
    const struct json *d = json_get(root, "data");
    ck_assert_double_eq(
        number(d, "train") + number(d, "val") + number(d, "test"), 2379);
    json_free(root);
    free(status);
    fix_hub_kill(&hub);
    EXPECT(&home, 0, "using the copy in the cache", "data", "fetch",
           "hf:org/good");
    fix_hub_fini(&hub);
}
END_TEST

/* Standard output is one JSON value, or nothing. */
START_TEST(test_fetched_as_json)
{
    struct fix_hub hub;
    fix_hub_init(&hub);
    char *url = mem_printf("%s/file.jsonl", hub.url);
    char *none = mem_printf("%s/none.jsonl", hub.url);
    struct outcome o = CLI(&home, RUN_S, "--json", "data", "fetch", url, url);
    ck_assert_int_eq(o.code, 0);
    struct json *root = parsed_text(o.out);
    ck_assert_int_eq(json_size(root), 2);
    json_free(root);
    outcome_fini(&o);
    o = CLI(&home, RUN_S, "--json", "data", "fetch", url, none);
    ck_assert_int_ne(o.code, 0);
    ck_assert_str_eq(o.out, "");
    outcome_fini(&o);
    free(none);
    free(url);
    fix_hub_fini(&hub);
}
END_TEST

/* Texts to predict are where data sets are. */
START_TEST(test_predict_from_afar)
{
    struct fix_hub hub;
    fix_hub_init(&hub);
    setenv("HF_DATASETS_SERVER", hub.url, 1);
    setenv("HF_HOME", home.dir, 1);
    hub.state->n_train = 5;
    hub.state->n_test = 2;
    (void)home_data(&home, 60, 2);
    home_start(&home, (const char *const[]){"--workers", "1", NULL});
    home_run(&home,
             home_config(&home, "s", "\"n_trials\": 1,", "\"max_epochs\": 1,"),
             0);
    char *url = mem_printf("%s/file.jsonl", hub.url);
    char *none = mem_printf("%s/none.csv", hub.url);
    char *odd = mem_printf("%s/file.txt", hub.url);
    EXPECT(&home, 0, "\"text\":\"train text 4\"}\n", "predict", "s", "--jsonl",
           "--file", url);
    EXPECT(&home, 0, "\"text\":\"train text 4\"}]\n", "--json", "predict", "s",
           "--file", url, "--field", "text");
    EXPECT(&home, 0, "\"text\":\"test text 1\"}\n", "predict", "s", "--jsonl",
           "--file", "hf:org/good");
    EXPECT(&home, 2, "none.csv", "predict", "s", "--file", none);
    EXPECT(&home, 2, "the name must end in .jsonl", "predict", "s", "--file",
           odd);
    free(odd);
    free(none);
    free(url);
    fix_hub_fini(&hub);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/fetched");
    TCase *t = tcase_create("fetched");
    tcase_set_timeout(t, 180);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_study_from_the_hub);
    tcase_add_test(t, test_fetched_as_json);
    tcase_add_test(t, test_predict_from_afar);
    suite_add_tcase(s, t);
    return s;
}
