/* Rows -> the trials of one study.
 *
 * The tables are walked side by side in the order of trial_id, each once: a
 * trial takes from every table the rows that carry its id. A trial's number is
 * its place in that order (Optuna's definition). */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/history.h"
#include "daemon/store_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 1 << 20 };
static const int64_t EPOCH_MAX = 1000000000;

enum trial_column {
    TRIAL_ID, /* the row's id */
    TRIAL_NUMBER,
    TRIAL_STATE,
    TRIAL_START,
    TRIAL_COMPLETED,
    TRIAL_EXTRA, /* NULL: nothing of ours about it */
    TRIAL_SEQ,
    TRIAL_ATTEMPT,
    TRIAL_CAUSE,
    TRIAL_MESSAGE,
    TRIAL_BEST_EPOCH,
    TRIAL_FIXED, /* STORE_TRIAL_FIXED */
    TRIAL_PLACE,
    TRIAL_N_AT_PLACE,
    TRIAL_NONDETERMINISTIC,
    TRIAL_SEQ_MS,
    TRIAL_DIGEST /* STORE_TRIAL_DIGEST, and its parts after it */
};

_Static_assert((int)TRIAL_FIXED == (int)STORE_TRIAL_FIXED &&
                   (int)TRIAL_DIGEST == (int)STORE_TRIAL_DIGEST,
               "store_params.c and store_digest.c read them");

static const char SELECT_TRIALS[] =
    "SELECT t.trial_id, t.number, t.state, t.datetime_start,"
    " t.datetime_complete, x.trial_id, x.seq, x.attempt, x.cause, x.message,"
    " x.best_epoch, x.fixed, x.place, x.n_at_place, x.nondeterministic,"
    " coalesce(e.at_ms, 0),"
    " x.end_digest, x.params_digest, x.reports_digest, x.constraints_digest"
    " FROM trials t LEFT JOIN parzen_trials x ON x.trial_id = t.trial_id"
    " LEFT JOIN parzen_events e ON e.seq = x.seq"
    " WHERE t.study_id = ? ORDER BY t.trial_id";

/* --- values, epochs, checkpoints ------------------------------------------ */

static int load_value(struct store_loading *l, double *value)
{
    struct store_row *r = &l->walks[STORE_WALK_VALUES];
    int64_t objective;
    *value = (double)NAN;
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_VALUES)) {
        rc = store_row_int(r, 1, 0, 0, &objective);
        if (rc == 0) {
            rc = store_row_typed(r, 2, value);
        }
        if (rc == 0 && isnan(*value)) {
            rc = store_row_bad(r, "value_type: an objective cannot be NaN");
        }
        if (rc == 0) {
            rc = store_row_next(r);
        }
    }
    return rc;
}

static int load_epochs(struct store_loading *l, struct study_trial *t)
{
    struct store_row *r = &l->walks[STORE_WALK_EPOCHS];
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_EPOCHS)) {
        struct action report = {.kind = ACTION_REPORT,
                                .study = l->study->id,
                                .number = t->number,
                                .slot = -1};
        rc = store_row_int(r, 1, 0, EPOCH_MAX, &report.report.epoch);
        bool has_gaps = l->study->spec.objective != SPEC_OBJECTIVE_CLASSIFIER;
        if (rc == 0 && !has_gaps &&
            report.report.epoch != (int64_t)t->n_reports) {
            rc = store_row_bad(r, "epoch: %" PRId64 " where %zu was expected",
                               report.report.epoch, t->n_reports);
        }
        if (rc == 0) {
            rc = store_row_int(r, 2, 1, INT64_MAX, &report.report.attempt);
        }
        for (int i = 0; rc == 0 && i < RUN_N_METRICS; i++) {
            rc = store_row_real(r, 3 + i, &report.report.metrics.value[i]);
        }
        if (rc == 0) {
            mirror_apply(l->m, &report);
            rc = store_row_next(r);
        }
    }
    return rc;
}

