#include "core/train/tensors.h"
#include "core/base/mem.h"
#include "core/nn/model.h"
#include "core/nn/safetensors.h"

#include <stdlib.h>
#include <string.h>

/* What a file has of one tensor of the model. */
struct part {
    const char *prefix;
    float *data;
};

static size_t parts_of(const struct model_tensor *t, bool moments,
                       struct part out[3])
{
    out[0] = (struct part){"", t->weight};
    out[1] = (struct part){"adamw.m.", t->m};
    out[2] = (struct part){"adamw.v.", t->v};
    return moments ? 3 : 1;
}

void tensors_put(struct model *m, bool moments, struct safetensors_out *w)
{
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        struct part parts[3];
        size_t n = parts_of(&t, moments, parts);
        for (size_t k = 0; k < n; k++) {
            char *name = mem_printf("%s%s", parts[k].prefix, t.name);
            safetensors_out_tensor(w, name, SAFETENSORS_F32, t.dims, t.n_dims,
                                   parts[k].data);
            free(name);
        }
    }
}

static int get_part(const struct safetensors *f, const struct model_tensor *t,
                    const struct part *part, struct err *err)
{
    struct safetensors_view view;
    char *name = mem_printf("%s%s", part->prefix, t->name);
    int rc = safetensors_find(f, name, &view, err);
    if (rc == 0) {
        bool fits = view.dtype == SAFETENSORS_F32 && view.n == t->n &&
                    view.n_dims == t->n_dims;
        for (int i = 0; fits && i < t->n_dims; i++) {
            fits = view.dims[i] == t->dims[i];
        }
        if (fits) {
            memcpy(part->data, view.data, t->n * sizeof(float));
        } else {
            rc = err_set(err, ERR_INVALID,
                         "tensor '%s' has not the shape that its run gives it",
                         name);
        }
    }
    free(name);
    return rc;
}

int tensors_get(const struct safetensors *f, bool moments, struct model *m,
                struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        struct part parts[3];
        size_t n = parts_of(&t, moments, parts);
        for (size_t k = 0; rc == 0 && k < n; k++) {
            rc = get_part(f, &t, &parts[k], err);
        }
    }
    return rc;
}
