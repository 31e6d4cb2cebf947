/* What the worker slots hold, and when they were last heard of: the moves that
 * mirror.h draws, and the clock. All of it is memory only. */
#include "core/base/mem.h"
#include "daemon/mirror_priv.h"

#include <stdlib.h>
#include <string.h>

static void set_slot(struct mirror *m, int slot, struct slot to)
{
    struct slot *s = &m->slots[slot];
    struct study *prepared = mirror_study(m, s->study);
    if (prepared != NULL) {
        prepared->preparing_slot = -1;
    }
    free(s->kill_message);
    *s = to;
}

static void prepare(struct mirror *m, const struct action *a)
{
    struct study *s = mirror_study(m, a->study);
    set_slot(m, a->slot,
             (struct slot){.state = SLOT_PREPARING,
                           .study = a->study,
                           .since_ms = a->mono_ms});
    s->preparing_slot = a->slot;
    s->preparation =
        (struct study_preparation){.phase = "start", .started_ms = a->mono_ms};
    s->n_prepares++;
    m->last_turn = a->study;
}

static void assign(struct mirror *m, const struct action *a)
{
    set_slot(m, a->slot,
             (struct slot){.state = SLOT_BUSY,
                           .id = {a->study, a->number, a->attempt},
                           .since_ms = a->mono_ms});
    m->last_turn = a->study;
}

static void stop(struct slot *s, const struct action *a)
{
    s->state = SLOT_STOPPING;
    s->stop_keeps = a->stop.keep;
    s->since_ms = a->mono_ms;
}

static void condemn(struct slot *s, const struct action *a)
{
    s->state = SLOT_DYING;
    s->kill_cause = a->kill.cause;
    free(s->kill_message);
    s->kill_message = mem_strdup(a->kill.message);
}

static void tick(struct mirror *m, const struct action *a)
{
    m->tick_ms = a->mono_ms;
    for (int i = 0; a->tick.stalled && i < m->n_slots; i++) {
        m->slots[i].since_ms = a->mono_ms;
    }
}

/* Signs of life count when the work moved on. */
static void hear_preparation(struct mirror *m, struct study *s,
                             const struct action *a)
{
    struct study_preparation *old = &s->preparation;
    const struct study_preparation *new = &a->preparing;
    if (strcmp(old->phase, new->phase) != 0 || old->done != new->done) {
        m->slots[a->slot].since_ms = a->mono_ms;
    }
    int64_t started_ms = old->started_ms;
    *old = *new;
    old->started_ms = started_ms;
}

static void hear(struct mirror *m, const struct action *a)
{
    struct slot *s = &m->slots[a->slot];
    if (s->state == SLOT_BUSY && a->progress.at_ms > s->since_ms) {
        s->since_ms = a->progress.at_ms;
    }
}

bool mirror_apply_slot(struct mirror *m, const struct action *a)
{
    switch (a->kind) {
    case ACTION_SLOT:
        set_slot(m, a->slot, (struct slot){.state = a->set_slot.state});
        return true;
    case ACTION_PREPARE:
        prepare(m, a);
        return true;
    case ACTION_PREPARING:
        hear_preparation(m, mirror_study(m, a->study), a);
        return true;
    case ACTION_ASSIGN:
        assign(m, a);
        return true;
    case ACTION_STOP:
        stop(&m->slots[a->slot], a);
        return true;
    case ACTION_KILL:
        condemn(&m->slots[a->slot], a);
        return true;
    case ACTION_TICK:
        tick(m, a);
        return true;
    case ACTION_PROGRESS:
        hear(m, a);
        return mirror_trial(m, a->study, a->number) == NULL;
    case ACTION_REMOVE_FILE:
        return true;
    default:
        return false;
    }
}
