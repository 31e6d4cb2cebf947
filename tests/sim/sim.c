/* The daemon's loop (daemon.c's: decide, apply, and again until nothing starts;
 * commit, perform), its troubles (recover.c's) and its deaths. */
#include "tests/sim/sim.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/sched.h"
#include "daemon/store.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- telling -------------------------------------------------------------- */

void sim_note(struct sim *s, const char *fmt, ...)
{
    char *line = s->events[s->n_events++ % SIM_EVENTS];
    int n = snprintf(line, sizeof(s->events[0]), "%6" PRIu64 " %8" PRId64 "  ",
                     s->n_steps, s->mono_ms);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(s->events[0]) - (size_t)n, fmt, ap);
    va_end(ap);
}

static void print_state(const struct sim *s)
{
    for (int i = 0; i < s->n_slots; i++) {
        const struct slot *slot = &s->m->slots[i];
        const struct sim_worker *w = &s->workers[i];
        fprintf(stderr,
                "slot %d: state %d, prepares %" PRId64 ", holds %" PRId64
                "/%" PRId64 "/%" PRId64 ", since %" PRId64
                "; worker: life %d%s%s%s, %d in, %d out\n",
                i, (int)slot->state, slot->study, slot->id.study,
                slot->id.number, slot->id.attempt, slot->since_ms, (int)w->life,
                w->hangs ? ", hangs" : "", w->condemned ? ", condemned" : "",
                w->lied ? ", lied" : "", w->n_in, w->n_out);
    }
    for (size_t i = 0; i < s->m->n_studies; i++) {
        const struct study *study = s->m->studies[i];
        fprintf(stderr,
                "study %" PRId64 ": %s%s, %" PRId64 " finished, %" PRId64
                " waiting, %" PRId64 " running, %" PRId64 " failed of %" PRId64
                "\n",
                study->id, study_state_name(study->state),
                study->is_prepared ? "" : ", not prepared",
                study_n_finished(study), study->n_by_state[TRIAL_WAITING],
                study->n_by_state[TRIAL_RUNNING], study->n_by_state[TRIAL_FAIL],
                study->spec.n_trials);
    }
}

