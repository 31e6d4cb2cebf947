#include "tests/lib/torch_golden.h"

#include "core/base/mem.h"
#include "core/nn/model.h"
#include "core/nn/safetensors.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one check holds; freed as a whole. */
struct check {
    struct safetensors *file;
    struct model *model;
    struct model_config config;
    struct model_adamw opt;
    int steps;
    int32_t *ids, *lengths, *labels;
    struct model_batch batch;
    float *grads[TORCH_GOLDEN_MAX_TENSORS];
    float *logprob;
};

static int get_int(const struct check *c, const char *key, int *out,
                   struct err *err)
{
    const char *text = safetensors_metadata(c->file, key);
    char *end = NULL;
    long x = text != NULL ? strtol(text, &end, 10) : 0;
    if (text == NULL || end == text || *end != '\0' || x < 0 || x > INT_MAX) {
        return err_set(err, ERR_INVALID, "metadata '%s' is no whole number",
                       key);
    }
    *out = (int)x;
    return 0;
}

static int get_float(const struct check *c, const char *key, float *out,
                     struct err *err)
{
    const char *text = safetensors_metadata(c->file, key);
    char *end = NULL;
    double x = text != NULL ? strtod(text, &end) : 0;
    if (text == NULL || end == text || *end != '\0' || !isfinite(x)) {
        return err_set(err, ERR_INVALID, "metadata '%s' is no number", key);
    }
    *out = (float)x;
    return 0;
}

/* 1 when the value is b, 0 when it is a. */
static int get_word(const struct check *c, const char *key, const char *a,
                    const char *b, int *out, struct err *err)
{
    const char *text = safetensors_metadata(c->file, key);
    if (text == NULL || (strcmp(text, a) != 0 && strcmp(text, b) != 0)) {
        return err_set(err, ERR_INVALID, "metadata '%s' is not %s or %s", key,
                       a, b);
    }
    *out = strcmp(text, b) == 0;
    return 0;
}

static int read_config(struct check *c, struct err *err)
{
    struct model_config *k = &c->config;
    const struct {
        const char *key;
        int *out;
    } ints[] = {{"d", &k->emb_dim},    {"h", &k->num_heads},
                {"L", &k->max_len},    {"V", &k->vocab_size},
                {"C", &k->n_classes},  {"ffn", &k->ffn_dim},
                {"h1", &k->head1_dim}, {"h2", &k->head2_dim},
                {"B", &k->max_batch},  {"steps", &c->steps}};
    for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
        int rc = get_int(c, ints[i].key, ints[i].out, err);
        if (rc != 0) {
            return rc;
        }
    }
    int rc, notebook, learned;
    if ((rc = get_word(c, "mask", "padding", "notebook", &notebook, err)) ||
        (rc = get_word(c, "pos", "sinusoid", "learned", &learned, err)) ||
        (rc = get_float(c, "lr", &c->opt.lr, err)) ||
        (rc = get_float(c, "wd", &c->opt.weight_decay, err))) {
        return rc;
    }
    k->mask = notebook ? MODEL_MASK_NOTEBOOK : MODEL_MASK_PADDING;
    k->position = learned ? MODEL_POSITION_LEARNED : MODEL_POSITION_SINUSOID;
    k->num_layers = 1;
    k->embedding_std = 1;
    c->opt.beta1 = 0.9f;
    c->opt.beta2 = 0.999f;
    c->opt.eps = 1e-8f;
    return 0;
}

/* Tensor `name` with dtype and n elements. */
static int get(const struct check *c, const char *name,
               enum safetensors_dtype dtype, size_t n, const void **out,
               struct err *err)
{
    struct safetensors_view v;
    int rc = safetensors_find(c->file, name, &v, err);
    if (rc != 0) {
        return rc;
    }
    if (v.dtype != dtype || v.n != n) {
        return err_set(err, ERR_INVALID, "tensor '%s' is not as expected",
                       name);
    }
    *out = v.data;
    return 0;
}

