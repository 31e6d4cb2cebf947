/* The actions of trials -> rows: Optuna's tables and ours side by side.
 *
 * A trial that is put back becomes WAITING, as one that was never started, but
 * keeps its parameters, its values by epoch and datetime_start: Optuna reads
 * that column of unfinished trials only to draw them, and overwrites it when it
 * starts one itself; so the first start needs no second column. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/digest.h"
#include "daemon/history.h"
#include "daemon/search/sampler.h"
#include "daemon/store_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(RUN_N_METRICS == 5, "parzen_epochs has five metrics");

/* --- trials: Optuna's JSON ------------------------------------------------ */

static int put_attribute(const struct store_write *w, const char *key,
                         const char *json)
{
    return RUN(w, ATTRIBUTE, NULL, STORE_I(w->trial_id), STORE_T(key),
               STORE_T(json));
}

static int put_text_attribute(const struct store_write *w, const char *key,
                              const char *text)
{
    struct buf json;
    struct json_out out;
    buf_init(&json, STORE_TEXT_MAX);
    json_out_init(&out, &json, JSON_PYTHON);
    json_put_string(&out, text);
    int rc = put_attribute(w, key, json.data);
    buf_fini(&json);
    return rc;
}

/* Exactly: [0.001, null]. */
static void print_fixed(const struct spec *spec, const double *fixed,
                        struct buf *out)
{
    struct json_out row;
    json_out_init(&row, out, JSON_COMPACT);
    json_open(&row, '[');
    for (size_t i = 0; i < spec->space.n; i++) {
        if (isnan(fixed[i])) {
            json_put_null(&row);
        } else {
            json_put_double(&row, fixed[i]);
        }
    }
    json_close(&row, ']');
}

/* Our row beside Optuna's. */
static int put_extra(const struct store_write *w, const char *fixed,
                     enum trial_cause cause, int64_t best_epoch)
{
    return RUN(w, TRIAL_EXTRA, NULL, STORE_I(w->trial_id), STORE_I(w->a->seq),
               STORE_T(fixed), STORE_T(trial_cause_name(cause)),
               STORE_I(best_epoch));
}

/* Optuna's {"lr": 0.001} beside our own. */
static int put_fixed(const struct store_write *w, const struct spec *spec)
{
    const double *fixed = w->a->add_trial.fixed;
    struct buf optuna, ours;
    struct json_out out;
    buf_init(&optuna, STORE_TEXT_MAX);
    buf_init(&ours, STORE_TEXT_MAX);
    print_fixed(spec, fixed, &ours);
    json_out_init(&out, &optuna, JSON_PYTHON);
    json_open(&out, '{');
    for (size_t i = 0; i < spec->space.n; i++) {
        const struct param *p = &spec->space.params[i];
        if (!isnan(fixed[i])) {
            json_put_key(&out, p->name);
            dist_put_value(&p->dist, fixed[i], &out);
        }
    }
    json_close(&out, '}');
    int rc = put_extra(w, ours.data, TRIAL_CAUSE_NONE, -1);
    if (rc == 0) {
        rc = RUN(w, FIXED, NULL, STORE_I(w->trial_id), STORE_T(optuna.data));
    }
    buf_fini(&optuna);
    buf_fini(&ours);
    return rc;
}

static int put_params(const struct store_write *w, const struct spec *spec)
{
    struct buf json;
    struct json_out out;
    int rc = 0;
    buf_init(&json, STORE_TEXT_MAX);
    for (size_t i = 0; rc == 0 && i < spec->space.n; i++) {
        double value = w->a->start_trial.values[i];
        const struct param *p = &spec->space.params[i];
        if (isnan(value) &&
            !space_is_active(&spec->space, w->a->start_trial.values, i)) {
            continue;
        }
        if (!isfinite(value)) {
            rc = err_set(w->err, ERR_INVALID,
                         "trial %" PRId64 ": parameter '%s' has no value",
                         w->a->number, p->name);
            break;
        }
        buf_reset(&json);
        json_out_init(&out, &json, JSON_PYTHON);
        dist_put_optuna(&p->dist, &out);
        rc = RUN(w, PARAM, NULL, STORE_I(w->trial_id), STORE_T(p->name),
                 STORE_D(value), STORE_T(json.data));
    }
    buf_fini(&json);
    return rc;
}

