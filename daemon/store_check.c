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
 * 15 nothing else is in their folders, two and the best one at most
 * 16 one live attempt, and only of a running trial; nothing is written by an
 *    attempt or a life of the daemon that is over
 *
 * Most are queries that answer with a sentence per finding. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/history.h"
#include "daemon/store_priv.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 20 }; /* of one kind; the rest is counted */

struct check {
    struct store *s;
    struct mirror *m;
    struct buf *out;
    bool with_files;
    int n; /* findings */
};

static void say(struct check *c, int invariant, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void say(struct check *c, int invariant, const char *fmt, ...)
{
    char line[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    buf_printf(c->out, "[%d] %s\n", invariant, line);
    c->n++;
}

/* --- queries -------------------------------------------------------------- */

#define LIFE                                                                   \
    "'ADD_TRIAL', 'ADOPT_TRIAL', 'START_TRIAL', 'END_ATTEMPT',"                \
    "'FINISH_TRIAL', 'RETRY_TRIAL'"

static const struct {
    int invariant;
    const char *sql;
} QUERIES[] = {
    {1, "SELECT integrity_check FROM pragma_integrity_check"
        " WHERE integrity_check <> 'ok'"},
    {1, "SELECT format('%s: row %d refers to a row of %s that is not there',"
        " \"table\", rowid, parent) FROM pragma_foreign_key_check"},
    {3, "SELECT format('study %d: trial numbers are not 0 .. %d', study_id,"
        " count(*) - 1) FROM trials GROUP BY study_id"
        " HAVING min(number) <> 0 OR max(number) <> count(*) - 1"
        " OR count(DISTINCT number) <> count(*)"},
    {3, "SELECT format('trial_id %d: its attempts are not 1 .. %d', x.trial_id,"
        " x.attempt) FROM parzen_trials x LEFT JOIN parzen_attempts a"
        " ON a.trial_id = x.trial_id GROUP BY x.trial_id"
        " HAVING count(a.attempt) <> x.attempt"
        " OR coalesce(max(a.attempt), 0) <> x.attempt"},
    {4, "WITH life AS (SELECT seq, kind, lag(kind) OVER w AS before,"
        " lag(detail) OVER w AS was FROM parzen_events WHERE kind IN (" LIFE
        ") WINDOW w AS (PARTITION BY study_id, number ORDER BY seq))"
        " SELECT format('event %d: %s after %s', seq, kind,"
        "  coalesce(before, 'nothing')) FROM life WHERE NOT CASE kind"
        " WHEN 'ADD_TRIAL' THEN before IS NULL"
        " WHEN 'ADOPT_TRIAL' THEN coalesce(before, '') <> 'FINISH_TRIAL'"
        " WHEN 'START_TRIAL' THEN before IN"
        "  ('ADD_TRIAL', 'END_ATTEMPT', 'RETRY_TRIAL')"
        "  OR (before = 'ADOPT_TRIAL' AND was = 'WAITING')"
        " WHEN 'RETRY_TRIAL' THEN before IN ('FINISH_TRIAL', 'ADOPT_TRIAL')"
        "  AND was LIKE 'FAIL%'"
        " ELSE before = 'START_TRIAL'"
        "  OR (before = 'ADOPT_TRIAL' AND was = 'RUNNING') END"},
    {4,
     "WITH last AS (SELECT study_id, number, kind, detail, max(seq)"
     "  FROM parzen_events WHERE kind IN (" LIFE ") GROUP BY study_id, number)"
     " SELECT format('study %d, trial %d: is %s, but the log ends with %s',"
     "  t.study_id, t.number, t.state, l.kind) FROM trials t CROSS JOIN last l"
     " ON t.study_id = l.study_id AND t.number = l.number"
     " WHERE t.state <> CASE l.kind WHEN 'START_TRIAL' THEN 'RUNNING'"
     "  WHEN 'ADOPT_TRIAL' THEN l.detail"
     "  WHEN 'FINISH_TRIAL' THEN substr(l.detail, 1,"
     "   instr(l.detail || ' ', ' ') - 1) ELSE 'WAITING' END"},
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
    {5, "SELECT format('study %d: finished, but trial %d runs', c.study_id,"
        "  t.number) FROM parzen_configs c JOIN trials t"
        " ON t.study_id = c.study_id"
        " WHERE c.state = 'finished' AND t.state = 'RUNNING'"},
    {6, "SELECT format('study %d, trial %d: ended before it started',"
        "  study_id, number) FROM trials"
        " WHERE datetime_complete < datetime_start"},
    {6, "SELECT format('study %d, trial %d: FAIL without a cause', t.study_id,"
        "  t.number) FROM trials t JOIN parzen_trials x"
        " ON x.trial_id = t.trial_id"
        " WHERE t.state = 'FAIL' AND x.cause = 'none' AND x.attempt > 0"},
    {8, "WITH said AS (SELECT seq, study_id, number, CAST(detail AS INTEGER)"
        "  AS epoch, lag(CAST(detail AS INTEGER)) OVER (PARTITION BY study_id,"
        "  number ORDER BY seq) AS before FROM parzen_events"
        "  WHERE kind = 'REPORT')"
        " SELECT format('event %d: study %d, trial %d: epoch %d was reported"
        " after epoch %d', seq, study_id, number, epoch, before) FROM said"
        " WHERE epoch <= before"},
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
    {16, "SELECT format('event %d: written in life %d, the one before it in"
         " %d', seq, life, before) FROM (SELECT seq, life,"
         "  lag(life, 1, 0) OVER (ORDER BY seq) AS before FROM parzen_events)"
         " WHERE life < before"
         " OR life > (SELECT coalesce(max(life), 0) FROM parzen_lives)"},
    {16, "SELECT format('trial_id %d: attempt %d began in life %d, the one"
         " before it in %d', trial_id, attempt, life, before)"
         " FROM (SELECT *, lag(life, 1, 0) OVER (PARTITION BY trial_id"
         "  ORDER BY attempt) AS before FROM parzen_attempts)"
         " WHERE life < before"
         " OR life > (SELECT coalesce(max(life), 0) FROM parzen_lives)"},
    {16, "SELECT format('event %d: %s by attempt %d in life %d, which is not"
         " the one that began last', seq, kind, attempt, life)"
         " FROM (SELECT seq, kind, life, attempt, max(CASE kind"
         "  WHEN 'START_TRIAL' THEN seq END) OVER (PARTITION BY study_id,"
         "  number ORDER BY seq) AS begun FROM parzen_events"
         "  WHERE kind IN ('START_TRIAL', 'REPORT', 'CHECKPOINT')) e"
         " WHERE NOT EXISTS (SELECT 1 FROM parzen_events b WHERE"
         " b.seq = e.begun AND b.life = e.life AND b.attempt = e.attempt)"},
};

static void run_query(struct check *c, int invariant, const char *sql,
                      int64_t key)
{
    sqlite3_stmt *st;
    struct err err;
    int n = 0, step = SQLITE_ERROR;
    if (sqlite3_prepare_v2(c->s->db, sql, -1, &st, NULL) == SQLITE_OK) {
        if (sqlite3_bind_parameter_count(st) > 0) {
            sqlite3_bind_int64(st, 1, key);
        }
        while ((step = sqlite3_step(st)) == SQLITE_ROW) {
            const char *said = (const char *)sqlite3_column_text(st, 0);
            if (++n <= LINES_MAX) {
                say(c, invariant, "%s", said != NULL ? said : "?");
            }
        }
    }
    if (step != SQLITE_DONE) {
        int rc = store_fail(c->s, "check", &err);
        say(c, 1, "%s (%d)", err.msg, rc);
    }
    if (n > LINES_MAX) {
        say(c, invariant, "and %d more like this", n - LINES_MAX);
    }
    sqlite3_finalize(st);
}

/* Optuna's value of each epoch is the objective's. One query per metric: a
 * column's name cannot be bound. */
static void check_intermediate(struct check *c, const struct study *study)
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
    run_query(c, 8, SQL[study->spec.metric], study->id);
}

/* --- what the loaded studies say ------------------------------------------ */

/* Inside the space; enqueued values may lie outside of it (Optuna's rule). */
static void check_params(struct check *c, const struct study *study,
                         const struct study_trial *t, const double *values)
{
    for (size_t i = 0; i < study->spec.space.n; i++) {
        const struct param *p = &study->spec.space.params[i];
        bool is_fixed = t->fixed != NULL && t->fixed[i] == values[i];
        if (!isnan(values[i]) && !is_fixed &&
            !dist_contains(&p->dist, values[i])) {
            say(c, 7,
                "study %" PRId64 ", trial %" PRId64 ": '%s' = %g is"
                " outside its distribution",
                study->id, t->number, p->name, values[i]);
        }
    }
}

static void check_budget(struct check *c, const struct study *study,
                         const struct study_trial *t, const double *values)
{
    struct run run;
    spec_run(&study->spec, values, t->number, &run);
    if (study->spec.objective == SPEC_OBJECTIVE_CLASSIFIER &&
        (int64_t)t->n_reports > run.max_epochs) {
        say(c, 6,
            "study %" PRId64 ", trial %" PRId64
            ": %zu epochs, max_epochs is %" PRId64,
            study->id, t->number, t->n_reports, run.max_epochs);
    }
}

static void check_file(struct check *c, const char *dir,
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
        say(c, 14, "checkpoint: %s", err.msg);
    } else if (size != (uint64_t)k->size) {
        say(c, 14, "checkpoint %s: %" PRIu64 " bytes, %" PRId64 " were written",
            path, size, k->size);
    } else if (strcmp(hex, k->sha256) != 0) {
        say(c, 14, "checkpoint %s: its bytes have changed (sha256)", path);
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
static void check_folder(struct check *c, const char *dir,
                         const struct study_trial *t)
{
    DIR *d = t->state != TRIAL_RUNNING ? opendir(dir) : NULL;
    const struct dirent *e;
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (!is_wanted(t, e->d_name)) {
            say(c, 15, "%s/%s: no row refers to it", dir, e->d_name);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

static void check_study(struct check *c, const struct study *study)
{
    double *values = mem_alloc(study->spec.space.n + 1, sizeof(*values));
    for (size_t i = 0; i < study->n_trials; i++) {
        const struct study_trial *t = study->trials[i];
        study_values(study, t->number, values);
        if (t->attempt > 0) {
            check_params(c, study, t, values);
            check_budget(c, study, t, values);
        }
        if (c->with_files) {
            char *dir = paths_trial_dir(c->s->dir, study->id, t->number);
            check_file(c, dir, t->last);
            check_file(c, dir, t->previous);
            check_file(c, dir, t->best);
            check_folder(c, dir, t);
            free(dir);
        }
    }
    free(values);
    check_intermediate(c, study);
}

static int check_all(struct store *s, bool with_files, struct buf *out)
{
    struct err err;
    struct check c = {
        .s = s, .m = mirror_new(1), .out = out, .with_files = with_files};
    for (size_t i = 0; i < ARRAY_LEN(QUERIES); i++) {
        run_query(&c, QUERIES[i].invariant, QUERIES[i].sql, 0);
    }
    if (store_load(s, c.m, &err) != 0) {
        say(&c, 1, "%s", err.msg);
    } else {
        for (size_t i = 0; i < c.m->n_studies; i++) {
            if (!c.m->studies[i]->is_foreign) {
                check_study(&c, c.m->studies[i]);
            }
        }
    }
    mirror_free(c.m);
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
