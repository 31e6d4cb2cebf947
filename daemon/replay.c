#include "daemon/replay.h"

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"
#include "daemon/study.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct replay {
    const struct study *s;
    const struct spec *spec; /* in force at the event at hand */
    struct history *then;    /* what was known at it */
    struct history *params;  /* of all trials, under the choices of spec */
    bool *has_begun;         /* by trial number: an attempt of ours has it */
    struct replay_result *out;
};

static bool is_equal(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b;
}

/* Ask the sampler again; false: it says something else than is stored. */
static bool compare(const struct replay *r, const struct replay_event *e)
{
    const struct spec *spec = r->spec;
    size_t n = spec->space.n;
    double *stored = mem_alloc(2 * n + 1, sizeof(*stored));
    double *again = stored + n;
    study_values(r->s, e->number, stored);
    sampler_suggest(spec, r->then, e->number, r->s->trials[e->number]->fixed,
                    again);
    size_t i = 0;
    while (i < n && is_equal(stored[i], again[i])) {
        i++;
    }
    if (i < n) {
        r->out->first = (struct replay_difference){
            .number = e->number,
            .seq = e->seq,
            .param = i,
            .stored = stored[i],
            .recomputed = again[i],
        };
    }
    free(stored);
    return i == n;
}

static void suggest(const struct replay *r, const struct replay_event *e)
{
    struct replay_result *out = r->out;
    if (e->is_given) {
        out->n_given++;
        return;
    }
    out->n_suggestions++;
    if (e->version != SAMPLER_VERSION) {
        out->n_other_version++;
    } else {
        out->n_equal += compare(r, e);
    }
}

static void set_state(const struct replay *r, int64_t number,
                      enum trial_state state)
{
    bool has_value = trial_state_has_value(state);
    history_set_state(r->then, number, state,
                      has_value ? r->s->trials[number]->value : (double)NAN);
    history_set_hidden(r->then, number, !has_value && !r->has_begun[number]);
    size_t n;
    const double *constraints = history_constraints(r->s->history, number, &n);
    if (has_value && n > 0) { /* told before its end, and kept since */
        history_set_constraints(r->then, number, constraints, n);
    }
    if (state == TRIAL_COMPLETE) {
        history_keep_resource(r->then, number);
    }
}

static void start(const struct replay *r, const struct replay_event *e)
{
    r->has_begun[e->number] = true;
    if (e->suggests) {
        suggest(r, e);
        history_forget_reports(r->then, e->number);
        history_copy_params(r->then, r->params, e->number);
    }
    set_state(r, e->number, TRIAL_RUNNING);
}

static void report(const struct replay *r, const struct replay_event *e)
{
    double value;
    if (history_value_at(r->s->history, e->number, e->step, &value)) {
        history_report(r->then, e->number, e->step, value);
    }
}

static void adopt(const struct replay *r, const struct replay_event *e)
{
    const struct history *now = r->s->history;
    bool has_value = trial_state_has_value(e->state);
    if (!has_value && !r->has_begun[e->number]) {
        return; /* it is hidden (study_hides) */
    }
    history_copy_params(r->then, r->params, e->number);
    for (size_t i = 0; i < history_n_reports(now, e->number); i++) {
        double value;
        int64_t step = history_report_at(now, e->number, i, &value);
        history_report(r->then, e->number, step, value);
    }
    set_state(r, e->number, e->state);
}

/* New trials come in the order of their numbers. */
static int check(const struct replay *r, const struct replay_event *e,
                 struct err *err)
{
    int64_t n = history_n_trials(r->then);
    bool is_new =
        e->kind == REPLAY_ADD || (e->kind == REPLAY_ADOPT && e->number == n);
    if (e->number < 0 || e->number >= (int64_t)r->s->n_trials ||
        (is_new ? e->number != n : e->number >= n)) {
        return err_set(err, ERR_CORRUPT,
                       "study '%s': event %" PRId64 ": trial %" PRId64
                       " is not expected in the log",
                       r->s->spec.name, e->seq, e->number);
    }
    if (is_new) {
        history_add(r->then);
    }
    return 0;
}

/* --- configs -------------------------------------------------------------- */

static void put_in_force(struct replay *r, const struct spec *spec)
{
    r->spec = spec;
    history_set_space(r->params, &spec->space);
    history_set_space(r->then, &spec->space);
}

/* The config from event i on: what the next change found, or the study's. */
static const struct spec *spec_from(const struct study *s,
                                    const struct replay_event *events, size_t n,
                                    size_t i)
{
    while (i < n && events[i].kind != REPLAY_CHANGE) {
        i++;
    }
    return i < n ? events[i].before : &s->spec;
}

static int change(struct replay *r, const struct replay_event *e,
                  const struct spec *after, struct err *err)
{
    struct buf difference;
    int rc = 0;
    buf_init(&difference, BUF_MAX_CONFIG);
    if (spec_change_difference(e->before, after, &difference) != 0) {
        rc = err_set(err, ERR_CORRUPT,
                     "study '%s': event %" PRId64
                     ": its config could not become the next: %s",
                     r->s->spec.name, e->seq, difference.data);
    } else {
        put_in_force(r, after);
    }
    buf_fini(&difference);
    return rc;
}

/* --- all ------------------------------------------------------------------ */

static void apply(const struct replay *r, const struct replay_event *e)
{
    switch (e->kind) {
    case REPLAY_CHANGE: /* change() */
    case REPLAY_ADD:
        break;
    case REPLAY_ADOPT:
        adopt(r, e);
        break;
    case REPLAY_START:
        start(r, e);
        break;
    case REPLAY_REPORT:
        report(r, e);
        break;
    case REPLAY_STATE:
        set_state(r, e->number, e->state);
        break;
    }
}

int replay_study(const struct study *s, const struct replay_event *events,
                 size_t n, struct replay_result *out, struct err *err)
{
    struct replay r = {.s = s,
                       .then = history_new(),
                       .params = history_copy(s->history),
                       .has_begun = mem_alloc(s->n_trials + 1, sizeof(bool)),
                       .out = out};
    *out = (struct replay_result){.first = {.number = -1}};
    put_in_force(&r, spec_from(s, events, n, 0));
    int rc = 0;
    for (size_t i = 0; rc == 0 && out->first.number < 0 && i < n; i++) {
        const struct replay_event *e = &events[i];
        if (e->kind == REPLAY_CHANGE) {
            rc = change(&r, e, spec_from(s, events, n, i + 1), err);
            continue;
        }
        rc = check(&r, e, err);
        if (rc == 0) {
            apply(&r, e);
        }
    }
    history_free(r.then);
    history_free(r.params);
    free(r.has_begun);
    return rc;
}

void replay_events_free(struct replay_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (events[i].before != NULL) {
            spec_fini(events[i].before);
            free(events[i].before);
        }
    }
    free(events);
}
