/* What workers say, and their deaths.
 *
 * The happy path: SLOT_IDLE; a trial is assigned (sched_start.c); PROGRESS,
 * REPORT and CHECKPOINT in turn; DONE, and SLOT_IDLE again.
 * Possible failures: a word about something the slot does not hold (a late word
 * of a stopped trial: ignored); a word that cannot be true (the worker is
 * killed); FAILED; SLOT_GONE at any moment. A slot that is being killed is not
 * listened to, and what it held is given to nobody before it is reaped. */
#include "core/base/mem.h"
#include "daemon/sched_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- who speaks of what --------------------------------------------------- */

static bool slot_has(const struct slot *slot, const struct trial_id *id)
{
    return (slot->state == SLOT_BUSY || slot->state == SLOT_STOPPING) &&
           slot->id.study == id->study && slot->id.number == id->number &&
           slot->id.attempt == id->attempt;
}

/* The trial that the slot works at; NULL when its study was deleted. */
static const struct study_trial *held(const struct turn *t,
                                      const struct slot *slot)
{
    const struct study_trial *trial =
        mirror_trial(t->m, slot->id.study, slot->id.number);
    bool current = trial != NULL && trial->state == TRIAL_RUNNING &&
                   trial->attempt == slot->id.attempt;
    return current ? trial : NULL;
}

/* --- signs of life -------------------------------------------------------- */

/* Pauses count up to SCHED_HANG_MS: a longer one was the daemon's own. */
static struct study_progress moved_on(const struct turn *t,
                                      const struct study_progress *before)
{
    struct study_progress p = *before;
    int64_t pause = t->mono_ms - p.at_ms;
    pause = pause < SCHED_HANG_MS ? pause : SCHED_HANG_MS;
    p.pause_ms = pause > p.pause_ms ? pause : p.pause_ms;
    p.at_ms = t->mono_ms;
    return p;
}

static void set_progress(const struct turn *t, int slot, const struct study *s,
                         const struct study_trial *trial,
                         struct study_progress p)
{
    struct action *a = turn_add_trial(t, ACTION_PROGRESS, s, trial);
    a->slot = slot;
    a->progress = p;
}

static void progress(const struct turn *t, const struct event *e,
                     const struct study *s, const struct study_trial *trial)
{
    const struct study_progress *old = trial->progress, *new = &e->progress;
    bool moved = strncmp(old->phase, new->phase, sizeof(old->phase)) != 0 ||
                 old->epoch != new->epoch || old->step != new->step;
    struct study_progress p = moved ? moved_on(t, old) : *old;
    memcpy(p.phase, new->phase, sizeof(p.phase));
    p.phase[sizeof(p.phase) - 1] = '\0';
    p.epoch = new->epoch;
    p.step = new->step;
    p.n_steps = new->n_steps;
    p.loss = new->loss;
    set_progress(t, e->slot, s, trial, p);
}

/* --- results -------------------------------------------------------------- */

static void report(const struct turn *t, const struct event *e,
                   const struct study *s, const struct study_trial *trial)
{
    if (turn_report(t, e, s, trial)) {
        struct study_progress p = moved_on(t, trial->progress);
        p.next_epoch = e->report.epoch + 1;
        set_progress(t, e->slot, s, trial, p);
    }
}

static bool is_ahead(const struct study_checkpoint *a,
                     const struct study_checkpoint *b)
{
    return a->epoch > b->epoch || (a->epoch == b->epoch && a->step > b->step);
}

static bool is_file(const struct study_checkpoint *c, const char *name)
{
    return c != NULL && strcmp(c->file, name) == 0;
}

static void add_discard(const struct turn *t, const struct study *s,
                        const struct study_trial *trial, const char *file,
                        const char *message)
{
    struct action *a = turn_add_trial(t, ACTION_DISCARD, s, trial);
    a->discard.file = mem_strdup(file);
    a->discard.message = mem_strdup(message);
}

/* What no row refers to after this CHECKPOINT. Names follow from epoch and
 * step. A worker that began anew writes those names again: a file that is still
 * ahead of it may have been written again already, and is left alone. */
static void drop_file(const struct turn *t, const struct study *s,
                      const struct study_trial *trial,
                      const struct action *checkpoint)
{
    bool best = checkpoint->checkpoint.best;
    const struct study_checkpoint *new = &checkpoint->checkpoint.file;
    const struct study_checkpoint *old = best ? trial->best : trial->previous;
    const struct study_checkpoint *beside =
        best ? trial->previous : trial->best;
    if (old != NULL && is_ahead(new, old) && !is_file(new, old->file) &&
        !is_file(trial->last, old->file) && !is_file(beside, old->file)) {
        struct action *a = turn_add_trial(t, ACTION_REMOVE_FILE, s, trial);
        a->remove_file.file = mem_strdup(old->file);
    }
}

