/* The users of a simulated daemon: what they ask for, in any order. */
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *pick_pruner(struct sim *s)
{
    static const char *const PRUNERS[] = {
        "{}", "{\"type\":\"median\",\"n_startup_trials\":1}",
        "{\"type\":\"asha\",\"reduction_factor\":2}",
        "{\"type\":\"hyperband\",\"reduction_factor\":2,"
        "\"max_resource\":4}",
        "{\"type\":\"patient\",\"patience\":0,\"wrapped\":\"threshold\","
        "\"lower\":0.5}"};
    return PRUNERS[sim_below(s, ARRAY_LEN(PRUNERS))];
}

/* What it does and searches: our training, or a command with a constraint. */
static char *pick_work(struct sim *s, const char *direction)
{
    if (sim_below(s, 3) == 0) {
        return mem_printf(
            "\"objective\":{\"type\":\"command\",\"direction\":\"%s\","
            "\"command\":[\"x\"],\"constraints\":[\"room\"]},"
            "\"params\":{\"dropout\":{\"float\":[0,0.5]},"
            "\"batch_size\":{\"choice\":[8,16]},"
            "\"lr\":{\"float\":[1e-5,1e-3],\"log\":true}}",
            direction);
    }
    return mem_printf("\"objective\":{\"direction\":\"%s\"},"
                      "\"data\":{\"source\":\"/d.jsonl\"},"
                      "\"model\":{\"dropout\":{\"float\":[0,0.5]}},"
                      "\"training\":{\"max_epochs\":%u,"
                      "\"batch_size\":{\"choice\":[8,16]},"
                      "\"lr\":{\"float\":[1e-5,1e-3],\"log\":true}}",
                      direction, 1 + sim_below(s, 4));
}

static void pick_spec(struct sim *s, const char *name, const char *direction,
                      int64_t n_trials, struct spec *spec)
{
    char *work = pick_work(s, direction);
    char *text = mem_printf(
        "{\"study\":\"%s\",\"n_trials\":%" PRId64 ",\"seed\":%u,"
        "\"workers\":%u,\"sampler\":{\"type\":\"%s\","
        "\"n_startup_trials\":2},\"pruner\":%s,"
        "\"stop\":{\"max_failures\":%u,\"value\":%s,\"hours\":%s},%s}",
        name, n_trials, sim_below(s, 1000), sim_below(s, 3),
        sim_below(s, 2) == 0 ? "random" : "tpe", pick_pruner(s),
        1 + sim_below(s, 4), sim_below(s, 4) == 0 ? "0.8" : "null",
        sim_below(s, 5) == 0 ? "0.05" : "null", work);
    struct err err;
    if (spec_parse(text, strlen(text), spec, &err) != 0) {
        sim_fail(s, "%s: %s", err.msg, text);
    }
    free(work);
    free(text);
}

void sim_add_study(struct sim *s)
{
    if (s->n_studies == SIM_MAX_STUDIES || s->m->n_studies >= 3) {
        return;
    }
    struct spec spec;
    char name[8];
    snprintf(name, sizeof(name), "s%u", sim_below(s, 4));
    pick_spec(s, name, sim_below(s, 2) == 0 ? "minimize" : "maximize",
              1 + sim_below(s, 6), &spec);
    sim_event(s, (struct event){.kind = EVENT_ADD_STUDY,
                                .slot = -1,
                                .add_study = {&spec}});
    spec_fini(&spec);
}

/* Optuna's study goes on here; sometimes it is to no end, and refused. */
static void adopt(struct sim *s, const struct study *study)
{
    struct spec spec;
    pick_spec(s, study->spec.name,
              study->spec.direction == SPEC_MAXIMIZE ? "maximize" : "minimize",
              1 + study_n_finished(study) + sim_below(s, 5), &spec);
    sim_event(s, (struct event){.kind = EVENT_ADOPT,
                                .slot = -1,
                                .study = study->id,
                                .add_study = {&spec}});
    spec_fini(&spec);
}

static void enqueue(struct sim *s, int64_t study)
{
    double values[SIM_N_PARAMS] = {0.25, NAN, NAN};
    if (sim_below(s, 4) == 0) {
        values[2] = 5e-4;
    }
    if (sim_below(s, 8) == 0) {
        values[0] = INFINITY;
    }
    sim_event(s, (struct event){.kind = EVENT_ENQUEUE,
                                .slot = -1,
                                .study = study,
                                .enqueue = {values}});
}

/* One choice more, and other limits; sometimes what must be refused. */
static void change(struct sim *s, const struct study *study)
{
    struct spec spec;
    if (study->is_foreign) {
        return; /* its config is adopted, not changed */
    }
    spec_copy(&spec, &study->spec);
    struct dist *d = &spec.space.params[SIM_CHOICE].dist;
    if (d->n_choices < 5) {
        d->choices =
            mem_grow(d->choices, d->n_choices + 1, sizeof(*d->choices));
        d->choices[d->n_choices] = (struct choice){
            .kind = CHOICE_INT, .number = 8.0 * (double)(d->n_choices + 1)};
        d->high = (double)d->n_choices++;
    }
    spec.n_trials = 1 + sim_below(s, 10);
    spec.workers = sim_below(s, 3);
    spec.base.seed += sim_below(s, 8) == 0;
    bool is_other = spec.base.seed != study->spec.base.seed;
    int rc = sim_event(s, (struct event){.kind = EVENT_CHANGE,
                                         .slot = -1,
                                         .study = study->id,
                                         .add_study = {&spec}});
    if (is_other && rc == 0) {
        sim_fail(s, "another seed was accepted");
    }
    s->seen.changes += rc == 0;
    spec_fini(&spec);
}

void sim_user(struct sim *s)
{
    s->seen.users++;
    if (s->m->n_studies == 0 || sim_below(s, 6) == 0) {
        sim_add_study(s);
        return;
    }
    uint32_t which = sim_below(s, (uint32_t)s->m->n_studies);
    const struct study *study = s->m->studies[which];
    struct event e = {.slot = -1, .study = study->id};
    if (study->is_foreign && sim_below(s, 2) == 0) {
        adopt(s, study);
        return;
    }
    switch (sim_below(s, 13)) {
    case 0:
        e.kind = EVENT_PAUSE;
        break;
    case 1:
        e.kind = EVENT_STOP;
        break;
    case 2:
        e.kind = EVENT_STOP;
        e.stop.now = true;
        break;
    case 3:
        e.kind = EVENT_RETRY;
        e.retry.cause = sim_below(s, 2) == 0 ? -1 : TRIAL_CAUSE_POISON;
        break;
    case 7:
        if (study->n_trials < SIM_MAX_TRIALS - 16) {
            change(s, study);
        }
        return;
    case 4:
    case 5:
        if (study->n_trials < SIM_MAX_TRIALS - 16) {
            enqueue(s, study->id);
        }
        return;
    case 6:
        e.kind = sim_below(s, 3) == 0 ? EVENT_DELETE : EVENT_PAUSE;
        break;
    default:
        e.kind = EVENT_RESUME;
        e.resume.n_trials = sim_below(s, 3) == 0 ? 1 + sim_below(s, 10) : 0;
        break;
    }
    if (study->n_trials < SIM_MAX_TRIALS - 16) { /* room for what follows */
        sim_event(s, e);
    }
}
