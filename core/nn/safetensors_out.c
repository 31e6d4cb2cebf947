/* Writing: everything is declared first, so the header is known before the
 * first byte goes out. */
#include "core/nn/safetensors.h"

#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/safetensors_dtype.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100 << 20, MAX_DIMS = 4, MODE = 0600 };

struct pair {
    char *key, *value;
};

struct tensor {
    char *name;
    enum safetensors_dtype dtype;
    size_t dims[MAX_DIMS];
    int n_dims;
    size_t bytes;
    const void *data;
};

struct safetensors_out {
    struct pair *pairs;
    size_t n_pairs;
    struct tensor *tensors;
    size_t n_tensors;
};

struct safetensors_out *safetensors_out_new(void)
{
    return mem_alloc(1, sizeof(struct safetensors_out));
}

void safetensors_out_free(struct safetensors_out *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->n_pairs; i++) {
        free(w->pairs[i].key);
        free(w->pairs[i].value);
    }
    for (size_t i = 0; i < w->n_tensors; i++) {
        free(w->tensors[i].name);
    }
    free(w->pairs);
    free(w->tensors);
    free(w);
}

void safetensors_out_metadata(struct safetensors_out *w, const char *key,
                              const char *value)
{
    w->pairs = mem_grow(w->pairs, w->n_pairs + 1, sizeof(*w->pairs));
    w->pairs[w->n_pairs++] =
        (struct pair){.key = mem_strdup(key), .value = mem_strdup(value)};
}

void safetensors_out_tensor(struct safetensors_out *w, const char *name,
                            enum safetensors_dtype dtype, const size_t *dims,
                            int n_dims, const void *data)
{
    assert(n_dims >= 0 && n_dims <= MAX_DIMS);
    assert((size_t)dtype < safetensors_n_dtypes);
    struct tensor t = {.name = mem_strdup(name),
                       .dtype = dtype,
                       .n_dims = n_dims,
                       .bytes = safetensors_dtypes[dtype].size,
                       .data = data};
    for (int i = 0; i < n_dims; i++) {
        t.dims[i] = dims[i];
        t.bytes *= dims[i]; /* cannot overflow: the data exists */
    }
    w->tensors = mem_grow(w->tensors, w->n_tensors + 1, sizeof(*w->tensors));
    w->tensors[w->n_tensors++] = t;
}

static void put_tensor(struct json_out *json, const struct tensor *t,
                       size_t begin)
{
    json_put_key(json, t->name);
    json_open(json, '{');
    json_put_key(json, "dtype");
    json_put_string(json, safetensors_dtypes[t->dtype].name);
    json_put_key(json, "shape");
    json_open(json, '[');
    for (int i = 0; i < t->n_dims; i++) {
        json_put_int(json, (int64_t)t->dims[i]);
    }
    json_close(json, ']');
    json_put_key(json, "data_offsets");
    json_open(json, '[');
    json_put_int(json, (int64_t)begin);
    json_put_int(json, (int64_t)(begin + t->bytes));
    json_close(json, ']');
    json_close(json, '}');
}

/* Padded with spaces so that the data begins at a multiple of 8. */
static void make_header(const struct safetensors_out *w, struct buf *out)
{
    struct json_out json;
    json_out_init(&json, out, JSON_COMPACT);
    json_open(&json, '{');
    if (w->n_pairs > 0) {
        json_put_key(&json, "__metadata__");
        json_open(&json, '{');
        for (size_t i = 0; i < w->n_pairs; i++) {
            json_put_key(&json, w->pairs[i].key);
            json_put_string(&json, w->pairs[i].value);
        }
        json_close(&json, '}');
    }
    size_t at = 0;
    for (size_t i = 0; i < w->n_tensors; i++) {
        put_tensor(&json, &w->tensors[i], at);
        at += w->tensors[i].bytes;
    }
    json_close(&json, '}');
    while (out->len % 8 != 0 && !out->overflow) {
        buf_char(out, ' ');
    }
}

int safetensors_out_write(struct safetensors_out *w, const char *path,
                          char sha256[65], uint64_t *size, struct err *err)
{
    struct buf header;
    buf_init(&header, HEADER_MAX);
    make_header(w, &header);
    if (header.overflow) {
        buf_fini(&header);
        return err_set(err, ERR_LIMIT, "%s: header over %d bytes", path,
                       HEADER_MAX);
    }
    struct file_writer *file;
    int rc = file_writer_open(path, MODE, &file, err);
    if (rc != 0) {
        buf_fini(&header);
        return rc;
    }
    unsigned char length[8];
    for (int i = 0; i < 8; i++) {
        length[i] = (unsigned char)((uint64_t)header.len >> (8 * i));
    }
    uint64_t total = sizeof(length) + header.len;
    file_writer_add(file, length, sizeof(length));
    file_writer_add(file, header.data, header.len);
    for (size_t i = 0; i < w->n_tensors; i++) {
        file_writer_add(file, w->tensors[i].data, w->tensors[i].bytes);
        total += w->tensors[i].bytes;
    }
    buf_fini(&header);
    rc = file_writer_commit(file, sha256, err);
    if (rc == 0 && size != NULL) {
        *size = total;
    }
    return rc;
}
