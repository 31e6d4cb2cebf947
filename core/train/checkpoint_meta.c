#include "core/train/checkpoint_meta.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/safetensors.h"
#include "core/text/bpe.h"
#include "core/text/tokenizer_json.h"
#include "core/train/checkpoint.h"
#include "core/train/run_json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char FORMAT[] = "parzen-checkpoint";
static const char *const KIND_NAMES[] = {
    [CHECKPOINT_LAST] = "last",
    [CHECKPOINT_BEST] = "best",
};

/* The state, field by field: int64_t or double. */
#define FIELD(key, member, real)                                               \
    {                                                                          \
        key, offsetof(struct checkpoint_state, member), real                   \
    }
static const struct {
    const char *key;
    size_t offset;
    bool is_real;
} STATE_FIELDS[] = {
    FIELD("epoch", epoch, false),
    FIELD("batch", batch, false),
    FIELD("step", step, false),
    FIELD("train_loss_sum", train.loss, true),
    FIELD("train_n_correct", train.n_correct, false),
    FIELD("train_n_rows", train.n_rows, false),
    FIELD("best_epoch", best_epoch, false),
    FIELD("best_value", best_value, true),
    FIELD("last_value", last_value, true),
    FIELD("stopping_best", stopping_best, true),
    FIELD("stopping_waited", stopping_waited, false),
    FIELD("end", end, false),
    FIELD("nan_step", nan_step, false),
};

/* --- writing -------------------------------------------------------------- */

static void put_json(struct safetensors_out *w, const char *key,
                     const struct checkpoint *c,
                     void (*put)(const struct checkpoint *, struct json_out *))
{
    struct buf text;
    struct json_out json;
    buf_init(&text, BUF_MAX_CONFIG);
    json_out_init(&json, &text, JSON_COMPACT);
    put(c, &json);
    safetensors_out_metadata(w, key, text.data);
    buf_fini(&text);
}

static void put_run(const struct checkpoint *c, struct json_out *w)
{
    run_put_json(&c->run, w);
}

static void put_state(const struct checkpoint *c, struct json_out *w)
{
    const char *state = (const char *)&c->state;
    json_open(w, '{');
    for (size_t i = 0; i < ARRAY_LEN(STATE_FIELDS); i++) {
        const char *at = state + STATE_FIELDS[i].offset;
        json_put_key(w, STATE_FIELDS[i].key);
        if (STATE_FIELDS[i].is_real) {
            json_put_double(w, *(const double *)at);
        } else {
            json_put_int(w, *(const int64_t *)at);
        }
    }
    json_close(w, '}');
}

static void put_metrics(const struct checkpoint *c, struct json_out *w)
{
    json_open(w, '{');
    for (int i = 0; i < RUN_N_METRICS; i++) {
        json_put_key(w, RUN_METRIC_NAMES[i]);
        json_put_double(w, c->metrics.value[i]);
    }
    json_close(w, '}');
}

static int put_classes(const struct checkpoint *c, struct safetensors_out *w,
                       struct err *err)
{
    struct buf text;
    struct json_out json;
    buf_init(&text, BUF_MAX_TOKENIZER);
    json_out_init(&json, &text, JSON_COMPACT);
    json_open(&json, '[');
    for (size_t i = 0; i < c->n_classes; i++) {
        json_put_string(&json, c->classes[i]);
    }
    json_close(&json, ']');
    int rc = text.overflow ? err_set(err, ERR_LIMIT,
                                     "the class names are longer than %d bytes",
                                     BUF_MAX_TOKENIZER)
                           : 0;
    if (rc == 0) {
        safetensors_out_metadata(w, "classes", text.data);
    }
    buf_fini(&text);
    return rc;
}

static int put_tokenizer(const struct checkpoint *c, struct safetensors_out *w,
                         struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_TOKENIZER);
    tokenizer_json_write(c->tokenizer, &text);
    int rc = text.overflow ? err_set(err, ERR_LIMIT,
                                     "the tokenizer is longer than %d bytes",
                                     BUF_MAX_TOKENIZER)
                           : 0;
    if (rc == 0) {
        safetensors_out_metadata(w, "tokenizer", text.data);
    }
    buf_fini(&text);
    return rc;
}