static int read_checkpoint(const struct store_row *r, struct action *a)
{
    struct study_checkpoint *c = &a->checkpoint.file;
    const char *kind, *sha256, *file = "";
    int rc = store_row_text(r, 1, 16, &kind);
    if (rc == 0) {
        a->checkpoint.best = strcmp(kind, "best") == 0;
        rc = store_row_int(r, 2, -1, EPOCH_MAX, &c->epoch);
    }
    if (rc == 0) {
        rc = store_row_int(r, 3, 0, INT64_MAX, &c->step);
    }
    if (rc == 0) {
        rc = store_row_int(r, 4, 0, INT64_MAX, &c->size);
    }
    if (rc == 0) {
        rc = store_row_text(r, 5, sizeof(c->sha256) - 1, &sha256);
    }
    if (rc == 0) {
        memcpy(c->sha256, sha256, strlen(sha256) + 1);
        rc = store_row_text(r, 6, PATHS_FILE_NAME_MAX, &file);
    }
    if (rc == 0 && !paths_is_file_name(file)) {
        rc = store_row_bad(r, "file: not a plain file name");
    }
    c->file = rc == 0 ? mem_strdup(file) : NULL;
    return rc;
}

/* They come as they came to be: the previous, the last, the best. */
static int load_checkpoints(struct store_loading *l, struct study_trial *t)
{
    struct store_row *r = &l->walks[STORE_WALK_CHECKPOINTS];
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_CHECKPOINTS)) {
        struct action a = {.kind = ACTION_CHECKPOINT,
                           .study = l->study->id,
                           .number = t->number,
                           .slot = -1};
        rc = read_checkpoint(r, &a);
        a.checkpoint.shifts = !a.checkpoint.best && t->last != NULL;
        if (rc == 0) {
            mirror_apply(l->m, &a);
            rc = store_row_next(r);
        }
        free(a.checkpoint.file.file);
    }
    return rc;
}

/* A number as Python's json writes it; NaN and infinities too. */
static int read_python_number(const struct store_row *r, int column,
                              double *out)
{
    const char *text;
    char *end;
    int rc = store_row_text(r, column, 64, &text);
    if (rc == 0) {
        *out = strtod(text, &end);
        if (end == text || *end != '\0') {
            rc = store_row_bad(r, "value_json: not a number");
        }
    }
    return rc;
}

static int load_rungs(struct store_loading *l, const struct study_trial *t)
{
    struct store_row *r = &l->walks[STORE_WALK_RUNGS];
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_RUNGS)) {
        int64_t rung;
        double value;
        rc = store_row_int(r, 1, 0, INT64_MAX, &rung);
        if (rc == 0) {
            rc = read_python_number(r, 2, &value);
        }
        if (rc == 0 && !isnan(value)) {
            history_set_rung(l->study->history, t->number, rung, value);
        }
        if (rc == 0) {
            rc = store_row_next(r);
        }
    }
    return rc;
}

static int load_memory(struct store_loading *l, struct trial_memory *memory)
{
    struct store_row *r = &l->walks[STORE_WALK_MEMORY];
    struct trial_memory m = {0};
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_MEMORY)) {
        const char *key;
        int64_t value = 0;
        rc = store_row_text(r, 1, 32, &key);
        if (rc == 0) {
            rc = store_row_int(r, 2, 0, INT64_MAX, &value);
        }
        if (rc == 0) {
#define X(member, name) m.member = strcmp(key, name) == 0 ? value : m.member;
            STORE_MEMORY(X)
#undef X
            rc = store_row_next(r);
        }
    }
    *memory = m;
    return rc;
}

static void take_cause(struct study_trial *t, const char *text)
{
    struct json *json;
    struct err ignored;
    if (json_parse(text, strlen(text), &json, &ignored) != 0) {
        return;
    }
    int cause = json_kind(json) == JSON_STRING
                    ? trial_cause_by_name(json_string(json))
                    : -1;
    t->cause = cause >= 0 ? (enum trial_cause)cause : t->cause;
    json_free(json);
}

