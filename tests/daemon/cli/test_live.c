/* A study told by events: what is news, when it is over, how it is painted. */
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/cli/live.h"
#include "daemon/cli/live_view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct live live;
static int64_t now = 1000000;

static void take_study(const char *text)
{
    struct json *node = parsed_text(text);
    live_take_study(&live, node, now);
    json_free(node);
}

static enum live_news take_trial(const char *text)
{
    struct json *node = parsed_text(text);
    enum live_news news = live_take_trial(&live, node, now);
    json_free(node);
    return news;
}

static void take_progress(int64_t number, int64_t attempt, const char *phase,
                          int64_t epoch, int64_t step)
{
    char text[512];
    snprintf(text, sizeof(text),
             "{\"number\":%d,\"state\":\"RUNNING\",\"attempt\":%d,\"progress\":"
             "{\"phase\":\"%s\",\"epoch\":%d,\"step\":%d,\"n_steps\":100,"
             "\"loss\":0.5}}",
             (int)number, (int)attempt, phase, (int)epoch, (int)step);
    struct json *node = parsed_text(text);
    live_take_progress(&live, node, now);
    json_free(node);
}

#define STUDY(state, counts)                                                   \
    "{\"name\":\"s\",\"seq\":5,\"state\":\"" state "\",\"reason\":null,"       \
    "\"metric\":\"val-acc\",\"direction\":\"maximize\",\"n_trials\":4,"        \
    "\"counts\":{" counts "},\"finished\":1,\"best\":null,\"eta_ms\":60000,"   \
    "\"data\":{\"sha256\":\"ab\"},\"params\":[\"lr\",\"emb_dim\"],"            \
    "\"config\":{\"training\":{\"max_epochs\":4}},\"running\":[],"             \
    "\"trouble\":null}"

static void setup(void)
{
    live_init(&live);
    take_study(STUDY("running", "\"RUNNING\":1"));
}

static void teardown(void)
{
    live_fini(&live);
}

static const char *const complete_0 =
    "{\"number\":0,\"seq\":6,\"state\":\"COMPLETE\",\"value\":0.5,"
    "\"best_epoch\":3,\"n_epochs\":4,\"start\":1000,\"end\":43000,\"duration_"
    "ms\":42000,"
    "\"params\":{\"lr\":0.00123456,\"emb_dim\":64}}";

START_TEST(an_end_is_news_once)
{
    ck_assert_int_eq(take_trial(complete_0), LIVE_BEST);
    ck_assert_int_eq(take_trial(complete_0), LIVE_NOTHING);
    ck_assert_int_eq(live.best, 0);
    ck_assert_int_eq(live.seq, 6);
}
END_TEST

START_TEST(a_retried_trial_may_end_again)
{
    ck_assert_int_eq(take_trial("{\"number\":1,\"state\":\"FAIL\"}"),
                     LIVE_FINISHED);
    ck_assert_int_eq(take_trial("{\"number\":1,\"state\":\"WAITING\"}"),
                     LIVE_NOTHING);
    ck_assert_int_eq(take_trial("{\"number\":1,\"state\":\"FAIL\"}"),
                     LIVE_FINISHED);
}
END_TEST

START_TEST(best_follows_the_direction)
{
    take_trial(complete_0);
    ck_assert_int_eq(
        take_trial("{\"number\":1,\"state\":\"COMPLETE\",\"value\":0.4}"),
        LIVE_FINISHED);
    ck_assert_int_eq(
        take_trial("{\"number\":2,\"state\":\"COMPLETE\",\"value\":0.5}"),
        LIVE_FINISHED); /* the first of ties stays */
    ck_assert_int_eq(
        take_trial("{\"number\":3,\"state\":\"PRUNED\",\"value\":0.9}"),
        LIVE_FINISHED);
    live.maximize = false;
    ck_assert_int_eq(
        take_trial("{\"number\":4,\"state\":\"COMPLETE\",\"value\":0.4}"),
        LIVE_BEST);
}
END_TEST

