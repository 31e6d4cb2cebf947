/* Findings for `parzen doctor`: what SQLite, the loader and the daemon's own
 * conduct promise, read back from the rows. The numbers are those of the
 * invariants in the project's reliability notes:
 *
 *  1 the file is whole, references lead somewhere
 *  3 numbers of trials and attempts have no gaps
 *  4 the log has only legal transitions, and the rows are where it ends
 *  5 a study never has more finished trials than its target
 *  6 an end has what it needs
 *  7 parameters are inside the space
 *  8 epochs and what Optuna sees of them agree
 * 14 referenced checkpoints are there, whole
 * 15 nothing else is in their folders, two and the best one at most: what a
 *    daemon that was killed left there is no finding, the next start sweeps
 * 16 one live attempt, and only of a running trial; nothing is written by an
 *    attempt or a life of the daemon that is over
 *
 * Most are queries that answer with a sentence per finding. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/store_priv.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 20 }; /* of one invariant; the rest is counted */

void store_check_say(struct store_check *c, int invariant, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (c->n_of[invariant]++ < LINES_MAX) {
        buf_printf(c->out, "[%d] %s\n", invariant, line);
    }
    c->n++;
}

static void say_how_many_more(const struct store_check *c)
{
    for (int i = 0; i < STORE_N_INVARIANTS; i++) {
        if (c->n_of[i] > LINES_MAX) {
            buf_printf(c->out, "[%d] and %d more like this\n", i,
                       c->n_of[i] - LINES_MAX);
        }
    }
}

/* A look that could not be taken. */
static void fail(struct store_check *c, const struct err *why)
{
    c->rc = why->code;
    c->why = *why;
    store_check_say(c, 1, "%s", why->msg);
}

/* --- queries -------------------------------------------------------------- */

/* For the doctor alone: a start has looked at the pages already, a load at the
 * numbers. None compares times: a clock that was set back is no damage. */
static const struct query {
    int invariant;
    const char *sql;
} DOCTOR_QUERIES[] = {
    {1, "SELECT integrity_check FROM pragma_integrity_check"
        " WHERE integrity_check <> 'ok'"},
    {3, "SELECT format('study %d: trial numbers are not 0 .. %d', study_id,"
        " count(*) - 1) FROM trials GROUP BY study_id"
        " HAVING min(number) <> 0 OR max(number) <> count(*) - 1"
        " OR count(DISTINCT number) <> count(*)"},
};

static const struct query QUERIES[] = {
    {1, "SELECT format('%s: row %d refers to a row of %s that is not there',"
        " \"table\", rowid, parent) FROM pragma_foreign_key_check"},
    {3, "SELECT format('trial_id %d: its attempts are not 1 .. %d', x.trial_id,"
        " x.attempt) FROM parzen_trials x LEFT JOIN parzen_attempts a"
        " ON a.trial_id = x.trial_id GROUP BY x.trial_id"
        " HAVING count(a.attempt) <> x.attempt"
        " OR coalesce(max(a.attempt), 0) <> x.attempt"},
    {15, "SELECT format('trial_id %d: a previous checkpoint without a last',"
         "  trial_id) FROM parzen_checkpoints GROUP BY trial_id"
         " HAVING sum(kind = 'previous') > sum(kind = 'last')"},
    {15, "SELECT format('study %d, trial %d: %s, and keeps a checkpoint to"
         " continue from', t.study_id, t.number, t.state)"
         " FROM parzen_checkpoints c JOIN trials t ON t.trial_id = c.trial_id"
         " WHERE c.kind <> 'best' AND t.state IN ('COMPLETE', 'PRUNED')"},
    {5, "SELECT format('study %d: %d finished trials, its target is %d',"
        "  c.study_id, count(*), c.n_trials) FROM parzen_configs c"
        " JOIN trials t ON t.study_id = c.study_id"
        " WHERE t.state IN ('COMPLETE', 'PRUNED')"
        " GROUP BY c.study_id HAVING count(*) > c.n_trials" /* by Optuna: may */
        " AND NOT EXISTS (SELECT 1 FROM parzen_events e WHERE"
        "  e.study_id = c.study_id AND e.kind = 'ADOPT_TRIAL')"},
    {6, "SELECT format('study %d, trial %d: FAIL without a cause', t.study_id,"
        "  t.number) FROM trials t JOIN parzen_trials x"
        " ON x.trial_id = t.trial_id"
        " WHERE t.state = 'FAIL' AND x.cause = 'none' AND x.attempt > 0"},
    {8, "SELECT format('trial_id %d: epoch %d is missing on one side',"
        "  e.trial_id, e.epoch) FROM parzen_epochs e"
        " LEFT JOIN trial_intermediate_values i"
        " ON i.trial_id = e.trial_id AND i.step = e.epoch"
        " WHERE i.step IS NULL"},
    {16, "SELECT format('trial_id %d: attempt %d has no end, but the trial is"
         " %s in attempt %d', a.trial_id, a.attempt, t.state, x.attempt)"
         " FROM parzen_attempts a JOIN trials t ON t.trial_id = a.trial_id"
         " JOIN parzen_trials x ON x.trial_id = a.trial_id"
         " WHERE a.ended_ms IS NULL"
         " AND (t.state <> 'RUNNING' OR a.attempt <> x.attempt)"},
    {16, "SELECT format('study %d, trial %d: RUNNING without a live attempt',"
         "  t.study_id, t.number) FROM trials t JOIN parzen_trials x"
         " ON x.trial_id = t.trial_id LEFT JOIN parzen_attempts a"
         " ON a.trial_id = t.trial_id AND a.ended_ms IS NULL"
         " WHERE t.state = 'RUNNING' AND x.attempt > 0 AND a.trial_id IS NULL"},
    {16, "SELECT format('trial_id %d: epoch %d was written by attempt %d, the"
         " one before it by a later one', trial_id, epoch, attempt)"
         " FROM (SELECT *, lag(attempt) OVER (PARTITION BY trial_id"
         "  ORDER BY epoch) AS before FROM parzen_epochs)"
         " WHERE attempt < before"},
    {16, "SELECT format('trial_id %d: attempt %d began in life %d, the one"
         " before it in %d', a.trial_id, a.attempt, a.life, b.life)"
         " FROM parzen_attempts a JOIN parzen_attempts b"
         " ON b.trial_id = a.trial_id AND b.attempt = a.attempt - 1"
         " WHERE a.attempt > 1 AND a.life < b.life"},
    {16, "SELECT format('trial_id %d: attempt %d began in life %d, which is"
         " still to come', trial_id, attempt, life) FROM parzen_attempts"
         " WHERE life > (SELECT coalesce(max(life), 0) FROM parzen_lives)"},
};

