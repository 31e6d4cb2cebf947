/* One row's columns, checked: the only place that reads what SQLite holds.
 * SQLite's types are per value, not per column: a damaged or edited database
 * may hold any type anywhere.
 *
 * A start reads millions of columns. Each is looked up once, as a value, and
 * the value is asked for its type and its bytes; that is safe because one
 * thread uses a connection. */
#include "daemon/store_priv.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *column_name(const struct store_row *r, int column)
{
    const char *name = sqlite3_column_name(r->st, column);
    return name != NULL ? name : "?";
}

static sqlite3_value *value_of(const struct store_row *r, int column)
{
    return sqlite3_column_value(r->st, column);
}

static const char *type_name(const struct store_row *r, int column)
{
    switch (sqlite3_value_type(value_of(r, column))) {
    case SQLITE_INTEGER:
        return "an integer";
    case SQLITE_FLOAT:
        return "a real";
    case SQLITE_TEXT:
        return "a text";
    case SQLITE_BLOB:
        return "a blob";
    default:
        return "NULL";
    }
}

int store_row_bad(const struct store_row *r, const char *fmt, ...)
{
    char reason[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof(reason), fmt, ap);
    va_end(ap);
    return err_set(r->err, ERR_CORRUPT, "%s: %s: row %" PRId64 ": %s",
                   r->store->path, r->table, r->id, reason);
}

int store_row_open(struct store_row *r, struct store *s, const char *table,
                   const char *sql, int64_t key, struct err *err)
{
    *r = (struct store_row){.store = s, .table = table, .err = err};
    if (sqlite3_prepare_v2(s->db, sql, -1, &r->st, NULL) != SQLITE_OK ||
        (sqlite3_bind_parameter_count(r->st) > 0 &&
         sqlite3_bind_int64(r->st, 1, key) != SQLITE_OK)) {
        int rc = store_fail(s, table, err);
        store_row_close(r);
        return rc;
    }
    int rc = store_row_next(r);
    if (rc != 0) {
        store_row_close(r);
    }
    return rc;
}

int store_row_next(struct store_row *r)
{
    int step = sqlite3_step(r->st);
    r->has_row = step == SQLITE_ROW;
    if (r->has_row) {
        sqlite3_value *id = value_of(r, 0);
        r->id = sqlite3_value_int64(id);
        /* What is no integer would read as some number, another row's. (NULL
         * reads as 0, which is nobody's.) */
        int type = sqlite3_value_type(id);
        return type == SQLITE_INTEGER || type == SQLITE_NULL
                   ? 0
                   : store_row_bad(r, "%s: %s where an integer was expected",
                                   column_name(r, 0), type_name(r, 0));
    }
    return step == SQLITE_DONE ? 0 : store_fail(r->store, r->table, r->err);
}

void store_row_close(struct store_row *r)
{
    sqlite3_finalize(r->st);
    r->st = NULL;
    r->has_row = false;
}

bool store_row_is_null(const struct store_row *r, int column)
{
    return sqlite3_value_type(value_of(r, column)) == SQLITE_NULL;
}

bool store_row_is_text(const struct store_row *r, int column, const char *text)
{
    sqlite3_value *v = value_of(r, column);
    size_t n = strlen(text);
    return sqlite3_value_type(v) == SQLITE_TEXT &&
           (size_t)sqlite3_value_bytes(v) == n &&
           memcmp(sqlite3_value_text(v), text, n) == 0;
}

int store_row_int(const struct store_row *r, int column, int64_t low,
                  int64_t high, int64_t *out)
{
    sqlite3_value *value = value_of(r, column);
    if (sqlite3_value_type(value) != SQLITE_INTEGER) {
        return store_row_bad(r, "%s: %s where an integer was expected",
                             column_name(r, column), type_name(r, column));
    }
    int64_t v = sqlite3_value_int64(value);
    if (v < low || v > high) {
        return store_row_bad(
            r, "%s: %" PRId64 " is not within %" PRId64 " .. %" PRId64,
            column_name(r, column), v, low, high);
    }
    *out = v;
    return 0;
}

int store_row_ms(const struct store_row *r, int column, int64_t high,
                 int64_t *out)
{
    int64_t ms;
    int rc = store_row_int(r, column, INT64_MIN, high, &ms);
    if (rc == 0) {
        *out = ms >= 0 ? ms : 1;
    }
    return rc;
}

int store_row_real(const struct store_row *r, int column, double *out)
{
    sqlite3_value *value = value_of(r, column);
    switch (sqlite3_value_type(value)) {
    case SQLITE_NULL:
        *out = (double)NAN;
        return 0;
    case SQLITE_INTEGER: /* a real column may keep whole numbers so */
    case SQLITE_FLOAT:
        *out = sqlite3_value_double(value);
        return 0;
    default:
        return store_row_bad(r, "%s: %s where a number was expected",
                             column_name(r, column), type_name(r, column));
    }
}

int store_row_typed(const struct store_row *r, int column, double *out)
{
    const char *type;
    double v;
    int rc = store_row_text(r, column + 1, 16, &type);
    if (rc == 0) {
        rc = store_row_real(r, column, &v);
    }
    if (rc != 0) {
        return rc;
    }
    if (strcmp(type, "FINITE") == 0) {
        if (!isfinite(v)) {
            return store_row_bad(r, "%s: FINITE without a finite number",
                                 column_name(r, column));
        }
        *out = v;
    } else if (strcmp(type, "INF_POS") == 0) {
        *out = (double)INFINITY;
    } else if (strcmp(type, "INF_NEG") == 0) {
        *out = -(double)INFINITY;
    } else if (strcmp(type, "NAN") == 0) {
        *out = (double)NAN;
    } else {
        return store_row_bad(r, "%s: no such type of value",
                             column_name(r, column + 1));
    }
    return 0;
}

int store_row_text(const struct store_row *r, int column, size_t max,
                   const char **out)
{
    sqlite3_value *value = value_of(r, column);
    if (sqlite3_value_type(value) != SQLITE_TEXT) {
        return store_row_bad(r, "%s: %s where a text was expected",
                             column_name(r, column), type_name(r, column));
    }
    const char *text = (const char *)sqlite3_value_text(value);
    size_t len = (size_t)sqlite3_value_bytes(value);
    if (text == NULL) {
        return store_fail(r->store, r->table, r->err);
    }
    if (len > max) {
        return store_row_bad(r, "%s: longer than %zu bytes",
                             column_name(r, column), max);
    }
    if (strlen(text) != len || !utf8_is_valid(text, len)) {
        return store_row_bad(r, "%s: not a UTF-8 text", column_name(r, column));
    }
    *out = text;
    return 0;
}

int store_row_text_or_null(const struct store_row *r, int column, size_t max,
                           char **out)
{
    const char *text = NULL;
    if (!store_row_is_null(r, column)) {
        int rc = store_row_text(r, column, max, &text);
        if (rc != 0) {
            return rc;
        }
    }
    *out = mem_strdup(text);
    return 0;
}

int store_row_time(const struct store_row *r, int column, int64_t *ms)
{
    if (store_row_is_null(r, column)) {
        *ms = 0;
        return 0;
    }
    const char *text;
    int rc = store_row_text(r, column, STORE_TIME_SIZE, &text);
    if (rc == 0 && !store_time_parse(text, ms)) {
        rc = store_row_bad(r, "%s: not a time", column_name(r, column));
    }
    return rc;
}
