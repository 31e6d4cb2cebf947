/* How attempts, trials and studies end.
 *
 * An attempt that died is repeated, because the cause may lie outside of the
 * trial; not for ever: deaths are counted as long as no new epoch is reported
 * (`place`). What is known to lie outside (the daemon's end, the user's stop, a
 * full disk, a prepared data set that is gone) is not counted. */
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/sched_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t sched_n_counted(const struct study *s)
{
    return study_n_finished(s) + s->n_by_state[TRIAL_RUNNING] +
           s->n_by_state[TRIAL_WAITING];
}

int64_t sched_n_elsewhere(const struct mirror *m, const struct study *s)
{
    int64_t n = s->n_by_state[TRIAL_RUNNING];
    for (int i = 0; i < m->n_slots && n > 0; i++) {
        const struct trial_id *id = &m->slots[i].id;
        const struct study_trial *trial =
            id->study == s->id ? mirror_trial(m, id->study, id->number) : NULL;
        n -= trial != NULL && trial->state == TRIAL_RUNNING;
    }
    return n;
}

/* --- studies -------------------------------------------------------------- */

void turn_finish_study(const struct turn *t, const struct study *s,
                       char *reason, int except_slot)
{
    turn_set_study(t, s, STUDY_FINISHED, reason);
    turn_stop_trials(t, s, true, except_slot);
}

static int slot_of(const struct mirror *m, const struct study *s,
                   const struct study_trial *trial)
{
    for (int i = 0; i < m->n_slots; i++) {
        if (m->slots[i].id.study == s->id &&
            m->slots[i].id.number == trial->number) {
            return i;
        }
    }
    return -1;
}

static bool reaches_stop_value(const struct study *s, const struct action *end)
{
    double value = s->spec.stop.value;
    return end->end.state == TRIAL_COMPLETE && !isnan(value) &&
           history_violation(s->history, end->number) == 0.0 &&
           !study_is_better(s, value, end->end.value);
}

/* Does the end of this trial end its study? Counts are those before it. */
static void maybe_end_study(const struct turn *t, const struct study *s,
                            const struct study_trial *trial)
{
    const struct action *end = &t->out->items[t->out->n - 1];
    bool failed = end->end.state == TRIAL_FAIL;
    int64_t finished = study_n_finished(s) + !failed;
    int64_t open = sched_n_counted(s) - study_n_finished(s) - 1 -
                   sched_n_elsewhere(t->m, s);
    int64_t failures = s->n_by_state[TRIAL_FAIL] + failed;
    int slot = slot_of(t->m, s, trial);

    if (s->state == STUDY_FINISHED) {
        return;
    }
    if (reaches_stop_value(s, end)) {
        char *reason = mem_printf("trial %" PRId64 " reached stop.value %g",
                                  trial->number, s->spec.stop.value);
        turn_finish_study(t, s, reason, slot);
    } else if (finished >= s->spec.n_trials && open == 0) {
        char *reason = mem_printf("%" PRId64 " trial%s finished", finished,
                                  finished == 1 ? "" : "s");
        turn_finish_study(t, s, reason, slot);
    } else if (failed && failures >= s->spec.stop.max_failures &&
               (s->state == STUDY_RUNNING || s->state == STUDY_PAUSED)) {
        char *reason = mem_printf(
            "%" PRId64 " trial%s failed (stop.max_failures is %" PRId64
            "); the last, trial %" PRId64 ": %s: %s",
            failures, failures == 1 ? "" : "s", s->spec.stop.max_failures,
            trial->number, trial_cause_name(end->end.cause), end->end.message);
        turn_set_study(t, s, STUDY_FAILED, reason);
        turn_stop_trials(t, s, true, slot);
    }
}

/* --- times ---------------------------------------------------------------- */

enum { ROUNDING_MS = 2 };

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The wall clock may have been set since the attempt began: it took what the
 * monotonic one says, where that was read in this life of the daemon. */
static int64_t attempt_end_ms(const struct turn *t,
                              const struct study_trial *trial)
{
    int64_t began_ms =
        trial->progress != NULL ? trial->progress->started_ms : 0;
    int64_t end_ms = trial->attempt_ms + t->mono_ms - began_ms;
    bool agree = llabs(end_ms - t->now_ms) <= ROUNDING_MS;
    return later_of(trial->attempt_ms,
                    began_ms <= 0 || agree ? t->now_ms : end_ms);
}

/* No trial ends before it started. */
static struct action *add_finish(const struct turn *t, const struct study *s,
                                 const struct study_trial *trial)
{
    struct action *a = turn_add_trial(t, ACTION_FINISH_TRIAL, s, trial);
    a->at_ms = later_of(a->at_ms, trial->start_ms);
    a->end.ended_ms = attempt_end_ms(t, trial);
    return a;
}

/* --- trials --------------------------------------------------------------- */

