/* Each rule of sched.h by a small story. */
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct story st;

static void user(enum event_kind kind, int64_t study)
{
    int rc = story_event(&st, (struct event){.kind = kind, .study = study});
    ck_assert_msg(rc == 0, "%s", rc != 0 ? st.err.msg : "");
}

static int refused(struct event e, int code)
{
    e.slot = -1;
    int rc = story_event(&st, e);
    ck_assert_int_eq(rc, code);
    ck_assert(st.err.msg[0] != '\0');
    return rc;
}

static int resume(int64_t study, int64_t n_trials)
{
    return story_event(&st, (struct event){.kind = EVENT_RESUME,
                                           .study = study,
                                           .resume = {n_trials}});
}

static void finish_next(int slot, double value)
{
    story_done(&st, slot, value);
    story_idle(&st, slot);
    story_next(&st);
}

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
    finish_next(0, 0.5);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 3);
    finish_next(0, 0.7);
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
    finish_next(0, 1);
    finish_next(1, 1);
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

/* --- preparing ------------------------------------------------------------ */

START_TEST(a_preparation_that_fails_fails_the_study)
{
    story_init(&st, 1);
    int64_t id = story_add(&st, "x", 3);
    story_idle(&st, 0);
    story_next(&st);
    story_event(&st, (struct event){.kind = EVENT_PREPARE_FAILED,
                                    .study = id,
                                    .prepare_failed = {"no such file"}});
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_str_eq(story_study(&st, id)->reason, "no such file");
    story_idle(&st, 0);
    ck_assert_int_eq(story_next(&st), 0);
    ck_assert_int_eq(resume(id, 0), 0);
    ck_assert_int_eq(story_next(&st), 1);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_PREPARING);
    story_fini(&st);
}
END_TEST

START_TEST(changed_data_fail_the_study)
{
    int64_t id = story_begin(&st, 1, 3);
    story_study(&st, id)->is_prepared = false; /* as in another life */
    story_done(&st, 0, 1);
    story_idle(&st, 0);
    story_next(&st);
    story_prepared(&st, 0, 'e');
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    ck_assert_ptr_nonnull(strstr(story_study(&st, id)->reason, "data changed"));
    ck_assert_int_eq(story_study(&st, id)->data.sha256[0], 'd');
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
    ck_assert_int_eq(resume(id, 0), 0);
    story_idle(&st, 0);
    ck_assert_int_eq(story_next(&st), 1);
    story_fini(&st);
}
END_TEST

START_TEST(a_silent_preparation_is_killed)
{
    story_init(&st, 1);
    int64_t id = story_add(&st, "x", 3);
    story_idle(&st, 0);
    story_next(&st);
    story_wait(&st, SCHED_PREPARE_HANG_MS - 5000);
    story_event(
        &st,
        (struct event){.kind = EVENT_PROGRESS, .study = id, .id = {id, -1, 0}});
    story_wait(&st, SCHED_PREPARE_HANG_MS - 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_PREPARING);
    story_wait(&st, 1000);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_fini(&st);
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
    story_idle(&st, 0);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.number, 1); /* another one meanwhile */
    finish_next(0, 0.5);
    finish_next(0, 0.5);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_IDLE); /* 2 done, 1 waits */
    story_wait(&st, 1000);
    story_next(&st);
    ck_assert_int_eq(t->state, TRIAL_RUNNING);
    ck_assert_int_eq(t->attempt, 2);
    study_values(story_study(&st, id), 0, &after);
    ck_assert(before == after);
    story_fini(&st);
}
END_TEST

