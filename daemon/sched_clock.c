/* Deadlines, judged when the clock is read.
 *
 * A worker is judged by its own pace. When the daemon itself did not run for a
 * while (suspended, stopped, a slow disk), words of its workers may lie unread:
 * then all deadlines begin anew and nobody is judged this time. */
#include "core/base/mem.h"
#include "daemon/sched_priv.h"

#include <inttypes.h>
#include <math.h>

enum { MS_PER_HOUR = 3600000, PAUSES = 10 };

static int64_t hang_ms(const struct mirror *m, const struct slot *slot)
{
    const struct study_trial *trial =
        mirror_trial(m, slot->id.study, slot->id.number);
    bool runs = trial != NULL && trial->progress != NULL;
    int64_t pace = runs ? PAUSES * trial->progress->pause_ms : 0;
    return pace > SCHED_HANG_MS ? pace : SCHED_HANG_MS;
}

static void judge(const struct turn *t, int i)
{
    const struct slot *slot = &t->m->slots[i];
    int64_t silent = t->mono_ms - slot->since_ms;
    switch (slot->state) {
    case SLOT_BUSY:
        if (silent >= hang_ms(t->m, slot)) {
            turn_kill(
                t, i, TRIAL_CAUSE_HANG,
                mem_printf("no progress for %" PRId64 " s", silent / 1000));
        }
        break;
    case SLOT_STOPPING:
        if (silent >= SCHED_STOP_GRACE_MS) {
            turn_kill(
                t, i, TRIAL_CAUSE_INTERRUPTED,
                mem_printf("did not stop within %" PRId64 " s", silent / 1000));
        }
        break;
    case SLOT_PREPARING:
        if (silent >= SCHED_PREPARE_HANG_MS) {
            turn_kill(t, i, TRIAL_CAUSE_HANG,
                      mem_printf("no progress of the preparation for %" PRId64
                                 " s",
                                 silent / 1000));
        }
        break;
    default:
        break;
    }
}

static bool has_hours(const struct study *s)
{
    return s->state == STUDY_RUNNING && !s->is_foreign &&
           !isnan(s->spec.stop.hours);
}

/* Whoever is told to stop is not judged in the same decision. */
static bool end_by_hours(const struct turn *t)
{
    bool ended = false;
    for (size_t i = 0; i < t->m->n_studies; i++) {
        const struct study *s = t->m->studies[i];
        if (has_hours(s) && (double)study_active_ms(s, t->mono_ms) >=
                                s->spec.stop.hours * MS_PER_HOUR) {
            turn_finish_study(
                t, s, mem_printf("stop.hours: %g reached", s->spec.stop.hours),
                -1);
            ended = true;
        }
    }
    return ended;
}

void sched_clock(const struct turn *t)
{
    bool stalled = t->mono_ms - t->m->tick_ms > SCHED_STALL_MS;
    turn_add(t, ACTION_TICK, 0)->tick.stalled = stalled;
    if (!stalled && !end_by_hours(t)) {
        for (int i = 0; i < t->m->n_slots; i++) {
            judge(t, i);
        }
    }
}

/* End of the first backoff of the study's waiting trials that is still ahead.
 */
static int64_t first_backoff(const struct study *s, int64_t mono_ms)
{
    int64_t first = INT64_MAX;
    int64_t left = s->state == STUDY_RUNNING ? s->n_by_state[TRIAL_WAITING] : 0;
    for (size_t i = s->n_trials; i > 0 && left > 0; i--) {
        const struct study_trial *trial = s->trials[i - 1];
        if (trial->state == TRIAL_WAITING) {
            left--;
            bool ahead = trial->not_before_ms > mono_ms;
            if (ahead && trial->not_before_ms < first) {
                first = trial->not_before_ms;
            }
        }
    }
    return first;
}

int64_t sched_wake_ms(const struct mirror *m, int64_t mono_ms)
{
    int64_t wake = INT64_MAX;
    bool watches = false;
    for (int i = 0; i < m->n_slots; i++) {
        enum slot_state state = m->slots[i].state;
        watches = watches || state == SLOT_BUSY || state == SLOT_STOPPING ||
                  state == SLOT_PREPARING;
    }
    for (size_t i = 0; i < m->n_studies; i++) {
        int64_t backoff = first_backoff(m->studies[i], mono_ms);
        wake = backoff < wake ? backoff : wake;
        watches = watches || has_hours(m->studies[i]);
    }
    int64_t tick = m->tick_ms + SCHED_TICK_MS;
    if (watches && tick < wake) {
        wake = tick;
    }
    return wake > mono_ms ? wake : mono_ms;
}