static void take_best_epoch(const struct study *s, struct study_trial *t,
                            const char *text)
{
    char *end;
    double value;
    long long epoch = strtoll(text, &end, 10);
    if (*end == '\0' && epoch <= EPOCH_MAX &&
        history_value_at(s->history, t->number, epoch, &value)) {
        t->best_epoch = epoch;
    }
}

/* How a trial of ours ended, in a study that was exported: what Optuna's users
 * are told of it. Their own attributes of these names may mean anything. */
static int load_end(struct store_loading *l, struct study_trial *t)
{
    struct store_row *r = &l->walks[STORE_WALK_END];
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_END)) {
        const char *key, *text;
        rc = store_row_text(r, 1, 32, &key);
        if (rc == 0) {
            rc = store_row_text(r, 2, STORE_TEXT_MAX, &text);
        }
        if (rc == 0 && trial_state_is_final(t->state)) {
            if (strcmp(key, "cause") == 0) {
                take_cause(t, text);
            } else {
                take_best_epoch(l->study, t, text);
            }
        }
        rc = rc == 0 ? store_row_next(r) : rc;
    }
    return rc;
}

/* One row of trial_intermediate_values, and on to the next. */
static int load_step(const struct store_loading *l, const struct study_trial *t,
                     struct store_row *r)
{
    int64_t step;
    double value;
    int rc = store_row_int(r, 1, INT64_MIN, INT64_MAX, &step);
    if (rc == 0) {
        rc = store_row_typed(r, 2, &value);
    }
    if (rc == 0 && step >= 0) {
        history_report(l->study->history, t->number, step, value);
    }
    return rc == 0 ? store_row_next(r) : rc;
}

/* What the trial reported to Optuna: in a study made by it, or in one of ours
 * when no attempt of ours ran the trial. */
static int load_steps(struct store_loading *l, const struct study_trial *t)
{
    int64_t attempt = 0;
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_STEPS)) {
        rc = load_step(l, t, &l->walks[STORE_WALK_STEPS]);
    }
    if (rc != 0 || l->study->is_foreign ||
        store_row_is_null(&l->trials, TRIAL_COMPLETED)) {
        return rc;
    }
    if (!store_row_is_null(&l->trials, TRIAL_EXTRA)) {
        rc = store_row_int(&l->trials, TRIAL_ATTEMPT, 0, INT64_MAX - 1,
                           &attempt);
    }
    if (rc != 0 || attempt > 0) {
        return rc;
    }
    struct store_row r;
    rc = store_row_open(&r, l->store, "trial_intermediate_values",
                        "SELECT trial_id, step, intermediate_value,"
                        " intermediate_value_type FROM"
                        " trial_intermediate_values WHERE trial_id = ?",
                        t->id, l->err);
    while (rc == 0 && r.has_row) {
        rc = load_step(l, t, &r);
    }
    store_row_close(&r);
    return rc;
}

/* --- one trial ------------------------------------------------------------ */

