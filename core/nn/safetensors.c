/* Reading. The header's JSON is checked as a whole before anything is given
 * out: known dtypes, shapes whose bytes match their offsets, and tensors that
 * cover the data without holes or overlaps. */
#include "core/nn/safetensors.h"

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/safetensors_dtype.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_BYTES = 8,
    MAX_DIMS = 4,
    MAX_HEADER = 100 << 20,
    COPY_PIECE = 4 << 20
};

struct entry {
    const char *name; /* borrowed from the tree */
    size_t begin, end;
    struct safetensors_view view;
};

struct safetensors {
    struct span map;
    struct json *header;
    const struct json *metadata; /* or NULL */
    struct entry *entries;       /* sorted by name */
    size_t n_entries;
};

const struct safetensors_dtype_info safetensors_dtypes[] = {
    [SAFETENSORS_F32] = {"F32", 4},
    [SAFETENSORS_I64] = {"I64", 8},
    [SAFETENSORS_I32] = {"I32", 4},
};
const size_t safetensors_n_dtypes = ARRAY_LEN(safetensors_dtypes);

static int parse_dtype(const struct json *node, struct entry *e,
                       struct err *err)
{
    if (node == NULL || json_kind(node) != JSON_STRING) {
        return err_set(err, ERR_CORRUPT, "dtype must be a string");
    }
    for (size_t i = 0; i < ARRAY_LEN(safetensors_dtypes); i++) {
        if (strcmp(json_string(node), safetensors_dtypes[i].name) == 0) {
            e->view.dtype = (enum safetensors_dtype)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "dtype %.32s is not supported",
                   json_string(node));
}

/* A whole number that fits a size. */
static bool get_size(const struct json *node, size_t *out)
{
    int64_t x;
    if (node == NULL || !json_integer(node, &x) || x < 0) {
        return false;
    }
    *out = (size_t)x;
    return true;
}

static int parse_shape(const struct json *node, struct entry *e,
                       struct err *err)
{
    if (node == NULL || json_kind(node) != JSON_ARRAY) {
        return err_set(err, ERR_CORRUPT, "shape must be an array");
    }
    if (json_size(node) > MAX_DIMS) {
        return err_set(err, ERR_INVALID, "%d dimensions, at most %d are read",
                       json_size(node), MAX_DIMS);
    }
    struct safetensors_view *v = &e->view;
    v->n = 1;
    for (const struct json *x = json_first(node); x != NULL; x = json_next(x)) {
        if (!get_size(x, &v->dims[v->n_dims])) {
            return err_set(err, ERR_CORRUPT, "shape has no whole numbers");
        }
        if (!mem_mul(v->n, v->dims[v->n_dims], &v->n)) {
            return err_set(err, ERR_CORRUPT, "shape overflows");
        }
        v->n_dims++;
    }
    return 0;
}

/* data: the bytes after the header. */
static int parse_offsets(const struct json *node, struct span data,
                         struct entry *e, struct err *err)
{
    const struct json *first = NULL;
    if (node != NULL && json_kind(node) == JSON_ARRAY && json_size(node) == 2) {
        first = json_first(node);
    }
    if (first == NULL || !get_size(first, &e->begin) ||
        !get_size(json_next(first), &e->end) || e->begin > e->end ||
        e->end > data.len) {
        return err_set(err, ERR_CORRUPT,
                       "data_offsets must be two ascending numbers up to %zu",
                       data.len);
    }
    size_t bytes;
    if (!mem_mul(e->view.n, safetensors_dtypes[e->view.dtype].size, &bytes) ||
        bytes != e->end - e->begin) {
        return err_set(err, ERR_CORRUPT,
                       "data_offsets have %zu bytes, which is not the shape's",
                       e->end - e->begin);
    }
    e->view.data = data.at + e->begin;
    return 0;
}

static int parse_entry(const struct json *node, struct span data,
                       struct entry *e, struct err *err)
{
    e->name = json_key(node);
    int rc;
    if (json_kind(node) != JSON_OBJECT || json_size(node) != 3) {
        rc = err_set(err, ERR_CORRUPT,
                     "must have dtype, shape and data_offsets");
    } else if ((rc = parse_dtype(json_get(node, "dtype"), e, err)) == 0 &&
               (rc = parse_shape(json_get(node, "shape"), e, err)) == 0) {
        rc = parse_offsets(json_get(node, "data_offsets"), data, e, err);
    }
    return rc == 0 ? 0 : err_wrap(err, "tensor '%.64s'", e->name);
}

static int check_metadata(const struct json *node, struct err *err)
{
    if (json_kind(node) != JSON_OBJECT) {
        return err_set(err, ERR_CORRUPT, "__metadata__ must be an object");
    }
    for (const struct json *x = json_first(node); x != NULL; x = json_next(x)) {
        if (json_kind(x) != JSON_STRING) {
            return err_set(err, ERR_CORRUPT,
                           "__metadata__ '%.64s' must be a string",
                           json_key(x));
        }
    }
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

/* Sorts entries by place. */
static int check_cover(struct entry *entries, size_t n, size_t len,
                       struct err *err)
{
    qsort(entries, n, sizeof(*entries), by_place);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (entries[i].begin != at) {
            return err_set(err, ERR_CORRUPT,
                           "tensor '%.64s' begins at %zu, expected %zu",
                           entries[i].name, entries[i].begin, at);
        }
        at = entries[i].end;
    }
    if (at != len) {
        return err_set(err, ERR_CORRUPT,
                       "%zu bytes of data, the tensors have %zu", len, at);
    }
    return 0;
}

static int parse_entries(struct safetensors *f, struct span data,
                         struct err *err)
{
    f->entries = mem_try((size_t)json_size(f->header), sizeof(*f->entries));
    if (f->entries == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for %d tensors",
                       json_size(f->header));
    }
    for (const struct json *x = json_first(f->header); x != NULL;
         x = json_next(x)) {
        int rc;
        if (strcmp(json_key(x), "__metadata__") == 0) {
            f->metadata = x;
            rc = check_metadata(x, err);
        } else {
            rc = parse_entry(x, data, &f->entries[f->n_entries++], err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    int rc = check_cover(f->entries, f->n_entries, data.len, err);
    if (rc == 0) {
        qsort(f->entries, f->n_entries, sizeof(*f->entries), by_name);
    }
    return rc;
}

static int parse(struct safetensors *f, struct err *err)
{
    if (f->map.len < LENGTH_BYTES) {
        return err_set(err, ERR_CORRUPT, "%zu bytes are too few for a header",
                       f->map.len);
    }
    uint64_t length = 0;
    for (int i = 0; i < LENGTH_BYTES; i++) {
        length |= (uint64_t)(unsigned char)f->map.at[i] << (8 * i);
    }
    if (length > f->map.len - LENGTH_BYTES || length > MAX_HEADER) {
        return err_set(err, ERR_CORRUPT, "header of %ju bytes in a file of %zu",
                       (uintmax_t)length, f->map.len);
    }
    const char *text = f->map.at + LENGTH_BYTES;
    int rc = json_parse(text, (size_t)length, &f->header, err);
    if (rc != 0) {
        return err_wrap(err, "header");
    }
    if (json_kind(f->header) != JSON_OBJECT) {
        return err_set(err, ERR_CORRUPT, "header must be an object");
    }
    struct span data = {.at = text + length,
                        .len = f->map.len - LENGTH_BYTES - (size_t)length};
    return parse_entries(f, data, err);
}

int safetensors_open(const char *path, struct safetensors **out,
                     struct err *err)
{
    struct safetensors *f = mem_alloc(1, sizeof(*f));
    int rc = file_map(path, &f->map, err);
    if (rc != 0) {
        free(f);
        return rc;
    }
    rc = parse(f, err);
    if (rc != 0) {
        safetensors_close(f);
        return err_wrap(err, "%s", path);
    }
    *out = f;
    return 0;
}

void safetensors_close(struct safetensors *f)
{
    if (f == NULL) {
        return;
    }
    json_free(f->header);
    free(f->entries);
    file_unmap(f->map);
    free(f);
}

int safetensors_find(const struct safetensors *f, const char *name,
                     struct safetensors_view *out, struct err *err)
{
    struct entry key = {.name = name};
    const struct entry *e =
        bsearch(&key, f->entries, f->n_entries, sizeof(*f->entries), by_name);
    if (e == NULL) {
        return err_set(err, ERR_NOTFOUND, "no tensor '%s'", name);
    }
    *out = e->view;
    return 0;
}

void safetensors_copy(const struct safetensors_view *view, void *out)
{
    size_t n = view->n * safetensors_dtypes[view->dtype].size;
    for (size_t at = 0; at < n; at += COPY_PIECE) {
        size_t some = n - at < COPY_PIECE ? n - at : COPY_PIECE;
        const char *from = (const char *)view->data + at;
        memcpy((char *)out + at, from, some);
        file_forget((struct span){from, some});
    }
}

const char *safetensors_metadata(const struct safetensors *f, const char *key)
{
    const struct json *x =
        f->metadata != NULL ? json_get(f->metadata, key) : NULL;
    return x != NULL ? json_string(x) : NULL;
}
