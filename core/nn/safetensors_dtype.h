/* safetensors_dtype: what reader and writer both know of an element type. */
#ifndef CORE_NN_SAFETENSORS_DTYPE_H
#define CORE_NN_SAFETENSORS_DTYPE_H
#include <stddef.h>

struct safetensors_dtype_info {
    const char *name; /* in the header */
    size_t size;      /* bytes */
};
/* By enum safetensors_dtype. */
extern const struct safetensors_dtype_info safetensors_dtypes[];
extern const size_t safetensors_n_dtypes;

#endif
