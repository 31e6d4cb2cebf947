/* What users may ask for, and what they are told when they may not. */
#include "core/spec/spec_json.h"
#include "daemon/mirror.h"
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct story st;

/* --- users ---------------------------------------------------------------- */

START_TEST(a_name_is_taken_once)
{
    story_init(&st, 1);
    story_add(&st, "x", 3);
    struct spec spec = story_spec("x", 3);
    story_refused(&st,
                  (struct event){.kind = EVENT_ADD_STUDY, .add_study = {&spec}},
                  ERR_CONFLICT);
    spec_fini(&spec);
    story_refused(&st, (struct event){.kind = EVENT_PAUSE, .study = 99},
                  ERR_NOTFOUND);
    story_fini(&st);
}
END_TEST

START_TEST(a_stillborn_study_gives_its_name_back)
{
    int64_t id = story_prepare(&st, 3);
    story_event(&st, (struct event){.kind = EVENT_PREPARE_FAILED,
                                    .study = id,
                                    .prepare_failed = {"no such file"}});
    int64_t next = story_add(&st, "x", 4);
    ck_assert_int_ne(next, id);
    ck_assert_int_eq(st.m->n_studies, 1);
    ck_assert_int_eq(story_study(&st, next)->spec.n_trials, 4);
    story_back(&st, 0);
    story_prepared(&st, 0, 'd');
    /* It has data now: its name is its own. */
    story_user(&st, EVENT_STOP, next);
    struct spec spec = story_spec("x", 5);
    story_refused(&st,
                  (struct event){.kind = EVENT_ADD_STUDY, .add_study = {&spec}},
                  ERR_CONFLICT);
    spec_fini(&spec);
    story_fini(&st);
}
END_TEST

START_TEST(pause_lets_trials_end_and_resume_goes_on)
{
    int64_t id = story_begin(&st, 1, 3);
    story_user(&st, EVENT_PAUSE, id);
    story_user(&st, EVENT_PAUSE, id);
    ck_assert_int_eq(st.last.n, 0);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
    story_finish(&st, 0, 1);
    ck_assert_int_eq(st.m->slots[0].state, SLOT_IDLE);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    ck_assert_int_eq(st.last.n, 0);
    ck_assert_int_eq(story_next(&st), 1);
    story_fini(&st);
}
END_TEST

START_TEST(stop_now_puts_trials_back)
{
    int64_t id = story_begin(&st, 1, 3);
    story_user(&st, EVENT_STOP, id);
    ck_assert_int_eq(story_count(&st, ACTION_STOP), 0);
    struct event now = {.kind = EVENT_STOP, .study = id, .stop = {true}};
    story_event(&st, now);
    ck_assert_int_eq(story_count(&st, ACTION_STOP), 1);
    story_event(&st, now);
    ck_assert_int_eq(st.last.n, 0);
    story_stopped(&st, 0);
    ck_assert_int_eq(story_trial(&st, id, 0)->state, TRIAL_WAITING);
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_INTERRUPTED);
    story_refused(&st, (struct event){.kind = EVENT_PAUSE, .study = id},
                  ERR_CONFLICT);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    story_back(&st, 0);
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

