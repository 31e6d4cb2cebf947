/* What a program tells, over more than one attempt: one curve, of which the
 * value is taken. */
#include "core/spec/spec_json.h"
#include "daemon/history.h"
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct story st;
static const char no_pruner[] = "\"type\":\"none\"";

/* One trial of it on slot 0. */
static int64_t begin(const char *of, const char *pruner)
{
    char config[400];
    struct spec spec;
    snprintf(config, sizeof(config),
             "{\"study\":\"c\",\"n_trials\":2,\"objective\":{\"type\":"
             "\"command\",\"command\":[\"true\"],\"direction\":\"maximize\","
             "\"of\":\"%s\"},\"pruner\":{%s},"
             "\"params\":{\"x\":{\"float\":[0,1]}}}",
             of, pruner);
    ck_assert_msg(spec_parse(config, strlen(config), &spec, &st.err) == 0, "%s",
                  st.err.msg);
    story_init(&st, 1);
    story_event(&st, (struct event){.kind = EVENT_ADD_STUDY,
                                    .add_study = {.spec = &spec}});
    spec_fini(&spec);
    story_back(&st, 0);
    return mirror_study_by_name(st.m, "c")->id;
}

static void tell(const double *values, size_t n, int64_t first)
{
    for (size_t i = 0; i < n; i++) {
        story_report(&st, 0, first + (int64_t)i, values[i]);
    }
}

static void die_and_begin_again(void)
{
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    story_wait(&st, 2000);
    story_back(&st, 0);
}

/* The step that it names is its own attempt's. */
static void end_well(double value, int64_t step)
{
    const struct slot *slot = &st.m->slots[0];
    struct event e = {.kind = EVENT_DONE, .slot = 0, .id = slot->id};
    e.done.value = value;
    e.done.best_epoch = step;
    ck_assert_int_eq(story_event(&st, e), 0);
}

static void expect_curve(const struct study *s, const double *values, size_t n)
{
    const struct study_trial *t = s->trials[0];
    ck_assert_uint_eq(t->n_reports, n);
    ck_assert_uint_eq(history_n_reports(s->history, 0), n);
    for (size_t i = 0; i < n; i++) {
        double kept;
        ck_assert_int_eq(history_report_at(s->history, 0, i, &kept),
                         t->reports[i].epoch);
        ck_assert(kept == values[i]);
        ck_assert(t->reports[i].metrics.value[s->spec.metric] == values[i]);
    }
}

/* As a program does that is mended and told to try again. */
START_TEST(who_begins_anew_tells_another_curve)
{
    const double old[] = {1001, 1002, 1003, 1004, 1005};
    const double new[] = {0.1, 0.2, 0.3};
    int64_t id = begin("best", no_pruner);
    const struct study *s = story_study(&st, id);
    const struct slot *slot = &st.m->slots[0];
    tell(old, 5, 1);
    story_failed(&st, 0, TRIAL_CAUSE_EXIT);
    story_event(
        &st, (struct event){.kind = EVENT_RETRY, .study = id, .retry = {-1}});
    story_back(&st, 0);
    ck_assert_int_eq(slot->id.number, 0);
    expect_curve(s, old, 5); /* it may go on with them */
    tell(new, 1, 1);
    ck_assert_int_eq(story_count(&st, ACTION_REWIND), 1);
    expect_curve(s, new, 1);
    ck_assert(s->trials[0]->nondeterministic);
    tell(new + 1, 2, 2);
    expect_curve(s, new, 3);
    ck_assert_int_eq(s->trials[0]->reports[2].attempt, 2);
    end_well(0.3, 3);
    ck_assert(s->trials[0]->value == 0.3);
    story_fini(&st);
}
END_TEST

START_TEST(what_is_told_again_as_it_was_changes_nothing)
{
    const double values[] = {0.5, 0.7, 0.6, 0.4};
    const struct study *s = story_study(&st, begin("best", no_pruner));
    tell(values, 3, 0);
    die_and_begin_again();
    tell(values, 3, 0);
    ck_assert_int_eq(story_count(&st, ACTION_REWIND), 0);
    ck_assert_int_eq(story_count(&st, ACTION_REPORT), 0);
    tell(values + 3, 1, 3);
    expect_curve(s, values, 4);
    ck_assert(!s->trials[0]->nondeterministic);
    story_fini(&st);
}
END_TEST

/* Its own count of steps: those between that are not told are not its. */
START_TEST(other_steps_are_another_curve)
{
    const double old[] = {1, 2, 3, 4}, all[] = {1, 9};
    const struct study *s = story_study(&st, begin("last", no_pruner));
    tell(old, 1, 0);
    tell(old + 1, 3, 10);
    die_and_begin_again();
    tell(all, 1, 0);
    tell(all + 1, 1, 5);
    expect_curve(s, all, 2);
    ck_assert_int_eq(s->trials[0]->reports[1].epoch, 5);
    story_fini(&st);
}
END_TEST

/* Who continues from a checkpoint of its own knows only what it told since. */
START_TEST(the_best_may_be_of_an_earlier_attempt)
{
    static const char *const of[] = {"best", "last"};
    const double values[] = {0.5, 0.9, 0.7, NAN, 0.8, 0.6};
    for (size_t i = 0; i < ARRAY_LEN(of); i++) {
        const struct study *s = story_study(&st, begin(of[i], no_pruner));
        tell(values, 3, 0);
        die_and_begin_again();
        tell(values + 3, 3, 3);
        end_well(i == 0 ? 0.8 : 0.6, i == 0 ? 4 : 5);
        ck_assert(s->trials[0]->value == (i == 0 ? 0.9 : 0.6));
        ck_assert_int_eq(s->trials[0]->best_epoch, i == 0 ? 1 : 5);
        story_fini(&st);
    }
}
END_TEST

/* A value that was told without a step is the value. */
START_TEST(a_final_value_is_taken_as_it_is)
{
    const double values[] = {0.5, 0.9};
    const struct study *s = story_study(&st, begin("best", no_pruner));
    tell(values, 2, 0);
    end_well(0.25, -1);
    ck_assert(s->trials[0]->value == 0.25);
    ck_assert_int_eq(s->trials[0]->best_epoch, -1);
    story_fini(&st);
}
END_TEST

/* Rungs that the old curve passed are forgotten with all of it. */
START_TEST(rungs_go_with_the_curve)
{
    const double old[] = {1, 2, 3, 4, 5}, new[] = {0.1, 0.2};
    size_t n;
    const struct study *s =
        story_study(&st, begin("best", "\"type\":\"asha\",\"min_resource\":1"));
    tell(old, 5, 0);
    (void)history_rungs(s->history, 0, &n);
    ck_assert_uint_gt(n, 0);
    die_and_begin_again();
    tell(new, 1, 0);
    (void)history_rungs(s->history, 0, &n);
    ck_assert_uint_eq(n, 0);
    tell(new + 1, 1, 1);
    const double *rungs = history_rungs(s->history, 0, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert(rungs[0] == 0.2);
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sched report");
    TCase *c = tcase_create("stories");
    tcase_add_test(c, who_begins_anew_tells_another_curve);
    tcase_add_test(c, what_is_told_again_as_it_was_changes_nothing);
    tcase_add_test(c, other_steps_are_another_curve);
    tcase_add_test(c, the_best_may_be_of_an_earlier_attempt);
    tcase_add_test(c, a_final_value_is_taken_as_it_is);
    tcase_add_test(c, rungs_go_with_the_curve);
    suite_add_tcase(s, c);
    return s;
}