static void checkpoint(const struct turn *t, const struct event *e,
                       const struct study *s, const struct study_trial *trial)
{
    const struct study_checkpoint *new = &e->checkpoint.file;
    int64_t next = trial->progress->next_epoch;
    int64_t most = next >= 0 ? next : (int64_t)trial->n_reports;
    /* Beyond the reports, a resume from it would leave a gap. */
    if (new->epoch < 0 || new->epoch > most || new->step < 0 || new->size < 0 ||
        strlen(new->sha256) != 64) {
        turn_kill(t, e->slot, TRIAL_CAUSE_PROTOCOL,
                  mem_printf("sent a checkpoint after %" PRId64
                             " epochs where %" PRId64 " are known, sha256 '%s'",
                             new->epoch, most, new->sha256));
        return;
    }
    bool best = e->checkpoint.best;
    const struct study_checkpoint *old = best ? trial->best : trial->last;
    bool replaces =
        old != NULL && is_ahead(new, old) && !is_file(new, old->file);
    if (!best && trial->previous != NULL && !is_ahead(new, trial->previous)) {
        /* It began anew without a word: the file may be written again. */
        add_discard(t, s, trial, trial->previous->file, "trained anew");
    }
    struct action *a = turn_add_trial(t, ACTION_CHECKPOINT, s, trial);
    a->checkpoint.best = best;
    a->checkpoint.shifts = !best && replaces;
    a->checkpoint.file = *new;
    a->checkpoint.file.file = mem_strdup(new->file);
    if (replaces) {
        drop_file(t, s, trial, a);
    }
    set_progress(t, e->slot, s, trial, moved_on(t, trial->progress));
}

/* Written while its trial was being pruned: nobody will ever refer to it. (A
 * trial that failed may be retried and keeps what it has.) */
static void late_checkpoint(const struct turn *t, const struct event *e,
                            const struct study *s)
{
    const struct study_trial *trial =
        mirror_trial(t->m, e->id.study, e->id.number);
    const char *file = e->checkpoint.file.file;
    bool is_over = trial != NULL && (trial->state == TRIAL_PRUNED ||
                                     trial->state == TRIAL_COMPLETE);
    if (is_over && !study_trial_has_file(trial, file)) {
        struct action *a = turn_add_trial(t, ACTION_REMOVE_FILE, s, trial);
        a->remove_file.file = mem_strdup(file);
    }
}

/* The worker has put the file aside already. */
static void discard(const struct turn *t, const struct event *e,
                    const struct study *s, const struct study_trial *trial)
{
    const char *file = e->discard.file;
    if (is_file(trial->last, file) || is_file(trial->previous, file) ||
        is_file(trial->best, file)) {
        add_discard(t, s, trial, file, e->discard.message);
    }
}

static void constraints(const struct turn *t, const struct event *e,
                        const struct study *s, const struct study_trial *trial)
{
    size_t n = e->constraints.n;
    bool is_wrong = n != s->spec.work.n_constraints;
    for (size_t i = 0; i < n; i++) {
        is_wrong = is_wrong || isnan(e->constraints.values[i]);
    }
    if (is_wrong) {
        turn_kill(t, e->slot, TRIAL_CAUSE_PROTOCOL,
                  mem_printf("told %zu constraints where %zu numbers are due",
                             n, s->spec.work.n_constraints));
        return;
    }
    struct action *a = turn_add_trial(t, ACTION_CONSTRAINTS, s, trial);
    a->constraints.n = n;
    memcpy(a->constraints.values, e->constraints.values, n * sizeof(double));
}

/* --- ends of work --------------------------------------------------------- */

/* Causes that only the daemon can know. */
static bool worker_may_say(enum trial_cause cause)
{
    return (int)cause > TRIAL_CAUSE_NONE && cause < TRIAL_N_CAUSES &&
           cause != TRIAL_CAUSE_DAEMON && cause != TRIAL_CAUSE_INTERRUPTED &&
           cause != TRIAL_CAUSE_HANG;
}

static void prepare_failed(const struct turn *t, const struct study *s,
                           const char *message)
{
    if (s != NULL && s->state == STUDY_RUNNING) {
        turn_set_study(t, s, STUDY_FAILED, mem_strdup(message));
        turn_stop_trials(t, s, true, -1);
    }
}

/* The trial is innocent: it waits while the data set is prepared again. Trials
 * that were begun before the last preparation bring no news. */
static void data_is_gone(const struct turn *t, const struct study *s,
                         const struct study_trial *trial, const char *message)
{
    turn_end_attempt(t, s, trial, TRIAL_CAUSE_DATA, message);
    if (!s->is_prepared || trial->progress->started_ms < s->prepared_ms) {
        return;
    }
    turn_add(t, ACTION_UNPREPARED, s->id);
    if (s->n_gone + 1 >= SCHED_PREPARES) {
        char *why = mem_printf("the prepared data set was gone %d times before "
                               "any epoch was trained on it; the last time: %s",
                               s->n_gone + 1, message);
        prepare_failed(t, s, why);
        free(why);
    }
}