/* n I64 values within [0, below) as int32. */
static int get_ids(const struct check *c, const char *name, size_t n,
                   int64_t below, int32_t **out, struct err *err)
{
    const void *data = NULL;
    int rc = get(c, name, SAFETENSORS_I64, n, &data, err);
    if (rc != 0) {
        return rc;
    }
    *out = mem_alloc(n, sizeof(**out));
    for (size_t i = 0; i < n; i++) {
        int64_t x;
        memcpy(&x, (const char *)data + i * sizeof(x), sizeof(x));
        if (x < 0 || x >= below) {
            return err_set(err, ERR_INVALID, "%s[%zu] is out of range", name,
                           i);
        }
        (*out)[i] = (int32_t)x;
    }
    return 0;
}

/* Lengths from a mask of ones followed by zeros. */
static int read_lengths(struct check *c, size_t B, size_t L, struct err *err)
{
    int32_t *mask = NULL;
    int rc = get_ids(c, "mask", B * L, 2, &mask, err);
    c->lengths = mem_alloc(B, sizeof(*c->lengths));
    for (size_t i = 0; rc == 0 && i < B * L; i++) {
        if (mask[i] == 1 && c->lengths[i / L] != (int32_t)(i % L)) {
            rc = err_set(err, ERR_INVALID, "mask row %zu has a hole", i / L);
        } else {
            c->lengths[i / L] += mask[i];
        }
    }
    free(mask);
    return rc;
}

static int read_batch(struct check *c, struct err *err)
{
    const struct model_config *k = &c->config;
    size_t B = (size_t)k->max_batch, L = (size_t)k->max_len;
    int rc;
    if ((rc = get_ids(c, "x", B * L, k->vocab_size, &c->ids, err)) ||
        (rc = get_ids(c, "y", B, k->n_classes, &c->labels, err)) ||
        (rc = read_lengths(c, B, L, err))) {
        return rc;
    }
    c->batch = (struct model_batch){
        .ids = c->ids, .lengths = c->lengths, .labels = c->labels, .n = (int)B};
    return 0;
}

static int get_tensor(const struct check *c, const char *prefix,
                      const struct model_tensor *t, const void **out,
                      struct err *err)
{
    char name[96];
    snprintf(name, sizeof(name), "%s.%s", prefix, t->name);
    return get(c, name, SAFETENSORS_F32, t->n, out, err);
}

static int load_weights(struct check *c, struct err *err)
{
    for (size_t i = 0; i < model_n_tensors(c->model); i++) {
        struct model_tensor t = model_tensor_at(c->model, i);
        const void *data = NULL;
        int rc = get_tensor(c, "init", &t, &data, err);
        if (rc != 0) {
            return rc;
        }
        memcpy(t.weight, data, t.n * sizeof(float));
    }
    return 0;
}

static double norm(const void *floats, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, (const char *)floats + i * sizeof(x), sizeof(x));
        sum += (double)x * x;
    }
    return sqrt(sum);
}

/* |ours - golden|, relative to `scale` where that is not 0. */
static double norm_error(const float *ours, const void *golden, size_t n,
                         double scale)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, (const char *)golden + i * sizeof(x), sizeof(x));
        sum += ((double)ours[i] - x) * ((double)ours[i] - x);
    }
    return scale > 0 ? sqrt(sum) / scale : sqrt(sum);
}

static double absolute_error(float ours, const void *golden, size_t at)
{
    float g;
    memcpy(&g, (const char *)golden + at * sizeof(g), sizeof(g));
    return fabs((double)ours - g) / fmax(1.0, fabs((double)g));
}

/* NaN wins. */
static double worse(double a, double b)
{
    return a >= b || isnan(a) ? a : b;
}

#define KEY_BIAS "attention.key.bias"

/* Where the key's bias has no gradient (torch_golden.h), the query's tells how
 * large a gradient is in this place. */
static int grad_error(const struct check *c, const struct model_tensor *t,
                      const float *ours, double *out, struct err *err)
{
    struct model_tensor scale = *t;
    if (strcmp(t->name, KEY_BIAS) == 0) {
        scale.name = "attention.query.bias";
    }
    const void *golden = NULL, *other = NULL;
    int rc;
    if ((rc = get_tensor(c, "grad", t, &golden, err)) == 0 &&
        (rc = get_tensor(c, "grad", &scale, &other, err)) == 0) {
        *out = norm_error(ours, golden, t->n,
                          fmax(norm(golden, t->n), norm(other, t->n)));
    }
    return rc;
}