static void run_query(struct store_check *c, const struct query *q, int64_t key)
{
    sqlite3_stmt *st;
    struct err err;
    int step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(c->s->db, q->sql, -1, &st, NULL) == SQLITE_OK) {
        if (sqlite3_bind_parameter_count(st) > 0) {
            sqlite3_bind_int64(st, 1, key);
        }
        while ((step = sqlite3_step(st)) == SQLITE_ROW) {
            const char *said = (const char *)sqlite3_column_text(st, 0);
            store_check_say(c, q->invariant, "%s", said != NULL ? said : "?");
        }
    }
    if (step != SQLITE_DONE && store_fail(c->s, "check", &err) != 0) {
        fail(c, &err);
    }
    sqlite3_finalize(st);
}

/* Optuna's value of each epoch is the objective's. One query per metric: a
 * column's name cannot be bound. */
static void check_intermediate(struct store_check *c, const struct study *study)
{
#define BY_METRIC(column)                                                      \
    "SELECT format('study %d, trial %d: epoch %d is not what Optuna sees',"    \
    "  t.study_id, t.number, e.epoch) FROM trials t"                           \
    " JOIN parzen_epochs e ON e.trial_id = t.trial_id"                         \
    " JOIN trial_intermediate_values i ON i.trial_id = e.trial_id"             \
    " AND i.step = e.epoch WHERE t.study_id = ? AND i.intermediate_value"      \
    " IS NOT CASE WHEN abs(e." column ") < 9e999 THEN e." column " END"
    static const char *const SQL[RUN_N_METRICS] = {
        [RUN_TRAIN_LOSS] = BY_METRIC("train_loss"),
        [RUN_TRAIN_ACC] = BY_METRIC("train_acc"),
        [RUN_VAL_LOSS] = BY_METRIC("val_loss"),
        [RUN_VAL_ACC] = BY_METRIC("val_acc"),
        [RUN_TEST_ACC] = BY_METRIC("test_acc"),
    };
    run_query(c, &(struct query){8, SQL[study->spec.metric]}, study->id);
}

/* --- what the loaded studies say ------------------------------------------ */

static void check_budget(struct store_check *c, const struct study *study,
                         const struct study_trial *t)
{
    struct run run;
    double *values = mem_alloc(study->spec.space.n + 1, sizeof(*values));
    study_values(study, t->number, values);
    spec_run(&study->spec, values, t->number, &run);
    free(values);
    if ((int64_t)t->n_reports > run.max_epochs) {
        store_check_say(c, 6,
                        "study %" PRId64 ", trial %" PRId64
                        ": %zu epochs, max_epochs is %" PRId64,
                        study->id, t->number, t->n_reports, run.max_epochs);
    }
}

