/* Many deaths at once are the environment's; a few are a trial's. */
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <string.h>

static struct story st;

/* A death, and the slot comes back; what can start starts. */
static void dies(int slot)
{
    story_gone(&st, slot, TRIAL_CAUSE_SIGNAL);
    story_back(&st, slot);
}

START_TEST(five_deaths_of_three_trials_pause_the_study)
{
    int64_t id = story_begin(&st, 3, 9);
    dies(0);
    dies(1);
    story_wait(&st, 2000);
    story_next(&st);
    dies(0);
    dies(1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    const struct study_trial *third = story_trial(&st, id, 2);
    int64_t attempt = third->attempt;
    story_gone(&st, 2, TRIAL_CAUSE_EXIT);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_PAUSED);
    ck_assert_ptr_nonnull(strstr(story_study(&st, id)->reason, "environment:"));
    ck_assert_int_eq(third->state, TRIAL_WAITING);
    ck_assert_int_eq(third->place, -1); /* not counted against it */
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_FAIL], 0);
    story_idle(&st, 2);
    ck_assert_int_eq(story_next(&st), 0);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    story_wait(&st, 3000);
    story_next(&st);
    ck_assert_int_eq(third->attempt, attempt + 1);
    dies(2); /* what was is forgotten */
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    story_fini(&st);
}
END_TEST

START_TEST(deaths_of_two_trials_are_their_own)
{
    int64_t id = story_begin(&st, 2, 9);
    for (int i = 0; i < 2; i++) {
        dies(0);
        dies(1);
        story_wait(&st, 2000);
        story_next(&st);
    }
    dies(0);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_FAIL);
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_POISON);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    story_fini(&st);
}
END_TEST

START_TEST(deaths_over_a_long_time_are_no_environment)
{
    int64_t id = story_begin(&st, 3, 9);
    for (int i = 0; i < 2; i++) {
        for (int slot = 0; slot < 3; slot++) {
            dies(slot);
            story_wait(&st, 20000);
            story_next(&st);
        }
    }
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    story_fini(&st);
}
END_TEST

START_TEST(what_is_explained_is_no_environment)
{
    int64_t id = story_begin(&st, 3, 20);
    for (int slot = 0; slot < 3; slot++) {
        story_gone(&st, slot, TRIAL_CAUSE_OOM);
        story_idle(&st, slot);
    }
    story_wait(&st, 2000);
    story_next(&st);
    for (int slot = 0; slot < 2; slot++) {
        story_gone(&st, slot, TRIAL_CAUSE_OOM);
    }
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_FAIL], 2);
    story_fini(&st);
}
END_TEST

/* A process that cannot be made: the trial waits, and is not counted. */
START_TEST(a_process_that_cannot_be_made_is_tried_later)
{
    int64_t id = story_begin(&st, 1, 3);
    const struct study_trial *t = story_trial(&st, id, 0);
    for (int i = 0; i < 5; i++) {
        story_failed(&st, 0, TRIAL_CAUSE_SPAWN);
        ck_assert_int_eq(t->state, TRIAL_WAITING);
        ck_assert_int_eq(t->cause, TRIAL_CAUSE_SPAWN);
        ck_assert_int_eq(t->place, -1);
        story_idle(&st, 0);
        ck_assert_int_eq(story_next(&st), 0);
        story_wait(&st, SCHED_SPAWN_WAIT_MS);
        ck_assert_int_eq(story_next(&st), 1);
    }
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        five_deaths_of_three_trials_pause_the_study,
        deaths_of_two_trials_are_their_own,
        deaths_over_a_long_time_are_no_environment,
        what_is_explained_is_no_environment,
        a_process_that_cannot_be_made_is_tried_later,
    };
    return suite_of("sched_deaths", tests, ARRAY_LEN(tests));
}