/* What happened before a stream begins comes after the study's own view. */
START_TEST(a_best_that_the_study_names_first_is_one)
{
    take_study("{\"name\":\"s\",\"state\":\"running\",\"metric\":\"v\","
               "\"direction\":\"maximize\",\"counts\":{},"
               "\"best\":{\"number\":1,\"value\":0.5}}");
    ck_assert_int_eq(
        take_trial("{\"number\":0,\"state\":\"COMPLETE\",\"value\":0.4}"),
        LIVE_FINISHED);
    ck_assert_int_eq(
        take_trial("{\"number\":1,\"state\":\"COMPLETE\",\"value\":0.5}"),
        LIVE_BEST);
    ck_assert_int_eq(
        take_trial("{\"number\":1,\"state\":\"COMPLETE\",\"value\":0.5}"),
        LIVE_NOTHING);
    ck_assert_int_eq(
        take_trial("{\"number\":2,\"state\":\"COMPLETE\",\"value\":0.5}"),
        LIVE_FINISHED);
}
END_TEST

START_TEST(what_is_infeasible_is_never_the_best)
{
    static const char *const infeasible =
        "{\"number\":1,\"state\":\"COMPLETE\",\"value\":0.9,\"constraints\":"
        "{\"gb\":0.5},\"feasible\":false,\"params\":{}}";
    static const struct term plain = {.is_tty = true};
    struct json *trial = parsed_text(infeasible);
    struct buf out;
    take_trial(complete_0);
    ck_assert_int_eq(take_trial(infeasible), LIVE_FINISHED);
    ck_assert_int_eq(live.best, 0);
    ck_assert_int_eq(
        take_trial("{\"number\":2,\"state\":\"COMPLETE\",\"value\":0.6,"
                   "\"constraints\":{\"gb\":-1},\"feasible\":true}"),
        LIVE_BEST);
    buf_init(&out, 4096); /* and it is marked */
    live_view_say_trial(&out, &live, trial, false);
    ck_assert_ptr_nonnull(strstr(out.data, "val-acc 0.9 (infeasible)"));
    buf_reset(&out);
    live_view_trial(&out, &live, &plain, 80, trial, false);
    ck_assert_ptr_nonnull(strstr(out.data, "infeasible"));
    buf_fini(&out);
    json_free(trial);
}
END_TEST

START_TEST(epochs_are_news)
{
    static const char *const one =
        "{\"number\":0,\"state\":\"RUNNING\",\"attempt\":1,\"n_epochs\":1,"
        "\"epochs\":[{\"epoch\":0,\"val-acc\":0.25}]}";
    static const char *const again =
        "{\"number\":0,\"state\":\"RUNNING\",\"attempt\":2,\"n_epochs\":1,"
        "\"epochs\":[{\"epoch\":0,\"val-acc\":0.25}]}";
    ck_assert_int_eq(take_trial(one), LIVE_EPOCH);
    ck_assert_int_eq(take_trial(one), LIVE_NOTHING);
    ck_assert_int_eq(take_trial(again), LIVE_NOTHING); /* another attempt */
    ck_assert_double_eq(live.running[0].value, 0.25);
}
END_TEST

/* Only the new ones come; the end may bring some with it. */
START_TEST(each_new_epoch_is_told)
{
    static const char *const events[] = {
        "{\"number\":0,\"state\":\"RUNNING\",\"attempt\":1,\"n_epochs\":3,"
        "\"epochs\":[{\"epoch\":1,\"val-acc\":0.25},{\"epoch\":2,"
        "\"val-acc\":0.5}]}",
        "{\"number\":0,\"state\":\"PRUNED\",\"attempt\":1,\"n_epochs\":4,"
        "\"epochs\":[{\"epoch\":2,\"val-acc\":0.5},{\"epoch\":3,"
        "\"val-acc\":0.75}]}"};
    static const char *const says[] = {
        "trial 0 epoch 2/4: val-acc 0.25\ntrial 0 epoch 3/4: val-acc 0.5\n",
        "trial 0 epoch 4/4: val-acc 0.75\n"};
    struct buf out;
    buf_init(&out, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        struct json *node = parsed_text(events[i]);
        ck_assert_int_eq(take_trial(events[i]),
                         i == 0 ? LIVE_EPOCH : LIVE_FINISHED);
        buf_reset(&out);
        live_view_say_epochs(&out, &live, node);
        ck_assert_str_eq(out.data, says[i]);
        json_free(node);
    }
    buf_fini(&out);
}
END_TEST

