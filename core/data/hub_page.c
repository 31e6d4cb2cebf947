#include "core/data/hub_page.h"
#include "core/base/buf.h"
#include "core/base/json.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const struct json *member(const struct json *object, const char *key,
                                 enum json_kind kind)
{
    const struct json *node = object != NULL && json_kind(object) == JSON_OBJECT
                                  ? json_get(object, key)
                                  : NULL;
    return node != NULL && json_kind(node) == kind ? node : NULL;
}

static bool is_word(const struct json *node, const char *word)
{
    return node != NULL && json_kind(node) == JSON_STRING &&
           strcmp(json_string(node), word) == 0;
}

static int check_rows(const struct hub_page *p, int64_t offset, struct err *err)
{
    int64_t left = p->n_total - offset, index, at = offset;
    int64_t n = left < HUB_PAGE_ROWS ? left : HUB_PAGE_ROWS;
    if (json_size(p->rows) != (n > 0 ? n : 0)) {
        return err_set(err, ERR_PROTO,
                       "the server sent %d rows from row %" PRId64
                       " on instead of %" PRId64,
                       json_size(p->rows), offset, n);
    }
    for (const struct json *r = json_first(p->rows); r != NULL;
         r = json_next(r), at++) {
        const struct json *i = member(r, "row_idx", JSON_NUMBER);
        if (i == NULL || !json_integer(i, &index) || index != at ||
            member(r, "row", JSON_OBJECT) == NULL) {
            return err_set(err, ERR_PROTO,
                           "the server sent something else as row %" PRId64,
                           at);
        }
    }
    return 0;
}

static int read_page(struct hub_page *p, int64_t offset, struct err *err)
{
    const struct json *total = member(p->root, "num_rows_total", JSON_NUMBER);
    const struct json *partial = member(p->root, "partial", JSON_BOOL);
    p->rows = member(p->root, "rows", JSON_ARRAY);
    p->features = member(p->root, "features", JSON_ARRAY);
    if (total == NULL || p->rows == NULL || p->features == NULL ||
        !json_integer(total, &p->n_total) || p->n_total < 0) {
        return err_set(err, ERR_PROTO,
                       "the server's answer has no rows, features or "
                       "num_rows_total");
    }
    if (partial != NULL && json_bool(partial)) {
        return err_set(err, ERR_INVALID,
                       "the data set is so large that the server has only its "
                       "first part; download its files and give their paths");
    }
    return check_rows(p, offset, err);
}

int hub_page_parse(struct span text, int64_t offset, struct hub_page *out,
                   struct err *err)
{
    struct hub_page p = {0};
    size_t at;
    int rc = json_parse_data(text.at, text.len, &p.root, &at, err);
    if (rc != 0) {
        err_wrap(err, "the server's answer");
        return err != NULL ? err->code = ERR_PROTO : ERR_PROTO;
    }
    rc = read_page(&p, offset, err);
    if (rc != 0) {
        hub_page_fini(&p);
        return rc;
    }
    *out = p;
    return 0;
}

void hub_page_fini(struct hub_page *p)
{
    json_free(p->root);
    *p = (struct hub_page){0};
}

/* --- columns
 * ------------------------------------------------------------------ */

static const struct json *feature_of(const struct hub_page *p, const char *name)
{
    for (const struct json *f = json_first(p->features); f != NULL;
         f = json_next(f)) {
        if (is_word(member(f, "name", JSON_STRING), name)) {
            return f;
        }
    }
    return NULL;
}

int hub_page_check_columns(const struct hub_page *p,
                           const struct row_columns *columns, struct err *err)
{
    const char *missing = columns->text;
    if (feature_of(p, missing) != NULL) {
        missing = columns->label; /* NULL: only texts are read */
    }
    if (missing == NULL || feature_of(p, missing) != NULL) {
        return 0;
    }
    struct buf names;
    buf_init(&names, 512);
    for (const struct json *f = json_first(p->features); f != NULL;
         f = json_next(f)) {
        const struct json *name = member(f, "name", JSON_STRING);
        buf_str(&names, names.len > 0 ? ", " : "");
        buf_str(&names, name != NULL ? json_string(name) : "?");
    }
    int rc = err_set(err, ERR_INVALID, "no column '%s' (it has: %s)", missing,
                     names.data != NULL ? names.data : "none");
    buf_fini(&names);
    return rc;
}

/* --- rows
 * --------------------------------------------------------------------- */

/* The names that a column's numbers stand for, or NULL. */
static const struct json *names_of(const struct hub_page *p, const char *column)
{
    const struct json *type =
        member(feature_of(p, column), "type", JSON_OBJECT);
    return is_word(member(type, "_type", JSON_STRING), "ClassLabel")
               ? member(type, "names", JSON_ARRAY)
               : NULL;
}

static const char *name_at(const struct json *names, int64_t at)
{
    const struct json *n = json_first(names);
    for (; n != NULL && at > 0; at--) {
        n = json_next(n);
    }
    return n != NULL && at == 0 && json_kind(n) == JSON_STRING ? json_string(n)
                                                               : NULL;
}

static bool is_cut(const struct json *row, const char *column)
{
    const struct json *cells = member(row, "truncated_cells", JSON_ARRAY);
    const struct json *c = cells != NULL ? json_first(cells) : NULL;
    while (c != NULL && !is_word(c, column)) {
        c = json_next(c);
    }
    return c != NULL;
}

/* The name that a number stands for. -1 is the Hub's word for "no label". */
static int name_of(const struct json *names, int64_t number, struct span *out,
                   struct err *err)
{
    if (number == -1) {
        return err_set(err, ERR_INVALID,
                       "it has no label (-1); name the splits that have "
                       "labels");
    }
    const char *name = name_at(names, number);
    if (name == NULL) {
        return err_set(err, ERR_INVALID,
                       "label %" PRId64 " is none of the column's %d classes",
                       number, json_size(names));
    }
    *out = (struct span){name, strlen(name)};
    return 0;
}

static int emit_row(const struct json *row, const struct row_columns *columns,
                    const struct json *names, const struct row_sink *sink,
                    struct err *err)
{
    char digits[ROW_DIGITS];
    struct row out;
    int64_t number;
    if (is_cut(row, columns->text) ||
        (columns->label != NULL && is_cut(row, columns->label))) {
        return err_set(err, ERR_INVALID,
                       "the server cut its text or label: too long for it");
    }
    const struct json *object = json_get(row, "row");
    int rc = row_of_json(object, columns, digits, &out, err);
    if (rc != 0) {
        return rc;
    }
    if (names != NULL &&
        json_integer(json_get(object, columns->label), &number)) {
        rc = name_of(names, number, &out.label, err);
    }
    return rc == 0 ? row_emit(&out, sink, err) : rc;
}

int hub_page_emit(const struct hub_page *p, const struct row_columns *columns,
                  const struct row_sink *sink, struct err *err)
{
    const struct json *names =
        columns->label != NULL ? names_of(p, columns->label) : NULL;
    for (const struct json *r = json_first(p->rows); r != NULL;
         r = json_next(r)) {
        int rc = emit_row(r, columns, names, sink, err);
        if (rc != 0) {
            int64_t at = 0;
            (void)json_integer(json_get(r, "row_idx"), &at);
            err_wrap(err, "row %" PRId64, at);
            return rc;
        }
    }
    return 0;
}
