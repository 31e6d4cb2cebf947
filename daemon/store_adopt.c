/* What Optuna did to studies of ours, while no daemon had them or beside one
 * that works: trials that it added (its optimize, or enqueue_trial), and
 * waiting ones of ours that it ran.
 * The row of such a trial is not what our log says of it. Each gets an event of
 * its own, so that the log stays the whole order of events; what an attempt of
 * ours did not run has attempt 0. Of a study that it deleted our rows go too,
 * as by our own delete: their ids would meet those of the next one.
 *
 * SQLite counts for each connection what the others have committed. Within a
 * transaction that writes nobody else does: when the count is what it was as
 * the rows were loaded, memory is what they are. */
#include "daemon/store_priv.h"

/* Trials whose last event does not lead to their state. One that has ended
 * here is not Optuna's to change: damage, which the next load finds. */
#define CHANGED                                                                \
    "SELECT t.trial_id, t.study_id, t.number, t.state FROM parzen_configs c"   \
    " JOIN trials t ON t.study_id = c.study_id"                                \
    " LEFT JOIN parzen_trials x ON x.trial_id = t.trial_id"                    \
    " LEFT JOIN parzen_events e ON e.seq = x.seq"                              \
    " WHERE x.end_digest IS NULL AND (e.seq IS NULL OR t.state <> CASE"        \
    " WHEN e.kind IN ('FINISH_TRIAL', 'ADOPT_TRIAL')"                          \
    "  THEN substr(e.detail, 1, instr(e.detail || ' ', ' ') - 1)"              \
    " WHEN e.kind IN ('ADD_TRIAL', 'END_ATTEMPT', 'RETRY_TRIAL')"              \
    "  THEN 'WAITING'"                                                         \
    " WHEN e.kind IN ('START_TRIAL', 'REPORT', 'REWIND', 'RUNG',"              \
    "  'CHECKPOINT', 'FLAG_TRIAL', 'CONSTRAINTS', 'DISCARD') THEN 'RUNNING'"   \
    " ELSE t.state END)"

#define NOW_MS "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

static const char ADOPT[] =
    "CREATE TEMP TABLE adopted AS SELECT trial_id, study_id, number, state,"
    "  (SELECT coalesce(max(seq), 0) FROM parzen_events)"
    "  + row_number() OVER (ORDER BY trial_id) AS seq FROM (" CHANGED ");"
    "INSERT INTO parzen_events SELECT seq,"
    "  " NOW_MS ", study_id,"
    "  number, NULL, 'ADOPT_TRIAL', state,"
    "  (SELECT coalesce(max(life), 0) FROM parzen_lives) FROM temp.adopted;"
    "INSERT INTO parzen_trials SELECT trial_id, seq, 0, 'none', NULL, -1, NULL,"
    "  -1, 0, 0, NULL, NULL, NULL, NULL FROM temp.adopted WHERE true"
    " ON CONFLICT (trial_id) DO UPDATE SET seq = excluded.seq;"
    "UPDATE parzen_trials SET cause = 'none', message = NULL"
    " WHERE trial_id IN (SELECT trial_id FROM temp.adopted"
    "  WHERE state IN ('COMPLETE', 'PRUNED'));"
    "UPDATE parzen_trials SET cause = 'daemon',"
    "  message = 'another program failed it'"
    " WHERE cause = 'none' AND trial_id IN (SELECT trial_id FROM temp.adopted"
    "  WHERE state = 'FAIL');"
    /* What it finished needs nothing to continue from. */
    "DELETE FROM parzen_checkpoints WHERE kind <> 'best' AND trial_id IN"
    "  (SELECT trial_id FROM temp.adopted"
    "   WHERE state IN ('COMPLETE', 'PRUNED'));"
    /* An attempt of ours that it took over. */
    "UPDATE parzen_attempts SET cause = 'daemon',"
    "  ended_ms = max(started_ms,"
    "   " NOW_MS "),"
    "  message = 'another program went on with it'"
    " WHERE ended_ms IS NULL"
    " AND trial_id IN (SELECT trial_id FROM temp.adopted);"
    "DROP TABLE temp.adopted";

/* Studies of ours that are not there any more: the row is missing, or it is
 * that of a study made since, which SQLite gave the same id. One that we made
 * has its metric's name beside it; Optuna's create_study writes none. */
#define GONE                                                                   \
    "SELECT c.study_id FROM parzen_configs c WHERE"                            \
    " NOT EXISTS (SELECT 1 FROM studies s WHERE s.study_id = c.study_id)"      \
    " OR (NOT EXISTS (SELECT 1 FROM study_system_attributes a"                 \
    "   WHERE a.study_id = c.study_id AND a.key = 'study:metric_names')"       \
    "  AND EXISTS (SELECT 1 FROM parzen_events e"                              \
    "   WHERE e.study_id = c.study_id AND e.kind = 'ADD_STUDY'))"

/* Our rows of trials that are gone with a study: of no trial any more, or, an
 * id may be another's by now, with a last event of that study. Where no study
 * is gone, rows of no trial are damage, for the checks to find (store_check.c).
 */
