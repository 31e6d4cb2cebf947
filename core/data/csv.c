#include "core/data/csv.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 300 }; /* bytes of a list of names in a sentence */

struct csv {
    const struct row_file *file;
    char delimiter;
    size_t at;
    size_t n_columns, text, label; /* of the header */
    bool has_label;                /* it is asked for */
};

/* What stands between the quotes, or the delimiters. */
struct field {
    size_t start, len;
    size_t n_doubled; /* quotes written as two */
};

static bool is_at_end(const struct csv *c)
{
    return c->at == c->file->bytes.len;
}

static char here(const struct csv *c)
{
    return c->file->bytes.at[c->at];
}

static bool is_field_end(const struct csv *c)
{
    return is_at_end(c) || here(c) == c->delimiter || here(c) == '\n' ||
           here(c) == '\r';
}

static int read_quoted(struct csv *c, struct field *out, struct err *err)
{
    const char *bytes = c->file->bytes.at;
    size_t open = c->at, n_doubled = 0;
    c->at++;
    for (;;) {
        const char *quote =
            memchr(bytes + c->at, '"', c->file->bytes.len - c->at);
        if (quote == NULL) {
            return row_fail(c->file, open, err,
                            "the quote that opens here is never closed");
        }
        c->at = (size_t)(quote - bytes) + 1;
        if (is_at_end(c) || here(c) != '"') {
            break;
        }
        c->at++;
        n_doubled++;
    }
    if (!is_field_end(c)) {
        return row_fail(c->file, c->at, err, "text after a closing quote");
    }
    *out = (struct field){open + 1, c->at - open - 2, n_doubled};
    return 0;
}

static int read_field(struct csv *c, struct field *out, struct err *err)
{
    if (!is_at_end(c) && here(c) == '"') {
        return read_quoted(c, out, err);
    }
    size_t start = c->at;
    while (!is_field_end(c)) {
        if (here(c) == '"') {
            return row_fail(c->file, c->at, err,
                            "a quote inside a field that is not quoted");
        }
        c->at++;
    }
    *out = (struct field){start, c->at - start, 0};
    return 0;
}

/* Past what follows a field; *more: another field of the same record. */
static int read_separator(struct csv *c, bool *more, struct err *err)
{
    *more = !is_at_end(c) && here(c) == c->delimiter;
    if (!is_at_end(c) && here(c) == '\r') {
        c->at++;
        if (is_at_end(c) || here(c) != '\n') {
            return row_fail(c->file, c->at - 1, err,
                            "a carriage return without a line feed");
        }
    }
    c->at += !is_at_end(c);
    return 0;
}

static void skip_empty_lines(struct csv *c)
{
    struct span bytes = c->file->bytes;
    for (;;) {
        size_t n = bytes.len - c->at;
        if (n >= 1 && here(c) == '\n') {
            c->at += 1;
        } else if (n >= 2 && memcmp(bytes.at + c->at, "\r\n", 2) == 0) {
            c->at += 2;
        } else {
            return;
        }
    }
}

/* The value of a field. It lies in the file, or (doubled quotes made single)
 * in *owned, which the caller frees. */
static int field_value(const struct csv *c, const struct field *f,
                       struct span *out, char **owned, struct err *err)
{
    const char *raw = c->file->bytes.at + f->start;
    *owned = NULL;
    if (f->n_doubled == 0) {
        *out = (struct span){raw, f->len};
        return 0;
    }
    char *plain = mem_try(f->len, 1);
    if (plain == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for a field of %zu bytes",
                       f->len);
    }
    size_t n = 0;
    for (size_t i = 0; i < f->len; i++) {
        plain[n++] = raw[i];
        i += raw[i] == '"'; /* its twin */
    }
    *out = (struct span){plain, n};
    *owned = plain;
    return 0;
}

/* --- the header --- */

/* Look at one column name: remember it if asked for, and for the sentence. */
static int take_name(struct csv *c, const struct field *f,
                     const struct row_columns *columns, struct buf *names,
                     struct err *err)
{
    struct span name;
    char *owned;
    int rc = field_value(c, f, &name, &owned, err);
    if (rc != 0) {
        row_wrap(c->file, f->start, err);
        return rc;
    }
    const char *const wanted[] = {columns->text, columns->label};
    size_t *const found[] = {&c->text, &c->label};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        if (wanted[i] == NULL || name.len != strlen(wanted[i]) ||
            memcmp(name.at, wanted[i], name.len) != 0) {
            continue;
        }
        if (*found[i] != SIZE_MAX) {
            rc = row_fail(c->file, f->start, err,
                          "the column '%s' stands twice in the header",
                          wanted[i]);
        }
        *found[i] = c->n_columns;
    }
    buf_str(names, c->n_columns == 0 ? "" : ", ");
    utf8_printable(names, name.at, name.len);
    c->n_columns++;
    free(owned);
    return rc;
}

