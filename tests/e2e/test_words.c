/* What workers said last can be read when they are dead. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct home h;

static const char *const one[] = {"--workers", "1", NULL};

static void begin(const char *training)
{
    home_init(&h);
    home_data(&h, 600, 4);
    home_start(&h, one);
    home_post(&h, home_config(&h, "words", "\"n_trials\": 1,", training));
}

static void append_to_log(const char *text)
{
    char *path = mem_printf("%s/checkpoints/1/0/log", h.state);
    FILE *f = fopen(path, "a");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    free(path);
}

static void must_say(const char *path, const char *words)
{
    char *text;
    ck_assert_int_eq(home_http(&h, "GET", path, NULL, &text), 200);
    ck_assert_msg(strstr(text, words) != NULL, "%s: no \"%s\" in %s", path,
                  words, text);
    free(text);
}

START_TEST(a_dead_workers_last_words)
{
    pid_t worker[HOME_MAX_WORKERS];
    begin("\"max_epochs\": 40, \"batch_size\": 2,");
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 2, 20000));
    ck_assert_int_eq(home_workers(&h, worker), 1);
    kill(worker[0], SIGABRT); /* which no sanitizer catches */
    ck_assert(home_wait(&h,
                        "SELECT count(*) FROM parzen_attempts WHERE "
                        "cause = 'signal'",
                        1, 20000));
    EXPECT(&h, 0, "last words:", "show", "words", "0");
    EXPECT(&h, 0, "epoch 2: train-loss", "log", "words", "0");
    must_say("/studies/words/trials/0/log", "trial 0, attempt 1, kernels");
    /* The message stays short. */
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_attempts "
                                    "WHERE length(message) > 1000"),
                     0);
    EXPECT(&h, 0, "{\"lines\":[\"trial 0, attempt 1, kernels", "--json", "log",
           "words", "0");
    append_to_log("\x1b[31mred\xff\nthe end\n");
    must_say("/studies/words/trials/0/log", "\\x1b[31mred\\xff\nthe end");
    char *tail;
    ck_assert_int_eq(home_http(&h, "GET", "/studies/words/trials/0/log?tail=12",
                               NULL, &tail),
                     200);
    ck_assert_uint_le(strlen(tail), 40);
    free(tail);
    EXPECT(&h, 4, NULL, "log", "words", "7");
    EXPECT(&h, 2, NULL, "log", "words", "x");
    home_kill_daemon(&h);
    home_fini(&h);
}
END_TEST

START_TEST(a_preparation_has_its_own_log)
{
    home_init(&h);
    home_data(&h, 600, 4);
    home_start(&h, one);
    pid_t worker[HOME_MAX_WORKERS];
    for (int i = 0; i < 200 && home_workers(&h, worker) == 0; i++) {
        home_sleep_ms(20);
    }
    home_sleep_ms(200); /* it says hello */
    home_hold(&h);
    home_post(
        &h, home_config(&h, "words", "\"n_trials\": 1,", "\"max_epochs\": 1,"));
    must_say("/studies/words", "\"preparing\":{\"phase\":\"start\",\"done\":0");
    EXPECT(&h, 0, "preparing", "status", "words");
    home_go_on(&h);
    home_wait_state(&h, "words", "finished", 30);
    EXPECT(&h, 0, "4 classes, 480 rows for training", "log", "words");
    EXPECT(&h, 0, "test\"]}\n", "--json", "log", "words");
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_start(&h, one); /* nobody sweeps it */
    must_say("/studies/words/log", "prepared ");
    must_say("/studies/words", "\"preparing\":null");
    home_end(&h, "words");
}
END_TEST

/* No worker at all: that is said, nothing fails, and it goes on when it can. */
START_TEST(workers_that_cannot_be_started_are_an_alarm)
{
    static const char *const none[] = {"--workers", "2", "--worker",
                                       "/bin/false", NULL};
    home_init(&h);
    home_data(&h, 600, 4);
    home_start(&h, none);
    home_post(
        &h, home_config(&h, "words", "\"n_trials\": 1,", "\"max_epochs\": 1,"));
    char *health = NULL;
    for (int i = 0; i < 200; i++) {
        free(health);
        ck_assert_int_eq(home_http(&h, "GET", "/health", NULL, &health), 200);
        if (strstr(health, "cannot be started") != NULL) {
            break;
        }
        home_sleep_ms(20);
    }
    ck_assert_ptr_nonnull(strstr(health, "cannot be started"));
    free(health);
    EXPECT(&h, 0, "cannot be started", "status", "words");
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_configs WHERE "
                                    "state = 'running'"),
                     1);
    home_kill_daemon(&h);
    home_start(&h, one);
    home_wait_state(&h, "words", "finished", 30);
    must_say("/health", "\"trouble\":null");
    home_end(&h, "no worker");
}
END_TEST

/* What a command leaves people to wonder about, it says. */
START_TEST(commands_say_what_they_did)
{
    static const char CONFIG[] =
        "{\"study\":\"c\",\"n_trials\":%d,\"workers\":%d,\"stop\":"
        "{\"hours\":%s},\"objective\":{\"type\":\"function\",\"function\":"
        "\"sphere\"},\"params\":{\"x\":{\"float\":[0,1]}}}";
    home_init(&h);
    home_start(&h, one);
    char *first = mem_printf(CONFIG, 3, 1, "null");
    char *more = mem_printf(CONFIG, 5, 2, "2.5");
    EXPECT(&h, 0, NULL, "run", home_file(&h, "c.json", first));
    EXPECT(&h, 0, "over 3 complete trials: so few", "importances", "c");
    EXPECT(&h, 0, "shows what trial N printed", "log", "c");
    const char *path = home_file(&h, "c.json", more);
    EXPECT(&h, 0, "note: the daemon has 1 worker, the study may use 2", "run",
           path, "--name", "d");
    EXPECT(&h, 0,
           "n_trials: 3 before, now 5\nworkers: 1 before, now 2\n"
           "stop.hours: null before, now 2.5\nstudy 'c'",
           "resume", "c", "--config", path);
    home_wait_state(&h, "c", "finished", 30);
    free(first);
    free(more);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/words");
    TCase *c = tcase_create("words");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_dead_workers_last_words);
    tcase_add_test(c, a_preparation_has_its_own_log);
    tcase_add_test(c, workers_that_cannot_be_started_are_an_alarm);
    tcase_add_test(c, commands_say_what_they_did);
    suite_add_tcase(s, c);
    return s;
}