#define ORPHANS                                                                \
    " WHERE EXISTS (SELECT 1 FROM temp.gone)"                                  \
    " AND (trial_id NOT IN (SELECT trial_id FROM trials)"                      \
    "  OR trial_id IN (SELECT trial_id FROM temp.gone_trials));"

static const char FORGET[] =
    "CREATE TEMP TABLE gone AS SELECT study_id,"
    "  (SELECT coalesce(max(seq), 0) FROM parzen_events)"
    "  + row_number() OVER (ORDER BY study_id) AS seq FROM (" GONE ");"
    "CREATE TEMP TABLE gone_trials AS SELECT x.trial_id FROM parzen_trials x"
    "  JOIN parzen_events e ON e.seq = x.seq"
    "  WHERE e.study_id IN (SELECT study_id FROM temp.gone);"
    "UPDATE parzen_next_ids SET value = max(value, CASE name"
    "  WHEN 'study' THEN (SELECT coalesce(max(study_id), 0) + 1"
    "    FROM temp.gone)"
    "  ELSE (SELECT coalesce(max(trial_id), 0) + 1 FROM parzen_trials) END);"
    "DELETE FROM parzen_attempts" ORPHANS "DELETE FROM parzen_epochs" ORPHANS
    "DELETE FROM parzen_checkpoints" ORPHANS "DELETE FROM parzen_trials" ORPHANS
    "DELETE FROM parzen_importances"
    "  WHERE study_id IN (SELECT study_id FROM temp.gone);"
    "DELETE FROM parzen_events"
    "  WHERE study_id IN (SELECT study_id FROM temp.gone);"
    "INSERT INTO parzen_events SELECT g.seq,"
    "  " NOW_MS ", g.study_id,"
    "  NULL, NULL, 'DELETE_STUDY', coalesce(json_extract(c.spec, '$.study'), "
    "''),"
    "  (SELECT coalesce(max(life), 0) FROM parzen_lives)"
    "  FROM temp.gone g JOIN parzen_configs c ON c.study_id = g.study_id;"
    "DELETE FROM parzen_configs"
    "  WHERE study_id IN (SELECT study_id FROM temp.gone);"
    "DROP TABLE temp.gone_trials; DROP TABLE temp.gone";

static int version_of(struct store *s, int64_t *version, struct err *err)
{
    sqlite3_stmt *st;
    int rc = store_prepare(s, STORE_DATA_VERSION, NULL, 0, &st, err);
    if (rc != 0) {
        return rc;
    }
    if (sqlite3_step(st) == SQLITE_ROW) {
        *version = sqlite3_column_int64(st, 0);
    } else {
        rc = store_fail(s, "look for what others wrote", err);
    }
    sqlite3_reset(st);
    return rc;
}

int store_note_version(struct store *s, struct err *err)
{
    return version_of(s, &s->version, err);
}

int store_is_known(struct store *s, struct err *err)
{
    int64_t version = 0;
    int rc = version_of(s, &version, err);
    return rc != 0 || version == s->version
               ? rc
               : err_set(err, ERR_STALE,
                         "%s: another program has written to it meanwhile",
                         s->path);
}

bool store_is_stale(struct store *s)
{
    struct err err;
    return !s->is_open && store_is_known(s, &err) == ERR_STALE;
}

bool store_data_version(struct store *s, int64_t *version)
{
    struct err ignored;
    return version_of(s, version, &ignored) == 0;
}

/* A copy in memory has no life, and is nobody else's. */
static int begin(struct store *s, struct err *err)
{
    int rc = store_exec(s, "BEGIN IMMEDIATE", err);
    return rc == 0 && s->life > 0 ? store_life_holds(s, err) : rc;
}

static int follow(struct store *s, struct err *err)
{
    int rc = store_exec(s, FORGET, err);
    return rc == 0 ? store_exec(s, ADOPT, err) : rc;
}

static int adopt(struct store *s, struct err *err)
{
    int rc = begin(s, err);
    if (rc == 0) {
        rc = follow(s, err);
    }
    if (rc == 0) {
        rc = store_exec(s, "COMMIT", err);
    }
    store_rollback(s);
    return rc;
}

int store_adopt_needed(struct store *s, bool *needed, struct err *err)
{
    int64_t n = 0;
    int rc = store_query_int(s,
                             "SELECT (SELECT count(*) FROM (" CHANGED "))"
                             " + (SELECT count(*) FROM (" GONE "))",
                             &n, err);
    *needed = n > 0;
    return rc;
}

int store_adopt_trials(struct store *s, struct err *err)
{
    bool needed;
    if (s->is_open) {
        store_undo(s);
    }
    int rc = store_adopt_needed(s, &needed, err);
    return rc == 0 && needed ? adopt(s, err) : rc;
}

int store_take_in(struct store *s, struct mirror *m, struct err *err)
{
    bool needed = false;
    if (s->is_open) {
        store_undo(s);
    }
    int rc = begin(s, err);
    if (rc == 0) {
        rc = store_adopt_needed(s, &needed, err);
    }
    if (rc == 0 && needed) {
        rc = follow(s, err);
    }
    if (rc == 0) {
        rc = store_load_rows(s, m, err);
        s->is_refused |= rc == ERR_CORRUPT;
    }
    if (rc == 0) {
        rc = store_exec(s, "COMMIT", err);
    }
    store_rollback(s);
    return rc;
}
