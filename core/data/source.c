#include "core/data/source.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/csv.h"
#include "core/data/download.h"
#include "core/data/hub.h"
#include "core/data/jsonl.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const uint64_t SOURCE_MAX = (uint64_t)4 << 30; /* bytes of one file */

bool source_has_ending(const char *source, const char *ending)
{
    size_t n = download_is_url(source) ? strcspn(source, "?#") : strlen(source);
    size_t m = strlen(ending);
    return n >= m && strncasecmp(source + n - m, ending, m) == 0;
}

static int read_bytes(const char *source, struct span bytes,
                      const struct source_query *q, const struct row_sink *sink,
                      struct err *err)
{
    const struct row_file file = {source, bytes};
    const struct row_columns columns = {q->text, q->label, q->named_by};
    if (source_has_ending(source, ".jsonl")) {
        return jsonl_read(&file, &columns, sink, err);
    }
    if (source_has_ending(source, ".json")) {
        return jsonl_read_list(&file, &columns, sink, err);
    }
    char delimiter = source_has_ending(source, ".tsv") ? '\t' : ',';
    return csv_read(&file, delimiter, &columns, sink, err);
}

static int check_ending(const char *source, struct err *err)
{
    static const char *const known[] = {".jsonl", ".json", ".csv", ".tsv"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (source_has_ending(source, known[i])) {
            return 0;
        }
    }
    return err_set(err, ERR_INVALID,
                   "%s: the name must end in .jsonl, .json, .csv or .tsv",
                   source);
}

/* Where the source's bytes are: a new string in *out. */
static int find_file(const char *source, const struct source_query *q,
                     char **out, struct err *err)
{
    if (download_is_url(source)) {
        return download_file(source, q->cache_dir, q->watch, out, err);
    }
    *out = source[0] == '/' || q->base_dir == NULL
               ? mem_strdup(source)
               : mem_printf("%s/%s", q->base_dir, source);
    return 0;
}

int source_read(const char *source, const struct source_query *q,
                const struct row_sink *sink, struct err *err)
{
    char *path;
    if (hub_is_source(source)) {
        return hub_read(source, q, sink, err);
    }
    int rc = check_ending(source, err);
    rc = rc == 0 ? find_file(source, q, &path, err) : rc;
    if (rc != 0) {
        return rc;
    }
    size_t max = SOURCE_MAX < SIZE_MAX ? (size_t)SOURCE_MAX : SIZE_MAX;
    char *bytes;
    size_t len;
    rc = file_load(path, max, &bytes, &len, err);
    if (rc == 0) {
        rc = read_bytes(source, (struct span){bytes, len}, q, sink, err);
        free(bytes);
    }
    free(path);
    return rc;
}

int source_wrap(const char *const *sources, size_t n, struct err *err)
{
    return n > 1 ? err_wrap(err, "%s and %zu more", sources[0], n - 1)
                 : err_wrap(err, "%s", sources[0]);
}
