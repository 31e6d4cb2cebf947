#include "core/train/tensors.h"
#include "core/base/mem.h"
#include "core/nn/model.h"
#include "core/nn/safetensors.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 4 };

/* What a file has of one tensor of the model. */
struct part {
    const char *prefix;
    float *data;
};

static size_t parts_of(const struct model_tensor *t, bool training,
                       struct part out[MAX_PARTS])
{
    bool averages = t->average != NULL;
    out[0] = (struct part){"", averages && !training ? t->average : t->weight};
    out[1] = (struct part){"adamw.m.", t->m};
    out[2] = (struct part){"adamw.v.", t->v};
    out[3] = (struct part){"average.", t->average};
    return !training ? 1 : averages ? 4 : 3;
}

void tensors_put(struct model *m, bool training, struct safetensors_out *w)
{
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        struct part parts[MAX_PARTS];
        size_t n = parts_of(&t, training, parts);
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
            safetensors_copy(&view, part->data);
        } else {
            rc = err_set(err, ERR_INVALID,
                         "tensor '%s' has not the shape that its run gives it",
                         name);
        }
    }
    free(name);
    return rc;
}

/* To predict, the average that a training's file has beside the weights. */
static const char *prefix_to_predict(const struct safetensors *f,
                                     const struct model_tensor *t)
{
    static const char AVERAGE[] = "average.";
    struct safetensors_view view;
    char *name = mem_printf("%s%s", AVERAGE, t->name);
    bool is_there = safetensors_find(f, name, &view, NULL) == 0;
    free(name);
    return is_there ? AVERAGE : "";
}

int tensors_get(const struct safetensors *f, bool training, struct model *m,
                struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        struct part parts[MAX_PARTS];
        size_t n = parts_of(&t, training, parts);
        if (!training) {
            parts[0].prefix = prefix_to_predict(f, &t);
        }
        for (size_t k = 0; rc == 0 && k < n; k++) {
            rc = get_part(f, &t, &parts[k], err);
        }
    }
    return rc;
}
