#include "tests/lib/fix_store.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/history.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STUDIES = 4, MAX_TRIALS = 40 };

void fix_store_spec(struct spec *out, const char *name)
{
    static const char CONFIG[] =
        "{\"study\": \"%s\", \"n_trials\": 30, \"seed\": 7,"
        " \"objective\": {\"metric\": \"val-acc\", \"direction\": \"maximize\","
        "  \"of\": \"best\"},"
        " \"data\": {\"source\": \"/data/x.jsonl\", \"text\": \"t\","
        "  \"label\": \"l\"},"
        " \"model\": {\"emb_dim\": {\"choice\": [64, 128, 256]},"
        "  \"mask\": {\"choice\": [\"padding\", \"notebook\"]},"
        "  \"max_len\": {\"int\": [50, 350], \"step\": 50},"
        "  \"dropout\": {\"float\": [0, 0.5], \"step\": 0.1}},"
        " \"training\": {\"lr\": {\"float\": [1e-5, 1e-3], \"log\": true}}}";
    struct err err;
    char *text = mem_printf(CONFIG, name);
    ck_assert_msg(spec_parse(text, strlen(text), out, &err) == 0, "%s",
                  err.msg);
    free(text);
}

/* --- actions -------------------------------------------------------------- */

static int64_t next_seq(const struct fix_store *f, const struct actions *out)
{
    int64_t seq = f->mirror->next_seq;
    for (size_t i = 0; i < out->n; i++) {
        seq = out->items[i].seq >= seq ? out->items[i].seq + 1 : seq;
    }
    return seq;
}

struct action *fix_store_add(struct fix_store *f, struct actions *out,
                             enum action_kind kind, int64_t study,
                             int64_t number)
{
    f->now_ms += 1 + rng_below(&f->rng, 5000);
    struct action a = {.kind = kind,
                       .seq = next_seq(f, out),
                       .at_ms = f->now_ms,
                       .study = study,
                       .number = number,
                       .slot = -1};
    const struct study_trial *t = mirror_trial(f->mirror, study, number);
    a.attempt = t != NULL ? t->attempt : 0;
    return actions_add(out, a);
}

struct action *fix_store_add_study(struct fix_store *f, struct actions *out,
                                   const char *name)
{
    struct action *a =
        fix_store_add(f, out, ACTION_ADD_STUDY, f->mirror->next_study_id, -1);
    a->add_study.spec = mem_alloc(1, sizeof(struct spec));
    fix_store_spec(a->add_study.spec, name);
    return a;
}

/* What the list adds before its place: numbers and ids go on from there. */
static int64_t n_added(const struct actions *out, int64_t study)
{
    int64_t n = 0;
    for (size_t i = 0; i < out->n; i++) {
        n += out->items[i].kind == ACTION_ADD_TRIAL &&
             (study == 0 || out->items[i].study == study);
    }
    return n;
}

struct action *fix_store_add_trial(struct fix_store *f, struct actions *out,
                                   int64_t study, const double *fixed)
{
    const struct study *s = mirror_study(f->mirror, study);
    int64_t number = s != NULL ? (int64_t)s->n_trials : 0;
    int64_t id = f->mirror->next_trial_id + n_added(out, 0);
    number += n_added(out, study);
    struct action *a = fix_store_add(f, out, ACTION_ADD_TRIAL, study, number);
    a->add_trial.trial_id = id;
    a->add_trial.fixed = NULL;
    if (fixed != NULL) {
        size_t n = s->spec.space.n;
        a->add_trial.fixed = mem_alloc(n, sizeof(double));
        memcpy(a->add_trial.fixed, fixed, n * sizeof(double));
    }
    return a;
}

static double point(struct fix_store *f, const struct dist *d)
{
    if (d->kind == DIST_FLOAT && d->step <= 0) {
        return d->low + (d->high - d->low) * rng_double(&f->rng);
    }
    double step = d->kind == DIST_CATEGORICAL ? 1 : d->step;
    double high =
        d->kind == DIST_CATEGORICAL ? (double)d->n_choices - 1 : d->high;
    double low = d->kind == DIST_CATEGORICAL ? 0 : d->low;
    uint32_t n = (uint32_t)((high - low) / step + 1.5);
    return low + step * rng_below(&f->rng, n);
}

