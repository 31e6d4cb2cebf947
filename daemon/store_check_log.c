/* The log, once from its beginning: does each trial move as it may, is it where
 * its log ends, was it suggested what lies inside the space, and did each word
 * come from the attempt and the life that were at work then? One pass in C,
 * because windows over all events cost SQLite more than the rest of a start. */
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/store_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum log_kind {
    LOGGED_ADD,
    LOGGED_ADOPT,
    LOGGED_START,
    LOGGED_END,
    LOGGED_FINISH,
    LOGGED_RETRY,
    LOGGED_REPORT,
    LOGGED_REWIND,
    LOGGED_CHECKPOINT,
    LOGGED_N_KINDS
};

static const char *const KINDS[LOGGED_N_KINDS] = {
    [LOGGED_ADD] = "ADD_TRIAL",        [LOGGED_ADOPT] = "ADOPT_TRIAL",
    [LOGGED_START] = "START_TRIAL",    [LOGGED_END] = "END_ATTEMPT",
    [LOGGED_FINISH] = "FINISH_TRIAL",  [LOGGED_RETRY] = "RETRY_TRIAL",
    [LOGGED_REPORT] = "REPORT",        [LOGGED_REWIND] = "REWIND",
    [LOGGED_CHECKPOINT] = "CHECKPOINT"};

struct log_trial { /* as far as the log has been read */
    bool is_known;
    enum log_kind last; /* that moved it */
    enum trial_state state;
    int64_t life, attempt; /* of the last START_TRIAL */
    int64_t epoch;         /* reported last, -1: none */
};

struct log_study {
    const struct study *study;
    struct log_trial *trials; /* by number */
    int *columns;             /* of the space's parameters in the history */
};

struct log_event {
    int64_t seq, study, number, attempt, life;
    enum log_kind kind;
    const char *detail; /* "" for NULL; until the next row */
};

struct log_reading {
    struct store_check *c;
    struct log_study *studies; /* as the mirror has them */
    int64_t life, last_life;   /* of the event before; of all */
};

enum event_column {
    EVENT_SEQ,
    EVENT_STUDY,
    EVENT_NUMBER,
    EVENT_ATTEMPT,
    EVENT_LIFE,
    EVENT_KIND,
    EVENT_DETAIL /* of trials alone: a study's may be a whole config */
};

static const char SELECT_LOG[] =
    "SELECT seq, study_id, coalesce(number, -1), coalesce(attempt, 0), life,"
    " kind, CASE WHEN number IS NOT NULL THEN detail END"
    " FROM parzen_events ORDER BY seq";

/* --- one event ------------------------------------------------------------ */

static bool is_legal(const struct log_trial *t, enum log_kind kind)
{
    switch (kind) {
    case LOGGED_ADD:
        return !t->is_known;
    case LOGGED_ADOPT: /* by Optuna, which touches nothing that we ended */
        return !t->is_known || t->last != LOGGED_FINISH;
    case LOGGED_START:
        return t->is_known && t->state == TRIAL_WAITING;
    case LOGGED_RETRY:
        return t->is_known && t->state == TRIAL_FAIL;
    default:
        return t->is_known && t->state == TRIAL_RUNNING;
    }
}

/* The first word of the detail. */
static enum trial_state state_told(const struct log_event *e)
{
    char name[16] = "";
    size_t n = strcspn(e->detail, " ");
    memcpy(name, e->detail, n < sizeof(name) - 1 ? n : sizeof(name) - 1);
    int named = trial_state_by_name(name);
    return named >= 0 ? (enum trial_state)named : TRIAL_N_STATES;
}