/* --- trials: their life --------------------------------------------------- */

int store_add_trial(const struct store_write *w)
{
    const struct spec *spec = store_spec_of(w);
    if (spec == NULL) {
        return store_missing(w);
    }
    int rc = RUN(w, TRIAL, NULL, STORE_I(w->trial_id), STORE_I(w->a->number),
                 STORE_I(w->a->study));
    if (rc == 0) {
        rc = w->a->add_trial.fixed != NULL
                 ? put_fixed(w, spec)
                 : put_extra(w, NULL, TRIAL_CAUSE_NONE, -1);
    }
    return rc != 0
               ? rc
               : store_put_event(
                     w, "%s", w->a->add_trial.fixed != NULL ? "enqueued" : "");
}

/* Our row beside Optuna's, with what its attributes say of it; the event says
 * its state as adopted. */
int store_adopt_trial(const struct store_write *w)
{
    const struct study_trial *t = mirror_trial(w->m, w->a->study, w->a->number);
    const struct spec *spec = store_spec_of(w);
    const double *fixed = w->a->add_trial.fixed;
    struct buf ours;
    if (t == NULL || spec == NULL) {
        return store_missing(w);
    }
    buf_init(&ours, STORE_TEXT_MAX);
    if (fixed != NULL) {
        print_fixed(spec, fixed, &ours);
    }
    int rc =
        put_extra(w, fixed != NULL ? ours.data : NULL, t->cause, t->best_epoch);
    buf_fini(&ours);
    return rc != 0 ? rc : store_put_event(w, "%s", trial_state_name(t->state));
}

/* Did Optuna give the trial parameters before? */
static bool has_params(const struct store_write *w)
{
    const struct study *study = mirror_study(w->m, w->a->study);
    bool any = false;
    if (mirror_trial(w->m, w->a->study, w->a->number) != NULL) {
        for (int i = 0; i < history_n_params(study->history); i++) {
            any |= !isnan(history_param(study->history, w->a->number, i));
        }
    }
    return any;
}

/* The first attempt at a trial that was there before, maybe made by Optuna:
 * what is reported counts from now on, and what was enqueued is written as
 * ours. */
static int begin_anew(const struct store_write *w)
{
    const struct study *study = mirror_study(w->m, w->a->study);
    const struct study_trial *t = mirror_trial(w->m, w->a->study, w->a->number);
    if (t == NULL) {
        return 0;
    }
    int rc = RUN(w, DROP_STEPS, NULL, STORE_I(t->id));
    if (rc == 0 && t->fixed != NULL) {
        struct buf ours;
        buf_init(&ours, STORE_TEXT_MAX);
        print_fixed(&study->spec, t->fixed, &ours);
        rc = RUN(w, SET_FIXED, NULL, STORE_I(t->id), STORE_T(ours.data));
        buf_fini(&ours);
    }
    return rc;
}

int store_start_trial(const struct store_write *w)
{
    const struct spec *spec = store_spec_of(w);
    if (spec == NULL) {
        return store_missing(w);
    }
    char now[STORE_TIME_SIZE];
    store_time_text(w->a->at_ms, now);
    int rc = CHANGE_ONE(w, START, STORE_I(w->trial_id), STORE_T(now));
    if (rc == 0) {
        rc = CHANGE_ONE(w, START_EXTRA, STORE_I(w->trial_id),
                        STORE_I(w->a->seq), STORE_I(w->a->attempt));
    }
    if (rc == 0) {
        rc = RUN(w, ATTEMPT, NULL, STORE_I(w->trial_id), STORE_I(w->a->attempt),
                 STORE_I(w->a->at_ms), STORE_I(w->s->life));
    }
    if (rc != 0 || w->a->start_trial.values == NULL) {
        return rc != 0 ? rc : store_put_event(w, "%s", "");
    }
    bool is_given = has_params(w);
    rc = begin_anew(w);
    if (rc == 0) {
        rc = put_params(w, spec);
    }
    if (rc != 0 || is_given) {
        return rc != 0 ? rc : store_put_event(w, "given");
    }
    return store_put_event(w, "sampler %d", (int)SAMPLER_VERSION);
}

