#include "daemon/cli/pick.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/data/dataset.h"
#include "core/data/source.h"
#include "core/train/checkpoint.h"
#include "core/train/predictor.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/downloading.h"
#include "daemon/cli/field.h"
#include "daemon/cli/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- the model
 * ---------------------------------------------------------------- */

int64_t pick_trial(struct argp_state *state, const char *arg)
{
    return cli_number(state, "trial", arg, 0, INT32_MAX);
}

/* An ERR_* of files is a failure, not a study that is missing. */
static int open_files(const char *path, const char *sha256, struct pick *p,
                      struct err *err)
{
    int rc = predictor_open(path, sha256, &p->predictor, err);
    if (rc == ERR_NOTFOUND || rc == ERR_INVALID) {
        rc = err->code = ERR_IO;
    }
    return rc;
}

static int open_trial(const char *study, const struct json *t, struct pick *p,
                      struct err *err)
{
    const char *path = field_string(t, "checkpoint");
    const char *sha256 = field_string(t, "checkpoint_sha256");
    int64_t number = field_int(t, "number", -1);
    if (path == NULL) {
        return err_set(err, ERR_IO,
                       "trial %" PRId64 " of study '%s' has no checkpoint",
                       number, study);
    }
    p->name = mem_printf("study '%s', trial %" PRId64, study, number);
    return open_files(path, sha256, p, err);
}

static bool trains_models(const struct json *study)
{
    return strcmp(field_text(study, "unit"), "step") != 0;
}

/* A study in Optuna's tables alone may have been a training's, once. */
static int refuse_study(const char *name, const struct json *study,
                        struct err *err)
{
    return field_bool(study, "foreign")
               ? err_set(err, ERR_IO,
                         "study '%s' has no models here: this database has "
                         "its trials alone (Optuna's, or an export)",
                         name)
               : err_set(err, ERR_IO,
                         "study '%s' has no models: its trials are no "
                         "trainings",
                         name);
}

static int open_best(const char *name, const struct json *study, struct pick *p,
                     struct err *err)
{
    if (!trains_models(study)) {
        return refuse_study(name, study, err);
    }
    return summary_has_best(study)
               ? open_trial(name, field_get(study, "best"), p, err)
               : summary_no_best(study, err);
}

static int open_number(struct cli *c, const char *study, int64_t trial,
                       struct pick *p, struct err *err)
{
    char rest[64];
    struct json *reply;
    snprintf(rest, sizeof(rest), "/trials/%" PRId64, trial);
    int rc = cli_study_call(c, "GET", study, rest, NULL, &reply, err);
    if (rc == 0) {
        rc = open_trial(study, reply, p, err);
        json_free(reply);
    }
    return rc;
}

/* The folder of a model has what its study told when it was exported. */
static int open_model(struct pick *p, struct err *err)
{
    int rc = open_files(p->name, NULL, p, err);
    if (rc == 0) {
        const struct checkpoint *c = predictor_checkpoint(p->predictor);
        p->text = c->text_column != NULL ? mem_strdup(c->text_column) : NULL;
        p->label = c->label_column != NULL ? mem_strdup(c->label_column) : NULL;
        p->whose = "model's";
        p->where = "columns";
    }
    return rc;
}

static char *column_of(const struct json *study, const char *key)
{
    const struct json *data = field_get(field_get(study, "config"), "data");
    const char *name = field_string(data, key);
    return name != NULL ? mem_strdup(name) : NULL;
}

static int open_study(struct cli *c, const char *study, int64_t trial,
                      struct pick *p, struct err *err)
{
    struct json *reply;
    int rc = cli_study_call(c, "GET", study, "", NULL, &reply, err);
    if (rc == ERR_NOTFOUND && trial < 0) {
        return err_set(err, rc, "'%s' is neither a study nor a model's folder",
                       study);
    }
    if (rc != 0) {
        return rc;
    }
    p->text = column_of(reply, "text");
    p->label = column_of(reply, "label");
    p->whose = "study's";
    p->where = "data";
    rc = trial < 0 ? open_best(study, reply, p, err)
                   : open_number(c, study, trial, p, err);
    if (rc == 0) {
        predictor_set_columns(p->predictor, p->text, p->label);
    }
    json_free(reply);
    return rc;
}