START_TEST(who_dies_while_stopping_was_asked_to_go)
{
    int64_t id = story_begin(&st, 1, 3);
    story_event(
        &st, (struct event){.kind = EVENT_STOP, .study = id, .stop = {true}});
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(story_trial(&st, id, 0)->cause, TRIAL_CAUSE_INTERRUPTED);
    ck_assert_int_eq(story_trial(&st, id, 0)->place, -1);
    ck_assert_int_eq(story_count(&st, ACTION_DELAY), 0);
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
    story_refused(&st, (struct event){.kind = EVENT_RESUME, .study = id},
                  ERR_CONFLICT);
    ck_assert_int_eq(story_resume(&st, id, 1), 0); /* it is there already */
    ck_assert_uint_eq(st.last.n, 0);
    story_refused(
        &st, (struct event){.kind = EVENT_RESUME, .study = id, .resume = {-1}},
        ERR_CONFLICT);
    ck_assert_int_eq(story_resume(&st, id, 3), 0);
    ck_assert_int_eq(story_study(&st, id)->spec.n_trials, 3);
    ck_assert_int_eq(story_next(&st), 1);
    story_refused(&st,
                  (struct event){.kind = EVENT_RESUME,
                                 .study = id,
                                 .resume = {SPEC_MAX_TRIALS + 1}},
                  ERR_INVALID);
    story_refused(
        &st, (struct event){.kind = EVENT_RESUME, .study = id, .resume = {1}},
        ERR_CONFLICT);
    ck_assert_int_eq(story_resume(&st, id, 2), 0);
    story_done(&st, 0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    story_fini(&st);
}
END_TEST

START_TEST(a_target_lowered_to_what_is_done_ends_the_study)
{
    int64_t id = story_begin(&st, 1, 5);
    story_user(&st, EVENT_PAUSE, id);
    story_done(&st, 0, 1);
    ck_assert_int_eq(story_resume(&st, id, 1), 0);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    story_fini(&st);
}
END_TEST

START_TEST(a_value_can_end_the_study)
{
    int64_t id = story_begin(&st, 2, 9);
    story_study(&st, id)->spec.stop.value = 0.9;
    story_finish(&st, 0, 0.8);
    story_done(&st, 0, 0.9);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    story_stopped(&st, 1);
    ck_assert_int_eq(story_resume(&st, id, 9), 0);
    story_back(&st, 1);
    ck_assert_int_eq(st.m->slots[1].id.number, 1);
    story_fini(&st);
}
END_TEST

START_TEST(enqueued_values_are_tried_next_once)
{
    int64_t id = story_begin(&st, 1, 3);
    double value = 5e-4, strange = INFINITY;
    struct event e = {
        .kind = EVENT_ENQUEUE, .study = id, .enqueue = {&strange}};
    story_refused(&st, e, ERR_INVALID);
    e.enqueue.values = &value;
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_count(&st, ACTION_SET_TARGET), 0); /* 1 runs */
    story_finish(&st, 0, 1);
    ck_assert_int_eq(st.m->slots[0].id.number, 1);
    double lr;
    study_values(story_study(&st, id), 1, &lr);
    ck_assert(lr == 5e-4);
    story_finish(&st, 0, 1);
    story_finish(&st, 0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 3);
    story_fini(&st);
}
END_TEST

START_TEST(what_is_not_searched_is_not_enqueued)
{
    int64_t id = story_begin(&st, 1, 3);
    double value = 0.5;
    struct event e = {.kind = EVENT_ENQUEUE, .study = id, .enqueue = {&value}};
    story_refused(&st, e, ERR_INVALID);
    ck_assert_str_eq(st.err.msg, "params.lr: 0.5 is not in [1e-05, 0.001]");
    story_study(&st, id)->spec.space.params[0].dist =
        (struct dist){.kind = DIST_INT, .low = 50, .high = 500, .step = 50};
    value = 75;
    story_refused(&st, e, ERR_INVALID);
    ck_assert_ptr_nonnull(
        strstr(st.err.msg, "75 is not in [50, 500] by steps of 50"));
    value = 100;
    ck_assert_int_eq(story_event(&st, e), 0);
    story_fini(&st);
}
END_TEST

