/* Writing fills a folder beside the one asked for and renames it at the end:
 * an export that was interrupted leaves nothing under the name. Reading takes
 * no file's word for another's: sizes and shapes follow from config.json, and
 * whatever disagrees with it is damage. */
#include "core/train/model_dir.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/model.h"
#include "core/nn/safetensors.h"
#include "core/text/bpe.h"
#include "core/text/tokenizer_json.h"
#include "core/train/checkpoint.h"
#include "core/train/run_json.h"
#include "core/train/run_model.h"
#include "core/train/tensors.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT    "parzen-model"
#define CONFIG    "config.json"
#define LABELS    "labels.json"
#define TOKENIZER "tokenizer.json"
#define WEIGHTS   "model.safetensors"

enum { FILE_MODE = 0644, DIR_MODE = 0755 };

/* --- writing ----------------------------------------------------------------
 */

/* sha256 may be NULL; else it gets the digest of what is in the file. */
static int write_file(const char *dir, const char *name, const struct buf *text,
                      char sha256[65], struct err *err)
{
    if (text->overflow) {
        return err_set(err, ERR_LIMIT, "%s would be longer than %zu bytes",
                       name, text->max);
    }
    char *path = mem_printf("%s/%s", dir, name);
    int rc = file_write_atomic(path, text->data, text->len, FILE_MODE, err);
    if (rc == 0 && sha256 != NULL) {
        uint64_t size;
        rc = file_sha256(path, sha256, &size, err);
    }
    free(path);
    return rc;
}

static int write_labels(const struct checkpoint *c, const char *dir,
                        char sha256[65], struct err *err)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_TOKENIZER);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '[');
    for (size_t i = 0; i < c->n_classes; i++) {
        json_put_string(&w, c->classes[i]);
    }
    json_close(&w, ']');
    buf_char(&text, '\n');
    int rc = write_file(dir, LABELS, &text, sha256, err);
    buf_fini(&text);
    return rc;
}

static int write_tokenizer(const struct checkpoint *c, const char *dir,
                           char sha256[65], struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_TOKENIZER);
    tokenizer_json_write(c->tokenizer, &text);
    int rc = write_file(dir, TOKENIZER, &text, sha256, err);
    buf_fini(&text);
    return rc;
}

static int write_weights(struct model *m, const char *dir, char sha256[65],
                         struct err *err)
{
    struct safetensors_out *w = safetensors_out_new();
    char *path = mem_printf("%s/" WEIGHTS, dir);
    safetensors_out_metadata(w, "format", "pt");
    tensors_put(m, false, w);
    int rc = safetensors_out_write(w, path, sha256, NULL, err);
    if (rc == 0 && chmod(path, FILE_MODE) != 0) { /* made for its owner alone */
        rc = err_sys(err, errno, "%s", path);
    }
    free(path);
    safetensors_out_free(w);
    return rc;
}

static void put_word(struct json_out *w, const char *key, const char *value)
{
    json_put_key(w, key);
    json_put_string(w, value);
}

static void put_int(struct json_out *w, const char *key, int64_t value)
{
    json_put_key(w, key);
    json_put_int(w, value);
}

static void put_columns(const struct checkpoint *c, struct json_out *w)
{
    json_put_key(w, "columns");
    json_open(w, '{');
    if (c->text_column != NULL) {
        put_word(w, "text", c->text_column);
    }
    if (c->label_column != NULL) {
        put_word(w, "label", c->label_column);
    }
    json_close(w, '}');
}

static void put_origin(const struct checkpoint *c, struct json_out *w)
{
    put_word(w, "build", c->build);
    put_word(w, "dataset", c->dataset_sha256);
    put_columns(c, w);
    put_word(w, "metric", RUN_METRIC_NAMES[c->metric]);
    put_word(w, "direction", c->maximize ? "maximize" : "minimize");
    put_int(w, "epoch", c->state.epoch);
    put_int(w, "step", c->state.step);
    json_put_key(w, "metrics");
    json_open(w, '{');
    for (int i = 0; i < RUN_N_METRICS; i++) {
        json_put_key(w, RUN_METRIC_NAMES[i]);
        json_put_double(w, c->metrics.value[i]);
    }
    json_close(w, '}');
}

struct hashes { /* SHA-256 of the files beside config.json */
    char labels[65], tokenizer[65], weights[65];
};

