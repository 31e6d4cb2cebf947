/* The daemon's loop (daemon.c's: decide, commit, apply, perform, and again
 * until nothing starts), and its deaths. */
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

/* --- the store ------------------------------------------------------------ */

struct mirror *sim_load(struct sim *s)
{
    struct mirror *m = mirror_new(s->n_slots);
    if (s->store != NULL) {
        struct err err;
        if (store_load(s->store, m, &err) != 0) {
            sim_fail(s, "store_load: %s", err.msg);
        }
        return m;
    }
    for (size_t i = 0; i < s->journal.n; i++) {
        mirror_apply(m, &s->journal.items[i]);
    }
    return m;
}

static bool any_durable(const struct actions *a)
{
    bool any = false;
    for (size_t i = 0; i < a->n; i++) {
        any = any || action_is_durable(a->items[i].kind);
    }
    return any;
}

/* The journal takes what it keeps; what is left behind owns nothing. A row
 * knows no monotonic time. */
static void keep(struct sim *s, struct action *a)
{
    if (s->store == NULL && action_is_durable(a->kind)) {
        actions_add(&s->journal, *a)->mono_ms = 0;
        a->kind = ACTION_TICK;
    }
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

static bool carry_out(struct sim *s, struct actions *a);

static void decide_quietly(struct sim *s, struct event e)
{
    struct actions a;
    struct err err;
    actions_init(&a);
    e.now_ms = s->now_ms;
    e.mono_ms = s->mono_ms;
    if (sched_decide(s->m, &e, &a, &err) != 0) {
        sim_fail(s, "recovery: %s", err.msg);
    }
    carry_out(s, &a);
    actions_fini(&a);
}

/* Stops half way when it is unlucky: the next life finishes it. */
static bool hand_back_orphans(struct sim *s)
{
    decide_quietly(s, (struct event){.kind = EVENT_START, .slot = -1});
    for (size_t i = 0; i < s->m->n_studies; i++) {
        const struct study *study = s->m->studies[i];
        for (size_t k = 0; k < study->n_trials; k++) {
            const struct study_trial *t = study->trials[k];
            if (t->state != TRIAL_RUNNING) {
                continue;
            }
            if (sim_chance(s, 0.1)) {
                return false;
            }
            struct event e = {.kind = EVENT_ORPHAN, .slot = -1};
            e.id = (struct trial_id){study->id, t->number, t->attempt};
            decide_quietly(s, e);
        }
    }
    return true;
}

static void restart(struct sim *s)
{
    s->fail_commit = false;
    do {
        s->seen.restarts++;
        sim_note(s, "the daemon starts anew");
        for (int i = 0; i < s->n_slots; i++) {
            sim_worker_reset(&s->workers[i]);
        }
        s->now_ms += sim_below(s, 100000);
        s->mono_ms = sim_below(s, 2) == 0 ? 1 : s->mono_ms + 1000;
        mirror_free(s->m);
        s->m = sim_load(s);
        sweep(s);
    } while (!hand_back_orphans(s));
    sim_check_store(s);
    sim_check_rows(s);
}

/* --- decide, commit, apply, perform --------------------------------------- */

static void see(struct sim *s, const struct action *a)
{
    s->seen.attempts += a->kind == ACTION_START_TRIAL;
    s->seen.trials += a->kind == ACTION_ADD_TRIAL;
    if (a->kind != ACTION_ADD_STUDY) {
        return;
    }
    int i = 0;
    while (i < s->n_studies && s->studies[i].id != a->study) {
        i++;
    }
    s->n_studies = i == s->n_studies ? i + 1 : s->n_studies;
    struct sim_study *known = &s->studies[i];
    *known = (struct sim_study){.id = a->study};
    for (int k = 0; k < SIM_MAX_TRIALS; k++) {
        known->params[k][0] = NAN;
        known->finals[k] = TRIAL_WAITING;
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

/* False when the commit failed: nothing was applied, and a new life began. */
static bool carry_out(struct sim *s, struct actions *a)
{
    struct err err;
    bool durable = any_durable(a);
    if (durable && s->fail_commit) {
        sim_note(s, "the commit fails");
        s->seen.failed_commits++;
        sim_check_store(s);
        restart(s);
        return false;
    }
    if (durable && s->store != NULL &&
        store_commit(s->store, s->m, a, &err) != 0) {
        sim_fail(s, "store_commit: %s", err.msg);
    }
    for (size_t i = 0; i < a->n; i++) {
        note_action(s, &a->items[i]);
        see(s, &a->items[i]);
        mirror_apply(s->m, &a->items[i]);
        if (action_is_performed(a->items[i].kind)) {
            sim_worker_perform(s, &a->items[i]);
        }
        keep(s, &a->items[i]);
    }
    return true;
}

static void check_actions(struct sim *s, const struct actions *a)
{
    int64_t seq = s->m->next_seq;
    for (size_t i = 0; i < a->n; i++) {
        const struct action *action = &a->items[i];
        int64_t own = action_is_durable(action->kind) ? seq++ : 0;
        if (action->seq != own) {
            sim_fail(s, "%s has sequence number %" PRId64 ", not %" PRId64,
                     action_name(action->kind), action->seq, own);
        }
        if (!s->fail_commit) {
            sim_check_action(s, action);
        }
    }
}

static bool start_one(struct sim *s)
{
    struct actions a;
    actions_init(&a);
    sched_next(s->m, s->now_ms, s->mono_ms, &a);
    check_actions(s, &a);
    bool more = a.n > 0 && carry_out(s, &a);
    actions_fini(&a);
    return more;
}

int sim_event(struct sim *s, struct event e)
{
    struct actions a;
    struct err err;
    actions_init(&a);
    e.now_ms = s->now_ms;
    e.mono_ms = s->mono_ms;
    if (e.kind != EVENT_TICK && e.kind != EVENT_PROGRESS) {
        sim_note(
            s, "event %d slot %d study %" PRId64 " trial %" PRId64 "/%" PRId64,
            (int)e.kind, e.slot, e.study, e.id.number, e.id.attempt);
    }
    int rc = sched_decide(s->m, &e, &a, &err);
    if (rc != 0 && a.n != 0) {
        sim_fail(s, "an error and actions: %s", err.msg);
    }
    if (rc == 0) {
        check_actions(s, &a);
        carry_out(s, &a);
    }
    actions_fini(&a);
    while (start_one(s)) {
    }
    return rc;
}

/* --- steps ---------------------------------------------------------------- */

static void pass(struct sim *s, int64_t ms)
{
    s->now_ms += ms;
    s->mono_ms += ms;
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
        s->fail_commit = true;
    } else {
        restart(s);
    }
    sim_check(s);
}

static bool is_over(const struct sim *s)
{
    for (size_t i = 0; i < s->m->n_studies; i++) {
        enum study_state state = s->m->studies[i]->state;
        if (state != STUDY_FINISHED && state != STUDY_FAILED) {
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
    s->fail_commit = false;
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
        if (study->state != STUDY_FINISHED && study->state != STUDY_FAILED) {
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
    *s = (struct sim){.seed = seed, .now_ms = 1700000000000, .mono_ms = 1000};
    rng_stream(&s->rng, seed, 0, RNG_SHUFFLE, 0);
    s->n_slots = 1 + (int)sim_below(s, SIM_MAX_SLOTS);
    s->compares = seed % 10 == 0;
    actions_init(&s->journal);
    s->m = mirror_new(s->n_slots);
    struct err err;
    if (with_store && store_open(":memory:", &s->store, &err) != 0) {
        sim_fail(s, "store_open: %s", err.msg);
    }
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
    actions_fini(&s->journal);
    mirror_free(s->m);
    if (s->store != NULL) {
        store_close(s->store);
    }
}
