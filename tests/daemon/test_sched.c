/* What starts, what workers say, how attempts end: each rule of sched.h by a
 * small story. */
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct story st;

/* --- starting ------------------------------------------------------------- */

START_TEST(first_comes_the_data_then_the_trials)
{
    story_init(&st, 2);
    int64_t id = story_add(&st, "x", 3);
    story_idle(&st, 0);
    story_idle(&st, 1);
    ck_assert_int_eq(story_next(&st), 1);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_PREPARING);
    ck_assert_int_eq(st.m->slots[1].state, SLOT_IDLE);
    story_prepared(&st, 0, 'd');
    ck_assert_int_eq(story_count(&st, ACTION_SET_DATA), 1);
    ck_assert_int_eq(story_next(&st), 1); /* slot 0 has not come back yet */
    story_idle(&st, 0);
    ck_assert_int_eq(story_next(&st), 1);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 2);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
    double lr;
    study_values(story_study(&st, id), 1, &lr);
    ck_assert(lr >= 1e-5 && lr <= 1e-3);
    story_fini(&st);
}
END_TEST

START_TEST(the_target_is_met_and_never_overshot)
{
    int64_t id = story_begin(&st, 2, 3);
    story_finish(&st, 0, 0.5);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 3);
    story_finish(&st, 0, 0.7);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_IDLE);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    story_done(&st, 1, 0.6);
    /* One decision: the trial's end and the study's. */
    ck_assert_int_eq(story_count(&st, ACTION_FINISH_TRIAL), 1);
    ck_assert_int_eq(story_find(&st, ACTION_SET_STUDY)->set_study.state,
                     STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->best, 2);
    ck_assert_int_eq(story_next(&st), 0);
    story_fini(&st);
}
END_TEST

START_TEST(studies_take_turns_within_their_share)
{
    story_init(&st, 4);
    int64_t ids[2] = {story_add(&st, "a", 9), story_add(&st, "b", 9)};
    story_study(&st, ids[0])->spec.workers = 1;
    for (int i = 0; i < 4; i++) {
        story_idle(&st, i);
    }
    ck_assert_int_eq(story_next(&st), 2);
    for (int i = 0; i < 2; i++) {
        story_prepared(&st, i, 'd');
        story_idle(&st, i);
    }
    ck_assert_int_eq(story_next(&st), 4);
    ck_assert_int_eq(story_study(&st, ids[0])->n_trials, 1);
    ck_assert_int_eq(story_study(&st, ids[1])->n_trials, 3);
    story_study(&st, ids[0])->spec.workers = 0;
    story_finish(&st, 0, 1);
    story_finish(&st, 1, 1);
    ck_assert_int_eq(st.m->slots[0].id.study == ids[0], 1);
    story_fini(&st);
}
END_TEST

START_TEST(a_deterministic_draw_per_trial)
{
    double first[2], again[2];
    for (int life = 0; life < 2; life++) {
        int64_t id = story_begin(&st, 2, 5);
        double *out = life == 0 ? first : again;
        study_values(story_study(&st, id), 0, &out[0]);
        study_values(story_study(&st, id), 1, &out[1]);
        story_fini(&st);
    }
    ck_assert(memcmp(first, again, sizeof(first)) == 0);
    ck_assert(first[0] != first[1]);
}
END_TEST

/* --- attempts ------------------------------------------------------------- */

START_TEST(a_death_is_repeated_after_a_pause)
{
    int64_t id = story_begin(&st, 1, 3);
    double before, after;
    study_values(story_study(&st, id), 0, &before);
    story_report(&st, 0, 0, 0.1);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    const struct study_trial *t = story_trial(&st, id, 0);
    ck_assert_int_eq(t->state, TRIAL_WAITING);
    ck_assert_int_eq(t->cause, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(sched_wake_ms(st.m, st.mono_ms), st.mono_ms + 1000);
    story_back(&st, 0);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_IDLE); /* its place is kept */
    story_wait(&st, 1000);
    story_next(&st);
    ck_assert_int_eq(t->state, TRIAL_RUNNING);
    ck_assert_int_eq(t->attempt, 2);
    study_values(story_study(&st, id), 0, &after);
    ck_assert(before == after);
    story_fini(&st);
}
END_TEST