struct action *fix_store_start(struct fix_store *f, struct actions *out,
                               int64_t study, int64_t number)
{
    struct spec spec;
    const struct study *s = mirror_study(f->mirror, study);
    const struct study_trial *t = mirror_trial(f->mirror, study, number);
    struct action *a = fix_store_add(f, out, ACTION_START_TRIAL, study, number);
    a->attempt = t != NULL ? t->attempt + 1 : 1;
    a->start_trial.values = NULL;
    if (a->attempt == 1) {
        fix_store_spec(&spec, "x");
        const struct space *space = s != NULL ? &s->spec.space : &spec.space;
        a->start_trial.values = mem_alloc(space->n, sizeof(double));
        for (size_t i = 0; i < space->n; i++) {
            bool is_fixed =
                t != NULL && t->fixed != NULL && !isnan(t->fixed[i]);
            a->start_trial.values[i] =
                is_fixed ? t->fixed[i] : point(f, &space->params[i].dist);
        }
        spec_fini(&spec);
    }
    return a;
}

static double metric(struct fix_store *f)
{
    static const double ODD[] = {
        0.0,       1.0,    (double)NAN,           INFINITY,
        -INFINITY, 5e-324, 1.7976931348623157e308};
    return rng_below(&f->rng, 4) == 0 ? ODD[rng_below(&f->rng, 7)]
                                      : rng_double(&f->rng);
}

struct action *fix_store_report(struct fix_store *f, struct actions *out,
                                int64_t study, int64_t number)
{
    const struct study_trial *t = mirror_trial(f->mirror, study, number);
    struct action *a = fix_store_add(f, out, ACTION_REPORT, study, number);
    a->report.epoch = t != NULL ? (int64_t)t->n_reports : 0;
    a->report.attempt = t != NULL ? t->attempt : 1;
    a->attempt = a->report.attempt;
    for (int i = 0; i < RUN_N_METRICS; i++) {
        a->report.metrics.value[i] = metric(f);
    }
    return a;
}

struct action *fix_store_finish(struct fix_store *f, struct actions *out,
                                int64_t study, int64_t number,
                                enum trial_state state, double value)
{
    const struct study_trial *t = mirror_trial(f->mirror, study, number);
    struct action *a =
        fix_store_add(f, out, ACTION_FINISH_TRIAL, study, number);
    a->attempt = t != NULL ? t->attempt : 1;
    a->end.state = state;
    a->end.cause = state == TRIAL_FAIL ? TRIAL_CAUSE_OOM : TRIAL_CAUSE_NONE;
    a->end.message =
        state == TRIAL_FAIL ? mem_strdup("out of m\xc3\xa9mory \"x\"") : NULL;
    a->end.value = value;
    a->end.best_epoch = t != NULL ? (int64_t)t->n_reports - 1 : -1;
    a->end.place = state == TRIAL_FAIL ? 3 : -1;
    a->end.n_at_place = state == TRIAL_FAIL ? 2 : 0;
    a->end.ended_ms = a->at_ms;
    return a;
}

/* --- random decisions ----------------------------------------------------- */

static void set_study(struct fix_store *f, struct actions *out,
                      const struct study *s)
{
    struct action *a = fix_store_add(f, out, ACTION_SET_STUDY, s->id, -1);
    a->set_study.state = (enum study_state)rng_below(&f->rng, STUDY_N_STATES);
    a->set_study.reason =
        rng_below(&f->rng, 2) != 0 ? mem_strdup("because") : NULL;
    a->set_study.active_ms = s->active_ms + 5;
    a->set_study.running_since_ms =
        a->set_study.state == STUDY_RUNNING ? a->at_ms : 0;
}

static void enqueue(struct fix_store *f, struct actions *out,
                    const struct study *s)
{
    double values[16];
    ck_assert_uint_le(s->spec.space.n, 16);
    for (size_t i = 0; i < s->spec.space.n; i++) {
        values[i] = rng_below(&f->rng, 2) != 0
                        ? point(f, &s->spec.space.params[i].dist)
                        : (double)NAN;
    }
    fix_store_add_trial(f, out, s->id, values);
}

