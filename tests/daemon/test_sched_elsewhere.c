/* Trials that Optuna runs in a study while a daemon works at it. */
#include "tests/lib/story.h"
#include "tests/lib/test_main.h"

static struct story st;

/* Optuna's ask, met by a load while we work: it holds nobody up. */
START_TEST(what_runs_elsewhere_takes_no_place)
{
    int64_t id = story_begin(&st, 1, 3);
    const struct study *s = story_study(&st, id);
    struct action a = {
        .kind = ACTION_ADD_TRIAL, .study = id, .number = 1, .slot = -1};
    a.add_trial.trial_id = st.m->next_trial_id;
    mirror_apply(st.m, &a);
    a = (struct action){
        .kind = ACTION_START_TRIAL, .study = id, .number = 1, .slot = -1};
    mirror_apply(st.m, &a);
    ck_assert_int_eq(s->n_by_state[TRIAL_RUNNING], 2);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(s->state, STUDY_RUNNING);
        ck_assert_int_eq(st.m->slots[0].state, SLOT_BUSY);
        story_finish(&st, 0, 0.5);
    }
    ck_assert_int_eq(s->state, STUDY_FINISHED);
    ck_assert_int_eq(s->n_by_state[TRIAL_COMPLETE], 3);
    ck_assert_int_eq(s->n_by_state[TRIAL_RUNNING], 1);
    story_fini(&st);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("sched elsewhere");
    TCase *c = tcase_create("stories");
    tcase_add_test(c, what_runs_elsewhere_takes_no_place);
    suite_add_tcase(s, c);
    return s;
}