/* Else what the next trial knows would depend on when a worker died. */
START_TEST(no_other_trial_is_begun_in_the_place_of_one_that_waits)
{
    int64_t id = story_begin(&st, 2, 5);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    story_back(&st, 0);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_IDLE);
    story_finish(&st, 1, 0.5); /* its own place is free again */
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_RUNNING], 1);
    ck_assert_int_eq(story_trial(&st, id, 2)->state, TRIAL_RUNNING);
    story_wait(&st, 1000);
    story_next(&st);
    ck_assert_int_eq(story_trial(&st, id, 0)->attempt, 2);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 3);
    story_fini(&st);
}
END_TEST

static void die(int64_t id, enum trial_cause cause)
{
    story_wait(&st, 5000);
    story_back(&st, 0);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_RUNNING);
    story_gone(&st, 0, cause);
}

START_TEST(three_deaths_at_one_place_are_poison)
{
    int64_t id = story_begin(&st, 1, 3);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    die(id, TRIAL_CAUSE_EXIT);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_WAITING);
    die(id, TRIAL_CAUSE_LOST);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_FAIL);
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_POISON);
    ck_assert_ptr_nonnull(/* people count from 1 */
                          strstr(story_trial(&st, id, 0)->message,
                                 "died 3 times in epoch 1;"));
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    story_fini(&st);
}
END_TEST

START_TEST(a_new_epoch_forgives_deaths)
{
    int64_t id = story_begin(&st, 1, 3);
    for (int epoch = 0; epoch < 5; epoch++) {
        story_report(&st, 0, epoch, 0.1);
        story_checkpoint(&st, 0, false, epoch + 1, "last");
        story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
        ck_assert_int_eq(story_trial(&st, id, 0)->n_at_place, 1);
        story_wait(&st, 5000);
        story_back(&st, 0);
        ck_assert_int_eq(st.m->slots[0].id.attempt, epoch + 2);
    }
    story_fini(&st);
}
END_TEST

START_TEST(two_hangs_or_oom_kills_are_enough)
{
    const enum trial_cause causes[] = {TRIAL_CAUSE_HANG, TRIAL_CAUSE_OOM};
    for (int i = 0; i < 2; i++) {
        int64_t id = story_begin(&st, 1, 3);
        story_gone(&st, 0, causes[i]);
        ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_WAITING);
        die(id, causes[i]);
        ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_FAIL);
        ck_assert_int_eq(story_trial(&st, id, 0)->cause, causes[i]);
        story_fini(&st);
    }
}
END_TEST

START_TEST(what_is_not_its_fault_never_counts)
{
    int64_t id = story_begin(&st, 1, 1);
    for (int i = 0; i < 10; i++) {
        story_failed(&st, 0, TRIAL_CAUSE_DISK);
        story_idle(&st, 0);
        ck_assert_int_eq(story_next(&st), 0);
        story_wait(&st, SCHED_BACKOFF_MAX_MS);
        ck_assert_int_eq(story_next(&st), 1);
    }
    ck_assert_int_eq(story_trial(&st, id, 0)->attempt, 11);
    ck_assert_int_eq(story_trial(&st, id, 0)->place, -1);
    story_fini(&st);
}
END_TEST

START_TEST(an_orphan_goes_on_at_once)
{
    int64_t id = story_begin(&st, 1, 1);
    struct event e = {.kind = EVENT_ORPHAN, .id = {id, 0, 1}};
    story_event(&st, e); /* it is on a slot: no orphan */
    ck_assert_int_eq(st.last.n, 0);
    st.m->slots[0] = (struct slot){.state = SLOT_IDLE}; /* another life */
    for (int i = 0; i < 2; i++) { /* recovery may be repeated */
        story_event(&st, e);
        ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_WAITING);
    }
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_DAEMON);
    ck_assert_int_eq(story_next(&st), 1);
    ck_assert_int_eq(story_trial(&st, id, 0)->attempt, 2);
    story_fini(&st);
}
END_TEST

