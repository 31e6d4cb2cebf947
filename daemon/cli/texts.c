#include "daemon/cli/texts.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/data/csv.h"
#include "core/data/jsonl.h"
#include "core/data/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10 };

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

static int read_rows(const char *path, struct span bytes, const char *field,
                     struct reading *r, struct err *err)
{
    const struct row_file file = {path, bytes};
    const struct row_columns columns = {.text = field};
    const struct row_sink sink = {r, on_row};
    if (source_has_ending(path, ".jsonl")) {
        return jsonl_read(&file, &columns, &sink, err);
    }
    if (source_has_ending(path, ".json")) {
        return jsonl_read_list(&file, &columns, &sink, err);
    }
    if (source_has_ending(path, ".csv") || source_has_ending(path, ".tsv")) {
        char delimiter = source_has_ending(path, ".tsv") ? '\t' : ',';
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

/* --- lines and words ------------------------------------------------------ */

static int read_all(int fd, const char *name, struct buf *out, struct err *err)
{
    char bytes[READ_BYTES];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof(bytes))) != 0) {
        if (got < 0 && errno != EINTR) {
            return err_sys(err, errno, "%s", name);
        }
        buf_add(out, bytes, got > 0 ? (size_t)got : 0);
    }
    return out->overflow ? err_set(err, ERR_LIMIT, "%s: longer than %zu bytes",
                                   name, out->max)
                         : 0;
}

static size_t n_lines(const struct buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->len; i++) {
        n += b->data[i] == '\n';
    }
    return n + (b->len > 0 && b->data[b->len - 1] != '\n');
}

/* Without the line's end. */
static struct span line_at(const struct buf *b, size_t *at)
{
    const char *start = b->data + *at;
    const char *newline = memchr(start, '\n', b->len - *at);
    size_t len = newline != NULL ? (size_t)(newline - start) : b->len - *at;
    *at += len + 1;
    return (struct span){start, len - (len > 0 && start[len - 1] == '\r')};
}

int texts_lines(int fd, const char *name, size_t max, struct texts *out,
                struct err *err)
{
    struct texts t = {.spans = NULL};
    buf_init(&t.bytes, FILE_SIZE_MAX);
    int rc = read_all(fd, name, &t.bytes, err);
    size_t n = rc == 0 ? n_lines(&t.bytes) : 0, at = 0;
    n = max != 0 && n > max ? max : n;
    if (rc == 0) {
        t.spans = mem_try(n + 1, sizeof(*t.spans));
        rc = t.spans != NULL
                 ? 0
                 : err_set(err, ERR_LIMIT, "%s: too many lines", name);
    }
    while (rc == 0 && t.n < n) {
        struct span line = line_at(&t.bytes, &at);
        t.spans[t.n++] = line;
        if (utf8_valid_prefix(line.at, line.len) != line.len) {
            rc = err_set(err, ERR_IO, "%s: line %zu: not valid UTF-8", name,
                         t.n);
        }
    }
    if (rc != 0) {
        texts_fini(&t);
        return rc;
    }
    *out = t;
    return 0;
}

int texts_words(char *const *words, size_t n, struct texts *out,
                struct err *err)
{
    struct texts t = {.spans = mem_alloc(n + 1, sizeof(*t.spans)), .n = n};
    buf_init(&t.bytes, FILE_SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        t.spans[i] = (struct span){words[i], strlen(words[i])};
        if (!utf8_is_valid(words[i], t.spans[i].len)) {
            texts_fini(&t);
            return err_set(err, ERR_INVALID, "text %zu is not valid UTF-8",
                           i + 1);
        }
    }
    *out = t;
    return 0;
}

void texts_fini(struct texts *t)
{
    buf_fini(&t->bytes);
    free(t->spans);
}