/* A value that its own condition drops would be tried by nobody. */
START_TEST(what_a_condition_switches_off_is_not_enqueued)
{
    static const char config[] =
        "{\"study\":\"c\",\"objective\":{\"type\":\"command\",\"command\":"
        "[\"true\"]},\"params\":{\"opt\":{\"choice\":[\"adam\",\"sgd\","
        "\"lion\"]},"
        "\"momentum\":{\"float\":[0,1],\"when\":{\"opt\":\"sgd\"}},"
        "\"beta\":{\"float\":[0,1],\"when\":{\"opt\":[\"adam\",\"lion\"]}}}}";
    enum { ADAM, SGD, LION };
    struct spec spec;
    ck_assert_int_eq(spec_parse(config, strlen(config), &spec, &st.err), 0);
    story_init(&st, 1);
    story_event(&st, (struct event){.kind = EVENT_ADD_STUDY,
                                    .add_study = {.spec = &spec}});
    spec_fini(&spec);
    double values[] = {ADAM, 0.9, NAN};
    struct event e = {.kind = EVENT_ENQUEUE,
                      .study = mirror_study_by_name(st.m, "c")->id,
                      .enqueue = {values}};
    story_refused(&st, e, ERR_INVALID);
    ck_assert_str_eq(st.err.msg, "params.momentum: only with opt = sgd");
    values[0] = NAN; /* left to the sampler: it may choose another */
    story_refused(&st, e, ERR_INVALID);
    ck_assert_str_eq(st.err.msg, "params.momentum: only with opt = sgd");
    values[0] = SGD;
    ck_assert_int_eq(story_event(&st, e), 0);
    values[2] = 0.5;
    story_refused(&st, e, ERR_INVALID);
    ck_assert_str_eq(st.err.msg, "params.beta: only with opt = adam or lion");
    values[0] = LION;
    values[1] = NAN;
    ck_assert_int_eq(story_event(&st, e), 0);
    story_fini(&st);
}
END_TEST

START_TEST(a_target_makes_room_for_what_is_enqueued)
{
    int64_t id = story_begin(&st, 1, 2);
    double value = 5e-4;
    struct event e = {.kind = EVENT_ENQUEUE, .study = id, .enqueue = {&value}};
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_event(&st, e), 0); /* 1 runs, 2 wait */
    ck_assert_int_eq(story_study(&st, id)->spec.n_trials, 3);
    for (int i = 0; i < 3; i++) {
        story_finish(&st, 0, 1);
    }
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    ck_assert_int_eq(story_study(&st, id)->spec.n_trials, 4);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.number, 3);
    story_finish(&st, 0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 4);
    story_study(&st, id)->spec.n_trials = SPEC_MAX_TRIALS;
    story_study(&st, id)->n_by_state[TRIAL_COMPLETE] = SPEC_MAX_TRIALS;
    story_refused(&st, e, ERR_INVALID);
    story_study(&st, id)->n_by_state[TRIAL_COMPLETE] = 4;
    story_fini(&st);
}
END_TEST

/* What the rule left undone is not begun by asking for one trial. */
START_TEST(a_study_that_a_stop_rule_ended_waits_with_what_is_enqueued)
{
    int64_t id = story_begin(&st, 1, 9);
    story_study(&st, id)->spec.stop.value = 0.9;
    story_fail(&st, 0, TRIAL_CAUSE_INVALID);
    story_finish(&st, 0, 0.9);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    double value = 5e-4;
    struct event e = {.kind = EVENT_ENQUEUE, .study = id, .enqueue = {&value}};
    ck_assert_int_eq(story_event(&st, e), 0);
    e = (struct event){.kind = EVENT_RETRY, .study = id, .retry = {-1}};
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->spec.n_trials, 9);
    ck_assert_int_eq(story_next(&st), 0);
    ck_assert_int_eq(story_resume(&st, id, 9), 0);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.number, 0);
    story_finish(&st, 0, 0.1);
    ck_assert_int_eq(st.m->slots[0].id.number, 2);
    story_fini(&st);
}
END_TEST

static void resume_what_a_value_ended(bool enqueues)
{
    int64_t id = story_begin(&st, 1, 2);
    struct study *s = story_study(&st, id);
    double value = 5e-4;
    struct event e = {.kind = EVENT_ENQUEUE, .study = id, .enqueue = {&value}};
    s->spec.stop.value = 0.9;
    story_finish(&st, 0, 0.9);
    ck_assert_int_eq(s->state, STUDY_FINISHED);
    if (enqueues) {
        ck_assert_int_eq(story_event(&st, e), 0);
    }
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    ck_assert_int_eq(s->state, STUDY_RUNNING);
    ck_assert_int_eq(story_next(&st), 1);
    ck_assert_int_eq(st.m->slots[0].id.number, 1);
    story_finish(&st, 0, 0.1);
    ck_assert_int_eq(s->state, STUDY_FINISHED);
    ck_assert_int_eq(s->spec.n_trials, 2);
    story_refused(&st, (struct event){.kind = EVENT_RESUME, .study = id},
                  ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(st.err.msg, "larger target"));
    ck_assert_ptr_nonnull(strstr(st.err.msg, "--trials N"));
    story_fini(&st);
}

