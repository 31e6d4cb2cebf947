/* safetensors: Hugging Face's container: a JSON header, then raw tensors.
 * Little-endian; header length u64, header, data without holes. */
#ifndef CORE_NN_SAFETENSORS_H
#define CORE_NN_SAFETENSORS_H
#include "core/base/err.h"
#include <stdint.h>
struct buf;

enum safetensors_dtype { SAFETENSORS_F32, SAFETENSORS_I64, SAFETENSORS_I32 };

/* --- reading: the file is mapped; every offset is checked before use ------ */
struct safetensors;
struct safetensors_view {
    enum safetensors_dtype dtype;
    int n_dims;
    size_t dims[4];
    size_t n;         /* elements */
    const void *data; /* borrowed from the open file; maybe unaligned */
};
MUST_CHECK int safetensors_open(const char *path, struct safetensors **out,
                                struct err *err);
void safetensors_close(struct safetensors *f);
/* NOTFOUND when there is no such tensor. */
MUST_CHECK int safetensors_find(const struct safetensors *f, const char *name,
                                struct safetensors_view *out, struct err *err);
/* Copy the data out, a piece at a time: what was copied leaves memory, so that
 * a file that is read whole never stands in memory twice. */
void safetensors_copy(const struct safetensors_view *view, void *out);
/* A string of __metadata__, or NULL. Borrowed. */
const char *safetensors_metadata(const struct safetensors *f, const char *key);

/* --- writing: declare all, then hand over the data in the same order ------ */
struct safetensors_out; /* atomic: appears complete under its name, or not */
struct safetensors_out *safetensors_out_new(void);
void safetensors_out_free(struct safetensors_out *w);
/* Copies. Metadata must be valid UTF-8; order of calls is kept. */
void safetensors_out_metadata(struct safetensors_out *w, const char *key,
                              const char *value);
/* Copies name and dims, borrows data until safetensors_out_write. */
void safetensors_out_tensor(struct safetensors_out *w, const char *name,
                            enum safetensors_dtype dtype, const size_t *dims,
                            int n_dims, const void *data);
/* Write everything to path (atomically; file_writer). sha256 of the whole file
 * and its size are told when not NULL. Same calls, same bytes. */
MUST_CHECK int safetensors_out_write(struct safetensors_out *w,
                                     const char *path, char sha256[65],
                                     uint64_t *size, struct err *err);

#endif