int checkpoint_meta_put(const struct checkpoint *c, struct safetensors_out *w,
                        struct err *err)
{
    char version[16];
    snprintf(version, sizeof(version), "%d", CHECKPOINT_VERSION);
    safetensors_out_metadata(w, "format", FORMAT);
    safetensors_out_metadata(w, "version", version);
    safetensors_out_metadata(w, "kind", KIND_NAMES[c->kind]);
    safetensors_out_metadata(w, "build", c->build);
    safetensors_out_metadata(w, "kernels", c->kernels);
    safetensors_out_metadata(w, "blas", c->blas);
    safetensors_out_metadata(w, "dataset", c->dataset_sha256);
    safetensors_out_metadata(w, "metric", RUN_METRIC_NAMES[c->metric]);
    safetensors_out_metadata(w, "direction",
                             c->maximize ? "maximize" : "minimize");
    put_json(w, "run", c, put_run);
    put_json(w, "state", c, put_state);
    put_json(w, "metrics", c, put_metrics);
    int rc = put_classes(c, w, err);
    return rc == 0 ? put_tokenizer(c, w, err) : rc;
}

/* --- reading -------------------------------------------------------------- */

static int get_string(const struct safetensors *f, const char *key,
                      const char **out, struct err *err)
{
    *out = safetensors_metadata(f, key);
    return *out != NULL
               ? 0
               : err_set(err, ERR_INVALID, "no '%s' in its metadata", key);
}

/* Parse a metadata string and hand the tree to get. */
static int
get_json(const struct safetensors *f, const char *key, struct checkpoint *c,
         int (*get)(const struct json *, struct checkpoint *, struct err *),
         struct err *err)
{
    const char *text;
    struct json *root;
    int rc = get_string(f, key, &text, err);
    if (rc != 0) {
        return rc;
    }
    rc = json_parse(text, strlen(text), &root, err);
    if (rc == 0) {
        rc = get(root, c, err);
        json_free(root);
    }
    return rc == 0 ? 0 : err_wrap(err, "metadata '%s'", key);
}

static int get_run(const struct json *root, struct checkpoint *c,
                   struct err *err)
{
    return run_from_json(root, &c->run, err);
}

static bool state_is_sound(const struct checkpoint_state *s, int64_t max_epochs)
{
    return s->epoch >= 0 && s->epoch <= max_epochs && s->batch >= 0 &&
           s->step >= 0 && s->train.n_rows >= 0 && s->train.n_correct >= 0 &&
           s->train.n_correct <= s->train.n_rows && s->best_epoch >= -1 &&
           s->best_epoch <= max_epochs && s->stopping_waited >= 0 &&
           s->end >= -1 && s->nan_step >= -1;
}

static int get_state(const struct json *root, struct checkpoint *c,
                     struct err *err)
{
    if (json_kind(root) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID, "not an object");
    }
    for (size_t i = 0; i < ARRAY_LEN(STATE_FIELDS); i++) {
        char *at = (char *)&c->state + STATE_FIELDS[i].offset;
        const struct json *node = json_get(root, STATE_FIELDS[i].key);
        bool ok = STATE_FIELDS[i].is_real
                      ? json_get_double(node, (double *)at)
                      : node != NULL && json_kind(node) == JSON_NUMBER &&
                            json_integer(node, (int64_t *)at);
        if (!ok) {
            return err_set(err, ERR_INVALID, "%s: missing or of a wrong type",
                           STATE_FIELDS[i].key);
        }
    }
    return state_is_sound(&c->state, c->run.max_epochs)
               ? 0
               : err_set(err, ERR_INVALID, "values out of range");
}

static int get_metrics(const struct json *root, struct checkpoint *c,
                       struct err *err)
{
    for (int i = 0; i < RUN_N_METRICS; i++) {
        if (json_kind(root) != JSON_OBJECT ||
            !json_get_double(json_get(root, RUN_METRIC_NAMES[i]),
                             &c->metrics.value[i])) {
            return err_set(err, ERR_INVALID, "%s: missing or no number",
                           RUN_METRIC_NAMES[i]);
        }
    }
    return 0;
}

