/* A study's data set: prepared first, lost, changed, prepared again. */
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <string.h>

static struct story st;

START_TEST(a_preparation_that_fails_fails_the_study)
{
    int64_t id = story_prepare(&st, 3);
    story_event(&st, (struct event){.kind = EVENT_PREPARE_FAILED,
                                    .study = id,
                                    .prepare_failed = {"no such file"}});
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_str_eq(story_study(&st, id)->reason, "no such file");
    story_idle(&st, 0);
    ck_assert_int_eq(story_next(&st), 0);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    ck_assert_int_eq(story_next(&st), 1);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_PREPARING);
    story_fini(&st);
}
END_TEST

START_TEST(changed_data_fail_the_study)
{
    int64_t id = story_begin(&st, 1, 3);
    story_study(&st, id)->is_prepared = false; /* as in another life */
    story_finish(&st, 0, 1);
    story_prepared(&st, 0, 'e');
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_ptr_nonnull(strstr(story_study(&st, id)->reason, "data changed"));
    ck_assert_int_eq(story_study(&st, id)->data.sha256[0], 'd');
    story_fini(&st);
}
END_TEST

/* The same rows, divided otherwise: the values would be of two kinds. */
START_TEST(another_split_fails_the_study)
{
    int64_t id = story_begin(&st, 1, 3);
    story_study(&st, id)->is_prepared = false; /* as in another life */
    story_study(&st, id)->data.n_val = 2;
    story_finish(&st, 0, 1);
    story_prepared(&st, 0, 'd');
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_ptr_nonnull(
        strstr(story_study(&st, id)->reason, "split otherwise"));
    ck_assert_int_eq(story_study(&st, id)->data.n_val, 2);
    story_fini(&st);
}
END_TEST

START_TEST(data_that_are_gone_are_prepared_again)
{
    int64_t id = story_begin(&st, 2, 4);
    story_wait(&st, 1000);
    story_failed(&st, 0, TRIAL_CAUSE_DATA);
    const struct study_trial *t = story_trial(&st, id, 0);
    ck_assert_int_eq(t->state, TRIAL_WAITING);
    ck_assert_int_eq(t->cause, TRIAL_CAUSE_DATA);
    ck_assert_int_eq(t->place, -1); /* not counted */
    story_idle(&st, 0);
    ck_assert_int_eq(story_next(&st), 1);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_PREPARING);
    ck_assert_int_eq(st.m->slots[1].state, SLOT_BUSY); /* it goes on */
    story_prepared(&st, 0, 'd');
    ck_assert_int_eq(story_count(&st, ACTION_SET_DATA), 0);
    /* Begun before that preparation: no news. */
    story_failed(&st, 1, TRIAL_CAUSE_DATA);
    ck_assert_int_eq(story_count(&st, ACTION_UNPREPARED), 0);
    story_idle(&st, 0);
    story_idle(&st, 1);
    ck_assert_int_eq(story_next(&st), 2);
    ck_assert_int_eq(t->state, TRIAL_RUNNING);
    ck_assert_int_eq(t->attempt, 2);
    story_fini(&st);
}
END_TEST

START_TEST(data_that_are_always_gone_end_the_study)
{
    int64_t id = story_begin(&st, 1, 4);
    for (int i = 0; i < SCHED_PREPARES; i++) {
        ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
        story_fail(&st, 0, TRIAL_CAUSE_DATA);
        if (st.m->slots[0].state == SLOT_PREPARING) {
            story_prepared(&st, 0, 'd');
            story_back(&st, 0);
        }
    }
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_ptr_nonnull(strstr(story_study(&st, id)->reason, "gone 3 times"));
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_FAIL], 0);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_PREPARING);
    story_fini(&st);
}
END_TEST

START_TEST(a_preparation_may_die_three_times)
{
    story_init(&st, 1);
    int64_t id = story_add(&st, "x", 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
        story_idle(&st, 0);
        ck_assert_int_eq(story_next(&st), 1);
        story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    }
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    story_idle(&st, 0);
    ck_assert_int_eq(story_next(&st), 1);
    story_fini(&st);
}
END_TEST

static void preparing(int64_t id, const char *phase, int64_t done)
{
    struct event e = {
        .kind = EVENT_PREPARING, .study = id, .preparing = {.done = done}};
    strcpy(e.preparing.phase, phase);
    strcpy(e.preparing.unit, "rows");
    ck_assert_int_eq(story_event(&st, e), 0);
}

/* Who says the same again and again hangs; who moves on is busy. */
START_TEST(a_preparation_that_does_not_move_on_is_killed)
{
    int64_t id = story_prepare(&st, 3);
    for (int i = 0; i < 3; i++) {
        story_wait(&st, SCHED_PREPARE_HANG_MS - 5000);
        preparing(id, i == 2 ? "read" : "download", i == 0 ? 7 : 8);
        ck_assert_int_eq(st.m->slots[0].state, SLOT_PREPARING);
    }
    const struct study_preparation *p = &story_study(&st, id)->preparation;
    ck_assert_str_eq(p->phase, "read");
    ck_assert_str_eq(p->unit, "rows");
    ck_assert_int_eq(p->done, 8);
    story_wait(&st, SCHED_PREPARE_HANG_MS - 1000);
    preparing(id, "read", 8);
    story_wait(&st, 1000);
    story_wait(&st, 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_fini(&st);
}
END_TEST

START_TEST(a_data_set_of_less_than_no_rows_ends_the_worker)
{
    int64_t id = story_prepare(&st, 2);
    struct event e = {.kind = EVENT_PREPARED,
                      .study = id,
                      .prepared = {.n_classes = 2, .n_train = -1}};
    memset(e.prepared.sha256, 'a', 64);
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_count(&st, ACTION_KILL), 1);
    ck_assert_int_eq(story_count(&st, ACTION_SET_DATA), 0);
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        a_preparation_that_fails_fails_the_study,
        changed_data_fail_the_study,
        another_split_fails_the_study,
        data_that_are_gone_are_prepared_again,
        data_that_are_always_gone_end_the_study,
        a_preparation_may_die_three_times,
        a_preparation_that_does_not_move_on_is_killed,
        a_data_set_of_less_than_no_rows_ends_the_worker,
    };
    return suite_of("sched_prepare", tests, ARRAY_LEN(tests));
}