/* Enqueued values may lie outside (Optuna's rule). */
static void check_params(struct store_check *c, const struct log_study *s,
                         int64_t number)
{
    const struct study_trial *t = s->study->trials[number];
    const struct space *space = &s->study->spec.space;
    for (size_t i = 0; i < space->n; i++) {
        double value = s->columns[i] < 0 ? (double)NAN
                                         : history_param(s->study->history,
                                                         number, s->columns[i]);
        bool is_fixed = t->fixed != NULL && t->fixed[i] == value;
        if (!isnan(value) && !is_fixed &&
            !dist_contains(&space->params[i].dist, value)) {
            store_check_say(c, 7,
                            "study %" PRId64 ", trial %" PRId64 ": '%s' = %g is"
                            " outside its distribution",
                            s->study->id, number, space->params[i].name, value);
        }
    }
}

static void move(struct log_trial *t, const struct log_event *e)
{
    bool is_told = e->kind == LOGGED_ADOPT || e->kind == LOGGED_FINISH;
    t->state = is_told                   ? state_told(e)
               : e->kind == LOGGED_START ? TRIAL_RUNNING
                                         : TRIAL_WAITING;
    t->is_known = true;
    t->last = e->kind;
    if (e->kind == LOGGED_START) {
        t->life = e->life;
        t->attempt = e->attempt;
    }
}

/* What Optuna gave it may lie outside, too. */
static void check_move(struct store_check *c, const struct log_study *s,
                       const struct log_trial *t, const struct log_event *e)
{
    if (!is_legal(t, e->kind)) {
        store_check_say(c, 4, "event %" PRId64 ": %s after %s", e->seq,
                        KINDS[e->kind],
                        t->is_known ? KINDS[t->last] : "nothing");
    }
    if (e->kind == LOGGED_START && e->attempt == 1 &&
        strcmp(e->detail, "given") != 0) {
        check_params(c, s, e->number);
    }
}

/* A word of the attempt that runs. */
static void hear(struct store_check *c, struct log_trial *t,
                 const struct log_event *e)
{
    if (e->life != t->life || e->attempt != t->attempt) {
        store_check_say(c, 16,
                        "event %" PRId64 ": %s by attempt %" PRId64
                        " in life %" PRId64
                        ", which is not the one that began last",
                        e->seq, KINDS[e->kind], e->attempt, e->life);
    }
    int64_t epoch = strtoll(e->detail, NULL, 10);
    if (e->kind == LOGGED_REWIND) {
        t->epoch = epoch - 1 < t->epoch ? epoch - 1 : t->epoch;
    }
    if (e->kind != LOGGED_REPORT) {
        return;
    }
    if (epoch <= t->epoch) {
        store_check_say(c, 8,
                        "event %" PRId64 ": study %" PRId64 ", trial %" PRId64
                        ": epoch %" PRId64 " was reported after epoch %" PRId64,
                        e->seq, e->study, e->number, epoch, t->epoch);
    }
    t->epoch = epoch;
}

static void check_life(struct log_reading *l, const struct log_event *e)
{
    if (e->life < l->life || e->life > l->last_life) {
        store_check_say(l->c, 16,
                        "event %" PRId64 ": written in life %" PRId64
                        ", the one before it in %" PRId64,
                        e->seq, e->life, l->life);
    }
    l->life = e->life;
}

/* NULL: of no trial that the mirror has. */
static const struct log_study *study_of(const struct log_reading *l,
                                        const struct log_event *e)
{
    for (size_t i = 0; i < l->c->m->n_studies; i++) {
        const struct study *s = l->studies[i].study;
        if (s->id == e->study) {
            bool has_it = e->number >= 0 && e->number < (int64_t)s->n_trials;
            return has_it ? &l->studies[i] : NULL;
        }
    }
    return NULL;
}

static void take(struct log_reading *l, const struct log_event *e)
{
    const struct log_study *s = study_of(l, e);
    check_life(l, e);
    if (s == NULL || e->kind == LOGGED_N_KINDS) {
        return;
    }
    struct log_trial *t = &s->trials[e->number];
    if (e->kind == LOGGED_REPORT || e->kind == LOGGED_REWIND ||
        e->kind == LOGGED_CHECKPOINT) {
        hear(l->c, t, e);
    } else {
        check_move(l->c, s, t, e);
        move(t, e);
    }
}

