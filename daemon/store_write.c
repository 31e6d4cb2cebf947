/* One action -> its rows: which writer, what it looks up, the event that every
 * action leaves, and the actions of studies (store_write_trial.c: of trials).
 *
 * Every change of a row that must be there checks that it was: a trial that
 * another program (Optuna's optimize on the same study) moved on meanwhile is
 * an error, not a silent overwrite. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/spec/spec_json.h"
#include "daemon/store_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { DETAIL_MAX = 8 << 10 };

int store_missing(const struct store_write *w)
{
    return err_set(w->err, ERR_STORE,
                   "%s: %s: study %" PRId64 ", trial %" PRId64
                   ": its row is not as expected; did another program write "
                   "to it?",
                   w->s->path, action_name(w->a->kind), w->a->study,
                   w->a->number);
}

/* Run a statement that must change exactly one row. */
int store_change_one(const struct store_write *w, enum store_statement which,
                     const struct store_arg *args, int n_args)
{
    int n_changed = 0;
    int rc = store_run(w->s, which, args, n_args, &n_changed, w->err);
    return rc == 0 && n_changed != 1 ? store_missing(w) : rc;
}
/* --- looking things up: in memory, or in an earlier action of the list ---- */

const struct spec *store_spec_of(const struct store_write *w)
{
    const struct study *study = mirror_study(w->m, w->a->study);
    bool is_new = study == NULL || study->is_foreign;
    for (size_t i = 0; is_new && i <= w->at; i++) { /* among the first */
        const struct action *a = &w->list->items[i];
        if ((a->kind == ACTION_ADD_STUDY || a->kind == ACTION_ADOPT_STUDY) &&
            a->study == w->a->study) {
            return a->add_study.spec;
        }
    }
    return study != NULL ? &study->spec : NULL;
}

static int64_t trial_id_of(const struct store_write *w)
{
    if (w->a->number < 0) {
        return 0;
    }
    if (w->a->kind == ACTION_ADD_TRIAL) {
        return w->a->add_trial.trial_id;
    }
    const struct study_trial *t = mirror_trial(w->m, w->a->study, w->a->number);
    if (t != NULL) {
        return t->id;
    }
    for (size_t i = w->at; i-- > 0;) {
        const struct action *a = &w->list->items[i];
        if (a->kind == ACTION_ADD_TRIAL && a->study == w->a->study &&
            a->number == w->a->number) {
            return a->add_trial.trial_id;
        }
    }
    return 0;
}

/* --- events --------------------------------------------------------------- */

static int put_event(const struct store_write *w, const char *detail)
{
    const struct action *a = w->a;
    w->s->put_seq = a->seq;
    struct store_arg none = {.type = SQLITE_NULL};
    return RUN(w, EVENT, NULL, STORE_I(a->seq), STORE_I(a->at_ms),
               STORE_I(a->study), a->number < 0 ? none : STORE_I(a->number),
               a->attempt <= 0 ? none : STORE_I(a->attempt),
               STORE_T(action_name(a->kind)),
               detail[0] == '\0' ? none : STORE_T(detail), STORE_I(w->s->life));
}

