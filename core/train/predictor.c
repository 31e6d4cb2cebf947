#include "core/train/predictor.h"
#include "core/base/mem.h"
#include "core/nn/model.h"
#include "core/text/bpe.h"
#include "core/train/checkpoint.h"
#include "core/train/checkpoint_sum.h"
#include "core/train/encoded.h"
#include "core/train/model_dir.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { BATCH_ROWS = 16 }; /* texts per forward pass */

struct predictor {
    struct checkpoint checkpoint;
    struct model *model;
    struct batch *batch;
};

static int open_file(const char *path, const char *sha256, struct predictor *p,
                     struct err *err)
{
    char beside[65];
    int rc = 0;
    if (sha256 == NULL) {
        rc = checkpoint_sum_read(path, beside, err);
        sha256 = rc == 0 && beside[0] != '\0' ? beside : NULL;
    }
    return rc == 0 ? checkpoint_open(path, sha256, false, BATCH_ROWS,
                                     &p->checkpoint, &p->model, err)
                   : rc;
}

int predictor_open(const char *path, const char *sha256, struct predictor **out,
                   struct err *err)
{
    struct predictor *p = mem_alloc(1, sizeof(*p));
    struct stat st;
    bool is_dir = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    int rc = is_dir ? model_dir_open(path, BATCH_ROWS, &p->checkpoint,
                                     &p->model, err)
                    : open_file(path, sha256, p, err);
    if (rc == 0) {
        rc = batch_new(BATCH_ROWS, (size_t)p->checkpoint.run.max_len, &p->batch,
                       err);
    }
    if (rc != 0) {
        predictor_free(p);
        return rc;
    }
    /* As many threads as in training: their number is part of the bits, and
     * more of them are slower for models of this size. */
    model_set_threads((int)p->checkpoint.run.threads);
    *out = p;
    return 0;
}

void predictor_free(struct predictor *p)
{
    if (p == NULL) {
        return;
    }
    checkpoint_fini(&p->checkpoint);
    model_free(p->model);
    batch_free(p->batch);
    free(p);
}

const struct checkpoint *predictor_checkpoint(const struct predictor *p)
{
    return &p->checkpoint;
}

static void set_word(char **word, const char *to)
{
    free(*word);
    *word = to != NULL ? mem_strdup(to) : NULL;
}

void predictor_set_columns(struct predictor *p, const char *text,
                           const char *label)
{
    set_word(&p->checkpoint.text_column, text);
    set_word(&p->checkpoint.label_column, label);
}

int predictor_export(struct predictor *p, const char *dir, struct err *err)
{
    return model_dir_write(&p->checkpoint, p->model, dir, err);
}

static int encode_all(const struct predictor *p, const struct span *texts,
                      size_t n, struct encoded **out, struct err *err)
{
    struct encoded *e;
    size_t n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        n_bytes += texts[i].len;
    }
    int rc = encoded_new(p->checkpoint.tokenizer, n, n_bytes,
                         (size_t)p->checkpoint.run.max_len, &e, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = encoded_add(e, texts[i], 0, err);
    }
    if (rc != 0) {
        encoded_free(e);
        return rc;
    }
    *out = e;
    return 0;
}

int predictor_run(struct predictor *p, const struct span *texts, size_t n,
                  float *logprob, struct err *err)
{
    struct encoded *e;
    int rc = encode_all(p, texts, n, &e, err);
    if (rc != 0) {
        return rc;
    }
    for (size_t at = 0; at < n; at += BATCH_ROWS) {
        uint32_t rows[BATCH_ROWS];
        size_t n_rows = n - at < BATCH_ROWS ? n - at : BATCH_ROWS;
        for (size_t i = 0; i < n_rows; i++) {
            rows[i] = (uint32_t)(at + i);
        }
        const struct model_batch *b =
            batch_fill(p->batch, e, rows, n_rows, NULL);
        model_evaluate(p->model, b, logprob + at * p->checkpoint.n_classes,
                       NULL);
    }
    encoded_free(e);
    return 0;
}