/* Where the model is that this names, owned: an exported folder, a file, or the
 * best checkpoint in a folder of `parzen train --out`. NULL: it names none; a
 * folder that happens to have a study's name is no model. */
static char *model_path(const char *what)
{
    struct stat st;
    char best[CHECKPOINT_NAME_MAX];
    if (stat(what, &st) != 0) {
        return NULL;
    }
    char *config = mem_printf("%s/config.json", what);
    bool is_whole = S_ISREG(st.st_mode) || file_exists(config);
    free(config);
    if (!is_whole && checkpoint_find_best(what, best)) {
        return mem_printf("%s/%s", what, best);
    }
    return is_whole || strchr(what, '/') != NULL ? mem_strdup(what) : NULL;
}

int pick_open(struct cli *c, const char *what, int64_t trial, struct pick *out,
              struct err *err)
{
    struct pick p = {.name = model_path(what)};
    int rc;
    bool is_there = p.name != NULL;
    if (is_there && trial >= 0) {
        rc = err_set(err, ERR_INVALID,
                     "--trial is for studies: '%s' is a file or folder", what);
    } else if (is_there) {
        rc = open_model(&p, err);
    } else {
        rc = open_study(c, what, trial, &p, err);
    }
    if (rc != 0) {
        pick_fini(&p);
        return rc;
    }
    *out = p;
    return 0;
}

void pick_fini(struct pick *p)
{
    predictor_free(p->predictor);
    free(p->name);
    free(p->text);
    free(p->label);
    *p = (struct pick){0};
}

/* --- a part of its data set
 * --------------------------------------------------- */

static int check_classes(const struct dataset *d, const struct checkpoint *c,
                         struct err *err)
{
    return dataset_n_classes(d) == c->n_classes
               ? 0
               : err_set(err, ERR_CORRUPT,
                         "the data set has %zu classes, the model %zu",
                         dataset_n_classes(d), c->n_classes);
}

static int take_part(const struct dataset *d, const struct checkpoint *c,
                     enum dataset_part part, struct pick_texts *t,
                     struct err *err)
{
    struct dataset_split split;
    int rc = check_classes(d, c, err);
    rc = rc == 0 ? dataset_split(d, (enum dataset_split_kind)c->run.split,
                                 c->run.fractions, c->run.seed, &split, err)
                 : rc;
    if (rc != 0) {
        return rc;
    }
    t->n = split.n[part];
    t->texts = mem_try(t->n + 1, sizeof(*t->texts));
    t->labels = mem_try(t->n + 1, sizeof(*t->labels));
    if (t->texts == NULL || t->labels == NULL) {
        rc = err_set(err, ERR_LIMIT, "no memory for %zu rows", t->n);
    }
    for (size_t i = 0; rc == 0 && i < t->n; i++) {
        t->texts[i] = dataset_text(d, split.rows[part][i]);
        t->labels[i] = dataset_label(d, split.rows[part][i]);
    }
    dataset_split_fini(&split);
    return rc;
}

static enum dataset_part part_by_name(const char *name)
{
    return strcmp(name, "train") == 0 ? DATASET_TRAIN
           : strcmp(name, "val") == 0 ? DATASET_VAL
                                      : DATASET_TEST;
}