static void die(int64_t id, enum trial_cause cause)
{
    story_wait(&st, 5000);
    story_idle(&st, 0);
    story_next(&st);
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
        story_idle(&st, 0);
        story_next(&st);
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

START_TEST(deterministic_failures_fail_at_once_and_end_the_study)
{
    int64_t id = story_begin(&st, 2, 3);
    for (int i = 0; i < 2; i++) {
        story_failed(&st, 0, TRIAL_CAUSE_INVALID);
        story_idle(&st, 0);
        story_next(&st);
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
    story_idle(&st, 0);
    story_next(&st);
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

START_TEST(only_last_and_best_are_kept)
{
    int64_t id = story_begin(&st, 1, 2);
    story_checkpoint(&st, 0, false, 0, "last-0");
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    story_checkpoint(&st, 0, true, 0, "best-0");
    story_report(&st, 0, 0, 0.1);
    story_checkpoint(&st, 0, false, 1, "last-1");
    ck_assert_str_eq(story_find(&st, ACTION_REMOVE_FILE)->remove_file.file,
                     "last-0");
    story_checkpoint(&st, 0, false, 1, "last-1");
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    story_checkpoint(&st, 0, true, 1, "last-1"); /* one file for both */
    ck_assert_str_eq(story_find(&st, ACTION_REMOVE_FILE)->remove_file.file,
                     "best-0");
    story_checkpoint(&st, 0, false, 1, "last-2");
    ck_assert_int_eq(story_count(&st, ACTION_REMOVE_FILE), 0);
    story_done(&st, 0, 0.1);
    ck_assert_str_eq(story_find(&st, ACTION_REMOVE_FILE)->remove_file.file,
                     "last-2");
    ck_assert_ptr_null(story_trial(&st, id, 0)->last);
    ck_assert_str_eq(story_trial(&st, id, 0)->best->file, "last-1");
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
    story_idle(&st, 0);
    story_next(&st);
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
    user(EVENT_PAUSE, id);
    ck_assert_int_eq(s->active_ms, 1800000);
    work_for(3600);
    ck_assert_int_eq(s->state, STUDY_PAUSED);
    ck_assert_int_eq(resume(id, 0), 0);
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
    finish_next(0, 1);
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

/* --- users ---------------------------------------------------------------- */

START_TEST(a_name_is_taken_once)
{
    story_init(&st, 1);
    story_add(&st, "x", 3);
    struct spec spec = story_spec("x", 3);
    refused((struct event){.kind = EVENT_ADD_STUDY, .add_study = {&spec}},
            ERR_CONFLICT);
    spec_fini(&spec);
    refused((struct event){.kind = EVENT_PAUSE, .study = 99}, ERR_NOTFOUND);
    story_fini(&st);
}
END_TEST

START_TEST(pause_lets_trials_end_and_resume_goes_on)
{
    int64_t id = story_begin(&st, 1, 3);
    user(EVENT_PAUSE, id);
    user(EVENT_PAUSE, id);
    ck_assert_int_eq(st.last.n, 0);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
    finish_next(0, 1);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_IDLE);
    ck_assert_int_eq(resume(id, 0), 0);
    ck_assert_int_eq(resume(id, 0), 0);
    ck_assert_int_eq(st.last.n, 0);
    ck_assert_int_eq(story_next(&st), 1);
    story_fini(&st);
}
END_TEST

START_TEST(stop_now_puts_trials_back)
{
    int64_t id = story_begin(&st, 1, 3);
    user(EVENT_STOP, id);
    ck_assert_int_eq(story_count(&st, ACTION_STOP), 0);
    struct event now = {.kind = EVENT_STOP, .study = id, .stop = {true}};
    story_event(&st, now);
    ck_assert_int_eq(story_count(&st, ACTION_STOP), 1);
    story_event(&st, now);
    ck_assert_int_eq(st.last.n, 0);
    story_stopped(&st, 0);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_WAITING);
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_INTERRUPTED);
    refused((struct event){.kind = EVENT_PAUSE, .study = id}, ERR_CONFLICT);
    ck_assert_int_eq(resume(id, 0), 0);
    story_idle(&st, 0);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.number, 0);
    ck_assert_int_eq(st.m->slots[0].id.attempt, 2);
    story_fini(&st);
}
END_TEST

START_TEST(a_result_that_crosses_the_stop_counts)
{
    int64_t id = story_begin(&st, 1, 3);
    story_event(
        &st, (struct event){.kind = EVENT_STOP, .study = id, .stop = {true}});
    story_done(&st, 0, 0.5);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_COMPLETE);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_STOPPED);
    story_fini(&st);
}
END_TEST

