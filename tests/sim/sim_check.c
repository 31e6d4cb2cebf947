/* What must hold, computed anew from the trials and compared. */
#include "core/base/buf.h"
#include "daemon/history.h"
#include "daemon/sched.h"
#include "daemon/search/sampler.h"
#include "daemon/store.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define REQUIRE(s, condition, ...)                                             \
    do {                                                                       \
        if (!(condition)) {                                                    \
            sim_fail(s, __VA_ARGS__);                                          \
        }                                                                      \
    } while (0)

/* --- actions -------------------------------------------------------------- */

/* The only moves a trial can make (trial.h draws them). */
static void check_move(const struct sim *s, const struct action *a,
                       const struct study_trial *t)
{
    const char *name = action_name(a->kind);
    enum trial_state needs = TRIAL_RUNNING;
    int64_t attempt = t->attempt;
    if (a->kind == ACTION_START_TRIAL) {
        needs = TRIAL_WAITING;
        attempt++;
    } else if (a->kind == ACTION_RETRY_TRIAL) {
        needs = TRIAL_FAIL;
    }
    REQUIRE(s, t->state == needs, "%s of trial %" PRId64 " in state %s", name,
            t->number, trial_state_name(t->state));
    REQUIRE(s, a->attempt == attempt,
            "%s of trial %" PRId64 ": attempt %" PRId64 ", not %" PRId64, name,
            t->number, a->attempt, attempt);
    const struct study *study = mirror_study(s->m, a->study);
    REQUIRE(s,
            a->kind != ACTION_REPORT ||
                a->report.epoch == (int64_t)t->n_reports ||
                study->spec.objective == SPEC_OBJECTIVE_COMMAND,
            "epoch %" PRId64 " of trial %" PRId64 " after %zu", a->report.epoch,
            t->number, t->n_reports);
}

/* A trial starts with what any daemon would have drawn: also one that forgot
 * everything but the store. */
static void check_draw(struct sim *s, const struct action *a)
{
    struct sim_study *known = sim_study_of(s, a->study);
    const double *values = a->start_trial.values;
    double *first = known->params[a->number];
    REQUIRE(s, (values != NULL) == isnan(first[0]),
            "trial %" PRId64 " has parameters twice, or never", a->number);
    if (values == NULL) {
        return;
    }
    memcpy(first, values, sizeof(known->params[0]));
    if (!s->compares || !sim_can_load(s)) {
        return;
    }
    struct mirror *fresh = sim_load(s);
    const struct study *study = mirror_study(fresh, a->study);
    const struct study_trial *t = mirror_trial(fresh, a->study, a->number);
    double again[SIM_N_PARAMS];
    const double *given = known->given[a->number];
    sampler_suggest(&study->spec, study->history, a->number,
                    !isnan(given[0]) ? given
                    : t != NULL      ? t->fixed
                                     : NULL,
                    again);
    REQUIRE(s, memcmp(again, values, sizeof(again)) == 0,
            "trial %" PRId64 " would be drawn differently", a->number);
    mirror_free(fresh);
}

void sim_check_action(struct sim *s, const struct action *a)
{
    const struct study_trial *t = mirror_trial(s->m, a->study, a->number);
    switch (a->kind) {
    case ACTION_START_TRIAL:
        if (t != NULL) {
            check_move(s, a, t);
        } else {
            REQUIRE(s, a->attempt == 1, "a new trial's first attempt");
        }
        check_draw(s, a);
        break;
    case ACTION_RETRY_TRIAL:
        sim_study_of(s, a->study)->finals[a->number] = TRIAL_WAITING;
        check_move(s, a, t);
        break;
    case ACTION_REPORT:
    case ACTION_RUNG:
    case ACTION_CONSTRAINTS:
    case ACTION_CHECKPOINT:
    case ACTION_DISCARD:
    case ACTION_END_ATTEMPT:
    case ACTION_FINISH_TRIAL:
        REQUIRE(s, t != NULL, "%s of no trial", action_name(a->kind));
        check_move(s, a, t);
        break;
    case ACTION_ASSIGN:
    case ACTION_PREPARE:
        REQUIRE(s, s->m->slots[a->slot].state == SLOT_IDLE,
                "slot %d gets work in state %d", a->slot,
                (int)s->m->slots[a->slot].state);
        break;
    default:
        break;
    }
}

