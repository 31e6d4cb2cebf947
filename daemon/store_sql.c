/* Everything that speaks SQLite's C interface for the rest of the store:
 * statements, bindings, the translation of its codes, and Optuna's way of
 * writing times and non-finite numbers. */
#include "core/base/buf.h"
#include "daemon/store_priv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const SQL[STORE_N_STATEMENTS] = {
#define X(name, sql) [STORE_##name] = sql,
    STORE_STATEMENTS(X)
#undef X
};

static const char *const NAME[STORE_N_STATEMENTS] = {
#define X(name, sql) [STORE_##name] = "statement " #name,
    STORE_STATEMENTS(X)
#undef X
};

static int code_of(int sqlite_code, int errnum)
{
    switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG
                   ? ERR_FULL
                   : ERR_IO;
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* a race for the WAL's locks */
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
        return ERR_BUSY;
    default:
        return ERR_STORE;
    }
}

/* Why the last operation failed. A COMMIT does not tell the connection, but the
 * WAL that it could not write knows. */
static int last_errno(sqlite3 *db)
{
    int errnum = sqlite3_system_errno(db);
    sqlite3_file *wal = NULL;
    if (errnum == 0 &&
        sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal) ==
            SQLITE_OK &&
        wal != NULL && wal->pMethods != NULL) {
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &errnum);
    }
    return errnum;
}

int store_fail(const struct store *s, const char *doing, struct err *err)
{
    int code = sqlite3_extended_errcode(s->db);
    int errnum = (code & 0xff) == SQLITE_IOERR ? last_errno(s->db)
                                               : sqlite3_system_errno(s->db);
    switch (code & 0xff) {
    case SQLITE_FULL:
        return err_set(err, ERR_FULL, "%s: no space left on the disk (%s)",
                       s->path, doing);
    case SQLITE_BUSY:
        return err_set(err, ERR_BUSY,
                       "%s: another program holds the database (%s)", s->path,
                       doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_CORRUPT, "%s: damaged: %s (SQLite %d, %s)",
                       s->path, sqlite3_errmsg(s->db), code, doing);
    default:
        return err_set(err, code_of(code, errnum), "%s: %s: %s (SQLite %d)%s%s",
                       s->path, doing, sqlite3_errmsg(s->db), code,
                       errnum != 0 ? ": " : "",
                       errnum != 0 ? strerror(errnum) : "");
    }
}

static int bind(sqlite3_stmt *st, int at, const struct store_arg *arg)
{
    switch (arg->type) {
    case SQLITE_INTEGER:
        return sqlite3_bind_int64(st, at, arg->i);
    case SQLITE_FLOAT:
        return sqlite3_bind_double(st, at, arg->d);
    case SQLITE_TEXT:
        return sqlite3_bind_text(st, at, arg->t, -1, SQLITE_STATIC);
    default:
        return sqlite3_bind_null(st, at);
    }
}

int store_prepare(struct store *s, enum store_statement which,
                  const struct store_arg *args, int n_args, sqlite3_stmt **out,
                  struct err *err)
{
    sqlite3_stmt *st = s->statements[which];
    if (st == NULL) {
        if (sqlite3_prepare_v3(s->db, SQL[which], -1, SQLITE_PREPARE_PERSISTENT,
                               &st, NULL) != SQLITE_OK) {
            return store_fail(s, NAME[which], err);
        }
        s->statements[which] = st;
    }
    for (int i = 0; i < n_args; i++) {
        if (bind(st, i + 1, &args[i]) != SQLITE_OK) {
            return store_fail(s, NAME[which], err);
        }
    }
    *out = st;
    return 0;
}

int store_run(struct store *s, enum store_statement which,
              const struct store_arg *args, int n_args, int *n_changed,
              struct err *err)
{
    sqlite3_stmt *st;
    int rc = store_prepare(s, which, args, n_args, &st, err);
    if (rc != 0) {
        return rc;
    }
    if (sqlite3_step(st) != SQLITE_DONE) {
        rc = store_fail(s, NAME[which], err);
    } else if (n_changed != NULL) {
        *n_changed = sqlite3_changes(s->db);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st); /* the texts were borrowed */
    return rc;
}

/* As store_fail. What was being done by SQL is told by its first words: a step
 * of the schema is a page long. */