START_TEST(stopped_without_being_told_is_a_lie)
{
    story_begin(&st, 1, 3);
    story_stopped(&st, 0);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_fini(&st);
}
END_TEST

START_TEST(a_target_can_be_raised_and_not_lowered_too_far)
{
    int64_t id = story_begin(&st, 1, 1);
    story_done(&st, 0, 1);
    story_idle(&st, 0);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    refused((struct event){.kind = EVENT_RESUME, .study = id}, ERR_CONFLICT);
    refused((struct event){.kind = EVENT_RESUME, .study = id, .resume = {1}},
            ERR_CONFLICT);
    refused((struct event){.kind = EVENT_RESUME, .study = id, .resume = {-1}},
            ERR_CONFLICT);
    ck_assert_int_eq(resume(id, 3), 0);
    ck_assert_int_eq(story_study(&st, id)->spec.n_trials, 3);
    ck_assert_int_eq(story_next(&st), 1);
    refused((struct event){.kind = EVENT_RESUME,
                           .study = id,
                           .resume = {SPEC_MAX_TRIALS + 1}},
            ERR_INVALID);
    refused((struct event){.kind = EVENT_RESUME, .study = id, .resume = {1}},
            ERR_CONFLICT);
    ck_assert_int_eq(resume(id, 2), 0);
    story_done(&st, 0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    story_fini(&st);
}
END_TEST

START_TEST(a_target_lowered_to_what_is_done_ends_the_study)
{
    int64_t id = story_begin(&st, 1, 5);
    user(EVENT_PAUSE, id);
    story_done(&st, 0, 1);
    ck_assert_int_eq(resume(id, 1), 0);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    story_fini(&st);
}
END_TEST

START_TEST(a_value_can_end_the_study)
{
    int64_t id = story_begin(&st, 2, 9);
    story_study(&st, id)->spec.stop.value = 0.9;
    finish_next(0, 0.8);
    story_done(&st, 0, 0.9);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    story_stopped(&st, 1);
    ck_assert_int_eq(resume(id, 9), 0);
    story_idle(&st, 1);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[1].id.number, 1);
    story_fini(&st);
}
END_TEST

START_TEST(enqueued_values_are_tried_next_once)
{
    int64_t id = story_begin(&st, 1, 3);
    double value = 0.5, strange = INFINITY;
    struct event e = {
        .kind = EVENT_ENQUEUE, .study = id, .enqueue = {&strange}};
    refused(e, ERR_INVALID);
    e.enqueue.values = &value;
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_event(&st, e), 0);
    refused(e, ERR_CONFLICT); /* 1 runs, 2 wait, the target is 3 */
    finish_next(0, 1);
    ck_assert_int_eq(st.m->slots[0].id.number, 1);
    double lr;
    study_values(story_study(&st, id), 1, &lr);
    ck_assert(lr == 0.5);
    finish_next(0, 1);
    finish_next(0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 3);
    refused(e, ERR_CONFLICT);
    story_fini(&st);
}
END_TEST

START_TEST(failed_trials_can_be_retried_by_cause)
{
    int64_t id = story_begin(&st, 1, 2);
    const enum trial_cause causes[] = {TRIAL_CAUSE_OOM, TRIAL_CAUSE_INVALID,
                                       TRIAL_CAUSE_OOM};
    struct event e = {.kind = EVENT_RETRY, .study = id, .retry = {-1}};
    refused(e, ERR_CONFLICT);
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        story_failed(&st, 0, causes[i]);
        story_idle(&st, 0);
        story_next(&st);
    }
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    e.retry.cause = TRIAL_CAUSE_NAN;
    refused(e, ERR_CONFLICT);
    e.retry.cause = TRIAL_CAUSE_OOM;
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_count(&st, ACTION_RETRY_TRIAL), 2);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.number, 0);
    ck_assert_int_eq(st.m->slots[0].id.attempt, 2);
    finish_next(0, 1);
    finish_next(0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 3);
    story_fini(&st);
}
END_TEST