/* The run's "gelu" is elsewhere the name of the one by erf. For whoever builds
 * the model anew; not read here, and not in older folders. */
static const char *activation_name(const struct run *run)
{
    return run->activation == RUN_ACTIVATION_GELU ? "gelu_pytorch_tanh"
                                                  : "relu";
}

static int write_config(const struct checkpoint *c, const char *dir,
                        const struct hashes *sha256, struct err *err)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_CONFIG);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    put_word(&w, "format", FORMAT);
    put_int(&w, "version", MODEL_DIR_VERSION);
    put_int(&w, "vocab_size", bpe_vocab_size(c->tokenizer));
    put_int(&w, "n_classes", (int64_t)c->n_classes);
    put_word(&w, "activation", activation_name(&c->run));
    put_origin(c, &w);
    json_put_key(&w, "run");
    run_put_json(&c->run, &w);
    json_put_key(&w, "sha256");
    json_open(&w, '{');
    put_word(&w, LABELS, sha256->labels);
    put_word(&w, TOKENIZER, sha256->tokenizer);
    put_word(&w, WEIGHTS, sha256->weights);
    json_close(&w, '}');
    json_close(&w, '}');
    buf_char(&text, '\n');
    int rc = write_file(dir, CONFIG, &text, NULL, err);
    buf_fini(&text);
    return rc;
}

static int write_all(const struct checkpoint *c, struct model *m,
                     const char *dir, struct err *err)
{
    struct hashes sha256;
    int rc = write_labels(c, dir, sha256.labels, err);
    rc = rc == 0 ? write_tokenizer(c, dir, sha256.tokenizer, err) : rc;
    rc = rc == 0 ? write_weights(m, dir, sha256.weights, err) : rc;
    return rc == 0 ? write_config(c, dir, &sha256, err) : rc;
}

/* Everything before the last name of a path: a new string. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return mem_strdup(".");
    }
    return slash == path ? mem_strdup("/")
                         : mem_strndup(path, (size_t)(slash - path));
}

/* rename takes the place of an empty folder, and of nothing else. */
static int put_in_place(const char *made, const char *dir, struct err *err)
{
    if (rename(made, dir) == 0) {
        return 0;
    }
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
        return err_set(err, ERR_CONFLICT, "%s: exists and is not empty", dir);
    }
    return err_sys(err, errno, "%s", dir);
}

static int write_beside(const struct checkpoint *c, struct model *m,
                        const char *dir, struct err *err)
{
    char *made = mem_printf("%s.part-%ld", dir, (long)getpid());
    int rc = mkdir(made, DIR_MODE) == 0 ? 0 : err_sys(err, errno, "%s", made);
    if (rc == 0) {
        rc = write_all(c, m, made, err);
        rc = rc == 0 ? put_in_place(made, dir, err) : rc;
        if (rc != 0) {
            (void)!file_remove_tree(made, NULL);
        }
    }
    free(made);
    return rc;
}

int model_dir_write(const struct checkpoint *c, struct model *m,
                    const char *dir, struct err *err)
{
    size_t len = strlen(dir);
    while (len > 1 && dir[len - 1] == '/') {
        len--;
    }
    char *name = mem_strndup(dir, len), *parent = parent_of(name);
    struct stat st;
    int rc = 0;
    if (stat(name, &st) == 0 && (!S_ISDIR(st.st_mode) || rmdir(name) != 0)) {
        rc = err_set(err, ERR_CONFLICT, "%s: exists and is not empty", name);
    }
    rc = rc == 0 ? file_mkdirs(parent, DIR_MODE, err) : rc;
    rc = rc == 0 ? write_beside(c, m, name, err) : rc;
    free(name);
    free(parent);
    return rc;
}

/* --- reading ----------------------------------------------------------------
 */

/* Read a JSON file of the folder; the sentence names it. */
static int read_json(const char *dir, const char *name, struct json **out,
                     struct err *err)
{
    struct buf text;
    char *path = mem_printf("%s/%s", dir, name);
    buf_init(&text, BUF_MAX_TOKENIZER);
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        rc = json_parse(text.len > 0 ? text.data : "", text.len, out, err);
        rc = rc == 0 ? 0 : err_wrap(err, "%s", path);
    }
    buf_fini(&text);
    free(path);
    return rc;
}

static const struct json *member(const struct json *object, const char *key,
                                 enum json_kind kind)
{
    const struct json *node = object != NULL ? json_get(object, key) : NULL;
    return node != NULL && json_kind(node) == kind ? node : NULL;
}