int store_put_report(const struct store_write *w)
{
    const struct study_report *r = &w->a->report;
    const double *v = r->metrics.value;
    const struct spec *spec = store_spec_of(w);
    if (spec == NULL) {
        return store_missing(w);
    }
    int rc = RUN(w, EPOCH, NULL, STORE_I(w->trial_id), STORE_I(r->epoch),
                 STORE_I(r->attempt), STORE_D(v[RUN_TRAIN_LOSS]),
                 STORE_D(v[RUN_TRAIN_ACC]), STORE_D(v[RUN_VAL_LOSS]),
                 STORE_D(v[RUN_VAL_ACC]), STORE_D(v[RUN_TEST_ACC]));
    if (rc == 0) {
        double value = v[spec->metric];
        rc = RUN(w, INTERMEDIATE, NULL, STORE_I(w->trial_id), STORE_I(r->epoch),
                 store_finite(value), STORE_T(store_value_type(value)));
    }
    if (rc == 0) {
        rc = CHANGE_ONE(w, TOUCH, STORE_I(w->trial_id), STORE_I(w->a->seq));
    }
    return rc != 0 ? rc : store_put_event(w, "%" PRId64, r->epoch);
}

int store_rewind(const struct store_write *w)
{
    struct store_arg id = STORE_I(w->trial_id);
    struct store_arg step = STORE_I(w->a->rewind.step);
    int rc = RUN(w, REWIND_EPOCHS, NULL, id, step);
    if (rc == 0) {
        rc = RUN(w, REWIND_STEPS, NULL, id, step);
    }
    if (rc == 0) {
        rc = RUN(w, REWIND_RUNGS, NULL, id);
    }
    if (rc == 0) {
        rc = CHANGE_ONE(w, TOUCH, id, STORE_I(w->a->seq));
    }
    return rc != 0 ? rc : store_put_event(w, "%" PRId64, w->a->rewind.step);
}

int store_put_rung(const struct store_write *w)
{
    char key[40];
    struct buf json;
    struct json_out out;
    buf_init(&json, STORE_TEXT_MAX);
    json_out_init(&out, &json, JSON_PYTHON);
    json_put_double(&out, w->a->rung.value);
    snprintf(key, sizeof(key), "completed_rung_%" PRId64, w->a->rung.rung);
    int rc = RUN(w, RUNG, NULL, STORE_I(w->trial_id), STORE_T(key),
                 STORE_T(json.data));
    buf_fini(&json);
    if (rc == 0) {
        rc = CHANGE_ONE(w, TOUCH, STORE_I(w->trial_id), STORE_I(w->a->seq));
    }
    return rc != 0 ? rc : store_put_event(w, "%" PRId64, w->a->rung.rung);
}

/* The list, which every Optuna reads; the names are in the config. */
int store_put_constraints(const struct store_write *w)
{
    struct buf json;
    struct json_out out;
    buf_init(&json, STORE_TEXT_MAX);
    json_out_init(&out, &json, JSON_PYTHON);
    json_open(&out, '[');
    for (size_t i = 0; i < w->a->constraints.n; i++) {
        json_put_double(&out, w->a->constraints.values[i]);
    }
    json_close(&out, ']');
    int rc = RUN(w, RUNG, NULL, STORE_I(w->trial_id), STORE_T("constraints"),
                 STORE_T(json.data));
    if (rc == 0) {
        rc = CHANGE_ONE(w, TOUCH, STORE_I(w->trial_id), STORE_I(w->a->seq));
    }
    rc = rc != 0 ? rc : store_put_event(w, "%s", json.data);
    buf_fini(&json);
    return rc;
}

int store_put_checkpoint(const struct store_write *w)
{
    const struct study_checkpoint *c = &w->a->checkpoint.file;
    const char *kind = w->a->checkpoint.best ? "best" : "last";
    int rc = w->a->checkpoint.shifts
                 ? RUN(w, SHIFT_LAST, NULL, STORE_I(w->trial_id))
                 : 0;
    if (rc == 0) {
        rc = RUN(w, CHECKPOINT, NULL, STORE_I(w->trial_id), STORE_T(kind),
                 STORE_I(c->epoch), STORE_I(c->step), STORE_I(c->size),
                 STORE_T(c->sha256), STORE_T(c->file));
    }
    if (rc == 0) {
        rc = CHANGE_ONE(w, TOUCH, STORE_I(w->trial_id), STORE_I(w->a->seq));
    }
    return rc != 0 ? rc : store_put_event(w, "%s %s", kind, c->file);
}

