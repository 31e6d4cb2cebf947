#include "core/base/buf.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct story st;

/* --- the best trial ------------------------------------------------------- */

static int64_t best_of(const double *values, size_t n, bool minimize)
{
    int64_t id = story_begin(&st, 1, (int64_t)n);
    struct study *s = story_study(&st, id);
    s->spec.direction = minimize ? SPEC_MINIMIZE : SPEC_MAXIMIZE;
    s->spec.stop.max_failures = 100;
    for (size_t i = 0; i < n; i++) {
        story_finish(&st, 0, values[i]);
    }
    int64_t best = s->best;
    story_fini(&st);
    return best;
}

START_TEST(the_best_is_the_first_of_equals)
{
    const double ties[] = {0.1, 0.7, 0.7, 0.2};
    ck_assert_int_eq(best_of(ties, 4, false), 1);
    ck_assert_int_eq(best_of(ties, 4, true), 0);
    const double strange[] = {NAN, -INFINITY, 3, INFINITY, NAN};
    ck_assert_int_eq(best_of(strange, 5, false), 3);
    ck_assert_int_eq(best_of(strange, 5, true), 1);
    const double nothing[] = {NAN, NAN};
    ck_assert_int_eq(best_of(nothing, 2, false), -1);
}
END_TEST

START_TEST(of_equals_the_lower_number_wins_whoever_ends_first)
{
    int64_t id = story_begin(&st, 2, 3);
    story_done(&st, 1, 0.5);
    ck_assert_int_eq(story_study(&st, id)->best, 1);
    story_done(&st, 0, 0.5);
    ck_assert_int_eq(story_study(&st, id)->best, 0);
    story_fini(&st);
}
END_TEST

/* --- what follows from the actions ---------------------------------------- */