static int fail_at(const struct store *s, const char *sql, struct err *err)
{
    enum { CHARS = 40 };
    char words[CHARS + 1];
    size_t n = strcspn(sql, "\n;(");
    snprintf(words, sizeof(words), "%.*s", (int)(n < CHARS ? n : CHARS), sql);
    return store_fail(s, words, err);
}

int store_exec(struct store *s, const char *sql, struct err *err)
{
    if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return fail_at(s, sql, err);
    }
    return 0;
}

int store_query_int(struct store *s, const char *sql, int64_t *out,
                    struct err *err)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(s->db, sql, -1, &st, NULL) != SQLITE_OK) {
        return fail_at(s, sql, err);
    }
    int rc = 0;
    switch (sqlite3_step(st)) {
    case SQLITE_ROW:
        *out = sqlite3_column_int64(st, 0);
        break;
    case SQLITE_DONE:
        rc = err_set(err, ERR_CORRUPT, "%s: no row: %s", s->path, sql);
        break;
    default:
        rc = fail_at(s, sql, err);
    }
    sqlite3_finalize(st);
    return rc;
}

void store_rollback(struct store *s)
{
    /* Some errors roll back by themselves; then there is nothing to leave. A
     * failing ROLLBACK has nobody to tell: SQLite undoes the rest when the
     * connection closes. */
    if (!sqlite3_get_autocommit(s->db)) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
}

char *store_uri(const char *path, const char *query)
{
    struct buf uri;
    buf_init(&uri, STORE_TEXT_MAX);
    buf_str(&uri, "file:");
    for (const char *p = path; *p != '\0'; p++) {
        if (strchr("%?#", *p) != NULL) {
            buf_printf(&uri, "%%%02X", (unsigned char)*p);
        } else {
            buf_char(&uri, *p);
        }
    }
    buf_printf(&uri, "?%s", query);
    return buf_take(&uri);
}

void store_time_text(int64_t ms, char out[STORE_TIME_SIZE])
{
    if (ms < 0) {
        ms = 0;
    } else if (ms > STORE_MAX_MS) {
        ms = STORE_MAX_MS;
    }
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char day[24];
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(out, STORE_TIME_SIZE, "%s.%03d000", day, (int)(ms % 1000));
}

static bool digits(const char **at, int n, int *out)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        char c = **at;
        if (c < '0' || c > '9') {
            return false;
        }
        v = v * 10 + (c - '0');
        (*at)++;
    }
    *out = v;
    return true;
}

static bool literal(const char **at, char c)
{
    if (**at != c) {
        return false;
    }
    (*at)++;
    return true;
}

/* Since 1970-01-01. A year that begins in March ends with its leap day. A day
 * past its month's end is one of the next month. (Two for each of a hundred
 * thousand trials: timegm would ask the C library for the time zone.) */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t before = (153 * ((month + 9) % 12) + 2) / 5; /* in that year */
    return 365 * y + y / 4 - y / 100 + y / 400 + before + day - 719469;
}

bool store_time_parse(const char *text, int64_t *ms)
{
    int year, month, day, hour, minute, second, micros = 0;
    const char *at = text;
    if (!digits(&at, 4, &year) || !literal(&at, '-') ||
        !digits(&at, 2, &month) || !literal(&at, '-') ||
        !digits(&at, 2, &day) || !literal(&at, ' ') || !digits(&at, 2, &hour) ||
        !literal(&at, ':') || !digits(&at, 2, &minute) || !literal(&at, ':') ||
        !digits(&at, 2, &second)) {
        return false;
    }
    if (*at != '\0' && (!literal(&at, '.') || !digits(&at, 6, &micros))) {
        return false;
    }
    if (*at != '\0' || year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > 31 || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    int64_t minutes = (days_of(year, month, day) * 24 + hour) * 60 + minute;
    *ms = (minutes * 60 + second) * 1000 + micros / 1000;
    return true;
}

const char *store_value_type(double value)
{
    if (isnan(value)) {
        return "NAN";
    }
    return !isinf(value) ? "FINITE" : value > 0 ? "INF_POS" : "INF_NEG";
}

struct store_arg store_finite(double value)
{
    return STORE_D(isfinite(value) ? value : (double)NAN);
}
