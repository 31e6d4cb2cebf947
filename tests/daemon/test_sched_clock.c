/* Deadlines, stalls, active time, and when the clock is asked. */
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct story st;

/* --- the clock ------------------------------------------------------------ */

static void progress(int slot, int64_t step)
{
    story_event(&st, (struct event){.kind = EVENT_PROGRESS,
                                    .slot = slot,
                                    .id = st.m->slots[slot].id,
                                    .progress = {"train", .step = step}});
}

START_TEST(a_worker_that_does_not_move_on_is_killed)
{
    int64_t id = story_begin(&st, 1, 2);
    story_wait(&st, 1000);
    progress(0, 1);
    for (int i = 0; i < 119; i++) {
        story_wait(&st, 1000);
        progress(0, 1); /* alive, but at the same step */
    }
    ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
    story_wait(&st, 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_RUNNING);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_HANG);
    ck_assert_ptr_nonnull(
        strstr(story_trial(&st, id, 0)->message, "no progress for 120 s; it"));
    story_fini(&st);
}
END_TEST

START_TEST(a_slow_worker_has_more_time)
{
    story_begin(&st, 1, 2);
    story_wait(&st, 30000);
    progress(0, 1);
    story_wait(&st, 299000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
    story_wait(&st, 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_fini(&st);
}
END_TEST

START_TEST(nobody_is_judged_after_a_stall)
{
    story_begin(&st, 1, 2);
    story_wait(&st, 60000);
    st.mono_ms += 3600000;
    story_wait(&st, 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
    story_wait(&st, 119000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
    story_wait(&st, 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_fini(&st);
}
END_TEST

START_TEST(a_stop_has_its_grace)
{
    int64_t id = story_begin(&st, 1, 2);
    story_wait(&st, 1000);
    story_event(
        &st, (struct event){.kind = EVENT_STOP, .study = id, .stop = {true}});
    ck_assert(story_find(&st, ACTION_STOP)->stop.keep);
    story_wait(&st, SCHED_STOP_GRACE_MS - 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_STOPPING);
    story_wait(&st, 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_idle(&st, 0); /* too late */
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_WAITING);
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_INTERRUPTED);
    ck_assert_int_eq(story_trial(&st, id, 0)->place, -1);
    story_fini(&st);
}
END_TEST

START_TEST(the_clock_is_asked_only_while_it_brings_something)
{
    story_init(&st, 1);
    story_idle(&st, 0);
    ck_assert(sched_wake_ms(st.m, st.mono_ms) == INT64_MAX);
    story_fini(&st);
    story_begin(&st, 1, 2);
    ck_assert(sched_wake_ms(st.m, st.mono_ms) == st.mono_ms);
    story_wait(&st, 1000);
    ck_assert(sched_wake_ms(st.m, st.mono_ms) == st.mono_ms + 1000);
    story_fini(&st);
}
END_TEST

static void work_for(int seconds)
{
    for (int i = 0; i < seconds; i++) {
        progress(0, i);
        story_wait(&st, 1000);
    }
}

START_TEST(hours_of_activity_end_the_study)
{
    int64_t id = story_begin(&st, 1, 2);
    struct study *s = story_study(&st, id);
    s->spec.stop.hours = 1;
    work_for(1800);
    story_user(&st, EVENT_PAUSE, id);
    ck_assert_int_eq(s->active_ms, 1800000);
    work_for(3600);
    ck_assert_int_eq(s->state, STUDY_PAUSED);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    work_for(1799);
    ck_assert_int_eq(s->state, STUDY_RUNNING);
    story_wait(&st, 1000);
    ck_assert_int_eq(s->state, STUDY_FINISHED);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_STOPPING);
    ck_assert_int_eq(s->active_ms, 3600000);
    story_fini(&st);
}
END_TEST

START_TEST(time_without_a_daemon_is_no_studys_time)
{
    int64_t id = story_begin(&st, 1, 2);
    struct study *s = story_study(&st, id);
    st.now_ms += 5000;
    st.mono_ms += 5000;
    story_finish(&st, 0, 1);
    s->running_since_mono_ms = 0; /* another life */
    st.now_ms += 86400000;
    st.mono_ms = 77;
    story_event(&st, (struct event){.kind = EVENT_START, .slot = -1});
    ck_assert_int_eq(s->state, STUDY_RUNNING);
    ck_assert_int_eq(s->active_ms, 5000);
    ck_assert_int_eq(s->running_since_ms, st.now_ms);
    story_fini(&st);
}
END_TEST

/* The study has run for 9 s when the daemon is killed, without a row since its
 * start, and begins anew a day later, told of this sign of life (counted from
 * the study's start) of a daemon that lived so long; returns its active time.
 */
static int64_t active_after_a_death(int64_t alive_ms, int64_t lived_ms)
{
    int64_t id = story_begin(&st, 1, 2);
    struct study *s = story_study(&st, id);
    int64_t began = s->running_since_ms;
    s->running_since_mono_ms = 0; /* another life */
    st.now_ms = began + 86400000;
    st.mono_ms = 77;
    story_event(&st, (struct event){.kind = EVENT_START,
                                    .slot = -1,
                                    .alive_ms = began + alive_ms,
                                    .lived_ms = lived_ms});
    ck_assert_int_eq(s->running_since_ms, st.now_ms);
    int64_t active = s->active_ms;
    story_fini(&st);
    return active;
}

START_TEST(a_silent_study_is_active_until_the_daemons_last_sign_of_life)
{
    ck_assert_int_eq(active_after_a_death(9000, 9100), 9000);
    ck_assert_int_eq(active_after_a_death(86400000, 90000000), 86400000);
    /* The machine slept, or its clock was set forward. */
    ck_assert_int_eq(active_after_a_death(9000, 3000), 3000);
    /* The clock was set back meanwhile, or after the study's start. */
    ck_assert_int_eq(active_after_a_death(86400001, 90000000), 0);
    ck_assert_int_eq(active_after_a_death(-1, 9000), 0);
}
END_TEST

START_TEST(a_later_row_counts_more_than_an_early_sign_of_life)
{
    int64_t id = story_begin(&st, 1, 2);
    struct study *s = story_study(&st, id);
    int64_t began = s->running_since_ms;
    st.now_ms = began + 5000;
    st.mono_ms += 5000;
    story_finish(&st, 0, 1);
    s->running_since_mono_ms = 0; /* another life */
    st.now_ms += 86400000;
    story_event(&st, (struct event){.kind = EVENT_START,
                                    .slot = -1,
                                    .alive_ms = began + 4100,
                                    .lived_ms = 4100});
    ck_assert_int_eq(s->active_ms, 5000);
    story_fini(&st);
}
END_TEST

/* A life of 9 s whose clock was set in the midst of it; the study went on
 * before, or began after, as the sign of life (counted from its start), and the
 * beginning of that life, tell. */
static int64_t active_after_a_jump(int64_t alive_ms, int64_t begun_ms)
{
    int64_t id = story_begin(&st, 1, 2);
    struct study *s = story_study(&st, id);
    int64_t began = s->running_since_ms;
    s->running_since_mono_ms = 0; /* another life */
    st.now_ms = began + 86400000;
    story_event(&st, (struct event){.kind = EVENT_START,
                                    .slot = -1,
                                    .alive_ms = began + alive_ms,
                                    .lived_ms = 9000,
                                    .begun_ms = began + begun_ms});
    int64_t active = s->active_ms;
    story_fini(&st);
    return active;
}

START_TEST(a_killed_lifes_clock_may_have_been_set)
{
    ck_assert_int_eq(active_after_a_jump(7000, -2000), 7000); /* it was not */
    ck_assert_int_eq(active_after_a_jump(7000 + 7200000, -2000), 7000);
    ck_assert_int_eq(active_after_a_jump(7000 - 7200000, -2000), 7000);
    ck_assert_int_eq(active_after_a_jump(7000 + 172800000, -2000), 7000);
    ck_assert_int_eq(active_after_a_jump(4000, -5000 - 7200000), 4000);
    ck_assert_int_eq(active_after_a_jump(4000, -5000 + 7200000), 4000);
}
END_TEST

/* Told by rows, or by nothing but the daemon's sign of life. */
START_TEST(a_killed_life_gave_no_study_more_time_than_it_lived)
{
    int64_t id = story_begin(&st, 1, 2);
    struct study *s = story_study(&st, id);
    int64_t began = s->running_since_ms;
    st.now_ms = began + 7200000; /* the clock was set forward */
    st.mono_ms += 5000;
    story_finish(&st, 0, 1);
    s->running_since_mono_ms = 0; /* another life */
    st.now_ms += 1000;
    story_event(&st, (struct event){.kind = EVENT_START,
                                    .slot = -1,
                                    .alive_ms = began + 7200100,
                                    .lived_ms = 5100});
    ck_assert_int_eq(s->active_ms, 5100);
    story_fini(&st);
}
END_TEST

/* The trial works for 9 s, while the wall clock is set by `jump_ms`. */
static void finish_after_a_jump(int64_t jump_ms)
{
    int64_t id = story_begin(&st, 1, 1);
    const struct study_trial *trial = story_trial(&st, id, 0);
    int64_t start_ms = trial->start_ms;
    story_wait(&st, 4000);
    st.now_ms += jump_ms;
    story_wait(&st, 5000);
    story_done(&st, 0, 0.5);
    ck_assert_int_eq(trial->state, TRIAL_COMPLETE);
    ck_assert_int_eq(trial->worked_ms, 9000);
    ck_assert_int_ge(trial->end_ms, start_ms);
    story_fini(&st);
}

START_TEST(a_trial_takes_what_the_monotonic_clock_says)
{
    finish_after_a_jump(0);
    finish_after_a_jump(7200000);
    finish_after_a_jump(-172800000000);
}
END_TEST

/* And an attempt that failed is none that ended before it began. */
START_TEST(no_attempt_ends_before_its_start)
{
    int64_t id = story_begin(&st, 1, 1);
    int64_t start_ms = story_trial(&st, id, 0)->start_ms;
    st.now_ms -= 86400000;
    st.mono_ms += 3000;
    story_failed(&st, 0, TRIAL_CAUSE_INVALID);
    ck_assert_int_eq(story_trial(&st, id, 0)->worked_ms, 3000);
    ck_assert_int_eq(story_trial(&st, id, 0)->end_ms, start_ms);
    story_fini(&st);
}
END_TEST

START_TEST(a_drain_stops_the_trials_and_not_the_studies)
{
    int64_t id = story_begin(&st, 2, 5);
    struct actions a;
    actions_init(&a);
    st.mono_ms += 250;
    sched_drain(st.m, st.now_ms, st.mono_ms, &a);
    for (size_t i = 0; i < a.n; i++) {
        mirror_apply(st.m, &a.items[i]);
    }
    actions_fini(&a);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_STOPPING);
    ck_assert_int_eq(st.m->slots[1].state, SLOT_STOPPING);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    ck_assert_int_eq(story_study(&st, id)->active_ms, 250);
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        a_worker_that_does_not_move_on_is_killed,
        a_slow_worker_has_more_time,
        nobody_is_judged_after_a_stall,
        a_stop_has_its_grace,
        the_clock_is_asked_only_while_it_brings_something,
        hours_of_activity_end_the_study,
        a_silent_study_is_active_until_the_daemons_last_sign_of_life,
        a_later_row_counts_more_than_an_early_sign_of_life,
        a_killed_lifes_clock_may_have_been_set,
        a_killed_life_gave_no_study_more_time_than_it_lived,
        time_without_a_daemon_is_no_studys_time,
        a_trial_takes_what_the_monotonic_clock_says,
        no_attempt_ends_before_its_start,
        a_drain_stops_the_trials_and_not_the_studies,
    };
    return suite_of("sched_clock", tests, ARRAY_LEN(tests));
}
