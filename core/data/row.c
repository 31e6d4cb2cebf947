#include "core/data/row.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 300 }; /* bytes of a list of names in a sentence */

int row_wrap(const struct row_file *f, size_t byte, struct err *err)
{
    size_t line = 1;
    const char *at = f->bytes.at, *end = f->bytes.at + byte;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        line++;
        at++;
    }
    return err_wrap(err, "%s: line %zu, byte %zu", f->name, line, byte);
}

int row_fail(const struct row_file *f, size_t byte, struct err *err,
             const char *fmt, ...)
{
    char what[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    err_set(err, ERR_INVALID, "%s", what);
    return row_wrap(f, byte, err);
}

int row_file_begin(const struct row_file *f, size_t *at, struct err *err)
{
    const char *bytes = f->bytes.at;
    size_t len = f->bytes.len;
    size_t valid = utf8_valid_prefix(bytes, len);
    const char *nul = valid != 0 ? memchr(bytes, '\0', valid) : NULL;
    if (nul != NULL) {
        return row_fail(f, (size_t)(nul - bytes), err, "a NUL byte");
    }
    if (valid != len) {
        return row_fail(f, valid, err, "not valid UTF-8");
    }
    *at = len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    return 0;
}

int row_emit(const struct row *row, const struct row_sink *sink,
             struct err *err)
{
    if (row->label.at != NULL && row->label.len == 0) {
        return err_set(err, ERR_INVALID, "the label is empty");
    }
    return sink->on_row(sink->ctx, row, err);
}

void row_say_named_by(const struct row_columns *columns, struct buf *out)
{
    if (columns->named_by != NULL) {
        buf_printf(out, "; %s %s", columns->named_by,
                   columns->label != NULL ? "name them" : "names it");
    }
}

static int no_field(const struct json *object,
                    const struct row_columns *columns, const char *name,
                    struct err *err)
{
    struct buf names;
    buf_init(&names, NAMES_MAX);
    const struct json *item;
    for (item = json_first(object); item != NULL; item = json_next(item)) {
        const char *key = json_key(item);
        buf_str(&names, names.len == 0 ? "it has: " : ", ");
        utf8_printable(&names, key, strlen(key));
    }
    buf_str(&names, names.len == 0 ? "it has none" : "");
    struct buf hint;
    buf_init(&hint, NAMES_MAX);
    row_say_named_by(columns, &hint);
    int rc = err_set(err, ERR_INVALID, "no field '%s' (%s%s)", name, names.data,
                     hint.len > 0 ? hint.data : "");
    buf_fini(&hint);
    buf_fini(&names);
    return rc;
}

/* A string, or a whole number printed into digits. */
static int label_of_json(const struct json *label, const char *column,
                         char digits[ROW_DIGITS], struct span *out,
                         struct err *err)
{
    const char *name;
    int64_t number;
    if (json_kind(label) == JSON_STRING) {
        name = json_string(label);
        if (json_text(label).len != strlen(name)) {
            return err_set(err, ERR_INVALID, "'%s' must not contain NUL",
                           column);
        }
    } else if (json_integer(label, &number)) {
        snprintf(digits, ROW_DIGITS, "%" PRId64, number);
        name = digits;
    } else {
        return err_set(err, ERR_INVALID,
                       "'%s' must be a string or a whole number, but it is %s",
                       column, json_kind_name(label));
    }
    *out = (struct span){name, strlen(name)};
    return 0;
}

int row_of_json(const struct json *object, const struct row_columns *columns,
                char digits[ROW_DIGITS], struct row *out, struct err *err)
{
    if (json_kind(object) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID, "expected an object, not %s",
                       json_kind_name(object));
    }
    bool has_label = columns->label != NULL;
    const struct json *text = json_get(object, columns->text);
    const struct json *label =
        has_label ? json_get(object, columns->label) : NULL;
    if (text == NULL || (has_label && label == NULL)) {
        return no_field(object, columns,
                        text == NULL ? columns->text : columns->label, err);
    }
    if (json_kind(text) != JSON_STRING) {
        return err_set(err, ERR_INVALID, "'%s' must be a string, but it is %s",
                       columns->text, json_kind_name(text));
    }
    struct row row = {.text = json_text(text)};
    int rc = has_label
                 ? label_of_json(label, columns->label, digits, &row.label, err)
                 : 0;
    if (rc == 0) {
        *out = row;
    }
    return rc;
}