int store_put_event(const struct store_write *w, const char *fmt, ...)
{
    char detail[DETAIL_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    return put_event(w, detail);
}

/* --- studies -------------------------------------------------------------- */

static int put_config(const struct store_write *w)
{
    const struct spec *spec = w->a->add_study.spec;
    struct buf json;
    buf_init(&json, STORE_TEXT_MAX);
    spec_to_json(spec, &json);
    int rc = json.overflow
                 ? err_set(w->err, ERR_LIMIT, "the config of '%s' is too large",
                           spec->name)
                 : RUN(w, CONFIG, NULL, STORE_I(w->a->study),
                       STORE_I(w->a->seq), STORE_T(json.data),
                       STORE_I(spec->n_trials), STORE_I(w->a->at_ms));
    buf_fini(&json);
    return rc;
}

/* Optuna demands one list of choices of all trials of a study. */
static int rewrite_choices(const struct store_write *w, const struct param *p)
{
    struct buf json;
    struct json_out out;
    buf_init(&json, STORE_TEXT_MAX);
    json_out_init(&out, &json, JSON_PYTHON);
    dist_put_optuna(&p->dist, &out);
    int rc = RUN(w, SET_CHOICES, NULL, STORE_I(w->a->study), STORE_T(p->name),
                 STORE_T(json.data));
    buf_fini(&json);
    return rc;
}

/* The event keeps the config that was in force before it: replay.h. */
static int change_study(const struct store_write *w)
{
    const struct spec *spec = w->a->add_study.spec;
    const struct spec *old = store_spec_of(w);
    struct buf before, after;
    buf_init(&before, STORE_TEXT_MAX);
    buf_init(&after, STORE_TEXT_MAX);
    spec_to_json(old, &before);
    spec_to_json(spec, &after);
    int rc = CHANGE_ONE(w, SET_SPEC, STORE_I(w->a->study), STORE_I(w->a->seq),
                        STORE_T(after.data));
    for (size_t i = 0; rc == 0 && i < spec->space.n; i++) {
        const struct param *p = &spec->space.params[i];
        if (p->dist.kind == DIST_CATEGORICAL) {
            rc = rewrite_choices(w, p);
        }
    }
    if (rc == 0) {
        rc = put_event(w, before.data);
    }
    buf_fini(&before);
    buf_fini(&after);
    return rc;
}

/* Optuna's rows of it are there. */
static int adopt_study(const struct store_write *w)
{
    int rc = put_config(w);
    return rc != 0 ? rc : store_put_event(w, "%s", w->a->add_study.spec->name);
}

static int add_study(const struct store_write *w)
{
    const struct spec *spec = w->a->add_study.spec;
    int64_t id = w->a->study;
    int rc = RUN(w, STUDY, NULL, STORE_I(id), STORE_T(spec->name));
    if (rc == 0) {
        const char *direction =
            spec->direction == SPEC_MAXIMIZE ? "MAXIMIZE" : "MINIMIZE";
        rc = RUN(w, DIRECTION, NULL, STORE_T(direction), STORE_I(id));
    }
    if (rc == 0) {
        char names[64]; /* for the axes of Optuna's plots */
        snprintf(names, sizeof(names), "[\"%s\"]", spec_metric_name(spec));
        rc = RUN(w, METRIC_NAMES, NULL, STORE_I(id), STORE_T(names));
    }
    if (rc == 0) {
        rc = put_config(w);
    }
    return rc != 0 ? rc : store_put_event(w, "%s", spec->name);
}

static int set_study(const struct store_write *w)
{
    const char *state = study_state_name(w->a->set_study.state);
    const char *reason = w->a->set_study.reason;
    int rc = CHANGE_ONE(w, SET_STUDY, STORE_I(w->a->study), STORE_I(w->a->seq),
                        STORE_T(state), STORE_T(reason),
                        STORE_I(w->a->set_study.active_ms),
                        STORE_I(w->a->set_study.running_since_ms));
    return rc != 0
               ? rc
               : store_put_event(w, "%s%s%s", state, reason != NULL ? ": " : "",
                                 reason != NULL ? reason : "");
}

static int set_target(const struct store_write *w)
{
    int64_t n = w->a->set_target.n_trials;
    int rc = CHANGE_ONE(w, SET_TARGET, STORE_I(w->a->study), STORE_I(w->a->seq),
                        STORE_I(n));
    return rc != 0 ? rc : store_put_event(w, "%" PRId64, n);
}

static int set_data(const struct store_write *w)
{
    const struct study_data *d = &w->a->set_data;
    int rc =
        CHANGE_ONE(w, SET_DATA, STORE_I(w->a->study), STORE_I(w->a->seq),
                   STORE_T(d->sha256), STORE_I(d->n_classes),
                   STORE_I(d->n_train), STORE_I(d->n_val), STORE_I(d->n_test));
    return rc != 0 ? rc : store_put_event(w, "%s", d->sha256);
}

static int set_importances(const struct store_write *w)
{
    const struct importances *list = &w->a->importances.list;
    const char *evaluator = importance_name(w->a->importances.evaluator);
    int rc = RUN(w, DROP_IMPORTANCES, NULL, STORE_I(w->a->study),
                 STORE_T(evaluator));
    for (size_t i = 0; rc == 0 && i < list->n; i++) {
        rc = RUN(w, IMPORTANCE, NULL, STORE_I(w->a->study), STORE_T(evaluator),
                 STORE_T(list->items[i].name), STORE_D(list->items[i].value),
                 STORE_I(list->n_trials));
    }
    return rc != 0 ? rc : store_put_event(w, "%s", evaluator);
}

/* All rows of the study, Optuna's and ours. Rare, so one-off statements. */
static int delete_rows(const struct store_write *w)
{
    static const char *const OF_TRIALS[] = {
        "parzen_trials",         "parzen_attempts",
        "parzen_epochs",         "parzen_checkpoints",
        "trial_user_attributes", "trial_system_attributes",
        "trial_params",          "trial_values",
        "trial_heartbeats",      "trial_intermediate_values",
    };
    static const char *const OF_STUDY[] = {
        "parzen_importances",      "parzen_configs",   "parzen_events",
        "study_user_attributes",   "study_directions", "trials",
        "study_system_attributes", "studies",
    };
    char sql[192];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(OF_TRIALS); i++) {
        snprintf(sql, sizeof(sql),
                 "DELETE FROM %s WHERE trial_id IN"
                 " (SELECT trial_id FROM trials WHERE study_id = %" PRId64 ")",
                 OF_TRIALS[i], w->a->study);
        rc = store_exec(w->s, sql, w->err);
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(OF_STUDY); i++) {
        snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE study_id = %" PRId64,
                 OF_STUDY[i], w->a->study);
        rc = store_exec(w->s, sql, w->err);
    }
    if (rc == 0 && sqlite3_changes(w->s->db) != 1) {
        rc = store_missing(w);
    }
    return rc;
}