static void set_importances(struct fix_store *f, struct actions *out,
                            const struct study *s)
{
    struct action *a = fix_store_add(f, out, ACTION_SET_IMPORTANCES, s->id, -1);
    size_t n = 1 + rng_below(&f->rng, 3);
    a->importances.evaluator =
        (enum importance_evaluator)rng_below(&f->rng, IMPORTANCE_N_EVALUATORS);
    a->importances.list.items = mem_alloc(n, sizeof(struct importance));
    a->importances.list.n = n;
    a->importances.list.n_trials = rng_below(&f->rng, 100);
    for (size_t i = 0; i < n; i++) {
        a->importances.list.items[i] =
            (struct importance){mem_printf("p%zu", i), 1.0 / (double)(i + 2)};
    }
}

static void of_study(struct fix_store *f, struct actions *out,
                     const struct study *s)
{
    struct action *a;
    switch (rng_below(&f->rng, 12)) {
    case 0:
        set_study(f, out, s);
        break;
    case 1:
        a = fix_store_add(f, out, ACTION_SET_TARGET, s->id, -1);
        a->set_target.n_trials = 1 + rng_below(&f->rng, 1000);
        break;
    case 2:
        a = fix_store_add(f, out, ACTION_SET_DATA, s->id, -1);
        a->set_data = (struct study_data){
            .n_classes = 3, .n_train = 80, .n_val = 10, .n_test = 10};
        memset(a->set_data.sha256, 'a', 64);
        break;
    case 3:
        if (rng_below(&f->rng, 4) == 0) {
            fix_store_add(f, out, ACTION_DELETE_STUDY, s->id, -1);
        }
        break;
    case 6:
        set_importances(f, out, s);
        break;
    case 4:
    case 5:
        enqueue(f, out, s);
        break;
    default:
        if (s->n_trials < MAX_TRIALS) {
            fix_store_add_trial(f, out, s->id, NULL);
        }
        break;
    }
}

static void put_checkpoint(struct fix_store *f, struct actions *out,
                           const struct study *s, const struct study_trial *t)
{
    struct action *a =
        fix_store_add(f, out, ACTION_CHECKPOINT, s->id, t->number);
    a->checkpoint.best = rng_below(&f->rng, 2) != 0;
    a->checkpoint.shifts =
        !a->checkpoint.best && t->last != NULL && rng_below(&f->rng, 3) > 0;
    a->checkpoint.file = (struct study_checkpoint){
        .epoch = (int64_t)t->n_reports,
        .step = rng_below(&f->rng, 1000),
        .size = 12345,
        .file = mem_printf("%s-%u.ckpt", a->checkpoint.best ? "best" : "last",
                           rng_below(&f->rng, 1000))};
    memset(a->checkpoint.file.sha256, 'b', 64);
}

static void end_attempt(struct fix_store *f, struct actions *out,
                        const struct study *s, const struct study_trial *t)
{
    struct action *a =
        fix_store_add(f, out, ACTION_END_ATTEMPT, s->id, t->number);
    a->end.state = TRIAL_WAITING;
    a->end.cause = TRIAL_CAUSE_SIGNAL;
    a->end.message = mem_strdup("killed by signal 9");
    a->end.value = NAN;
    a->end.best_epoch = -1;
    a->end.place = (int64_t)t->n_reports;
    a->end.n_at_place = 1;
    a->end.ended_ms = a->at_ms;
}

static void finish(struct fix_store *f, struct actions *out,
                   const struct study *s, const struct study_trial *t)
{
    static const enum trial_state FINAL[] = {TRIAL_COMPLETE, TRIAL_COMPLETE,
                                             TRIAL_PRUNED, TRIAL_FAIL};
    enum trial_state state = FINAL[rng_below(&f->rng, 4)];
    double value = state == TRIAL_FAIL ? (double)NAN : metric(f);
    if (state == TRIAL_COMPLETE && isnan(value)) {
        value = 0.5;
    }
    struct action *a = fix_store_finish(f, out, s->id, t->number, state, value);
    a->end.memory = (struct trial_memory){
        .peak = (int64_t)rng_below(&f->rng, 3) * (INT64_MAX / 2),
        .planned = 1000 * (int64_t)rng_below(&f->rng, 3),
        .of_worker = rng_below(&f->rng, 2)};
}