int store_discard(const struct store_write *w)
{
    const char *file = w->a->discard.file, *message = w->a->discard.message;
    int n = 0;
    int rc = RUN(w, DISCARD, &n, STORE_I(w->trial_id), STORE_T(file));
    if (rc == 0 && n == 0) {
        rc = store_missing(w);
    }
    if (rc == 0) {
        rc = RUN(w, PROMOTE, NULL, STORE_I(w->trial_id));
    }
    if (rc == 0) {
        rc = CHANGE_ONE(w, TOUCH, STORE_I(w->trial_id), STORE_I(w->a->seq));
    }
    return rc != 0 ? rc
                   : store_put_event(w, "%s: %s", file,
                                     message != NULL ? message : "");
}

/* Of our rows: the attempt is over, and with it, when d is not NULL, the trial.
 */
static int put_end(const struct store_write *w, const struct digest *d)
{
    const char *cause = trial_cause_name(w->a->end.cause);
    const char *message = w->a->end.message;
    int rc = d == NULL
                 ? CHANGE_ONE(w, END_EXTRA, STORE_I(w->trial_id),
                              STORE_I(w->a->seq), STORE_T(cause),
                              STORE_T(message), STORE_I(w->a->end.place),
                              STORE_I(w->a->end.n_at_place))
                 : CHANGE_ONE(w, FINISH_EXTRA, STORE_I(w->trial_id),
                              STORE_I(w->a->seq), STORE_T(cause),
                              STORE_T(message), STORE_I(w->a->end.place),
                              STORE_I(w->a->end.n_at_place),
                              STORE_I(w->a->end.best_epoch), DIGEST_ARGS(d));
    if (rc == 0) {
        rc = RUN(w, END_ATTEMPT, NULL, STORE_I(w->trial_id),
                 STORE_I(w->a->end.ended_ms), STORE_T(cause), STORE_T(message));
    }
    return rc;
}

static int put_end_event(const struct store_write *w)
{
    const char *message = w->a->end.message;
    return store_put_event(w, "%s %s%s%s", trial_state_name(w->a->end.state),
                           trial_cause_name(w->a->end.cause),
                           message != NULL ? ": " : "",
                           message != NULL ? message : "");
}

int store_end_attempt(const struct store_write *w)
{
    int rc = CHANGE_ONE(w, PUT_BACK, STORE_I(w->trial_id));
    if (rc == 0) {
        rc = put_end(w, NULL);
    }
    return rc != 0 ? rc : put_end_event(w);
}

/* Most trials of fast objectives have none: that is known without a look. */
static bool has_checkpoint(const struct store_write *w)
{
    const struct study_trial *t = mirror_trial(w->m, w->a->study, w->a->number);
    bool has = t != NULL && (t->best != NULL || t->last != NULL);
    for (size_t i = 0; i < w->at && !has; i++) {
        const struct action *a = &w->list->items[i];
        has = a->kind == ACTION_CHECKPOINT && a->study == w->a->study &&
              a->number == w->a->number;
    }
    return has;
}

/* The absolute path of the trial's best (else last) checkpoint, or NULL. */
static int best_path(const struct store_write *w, char **path)
{
    sqlite3_stmt *st;
    *path = NULL;
    int rc =
        store_prepare(w->s, STORE_BEST_FILE,
                      &(struct store_arg)STORE_I(w->trial_id), 1, &st, w->err);
    if (rc != 0) {
        return rc;
    }
    int step = sqlite3_step(st);
    if (step == SQLITE_ROW) {
        const char *file = (const char *)sqlite3_column_text(st, 0);
        *path =
            paths_trial_file(w->s->dir != NULL ? w->s->dir : ".", w->a->study,
                             w->a->number, file != NULL ? file : "");
    } else if (step != SQLITE_DONE) {
        rc = store_fail(w->s, "best checkpoint", w->err);
    }
    sqlite3_reset(st);
    return rc;
}

/* Of the best epoch, which may have been reported in the same list; NaN: it
 * was not. */