/* The study's view is no news of its trials: who comes back asks for them. */
START_TEST(a_view_of_the_study_moves_no_place)
{
    ck_assert_int_eq(take_trial(complete_0), LIVE_BEST);
    take_study("{\"name\":\"s\",\"seq\":50,\"state\":\"running\"}");
    ck_assert_int_eq(live.seq, 6);
    struct json *view = parsed_text(
        "{\"name\":\"s\",\"seq\":50,\"state\":\"running\",\"running\":["
        "{\"number\":1,\"state\":\"RUNNING\",\"n_epochs\":2}]}");
    live_begin(&live, view, now);
    ck_assert_int_eq(live.seq, 50);
    ck_assert_int_eq(
        take_trial("{\"number\":1,\"state\":\"RUNNING\",\"n_epochs\":2,"
                   "\"epochs\":[{\"epoch\":0},{\"epoch\":1}]}"),
        LIVE_NOTHING);
    json_free(view);
}
END_TEST

START_TEST(pace_and_time_left)
{
    take_progress(0, 1, "train", 0, 0);
    for (int i = 1; i <= 20; i++) {
        now += 250;
        take_progress(0, 1, "train", 0, 5 * i);
    }
    const struct live_trial *t = &live.running[0];
    ck_assert_double_eq_tol(t->rate, 20.0, 0.1);
    ck_assert_double_eq_tol(t->fraction, 0.25, 1e-9);
    /* a quarter took 5 s */
    ck_assert_int_eq(live_trial_eta(t, now), 15000);
    ck_assert_int_eq(live_trial_eta(t, now + 5000), 10000);
    take_progress(0, 1, "save", 1, 0); /* a bar never goes back */
    ck_assert_double_eq_tol(t->fraction, 0.25, 1e-9);
    take_progress(0, 2, "tokenize", 0, 0); /* but for another attempt */
    ck_assert_double_eq(live.running[0].fraction, 0.0);
    ck_assert_int_eq(live_trial_eta(&live.running[0], now), -1);
}
END_TEST

START_TEST(over_when_nothing_runs)
{
    take_progress(0, 1, "train", 0, 0);
    ck_assert(!live_is_over(&live));
    take_study(STUDY("paused", "\"RUNNING\":1"));
    ck_assert(!live_is_over(&live)); /* it lets the running one end */
    take_trial(complete_0);
    take_study(STUDY("paused", "\"COMPLETE\":1"));
    ck_assert(live_is_over(&live));
}
END_TEST

START_TEST(replies_of_any_shape_do_no_harm)
{
    take_study("{}");
    take_study("[1]");
    take_study("{\"params\":7,\"running\":{\"a\":3},\"counts\":\"x\","
               "\"best\":[]}");
    ck_assert_int_eq(take_trial("{\"number\":-3,\"state\":\"FAIL\"}"),
                     LIVE_NOTHING);
    ck_assert_int_eq(take_trial("{\"number\":4e15,\"state\":\"FAIL\"}"),
                     LIVE_FINISHED);
    ck_assert_int_eq(take_trial("{\"number\":1,\"state\":\"NEW\"}"),
                     LIVE_NOTHING);
}
END_TEST

/* --- the view --- */

static const struct term plain = {.has_unicode = true};

START_TEST(the_block_fits_the_terminal)
{
    for (int i = 0; i < 50; i++) {
        take_progress(i, 1, "train", 1, 50);
    }
    for (int rows = 2; rows < 60; rows++) {
        struct buf out;
        int n = 0;
        buf_init(&out, 1 << 20);
        live_view_block(&out, &live, &plain, 80, rows, now);
        for (size_t i = 0; i < out.len; i++) {
            n += out.data[i] == '\n';
        }
        ck_assert_int_le(n, rows);
        buf_fini(&out);
    }
}
END_TEST