static void check_file(struct store_check *c, const char *dir,
                       const struct study_checkpoint *k)
{
    char hex[65];
    uint64_t size;
    struct err err;
    if (k == NULL) {
        return;
    }
    char *path = mem_printf("%s/%s", dir, k->file);
    if (file_sha256(path, hex, &size, &err) != 0) {
        store_check_say(c, 14, "checkpoint: %s", err.msg);
    } else if (size != (uint64_t)k->size) {
        store_check_say(
            c, 14, "checkpoint %s: %" PRIu64 " bytes, %" PRId64 " were written",
            path, size, k->size);
    } else if (strcmp(hex, k->sha256) != 0) {
        store_check_say(c, 14, "checkpoint %s: its bytes have changed (sha256)",
                        path);
    }
    free(path);
}

static bool is_wanted(const struct study_trial *t, const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           study_trial_has_file(t, name);
}

/* A running trial's folder is its worker's: what is in it may be on its way to
 * become a checkpoint. */
static void check_folder(struct store_check *c, const char *dir,
                         const struct study_trial *t)
{
    DIR *d = t->state != TRIAL_RUNNING ? opendir(dir) : NULL;
    const struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (!is_wanted(t, e->d_name)) {
            buf_printf(c->out, STORE_CHECK_LEFT "%s/%s\n", dir, e->d_name);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

static void check_files(struct store_check *c, const struct study *study,
                        const struct study_trial *t)
{
    char *dir = paths_trial_dir(c->s->dir, study->id, t->number);
    check_file(c, dir, t->last);
    check_file(c, dir, t->previous);
    check_file(c, dir, t->best);
    check_folder(c, dir, t);
    free(dir);
}

static void check_study(struct store_check *c, const struct study *study)
{
    bool trains = study->spec.objective == SPEC_OBJECTIVE_CLASSIFIER;
    for (size_t i = 0; i < study->n_trials; i++) {
        if (trains && study->trials[i]->attempt > 0) {
            check_budget(c, study, study->trials[i]);
        }
        if (c->with_files) {
            check_files(c, study, study->trials[i]);
        }
    }
    check_intermediate(c, study);
}

/* All that the rows say, but for the doctor's part. */
static void check_rows(struct store_check *c)
{
    struct err err;
    for (size_t i = 0; i < ARRAY_LEN(QUERIES); i++) {
        run_query(c, &QUERIES[i], 0);
    }
    for (size_t i = 0; c->m != NULL && i < c->m->n_studies; i++) {
        if (!c->m->studies[i]->is_foreign) {
            check_study(c, c->m->studies[i]);
        }
    }
    if (c->m != NULL && store_check_log(c, &err) != 0) {
        fail(c, &err);
    }
    say_how_many_more(c);
}

static int check_all(struct store *s, bool with_files, struct buf *out)
{
    struct err err;
    struct mirror *m = mirror_new(1);
    struct store_check c = {.s = s, .out = out, .with_files = with_files};
    for (size_t i = 0; i < ARRAY_LEN(DOCTOR_QUERIES); i++) {
        run_query(&c, &DOCTOR_QUERIES[i], 0);
    }
    if (store_load(s, m, &err) == 0) {
        c.m = m;
    } else {
        fail(&c, &err);
    }
    check_rows(&c);
    mirror_free(m);
    return c.n;
}

int store_check(struct store *s, struct buf *out)
{
    return check_all(s, s->dir != NULL, out);
}

int store_check_rows(struct store *s, struct buf *out)
{
    return check_all(s, false, out);
}

/* --- at a start ----------------------------------------------------------- */

static int refuse(const struct store_check *c, struct err *err)
{
    const char *first = c->out->data;
    return err_set(err, ERR_CORRUPT,
                   "%s: damaged since it was killed: %.*s%s; `parzen doctor`"
                   " tells all",
                   c->s->path, (int)strcspn(first, "\n"), first,
                   c->n > 1 ? ", and more" : "");
}

int store_verify(struct store *s, const struct mirror *m, struct err *err)
{
    struct buf found;
    if (!s->was_killed) {
        return 0;
    }
    buf_init(&found, STORE_TEXT_MAX);
    struct store_check c = {.s = s, .m = m, .out = &found};
    check_rows(&c);
    int rc = 0;
    if (c.rc != 0 && c.rc != ERR_CORRUPT) {
        rc = err_set(err, c.rc, "%s", c.why.msg);
    } else if (c.n > 0) {
        rc = refuse(&c, err);
    }
    s->was_killed = rc != 0;
    s->is_refused = rc != 0;
    buf_fini(&found);
    return rc;
}