int pick_part(const struct cli *c, const struct pick *p, const char *part,
              struct pick_texts *out, struct err *err)
{
    const struct checkpoint *k = predictor_checkpoint(p->predictor);
    struct pick_texts t = {.name = mem_printf("the %s part of data set %.12s",
                                              part, k->dataset_sha256)};
    char *dir = mem_printf("%s/cache/datasets",
                           c->state_dir != NULL ? c->state_dir : ".");
    struct err why;
    int rc = dataset_open(dir, k->dataset_sha256, &t.dataset, &why);
    if (rc != 0) {
        rc = err_set(err, ERR_IO,
                     "the data set that the model was trained on cannot be "
                     "read (%s); --data SOURCE names another",
                     why.msg);
    } else {
        rc = take_part(t.dataset, k, part_by_name(part), &t, err);
    }
    free(dir);
    if (rc != 0) {
        pick_texts_fini(&t);
        return rc;
    }
    *out = t;
    return 0;
}

/* --- rows of a source
 * --------------------------------------------------------- */

int pick_rows(struct cli *c, const char *source, const struct source_query *q,
              const struct row_sink *sink, struct err *err)
{
    char *cache =
        c->state_dir != NULL ? paths_in_state(c->state_dir, "cache") : NULL;
    struct downloading downloading;
    downloading_init(&downloading, c);
    struct source_query query = *q;
    query.cache_dir = cache;
    query.watch = &downloading.watch;
    int rc = downloading_end(&downloading,
                             source_read(source, &query, sink, err), err);
    free(cache);
    return rc == ERR_NOTFOUND ? (err->code = ERR_INVALID) : rc;
}

struct taking {
    struct pick_texts *to;
    const struct checkpoint *checkpoint;
};

static int32_t class_of(const struct checkpoint *c, struct span label)
{
    for (size_t i = 0; i < c->n_classes; i++) {
        if (strlen(c->classes[i]) == label.len &&
            memcmp(c->classes[i], label.at, label.len) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static int make_room(struct pick_texts *t, struct err *err)
{
    if (t->n < t->cap) {
        return 0;
    }
    size_t cap = t->cap == 0 ? 1024 : 2 * t->cap;
    struct span *texts = mem_try_grow(t->texts, cap, sizeof(*texts));
    t->texts = texts != NULL ? texts : t->texts;
    int32_t *labels = mem_try_grow(t->labels, cap, sizeof(*labels));
    t->labels = labels != NULL ? labels : t->labels;
    if (texts == NULL || labels == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for %zu rows", cap);
    }
    t->cap = cap;
    return 0;
}

static int take_row(void *ctx, const struct row *row, struct err *err)
{
    struct taking *taking = ctx;
    struct pick_texts *t = taking->to;
    int32_t label = class_of(taking->checkpoint, row->label);
    if (label < 0) {
        return err_set(err, ERR_INVALID,
                       "label '%.*s' is none of the model's %zu classes",
                       (int)(row->label.len < 200 ? row->label.len : 200),
                       row->label.at, taking->checkpoint->n_classes);
    }
    int rc = make_room(t, err);
    if (rc != 0) {
        return rc;
    }
    char *copy = mem_try(row->text.len + 1, 1);
    if (copy == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for its text");
    }
    memcpy(copy, row->text.at, row->text.len);
    t->texts[t->n] = (struct span){copy, row->text.len};
    t->labels[t->n++] = label;
    return 0;
}

int pick_source(struct cli *c, const struct pick *p, const char *source,
                const struct source_query *q, struct pick_texts *out,
                struct err *err)
{
    struct pick_texts t = {.name = mem_strdup(source)};
    struct taking taking = {&t, predictor_checkpoint(p->predictor)};
    const struct row_sink sink = {&taking, take_row};
    int rc = pick_rows(c, source, q, &sink, err);
    if (rc != 0) {
        pick_texts_fini(&t);
        return rc;
    }
    *out = t;
    return 0;
}

void pick_texts_fini(struct pick_texts *t)
{
    for (size_t i = 0; t->dataset == NULL && i < t->n; i++) {
        free((char *)t->texts[i].at);
    }
    free(t->texts);
    free(t->labels);
    free(t->name);
    dataset_free(t->dataset);
    *t = (struct pick_texts){0};
}