START_TEST(lines_of_the_table)
{
    struct json *trial = parsed_text(complete_0);
    struct buf out;
    buf_init(&out, 1 << 20);
    live_view_titles(&out, &live, &plain, 80);
    live_view_trial(&out, &live, &plain, 80, trial, true);
    ck_assert_str_eq(out.data,
                     "trial   val-acc  epoch    time        lr   emb_dim\n"
                     "    0 ★  0.5000    4/4     42s   0.00123        64\n");
    buf_reset(&out);
    live_view_say_trial(&out, &live, trial, true);
    ck_assert_str_eq(out.data, "trial 0 complete: val-acc 0.5 (best so far), "
                               "42 s: lr 0.001235, emb_dim 64\n");
    buf_fini(&out);
    json_free(trial);
}
END_TEST

/* Who is no training reports steps, whose numbers are its own. */
START_TEST(steps_are_called_steps)
{
    static const char *const running =
        "{\"number\":3,\"state\":\"RUNNING\",\"attempt\":1,\"progress\":"
        "{\"phase\":\"command\",\"epoch\":5,\"step\":2,\"n_steps\":0,"
        "\"loss\":7.5,\"elapsed_ms\":4000},\"n_epochs\":1,\"epochs\":"
        "[{\"step\":5,\"value\":7.5}]}";
    struct json *node = parsed_text(running);
    struct buf out;
    buf_init(&out, 1 << 20);
    take_study("{\"name\":\"s\",\"state\":\"running\",\"metric\":\"value\","
               "\"unit\":\"step\",\"params\":[\"x\"],\"config\":{\"training\":"
               "{\"max_epochs\":10}}}");
    ck_assert_int_eq(take_trial(running), LIVE_NOTHING); /* not so soon */
    live_view_titles(&out, &live, &plain, 80);
    live_view_running(&out, &live.running[0], live.metric, &plain, 80, now);
    ck_assert_str_eq(out.data,
                     "trial     value   step    time         x\n"
                     "    3  command     4.0s  step 5       value 7.5000\n");
    buf_reset(&out);
    live_view_say_epochs(&out, &live, node);
    ck_assert_str_eq(out.data, "trial 3 step 5: value 7.5\n");
    buf_fini(&out);
    json_free(node);
}
END_TEST

/* However many they are, a log has one of each trial in five seconds. */
START_TEST(steps_are_news_now_and_then)
{
    struct buf steps;
    int n_news = 0;
    take_study("{\"name\":\"s\",\"state\":\"running\",\"metric\":\"value\","
               "\"unit\":\"step\",\"params\":[]}");
    buf_init(&steps, 1 << 20);
    for (int i = 0; i < 100; i++, now += 100) {
        buf_printf(&steps, "%s{\"step\":%d,\"value\":1}", i > 0 ? "," : "", i);
        char *trial = mem_printf("{\"number\":0,\"state\":\"RUNNING\","
                                 "\"attempt\":1,\"n_epochs\":%d,"
                                 "\"epochs\":[%s]}",
                                 i + 1, steps.data);
        enum live_news news = take_trial(trial);
        ck_assert(news == (i > 0 && i % 50 == 0 ? LIVE_EPOCH : LIVE_NOTHING));
        n_news += news == LIVE_EPOCH;
        free(trial);
    }
    ck_assert_int_eq(n_news, 1);
    ck_assert_int_eq(live.running[0].n_epochs, 100);
    buf_fini(&steps);
}
END_TEST