static int64_t int_member(const struct json *object, const char *key)
{
    const struct json *node = member(object, key, JSON_NUMBER);
    int64_t value;
    return node != NULL && json_integer(node, &value) ? value : -1;
}

static int check_format(const struct json *root, struct err *err)
{
    const struct json *format = json_kind(root) == JSON_OBJECT
                                    ? member(root, "format", JSON_STRING)
                                    : NULL;
    if (format == NULL || strcmp(json_string(format), FORMAT) != 0) {
        return err_set(err, ERR_INVALID, "not the config of an exported model");
    }
    if (int_member(root, "version") != MODEL_DIR_VERSION) {
        return err_set(err, ERR_INVALID,
                       "its format has version %lld, this program reads %d",
                       (long long)int_member(root, "version"),
                       MODEL_DIR_VERSION);
    }
    return 0;
}

static void get_metrics(const struct json *root, struct checkpoint *c)
{
    const struct json *metrics = member(root, "metrics", JSON_OBJECT);
    for (int i = 0; i < RUN_N_METRICS; i++) {
        const struct json *node =
            metrics != NULL ? json_get(metrics, RUN_METRIC_NAMES[i]) : NULL;
        if (!json_get_double(node, &c->metrics.value[i])) {
            c->metrics.value[i] = NAN;
        }
    }
}

static char *column(const struct json *columns, const char *key)
{
    const struct json *name = member(columns, key, JSON_STRING);
    return name != NULL ? mem_strdup(json_string(name)) : NULL;
}

/* The origin is for people: what is missing there is left out. */
static void get_origin(const struct json *root, struct checkpoint *c)
{
    const struct json *dataset = member(root, "dataset", JSON_STRING);
    const struct json *metric = member(root, "metric", JSON_STRING);
    const struct json *direction = member(root, "direction", JSON_STRING);
    const struct json *build = member(root, "build", JSON_STRING);
    int number = metric != NULL ? run_metric_by_name(json_string(metric)) : -1;
    c->kind = CHECKPOINT_BEST;
    c->metric = number >= 0 ? (enum run_metric)number : RUN_VAL_ACC;
    c->maximize =
        direction == NULL || strcmp(json_string(direction), "minimize") != 0;
    snprintf(c->dataset_sha256, sizeof(c->dataset_sha256), "%s",
             dataset != NULL ? json_string(dataset) : "");
    c->state.epoch = int_member(root, "epoch");
    c->state.step = int_member(root, "step");
    c->state.best_epoch = c->state.epoch;
    c->build = mem_strdup(build != NULL ? json_string(build) : "");
    c->kernels = mem_strdup("");
    c->blas = mem_strdup("");
    const struct json *columns = member(root, "columns", JSON_OBJECT);
    c->text_column = column(columns, "text");
    c->label_column = column(columns, "label");
    get_metrics(root, c);
}

static int get_config(const struct json *root, struct checkpoint *c,
                      struct err *err)
{
    int rc = check_format(root, err);
    if (rc != 0) {
        return rc;
    }
    const struct json *run = member(root, "run", JSON_OBJECT);
    if (run == NULL) {
        return err_set(err, ERR_INVALID, "run: missing");
    }
    rc = run_from_json(run, &c->run, err);
    if (rc != 0) {
        return err_wrap(err, "run");
    }
    get_origin(root, c);
    return 0;
}

static int get_labels(const struct json *list, int64_t n_classes,
                      struct checkpoint *c, struct err *err)
{
    if (json_kind(list) != JSON_ARRAY || json_size(list) != n_classes ||
        n_classes < 2) {
        return err_set(err, ERR_INVALID, "not a list of the %lld class names",
                       (long long)n_classes);
    }
    c->classes = mem_try((size_t)n_classes, sizeof(*c->classes));
    if (c->classes == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for %lld names",
                       (long long)n_classes);
    }
    const struct json *it;
    for (it = json_first(list); it != NULL; it = json_next(it)) {
        if (json_kind(it) != JSON_STRING) {
            return err_set(err, ERR_INVALID, "a name is no string");
        }
        c->classes[c->n_classes++] = mem_strdup(json_string(it));
    }
    return 0;
}

/* Is the file the one that config.json was written for? One whose hash it does
 * not name may be any: labels.json's is missing in older folders, and where
 * the owner renamed the classes. */