static int delete_study(const struct store_write *w)
{
    int rc = store_exec(
        w->s,
        "UPDATE parzen_next_ids SET value = max(value, CASE name"
        " WHEN 'study' THEN (SELECT max(study_id) + 1 FROM studies)"
        " ELSE (SELECT coalesce(max(trial_id), 0) + 1 FROM trials) END)",
        w->err);
    if (rc == 0) {
        rc = delete_rows(w);
    }
    const struct spec *spec = store_spec_of(w);
    return rc != 0 ? rc
                   : store_put_event(w, "%s", spec != NULL ? spec->name : "");
}

static int (*const WRITERS[ACTION_N_KINDS])(const struct store_write *) = {
    [ACTION_ADD_STUDY] = add_study,
    [ACTION_ADOPT_STUDY] = adopt_study,
    [ACTION_CHANGE_STUDY] = change_study,
    [ACTION_SET_STUDY] = set_study,
    [ACTION_SET_TARGET] = set_target,
    [ACTION_SET_DATA] = set_data,
    [ACTION_SET_IMPORTANCES] = set_importances,
    [ACTION_DELETE_STUDY] = delete_study,
    [ACTION_ADD_TRIAL] = store_add_trial,
    [ACTION_ADOPT_TRIAL] = store_adopt_trial,
    [ACTION_START_TRIAL] = store_start_trial,
    [ACTION_REPORT] = store_put_report,
    [ACTION_REWIND] = store_rewind,
    [ACTION_RUNG] = store_put_rung,
    [ACTION_CONSTRAINTS] = store_put_constraints,
    [ACTION_CHECKPOINT] = store_put_checkpoint,
    [ACTION_DISCARD] = store_discard,
    [ACTION_END_ATTEMPT] = store_end_attempt,
    [ACTION_FINISH_TRIAL] = store_finish_trial,
    [ACTION_RETRY_TRIAL] = store_retry_trial,
    [ACTION_FLAG_TRIAL] = store_flag_trial,
};

int store_write(struct store *s, const struct mirror *m,
                const struct actions *list, size_t at, struct err *err)
{
    struct store_write w = {.s = s,
                            .m = m,
                            .list = list,
                            .at = at,
                            .a = &list->items[at],
                            .err = err};
    w.trial_id = trial_id_of(&w);
    assert(WRITERS[w.a->kind] != NULL); /* every durable kind has one */
    if (w.a->number >= 0 && w.trial_id == 0) {
        return store_missing(&w);
    }
    return WRITERS[w.a->kind](&w);
}
