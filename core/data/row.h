/* row: one text and its label, on the way from a reader to a dataset.
 *
 * Readers (jsonl, csv) walk the bytes of one source and hand every row to a
 * sink; whatever goes wrong is told with file, line and byte. Lines count from
 * 1, bytes from 0 at the beginning of the file, a byte order mark included. */
#ifndef CORE_DATA_ROW_H
#define CORE_DATA_ROW_H
#include "core/base/err.h"
#include <stdint.h>
struct buf;
struct json;

enum {
    ROW_MAX = 64 << 20, /* bytes of one row in its source */
    ROW_DIGITS = 24,    /* room for a whole number as a label */
};

/* Valid UTF-8, the label without NUL; borrowed for the call. label.at is NULL
 * when no label was asked for. */
struct row {
    struct span text, label;
};
struct row_columns {
    const char *text, *label; /* label NULL: only texts are read */
    const char *named_by;     /* what names them, for the sentence; or NULL */
};
/* Gets each row in order; a negative ERR_* ends the reading. */
struct row_sink {
    void *ctx;
    int (*on_row)(void *ctx, const struct row *row, struct err *err);
};

/* Bytes of a file, and its name for error sentences. Borrowed. */
struct row_file {
    const char *name;
    struct span bytes;
};

/* What every text format asks for first: all of it UTF-8, no bare NUL. *at is
 * where reading begins: after a byte order mark. */
MUST_CHECK int row_file_begin(const struct row_file *f, size_t *at,
                              struct err *err);
/* "name: line 7, byte 1034: " before the sentence in err; returns its code. */
int row_wrap(const struct row_file *f, size_t byte, struct err *err);
/* INVALID, with the place in front. */
int row_fail(const struct row_file *f, size_t byte, struct err *err,
             const char *fmt, ...) PRINTF_LIKE(4, 5);

/* "; NAMED_BY name them" ("names it", of a text alone), or nothing. */
void row_say_named_by(const struct row_columns *columns, struct buf *out);

/* Hand a row on. INVALID when the label is empty (an empty text is a text).
 * The sentence has no place yet. */
MUST_CHECK int row_emit(const struct row *row, const struct row_sink *sink,
                        struct err *err);
/* The row in a JSON object: the text is a string, the label a string or a
 * whole number (printed into digits). *out borrows both. The sentence has no
 * place yet. */
MUST_CHECK int row_of_json(const struct json *object,
                           const struct row_columns *columns,
                           char digits[ROW_DIGITS], struct row *out,
                           struct err *err);

#endif