START_TEST(a_deleted_study_leaves_only_a_slot_behind)
{
    int64_t id = story_begin(&st, 1, 2);
    struct trial_id late = st.m->slots[0].id;
    user(EVENT_DELETE, id);
    ck_assert(!story_find(&st, ACTION_STOP)->stop.keep);
    ck_assert_ptr_null(mirror_study(st.m, id));
    struct event e = {.kind = EVENT_REPORT, .id = late};
    story_event(&st, e);
    ck_assert_int_eq(st.last.n, 0);
    e.kind = EVENT_STOPPED;
    story_event(&st, e);
    story_idle(&st, 0);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_IDLE);
    ck_assert_int_ne(story_add(&st, "a study", 2), id);
    story_fini(&st);
}
END_TEST

START_TEST(a_deleted_preparation_is_killed)
{
    story_init(&st, 1);
    int64_t id = story_add(&st, "x", 2);
    story_idle(&st, 0);
    story_next(&st);
    user(EVENT_DELETE, id);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_DYING);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_ABSENT);
    story_fini(&st);
}
END_TEST

START_TEST(optunas_studies_are_only_looked_at)
{
    story_init(&st, 1);
    int64_t id = story_add(&st, "x", 2);
    story_study(&st, id)->is_foreign = true;
    story_idle(&st, 0);
    ck_assert_int_eq(story_next(&st), 0);
    refused((struct event){.kind = EVENT_RESUME, .study = id}, ERR_CONFLICT);
    user(EVENT_DELETE, id);
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        first_comes_the_data_then_the_trials,
        the_target_is_met_and_never_overshot,
        studies_take_turns_within_their_share,
        a_deterministic_draw_per_trial,
        a_preparation_that_fails_fails_the_study,
        changed_data_fail_the_study,
        a_preparation_may_die_three_times,
        a_silent_preparation_is_killed,
        a_death_is_repeated_after_a_pause,
        three_deaths_at_one_place_are_poison,
        a_new_epoch_forgives_deaths,
        two_hangs_or_oom_kills_are_enough,
        what_is_not_its_fault_never_counts,
        an_orphan_goes_on_at_once,
        deterministic_failures_fail_at_once_and_end_the_study,
        an_infinite_objective_is_one,
        late_and_foreign_words_are_ignored,
        a_repeated_epoch_must_be_the_same,
        a_gap_or_a_repeat_ends_the_worker,
        only_last_and_best_are_kept,
        a_failed_trial_keeps_what_its_retry_continues,
        a_checkpoint_beyond_the_reports_is_refused,
        a_checkpoint_is_not_ahead_of_its_own_attempt,
        a_cause_that_only_the_daemon_knows_is_refused,
        a_worker_that_does_not_move_on_is_killed,
        a_slow_worker_has_more_time,
        nobody_is_judged_after_a_stall,
        a_stop_has_its_grace,
        the_clock_is_asked_only_while_it_brings_something,
        hours_of_activity_end_the_study,
        time_without_a_daemon_is_no_studys_time,
        a_drain_stops_the_trials_and_not_the_studies,
        a_name_is_taken_once,
        pause_lets_trials_end_and_resume_goes_on,
        stop_now_puts_trials_back,
        a_result_that_crosses_the_stop_counts,
        stopped_without_being_told_is_a_lie,
        a_target_can_be_raised_and_not_lowered_too_far,
        a_target_lowered_to_what_is_done_ends_the_study,
        a_value_can_end_the_study,
        enqueued_values_are_tried_next_once,
        failed_trials_can_be_retried_by_cause,
        a_deleted_study_leaves_only_a_slot_behind,
        a_deleted_preparation_is_killed,
        optunas_studies_are_only_looked_at,
    };
    Suite *s = suite_create("sched");
    TCase *c = tcase_create("stories");
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        tcase_add_test(c, tests[i]);
    }
    suite_add_tcase(s, c);
    return s;
}