static int compare_first(struct check *c, struct torch_golden *out,
                         struct err *err)
{
    struct model_result result;
    size_t n = model_n_tensors(c->model);
    for (size_t i = 0; i < n; i++) {
        struct model_tensor t = model_tensor_at(c->model, i);
        c->grads[i] = mem_alloc(t.n, sizeof(float));
    }
    model_gradients(c->model, &c->batch, c->grads, &result);
    for (size_t i = 0; i < n; i++) {
        struct model_tensor t = model_tensor_at(c->model, i);
        snprintf(out->grads[i].name, sizeof(out->grads[i].name), "%s", t.name);
        int rc = grad_error(c, &t, c->grads[i], &out->grads[i].err, err);
        if (rc != 0) {
            return rc;
        }
    }
    out->n_grads = n;
    size_t classes = (size_t)c->batch.n * (size_t)c->config.n_classes;
    c->logprob = mem_alloc(classes, sizeof(float));
    model_evaluate(c->model, &c->batch, c->logprob, NULL);
    const void *golden = NULL;
    int rc = get(c, "logprob", SAFETENSORS_F32, classes, &golden, err);
    for (size_t i = 0; rc == 0 && i < classes; i++) {
        out->logprob_err =
            worse(absolute_error(c->logprob[i], golden, i), out->logprob_err);
    }
    return rc;
}

/* Is the golden gradient nothing but rounding? */
static bool is_undetermined(const struct check *c, const struct model_tensor *t)
{
    struct model_tensor query = *t;
    query.name = "attention.query.bias";
    const void *own = NULL, *other = NULL;
    return strcmp(t->name, KEY_BIAS) == 0 &&
           get_tensor(c, "grad", t, &own, NULL) == 0 &&
           get_tensor(c, "grad", &query, &other, NULL) == 0 &&
           norm(own, t->n) < 1e-4 * norm(other, t->n);
}

static int compare_training(struct check *c, struct torch_golden *out,
                            struct err *err)
{
    const void *golden = NULL;
    int rc =
        get(c, "loss", SAFETENSORS_F32, (size_t)c->steps + 1, &golden, err);
    if (rc != 0) {
        return rc;
    }
    for (int i = 0; i <= c->steps; i++) {
        struct model_result r;
        if (i < c->steps) {
            model_train_step(c->model, &c->batch, &c->opt, 1, 0, &r);
        } else {
            model_evaluate(c->model, &c->batch, NULL, &r);
        }
        float loss = (float)(r.loss_sum / c->batch.n);
        out->loss_err =
            worse(absolute_error(loss, golden, (size_t)i), out->loss_err);
    }
    for (size_t i = 0; i < model_n_tensors(c->model); i++) {
        struct model_tensor t = model_tensor_at(c->model, i);
        rc = get_tensor(c, "final", &t, &golden, err);
        if (rc != 0) {
            return rc;
        }
        double e = norm_error(t.weight, golden, t.n, norm(golden, t.n));
        if (is_undetermined(c, &t)) {
            out->undetermined_err = e;
        } else {
            out->final_err = worse(e, out->final_err);
        }
    }
    return 0;
}

static void release(struct check *c)
{
    for (size_t i = 0; i < TORCH_GOLDEN_MAX_TENSORS; i++) {
        free(c->grads[i]);
    }
    free(c->logprob);
    free(c->ids);
    free(c->lengths);
    free(c->labels);
    model_free(c->model);
    safetensors_close(c->file);
}

int torch_golden_check(const char *path, struct torch_golden *out,
                       struct err *err)
{
    struct check c = {0};
    struct torch_golden result = {0};
    int rc = safetensors_open(path, &c.file, err);
    if (rc != 0) {
        return rc;
    }
    if ((rc = read_config(&c, err)) == 0 &&
        (rc = model_new(&c.config, true, &c.model, err)) == 0 &&
        (rc = read_batch(&c, err)) == 0 && (rc = load_weights(&c, err)) == 0 &&
        (rc = compare_first(&c, &result, err)) == 0) {
        rc = compare_training(&c, &result, err);
    }
    release(&c);
    if (rc != 0) {
        return err_wrap(err, "%s", path);
    }
    *out = result;
    return 0;
}