static void failed(const struct turn *t, const struct event *e,
                   const struct study *s, const struct study_trial *trial)
{
    enum trial_cause cause = e->failed.cause;
    const char *message = e->failed.message != NULL ? e->failed.message : "";
    if (cause == TRIAL_CAUSE_DATA && study_counts_epochs(s)) {
        data_is_gone(t, s, trial, message);
        return;
    }
    /* A worker that lives to tell of an exit or a signal tells of its
     * command's: the same will happen again. */
    bool is_commands = cause == TRIAL_CAUSE_EXIT || cause == TRIAL_CAUSE_SIGNAL;
    if (trial_cause_is_retried(cause) && !is_commands) {
        turn_end_attempt(t, s, trial, cause, message);
    } else {
        turn_fail(t, s, trial, cause, message);
    }
}

/* NULL when the end may be; else why it cannot. Owned by the caller. */
static char *end_fault(const struct turn *t, const struct event *e,
                       const struct study *s, const struct study_trial *trial)
{
    const struct slot *slot = &t->m->slots[e->slot];
    if (e->kind == EVENT_STOPPED && slot->state != SLOT_STOPPING) {
        return mem_strdup("stopped without being told to");
    }
    if (e->kind == EVENT_FAILED && !worker_may_say(e->failed.cause)) {
        return mem_printf("failed for cause %d, which is not a worker's to say",
                          (int)e->failed.cause);
    }
    int64_t best = e->done.best_epoch;
    if (e->kind == EVENT_DONE && trial != NULL &&
        (best < -1 || best >= turn_max_epochs(s, trial))) {
        bool from_1 = study_counts_epochs(s) && best < INT64_MAX;
        return mem_printf("done with %s %" PRId64 " as its best",
                          study_counts_epochs(s) ? "epoch" : "step",
                          best + from_1);
    }
    return NULL;
}

/* A program that continues knows what this attempt told; its best may have been
 * told by an earlier one. */
static void complete(const struct turn *t, const struct event *e,
                     const struct study *s, const struct study_trial *trial)
{
    double value = e->done.value;
    int64_t best = e->done.best_epoch;
    if (best >= 0 && !study_counts_epochs(s)) {
        study_reported_value(s, trial, &value, &best);
    }
    turn_complete(t, s, trial, value, best, &e->done.memory);
}

static void end_of_work(const struct turn *t, const struct event *e,
                        const struct study *s, const struct study_trial *trial)
{
    char *fault = end_fault(t, e, s, trial);
    if (fault != NULL) {
        turn_kill(t, e->slot, TRIAL_CAUSE_PROTOCOL, fault);
        return;
    }
    if (trial != NULL && e->kind == EVENT_DONE) {
        complete(t, e, s, trial);
    } else if (trial != NULL && e->kind == EVENT_FAILED) {
        failed(t, e, s, trial);
    } else if (trial != NULL) {
        turn_end_attempt(t, s, trial, TRIAL_CAUSE_INTERRUPTED, NULL);
    }
    turn_set_slot(t, e->slot, SLOT_ABSENT);
}

static void word(const struct turn *t, const struct event *e)
{
    const struct slot *slot = &t->m->slots[e->slot];
    if (!slot_has(slot, &e->id)) {
        return;
    }
    const struct study *s = mirror_study(t->m, slot->id.study);
    const struct study_trial *trial = held(t, slot);
    switch (e->kind) {
    case EVENT_DONE:
    case EVENT_FAILED:
    case EVENT_STOPPED:
        end_of_work(t, e, s, trial);
        break;
    case EVENT_PROGRESS:
        if (trial != NULL) {
            progress(t, e, s, trial);
        }
        break;
    case EVENT_REPORT:
        if (trial != NULL) {
            report(t, e, s, trial);
        }
        break;
    case EVENT_CONSTRAINTS:
        if (trial != NULL) {
            constraints(t, e, s, trial);
        }
        break;
    case EVENT_CHECKPOINT:
        if (trial != NULL) {
            checkpoint(t, e, s, trial);
        } else {
            late_checkpoint(t, e, s);
        }
        break;
    default: /* EVENT_DISCARD */
        if (trial != NULL) {
            discard(t, e, s, trial);
        }
        break;
    }
}

/* --- preparations --------------------------------------------------------- */

