#include "core/train/checkpoint.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/nn/model.h"
#include "core/nn/safetensors.h"
#include "core/text/bpe.h"
#include "core/train/checkpoint_meta.h"
#include "core/train/checkpoint_sum.h"
#include "core/train/run_model.h"
#include "core/train/tensors.h"

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
    free(c->text_column);
    free(c->label_column);
    free(c->kernels);
    free(c->blas);
    free(c->build);
    bpe_free(c->tokenizer);
    *c = (struct checkpoint){0};
}

/* --- files ------------------------------------------------------------------
 */

int checkpoint_write(const struct checkpoint *c, struct model *model,
                     const char *path, char sha256[65], uint64_t *size,
                     struct err *err)
{
    struct safetensors_out *w = safetensors_out_new();
    int rc = checkpoint_meta_put(c, w, err);
    if (rc == 0) {
        tensors_put(model, c->kind == CHECKPOINT_LAST, w);
        (void)rmdir(path); /* no file can be renamed over a folder */
        rc = safetensors_out_write(w, path, sha256, size, err);
    }
    safetensors_out_free(w);
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
    rc = tensors_get(f, trainable, m, err);
    if (rc != 0) {
        model_free(m);
        return rc;
    }
    model_set_step(m, c->state.step);
    *out = m;
    return 0;
}

/* --- opening -------------------------------------------------------------- */

/* What a file says wrongly is its damage, and so is that it is none. */
static int damage_of(int rc)
{
    return rc == ERR_INVALID ? ERR_CORRUPT : rc;
}

static int check_hash(const char *path, const char *sha256, struct err *err)
{
    char is[65];
    uint64_t size;
    struct err why;
    int rc = file_sha256(path, is, &size, &why);
    if (rc != 0) {
        return err_set(err, damage_of(rc), "%s", why.msg);
    }
    return strcmp(is, sha256) == 0
               ? 0
               : err_set(err, ERR_CORRUPT,
                         "%s: damaged: its SHA-256 is %s, it was %s", path, is,
                         sha256);
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
    if (rc != 0) {
        return err_set(err, damage_of(rc), "%s", why.msg);
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

/* A name that checkpoint_name makes, its temporary or its sum's. */
static bool is_ours(const char *name)
{
    static const char *const shapes[] = {
        "best-%*d.safetensors%n",
        "last-%*d-%*d.safetensors%n",
    };
    static const char *const ends[] = {"", ".tmp", CHECKPOINT_SUM,
                                       CHECKPOINT_SUM ".tmp"};
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        int end = 0;
        (void)sscanf(name, shapes[i], &end);
        for (size_t k = 0; end > 0 && k < ARRAY_LEN(ends); k++) {
            if (strcmp(name + end, ends[k]) == 0) {
                return true;
            }
        }
    }
    return false;
}

bool checkpoint_find_best(const char *dir, char out[CHECKPOINT_NAME_MAX])
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return false;
    }
    int64_t best = -1, epoch;
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        int end = 0;
        (void)sscanf(entry->d_name, "best-%" SCNd64 ".safetensors%n", &epoch,
                     &end);
        if (end > 0 && entry->d_name[end] == '\0' && epoch > best) {
            best = epoch;
        }
    }
    closedir(d);
    if (best >= 0) {
        checkpoint_name(CHECKPOINT_BEST, best, 0, out);
    }
    return best >= 0;
}

/* It is one of these, or the sum of one. */
static bool is_kept(const char *name, const char *const *keep, size_t n_keep)
{
    for (size_t i = 0; i < n_keep; i++) {
        size_t n = keep[i] != NULL ? strlen(keep[i]) : 0;
        if (keep[i] != NULL && strncmp(name, keep[i], n) == 0 &&
            (name[n] == '\0' || strcmp(name + n, CHECKPOINT_SUM) == 0)) {
            return true;
        }
    }
    return false;
}

static int remove_entry(DIR *d, const char *dir, const char *name,
                        struct err *err)
{
    if (unlinkat(dirfd(d), name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR) {
        return err_sys(err, errno, "%s/%s", dir, name);
    }
    char *path = mem_printf("%s/%s", dir, name);
    int rc = file_remove_tree(path, err);
    free(path);
    return rc;
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
        if (is_ours(entry->d_name) && !is_kept(entry->d_name, keep, n_keep)) {
            rc = remove_entry(d, dir, entry->d_name, err);
        }
    }
    closedir(d);
    return rc;
}
