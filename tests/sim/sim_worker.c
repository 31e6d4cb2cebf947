/* Workers that train by arithmetic: what epoch e of a trial measures is a
 * function of (study, trial, e), so that a resumed training says the same.
 *
 * A word is put into `out` and arrives later; a command is put into `in` and is
 * read later: they cross each other on the way, as on a real channel. */
#include "core/base/mem.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

static uint64_t mark_of(const struct trial_id *id, int64_t epoch)
{
    return mix(mix(mix((uint64_t)id->study) + (uint64_t)id->number) +
               (uint64_t)epoch);
}

static double metric_of(const struct trial_id *id, int64_t epoch)
{
    return (double)(mark_of(id, epoch) % 10) / 10; /* ties on purpose */
}

double sim_constraint_of(int64_t study, int64_t number)
{
    const struct trial_id id = {study, number, 0};
    return (double)(mark_of(&id, 500) % 3) - 1.0;
}

/* What is bound to become of a trial, however often it is tried. */
enum fate { WELL, INVALID, NO_MEMORY, POISON, IS_NAN, IS_INF };

static enum fate fate_of(const struct trial_id *id)
{
    static const enum fate RARE[] = {INVALID, NO_MEMORY, POISON, IS_NAN,
                                     IS_INF};
    uint64_t draw = mark_of(id, 1000) % 25;
    return draw < ARRAY_LEN(RARE) ? RARE[draw] : WELL;
}

/* --- words ---------------------------------------------------------------- */

static struct event *say(struct sim_worker *w, int slot, enum event_kind kind)
{
    struct event *e = &w->out[w->n_out++];
    *e = (struct event){
        .kind = kind, .slot = slot, .study = w->id.study, .id = w->id};
    return e;
}

static void word_fini(struct event *e)
{
    if (e->kind == EVENT_CHECKPOINT) {
        free(e->checkpoint.file.file);
    } else if (e->kind == EVENT_DISCARD) {
        free((char *)e->discard.file);
    }
}

/* The newest file of that name: a name may be written again. */
static struct sim_file *find_file(struct sim *s, const struct trial_id *id,
                                  const char *name)
{
    for (size_t i = s->n_files; i > 0; i--) {
        struct sim_file *f = &s->files[i - 1];
        if (f->study == id->study && f->number == id->number &&
            strcmp(f->name, name) == 0) {
            return f;
        }
    }
    return NULL;
}

static void save(struct sim *s, int slot, bool best, int64_t epoch)
{
    struct sim_worker *w = &s->workers[slot];
    struct event *e = say(w, slot, EVENT_CHECKPOINT);
    char *name = mem_printf("%s-%" PRId64, best ? "best" : "last", epoch);
    e->checkpoint.best = best;
    e->checkpoint.file = (struct study_checkpoint){
        .epoch = epoch, .step = 10 * epoch, .size = 100, .file = name};
    memset(e->checkpoint.file.sha256, 'c', 64);
    s->files = mem_grow(s->files, s->n_files + 1, sizeof(*s->files));
    s->files[s->n_files++] =
        (struct sim_file){w->id.study, w->id.number, mem_strdup(name), false};
}

static void discard(struct sim *s, int slot, bool best, int64_t epoch,
                    const char *why)
{
    struct event *e = say(&s->workers[slot], slot, EVENT_DISCARD);
    e->discard.file = mem_printf("%s-%" PRId64, best ? "best" : "last", epoch);
    e->discard.message = why;
}

/* Is the file of that epoch whole? If not, it is told and of no use. */
static bool can_use(struct sim *s, int slot, bool best, int64_t epoch)
{
    struct sim_worker *w = &s->workers[slot];
    char *name = mem_printf("%s-%" PRId64, best ? "best" : "last", epoch);
    struct sim_file *f = find_file(s, &w->id, name);
    if (f != NULL && sim_chance(s, 0.1)) {
        f->is_damaged = true;
    }
    if (f != NULL && !f->is_damaged) {
        free(name);
        return true;
    }
    free(name);
    discard(s, slot, best, epoch, "damaged");
    return false;
}

/* The epoch to go on with, as resume.c finds it. */
static int64_t find_resume(struct sim *s, int slot, const struct sim_command *c)
{
    const int64_t epochs[] = {c->last, c->previous};
    bool best_is_lost = c->best >= 0 && !can_use(s, slot, true, c->best);
    for (size_t i = 0; i < ARRAY_LEN(epochs); i++) {
        if (epochs[i] >= 0 && best_is_lost && epochs[i] > c->best) {
            discard(s, slot, false, epochs[i], "it counts on the best");
        } else if (epochs[i] >= 0 && can_use(s, slot, false, epochs[i])) {
            return epochs[i];
        }
    }
    if (c->best >= 0 && !best_is_lost) {
        discard(s, slot, true, c->best, "the training starts over");
    }
    return 0;
}