static void pass_rung(struct fix_store *f, struct actions *out,
                      const struct study *s, const struct study_trial *t)
{
    size_t n;
    (void)history_rungs(s->history, t->number, &n);
    double value = metric(f);
    struct action *a = fix_store_add(f, out, ACTION_RUNG, s->id, t->number);
    a->rung.rung = (int64_t)n;
    a->rung.value = isnan(value) ? INFINITY : value;
}

static void rewind_it(struct fix_store *f, struct actions *out,
                      const struct study *s, const struct study_trial *t)
{
    struct action *a = fix_store_add(f, out, ACTION_REWIND, s->id, t->number);
    a->rewind.step = rng_below(&f->rng, 2) * (int64_t)t->n_reports / 2;
}

static void tell_constraints(struct fix_store *f, struct actions *out,
                             const struct study *s, const struct study_trial *t)
{
    struct action *a =
        fix_store_add(f, out, ACTION_CONSTRAINTS, s->id, t->number);
    a->constraints.n = 1 + rng_below(&f->rng, 2);
    a->constraints.values[0] = rng_double(&f->rng) - 0.5;
    a->constraints.values[1] = INFINITY;
}

static void of_trial(struct fix_store *f, struct actions *out,
                     const struct study *s, const struct study_trial *t)
{
    if (t->state == TRIAL_WAITING) {
        fix_store_start(f, out, s->id, t->number);
    } else if (t->state == TRIAL_FAIL) {
        fix_store_add(f, out, ACTION_RETRY_TRIAL, s->id, t->number);
    } else if (t->state == TRIAL_RUNNING) {
        switch (rng_below(&f->rng, 11)) {
        case 10:
            rewind_it(f, out, s, t);
            break;
        case 9:
            tell_constraints(f, out, s, t);
            break;
        case 8:
            pass_rung(f, out, s, t);
            break;
        case 0:
            end_attempt(f, out, s, t);
            break;
        case 1:
        case 2:
            finish(f, out, s, t);
            break;
        case 3:
            fix_store_add(f, out, ACTION_FLAG_TRIAL, s->id, t->number);
            break;
        case 4:
            put_checkpoint(f, out, s, t);
            break;
        default:
            fix_store_report(f, out, s->id, t->number);
            break;
        }
    }
}

static void one(struct fix_store *f, struct actions *out)
{
    const struct mirror *m = f->mirror;
    if (m->n_studies == 0 ||
        (m->n_studies < MAX_STUDIES && rng_below(&f->rng, 40) == 0)) {
        char name[40];
        snprintf(name, sizeof(name), "study-%lld", (long long)m->next_study_id);
        fix_store_add_study(f, out, name);
        return;
    }
    const struct study *s =
        m->studies[rng_below(&f->rng, (uint32_t)m->n_studies)];
    if (s->n_trials == 0 || rng_below(&f->rng, 6) == 0) {
        of_study(f, out, s);
        return;
    }
    of_trial(f, out, s, s->trials[rng_below(&f->rng, (uint32_t)s->n_trials)]);
}

/* May the second action follow the first in one decision, though both were
 * made for the mirror as it was before? When they concern different trials. */
static bool clashes(const struct actions *out, size_t from)
{
    const struct action *b = &out->items[from];
    for (size_t i = 0; i < from; i++) {
        const struct action *a = &out->items[i];
        bool same_trial = a->study == b->study && a->number == b->number;
        if (same_trial || a->kind == ACTION_DELETE_STUDY ||
            b->kind == ACTION_DELETE_STUDY || a->kind == ACTION_ADD_STUDY ||
            b->kind == ACTION_ADD_STUDY) {
            return true;
        }
    }
    return false;
}

void fix_store_random(struct fix_store *f, struct actions *out)
{
    uint32_t n = 1 + rng_below(&f->rng, 4);
    while (out->n < n) {
        size_t before = out->n;
        one(f, out);
        if (out->n > before && clashes(out, before)) {
            action_fini(&out->items[before]);
            out->n = before;
            return;
        }
    }
}