void sim_fail(const struct sim *s, const char *fmt, ...)
{
    char why[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    uint64_t first = s->n_events < SIM_EVENTS ? 0 : s->n_events - SIM_EVENTS;
    for (uint64_t i = first; i < s->n_events; i++) {
        fprintf(stderr, "%s\n", s->events[i % SIM_EVENTS]);
    }
    print_state(s);
    fprintf(stderr, "SIM_SEED=%" PRIu64 ": %s\n", s->seed, why);
    ck_abort_msg("SIM_SEED=%" PRIu64 ": %s", s->seed, why);
    abort();
}

/* --- chance --------------------------------------------------------------- */

uint32_t sim_below(struct sim *s, uint32_t n)
{
    return rng_below(&s->rng, n);
}

bool sim_chance(struct sim *s, double p)
{
    return !s->calm && rng_double(&s->rng) < p;
}

struct sim_study *sim_study_of(struct sim *s, int64_t study_id)
{
    for (int i = 0; i < s->n_studies; i++) {
        if (s->studies[i].id == study_id) {
            return &s->studies[i];
        }
    }
    sim_fail(s, "study %" PRId64 " was never made", study_id);
}

/* --- the daemon dies and comes back --------------------------------------- */

static bool is_referenced(const struct mirror *m, const struct sim_file *f)
{
    const struct study_trial *t = mirror_trial(m, f->study, f->number);
    return t != NULL && study_trial_has_file(t, f->name);
}

static void sweep(struct sim *s)
{
    for (size_t i = s->n_files; i > 0; i--) {
        struct sim_file *f = &s->files[i - 1];
        if (!is_referenced(s->m, f)) {
            free(f->name);
            *f = s->files[--s->n_files];
        }
    }
}

static void perform_all(struct sim *s, struct actions *done);

/* What the wall clock's jumps have made of the last sign of life included. */
static int start_ledger(struct sim *s, struct actions *done, struct err *err)
{
    const struct ledger_birth birth = {.now_ms = s->now_ms,
                                       .mono_ms = s->mono_ms,
                                       .alive_ms = s->alive_ms,
                                       .lived_ms = s->lived_ms,
                                       .begun_ms = s->begun_ms};
    return ledger_start(&s->ledger, &birth, done, err);
}

static void restart(struct sim *s)
{
    struct actions done;
    struct err err;
    int rc;
    actions_init(&done);
    do {
        s->seen.restarts++;
        sim_note(s, "the daemon starts anew");
        for (int i = 0; i < s->n_slots; i++) {
            sim_worker_reset(&s->workers[i]);
        }
        s->now_ms += sim_below(s, 100000);
        s->mono_ms = sim_below(s, 2) == 0 ? 1 : s->mono_ms + 1000;
        s->born_ms = s->mono_ms;
        s->born_utc_ms = s->now_ms;
        ledger_fini(&s->ledger);
        sim_init_ledger(s);
        s->fail_in = -1;
        if (sim_chance(s, 0.1)) {
            sim_arm(s, 6); /* the next life finishes it */
        }
        rc = start_ledger(s, &done, &err);
        s->m = s->ledger.mirror;
    } while (rc != 0);
    s->fail_in = -1;
    perform_all(s, &done);
    sweep(s);
    sim_check_store(s);
    sim_check_rows(s);
}

/* --- decide, commit, apply, perform --------------------------------------- */

struct sim_study *sim_know_study(struct sim *s, int64_t study_id)
{
    int i = 0;
    while (i < s->n_studies && s->studies[i].id != study_id) {
        i++;
    }
    s->n_studies = i == s->n_studies ? i + 1 : s->n_studies;
    struct sim_study *known = &s->studies[i];
    *known = (struct sim_study){.id = study_id};
    for (int k = 0; k < SIM_MAX_TRIALS; k++) {
        known->params[k][0] = known->given[k][0] = NAN;
        known->finals[k] = TRIAL_WAITING;
    }
    return known;
}

static void see(struct sim *s, const struct action *a)
{
    s->seen.attempts += a->kind == ACTION_START_TRIAL;
    s->seen.trials += a->kind == ACTION_ADD_TRIAL;
    s->seen.adoptions += a->kind == ACTION_ADOPT_STUDY;
    s->seen.infeasible +=
        a->kind == ACTION_CONSTRAINTS && a->constraints.values[0] > 0.0;
    if (a->kind == ACTION_ADD_STUDY) {
        (void)sim_know_study(s, a->study);
    }
}

static void note_action(struct sim *s, const struct action *a)
{
    if (a->kind != ACTION_TICK && a->kind != ACTION_PROGRESS) {
        sim_note(
            s, "    %s study %" PRId64 " trial %" PRId64 "/%" PRId64 " slot %d",
            action_name(a->kind), a->study, a->number, a->attempt, a->slot);
    }
}

void sim_decided(struct sim *s, const struct actions *a)
{
    int64_t seq = s->m->next_seq;
    for (size_t i = 0; i < a->n; i++) {
        const struct action *action = &a->items[i];
        int64_t own = action_is_durable(action->kind) ? seq++ : 0;
        if (action->seq != own) {
            sim_fail(s, "%s has sequence number %" PRId64 ", not %" PRId64,
                     action_name(action->kind), action->seq, own);
        }
        note_action(s, action);
        sim_check_action(s, action);
        see(s, action);
    }
}

/* The journal takes what it keeps. */
static void keep(struct sim *s, struct action *a)
{
    if (s->store == NULL && action_is_durable(a->kind)) {
        actions_add(&s->journal, *a);
        a->kind = ACTION_TICK;
    }
}

static void perform_all(struct sim *s, struct actions *done)
{
    for (size_t i = 0; i < done->n; i++) {
        if (action_is_performed(done->items[i].kind)) {
            sim_worker_perform(s, &done->items[i]);
        }
        keep(s, &done->items[i]);
    }
    actions_fini(done);
}

/* Start what can be started, and commit, unless there is trouble. */
static void settle(struct sim *s)
{
    struct actions done;
    struct err err;
    bool more = true;
    int rc = s->ledger.trouble.code;
    actions_init(&done);
    while (rc == 0 && more) {
        rc = ledger_next(&s->ledger, s->now_ms, s->mono_ms, &more, &err);
    }
    if (rc == 0 && ledger_commit(&s->ledger, &done, &err) != 0) {
        sim_note(s, "nothing is committed");
    }
    s->m = s->ledger.mirror;
    perform_all(s, &done);
}

bool sim_is_in_trouble(const struct sim *s)
{
    return s->ledger.trouble.code != 0;
}

int sim_event(struct sim *s, struct event e)
{
    struct err err;
    e.now_ms = s->now_ms;
    e.mono_ms = s->mono_ms;
    if (e.kind != EVENT_TICK && e.kind != EVENT_PROGRESS) {
        sim_note(
            s, "event %d slot %d study %" PRId64 " trial %" PRId64 "/%" PRId64,
            (int)e.kind, e.slot, e.study, e.id.number, e.id.attempt);
    }
    ledger_keep(&s->ledger, &e);
    if (sim_is_in_trouble(s)) {
        return s->ledger.trouble.code;
    }
    int rc = ledger_turn(&s->ledger, &e, &err);
    s->m = s->ledger.mirror;
    settle(s);
    if (sim_is_in_trouble(s)) {
        sim_check_store(s);
        return s->ledger.trouble.code;
    }
    return rc;
}

/* --- trouble, and the way out of it --------------------------------------- */

/* As recover.c: who works is ended when the words are lost. */
static void end_workers(struct sim *s)
{
    s->seen.losses++;
    sim_note(s, "the words are lost");
    for (int i = 0; i < s->n_slots; i++) {
        enum slot_state state = s->m->slots[i].state;
        struct sim_worker *w = &s->workers[i];
        bool works = state != SLOT_ABSENT && state != SLOT_IDLE;
        /* One that has just come is not the one that worked. */
        w->condemned = w->condemned || (works && w->life != SIM_STARTING);
    }
}

static bool all_are_reaped(const struct sim *s)
{
    bool all = true;
    for (int i = 0; i < s->n_slots; i++) {
        all = all && !s->workers[i].condemned && s->workers[i].life != SIM_DEAD;
    }
    return all;
}

static void announce(struct sim *s)
{
    for (int i = 0; i < s->n_slots; i++) {
        if (s->workers[i].life != SIM_STARTING) {
            sim_event(s, (struct event){.kind = EVENT_SLOT_IDLE, .slot = i});
        }
    }
}

static void recover(struct sim *s)
{
    struct ledger *l = &s->ledger;
    struct actions done;
    struct err err;
    bool was_lost = l->is_lost;
    size_t n_words = l->inbox.n;
    if (was_lost && !all_are_reaped(s)) {
        return;
    }
    actions_init(&done);
    s->fail_in = -1;
    if (sim_chance(s, 0.4)) {
        sim_arm(s, 8);
    }
    sim_note(s, "%zu words are replayed", n_words);
    int rc =
        was_lost ? start_ledger(s, &done, &err) : ledger_replay(l, &done, &err);
    s->m = l->mirror;
    s->fail_in = -1;
    perform_all(s, &done);
    sim_check_store(s);
    if (rc == 0 && was_lost) {
        announce(s);
    } else if (rc == 0) {
        s->seen.replays++;
        s->seen.words += (int64_t)n_words;
    } else if (l->is_lost && !was_lost) {
        end_workers(s);
    } else if (!was_lost && l->inbox.n != n_words) {
        sim_fail(s, "of %zu words %zu are left", n_words, l->inbox.n);
    }
}

/* --- steps ---------------------------------------------------------------- */

static void pass(struct sim *s, int64_t ms)
{
    s->now_ms += ms;
    s->mono_ms += ms;
    if (!s->ledger.is_lost) {
        s->alive_ms = s->now_ms;
        s->lived_ms = s->mono_ms - s->born_ms;
        s->begun_ms = s->born_utc_ms;
    }
    sim_event(s, (struct event){.kind = EVENT_TICK, .slot = -1});
}

/* As sched_wake_ms asks, unless the loop stalls or the wall clock jumps. */
static void some_time(struct sim *s)
{
    int64_t wake = sched_wake_ms(s->m, s->mono_ms);
    if (sim_chance(s, 0.02)) {
        s->now_ms += (int64_t)sim_below(s, 20000000) - 10000000;
    }
    if (sim_chance(s, 0.02)) {
        pass(s, 6000 + sim_below(s, 500000));
    } else if (wake != INT64_MAX) {
        int64_t ms = wake - s->mono_ms;
        pass(s, ms < 1000 ? ms + sim_below(s, 50) : 1000);
    }
}

void sim_step(struct sim *s)
{
    s->n_steps++;
    int slot = (int)sim_below(s, (uint32_t)s->n_slots);
    if (sim_is_in_trouble(s) && sim_below(s, 10) == 0) {
        recover(s);
    }
    uint32_t what = sim_below(s, 1000);
    if (what < 380) {
        sim_worker_act(s, slot);
    } else if (what < 850) {
        sim_worker_deliver(s, slot);
    } else if (what < 950) {
        some_time(s);
    } else if (what < 980) {
        sim_user(s);
    } else if (what < 988) {
        sim_worker_die(s, slot);
    } else if (what < 994) {
        sim_arm(s, 4);
    } else {
        restart(s);
    }
    sim_check(s);
}

static bool is_over(const struct sim *s)
{
    for (size_t i = 0; i < s->m->n_studies; i++) {
        enum study_state state = s->m->studies[i]->state;
        if (!s->m->studies[i]->is_foreign && state != STUDY_FINISHED &&
            state != STUDY_FAILED) {
            return false;
        }
    }
    for (int i = 0; i < s->n_slots; i++) {
        if (s->m->slots[i].state != SLOT_IDLE) {
            return false;
        }
    }
    return true;
}

/* Everybody moves; whether anybody could. */
static bool round_of_all(struct sim *s)
{
    bool moved = false;
    for (int i = 0; i < s->n_slots; i++) {
        struct sim_worker *w = &s->workers[i];
        bool can_work = w->life == SIM_WORKING || w->n_in > 0;
        moved = moved || w->n_out > 0 || w->condemned || w->life == SIM_DEAD ||
                w->life == SIM_STARTING || (can_work && !w->hangs);
        sim_worker_act(s, i);
        while (w->n_out > 0) {
            sim_worker_deliver(s, i);
        }
    }
    return moved;
}

/* Trials that are bound to die may pause their study again. */
static void mend_environment(struct sim *s)
{
    for (size_t i = 0; i < s->m->n_studies; i++) {
        const struct study *study = s->m->studies[i];
        if (study->state == STUDY_PAUSED) {
            sim_event(s, (struct event){.kind = EVENT_RESUME,
                                        .slot = -1,
                                        .study = study->id});
        }
    }
}

void sim_settle(struct sim *s)
{
    enum { ROUNDS = 5000 };
    s->calm = true;
    s->fail_in = -1;
    for (int i = 0; i < ROUNDS && sim_is_in_trouble(s); i++) {
        round_of_all(s);
        recover(s);
    }
    for (size_t i = 0; i < s->m->n_studies; i++) {
        sim_event(s, (struct event){.kind = EVENT_RESUME,
                                    .slot = -1,
                                    .study = s->m->studies[i]->id});
    }
    for (int i = 0; i < ROUNDS && !is_over(s); i++) {
        s->n_steps++;
        /* Longer steps when all is quiet; not so long as to be a stall. */
        pass(s, round_of_all(s) ? 100 : SCHED_STALL_MS - 1000);
        mend_environment(s);
        if (i % 16 == 0) {
            sim_check(s);
        }
    }
    sim_check(s);
    sim_check_store(s);
    for (size_t i = 0; i < s->m->n_studies; i++) {
        const struct study *study = s->m->studies[i];
        if (!study->is_foreign && study->state != STUDY_FINISHED &&
            study->state != STUDY_FAILED) {
            sim_fail(s, "study %" PRId64 " does not end: %s", study->id,
                     study_state_name(study->state));
        }
    }
    if (!is_over(s)) {
        sim_fail(s, "a slot stays away");
    }
}

/* --- life ----------------------------------------------------------------- */

void sim_init(struct sim *s, uint64_t seed, bool with_store)
{
    *s = (struct sim){
        .seed = seed, .now_ms = 1700000000000, .mono_ms = 1000, .fail_in = -1};
    rng_stream(&s->rng, seed, 0, RNG_SHUFFLE, 0);
    s->n_slots = 1 + (int)sim_below(s, SIM_MAX_SLOTS);
    s->compares = seed % 10 == 0;
    actions_init(&s->journal);
    struct err err;
    if (with_store && store_open(":memory:", &s->store, &err) != 0) {
        sim_fail(s, "store_open: %s", err.msg);
    }
    if (sim_below(s, 4) == 0) {
        sim_optuna_was_here(s);
    }
    sim_init_ledger(s);
    restart(s);
    sim_add_study(s);
}

void sim_fini(struct sim *s)
{
    for (int i = 0; i < s->n_slots; i++) {
        sim_worker_reset(&s->workers[i]);
    }
    for (size_t i = 0; i < s->n_files; i++) {
        free(s->files[i].name);
    }
    free(s->files);
    ledger_fini(&s->ledger);
    actions_fini(&s->journal);
    if (s->store != NULL) {
        store_close(s->store);
    }
    if (s->optuna != NULL) {
        store_close(s->optuna);
    }
}
