/* The prepared data set is taken away, damaged or replaced under a study; and
 * studies whose data never came. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINISH_S = 60 };

static struct home h;

static const char *const one[] = {"--workers", "1", NULL};
static const char *const two[] = {"--workers", "2", NULL};

#define EPOCHS "SELECT count(*) FROM parzen_epochs"
#define FAILS  "SELECT count(*) FROM trials WHERE state = 'FAIL'"
#define DATA   "SELECT count(*) FROM parzen_attempts WHERE cause = 'data'"
#define SHAS                                                                   \
    "SELECT count(DISTINCT detail) FROM parzen_events WHERE "                  \
    "kind = 'SET_DATA'"

/* However late the test looks, some are still to come. */
#define MANY "\"n_trials\": 20,"

static const char *make_config(const char *members)
{
    return home_config(&h, "data", members,
                       "\"max_epochs\": 4, \"batch_size\": 4,");
}

static void remove_cache(void)
{
    struct err err;
    char *cache = mem_printf("%s/cache", h.state);
    ck_assert_int_eq(file_remove_tree(cache, &err), 0);
    free(cache);
}

/* Cut the one prepared file in half. */
static void damage_prepared(void)
{
    char *sha = home_sql(&h, "SELECT data_sha256 FROM parzen_configs");
    sha[strcspn(sha, "\n")] = '\0';
    char *path = mem_printf("%s/cache/datasets/%s.dataset", h.state, sha);
    char *text;
    size_t n;
    struct err err;
    ck_assert_int_eq(file_load(path, 64 << 20, &text, &n, &err), 0);
    /* A new file: who has mapped the old one still reads that. */
    ck_assert_int_eq(file_write_atomic(path, text, n / 2, 0600, &err), 0);
    free(text);
    free(path);
    free(sha);
}

static char *reference(void)
{
    home_init(&h);
    home_data(&h, 600, 4);
    home_start(&h, one);
    home_post(&h, make_config(MANY));
    home_wait_state(&h, "data", "finished", FINISH_S);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    char *results = home_results(&h, "data");
    home_fini(&h);
    return results;
}

START_TEST(a_study_outlives_its_prepared_data)
{
    char *expected = reference();
    home_init(&h);
    home_data(&h, 600, 4);
    home_start(&h, one);
    home_post(&h, make_config(MANY));
    ck_assert(home_wait(&h, EPOCHS, 1, 20000));
    home_hold(&h);
    remove_cache(); /* a trial runs, and has it mapped */
    home_go_on(&h);
    ck_assert(home_wait(&h, DATA, 1, 20000)); /* the next one misses it */
    ck_assert(home_wait(&h, EPOCHS, home_count(&h, EPOCHS) + 1, 20000));
    home_hold(&h);
    damage_prepared();
    home_go_on(&h);
    ck_assert(home_wait(&h, DATA, 2, 20000));
    home_kill_daemon(&h);
    remove_cache();
    home_start(&h, one);
    home_wait_state(&h, "data", "finished", FINISH_S);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_check(&h, "cache removed");
    char *got = home_results(&h, "data");
    home_same(expected, got, "cache removed");
    ck_assert_int_eq(home_count(&h, FAILS), 0);
    ck_assert_int_eq(home_count(&h, DATA), 2);
    ck_assert_int_eq(home_count(&h, SHAS), 1);
    free(got);
    free(expected);
    home_fini(&h);
}
END_TEST

START_TEST(changed_data_stop_the_study)
{
    home_init(&h);
    home_data(&h, 600, 4);
    home_start(&h, two);
    home_post(&h, make_config("\"n_trials\": 40,"));
    ck_assert(home_wait(&h, EPOCHS, 1, 20000));
    home_hold(&h);
    remove_cache();
    home_data(&h, 599, 4);
    home_go_on(&h);
    home_wait_state(&h, "data", "failed", FINISH_S);
    char *reason = home_sql(&h, "SELECT reason FROM parzen_configs");
    ck_assert_ptr_nonnull(strstr(reason, "data changed"));
    free(reason);
    ck_assert_int_eq(home_count(&h, FAILS), 0);
    /* What it began with comes back: it goes on. */
    home_data(&h, 600, 4);
    EXPECT(&h, 0, NULL, "resume", "data", "--trials", "4");
    home_wait_state(&h, "data", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, SHAS), 1);
    home_end(&h, "data changed");
}
END_TEST

/* A config whose file is not there when the daemon looks. */
static void begin_without_data(void)
{
    home_init(&h);
    char *path = mem_strdup(home_data(&h, 200, 4));
    home_start(&h, one);
    ck_assert_int_eq(unlink(path), 0);
    home_post(&h, make_config("\"n_trials\": 2,"));
    home_wait_state(&h, "data", "failed", 20);
    free(path);
}

START_TEST(a_failed_preparation_is_tried_again)
{
    begin_without_data();
    char *before = home_sql(&h, "SELECT reason FROM parzen_configs");
    EXPECT(&h, 0, NULL, "resume", "data");
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM parzen_events WHERE kind = "
                        "'SET_STUDY' AND detail LIKE 'failed%'",
                        2, 20000));
    home_data(&h, 200, 4);
    const char *config = make_config("\"n_trials\": 2,");
    EXPECT(&h, 0, NULL, "run", config);
    char *now = home_sql(&h, "SELECT state, reason FROM parzen_configs");
    ck_assert_ptr_nonnull(strstr(before, "data.jsonl"));
    ck_assert_str_eq(now, "finished|2 trials finished\n");
    free(now);
    free(before);
    home_end(&h, "prepared again");
}
END_TEST

START_TEST(a_mended_config_takes_the_name)
{
    begin_without_data();
    home_data(&h, 200, 4);
    EXPECT(&h, 0, "created study 'data'", "run",
           make_config("\"n_trials\": 2, \"seed\": 4,"));
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM studies"), 1);
    ck_assert_int_eq(home_count(&h, "SELECT study_id FROM studies"), 2);
    EXPECT(&h, 2, "its config differs", "run",
           make_config("\"n_trials\": 2, \"seed\": 5,"));
    home_end(&h, "mended");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/data_gone");
    TCase *c = tcase_create("data");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_study_outlives_its_prepared_data);
    tcase_add_test(c, changed_data_stop_the_study);
    tcase_add_test(c, a_failed_preparation_is_tried_again);
    tcase_add_test(c, a_mended_config_takes_the_name);
    suite_add_tcase(s, c);
    return s;
}
