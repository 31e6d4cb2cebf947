/* The decision's frame: which rule answers which event, and how actions are
 * made (number, time and sequence in one place). */
#include "core/base/mem.h"
#include "daemon/sched_priv.h"

#include <stdlib.h>

/* From its last tick to its death a life may have written as long. */
enum { UNTICKED_MS = SCHED_STALL_MS };

/* --- actions -------------------------------------------------------------- */

static int64_t next_seq(const struct turn *t)
{
    for (size_t i = t->out->n; i > 0; i--) {
        if (action_is_durable(t->out->items[i - 1].kind)) {
            return t->out->items[i - 1].seq + 1;
        }
    }
    return t->m->next_seq;
}

struct action *turn_add(const struct turn *t, enum action_kind kind,
                        int64_t study)
{
    return actions_add(t->out,
                       (struct action){
                           .kind = kind,
                           .seq = action_is_durable(kind) ? next_seq(t) : 0,
                           .at_ms = t->now_ms,
                           .mono_ms = t->mono_ms,
                           .study = study,
                           .number = -1,
                           .slot = -1,
                       });
}

struct action *turn_add_trial(const struct turn *t, enum action_kind kind,
                              const struct study *s,
                              const struct study_trial *trial)
{
    struct action *a = turn_add(t, kind, s->id);
    a->number = trial->number;
    a->attempt = trial->attempt;
    return a;
}

/* How long a killed life went on after since_ms. Its clock was set when it
 * tells more than the life had, or less than nothing; then its beginning and
 * length tell. */
static int64_t lived_since(const struct turn *t, int64_t since_ms)
{
    int64_t told = t->alive_ms - since_ms;
    int64_t steady = t->begun_ms + t->lived_ms - since_ms;
    bool was_set = told < 0 || told > t->lived_ms;
    if (was_set && t->begun_ms > 0 && steady >= 0 && steady <= t->lived_ms) {
        return steady;
    }
    return told < t->lived_ms ? told : t->lived_ms;
}

int64_t turn_last_sign_ms(const struct turn *t, int64_t since_ms,
                          int64_t durable_ms)
{
    int64_t alive = lived_since(t, since_ms), durable = durable_ms - since_ms;
    int64_t most = t->lived_ms > 0 ? t->lived_ms + UNTICKED_MS : INT64_MAX;
    durable = durable <= most ? durable : 0; /* else its clock was set */
    return since_ms + (alive > durable ? alive : durable);
}

void turn_set_study(const struct turn *t, const struct study *s,
                    enum study_state state, char *reason)
{
    struct action *a = turn_add(t, ACTION_SET_STUDY, s->id);
    a->set_study.state = state;
    a->set_study.reason = reason;
    a->set_study.active_ms = study_active_ms(s, t->mono_ms);
    a->set_study.running_since_ms = state == STUDY_RUNNING ? t->now_ms : 0;
}

void turn_set_slot(const struct turn *t, int slot, enum slot_state state)
{
    struct action *a = turn_add(t, ACTION_SLOT, 0);
    a->slot = slot;
    a->set_slot.state = state;
}

void turn_kill(const struct turn *t, int slot, enum trial_cause cause,
               char *message)
{
    const struct slot *s = &t->m->slots[slot];
    struct action *a =
        turn_add(t, ACTION_KILL, s->study != 0 ? s->study : s->id.study);
    a->slot = slot;
    a->kill.cause = cause;
    a->kill.message = message;
}

void turn_stop_trials(const struct turn *t, const struct study *s, bool keep,
                      int except)
{
    for (int i = 0; i < t->m->n_slots; i++) {
        const struct slot *slot = &t->m->slots[i];
        if (slot->state == SLOT_BUSY && slot->id.study == s->id &&
            i != except) {
            struct action *a = turn_add(t, ACTION_STOP, s->id);
            a->number = slot->id.number;
            a->attempt = slot->id.attempt;
            a->slot = i;
            a->stop.keep = keep;
        }
    }
}

bool sched_slot_works_for(const struct slot *slot, int64_t study_id)
{
    return slot->study == study_id || slot->id.study == study_id;
}

