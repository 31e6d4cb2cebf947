#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/csv.h"
#include "core/data/dataset.h"
#include "core/data/dataset_rows.h"
#include "core/data/jsonl.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const uint64_t SOURCE_MAX = (uint64_t)4 << 30; /* bytes of one file */

static bool has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && strcasecmp(s + n - m, suffix) == 0;
}

static int read_bytes(const char *source, struct span bytes,
                      const struct dataset_query *q, struct rows *rows,
                      struct err *err)
{
    const struct row_file file = {source, bytes};
    const struct row_columns columns = {q->text, q->label};
    const struct row_sink sink = {rows, rows_add};
    if (has_suffix(source, ".jsonl")) {
        return jsonl_read(&file, &columns, &sink, err);
    }
    if (has_suffix(source, ".json")) {
        return jsonl_read_list(&file, &columns, &sink, err);
    }
    char delimiter = has_suffix(source, ".tsv") ? '\t' : ',';
    return csv_read(&file, delimiter, &columns, &sink, err);
}

static int check_source(const char *source, struct err *err)
{
    static const char *const remote[] = {"hf:", "http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(remote); i++) {
        if (strncmp(source, remote[i], strlen(remote[i])) == 0) {
            return err_set(err, ERR_INVALID,
                           "%s: only local files can be read; download it and "
                           "give the path of the file",
                           source);
        }
    }
    static const char *const known[] = {".jsonl", ".json", ".csv", ".tsv"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (has_suffix(source, known[i])) {
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "%s: the name must end in .jsonl, .json, .csv or .tsv",
                   source);
}

static int read_source(const char *source, const struct dataset_query *q,
                       struct rows *rows, struct err *err)
{
    int rc = check_source(source, err);
    if (rc != 0) {
        return rc;
    }
    char *path = source[0] == '/' || q->base_dir == NULL
                     ? mem_strdup(source)
                     : mem_printf("%s/%s", q->base_dir, source);
    size_t max = SOURCE_MAX < SIZE_MAX ? (size_t)SOURCE_MAX : SIZE_MAX;
    char *bytes;
    size_t len;
    rc = file_load(path, max, &bytes, &len, err);
    if (rc == 0) {
        rc = read_bytes(source, (struct span){bytes, len}, q, rows, err);
        free(bytes);
    }
    free(path);
    return rc;
}

int dataset_read(const struct dataset_query *query, struct dataset **out,
                 struct err *err)
{
    if (query->n_sources == 0) {
        return err_set(err, ERR_INVALID, "no source is named");
    }
    struct rows rows = {0};
    int rc = 0;
    for (size_t i = 0; i < query->n_sources && rc == 0; i++) {
        rc = read_source(query->sources[i], query, &rows, err);
    }
    if (rc == 0 && rows.n == 0) {
        rc = err_set(err, ERR_INVALID, "%s: no rows", query->sources[0]);
    }
    if (rc == 0) {
        rc = dataset_build(&rows, query->min_class_count, out, err);
    }
    rows_fini(&rows);
    return rc;
}
