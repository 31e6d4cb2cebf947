#include "core/data/jsonl.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <string.h>

struct reader {
    const struct row_file *file;
    const struct row_columns *columns;
    const struct row_sink *sink;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(struct span bytes, size_t at)
{
    while (at < bytes.len && is_space(bytes.at[at])) {
        at++;
    }
    return at;
}

/* The row in bytes [start, end). */
static int read_object(const struct reader *r, size_t start, size_t end,
                       struct err *err)
{
    if (end - start > ROW_MAX) {
        err_set(err, ERR_LIMIT, "a row of more than %d MiB", ROW_MAX >> 20);
        row_wrap(r->file, start, err);
        return ERR_LIMIT;
    }
    struct json *object;
    size_t at;
    int rc = json_parse_data(r->file->bytes.at + start, end - start, &object,
                             &at, err);
    if (rc != 0) {
        row_wrap(r->file, start + (at != JSON_NOWHERE ? at : 0), err);
        return rc;
    }
    struct row row;
    char digits[ROW_DIGITS];
    rc = row_of_json(object, r->columns, digits, &row, err);
    if (rc == 0) {
        rc = row_emit(&row, r->sink, err);
    }
    json_free(object);
    if (rc != 0) {
        row_wrap(r->file, start, err);
    }
    return rc;
}

int jsonl_read(const struct row_file *f, const struct row_columns *columns,
               const struct row_sink *sink, struct err *err)
{
    const struct reader r = {f, columns, sink};
    struct span bytes = f->bytes;
    size_t at;
    int rc = row_file_begin(f, &at, err);
    while (rc == 0 && (at = skip_space(bytes, at)) < bytes.len) {
        const char *newline = memchr(bytes.at + at, '\n', bytes.len - at);
        size_t end = newline != NULL ? (size_t)(newline - bytes.at) : bytes.len;
        rc = read_object(&r, at, end, err);
        at = end;
    }
    return rc;
}

/* Where the list element at `at` ends. Only strings and the nesting are looked
 * at: what stands between is for json_parse_data to judge. */
static size_t element_end(struct span bytes, size_t at)
{
    size_t depth = 0;
    bool is_quoted = false;
    for (; at < bytes.len; at++) {
        char c = bytes.at[at];
        if (c == '"') {
            is_quoted = !is_quoted;
        } else if (is_quoted) {
            at += c == '\\';
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            return at;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return bytes.len;
}

/* After the opening bracket; *at ends after the closing one. */
static int read_elements(const struct reader *r, size_t *at, struct err *err)
{
    struct span bytes = r->file->bytes;
    size_t start = skip_space(bytes, *at);
    if (start < bytes.len && bytes.at[start] == ']') {
        *at = start + 1;
        return 0;
    }
    for (;;) {
        size_t end = element_end(bytes, start);
        int rc = read_object(r, start, end, err);
        if (rc != 0) {
            return rc;
        }
        if (end == bytes.len) {
            return row_fail(r->file, end, err, "the list is not closed");
        }
        if (bytes.at[end] == '}') {
            return row_fail(r->file, end, err, "expected ',' or ']'");
        }
        if (bytes.at[end] == ']') {
            *at = end + 1;
            return 0;
        }
        start = skip_space(bytes, end + 1);
    }
}

int jsonl_read_list(const struct row_file *f, const struct row_columns *columns,
                    const struct row_sink *sink, struct err *err)
{
    const struct reader r = {f, columns, sink};
    struct span bytes = f->bytes;
    size_t at;
    int rc = row_file_begin(f, &at, err);
    if (rc != 0) {
        return rc;
    }
    at = skip_space(bytes, at);
    if (at == bytes.len || bytes.at[at] != '[') {
        return row_fail(f, at, err,
                        "a .json file must be a list of objects (one object "
                        "per line makes a .jsonl file)");
    }
    at++;
    rc = read_elements(&r, &at, err);
    if (rc != 0) {
        return rc;
    }
    at = skip_space(bytes, at);
    if (at != bytes.len) {
        return row_fail(f, at, err, "text after the list");
    }
    return 0;
}