static double val_loss(const struct store_write *w)
{
    const struct study_trial *t = mirror_trial(w->m, w->a->study, w->a->number);
    for (size_t i = 0; t != NULL && i < t->n_reports; i++) {
        if (t->reports[i].epoch == w->a->end.best_epoch) {
            return t->reports[i].metrics.value[RUN_VAL_LOSS];
        }
    }
    for (size_t i = 0; i < w->at; i++) {
        const struct action *a = &w->list->items[i];
        if (a->kind == ACTION_REPORT && a->study == w->a->study &&
            a->number == w->a->number &&
            a->report.epoch == w->a->end.best_epoch) {
            return a->report.metrics.value[RUN_VAL_LOSS];
        }
    }
    return (double)NAN;
}

static int put_bytes(const struct store_write *w, const char *key, int64_t n)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, n);
    return n != 0 ? put_attribute(w, key, text) : 0;
}

static int put_memory(const struct store_write *w)
{
    const struct trial_memory *m = &w->a->end.memory;
    int rc = 0;
#define X(member, key) rc = rc == 0 ? put_bytes(w, key, m->member) : rc;
    STORE_MEMORY(X)
#undef X
    return rc;
}

/* The user attributes that Optuna's users see: product.md's names. */
static int put_attributes(const struct store_write *w)
{
    int rc = 0;
    if (w->a->end.cause != TRIAL_CAUSE_NONE) {
        rc = put_text_attribute(w, "cause", trial_cause_name(w->a->end.cause));
    }
    if (rc == 0 && w->a->end.best_epoch >= 0) {
        char text[32];
        double loss = val_loss(w);
        snprintf(text, sizeof(text), "%" PRId64, w->a->end.best_epoch);
        rc = put_attribute(w, "epoch", text);
        if (rc == 0 && isfinite(loss)) {
            json_repr(loss, text);
            rc = put_attribute(w, "val-loss", text);
        }
    }
    char *path = NULL;
    if (rc == 0 && has_checkpoint(w)) {
        rc = best_path(w, &path);
    }
    if (rc == 0) {
        rc = put_memory(w);
    }
    if (rc == 0 && path != NULL) {
        rc = put_text_attribute(w, "best_ckpt", path);
    }
    free(path);
    return rc;
}

static int put_value(const struct store_write *w)
{
    double value = w->a->end.value;
    if (w->a->end.state == TRIAL_FAIL ||
        (w->a->end.state == TRIAL_PRUNED && isnan(value))) {
        return 0; /* Optuna: such a trial has no value */
    }
    if (isnan(value)) {
        return err_set(w->err, ERR_INVALID,
                       "trial %" PRId64 " cannot be COMPLETE without a value",
                       w->a->number);
    }
    return RUN(w, VALUE, NULL, STORE_I(w->trial_id), store_finite(value),
               STORE_T(store_value_type(value)));
}

int store_finish_trial(const struct store_write *w)
{
    char now[STORE_TIME_SIZE];
    struct digest d;
    store_time_text(w->a->at_ms, now);
    store_digest_of_end(w, &d);
    enum trial_state state = w->a->end.state;
    int rc = CHANGE_ONE(w, FINISH, STORE_I(w->trial_id),
                        STORE_T(trial_state_name(state)), STORE_T(now));
    if (rc == 0) {
        rc = put_end(w, &d);
    }
    if (rc == 0) {
        rc = put_value(w);
    }
    if (rc == 0 && state != TRIAL_FAIL && has_checkpoint(w)) {
        rc = RUN(w, DROP_LAST, NULL, STORE_I(w->trial_id));
    }
    if (rc == 0) {
        rc = put_attributes(w);
    }
    return rc != 0 ? rc : put_end_event(w);
}

int store_retry_trial(const struct store_write *w)
{
    int rc = CHANGE_ONE(w, RETRY, STORE_I(w->trial_id));
    if (rc == 0) {
        rc = CHANGE_ONE(w, RETRY_EXTRA, STORE_I(w->trial_id),
                        STORE_I(w->a->seq));
    }
    if (rc == 0) {
        rc = RUN(w, RETRY_ATTRIBUTES, NULL, STORE_I(w->trial_id));
    }
    return rc != 0 ? rc : store_put_event(w, "%s", "");
}

int store_flag_trial(const struct store_write *w)
{
    int rc = CHANGE_ONE(w, FLAG, STORE_I(w->trial_id), STORE_I(w->a->seq));
    return rc != 0 ? rc : store_put_event(w, "%s", "nondeterministic");
}
