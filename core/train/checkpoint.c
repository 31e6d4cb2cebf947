#include "core/train/checkpoint.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/nn/model.h"
#include "core/nn/safetensors.h"
#include "core/text/bpe.h"
#include "core/train/checkpoint_meta.h"
#include "core/train/run_model.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void checkpoint_fini(struct checkpoint *c)
{
    for (size_t i = 0; i < c->n_classes; i++) {
        free(c->classes[i]);
    }
    free(c->classes);
    free(c->kernels);
    free(c->blas);
    free(c->build);
    bpe_free(c->tokenizer);
    *c = (struct checkpoint){0};
}

/* --- tensors -------------------------------------------------------------- */

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

int checkpoint_write(const struct checkpoint *c, struct model *model,
                     const char *path, char sha256[65], uint64_t *size,
                     struct err *err)
{
    struct safetensors_out *w = safetensors_out_new();
    int rc = checkpoint_meta_put(c, w, err);
    for (size_t i = 0; rc == 0 && i < model_n_tensors(model); i++) {
        struct model_tensor t = model_tensor_at(model, i);
        struct part parts[3];
        size_t n = parts_of(&t, c->kind == CHECKPOINT_LAST, parts);
        for (size_t k = 0; k < n; k++) {
            char *name = mem_printf("%s%s", parts[k].prefix, t.name);
            safetensors_out_tensor(w, name, SAFETENSORS_F32, t.dims, t.n_dims,
                                   parts[k].data);
            free(name);
        }
    }
    if (rc == 0) {
        rc = safetensors_out_write(w, path, sha256, size, err);
    }
    safetensors_out_free(w);
    return rc;
}

static int load_part(const struct safetensors *f, const struct model_tensor *t,
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

static int load_model(const struct safetensors *f, const struct checkpoint *c,
                      bool trainable, int max_batch, struct model **out,
                      struct err *err)
{
    struct model *m;
    if (trainable && c->kind != CHECKPOINT_LAST) {
        return err_set(err, ERR_INVALID,
                       "a best model cannot be trained on: it has no moments");
    }
    int rc = run_model_new(
        &c->run, (size_t)bpe_vocab_size(c->tokenizer), c->n_classes,
        max_batch > 0 ? max_batch : c->run.batch_size, trainable, &m, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < model_n_tensors(m); i++) {
        struct model_tensor t = model_tensor_at(m, i);
        struct part parts[3];
        size_t n = parts_of(&t, trainable, parts);
        for (size_t k = 0; rc == 0 && k < n; k++) {
            rc = load_part(f, &t, &parts[k], err);
        }
    }
    if (rc != 0) {
        model_free(m);
        return rc;
    }
    model_set_step(m, c->state.step);
    *out = m;
    return 0;
}

/* --- opening -------------------------------------------------------------- */

static int check_hash(const char *path, const char *sha256, struct err *err)
{
    char is[65];
    uint64_t size;
    int rc = file_sha256(path, is, &size, err);
    if (rc == 0 && strcmp(is, sha256) != 0) {
        rc = err_set(err, ERR_CORRUPT,
                     "%s: damaged: its SHA-256 is %s, it was %s", path, is,
                     sha256);
    }
    return rc;
}

static int load(const struct safetensors *f, bool trainable, int max_batch,
                struct checkpoint *out, struct model **model, struct err *err)
{
    struct checkpoint c;
    int rc = checkpoint_meta_get(f, &c, err);
    if (rc == 0 && model != NULL) {
        rc = load_model(f, &c, trainable, max_batch, model, err);
        if (rc != 0) {
            checkpoint_fini(&c);
        }
    }
    if (rc == 0) {
        *out = c;
    }
    return rc;
}

int checkpoint_open(const char *path, const char *sha256, bool trainable,
                    int max_batch, struct checkpoint *out, struct model **model,
                    struct err *err)
{
    struct err why = {0};
    struct safetensors *f;
    int rc = sha256 != NULL ? check_hash(path, sha256, err) : 0;
    if (rc != 0) {
        return rc;
    }
    rc = safetensors_open(path, &f, &why);
    if (rc != 0) { /* what a file says wrongly is its damage */
        return err_set(err, rc == ERR_INVALID ? ERR_CORRUPT : rc, "%s",
                       why.msg);
    }
    rc = load(f, trainable, max_batch, out, model, &why);
    safetensors_close(f);
    if (rc != 0) {
        return err_set(err, rc == ERR_LIMIT ? rc : ERR_CORRUPT, "%s: %s", path,
                       why.msg);
    }
    return 0;
}

/* --- names ---------------------------------------------------------------- */

void checkpoint_name(enum checkpoint_kind kind, int64_t epoch, int64_t batch,
                     char out[CHECKPOINT_NAME_MAX])
{
    if (kind == CHECKPOINT_BEST) {
        snprintf(out, CHECKPOINT_NAME_MAX, "best-%" PRId64 ".safetensors",
                 epoch);
    } else {
        snprintf(out, CHECKPOINT_NAME_MAX,
                 "last-%" PRId64 "-%" PRId64 ".safetensors", epoch, batch);
    }
}

/* A name that checkpoint_name makes, or its temporary. */
static bool is_ours(const char *name)
{
    static const char *const shapes[] = {
        "best-%*d.safetensors%n",
        "last-%*d-%*d.safetensors%n",
    };
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        int end = 0;
        (void)sscanf(name, shapes[i], &end);
        if (end > 0 && (name[end] == '\0' || strcmp(name + end, ".tmp") == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_kept(const char *name, const char *const *keep, size_t n_keep)
{
    for (size_t i = 0; i < n_keep; i++) {
        if (keep[i] != NULL && strcmp(name, keep[i]) == 0) {
            return true;
        }
    }
    return false;
}

int checkpoint_remove_others(const char *dir, const char *const *keep,
                             size_t n_keep, struct err *err)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return err_sys(err, errno, "%s", dir);
    }
    int rc = 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(d)) != NULL) {
        if (is_ours(entry->d_name) && !is_kept(entry->d_name, keep, n_keep) &&
            unlinkat(dirfd(d), entry->d_name, 0) != 0 && errno != ENOENT) {
            rc = err_sys(err, errno, "%s/%s", dir, entry->d_name);
        }
    }
    closedir(d);
    return rc;
}