/* Epochs count from 1, steps are a command's own. */
START_TEST(a_pruned_trial_says_where)
{
    static const struct {
        bool is_stepped;
        const char *epochs, *says;
    } CASES[] = {{true, "[{\"step\":2,\"value\":7},{\"step\":5,\"value\":8}]",
                  "trial 7 pruned at step 5: value 8, 1.0 s\n"},
                 {false, "[{\"epoch\":0,\"val-acc\":7}]",
                  "trial 7 pruned at epoch 1: value 8, 1.0 s\n"},
                 {true, "[]", "trial 7 pruned: value 8, 1.0 s\n"}};
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char *text =
            mem_printf("{\"number\":7,\"state\":\"PRUNED\",\"value\":8,"
                       "\"duration_ms\":1000,\"epochs\":%s}",
                       CASES[i].epochs);
        struct json *trial = parsed_text(text);
        const struct live shown = {.metric = "value",
                                   .is_stepped = CASES[i].is_stepped};
        struct buf out;
        buf_init(&out, 1 << 20);
        live_view_say_trial(&out, &shown, trial, false);
        ck_assert_str_eq(out.data, CASES[i].says);
        buf_fini(&out);
        json_free(trial);
        free(text);
    }
}
END_TEST

START_TEST(a_failure_says_why)
{
    struct json *trial = parsed_text(
        "{\"number\":7,\"state\":\"FAIL\",\"cause\":\"nan\",\"message\":"
        "\"the loss is not a number\\u001b[2J\"}");
    struct buf out;
    buf_init(&out, 1 << 20);
    live_view_say_trial(&out, &live, trial, false);
    ck_assert_str_eq(
        out.data, "trial 7 failed (nan): the loss is not a number\\x1b[2J\n");
    buf_fini(&out);
    json_free(trial);
}
END_TEST

static void must_say_state(const char *study, const char *words)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    take_study(study);
    live_view_say_state(&out, &live);
    ck_assert_str_eq(out.data, words);
    buf_fini(&out);
}

/* That it is stopped is the summary's to say, when nothing runs any more. */
START_TEST(a_state_before_the_end_says_what_is_waited_for)
{
    must_say_state(STUDY("running", "\"RUNNING\":2"), "study 's' is running\n");
    must_say_state(STUDY("stopped", "\"RUNNING\":2"),
                   "study 's' starts no new trials (stopped), 2 still "
                   "run until they end or are put back\n");
    must_say_state(STUDY("failed", "\"RUNNING\":1"),
                   "study 's' starts no new trials (failed), 1 still "
                   "runs until it ends or is put back\n");
    must_say_state("{\"name\":\"s\",\"state\":\"failed\",\"counts\":{"
                   "\"RUNNING\":1},\"reason\":\"2 trials failed; the last: "
                   "of what its line said\"}",
                   "study 's' starts no new trials (failed: 2 trials failed), "
                   "1 still runs until it ends or is put back\n");
    must_say_state(STUDY("paused", "\"RUNNING\":1"),
                   "study 's' starts no new trials (paused), 1 still "
                   "runs\n");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("live");
    TCase *t = tcase_create("live");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, an_end_is_news_once);
    tcase_add_test(t, a_retried_trial_may_end_again);
    tcase_add_test(t, best_follows_the_direction);
    tcase_add_test(t, a_best_that_the_study_names_first_is_one);
    tcase_add_test(t, what_is_infeasible_is_never_the_best);
    tcase_add_test(t, epochs_are_news);
    tcase_add_test(t, each_new_epoch_is_told);
    tcase_add_test(t, a_view_of_the_study_moves_no_place);
    tcase_add_test(t, pace_and_time_left);
    tcase_add_test(t, over_when_nothing_runs);
    tcase_add_test(t, replies_of_any_shape_do_no_harm);
    tcase_add_test(t, the_block_fits_the_terminal);
    tcase_add_test(t, lines_of_the_table);
    tcase_add_test(t, steps_are_called_steps);
    tcase_add_test(t, steps_are_news_now_and_then);
    tcase_add_test(t, a_pruned_trial_says_where);
    tcase_add_test(t, a_failure_says_why);
    tcase_add_test(t, a_state_before_the_end_says_what_is_waited_for);
    suite_add_tcase(s, t);
    return s;
}