/* --- all of them ---------------------------------------------------------- */

static int read_event(const struct store_row *r, struct log_event *e)
{
    const char *kind;
    e->seq = r->id;
    e->detail = "";
    int rc = store_row_int(r, EVENT_STUDY, INT64_MIN, INT64_MAX, &e->study);
    if (rc == 0) {
        rc = store_row_int(r, EVENT_NUMBER, -1, INT64_MAX, &e->number);
    }
    if (rc == 0) {
        rc = store_row_int(r, EVENT_ATTEMPT, 0, INT64_MAX, &e->attempt);
    }
    if (rc == 0) {
        rc = store_row_int(r, EVENT_LIFE, 0, INT64_MAX, &e->life);
    }
    if (rc == 0) {
        rc = store_row_text(r, EVENT_KIND, 32, &kind);
    }
    for (e->kind = 0; rc == 0 && e->kind < LOGGED_N_KINDS; e->kind++) {
        if (strcmp(kind, KINDS[e->kind]) == 0) {
            break;
        }
    }
    return rc == 0 && !store_row_is_null(r, EVENT_DETAIL)
               ? store_row_text(r, EVENT_DETAIL, STORE_TEXT_MAX, &e->detail)
               : rc;
}

static int read_log(struct log_reading *l, struct err *err)
{
    struct store_row r;
    struct log_event e;
    int rc = store_query_int(l->c->s,
                             "SELECT coalesce(max(life), 0) FROM parzen_lives",
                             &l->last_life, err);
    if (rc == 0) {
        rc = store_row_open(&r, l->c->s, "parzen_events", SELECT_LOG, 0, err);
    }
    if (rc != 0) {
        return rc;
    }
    while (rc == 0 && r.has_row && r.id < l->c->m->next_seq) {
        rc = read_event(&r, &e);
        if (rc == 0) {
            take(l, &e);
            rc = store_row_next(&r);
        }
    }
    store_row_close(&r);
    return rc;
}

static void check_ends(struct store_check *c, const struct log_study *s)
{
    for (size_t i = 0; i < s->study->n_trials; i++) {
        enum trial_state is = s->study->trials[i]->state;
        /* Optuna may run what we never began; the next start takes that in */
        bool is_optunas = s->study->trials[i]->attempt == 0 &&
                          !trial_state_is_final(s->trials[i].state);
        if (s->trials[i].is_known && s->trials[i].state != is && !is_optunas) {
            store_check_say(c, 4,
                            "study %" PRId64 ", trial %zu: is %s, but the log "
                            "ends with %s",
                            s->study->id, i, trial_state_name(is),
                            KINDS[s->trials[i].last]);
        }
    }
}

static struct log_study begin(const struct study *s)
{
    const struct space *space = &s->spec.space;
    struct log_study out = {
        .study = s,
        .trials = mem_alloc(s->n_trials + 1, sizeof(*out.trials)),
        .columns = mem_alloc(space->n + 1, sizeof(*out.columns))};
    for (size_t i = 0; i < s->n_trials; i++) {
        out.trials[i].epoch = -1;
    }
    for (size_t i = 0; i < space->n; i++) {
        out.columns[i] = history_find_param(s->history, space->params[i].name);
    }
    return out;
}

int store_check_log(struct store_check *c, struct err *err)
{
    size_t n = c->m->n_studies;
    struct log_reading l = {.c = c,
                            .studies = mem_alloc(n + 1, sizeof(*l.studies))};
    for (size_t i = 0; i < n; i++) {
        l.studies[i] = begin(c->m->studies[i]);
    }
    int rc = read_log(&l, err);
    for (size_t i = 0; i < n; i++) {
        if (rc == 0) {
            check_ends(c, &l.studies[i]);
        }
        free(l.studies[i].trials);
        free(l.studies[i].columns);
    }
    free(l.studies);
    return rc;
}