/* --- slots ---------------------------------------------------------------- */

static bool is_holding(const struct slot *slot)
{
    return slot->state == SLOT_BUSY || slot->state == SLOT_STOPPING ||
           slot->state == SLOT_DYING;
}

/* A pruned trial's worker is on its way out: it holds what has ended. */
static bool is_leaving(const struct slot *slot, const struct study_trial *t)
{
    return t->state == TRIAL_PRUNED && slot->state != SLOT_BUSY;
}

static void check_slots(const struct sim *s)
{
    for (int i = 0; i < s->n_slots; i++) {
        const struct slot *slot = &s->m->slots[i];
        if (!is_holding(slot) || slot->id.study == 0) {
            continue;
        }
        const struct study *study = mirror_study(s->m, slot->id.study);
        const struct study_trial *t =
            mirror_trial(s->m, slot->id.study, slot->id.number);
        REQUIRE(s, (study == NULL && slot->state != SLOT_BUSY) || t != NULL,
                "slot %d holds no trial", i);
        bool runs = t == NULL || t->state == TRIAL_RUNNING;
        REQUIRE(s,
                t == NULL || ((runs || is_leaving(slot, t)) &&
                              t->attempt == slot->id.attempt),
                "slot %d holds trial %" PRId64 ", which does not run there", i,
                slot->id.number);
        REQUIRE(s,
                slot->state != SLOT_BUSY || (study->state != STUDY_FINISHED &&
                                             study->state != STUDY_FAILED),
                "slot %d works on for a study that is %s", i,
                study_state_name(study->state));
    }
}

static void check_preparing(const struct sim *s, const struct study *study)
{
    int n = 0, last = -1;
    for (int i = 0; i < s->n_slots; i++) {
        if (s->m->slots[i].study == study->id) {
            n++;
            last = i;
        }
    }
    REQUIRE(s, n <= 1 && study->preparing_slot == last,
            "study %" PRId64 " is prepared on %d slots, the last is %d",
            study->id, n, last);
}

static int n_slots_with(const struct sim *s, const struct study *study,
                        const struct study_trial *t)
{
    int n = 0;
    for (int i = 0; i < s->n_slots; i++) {
        const struct slot *slot = &s->m->slots[i];
        n += is_holding(slot) && !is_leaving(slot, t) &&
             slot->id.study == study->id && slot->id.number == t->number;
    }
    return n;
}

/* --- trials --------------------------------------------------------------- */

static bool has_file(const struct sim *s, const struct study *study,
                     const struct study_trial *t,
                     const struct study_checkpoint *c)
{
    bool found = c == NULL;
    for (size_t i = 0; i < s->n_files && !found; i++) {
        const struct sim_file *f = &s->files[i];
        found = f->study == study->id && f->number == t->number &&
                strcmp(f->name, c->file) == 0;
    }
    return found;
}

/* What Optuna's trial tried stays so, whoever repeats it. */
static void check_given(const struct sim *s, const struct study *study,
                        const struct study_trial *t, const double *given)
{
    double now[SIM_N_PARAMS];
    if (!isnan(given[0])) {
        study_values(study, t->number, now);
        REQUIRE(s, memcmp(now, given, sizeof(now)) == 0,
                "trial %" PRId64 ": Optuna's parameters changed", t->number);
    }
}

/* What is kept of its constraints is what its worker told. */
static void check_constraints(const struct sim *s, const struct study *study,
                              const struct study_trial *t)
{
    size_t n;
    const double *values = history_constraints(study->history, t->number, &n);
    if (n > 0 && t->attempt > 0) {
        REQUIRE(s, n == study->spec.work.n_constraints && n == 1,
                "trial %" PRId64 " has %zu constraints", t->number, n);
        REQUIRE(s, values[0] == sim_constraint_of(study->id, t->number),
                "trial %" PRId64 " has another constraint", t->number);
    }
}

