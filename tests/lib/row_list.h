/* row_list: a row_sink that writes rows down as "text|label;", and what every
 * reader of rows must do. Columns are t and l, the file's name is x. */
#ifndef TESTS_LIB_ROW_LIST_H
#define TESTS_LIB_ROW_LIST_H
#include "core/base/buf.h"
#include "core/data/row.h"

struct row_list {
    struct buf text;
    int refuse_after; /* ERR_LIMIT for the row after so many; -1: never */
    int n;
    struct row_sink sink;
};

void row_list_init(struct row_list *l);
void row_list_fini(struct row_list *l);

typedef int row_reader(const struct row_file *, const struct row_columns *,
                       const struct row_sink *, struct err *);

/* Read a copy of the bytes, without a NUL behind them. */
int row_list_read(struct row_list *l, row_reader *read, const char *bytes,
                  size_t len, struct err *err);
/* The rows of a text. */
void row_list_expect(row_reader *read, const char *text, const char *rows);
/* Bytes, or a text, that are INVALID, and the sentence. */
void row_list_refuses_bytes(row_reader *read, const char *bytes, size_t len,
                            const char *sentence);
void row_list_refuses(row_reader *read, const char *text, const char *sentence);
/* Ten MiB of c between two texts are one row of so many bytes. */
void row_list_expect_long(row_reader *read, const char *before, char c,
                          const char *after, size_t row_len);
enum { ROW_LIST_LONG = 10 << 20 };

/* Cut a good text of two rows anywhere: fewer rows or a sentence, nothing else.
 * Returns how often it was rows. */
int row_list_cut(row_reader *read, const char *text);
/* Replace each byte of a text by each of these n: rows, or INVALID. */
void row_list_change(row_reader *read, const char *text, const char *bytes,
                     size_t n);

#endif
