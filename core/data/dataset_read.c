/* A test row whose label no training row has can never be right: it is a
 * mistake in the data, told where it is read. One whose label the class filter
 * takes from the training goes with it, and is counted. */
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/data/dataset_rows.h"
#include "core/data/fetch.h"
#include "core/data/source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_PER_WORD = 1000, LABEL_MAX = 200 };

struct reading {
    struct rows *rows;
    const struct dataset_query *query;
    uint32_t *known; /* of test rows: a training row of each label, in order */
    size_t n_known;
};

/* --- labels --------------------------------------------------------------- */

static int compare_labels(const void *a, const void *b, void *ctx)
{
    const struct rows *r = ctx;
    return strcmp(rows_label(r, *(const uint32_t *)a),
                  rows_label(r, *(const uint32_t *)b));
}

/* Look at the labels of all rows so far. */
static int know_labels(struct reading *r, struct err *err)
{
    size_t n = r->rows->n;
    r->known = mem_try(n, sizeof(*r->known));
    if (r->known == NULL) {
        return err_set(err, ERR_LIMIT, "no memory to order %zu rows", n);
    }
    for (size_t i = 0; i < n; i++) {
        r->known[i] = (uint32_t)i;
    }
    qsort_r(r->known, n, sizeof(*r->known), compare_labels, r->rows);
    for (size_t i = 0; i < n; i++) {
        if (r->n_known == 0 || compare_labels(&r->known[r->n_known - 1],
                                              &r->known[i], r->rows) != 0) {
            r->known[r->n_known++] = r->known[i];
        }
    }
    return 0;
}

static bool is_known(const struct reading *r, struct span label)
{
    size_t from = 0, to = r->n_known;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        const char *name = rows_label(r->rows, r->known[mid]);
        int order = strncmp(name, label.at, label.len);
        if (order == 0 && name[label.len] == '\0') {
            return true;
        }
        if (order < 0) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return false;
}

/* --- rows ----------------------------------------------------------------- */

static int on_row(void *ctx, const struct row *row, struct err *err)
{
    const struct reading *r = ctx;
    if (r->known != NULL && !is_known(r, row->label)) {
        int len = row->label.len < LABEL_MAX ? (int)row->label.len : LABEL_MAX;
        return err_set(err, ERR_INVALID,
                       "label '%.*s' is none of the %zu that the training "
                       "rows have: it could only be wrong",
                       len, row->label.at, r->n_known);
    }
    int rc = rows_add(r->rows, row, err);
    if (rc == 0 && r->query->on_rows != NULL &&
        r->rows->n % ROWS_PER_WORD == 0) {
        r->query->on_rows(r->query->rows_ctx, r->rows->n);
    }
    return rc;
}

static int read_sources(struct reading *r, const char *const *sources, size_t n,
                        struct err *err)
{
    const struct dataset_query *query = r->query;
    const struct row_sink sink = {r, on_row};
    const struct source_query q = {.splits = query->splits,
                                   .n_splits = query->n_splits,
                                   .text = query->text,
                                   .label = query->label,
                                   .named_by = query->named_by != NULL
                                                   ? query->named_by
                                                   : "data.text and data.label",
                                   .base_dir = query->base_dir,
                                   .cache_dir = query->cache_dir,
                                   .watch = query->watch};
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = source_read(sources[i], &q, &sink, err);
    }
    return rc;
}

static int read_rows(struct reading *r, struct err *err)
{
    const struct dataset_query *query = r->query;
    int rc = read_sources(r, query->sources, query->n_sources, err);
    size_t n_train = r->rows->n;
    if (rc == 0 && n_train == 0) {
        rc = err_set(err, ERR_INVALID, "%s: no rows", query->sources[0]);
    }
    if (rc == 0 && query->n_test_sources > 0) {
        rc = know_labels(r, err);
        rc = rc == 0 ? read_sources(r, query->test_sources,
                                    query->n_test_sources, err)
                     : rc;
    }
    r->rows->n_test = r->rows->n - n_train;
    return rc;
}

int dataset_read(const struct dataset_query *query, struct dataset **out,
                 struct err *err)
{
    if (query->n_sources == 0) {
        return err_set(err, ERR_INVALID, "no source is named");
    }
    struct rows rows = {0};
    struct reading reading = {.rows = &rows, .query = query};
    int rc = read_rows(&reading, err);
    if (rc == 0) {
        rc = dataset_build(&rows, query->min_class_count, out, err);
        rc = rc != 0 ? source_wrap(query->sources, query->n_sources, err) : 0;
    }
    if (rc == 0 && dataset_n_test(*out) < rows.n_test) {
        fetch_note(query->watch,
                   "%zu of %zu test rows are left out: their classes have "
                   "fewer than %d rows for training (data.min_class_count)",
                   rows.n_test - dataset_n_test(*out), rows.n_test,
                   query->min_class_count);
    }
    free(reading.known);
    rows_fini(&rows);
    return rc;
}