/* Why these are not the data that the study began with, or NULL. */
static char *why_other_data(const struct study_data *was,
                            const struct study_data *is)
{
    if (strcmp(was->sha256, is->sha256) != 0) {
        return mem_printf("data changed: the study began with SHA-256 %s, now "
                          "it is %s",
                          was->sha256, is->sha256);
    }
    if (was->n_train != is->n_train || was->n_val != is->n_val ||
        was->n_test != is->n_test) {
        return mem_printf("the data are split otherwise: the study began with "
                          "%" PRId64 ", %" PRId64 " and %" PRId64
                          " rows for training, validation and test, this "
                          "version makes it %" PRId64 ", %" PRId64
                          " and %" PRId64,
                          was->n_train, was->n_val, was->n_test, is->n_train,
                          is->n_val, is->n_test);
    }
    return NULL;
}

static void prepared(const struct turn *t, const struct event *e,
                     const struct study *s)
{
    const struct study_data *data = &e->prepared;
    char *why = NULL;
    if (s->data.sha256[0] == '\0') {
        struct action *a = turn_add(t, ACTION_SET_DATA, s->id);
        a->set_data = *data;
    } else if ((why = why_other_data(&s->data, data)) != NULL) {
        prepare_failed(t, s, why);
        free(why);
        return;
    }
    turn_add(t, ACTION_PREPARED, s->id);
}

static bool is_data(const struct study_data *data)
{
    return strlen(data->sha256) == 64 && data->n_classes >= 0 &&
           data->n_train >= 0 && data->n_val >= 0 && data->n_test >= 0;
}

static void preparation(const struct turn *t, const struct event *e)
{
    const struct slot *slot = &t->m->slots[e->slot];
    if (slot->state != SLOT_PREPARING || slot->study != e->study) {
        return;
    }
    const struct study *s = mirror_study(t->m, slot->study);
    if (e->kind == EVENT_PREPARING) {
        if (s != NULL) {
            struct action *a = turn_add(t, ACTION_PREPARING, s->id);
            a->slot = e->slot;
            a->preparing = e->preparing;
        }
        return;
    }
    if (e->kind == EVENT_PREPARED && !is_data(&e->prepared)) {
        turn_kill(t, e->slot, TRIAL_CAUSE_PROTOCOL,
                  mem_strdup("prepared a data set without a SHA-256, or of "
                             "less than no rows"));
        return;
    }
    if (s != NULL && e->kind == EVENT_PREPARED) {
        prepared(t, e, s);
    } else if (s != NULL) {
        prepare_failed(t, s, e->prepare_failed.message);
    }
    turn_set_slot(t, e->slot, SLOT_ABSENT);
}

/* --- deaths --------------------------------------------------------------- */

static void lost_preparation(const struct turn *t, const struct study *s,
                             const char *message)
{
    if (s->n_prepares >= SCHED_PREPARES) {
        char *why = mem_printf("preparing the data set ended its worker %d "
                               "times; the last time: %s",
                               s->n_prepares, message);
        prepare_failed(t, s, why);
        free(why);
    }
}

/* Our own reason first, then what the process left. Owned by the caller. */
static char *last_words(const struct slot *slot, const struct event *e)
{
    const char *said = e->gone.message != NULL ? e->gone.message : "";
    if (slot->state != SLOT_DYING || slot->kill_message == NULL) {
        return mem_strdup(said);
    }
    return mem_printf("%s; %s", slot->kill_message, said);
}

static void gone(const struct turn *t, const struct event *e)
{
    const struct slot *slot = &t->m->slots[e->slot];
    enum trial_cause cause = e->gone.cause;
    if (slot->state == SLOT_DYING) {
        cause = slot->kill_cause;
    } else if (slot->state == SLOT_STOPPING) {
        cause = TRIAL_CAUSE_INTERRUPTED; /* asked to go, and it went */
    }
    char *words = last_words(slot, e);
    const struct study *s = mirror_study(t->m, slot->id.study);
    const struct study_trial *trial = held(t, slot);
    const struct study *prepared_for = mirror_study(t->m, slot->study);
    if (trial != NULL) {
        turn_lose(t, s, trial, cause, words);
    } else if (prepared_for != NULL) {
        lost_preparation(t, prepared_for, words);
    }
    turn_set_slot(t, e->slot, SLOT_ABSENT);
    free(words);
}

void sched_worker(const struct turn *t, const struct event *e)
{
    assert(e->slot >= 0 && e->slot < t->m->n_slots);
    const struct slot *slot = &t->m->slots[e->slot];
    switch (e->kind) {
    case EVENT_SLOT_IDLE:
        if (slot->state == SLOT_ABSENT) {
            turn_set_slot(t, e->slot, SLOT_IDLE);
        }
        break;
    case EVENT_SLOT_GONE:
        gone(t, e);
        break;
    case EVENT_PREPARING:
    case EVENT_PREPARED:
    case EVENT_PREPARE_FAILED:
        preparation(t, e);
        break;
    default:
        word(t, e);
        break;
    }
}