static struct run_metrics metrics_of(const struct trial_id *id, int64_t epoch)
{
    struct run_metrics m;
    for (int i = 0; i < RUN_N_METRICS; i++) {
        m.value[i] = metric_of(id, epoch);
    }
    m.value[RUN_TEST_ACC] = NAN;
    return m;
}

static void report(struct sim_worker *w, int slot, int64_t epoch)
{
    struct event *e = say(w, slot, EVENT_REPORT);
    e->report.epoch = epoch;
    e->report.metrics = metrics_of(&w->id, epoch);
}

static void be_free(struct sim_worker *w)
{
    w->life = SIM_FREE;
    w->is_preparing = w->is_command = false;
    w->id = (struct trial_id){0};
}

static void fail(struct sim_worker *w, int slot, enum trial_cause cause)
{
    struct event *e = say(w, slot, EVENT_FAILED);
    e->failed.cause = cause;
    e->failed.message = "it failed";
    be_free(w);
}

static void tell_constraint(struct sim_worker *w, int slot)
{
    struct event *e = say(w, slot, EVENT_CONSTRAINTS);
    e->constraints.n = 1;
    e->constraints.values[0] = sim_constraint_of(w->id.study, w->id.number);
}

static void done(struct sim_worker *w, int slot)
{
    if (w->is_command) {
        tell_constraint(w, slot);
    }
    struct event *e = say(w, slot, EVENT_DONE);
    double best = -1;
    for (int64_t i = 0; i < w->epoch; i++) {
        double v = metric_of(&w->id, i);
        e->done.best_epoch = v > best ? i : e->done.best_epoch;
        best = v > best ? v : best;
    }
    e->done.memory = (struct trial_memory){
        .peak = 1000 + w->id.number,
        .planned = w->id.number % 3 == 0 ? 0 : 900 + w->id.attempt,
        .of_worker = w->id.number % 2};
    enum fate fate = fate_of(&w->id);
    e->done.value = fate == IS_NAN   ? (double)NAN
                    : fate == IS_INF ? (double)INFINITY
                                     : best;
    be_free(w);
}

/* --- lies ----------------------------------------------------------------- */

static void lie(struct sim *s, int slot)
{
    struct sim_worker *w = &s->workers[slot];
    const struct trial_id honest = w->id;
    w->lied = true;
    uint32_t kind = sim_below(s, 12);
    sim_note(s, "slot %d lies (%u)", slot, kind);
    switch (kind) {
    case 0: /* a gap, or a repeat */
        report(w, slot, w->epoch + 1);
        break;
    case 1:
        report(w, slot, (int64_t)sim_below(s, 7) - 1);
        break;
    case 2: /* about another trial, another attempt */
        w->id.number = sim_below(s, 4);
        done(w, slot);
        w->life = SIM_WORKING;
        break;
    case 3:
        w->id.attempt += (int64_t)sim_below(s, 3) - 1;
        report(w, slot, w->epoch);
        break;
    case 4: /* a file that a resume could not use */
        save(s, slot, false, w->epoch + 10);
        break;
    case 5:
        say(w, slot, EVENT_STOPPED);
        be_free(w);
        return;
    case 6:
        fail(w, slot, (enum trial_cause)sim_below(s, TRIAL_N_CAUSES + 2));
        return;
    case 7: /* other bits than last time, if there was one */
        report(w, slot, w->epoch);
        w->out[w->n_out - 1].report.metrics.value[RUN_VAL_ACC] += 1;
        w->epoch++;
        w->phase = 0;
        break;
    case 8: /* the same word twice */
        if (w->n_out > 0 && w->out[w->n_out - 1].kind == EVENT_REPORT) {
            w->out[w->n_out] = w->out[w->n_out - 1];
            w->n_out++;
        }
        break;
    case 11: /* more constraints than there are, or none that is a number */
        tell_constraint(w, slot);
        w->out[w->n_out - 1].constraints.n += w->is_command;
        w->out[w->n_out - 1].constraints.values[1] = NAN;
        break;
    case 9: /* a preparation that nobody asked for */
        say(w, slot, EVENT_PREPARED);
        break;
    default: /* results from nowhere */
        w->id.study++;
        fail(w, slot, TRIAL_CAUSE_NAN);
        w->life = SIM_WORKING;
        break;
    }
    w->id = honest;
}

/* --- work ----------------------------------------------------------------- */