START_TEST(what_a_trial_rests_is_not_what_it_took)
{
    int64_t id = story_begin(&st, 1, 2);
    const struct study_trial *trial = story_trial(&st, id, 0);
    story_wait(&st, 3000);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(trial->worked_ms, 3000);
    story_wait(&st, 60000);
    story_back(&st, 0);
    story_wait(&st, 2000);
    story_report(&st, 0, 0, 0.5);
    story_wait(&st, 1000);
    st.m->slots[0] = (struct slot){.state = SLOT_IDLE}; /* another life, */
    st.now_ms += 86400000;                              /* a day later */
    story_event(&st, (struct event){.kind = EVENT_ORPHAN, .id = {id, 0, 2}});
    ck_assert_int_eq(trial->worked_ms, 5000); /* until its last report */
    story_next(&st);
    story_wait(&st, 4000);
    story_failed(&st, 0, TRIAL_CAUSE_INVALID);
    ck_assert_int_eq(trial->worked_ms, 9000);
    story_wait(&st, 60000);
    story_event(
        &st, (struct event){.kind = EVENT_RETRY, .study = id, .retry = {-1}});
    story_back(&st, 0);
    story_wait(&st, 1000);
    story_done(&st, 0, 0.5);
    ck_assert_int_eq(trial->worked_ms, 10000);
    ck_assert_int_eq(trial->attempt_ms, 0);
    story_fini(&st);
}
END_TEST

/* An attempt that said nothing since its start, orphaned a day later; the sign
 * of life is counted from its start. Returns what it took. */
static int64_t worked_after_a_death(int64_t alive_ms, int64_t lived_ms)
{
    int64_t id = story_begin(&st, 1, 1);
    const struct study_trial *trial = story_trial(&st, id, 0);
    int64_t began = trial->attempt_ms;
    st.m->slots[0] = (struct slot){.state = SLOT_IDLE}; /* another life */
    st.now_ms = began + 86400000;
    story_event(&st, (struct event){.kind = EVENT_ORPHAN,
                                    .alive_ms = began + alive_ms,
                                    .lived_ms = lived_ms,
                                    .id = {id, 0, 1}});
    ck_assert_int_eq(trial->state, TRIAL_WAITING);
    int64_t worked = trial->worked_ms;
    story_fini(&st);
    return worked;
}

START_TEST(a_silent_orphan_took_until_the_daemons_last_sign_of_life)
{
    ck_assert_int_eq(worked_after_a_death(9000, 9100), 9000);
    ck_assert_int_eq(worked_after_a_death(9000, 3000), 3000);
    ck_assert_int_eq(worked_after_a_death(86400001, 90000000), 0); /* future */
    ck_assert_int_eq(worked_after_a_death(-1, 9000), 0);
}
END_TEST

START_TEST(deterministic_failures_fail_at_once_and_end_the_study)
{
    int64_t id = story_begin(&st, 2, 3);
    for (int i = 0; i < 2; i++) {
        story_fail(&st, 0, TRIAL_CAUSE_INVALID);
    }
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_FAIL], 2);
    story_done(&st, 0, NAN);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_ptr_nonnull(strstr(story_study(&st, id)->reason, "nan"));
    ck_assert_int_eq(story_find(&st, ACTION_STOP)->slot, 1);
    story_stopped(&st, 1);
    ck_assert_int_eq(story_trial(&st, id, 1)->state, TRIAL_WAITING);
    story_fini(&st);
}
END_TEST

/* Two more were running: told to stop, they fail before they hear of it. */
START_TEST(no_more_fail_than_may)
{
    int64_t id = story_begin(&st, 3, 9);
    story_study(&st, id)->spec.stop.max_failures = 1;
    story_failed(&st, 0, TRIAL_CAUSE_INVALID);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    story_failed(&st, 1, TRIAL_CAUSE_INVALID);
    story_done(&st, 2, NAN);
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_FAIL], 1);
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_WAITING], 2);
    ck_assert_int_eq(story_resume(&st, id, 0), 0); /* who asks gets one more */
    story_idle(&st, 0);
    story_back(&st, 1);
    story_failed(&st, 0, TRIAL_CAUSE_INVALID);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    story_failed(&st, 1, TRIAL_CAUSE_INVALID);
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_FAIL], 2);
    story_fini(&st);
}
END_TEST

START_TEST(an_infinite_objective_is_one)
{
    int64_t id = story_begin(&st, 1, 1);
    story_done(&st, 0, -INFINITY);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_COMPLETE);
    ck_assert_int_eq(story_study(&st, id)->best, 0);
    story_fini(&st);
}
END_TEST

/* --- words ---------------------------------------------------------------- */

START_TEST(late_and_foreign_words_are_ignored)
{
    int64_t id = story_begin(&st, 2, 5);
    struct event e = {.kind = EVENT_DONE, .slot = 0, .done = {.value = 1}};
    const struct trial_id ids[] = {
        {id, 1, 1}, {id, 0, 2}, {id + 1, 0, 1}, {id, 77, 1}};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        e.id = ids[i];
        story_event(&st, e);
        ck_assert_int_eq(st.last.n, 0);
    }
    e.id = (struct trial_id){id, 0, 1};
    story_event(&st, e);
    ck_assert_int_eq(story_count(&st, ACTION_FINISH_TRIAL), 1);
    story_event(&st, e);
    ck_assert_int_eq(st.last.n, 0);
    story_fini(&st);
}
END_TEST

