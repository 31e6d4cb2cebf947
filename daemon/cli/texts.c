#include "daemon/cli/texts.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/csv.h"
#include "core/data/jsonl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const size_t FILE_SIZE_MAX = (size_t)4 << 30;

struct reading {
    struct buf bytes;
    size_t *ends; /* of each text in bytes */
    size_t n, cap, max;
};

/* Ends the reading early by CANCELED when there are enough. */
static int on_row(void *ctx, const struct row *row, struct err *err)
{
    struct reading *r = ctx;
    if (r->max != 0 && r->n == r->max) {
        return err_set(err, ERR_CANCELED, "enough");
    }
    if (r->n == r->cap) {
        size_t cap = r->cap == 0 ? 1024 : 2 * r->cap;
        size_t *ends = mem_try_grow(r->ends, cap, sizeof(*ends));
        if (ends == NULL) {
            return err_set(err, ERR_LIMIT, "too many rows for the memory");
        }
        r->ends = ends;
        r->cap = cap;
    }
    buf_add(&r->bytes, row->text.at, row->text.len);
    r->ends[r->n++] = r->bytes.len;
    return r->bytes.overflow ? err_set(err, ERR_LIMIT, "too many texts") : 0;
}

static bool has_ending(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n >= m && strcasecmp(path + n - m, ending) == 0;
}

static int read_rows(const char *path, struct span bytes, const char *field,
                     struct reading *r, struct err *err)
{
    const struct row_file file = {path, bytes};
    const struct row_columns columns = {.text = field};
    const struct row_sink sink = {r, on_row};
    if (has_ending(path, ".jsonl")) {
        return jsonl_read(&file, &columns, &sink, err);
    }
    if (has_ending(path, ".json")) {
        return jsonl_read_list(&file, &columns, &sink, err);
    }
    if (has_ending(path, ".csv") || has_ending(path, ".tsv")) {
        char delimiter = has_ending(path, ".tsv") ? '\t' : ',';
        return csv_read(&file, delimiter, &columns, &sink, err);
    }
    return err_set(err, ERR_INVALID,
                   "%s: the name must end in .jsonl, .json, .csv or .tsv",
                   path);
}

/* The buffer does not move any more: spans can point into it. */
static int to_texts(struct reading *r, struct texts *out, struct err *err)
{
    struct span *spans = mem_try(r->n, sizeof(*spans));
    if (spans == NULL) {
        return err_set(err, ERR_LIMIT, "too many rows for the memory");
    }
    for (size_t i = 0, start = 0; i < r->n; i++) {
        const char *at = r->bytes.data != NULL ? r->bytes.data + start : "";
        spans[i] = (struct span){at, r->ends[i] - start};
        start = r->ends[i];
    }
    *out = (struct texts){.bytes = r->bytes, .spans = spans, .n = r->n};
    return 0;
}

int texts_read(const char *path, const char *field, size_t max,
               struct texts *out, struct err *err)
{
    struct reading r = {.max = max};
    char *bytes;
    size_t len;
    int rc = file_load(path, FILE_SIZE_MAX, &bytes, &len, err);
    if (rc != 0) {
        return err->code = rc == ERR_NOTFOUND ? ERR_INVALID : rc;
    }
    buf_init(&r.bytes, FILE_SIZE_MAX);
    rc = read_rows(path, (struct span){bytes, len}, field, &r, err);
    rc = rc == ERR_CANCELED ? 0 : rc;
    free(bytes);
    if (rc == 0 && r.n == 0) {
        rc = err_set(err, ERR_INVALID, "%s: no rows", path);
    }
    if (rc == 0) {
        rc = to_texts(&r, out, err);
    }
    free(r.ends);
    if (rc != 0) {
        buf_fini(&r.bytes);
    }
    return rc;
}

void texts_fini(struct texts *t)
{
    buf_fini(&t->bytes);
    free(t->spans);
}