START_TEST(the_history_follows)
{
    int64_t id = story_begin(&st, 2, 3);
    const struct history *h = story_study(&st, id)->history;
    ck_assert_int_eq(history_n_trials(h), 2);
    ck_assert_int_eq(history_count(h, TRIAL_RUNNING), 2);
    story_report(&st, 0, 0, 0.25);
    double value;
    ck_assert_int_eq(history_last_step(h, 0, &value), 0);
    ck_assert(value == 0.25);
    story_done(&st, 0, 0.25);
    ck_assert_int_eq(history_state(h, 0), TRIAL_COMPLETE);
    ck_assert(history_value(h, 0) == 0.25);
    double lr;
    study_values(story_study(&st, id), 0, &lr);
    ck_assert(history_param(h, 0, history_find_param(h, "lr")) == lr);
    story_gone(&st, 1, TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(history_state(h, 1), TRIAL_WAITING);
    story_fini(&st);
}
END_TEST

START_TEST(studies_are_found_by_id_and_name)
{
    story_init(&st, 1);
    int64_t ids[5];
    char name[2] = "a";
    for (int i = 0; i < 5; i++, name[0]++) {
        ids[i] = story_add(&st, name, 1);
    }
    struct action gone = {
        .kind = ACTION_DELETE_STUDY, .study = ids[2], .number = -1, .slot = -1};
    mirror_apply(st.m, &gone);
    ck_assert_ptr_null(mirror_study(st.m, ids[2]));
    ck_assert_ptr_null(mirror_study_by_name(st.m, "c"));
    ck_assert_ptr_eq(mirror_study(st.m, ids[3]),
                     mirror_study_by_name(st.m, "d"));
    ck_assert_ptr_null(mirror_trial(st.m, ids[3], 0));
    ck_assert_ptr_null(mirror_trial(st.m, 99, 0));
    story_fini(&st);
}
END_TEST

START_TEST(sequence_numbers_belong_to_trial_or_study)
{
    int64_t id = story_begin(&st, 1, 3);
    int64_t study = story_study(&st, id)->seq;
    int64_t trial = story_trial(&st, id, 0)->seq;
    ck_assert_int_eq(trial + 1, st.m->next_seq);
    story_report(&st, 0, 0, 0.1);
    ck_assert_int_eq(story_trial(&st, id, 0)->seq, trial + 1);
    ck_assert_int_eq(story_study(&st, id)->seq, study);
    story_event(&st, (struct event){.kind = EVENT_PAUSE, .study = id});
    ck_assert_int_eq(story_study(&st, id)->seq, trial + 2);
    story_fini(&st);
}
END_TEST

/* --- the difference ------------------------------------------------------- */

/* The same story, told twice: a trial with everything, one enqueued. */
static int64_t tell(struct story *s)
{
    int64_t id = story_begin(s, 1, 5);
    story_report(s, 0, 0, 0.5);
    story_checkpoint(s, 0, false, 1, "last");
    story_checkpoint(s, 0, true, 0, "best");
    double value = 1e-4;
    struct event e = {.kind = EVENT_ENQUEUE, .study = id};
    e.enqueue.values = &value;
    ck_assert_int_eq(story_event(s, e), 0);
    return id;
}

static struct story other;

static void expect(const char *what)
{
    struct buf out;
    buf_init(&out, 4096);
    int found = mirror_difference(st.m, other.m, &out);
    ck_assert_msg(found == (what != NULL), "%s", found ? out.data : what);
    if (what != NULL) {
        ck_assert_msg(strstr(out.data, what) != NULL, "'%s' does not say '%s'",
                      out.data, what);
    }
    buf_fini(&out);
}

#define DIFFERS(what, lvalue, other_value)                                     \
    do {                                                                       \
        __typeof__(lvalue) before = (lvalue);                                  \
        (lvalue) = (other_value);                                              \
        expect(what);                                                          \
        (lvalue) = before;                                                     \
        expect(NULL);                                                          \
    } while (0)

START_TEST(every_durable_member_is_compared)
{
    int64_t id = tell(&st);
    tell(&other);
    struct study *s = story_study(&other, id);
    struct study_trial *t = story_trial(&other, id, 0);
    expect(NULL);
    DIFFERS("created_ms", s->created_ms, 1);
    DIFFERS("active_ms", s->active_ms, 1);
    DIFFERS("running_since_ms", s->running_since_ms, 1);
    DIFFERS("state: running and paused", s->state, STUDY_PAUSED);
    DIFFERS("reason", s->reason, (char *)"because");
    DIFFERS("data", s->data.sha256[3], 'x');
    DIFFERS("n_val", s->data.n_val, 7);
    DIFFERS("is_foreign", s->is_foreign, true);
    DIFFERS("config", s->spec.n_trials, 7);
    DIFFERS("seq", s->seq, 99);
    DIFFERS("best", s->best, 0);
    DIFFERS("RUNNING", s->n_by_state[TRIAL_RUNNING], 2);
    DIFFERS("trial 0: state: RUNNING and FAIL", t->state, TRIAL_FAIL);
    DIFFERS("cause", t->cause, TRIAL_CAUSE_OOM);
    DIFFERS("message", t->message, (char *)"because");
    DIFFERS("id", t->id, 9);
    DIFFERS("attempt", t->attempt, 2);
    DIFFERS("value", t->value, 0.0);
    DIFFERS("best_epoch", t->best_epoch, 0);
    DIFFERS("memory.peak", t->memory.peak, 1);
    DIFFERS("memory.planned", t->memory.planned, 1);
    DIFFERS("memory.of_worker", t->memory.of_worker, 1);
    DIFFERS("start_ms", t->start_ms, 9);
    DIFFERS("end_ms", t->end_ms, 9);
    DIFFERS("attempt_ms", t->attempt_ms, 9);
    DIFFERS("worked_ms", t->worked_ms, 9);
    DIFFERS("seq_ms", t->seq_ms, 9);
    DIFFERS("place", t->place, 9);
    DIFFERS("n_at_place", t->n_at_place, 9);
    DIFFERS("nondeterministic", t->nondeterministic, true);
    DIFFERS("epochs", t->n_reports, 0);
    DIFFERS("attempt of an epoch", t->reports[0].attempt, 4);
    DIFFERS("val-acc", t->reports[0].metrics.value[RUN_VAL_ACC],
            nextafter(0.5, 1));
    DIFFERS("test-acc", t->reports[0].metrics.value[RUN_TEST_ACC], -0.0);
    DIFFERS("last checkpoint", t->last->step, 9);
    DIFFERS("last checkpoint", t->last->file, (char *)"x");
    DIFFERS("best checkpoint", t->best, NULL);
    DIFFERS("an enqueued value", story_trial(&other, id, 1)->fixed[0], 2e-4);
    history_set_state(s->history, 1, TRIAL_FAIL, NAN);
    expect("trial 1: state in the history");
    story_fini(&st);
    story_fini(&other);
}
END_TEST

START_TEST(a_missing_study_is_a_difference)
{
    tell(&st);
    story_init(&other, 1);
    expect("studies: 1 and 0");
    story_fini(&st);
    story_fini(&other);
}
END_TEST

START_TEST(what_only_memory_knows_is_not_compared)
{
    int64_t id = tell(&st);
    tell(&other);
    story_study(&other, id)->is_prepared = false;
    story_trial(&other, id, 0)->not_before_ms = 5;
    story_trial(&other, id, 0)->progress->step = 5;
    other.m->slots[0].state = SLOT_ABSENT;
    other.m->next_seq = 1000;
    expect(NULL);
    story_fini(&st);
    story_fini(&other);
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        the_best_is_the_first_of_equals,
        of_equals_the_lower_number_wins_whoever_ends_first,
        the_history_follows,
        studies_are_found_by_id_and_name,
        sequence_numbers_belong_to_trial_or_study,
        every_durable_member_is_compared,
        a_missing_study_is_a_difference,
        what_only_memory_knows_is_not_compared,
    };
    return suite_of("mirror", tests, ARRAY_LEN(tests));
}