/* Our columns beside Optuna's. */
static int read_extra(const struct store_row *r, struct study_trial *t)
{
    const char *cause;
    int64_t flag;
    int rc = store_row_int(r, TRIAL_SEQ, 0, INT64_MAX, &t->seq);
    if (rc == 0) {
        rc = store_row_int(r, TRIAL_ATTEMPT, 0, INT64_MAX - 1, &t->attempt);
    }
    if (rc == 0) {
        rc = store_row_int(r, TRIAL_BEST_EPOCH, -1, EPOCH_MAX, &t->best_epoch);
    }
    if (rc == 0) {
        rc = store_row_int(r, TRIAL_PLACE, -1, EPOCH_MAX, &t->place);
    }
    if (rc == 0) {
        rc = store_row_int(r, TRIAL_N_AT_PLACE, 0, EPOCH_MAX, &t->n_at_place);
    }
    if (rc == 0) {
        rc = store_row_int(r, TRIAL_NONDETERMINISTIC, 0, 1, &flag);
    }
    if (rc == 0) {
        rc = store_row_ms(r, TRIAL_SEQ_MS, INT64_MAX, &t->seq_ms);
    }
    if (rc == 0) {
        t->nondeterministic = flag != 0;
        rc = store_row_text(r, TRIAL_CAUSE, 32, &cause);
    }
    if (rc == 0) {
        int named = trial_cause_by_name(cause);
        if (named < 0) {
            return store_row_bad(r, "cause: no such cause");
        }
        t->cause = (enum trial_cause)named;
        free(t->message);
        t->message = NULL;
        rc = store_row_text_or_null(r, TRIAL_MESSAGE, MESSAGE_MAX, &t->message);
    }
    return rc;
}

static int read_state(const struct store_row *r, enum trial_state *state)
{
    const char *text;
    int rc = store_row_text(r, TRIAL_STATE, 16, &text);
    if (rc != 0) {
        return rc;
    }
    int named = trial_state_by_name(text);
    if (named < 0) {
        return store_row_bad(r, "state: no such state");
    }
    *state = (enum trial_state)named;
    if (trial_state_is_final(*state) == store_row_is_null(r, TRIAL_COMPLETED)) {
        return store_row_bad(r, "datetime_complete does not fit state %s",
                             text);
    }
    return 0;
}

/* Move the trial to its state by the actions that lead there. */
static void apply_state(struct store_loading *l, const struct study_trial *t,
                        enum trial_state state, double value)
{
    struct action a = {.kind = ACTION_START_TRIAL,
                       .study = l->study->id,
                       .number = t->number,
                       .attempt = t->attempt,
                       .slot = -1};
    if (state != TRIAL_WAITING) {
        mirror_apply(l->m, &a);
    }
    if (trial_state_is_final(state)) {
        a.kind = ACTION_FINISH_TRIAL;
        a.end.state = state;
        a.end.value = value;
        a.end.best_epoch = a.end.place = -1; /* else read_extra tells */
        a.end.message = NULL;
        mirror_apply(l->m, &a);
    }
}

static int add_trial(struct store_loading *l)
{
    struct action add = {.kind = ACTION_ADD_TRIAL,
                         .study = l->study->id,
                         .number = (int64_t)l->study->n_trials,
                         .slot = -1};
    int64_t number;
    add.add_trial.trial_id = l->trials.id;
    int rc = store_row_int(&l->trials, TRIAL_NUMBER, 0, INT64_MAX, &number);
    if (rc == 0 && number != add.number) {
        rc = store_row_bad(&l->trials,
                           "number: %" PRId64 " where %" PRId64 " was expected",
                           number, add.number);
    }
    if (rc == 0 && (l->trials.id < 1 || l->trials.id == INT64_MAX ||
                    number >= SPEC_MAX_TRIALS)) {
        rc = store_row_bad(&l->trials, "its number is out of bounds");
    }
    if (rc == 0) {
        rc = store_load_fixed(l, &add.add_trial.fixed);
    }
    if (rc == 0) {
        mirror_apply(l->m, &add);
    }
    free(add.add_trial.fixed);
    return rc;
}