static void check_trial(struct sim *s, const struct study *study,
                        const struct study_trial *t)
{
    int64_t n = t->number;
    struct sim_study *known = sim_study_of(s, study->id);
    check_given(s, study, t, known->given[n]);
    check_constraints(s, study, t);
    REQUIRE(s, n_slots_with(s, study, t) == (t->state == TRIAL_RUNNING),
            "trial %" PRId64 " (%s) is on %d slots", n,
            trial_state_name(t->state), n_slots_with(s, study, t));
    REQUIRE(s, (t->attempt == 0) == isnan(known->params[n][0]),
            "trial %" PRId64 ": parameters without an attempt", n);
    double now[SIM_N_PARAMS];
    study_values(study, n, now);
    REQUIRE(s,
            t->attempt == 0 || memcmp(now, known->params[n], sizeof(now)) == 0,
            "trial %" PRId64 ": its parameters changed", n);
    bool is_command = study->spec.objective == SPEC_OBJECTIVE_COMMAND;
    for (size_t i = 0; i < t->n_reports; i++) {
        REQUIRE(s,
                is_command
                    ? i == 0 || t->reports[i].epoch > t->reports[i - 1].epoch
                    : t->reports[i].epoch == (int64_t)i,
                "trial %" PRId64 ": a gap in its epochs", n);
    }
    REQUIRE(s,
            has_file(s, study, t, t->last) &&
                has_file(s, study, t, t->previous) &&
                has_file(s, study, t, t->best),
            "trial %" PRId64 ": a checkpoint's file is gone", n);
    REQUIRE(
        s,
        t->previous == NULL ||
            (t->last != NULL && strcmp(t->last->file, t->previous->file) != 0),
        "trial %" PRId64 ": a previous checkpoint without a last", n);
    bool has_ended = t->state == TRIAL_COMPLETE || t->state == TRIAL_PRUNED;
    REQUIRE(s, !has_ended || (t->last == NULL && t->previous == NULL),
            "trial %" PRId64 " has ended and keeps `last`", n);
    REQUIRE(s, has_ended == !isnan(t->value),
            "trial %" PRId64 " (%s) has value %g", n,
            trial_state_name(t->state), t->value);
    REQUIRE(s,
            t->state != TRIAL_FAIL || t->cause != TRIAL_CAUSE_NONE ||
                t->attempt == 0,
            "trial %" PRId64 " failed for no cause", n);
    REQUIRE(s,
            t->n_at_place < SCHED_DEATHS_AT_ONE_PLACE || t->state == TRIAL_FAIL,
            "trial %" PRId64 " died %" PRId64 " times at one place", n,
            t->n_at_place);
    bool was_final = known->finals[n] != TRIAL_WAITING;
    REQUIRE(s, !was_final || known->finals[n] == (int64_t)t->state,
            "trial %" PRId64 " left its final state for %s", n,
            trial_state_name(t->state));
    if (trial_state_is_final(t->state)) {
        known->finals[n] = t->state;
    }
}

/* --- studies -------------------------------------------------------------- */

static bool is_feasible(const struct study *study, const struct study_trial *t)
{
    size_t n;
    const double *values = history_constraints(study->history, t->number, &n);
    bool is = true;
    for (size_t i = 0; i < n; i++) {
        is = is && !(values[i] > 0.0);
    }
    return is;
}