START_TEST(a_repeated_epoch_must_be_the_same)
{
    int64_t id = story_begin(&st, 1, 2);
    story_report(&st, 0, 0, 0.1);
    story_report(&st, 0, 1, 0.2);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    story_wait(&st, 1000);
    story_back(&st, 0);
    story_report(&st, 0, 0, 0.1);
    ck_assert_int_eq(story_count(&st, ACTION_REPORT), 0);
    ck_assert(!story_trial(&st, id, 0)->nondeterministic);
    story_report(&st, 0, 1, nextafter(0.2, 1));
    ck_assert(story_trial(&st, id, 0)->nondeterministic);
    ck_assert(story_trial(&st, id, 0)->reports[1].metrics.value[RUN_VAL_ACC] ==
              0.2);
    story_report(&st, 0, 2, 0.3);
    ck_assert_int_eq(story_trial(&st, id, 0)->n_reports, 3);
    ck_assert_int_eq(story_trial(&st, id, 0)->reports[2].attempt, 2);
    story_fini(&st);
}
END_TEST

START_TEST(a_gap_or_a_repeat_ends_the_worker)
{
    const int64_t wrong[] = {0, 1, 3, 5, -1};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int64_t id = story_begin(&st, 1, 2);
        story_report(&st, 0, 0, 0.1);
        story_report(&st, 0, 1, 0.1);
        story_report(&st, 0, wrong[i], 0.1);
        ck_assert_int_eq(story_count(&st, ACTION_KILL), 1);
        ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
        ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_RUNNING);
        story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
        ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_PROTOCOL);
        story_fini(&st);
    }
}
END_TEST

START_TEST(a_best_epoch_that_cannot_be_ends_the_worker)
{
    const int64_t wrong[] = {-2, 5, INT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        int64_t id = story_begin(&st, 1, 2);
        struct event e = {.kind = EVENT_DONE,
                          .id = st.m->slots[0].id,
                          .done = {.value = 1, .best_epoch = wrong[i]}};
        ck_assert_int_eq(story_event(&st, e), 0);
        ck_assert_int_eq(story_count(&st, ACTION_KILL), 1);
        ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_RUNNING);
        story_fini(&st);
    }
}
END_TEST

START_TEST(only_the_last_two_and_the_best_are_kept)
{
    int64_t id = story_begin(&st, 1, 2);
    const struct study_trial *t = story_trial(&st, id, 0);
    story_checkpoint(&st, 0, false, 0, "last-0");
    story_checkpoint(&st, 0, true, 0, "best-0");
    story_report(&st, 0, 0, 0.1);
    story_checkpoint(&st, 0, false, 1, "last-1");
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    ck_assert_str_eq(t->previous->file, "last-0");
    story_checkpoint(&st, 0, false, 1, "last-1"); /* told twice */
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    ck_assert_str_eq(t->previous->file, "last-0");
    story_checkpoint(&st, 0, true, 1, "last-1"); /* one file for both */
    ck_assert_str_eq(story_find(&st, ACTION_REMOVE_FILE)->remove_file.file,
                     "best-0");
    story_report(&st, 0, 1, 0.1);
    story_checkpoint(&st, 0, false, 2, "last-2");
    ck_assert_str_eq(story_find(&st, ACTION_REMOVE_FILE)->remove_file.file,
                     "last-0");
    story_report(&st, 0, 2, 0.1);
    story_checkpoint(&st, 0, false, 3, "last-3"); /* last-1 is the best */
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    story_done(&st, 0, 0.1);
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 2);
    ck_assert_ptr_null(t->last);
    ck_assert_ptr_null(t->previous);
    ck_assert_str_eq(t->best->file, "last-1");
    story_fini(&st);
}
END_TEST