/* The header lacks a column. One that is a single column may be separated by
 * something else. */
static int no_column(const struct csv *c, const struct row_columns *columns,
                     size_t start, const struct buf *names, struct err *err)
{
    const char *missing = c->text == SIZE_MAX ? columns->text : columns->label;
    bool is_other = c->n_columns == 1 && strpbrk(names->data, ",;|\\") != NULL;
    if (is_other) {
        return row_fail(c->file, start, err,
                        "no column '%s' (the header has only one, '%s': the "
                        "columns of a .csv are separated by commas, those of a "
                        ".tsv by tabs)",
                        missing, names->data);
    }
    struct buf hint;
    buf_init(&hint, NAMES_MAX);
    row_say_named_by(columns, &hint);
    int rc =
        row_fail(c->file, start, err, "no column '%s' (the header has: %s%s)",
                 missing, names->data, hint.len > 0 ? hint.data : "");
    buf_fini(&hint);
    return rc;
}

static int read_header(struct csv *c, const struct row_columns *columns,
                       struct err *err)
{
    skip_empty_lines(c);
    if (is_at_end(c)) {
        return row_fail(c->file, c->at, err, "no header with column names");
    }
    size_t start = c->at;
    struct buf names;
    buf_init(&names, NAMES_MAX);
    bool more = true;
    int rc = 0;
    while (rc == 0 && more) {
        struct field f;
        rc = read_field(c, &f, err);
        if (rc == 0) {
            rc = take_name(c, &f, columns, &names, err);
        }
        if (rc == 0) {
            rc = read_separator(c, &more, err);
        }
    }
    bool lacks_label = c->has_label && c->label == SIZE_MAX;
    if (rc == 0 && (c->text == SIZE_MAX || lacks_label)) {
        rc = no_column(c, columns, start, &names, err);
    }
    buf_fini(&names);
    return rc;
}

/* --- the rows --- */

static int emit(const struct csv *c, const struct field *text,
                const struct field *label, const struct row_sink *sink,
                struct err *err)
{
    struct row row = {.label = {NULL, 0}};
    char *text_owned = NULL, *label_owned = NULL;
    int rc = field_value(c, text, &row.text, &text_owned, err);
    if (rc == 0 && c->has_label) {
        rc = field_value(c, label, &row.label, &label_owned, err);
    }
    if (rc == 0) {
        rc = row_emit(&row, sink, err);
    }
    free(text_owned);
    free(label_owned);
    return rc;
}

static int read_record(struct csv *c, const struct row_sink *sink,
                       struct err *err)
{
    size_t start = c->at, n = 0;
    struct field text = {0}, label = {0};
    bool more = true;
    while (more) {
        struct field f;
        int rc = read_field(c, &f, err);
        if (rc == 0) {
            rc = read_separator(c, &more, err);
        }
        if (rc != 0) {
            return rc;
        }
        text = n == c->text ? f : text;
        label = n == c->label ? f : label;
        n++;
    }
    if (n != c->n_columns) {
        return row_fail(c->file, start, err,
                        "%zu column%s where the header has %zu", n,
                        n == 1 ? "" : "s", c->n_columns);
    }
    int rc = c->at - start > ROW_MAX
                 ? err_set(err, ERR_LIMIT, "a row of more than %d MiB",
                           ROW_MAX >> 20)
                 : emit(c, &text, &label, sink, err);
    if (rc != 0) {
        row_wrap(c->file, start, err);
    }
    return rc;
}

int csv_read(const struct row_file *f, char delimiter,
             const struct row_columns *columns, const struct row_sink *sink,
             struct err *err)
{
    struct csv c = {.file = f,
                    .delimiter = delimiter,
                    .text = SIZE_MAX,
                    .label = SIZE_MAX,
                    .has_label = columns->label != NULL};
    int rc = row_file_begin(f, &c.at, err);
    if (rc == 0) {
        rc = read_header(&c, columns, err);
    }
    while (rc == 0) {
        skip_empty_lines(&c);
        if (is_at_end(&c)) {
            break;
        }
        rc = read_record(&c, sink, err);
    }
    return rc;
}