static bool is_command(const struct study *study)
{
    return study != NULL && study->spec.objective == SPEC_OBJECTIVE_COMMAND;
}

static int64_t n_epochs_of(const struct sim *s, const struct trial_id *id)
{
    const struct study *study = mirror_study(s->m, id->study);
    return study == NULL || is_command(study) ? 2 : study->spec.base.max_epochs;
}

static void train(struct sim *s, int slot)
{
    struct sim_worker *w = &s->workers[slot];
    enum fate fate = fate_of(&w->id);
    struct event *e;
    if (w->epoch >= n_epochs_of(s, &w->id)) {
        done(w, slot);
        return;
    }
    switch (w->phase++) {
    case 0:
        e = say(w, slot, EVENT_PROGRESS);
        e->progress.epoch = w->epoch;
        e->progress.step = ++w->step;
        memcpy(e->progress.phase, "train", sizeof("train"));
        break;
    case 1:
        if (sim_chance(s, 0.02)) {
            fail(w, slot, TRIAL_CAUSE_DATA);
        } else if (fate == INVALID) {
            fail(w, slot, TRIAL_CAUSE_INVALID);
        } else if (fate == NO_MEMORY && w->epoch == 1) {
            fail(w, slot, TRIAL_CAUSE_OOM);
        } else if (fate == POISON && w->epoch == 1) {
            sim_worker_die(s, slot);
        } else if (metric_of(&w->id, w->epoch) > 0.5 && !w->is_command) {
            save(s, slot, true, w->epoch);
        }
        break;
    case 2:
        report(w, slot, w->epoch);
        break;
    default:
        w->epoch++;
        w->phase = 0;
        if (!w->is_command) {
            save(s, slot, false, w->epoch);
        }
        break;
    }
}

static void prepare(struct sim *s, int slot)
{
    struct sim_worker *w = &s->workers[slot];
    if (sim_chance(s, 0.3)) {
        struct event *e = say(w, slot, EVENT_PREPARING);
        e->study = w->study;
        e->preparing = (struct study_preparation){
            "read", "rows", (int64_t)sim_below(s, 9), 9, 0};
        return;
    }
    struct event *e = say(w, slot, EVENT_PREPARED);
    e->study = w->study;
    if (sim_chance(s, 0.05)) {
        e->kind = EVENT_PREPARE_FAILED;
        e->prepare_failed.message = "no network";
    } else {
        e->prepared = (struct study_data){"", 2, 8, 1, 1};
        memset(e->prepared.sha256, sim_chance(s, 0.05) ? 'b' : 'a', 64);
    }
    be_free(w);
}

static void obey(struct sim *s, int slot)
{
    struct sim_worker *w = &s->workers[slot];
    struct sim_command c = w->in[0];
    memmove(&w->in[0], &w->in[1], (size_t)--w->n_in * sizeof(c));
    if (c.kind == SIM_STOP) {
        bool mine = w->life == SIM_WORKING && c.id.study == w->id.study &&
                    c.id.number == w->id.number &&
                    c.id.attempt == w->id.attempt;
        if (mine && c.keep && w->phase < 3 && !w->is_command &&
            sim_chance(s, 0.7)) {
            save(s, slot, false, w->epoch);
        }
        if (mine) {
            say(w, slot, EVENT_STOPPED);
            be_free(w);
        }
        return;
    }
    if (w->life != SIM_FREE && !w->lied) {
        sim_fail(s, "slot %d is given work while it works", slot);
    }
    if (w->life != SIM_FREE) {
        sim_worker_die(s, slot); /* it had said that it was done */
        return;
    }
    w->life = SIM_WORKING;
    w->is_preparing = c.kind == SIM_PREPARE;
    w->is_command = is_command(mirror_study(s->m, c.study));
    w->study = c.study;
    w->id = c.id;
    w->phase = 0;
    w->epoch = !w->is_preparing && !sim_chance(s, 0.05)
                   ? find_resume(s, slot, &c)
                   : 0; /* or from the beginning, without a word */
}

/* --- life ----------------------------------------------------------------- */

void sim_worker_reset(struct sim_worker *w)
{
    for (int i = 0; i < w->n_out; i++) {
        word_fini(&w->out[i]);
    }
    *w = (struct sim_worker){.life = SIM_STARTING};
}

/* What was on its way may still arrive, up to some word. */
void sim_worker_die(struct sim *s, int slot)
{
    struct sim_worker *w = &s->workers[slot];
    if (w->life == SIM_DEAD || w->life == SIM_STARTING) {
        return;
    }
    int arrives = w->n_out > 0 && sim_below(s, 2) == 0
                      ? (int)sim_below(s, (uint32_t)w->n_out)
                      : w->n_out;
    while (w->n_out > arrives) {
        word_fini(&w->out[--w->n_out]);
    }
    w->life = SIM_DEAD;
    sim_note(s, "slot %d dies", slot);
    s->seen.deaths++;
}