START_TEST(a_damaged_checkpoint_is_forgotten)
{
    int64_t id = story_begin(&st, 1, 2);
    const struct study_trial *t = story_trial(&st, id, 0);
    for (int i = 0; i < 3; i++) {
        const char *names[] = {"last-1", "last-2", "last-3"};
        story_report(&st, 0, i, 0.1);
        story_checkpoint(&st, 0, false, i + 1, names[i]);
    }
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    story_wait(&st, 1000);
    story_back(&st, 0);
    story_discard(&st, 0, "last-1"); /* unknown by now */
    ck_assert_int_eq(story_count(&st, ACTION_DISCARD), 0);
    story_discard(&st, 0, "last-3");
    ck_assert_int_eq(story_count(&st, ACTION_DISCARD), 1);
    ck_assert_str_eq(t->last->file, "last-2");
    ck_assert_ptr_null(t->previous);
    story_report(&st, 0, 2, 0.1); /* from there: the same bits */
    ck_assert(!t->nondeterministic);
    story_checkpoint(&st, 0, false, 3, "last-3");
    ck_assert_str_eq(t->last->file, "last-3");
    ck_assert_str_eq(t->previous->file, "last-2");
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    story_discard(&st, 0, "last-2");
    story_discard(&st, 0, "last-3");
    ck_assert_ptr_null(t->last);
    story_fini(&st);
}
END_TEST

START_TEST(a_failed_trial_keeps_what_its_retry_continues)
{
    int64_t id = story_begin(&st, 1, 2);
    story_report(&st, 0, 0, 0.1);
    story_checkpoint(&st, 0, false, 1, "last-1");
    story_failed(&st, 0, TRIAL_CAUSE_OOM);
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    ck_assert_str_eq(story_trial(&st, id, 0)->last->file, "last-1");
    story_fini(&st);
}
END_TEST

START_TEST(a_checkpoint_beyond_the_reports_is_refused)
{
    story_begin(&st, 1, 2);
    story_checkpoint(&st, 0, false, 1, "last-1");
    ck_assert_int_eq(story_count(&st, ACTION_CHECKPOINT), 0);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_fini(&st);
}
END_TEST

START_TEST(a_checkpoint_is_not_ahead_of_its_own_attempt)
{
    int64_t id = story_begin(&st, 1, 2);
    for (int i = 0; i < 3; i++) {
        story_report(&st, 0, i, 0.1);
    }
    story_checkpoint(&st, 0, false, 3, "last-3");
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    story_wait(&st, 1000);
    story_back(&st, 0);
    story_report(&st, 0, 0, 0.1); /* from the beginning: a damaged file */
    story_checkpoint(&st, 0, false, 1, "last-1");
    ck_assert_str_eq(story_trial(&st, id, 0)->last->file, "last-1");
    /* last-3 may have been written again by now. */
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    story_checkpoint(&st, 0, false, 2, "last-2");
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_fini(&st);
}
END_TEST

START_TEST(a_cause_that_only_the_daemon_knows_is_refused)
{
    const int causes[] = {TRIAL_CAUSE_NONE, TRIAL_CAUSE_DAEMON,
                          TRIAL_CAUSE_INTERRUPTED, TRIAL_N_CAUSES, -3};
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        story_begin(&st, 1, 2);
        story_failed(&st, 0, (enum trial_cause)causes[i]);
        ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
        story_fini(&st);
    }
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        first_comes_the_data_then_the_trials,
        the_target_is_met_and_never_overshot,
        studies_take_turns_within_their_share,
        a_deterministic_draw_per_trial,
        a_death_is_repeated_after_a_pause,
        no_other_trial_is_begun_in_the_place_of_one_that_waits,
        three_deaths_at_one_place_are_poison,
        a_new_epoch_forgives_deaths,
        two_hangs_or_oom_kills_are_enough,
        what_is_not_its_fault_never_counts,
        an_orphan_goes_on_at_once,
        what_a_trial_rests_is_not_what_it_took,
        a_silent_orphan_took_until_the_daemons_last_sign_of_life,
        deterministic_failures_fail_at_once_and_end_the_study,
        no_more_fail_than_may,
        an_infinite_objective_is_one,
        late_and_foreign_words_are_ignored,
        a_repeated_epoch_must_be_the_same,
        a_gap_or_a_repeat_ends_the_worker,
        a_best_epoch_that_cannot_be_ends_the_worker,
        only_the_last_two_and_the_best_are_kept,
        a_damaged_checkpoint_is_forgotten,
        a_failed_trial_keeps_what_its_retry_continues,
        a_checkpoint_beyond_the_reports_is_refused,
        a_checkpoint_is_not_ahead_of_its_own_attempt,
        a_cause_that_only_the_daemon_knows_is_refused,
    };
    return suite_of("sched", tests, ARRAY_LEN(tests));
}
