/* What tables say of studies and trials as they are, by a daemon that says what
 * they are. */
#include "core/base/buf.h"
#include "tests/lib/fix_daemon.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static struct home h;
static struct fix_daemon fake;

/* --- why a trial was pruned ----------------------------------------------- */

#define REPORTS                                                                \
    "\"epochs\":[{\"step\":3,\"cost\":2},{\"step\":8,\"cost\":0.1}]}"

/* Trial 0 is ours, 1 is one that Optuna ran, 2 told nothing, 3 was best before
 * it was pruned. */
static int pruned(const char *path, int n, struct buf *body)
{
    static const int best[] = {8, 8, -1, 3};
    (void)n;
    if (strstr(path, "/trials/") == NULL) {
        buf_str(body, "{\"name\":\"s\",\"unit\":\"step\",\"metric\":\"cost\","
                      "\"config\":{\"pruner\":{\"type\":\"patient\","
                      "\"wrapped\":\"median\"}}}");
        return 200;
    }
    char number = path[strlen(path) - 1];
    buf_printf(body,
               "{\"number\":%c,\"state\":\"PRUNED\",\"best_epoch\":%d,"
               "\"attempt\":%d,%s",
               number, best[number - '0'], number == '0',
               number == '2' ? "\"epochs\":[]}" : REPORTS);
    return 200;
}

START_TEST(show_says_where_a_trial_was_pruned)
{
    fix_daemon_start(&fake, h.state, pruned);
    EXPECT(&h, 0, "\npruned   at step 8 with cost 0.1, by patient (median)\n",
           "show", "s", "0");
    EXPECT(&h, 0, "\npruned   at step 8 with cost 0.1\n", "show", "s", "1");
    EXPECT(&h, 0, "\npruned   before it reported anything\n", "show", "s", "2");
    char *said =
        home_expect(&h, 0, NULL, (const char *const[]){"show", "s", "0", NULL});
    ck_assert_ptr_null(strstr(said, "best step"));
    free(said);
    said =
        home_expect(&h, 0, NULL, (const char *const[]){"show", "s", "3", NULL});
    ck_assert_ptr_nonnull(strstr(said, "at step 8 with cost 0.1\nbest step"));
    free(said);
}
END_TEST

/* --- what importances leave out, and what equal shares say ---------------- */

/* By the evaluator: shares of a and b, of a alone, of none. */
static int shared(const char *path, int n, struct buf *body)
{
    (void)n;
    if (strstr(path, "/importances") == NULL) {
        buf_str(body, "{\"name\":\"s\",\"params\":[\"a\",\"b\",\"c\"],"
                      "\"counts\":{\"COMPLETE\":30}}");
        return 200;
    }
    buf_str(body, "{\"evaluator\":\"e\",\"n_trials\":30,\"pending\":false,"
                  "\"importances\":[");
    if (strstr(path, "=ped-anova") != NULL) {
        buf_str(body, "{\"param\":\"b\",\"importance\":0.5},"
                      "{\"param\":\"a\",\"importance\":0.5}");
    } else if (strstr(path, "=fanova") != NULL) {
        buf_str(body, "{\"param\":\"a\",\"importance\":1}");
    }
    buf_str(body, "]}");
    return 200;
}

START_TEST(importances_say_what_they_are_not)
{
    fix_daemon_start(&fake, h.state, shared);
    EXPECT(&h, 0, "left out, as no complete trial has it: c\n", "importances",
           "s");
    EXPECT(&h, 0,
           "equal shares: either the values of the complete trials hardly "
           "differ, or each parameter tells as much of them as any other\n",
           "importances", "s");
    EXPECT(&h, 0,
           "left out, as not every complete trial has them in the same range "
           "(fanova needs that, ped-anova does not): b, c\n",
           "importances", "s", "--evaluator", "fanova");
    EXPECT(&h, 0, "its share is 1 whatever it does\n", "importances", "s",
           "--evaluator", "fanova");
    EXPECT(&h, 0, "(mdi needs that, ped-anova does not): a, b, c\n",
           "importances", "s", "--evaluator", "mdi");
    /* programs read what they read before */
    char *json = home_expect(
        &h, 0, NULL, (const char *const[]){"--json", "importances", "s", NULL});
    ck_assert_str_eq(json, "{\"evaluator\":\"e\",\"n_trials\":30,\"pending\":"
                           "false,\"importances\":[{\"param\":\"b\","
                           "\"importance\":0.5},{\"param\":\"a\","
                           "\"importance\":0.5}]}\n");
    free(json);
}
END_TEST

/* Two were pruned, b is there for some values of a; "lost" cannot be had. */
static int partial(const char *path, int n, struct buf *body)
{
    (void)n;
    if (strstr(path, "/importances") == NULL) {
        buf_str(body, "{\"name\":\"s\",\"params\":[\"a\",\"b\"],"
                      "\"counts\":{\"COMPLETE\":3,\"PRUNED\":2},"
                      "\"config\":{\"study\":\"s\",\"objective\":"
                      "{\"type\":\"function\",\"function\":\"sphere\"},"
                      "\"params\":{\"a\":{\"choice\":[1,2]},"
                      "\"b\":{\"float\":[0,1],\"when\":{\"a\":1}}}}}");
        return strstr(path, "/lost") == NULL ? 200 : 500;
    }
    buf_printf(body,
               "{\"evaluator\":\"e\",\"n_trials\":3,\"pending\":false,"
               "\"importances\":[%s]}",
               strstr(path, "/lost") != NULL
                   ? ""
                   : "{\"param\":\"a\",\"importance\":1},"
                     "{\"param\":\"b\",\"importance\":0}");
    return 200;
}