/* --- the beginning and the end of the daemon ------------------------------ */

/* A study that was RUNNING when the last daemon died has been active at least
 * until its last row, and as long as that daemon is known to have lived; that
 * is what is known, so that is what counts. */
static void start(const struct turn *t)
{
    for (size_t i = 0; i < t->m->n_studies; i++) {
        const struct study *s = t->m->studies[i];
        if (s->state != STUDY_RUNNING || s->is_foreign) {
            continue;
        }
        int64_t last =
            turn_last_sign_ms(t, s->running_since_ms, study_last_sign_ms(s));
        turn_set_study(t, s, STUDY_RUNNING, mem_strdup(s->reason));
        t->out->items[t->out->n - 1].set_study.active_ms +=
            last - s->running_since_ms;
    }
}

static bool is_on_a_slot(const struct mirror *m, const struct trial_id *id)
{
    for (int i = 0; i < m->n_slots; i++) {
        const struct slot *s = &m->slots[i];
        if (s->id.study == id->study && s->id.number == id->number) {
            return true;
        }
    }
    return false;
}

static void orphan(const struct turn *t, const struct trial_id *id)
{
    const struct study_trial *trial = mirror_trial(t->m, id->study, id->number);
    if (trial != NULL && trial->state == TRIAL_RUNNING &&
        !is_on_a_slot(t->m, id)) {
        turn_end_attempt(t, mirror_study(t->m, id->study), trial,
                         TRIAL_CAUSE_DAEMON, "the daemon ended meanwhile");
    }
}

void sched_drain(const struct mirror *m, int64_t now_ms, int64_t mono_ms,
                 struct actions *out)
{
    const struct turn t = {
        .m = m, .now_ms = now_ms, .mono_ms = mono_ms, .out = out};
    for (size_t i = 0; i < m->n_studies; i++) {
        const struct study *s = m->studies[i];
        if (s->state == STUDY_RUNNING && !s->is_foreign) {
            turn_set_study(&t, s, STUDY_RUNNING, mem_strdup(s->reason));
        }
        turn_stop_trials(&t, s, true, -1);
    }
}

/* What was computed of a study that may have gone meanwhile. */
static void importances(const struct turn *t, const struct event *e)
{
    if (mirror_study(t->m, e->study) != NULL && e->importances.list->n > 0) {
        struct action *a = turn_add(t, ACTION_SET_IMPORTANCES, e->study);
        a->importances.evaluator = e->importances.evaluator;
        importances_copy(&a->importances.list, e->importances.list);
    }
}

/* --- events --------------------------------------------------------------- */

/* Clocks jump: one that was set back since tells nothing. */
static int64_t last_life_ms(const struct event *e)
{
    return e->alive_ms <= e->now_ms ? e->alive_ms : 0;
}

int sched_decide(const struct mirror *m, const struct event *e,
                 struct actions *out, struct err *err)
{
    const struct turn t = {.m = m,
                           .now_ms = e->now_ms,
                           .mono_ms = e->mono_ms,
                           .out = out,
                           .alive_ms = last_life_ms(e),
                           .lived_ms = e->lived_ms,
                           .begun_ms = e->begun_ms};
    switch (e->kind) {
    case EVENT_START:
        start(&t);
        return 0;
    case EVENT_ORPHAN:
        orphan(&t, &e->id);
        return 0;
    case EVENT_IMPORTANCES:
        importances(&t, e);
        return 0;
    case EVENT_TICK:
        sched_clock(&t);
        return 0;
    case EVENT_SLOT_IDLE:
    case EVENT_SLOT_GONE:
    case EVENT_PREPARING:
    case EVENT_PREPARED:
    case EVENT_PREPARE_FAILED:
    case EVENT_PROGRESS:
    case EVENT_REPORT:
    case EVENT_CHECKPOINT:
    case EVENT_DISCARD:
    case EVENT_CONSTRAINTS:
    case EVENT_DONE:
    case EVENT_FAILED:
    case EVENT_STOPPED:
        sched_worker(&t, e);
        return 0;
    default:
        return sched_user(&t, e, err);
    }
}