static void check_counts(const struct sim *s, const struct study *study)
{
    int64_t n[TRIAL_N_STATES] = {0}, in_history[TRIAL_N_STATES] = {0};
    int64_t best = -1;
    for (size_t i = 0; i < study->n_trials; i++) {
        const struct study_trial *t = study->trials[i];
        bool is_hidden = study_hides(t);
        n[t->state]++;
        in_history[is_hidden ? TRIAL_WAITING : t->state]++;
        REQUIRE(s, history_is_hidden(study->history, t->number) == is_hidden,
                "trial %" PRId64 " is hidden: %d", t->number, !is_hidden);
        if (t->state != TRIAL_COMPLETE || !is_feasible(study, t)) {
            continue;
        }
        double lead = best >= 0 ? study->trials[best]->value : NAN;
        bool maximize = study->spec.direction == SPEC_MAXIMIZE;
        if (best < 0 || (maximize ? t->value > lead : t->value < lead)) {
            best = t->number;
        }
    }
    for (int i = 0; i < TRIAL_N_STATES; i++) {
        REQUIRE(s, n[i] == study->n_by_state[i], "%" PRId64 " %s, not %" PRId64,
                n[i], trial_state_name((enum trial_state)i),
                study->n_by_state[i]);
        REQUIRE(s,
                in_history[i] ==
                    history_count(study->history, (enum trial_state)i),
                "the history counts other %s",
                trial_state_name((enum trial_state)i));
    }
    REQUIRE(s, best == study->best, "best is %" PRId64 ", not %" PRId64, best,
            study->best);
}

/* Looked at only, until it has a config. */
static void check_foreign(struct sim *s, const struct study *study)
{
    check_counts(s, study);
    REQUIRE(s, study->state == STUDY_STOPPED, "Optuna's study is %s",
            study_state_name(study->state));
    for (size_t i = 0; i < study->n_trials; i++) {
        const struct study_trial *t = study->trials[i];
        REQUIRE(s, n_slots_with(s, study, t) == 0 && t->attempt == 0,
                "trial %" PRId64 " of Optuna's study runs", t->number);
        check_given(s, study, t, sim_study_of(s, study->id)->given[i]);
    }
}

static void check_study(struct sim *s, const struct study *study)
{
    if (study->is_foreign) {
        check_foreign(s, study);
        return;
    }
    int64_t finished = study_n_finished(study);
    int64_t open =
        study->n_by_state[TRIAL_WAITING] + study->n_by_state[TRIAL_RUNNING];
    REQUIRE(s, finished + open <= study->spec.n_trials,
            "study %" PRId64 ": %" PRId64 " finished and %" PRId64
            " open of %" PRId64,
            study->id, finished, open, study->spec.n_trials);
    bool done = finished >= study->spec.n_trials && open == 0;
    REQUIRE(s, !done || study->state == STUDY_FINISHED,
            "study %" PRId64 " has reached its target and is %s", study->id,
            study_state_name(study->state));
    REQUIRE(s, (study->state == STUDY_RUNNING) == (study->running_since_ms > 0),
            "study %" PRId64 " is %s since %" PRId64, study->id,
            study_state_name(study->state), study->running_since_ms);
    REQUIRE(s, study->active_ms >= 0, "negative time");
    check_counts(s, study);
    check_preparing(s, study);
    for (size_t i = 0; i < study->n_trials; i++) {
        check_trial(s, study, study->trials[i]);
    }
}

void sim_check_store(struct sim *s)
{
    struct mirror *fresh = sim_load(s);
    struct buf out;
    buf_init(&out, 4096);
    if (mirror_difference(s->m, fresh, &out) != 0) {
        sim_fail(s, "memory and store differ: %s", out.data);
    }
    buf_fini(&out);
    mirror_free(fresh);
}

void sim_check_rows(struct sim *s)
{
    struct buf out;
    char *save = NULL;
    buf_init(&out, 1 << 20);
    buf_str(&out, "");
    if (s->store != NULL) {
        store_check_rows(s->store, &out);
    }
    for (const char *line = strtok_r(out.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        sim_fail(s, "the rows contradict each other: %s", line);
    }
    buf_fini(&out);
}

void sim_check(struct sim *s)
{
    if (!s->ledger.is_lost) { /* else a new life is yet to begin */
        check_slots(s);
        for (size_t i = 0; i < s->m->n_studies; i++) {
            check_study(s, s->m->studies[i]);
        }
    }
    if (s->compares) {
        sim_check_store(s);
    }
}