START_TEST(importances_say_of_which_trials_they_are)
{
    fix_daemon_start(&fake, h.state, partial);
    EXPECT(&h, 0,
           "e over 3 complete trials (2 pruned ones are left out): so few say "
           "little yet\n",
           "importances", "s");
    EXPECT(&h, 0,
           "conditional, so only the trials that have it count, and a share of "
           "0 can mean that none of the best has it: b\n",
           "importances", "s");
    struct outcome o = CLI(&h, 60, "importances", "s", "--evaluator", "mdi");
    ck_assert_ptr_null(strstr(o.err, "conditional"));
    outcome_fini(&o);
    o = CLI(&h, 60, "importances", "lost");
    ck_assert_int_eq(o.code, 1);
    ck_assert_ptr_null(strstr(o.err, "No complete trial"));
    outcome_fini(&o);
}
END_TEST

/* --- what a running trial told last --------------------------------------- */

static int running(const char *path, int n, struct buf *body)
{
    (void)n;
    bool is_stepped = strstr(path, "/steps") != NULL;
    const char *unit = is_stepped ? "step" : "epoch";
    if (strstr(path, "/trials") == NULL) {
        buf_printf(body, "{\"name\":\"s\",\"unit\":\"%s\",\"metric\":\"m\"}",
                   unit);
        return 200;
    }
    buf_printf(body,
               "{\"trials\":[{\"number\":0,\"state\":\"RUNNING\",\"epochs\":["
               "{\"%s\":3,\"m\":0.5},{\"%s\":4,\"m\":0.83}],\"n_epochs\":2},"
               "{\"number\":1,\"state\":\"RUNNING\",\"epochs\":[]},"
               "{\"number\":2,\"state\":\"WAITING\",\"epochs\":["
               "{\"%s\":1,\"m\":0.7}]},"
               "{\"number\":3,\"state\":\"COMPLETE\",\"value\":0.9,"
               "\"epochs\":[{\"%s\":1,\"m\":0.6}]}]}",
               unit, unit, unit, unit);
    return 200;
}

START_TEST(trials_show_the_last_report_of_what_runs)
{
    fix_daemon_start(&fake, h.state, running);
    EXPECT(&h, 0, "\n    0  RUNNING   0.8300 @ 4     -", "trials", "steps");
    char *said = home_expect(
        &h, 0, "\n    0  RUNNING   0.8300 @ 5    -/2", /* counted from 1 */
        (const char *const[]){"trials", "epochs", NULL});
    ck_assert_ptr_nonnull(strstr(said, "\n    1  RUNNING            -"));
    ck_assert_ptr_nonnull(strstr(said, "\n    2  WAITING            -"));
    ck_assert_ptr_nonnull(strstr(said, "\n    3  COMPLETE      0.9000"));
    free(said);
}
END_TEST

/* --- who has the workers ---------------------------------------------------
 */

static const struct {
    const char *state, *workers, *says; /* says NULL: nothing of it */
} shares[] = {
    {"running", "{\"study\":\"x\"},{\"study\":\"x\"}",
     "\nwaits   the 2 workers are busy with study 'x'\n"},
    {"running", "{\"study\":\"x\"},{\"study\":\"y\"}",
     "\nwaits   the 2 workers are busy with other studies\n"},
    {"running", "{\"study\":\"x\"}",
     "\nwaits   the worker is busy with study 'x'\n"},
    {"running", "{\"study\":\"x\"},{\"study\":\"s\"}", NULL},
    {"running", "{\"study\":\"x\"},{\"study\":null}", NULL},
    {"running", "", NULL},
    {"paused", "{\"study\":\"x\"}", NULL},
};
static int which_share;

static int shared_out(const char *path, int n, struct buf *body)
{
    (void)n;
    if (strstr(path, "/health") != NULL) {
        buf_printf(body, "{\"workers\":[%s]}", shares[which_share].workers);
    } else {
        buf_printf(body,
                   "{\"name\":\"s\",\"state\":\"%s\",\"unit\":\"step\","
                   "\"workers\":0}",
                   shares[which_share].state);
    }
    return 200;
}

START_TEST(status_says_who_has_the_workers)
{
    which_share = _i;
    fix_daemon_start(&fake, h.state, shared_out);
    char *said = home_expect(&h, 0, shares[_i].says,
                             (const char *const[]){"status", "s", NULL});
    ck_assert_msg((strstr(said, "waits") != NULL) == (shares[_i].says != NULL),
                  "%s", said);
    free(said);
}
END_TEST

static void setup(void)
{
    home_init(&h);
}

static void teardown(void)
{
    fix_daemon_stop(&fake);
    home_fini(&h);
}

Suite *suite(void)
{
    Suite *s = suite_create("what is said");
    TCase *t = tcase_create("what is said");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, show_says_where_a_trial_was_pruned);
    tcase_add_test(t, importances_say_what_they_are_not);
    tcase_add_test(t, importances_say_of_which_trials_they_are);
    tcase_add_test(t, trials_show_the_last_report_of_what_runs);
    tcase_add_loop_test(t, status_says_who_has_the_workers, 0,
                        (int)ARRAY_LEN(shares));
    suite_add_tcase(s, t);
    return s;
}