static void remove_file(const struct turn *t, const struct study *s,
                        const struct study_trial *trial,
                        const struct study_checkpoint *c)
{
    bool is_best = c != NULL && trial->best != NULL &&
                   strcmp(c->file, trial->best->file) == 0;
    if (c != NULL && !is_best) {
        struct action *a = turn_add_trial(t, ACTION_REMOVE_FILE, s, trial);
        a->remove_file.file = mem_strdup(c->file);
    }
}

static void finish(const struct turn *t, const struct study *s,
                   const struct study_trial *trial, enum trial_state state,
                   double value, int64_t epoch,
                   const struct trial_memory *memory)
{
    struct action *a = add_finish(t, s, trial);
    a->end.state = state;
    a->end.cause = TRIAL_CAUSE_NONE;
    a->end.value = value;
    a->end.best_epoch = epoch;
    a->end.memory = *memory;
    a->end.place = trial->place;
    a->end.n_at_place = trial->n_at_place;
    maybe_end_study(t, s, trial);
    /* Its rows forget the files to continue from; the best model stays. */
    remove_file(t, s, trial, trial->last);
    remove_file(t, s, trial, trial->previous);
}

void turn_prune(const struct turn *t, const struct study *s,
                const struct study_trial *trial, int slot, double value,
                int64_t epoch, const struct trial_memory *memory)
{
    finish(t, s, trial, TRIAL_PRUNED, value, epoch, memory);
    if (t->m->slots[slot].state == SLOT_BUSY) {
        struct action *a = turn_add_trial(t, ACTION_STOP, s, trial);
        a->slot = slot;
        a->stop.keep = false;
    }
}

void turn_complete(const struct turn *t, const struct study *s,
                   const struct study_trial *trial, double value,
                   int64_t best_epoch, const struct trial_memory *memory)
{
    if (isnan(value)) {
        turn_fail(t, s, trial, TRIAL_CAUSE_NAN,
                  "the objective is not a number");
        return;
    }
    finish(t, s, trial, TRIAL_COMPLETE, value, best_epoch, memory);
}

/* When the daemon died nobody wrote it down: what is known is the last that was
 * heard of the trial, or of the daemon. */
static void end_attempt(const struct turn *t, const struct study *s,
                        const struct study_trial *trial, enum trial_cause cause,
                        const char *message, int64_t place, int64_t n_at_place)
{
    struct action *a = turn_add_trial(t, ACTION_END_ATTEMPT, s, trial);
    a->end.state = TRIAL_WAITING;
    a->end.cause = cause;
    a->end.message = mem_strdup(message);
    a->end.value = NAN;
    a->end.best_epoch = -1;
    a->end.place = place;
    a->end.n_at_place = n_at_place;
    a->end.ended_ms =
        cause == TRIAL_CAUSE_DAEMON
            ? turn_last_sign_ms(t, trial->attempt_ms, trial->seq_ms)
            : attempt_end_ms(t, trial);
}

/* stop.max_failures is a bound also on what runs beside the last failure that
 * ended the study, or ends after the user's stop. What would have failed then
 * is put back as it was before this end: the next one like it fails it. */
static bool may_not_fail(const struct study *s)
{
    return s->state != STUDY_RUNNING && s->state != STUDY_PAUSED &&
           s->n_by_state[TRIAL_FAIL] >= s->spec.stop.max_failures;
}

/* Takes message. */
static void fail_at(const struct turn *t, const struct study *s,
                    const struct study_trial *trial, enum trial_cause cause,
                    char *message, int64_t place, int64_t n_at_place)
{
    if (may_not_fail(s)) {
        end_attempt(t, s, trial, cause, message, trial->place,
                    trial->n_at_place);
        free(message);
        return;
    }
    struct action *a = add_finish(t, s, trial);
    a->end.state = TRIAL_FAIL;
    a->end.cause = cause;
    a->end.message = message;
    a->end.value = NAN;
    a->end.best_epoch = -1;
    a->end.place = place;
    a->end.n_at_place = n_at_place;
    maybe_end_study(t, s, trial);
}

void turn_fail(const struct turn *t, const struct study *s,
               const struct study_trial *trial, enum trial_cause cause,
               const char *message)
{
    fail_at(t, s, trial, cause, mem_strdup(message), trial->place,
            trial->n_at_place);
}

/* --- attempts ------------------------------------------------------------- */

static bool is_counted(enum trial_cause cause)
{
    return cause != TRIAL_CAUSE_DAEMON && cause != TRIAL_CAUSE_INTERRUPTED &&
           cause != TRIAL_CAUSE_DISK && cause != TRIAL_CAUSE_SPAWN &&
           cause != TRIAL_CAUSE_DATA;
}