static int get_classes(const struct json *root, struct checkpoint *c,
                       struct err *err)
{
    if (json_kind(root) != JSON_ARRAY || json_size(root) < 2) {
        return err_set(err, ERR_INVALID, "not a list of two or more names");
    }
    c->classes = mem_try((size_t)json_size(root), sizeof(*c->classes));
    if (c->classes == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for %d names",
                       json_size(root));
    }
    for (const struct json *it = json_first(root); it != NULL;
         it = json_next(it)) {
        if (json_kind(it) != JSON_STRING) {
            return err_set(err, ERR_INVALID, "a name is no string");
        }
        c->classes[c->n_classes++] = mem_strdup(json_string(it));
    }
    return 0;
}

static int get_tokenizer(const struct safetensors *f, struct checkpoint *c,
                         struct err *err)
{
    const char *text;
    int rc = get_string(f, "tokenizer", &text, err);
    if (rc != 0) {
        return rc;
    }
    rc = tokenizer_json_read((struct span){text, strlen(text)}, &c->tokenizer,
                             err);
    return rc == 0 ? 0 : err_wrap(err, "metadata 'tokenizer'");
}

static int get_words(const struct safetensors *f, struct checkpoint *c,
                     struct err *err)
{
    const char *kind, *dataset, *metric, *direction, *build, *kernels, *blas;
    int rc = get_string(f, "kind", &kind, err);
    rc = rc == 0 ? get_string(f, "dataset", &dataset, err) : rc;
    rc = rc == 0 ? get_string(f, "metric", &metric, err) : rc;
    rc = rc == 0 ? get_string(f, "direction", &direction, err) : rc;
    rc = rc == 0 ? get_string(f, "build", &build, err) : rc;
    rc = rc == 0 ? get_string(f, "kernels", &kernels, err) : rc;
    rc = rc == 0 ? get_string(f, "blas", &blas, err) : rc;
    if (rc != 0) {
        return rc;
    }
    bool is_best = strcmp(kind, KIND_NAMES[CHECKPOINT_BEST]) == 0;
    bool is_last = strcmp(kind, KIND_NAMES[CHECKPOINT_LAST]) == 0;
    int number = run_metric_by_name(metric);
    bool maximize = strcmp(direction, "maximize") == 0;
    if (!(is_best || is_last) || number < 0 ||
        strlen(dataset) >= sizeof(c->dataset_sha256) ||
        !(maximize || strcmp(direction, "minimize") == 0)) {
        return err_set(err, ERR_INVALID,
                       "metadata 'kind', 'dataset', 'metric' or 'direction' "
                       "has an unknown value");
    }
    c->kind = is_best ? CHECKPOINT_BEST : CHECKPOINT_LAST;
    c->metric = (enum run_metric)number;
    c->maximize = maximize;
    memcpy(c->dataset_sha256, dataset, strlen(dataset) + 1);
    c->build = mem_strdup(build);
    c->kernels = mem_strdup(kernels);
    c->blas = mem_strdup(blas);
    return 0;
}

static int check_format(const struct safetensors *f, struct err *err)
{
    const char *format = safetensors_metadata(f, "format");
    const char *version = safetensors_metadata(f, "version");
    if (format == NULL || version == NULL || strcmp(format, FORMAT) != 0) {
        return err_set(err, ERR_INVALID, "not a checkpoint of this program");
    }
    if (strtol(version, NULL, 10) != CHECKPOINT_VERSION) {
        return err_set(err, ERR_INVALID,
                       "its format has version %.16s, this program reads %d",
                       version, CHECKPOINT_VERSION);
    }
    return 0;
}

int checkpoint_meta_get(const struct safetensors *f, struct checkpoint *out,
                        struct err *err)
{
    struct checkpoint c = {0};
    int rc = check_format(f, err);
    rc = rc == 0 ? get_words(f, &c, err) : rc;
    rc = rc == 0 ? get_json(f, "run", &c, get_run, err) : rc;
    rc = rc == 0 ? get_json(f, "state", &c, get_state, err) : rc;
    rc = rc == 0 ? get_json(f, "metrics", &c, get_metrics, err) : rc;
    rc = rc == 0 ? get_json(f, "classes", &c, get_classes, err) : rc;
    rc = rc == 0 ? get_tokenizer(f, &c, err) : rc;
    if (rc != 0) {
        checkpoint_fini(&c);
        return rc;
    }
    *out = c;
    return 0;
}
