/* A report that ends its trial: one decision, durable before the worker hears
 * of it. */
#include "core/base/buf.h"
#include "daemon/history.h"
#include "daemon/sched.h"
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

#include <math.h>

static struct story st;

static int64_t begin(enum spec_pruner pruner, int64_t n_trials)
{
    int64_t id = story_begin(&st, 2, n_trials);
    struct spec *spec = &story_study(&st, id)->spec;
    spec->pruner = pruner;
    spec->pruning.n_startup_trials = 1;
    return id;
}

START_TEST(a_hopeless_report_ends_the_trial_and_stops_its_worker)
{
    int64_t id = begin(SPEC_PRUNER_MEDIAN, 4);
    story_report(&st, 0, 0, 0.8);
    story_finish(&st, 0, 0.8);
    struct trial_id held = st.m->slots[1].id;
    story_report(&st, 1, 0, 0.3);
    ck_assert_int_eq(st.last.items[0].kind, ACTION_REPORT);
    ck_assert_int_eq(st.last.items[1].kind, ACTION_FINISH_TRIAL);
    ck_assert_int_eq(st.last.items[1].end.state, TRIAL_PRUNED);
    ck_assert_double_eq(st.last.items[1].end.value, 0.3);
    ck_assert_int_eq(st.last.items[1].end.best_epoch, 0);
    const struct action *stop = story_find(&st, ACTION_STOP);
    ck_assert(stop != NULL && !stop->stop.keep && stop->slot == 1);
    const struct study_trial *t = story_trial(&st, id, held.number);
    ck_assert_int_eq(t->state, TRIAL_PRUNED);
    ck_assert_int_eq(study_n_finished(story_study(&st, id)), 2);
    story_stopped(&st, 1);
    ck_assert_int_eq(t->state, TRIAL_PRUNED);
    ck_assert_int_eq(st.m->slots[1].state, SLOT_ABSENT);
    story_fini(&st);
}
END_TEST

START_TEST(a_good_report_goes_on)
{
    (void)begin(SPEC_PRUNER_MEDIAN, 4);
    story_report(&st, 0, 0, 0.8);
    story_finish(&st, 0, 0.8);
    story_report(&st, 1, 0, 0.8); /* a tie survives */
    ck_assert_int_eq(story_count(&st, ACTION_FINISH_TRIAL), 0);
    ck_assert_int_eq(story_count(&st, ACTION_STOP), 0);
    story_fini(&st);
}
END_TEST

START_TEST(rungs_are_kept_with_the_trial)
{
    int64_t id = begin(SPEC_PRUNER_ASHA, 4);
    struct study *s = story_study(&st, id);
    s->spec.pruning.min_resource = 1;
    s->spec.pruning.reduction_factor = 2;
    story_report(&st, 0, 0, 0.5);
    ck_assert_int_eq(story_count(&st, ACTION_RUNG), 0);
    story_report(&st, 0, 1, 0.6);
    ck_assert_int_eq(story_count(&st, ACTION_RUNG), 1);
    size_t n;
    const double *rungs =
        history_rungs(s->history, st.m->slots[0].id.number, &n);
    ck_assert_uint_eq(n, 1);
    ck_assert_double_eq(rungs[0], 0.6);
    story_report(&st, 1, 0, 0.1);
    story_report(&st, 1, 1, 0.2); /* second of two in its rung */
    ck_assert_int_eq(story_count(&st, ACTION_RUNG), 1);
    ck_assert_int_eq(story_count(&st, ACTION_STOP), 1);
    story_fini(&st);
}
END_TEST

START_TEST(a_pruned_trial_can_end_its_study)
{
    int64_t id = begin(SPEC_PRUNER_MEDIAN, 2);
    story_report(&st, 0, 0, 0.8);
    story_finish(&st, 0, 0.8);
    story_report(&st, 1, 0, 0.3);
    ck_assert_int_eq(story_study(&st, id)->state, STUDY_FINISHED);
    ck_assert_int_eq(story_count(&st, ACTION_STOP), 1);
    story_gone(&st, 1, TRIAL_CAUSE_SIGNAL); /* it died on its way out */
    ck_assert_int_eq(story_study(&st, id)->n_by_state[TRIAL_PRUNED], 1);
    story_fini(&st);
}
END_TEST

START_TEST(an_epoch_told_again_is_not_judged_again)
{
    (void)begin(SPEC_PRUNER_THRESHOLD, 2);
    struct study *s = st.m->studies[0];
    story_report(&st, 0, 0, 0.3);
    story_gone(&st, 0, TRIAL_CAUSE_SIGNAL);
    s->spec.pruning.lower = 0.5;
    story_idle(&st, 0);
    story_wait(&st, 2000);
    ck_assert_int_eq(story_next(&st), 1);
    story_report(&st, 0, 0, 0.3);
    ck_assert_int_eq(story_count(&st, ACTION_FINISH_TRIAL), 0);
    story_report(&st, 0, 1, 0.3);
    ck_assert_int_eq(story_count(&st, ACTION_FINISH_TRIAL), 1);
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sched prune");
    TCase *t = tcase_create("sched prune");
    tcase_add_test(t, a_hopeless_report_ends_the_trial_and_stops_its_worker);
    tcase_add_test(t, a_good_report_goes_on);
    tcase_add_test(t, rungs_are_kept_with_the_trial);
    tcase_add_test(t, a_pruned_trial_can_end_its_study);
    tcase_add_test(t, an_epoch_told_again_is_not_judged_again);
    suite_add_tcase(s, t);
    return s;
}