static int64_t backoff_ms(enum trial_cause cause, int64_t n_at_place)
{
    if (cause == TRIAL_CAUSE_DAEMON || cause == TRIAL_CAUSE_INTERRUPTED ||
        cause == TRIAL_CAUSE_DATA) {
        return 0; /* DATA: a preparation comes first anyway */
    }
    if (cause == TRIAL_CAUSE_DISK) {
        return SCHED_DISK_WAIT_MS;
    }
    if (cause == TRIAL_CAUSE_SPAWN) {
        return SCHED_SPAWN_WAIT_MS;
    }
    int64_t wait = SCHED_BACKOFF_MAX_MS;
    if (is_counted(cause) && n_at_place <= 6) {
        wait = (int64_t)SCHED_BACKOFF_MIN_MS << (n_at_place - 1);
    }
    return wait < SCHED_BACKOFF_MAX_MS ? wait : SCHED_BACKOFF_MAX_MS;
}

static void put_back(const struct turn *t, const struct study *s,
                     const struct study_trial *trial, enum trial_cause cause,
                     const char *message, int64_t place, int64_t n_at_place)
{
    end_attempt(t, s, trial, cause, message, place, n_at_place);
    int64_t wait = backoff_ms(cause, n_at_place);
    if (wait > 0) {
        struct action *a = turn_add_trial(t, ACTION_DELAY, s, trial);
        a->delay.not_before_ms = t->mono_ms + wait;
    }
}

/* The same end twice, one after the other, at one place. */
static bool is_second(const struct study_trial *trial, enum trial_cause cause,
                      int64_t n)
{
    return n >= SCHED_HANGS_AT_ONE_PLACE && trial->cause == cause &&
           (cause == TRIAL_CAUSE_HANG || cause == TRIAL_CAUSE_OOM);
}

/* How far it was, as people count; owned. */
static char *place_text(const struct study *s, int64_t place)
{
    return study_counts_epochs(s) ? mem_printf("in epoch %" PRId64, place + 1)
                                  : mem_printf("after %" PRId64 " report%s",
                                               place, place == 1 ? "" : "s");
}

void turn_end_attempt(const struct turn *t, const struct study *s,
                      const struct study_trial *trial, enum trial_cause cause,
                      const char *message)
{
    if (!is_counted(cause)) {
        put_back(t, s, trial, cause, message, trial->place, trial->n_at_place);
        return;
    }
    int64_t place = (int64_t)trial->n_reports;
    int64_t n = trial->place == place ? trial->n_at_place + 1 : 1;
    const char *last = message != NULL ? message : trial_cause_name(cause);
    char *where = place_text(s, place);
    if (is_second(trial, cause, n)) {
        char *why = mem_printf("twice %s: %s", where, last);
        fail_at(t, s, trial, cause, why, place, n);
    } else if (n >= SCHED_DEATHS_AT_ONE_PLACE) {
        char *why = mem_printf("its worker died %" PRId64
                               " times %s; the last time: %s",
                               n, where, last);
        fail_at(t, s, trial, TRIAL_CAUSE_POISON, why, place, n);
    } else {
        put_back(t, s, trial, cause, message, place, n);
    }
    free(where);
}

/* --- many deaths ---------------------------------------------------------- */

/* With one more, of this trial: are they too many to be the trials' fault? */
static bool is_environment(const struct turn *t, const struct study *s,
                           const struct study_trial *trial)
{
    int64_t numbers[STUDY_DEATHS + 1] = {trial->number};
    int n = 1, n_trials = 1;
    for (int i = 0; i < STUDY_DEATHS; i++) {
        const struct study_death *d = &s->deaths[i];
        if (d->at_ms == 0 || t->mono_ms - d->at_ms >= SCHED_DEATHS_MS) {
            continue;
        }
        bool is_known = false;
        for (int k = 0; k < n_trials; k++) {
            is_known = is_known || numbers[k] == d->number;
        }
        if (!is_known) {
            numbers[n_trials++] = d->number;
        }
        n++;
    }
    return n >= SCHED_DEATHS && n_trials >= SCHED_DEATHS_TRIALS;
}

/* Memory has an owner: a trial that asks for too much of it. */
static bool is_unexplained(enum trial_cause cause)
{
    return is_counted(cause) && cause != TRIAL_CAUSE_OOM;
}

void turn_lose(const struct turn *t, const struct study *s,
               const struct study_trial *trial, enum trial_cause cause,
               const char *message)
{
    if (is_unexplained(cause)) {
        turn_add_trial(t, ACTION_DEATH, s, trial);
    }
    if (!is_unexplained(cause) || s->state != STUDY_RUNNING ||
        !is_environment(t, s, trial)) {
        turn_end_attempt(t, s, trial, cause, message);
        return;
    }
    end_attempt(t, s, trial, cause, message, trial->place, trial->n_at_place);
    turn_set_study(t, s, STUDY_PAUSED,
                   mem_printf("environment: %d workers died within %d s under "
                              "%d trials or more, so it is hardly the trials' "
                              "fault; resume when it is mended. The last, of "
                              "trial %" PRId64 ": %s",
                              SCHED_DEATHS, SCHED_DEATHS_MS / 1000,
                              SCHED_DEATHS_TRIALS, trial->number, message));
}
