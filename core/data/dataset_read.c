#include "core/data/dataset.h"
#include "core/data/dataset_rows.h"
#include "core/data/source.h"

enum { ROWS_PER_WORD = 1000 };

struct reading {
    struct rows *rows;
    const struct dataset_query *query;
};

static int on_row(void *ctx, const struct row *row, struct err *err)
{
    const struct reading *r = ctx;
    int rc = rows_add(r->rows, row, err);
    if (rc == 0 && r->query->on_rows != NULL &&
        r->rows->n % ROWS_PER_WORD == 0) {
        r->query->on_rows(r->query->rows_ctx, r->rows->n);
    }
    return rc;
}

int dataset_read(const struct dataset_query *query, struct dataset **out,
                 struct err *err)
{
    if (query->n_sources == 0) {
        return err_set(err, ERR_INVALID, "no source is named");
    }
    struct rows rows = {0};
    struct reading reading = {&rows, query};
    const struct row_sink sink = {&reading, on_row};
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
    for (size_t i = 0; i < query->n_sources && rc == 0; i++) {
        rc = source_read(query->sources[i], &q, &sink, err);
    }
    size_t n_train = rows.n;
    for (size_t i = 0; i < query->n_test_sources && rc == 0; i++) {
        rc = source_read(query->test_sources[i], &q, &sink, err);
    }
    rows.n_test = rows.n - n_train;
    if (rc == 0 && n_train == 0) {
        rc = err_set(err, ERR_INVALID, "%s: no rows", query->sources[0]);
    }
    if (rc == 0) {
        rc = dataset_build(&rows, query->min_class_count, out, err);
        rc = rc != 0 ? source_wrap(query->sources, query->n_sources, err) : 0;
    }
    rows_fini(&rows);
    return rc;
}