/* The target was not reached: that is how far the user has said it goes. */
START_TEST(a_study_that_a_stop_rule_ended_needs_no_larger_target)
{
    resume_what_a_value_ended(false);
    resume_what_a_value_ended(true);
}
END_TEST

/* All points were tried, and the target is far: those that failed are what is
 * left to do. */
START_TEST(an_exhausted_study_runs_again_for_its_failed_trials)
{
    int64_t id = story_begin(&st, 1, 9);
    struct study *s = story_study(&st, id);
    s->spec.sampler = SPEC_SAMPLER_GRID;
    s->spec.space.params[0].dist = (struct dist){
        .kind = DIST_FLOAT, .low = 0.25, .high = 0.75, .step = 0.25};
    story_fail(&st, 0, TRIAL_CAUSE_INVALID);
    while (s->state == STUDY_RUNNING) {
        story_finish(&st, 0, 0.5);
    }
    int64_t n = study_n_finished(s);
    ck_assert_int_lt(n, 9);
    story_refused(&st, (struct event){.kind = EVENT_RESUME, .study = id},
                  ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(st.err.msg, "all 3 points were tried"));
    struct event e = {.kind = EVENT_RETRY, .study = id, .retry = {-1}};
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(s->state, STUDY_RUNNING);
    ck_assert_int_eq(s->spec.n_trials, 9);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.number, 0);
    story_finish(&st, 0, 0.5);
    ck_assert_int_eq(s->state, STUDY_FINISHED);
    ck_assert_int_eq(study_n_finished(s), n + 1);
    story_fini(&st);
}
END_TEST

START_TEST(failed_trials_can_be_retried_by_cause)
{
    int64_t id = story_begin(&st, 1, 2);
    const enum trial_cause causes[] = {TRIAL_CAUSE_OOM, TRIAL_CAUSE_INVALID,
                                       TRIAL_CAUSE_OOM};
    struct event e = {.kind = EVENT_RETRY, .study = id, .retry = {-1}};
    story_refused(&st, e, ERR_CONFLICT);
    for (size_t i = 0; i < ARRAY_LEN(causes); i++) {
        story_fail(&st, 0, causes[i]);
    }
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FAILED);
    e.retry.cause = TRIAL_CAUSE_NAN;
    story_refused(&st, e, ERR_CONFLICT);
    e.retry.cause = TRIAL_CAUSE_OOM;
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_count(&st, ACTION_RETRY_TRIAL), 2);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.number, 0);
    ck_assert_int_eq(st.m->slots[0].id.attempt, 2);
    story_finish(&st, 0, 1);
    story_finish(&st, 0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 3);
    story_fini(&st);
}
END_TEST

START_TEST(a_target_makes_room_for_what_is_retried)
{
    int64_t id = story_begin(&st, 1, 3);
    struct event e = {.kind = EVENT_RETRY, .study = id, .retry = {-1}};
    for (int i = 0; i < 2; i++) {
        story_fail(&st, 0, TRIAL_CAUSE_INVALID);
    }
    story_finish(&st, 0, 1); /* one finished, one running, two failed */
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_count(&st, ACTION_RETRY_TRIAL), 2);
    ck_assert_int_eq(story_study(&st, id)->spec.n_trials, 4);
    for (int i = 0; i < 3; i++) {
        story_finish(&st, 0, 1);
    }
    ck_assert_int_eq(study_n_finished(story_study(&st, id)), 4);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 4);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    story_refused(&st, e, ERR_CONFLICT);
    story_fini(&st);
}
END_TEST

START_TEST(a_finished_study_runs_again_for_its_failed_trials)
{
    int64_t id = story_begin(&st, 1, 1);
    story_fail(&st, 0, TRIAL_CAUSE_INVALID);
    story_finish(&st, 0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    struct event e = {.kind = EVENT_RETRY, .study = id, .retry = {-1}};
    ck_assert_int_eq(story_event(&st, e), 0);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_RUNNING);
    ck_assert_int_eq(story_study(&st, id)->spec.n_trials, 2);
    story_next(&st);
    story_finish(&st, 0, 1);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_study(&st, id)->n_trials, 2);
    story_fini(&st);
}
END_TEST