static void bury(struct sim *s, int slot)
{
    static const enum trial_cause CAUSES[] = {
        TRIAL_CAUSE_SIGNAL, TRIAL_CAUSE_EXIT, TRIAL_CAUSE_LOST,
        TRIAL_CAUSE_OOM,    TRIAL_CAUSE_HANG, TRIAL_CAUSE_PROTOCOL};
    uint32_t which = s->calm ? 0 : sim_below(s, ARRAY_LEN(CAUSES));
    sim_worker_reset(&s->workers[slot]);
    sim_event(s, (struct event){.kind = EVENT_SLOT_GONE,
                                .slot = slot,
                                .gone = {CAUSES[which], "last words"}});
}

void sim_worker_act(struct sim *s, int slot)
{
    struct sim_worker *w = &s->workers[slot];
    bool full = w->n_out > SIM_MAX_WORDS - 8;
    if (w->life == SIM_DEAD) {
        if (w->n_out == 0) {
            bury(s, slot);
        }
    } else if (w->condemned || sim_chance(s, 0.01)) {
        sim_worker_die(s, slot);
    } else if (w->life == SIM_STARTING) {
        w->life = SIM_FREE;
        sim_event(s, (struct event){.kind = EVENT_SLOT_IDLE, .slot = slot});
    } else if (w->hangs || full) {
        return;
    } else if (w->n_in > 0) {
        obey(s, slot);
    } else if (w->life == SIM_WORKING && w->is_preparing) {
        prepare(s, slot);
    } else if (w->life == SIM_WORKING) {
        w->hangs = sim_chance(s, 0.005);
        if (sim_chance(s, 0.02)) {
            lie(s, slot);
        } else {
            train(s, slot);
        }
    }
}

static bool ends_work(enum event_kind kind)
{
    return kind == EVENT_PREPARED || kind == EVENT_PREPARE_FAILED ||
           kind == EVENT_DONE || kind == EVENT_FAILED || kind == EVENT_STOPPED;
}

void sim_worker_deliver(struct sim *s, int slot)
{
    struct sim_worker *w = &s->workers[slot];
    if (w->n_out == 0) {
        return;
    }
    struct event e = w->out[0];
    memmove(&w->out[0], &w->out[1], (size_t)--w->n_out * sizeof(e));
    int64_t lives = s->seen.restarts;
    sim_event(s, e);
    /* perform.c says so after every such word, believed or not. */
    if (ends_work(e.kind) && lives == s->seen.restarts) {
        sim_event(s, (struct event){.kind = EVENT_SLOT_IDLE, .slot = slot});
    }
    word_fini(&e);
}

/* --- what the daemon does to them ----------------------------------------- */

static void remove_file(struct sim *s, const struct action *a)
{
    for (size_t i = s->n_files; i > 0; i--) {
        struct sim_file *f = &s->files[i - 1];
        if (f->study == a->study && f->number == a->number &&
            strcmp(f->name, a->remove_file.file) == 0) {
            free(f->name);
            *f = s->files[--s->n_files];
        }
    }
}

void sim_worker_perform(struct sim *s, const struct action *a)
{
    if (a->kind == ACTION_REMOVE_FILE) {
        remove_file(s, a);
        return;
    }
    if (a->kind == ACTION_DELETE_STUDY) {
        return; /* its folder may outlive it until the next sweep */
    }
    struct sim_worker *w = &s->workers[a->slot];
    const struct study_trial *t = mirror_trial(s->m, a->study, a->number);
    struct sim_command c = {.study = a->study,
                            .id = {a->study, a->number, a->attempt},
                            .last = -1,
                            .previous = -1,
                            .best = -1};
    switch (a->kind) {
    case ACTION_KILL:
        w->condemned = true;
        return;
    case ACTION_PREPARE:
        c.kind = SIM_PREPARE;
        break;
    case ACTION_ASSIGN:
        c.kind = SIM_ASSIGN;
        c.last = t->last != NULL ? t->last->epoch : -1;
        c.previous = t->previous != NULL ? t->previous->epoch : -1;
        c.best = t->best != NULL ? t->best->epoch : -1;
        break;
    default: /* ACTION_STOP */
        c.kind = SIM_STOP;
        c.keep = a->stop.keep;
        break;
    }
    if (w->n_in < SIM_MAX_WORDS) {
        w->in[w->n_in++] = c;
    }
}