static int load_rows(struct store_loading *l, struct study_trial *t)
{
    enum trial_state state = TRIAL_WAITING;
    double value = (double)NAN;
    int rc = load_epochs(l, t);
    if (rc == 0) {
        rc = load_rungs(l, t);
    }
    if (rc == 0) {
        rc = store_load_constraints(l, t);
    }
    if (rc == 0) {
        rc = load_steps(l, t);
    }
    if (rc == 0) {
        rc = load_value(l, &value);
    }
    if (rc == 0) {
        rc = read_state(&l->trials, &state);
    }
    if (rc == 0 && state == TRIAL_COMPLETE && isnan(value)) {
        rc = store_row_bad(&l->trials, "COMPLETE without a value");
    }
    if (rc == 0 && !trial_state_has_value(state) && !isnan(value)) {
        rc = store_row_bad(&l->trials, "a value, but it is not COMPLETE");
    }
    if (rc == 0) {
        apply_state(l, t, state, value);
        rc = load_checkpoints(l, t); /* FINISH_TRIAL would drop one */
    }
    if (rc == 0) {
        rc = load_memory(l, &t->memory);
    }
    if (rc == 0) {
        rc = load_end(l, t);
    }
    if (rc == 0) {
        rc = store_load_attempts(l, t);
    }
    return rc;
}

static int load_trial(struct store_loading *l)
{
    int rc = add_trial(l);
    if (rc != 0) {
        return rc;
    }
    struct study_trial *t = l->study->trials[l->study->n_trials - 1];
    rc = load_rows(l, t);
    if (rc == 0) {
        rc = store_row_time(&l->trials, TRIAL_START, &t->start_ms);
    }
    if (rc == 0) {
        rc = store_row_time(&l->trials, TRIAL_COMPLETED, &t->end_ms);
    }
    if (rc == 0 && !store_row_is_null(&l->trials, TRIAL_EXTRA)) {
        rc = read_extra(&l->trials, t);
    }
    return rc == 0 ? store_read_digest(l, t) : rc;
}

/* --- all ------------------------------------------------------------------ */

/* In memory the first that was COMPLETE held; here they came by number. */
static void keep_resource(struct study *study)
{
    const struct study_trial *first = NULL;
    double value;
    history_forget_resource(study->history);
    for (size_t i = 0; i < study->n_trials; i++) {
        const struct study_trial *t = study->trials[i];
        if (t->state == TRIAL_COMPLETE &&
            (first == NULL || t->seq < first->seq) &&
            history_last_step(study->history, t->number, &value) >= 0) {
            first = t;
        }
    }
    if (first != NULL) {
        history_keep_resource(study->history, first->number);
    }
}

/* Now that its attempt is known. The log has one event for all parameters of a
 * trial that another program runs: a suggestion that was made from some of them
 * could not be computed again (replay.c). */
static void set_hidden(const struct study *study)
{
    for (size_t i = 0; i < study->n_trials; i++) {
        const struct study_trial *t = study->trials[i];
        history_set_state(study->history, t->number, t->state, t->value);
        history_set_hidden(study->history, t->number, study_hides(t));
    }
}

static int load_all(struct store_loading *l)
{
    const struct study *study = l->study;
    int rc = store_row_open(&l->trials, l->store, "trials", SELECT_TRIALS,
                            study->id, l->err);
    if (rc == 0) {
        rc = store_open_walks(l);
    }
    while (rc == 0 && l->trials.has_row) {
        rc = load_trial(l);
        if (rc == 0) {
            rc = store_row_next(&l->trials);
        }
    }
    if (rc == 0) {
        rc = store_load_params(l);
    }
    for (size_t i = 0; rc == 0 && i < study->n_trials; i++) {
        rc = store_check_params(l, study->trials[i]);
        if (rc == 0) {
            rc = store_check_digest(l, study->trials[i]);
        }
    }
    return rc;
}

int store_load_trials(struct store *s, struct mirror *m, struct study *study,
                      struct err *err)
{
    struct store_loading l = {.store = s, .m = m, .study = study, .err = err};
    int rc = load_all(&l);
    for (int i = 0; i < STORE_N_WALKS; i++) {
        store_row_close(&l.walks[i]);
    }
    store_row_close(&l.trials);
    free(l.digests);
    set_hidden(study);
    history_settle(study->history);
    keep_resource(study);
    return rc;
}
