/* One study as a database of Optuna's alone.
 *
 * Happy path: Optuna's schema in a temporary file beside the target; the source
 * attached read-only; the study's rows of every table of Optuna's, in one
 * transaction (so a snapshot, whatever a daemon does meanwhile); fsync; the
 * temporary takes the target's name. Possible failures: no such study, no such
 * source, a target that is there already, a full disk: the temporary is
 * removed, nothing else was touched. */
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Columns are named: who made the source may have had them in another order. */
#define OF_TRIALS(table, columns)                                              \
    "INSERT INTO main." table " (" columns ") SELECT " columns                 \
    " FROM source." table " WHERE trial_id IN"                                 \
    " (SELECT trial_id FROM main.trials) ORDER BY 1"
#define OF_STUDY(table, columns)                                               \
    "INSERT INTO main." table " (" columns ") SELECT " columns                 \
    " FROM source." table " WHERE study_id = (SELECT study_id FROM"            \
    " main.studies) ORDER BY 1"

static const char *const COPIES[] = {
    OF_STUDY("study_directions",
             "study_direction_id, direction, study_id, objective"),
    OF_STUDY("study_user_attributes",
             "study_user_attribute_id, study_id, key, value_json"),
    OF_STUDY("study_system_attributes",
             "study_system_attribute_id, study_id, key, value_json"),
    OF_STUDY("trials", "trial_id, number, study_id, state, datetime_start,"
                       " datetime_complete"),
    OF_TRIALS("trial_user_attributes",
              "trial_user_attribute_id, trial_id, key, value_json"),
    OF_TRIALS("trial_system_attributes",
              "trial_system_attribute_id, trial_id, key, value_json"),
    OF_TRIALS("trial_params", "param_id, trial_id, param_name, param_value,"
                              " distribution_json"),
    OF_TRIALS("trial_values",
              "trial_value_id, trial_id, objective, value, value_type"),
    OF_TRIALS("trial_intermediate_values",
              "trial_intermediate_value_id, trial_id, step,"
              " intermediate_value, intermediate_value_type"),
    OF_TRIALS("trial_heartbeats", "trial_heartbeat_id, trial_id, heartbeat"),
};

/* Optuna up to 4 keeps local times, 5 keeps UTC; each checks its own stamp and
 * nothing else. */
static const char TO_3_1[] =
    "UPDATE alembic_version SET version_num = 'v3.0.0.d';"
    "UPDATE trials SET datetime_start = datetime(datetime_start, 'localtime')"
    "  || substr(datetime_start, 20), datetime_complete ="
    "  datetime(datetime_complete, 'localtime')"
    "  || substr(datetime_complete, 20)";

/* A statement with one text. */
static int run_text(struct store *s, const char *sql, const char *text,
                    const char *doing, struct err *err)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return store_fail(s, doing, err);
    }
    sqlite3_bind_text(st, 1, text, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st) == SQLITE_DONE ? 0 : store_fail(s, doing, err);
    sqlite3_finalize(st);
    return rc;
}

static int attach(struct store *s, const char *source, struct err *err)
{
    char *uri = store_uri(source, "mode=ro");
    int rc = run_text(s, "ATTACH ? AS source", uri, source, err);
    free(uri);
    return rc;
}

static int copy_rows(struct store *s, const struct store_export *o,
                     int64_t *n_trials, struct err *err)
{
    int rc = run_text(s,
                      "INSERT INTO main.studies (study_id, study_name) SELECT"
                      " study_id, study_name FROM source.studies"
                      " WHERE study_name = ?",
                      o->study, "copy", err);
    if (rc == 0 && sqlite3_changes(s->db) == 0) {
        return err_set(err, ERR_NOTFOUND, "no study named '%s'", o->study);
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(COPIES); i++) {
        rc = store_exec(s, COPIES[i], err);
    }
    if (rc == 0 && o->stamp != NULL) {
        rc = store_exec(s, TO_3_1, err);
    }
    if (rc == 0) {
        rc = store_query_int(s, "SELECT count(*) FROM main.trials", n_trials,
                             err);
    }
    return rc;
}

static int write_copy(const char *tmp, const char *source,
                      const struct store_export *o, int64_t *n_trials,
                      struct err *err)
{
    struct store s = {.path = (char *)tmp};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(tmp, &s.db, flags, NULL) == SQLITE_OK
                 ? store_exec(&s,
                              "PRAGMA journal_mode = OFF;"
                              "PRAGMA synchronous = OFF",
                              err)
                 : store_fail(&s, "open", err);
    if (rc == 0) {
        sqlite3_busy_timeout(s.db, STORE_BUSY_OPEN_MS);
        rc = attach(&s, source, err);
    }
    if (rc == 0) {
        rc = store_exec(&s, "BEGIN", err);
    }
    if (rc == 0) {
        rc = store_exec(&s, store_optuna_schema(), err);
    }
    if (rc == 0) {
        rc = copy_rows(&s, o, n_trials, err);
    }
    if (rc == 0) {
        rc = store_exec(&s, "COMMIT", err);
    }
    sqlite3_close(s.db);
    return rc;
}

static int sync_path(const char *path, int flags, struct err *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : err_sys(err, errno, "%s", path);
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static int take_name(const char *tmp, const struct store_export *o,
                     struct err *err)
{
    int rc = sync_path(tmp, O_RDWR, err);
    if (rc != 0) {
        return rc;
    }
    unsigned flags = o->overwrite ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, tmp, AT_FDCWD, o->to, flags) != 0) {
        return errno == EEXIST
                   ? err_set(err, ERR_CONFLICT, "%s is there already", o->to)
                   : err_sys(err, errno, "%s", o->to);
    }
    char *copy = mem_strdup(o->to);
    rc = sync_path(dirname(copy), O_RDONLY | O_DIRECTORY, err);
    free(copy);
    return rc;
}

int store_export(const char *source, const struct store_export *o,
                 int64_t *n_trials, struct err *err)
{
    if (o->stamp != NULL && strcmp(o->stamp, "3.1") != 0) {
        return err_set(err, ERR_INVALID, "stamp: '%s' is not 3.1", o->stamp);
    }
    if (!o->overwrite && access(o->to, F_OK) == 0) {
        return err_set(err, ERR_CONFLICT, "%s is there already", o->to);
    }
    int rc = store_admit(source, false, err);
    if (rc != 0) {
        return rc;
    }
    char *tmp = mem_printf("%s.tmp-%d", o->to, (int)getpid());
    int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        rc = err_sys(err, errno, "%s", tmp);
    } else {
        close(fd);
        rc = write_copy(tmp, source, o, n_trials, err);
        if (rc == 0) {
            rc = take_name(tmp, o, err);
        }
        if (rc != 0) {
            unlink(tmp);
        }
    }
    free(tmp);
    return rc;
}