START_TEST(a_deleted_study_leaves_only_a_slot_behind)
{
    int64_t id = story_begin(&st, 1, 2);
    struct trial_id late = st.m->slots[0].id;
    story_user(&st, EVENT_DELETE, id);
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
    int64_t id = story_prepare(&st, 2);
    story_user(&st, EVENT_DELETE, id);
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
    story_refused(&st, (struct event){.kind = EVENT_RESUME, .study = id},
                  ERR_CONFLICT);
    story_user(&st, EVENT_DELETE, id);
    story_fini(&st);
}
END_TEST

/* Optuna failed it, so that it has a low number and no attempt of ours; what
 * has begun since goes on all the same. */
START_TEST(a_retry_without_a_place_stands_in_nobodys_way)
{
    int64_t id = story_begin(&st, 1, 3);
    story_fail(&st, 0, TRIAL_CAUSE_INVALID);
    ck_assert_int_eq(st.m->slots[0].id.number, 1);
    story_user(&st, EVENT_PAUSE, id);
    ck_assert_int_eq(story_event(&st, (struct event){.kind = EVENT_RETRY,
                                                     .study = id,
                                                     .retry = {-1}}),
                     0);
    story_trial(&st, id, 0)->attempt = 0;
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(story_resume(&st, id, 0), 0);
    story_idle(&st, 0);
    story_wait(&st, 120000);
    story_next(&st);
    ck_assert_int_eq(st.m->slots[0].id.study, id);
    ck_assert_int_eq(st.m->slots[0].id.number, 1);
    story_finish(&st, 0, 0.5);
    ck_assert_int_eq(st.m->slots[0].id.number, 0);
    story_fini(&st);
}
END_TEST

/* What waits will be run, and counts then. */
START_TEST(an_adoption_never_passes_the_target)
{
    int64_t id = story_begin(&st, 1, 3);
    double value = 5e-4;
    const struct event wait = {
        .kind = EVENT_ENQUEUE, .study = id, .enqueue = {&value}};
    struct spec spec = story_spec("s", 2);
    ck_assert_int_eq(story_event(&st, wait), 0);
    ck_assert_int_eq(story_event(&st, wait), 0); /* one runs, two wait */
    story_study(&st, id)->is_foreign = true;
    const struct event adopt = {
        .kind = EVENT_ADOPT, .study = id, .add_study = {&spec}};
    story_refused(&st, adopt, ERR_CONFLICT);
    spec.n_trials = 3;
    ck_assert_int_eq(story_event(&st, adopt), 0);
    spec_fini(&spec);
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        a_name_is_taken_once,
        a_stillborn_study_gives_its_name_back,
        pause_lets_trials_end_and_resume_goes_on,
        stop_now_puts_trials_back,
        a_result_that_crosses_the_stop_counts,
        who_dies_while_stopping_was_asked_to_go,
        stopped_without_being_told_is_a_lie,
        a_target_can_be_raised_and_not_lowered_too_far,
        a_target_lowered_to_what_is_done_ends_the_study,
        a_value_can_end_the_study,
        enqueued_values_are_tried_next_once,
        what_is_not_searched_is_not_enqueued,
        what_a_condition_switches_off_is_not_enqueued,
        a_target_makes_room_for_what_is_enqueued,
        a_study_that_a_stop_rule_ended_waits_with_what_is_enqueued,
        a_study_that_a_stop_rule_ended_needs_no_larger_target,
        an_exhausted_study_runs_again_for_its_failed_trials,
        failed_trials_can_be_retried_by_cause,
        a_target_makes_room_for_what_is_retried,
        a_finished_study_runs_again_for_its_failed_trials,
        a_deleted_study_leaves_only_a_slot_behind,
        a_deleted_preparation_is_killed,
        optunas_studies_are_only_looked_at,
        an_adoption_never_passes_the_target,
        a_retry_without_a_place_stands_in_nobodys_way,
    };
    return suite_of("sched_user", tests, ARRAY_LEN(tests));
}
