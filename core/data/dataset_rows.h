/* dataset_rows: all rows as the readers bring them, before the class filter.
 * Private to dataset*.c. */
#ifndef CORE_DATA_DATASET_ROWS_H
#define CORE_DATA_DATASET_ROWS_H
#include "core/data/row.h"
struct dataset;

/* Bytes end to end. */
struct pile {
    char *bytes;
    size_t len, cap;
};

/* Text i is texts[text_at[i], text_at[i + 1]), where the last one ends at
 * texts.len; label i begins at label_at[i] and ends in NUL. Starts zeroed. */
struct rows {
    struct pile texts, labels;
    size_t *text_at, *label_at;
    size_t n, cap;
    size_t n_test; /* the last ones, for test alone */
};

/* A row_sink's on_row, with ctx a struct rows. Copies; LIMIT. */
int rows_add(void *ctx, const struct row *row, struct err *err);
void rows_fini(struct rows *r);
struct span rows_text(const struct rows *r, size_t i);
const char *rows_label(const struct rows *r, size_t i);

/* Find the classes, filter, lay out the image. The dataset takes r->labels:
 * its counts point into them. */
MUST_CHECK int dataset_build(struct rows *r, int min_class_count,
                             struct dataset **out, struct err *err);

#endif
