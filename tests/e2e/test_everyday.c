/* configs/everyday.json as it is shipped, its data from a server that speaks
 * the Hub's API, says 429, cuts connections and takes its time; the daemon and
 * its workers are killed while they download. */
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "tests/lib/fix_hub.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_S = 60, N_TRAIN = 2260, N_TEST = 119, N_PAGES = 23 };

static struct home h;
static struct fix_hub hub;

static void setup(void)
{
    home_init(&h);
    fix_hub_init(&hub);
    setenv("HF_DATASETS_SERVER", hub.url, 1);
    setenv("HF_HOME", h.dir, 1);
    *hub.state = (struct fix_hub_state){.n_train = N_TRAIN,
                                        .n_test = N_TEST,
                                        .revision = "r1",
                                        .n_429 = 2,
                                        .n_500 = 1,
                                        .n_cut = 4,
                                        .n_slow = 3,
                                        .ms_per_page = 60};
}

static void teardown(void)
{
    fix_hub_fini(&hub);
    home_fini(&h);
}

static int n_served(void)
{
    int n = 0;
    for (int i = 0; i < N_PAGES; i++) {
        n += hub.state->train_pages[i];
    }
    return n;
}

/* The study, with a model that costs nothing: only the data matter here. */
static void run_everyday(void)
{
    home_start(&h, (const char *const[]){"--workers", "2", NULL});
    EXPECT(&h, 0, NULL, "run", "configs/everyday.json", "--trials", "2",
           "--detach", "--set", "model.max_len=16", "--set", "model.emb_dim=8",
           "--set", "model.num_heads=2", "--set", "model.ffn_dim=8", "--set",
           "training.max_epochs=1", "--set", "training.batch_size=64");
}

static void run_until_pages(int n)
{
    run_everyday();
    for (int i = 0; i < 3000 && n_served() < n; i++) {
        home_sleep_ms(10);
    }
    ck_assert_int_ge(n_served(), n);
    home_kill_daemon(&h);
}

static void must_be_row(const struct dataset *d, size_t row, const char *split,
                        int i)
{
    char *text = mem_printf("User: %s %d\n\nAI: of %d", split, i, i % 19);
    char *label = mem_printf("topic %d", i % 19);
    struct span got = dataset_text(d, row);
    ck_assert_uint_eq(got.len, strlen(text));
    ck_assert_mem_eq(got.at, text, got.len);
    ck_assert_str_eq(dataset_class(d, (size_t)dataset_label(d, row)), label);
    free(label);
    free(text);
}

/* What the trials trained on: every row once, in the Hub's order. */
static void must_be_whole(void)
{
    struct dataset *d;
    struct err err;
    char *dir = mem_printf("%s/cache/datasets", h.state);
    char *sha256 = home_sql(&h, "SELECT data_sha256 FROM parzen_configs");
    sha256[strcspn(sha256, "\n")] = '\0';
    ck_assert_msg(dataset_open(dir, sha256, &d, &err) == 0, "%s", err.msg);
    ck_assert_uint_eq(dataset_size(d), N_TRAIN + N_TEST);
    ck_assert_uint_eq(dataset_n_classes(d), 19);
    for (int i = 0; i < N_TRAIN; i++) {
        must_be_row(d, (size_t)i, "train_sft", i);
    }
    for (int i = 0; i < N_TEST; i++) {
        must_be_row(d, (size_t)(N_TRAIN + i), "test_sft", i);
    }
    dataset_free(d);
    free(sha256);
    free(dir);
}

START_TEST(a_killed_download_goes_on_and_the_study_runs)
{
    run_until_pages(4);
    int first = n_served();
    run_until_pages(first + 4);
    ck_assert_int_lt(n_served(), N_PAGES);
    run_everyday();
    home_wait_state(&h, "everyday", "finished", RUN_S);
    must_be_whole();
    /* Up to four pages were on their way at each kill: only those again. */
    ck_assert_int_le(n_served(), N_PAGES + 2 * 4);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trials WHERE state='COMPLETE'"),
        2);
    ck_assert_int_eq(hub.state->n_429 + hub.state->n_500 + hub.state->n_cut, 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/everyday");
    TCase *t = tcase_create("everyday");
    tcase_set_timeout(t, 180);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_killed_download_goes_on_and_the_study_runs);
    suite_add_tcase(s, t);
    return s;
}