static int check_hash(const struct json *root, const char *dir,
                      const char *name, struct err *err)
{
    const struct json *hashes = member(root, "sha256", JSON_OBJECT);
    const struct json *was = member(hashes, name, JSON_STRING);
    char is[65];
    uint64_t size;
    if (was == NULL) {
        return 0;
    }
    char *path = mem_printf("%s/%s", dir, name);
    int rc = file_sha256(path, is, &size, err);
    if (rc == 0 && strcmp(json_string(was), is) != 0) {
        rc = err_set(err, ERR_CORRUPT,
                     "%s: damaged, or another file than the one exported: its "
                     "SHA-256 is not the one in " CONFIG,
                     path);
    }
    free(path);
    return rc;
}

static int read_tokenizer(const char *dir, struct checkpoint *c,
                          struct err *err)
{
    char *path = mem_printf("%s/" TOKENIZER, dir), *text;
    size_t len;
    int rc = file_load(path, BUF_MAX_TOKENIZER, &text, &len, err);
    if (rc == 0) {
        rc = tokenizer_json_read((struct span){text, len}, &c->tokenizer, err);
        rc = rc == 0 ? 0 : err_wrap(err, "%s", path);
        free(text);
    }
    free(path);
    return rc;
}

/* What a file lacks or says wrongly beside its config is its damage. */
static int fill_model(const struct safetensors *f, const struct checkpoint *c,
                      int max_batch, struct model **out, struct err *err)
{
    struct model *m;
    int rc = run_model_new(
        &c->run, (size_t)bpe_vocab_size(c->tokenizer), c->n_classes,
        max_batch > 0 ? max_batch : c->run.batch_size, false, &m, err);
    if (rc != 0) {
        return rc;
    }
    struct err why = {0};
    rc = tensors_get(f, false, m, &why);
    if (rc != 0) {
        model_free(m);
        return err_set(err, ERR_CORRUPT, "%s", why.msg);
    }
    *out = m;
    return 0;
}

static int read_weights(const char *dir, const struct checkpoint *c,
                        int max_batch, struct model **out, struct err *err)
{
    struct safetensors *f;
    struct err why = {0};
    char *path = mem_printf("%s/" WEIGHTS, dir);
    int rc = safetensors_open(path, &f, &why);
    if (rc != 0) {
        rc = err_set(err, rc == ERR_INVALID ? ERR_CORRUPT : rc, "%s", why.msg);
    } else {
        rc = fill_model(f, c, max_batch, out, err);
        rc = rc == 0 ? 0 : err_wrap(err, "%s", path);
        safetensors_close(f);
    }
    free(path);
    return rc;
}

static int read_files(const struct json *root, const char *dir, int max_batch,
                      struct checkpoint *c, struct model **model,
                      struct err *err)
{
    struct json *labels;
    int rc = read_json(dir, LABELS, &labels, err);
    if (rc != 0) {
        return rc;
    }
    rc = get_labels(labels, int_member(root, "n_classes"), c, err);
    rc = rc == 0 ? 0 : err_wrap(err, "%s/" LABELS, dir);
    json_free(labels);
    rc = rc == 0 ? check_hash(root, dir, LABELS, err) : rc;
    rc = rc == 0 ? check_hash(root, dir, WEIGHTS, err) : rc;
    rc = rc == 0 ? read_tokenizer(dir, c, err) : rc;
    rc = rc == 0 ? check_hash(root, dir, TOKENIZER, err) : rc;
    return rc == 0 ? read_weights(dir, c, max_batch, model, err) : rc;
}

int model_dir_open(const char *dir, int max_batch, struct checkpoint *out,
                   struct model **model, struct err *err)
{
    struct checkpoint c = {0};
    struct json *root;
    int rc = read_json(dir, CONFIG, &root, err);
    if (rc == ERR_NOTFOUND) {
        return err_set(err, rc, "%s: no model: it has no " CONFIG, dir);
    }
    if (rc != 0) {
        return rc;
    }
    rc = get_config(root, &c, err);
    rc = rc == 0 ? 0 : err_wrap(err, "%s/" CONFIG, dir);
    rc = rc == 0 ? read_files(root, dir, max_batch, &c, model, err) : rc;
    json_free(root);
    if (rc != 0) {
        checkpoint_fini(&c);
        return rc;
    }
    *out = c;
    return 0;
}
