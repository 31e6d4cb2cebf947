/* What comes before the first epoch: split, tokenizer, model, token ids. */
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/train/encoded.h"
#include "core/train/run_model.h"
#include "core/train/shared.h"
#include "core/train/trainer_priv.h"

#include <stdlib.h>

enum { TEXTS_PER_STEP = 64 }; /* encoded by one trainer_step */

static struct shared shared_of(const struct trainer *t)
{
    return (struct shared){
        .stash = {.dir = t->shared_dir, .max_bytes = SHARED_MAX_BYTES},
        .dataset_sha256 = t->data.sha256};
}

int64_t trainer_n_batches(const struct trainer *t, enum dataset_part part)
{
    size_t size = (size_t)t->run.batch_size;
    return (int64_t)((t->data.split.n[part] + size - 1) / size);
}

size_t trainer_max_batch(const struct trainer *t)
{
    const size_t *n = t->data.split.n;
    size_t largest = n[DATASET_TRAIN];
    for (int part = DATASET_VAL; part <= DATASET_TEST; part++) {
        largest = n[part] > largest ? n[part] : largest;
    }
    return trainer_min(largest, (size_t)t->run.batch_size);
}

int trainer_split(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    enum dataset_split_kind kind = t->run.split == RUN_SPLIT_STRATIFIED
                                       ? DATASET_SPLIT_STRATIFIED
                                       : DATASET_SPLIT_RANDOM;
    int rc = dataset_split(d, kind, t->run.fractions, t->run.seed,
                           &t->data.split, err);
    if (rc != 0) {
        return rc;
    }
    size_t n = t->data.split.n[DATASET_TRAIN], n_classes = dataset_n_classes(d);
    t->data.n_batches = trainer_n_batches(t, DATASET_TRAIN);
    t->data.order = mem_try(n, sizeof(*t->data.order));
    t->data.classes = mem_try(n_classes, sizeof(*t->data.classes));
    if (t->data.order == NULL || t->data.classes == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for the order of %zu rows",
                       n);
    }
    for (size_t i = 0; i < n_classes; i++) {
        t->data.classes[i] = (char *)dataset_class(d, i);
    }
    return 0;
}

static int train_tokenizer(struct trainer *t, size_t n_texts,
                           const struct bpe_options *options, struct err *err)
{
    struct span *texts = mem_try(n_texts, sizeof(*texts));
    if (texts == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for a list of %zu texts",
                       n_texts);
    }
    for (size_t i = 0; i < n_texts; i++) {
        texts[i] = dataset_text(t->data.dataset, i);
    }
    int rc = bpe_train(texts, n_texts, options, &t->tokenizer, err);
    free(texts);
    return rc != 0 ? err_wrap(err, "train the tokenizer") : 0;
}

int trainer_tokenize(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    const struct shared shared = shared_of(t);
    size_t n = trainer_min((size_t)t->run.tokenizer_length,
                           dataset_size(d) - dataset_n_test(d));
    struct bpe_options options = {
        .vocab_size = (int32_t)t->run.vocab_size,
        .min_frequency = (int32_t)t->run.min_frequency,
    };
    t->tokenizer = shared_tokenizer(&shared, n, &options);
    if (t->tokenizer == NULL) {
        int rc = train_tokenizer(t, n, &options, err);
        if (rc != 0) {
            return rc;
        }
        shared_keep_tokenizer(&shared, n, &options, t->tokenizer);
    } else {
        t->data.tokenizer_is_shared = true;
    }
    t->stage = STAGE_PREPARE;
    return 0;
}

static int make_model(struct trainer *t, struct err *err)
{
    int rc = run_model_new(&t->run, (size_t)bpe_vocab_size(t->tokenizer),
                           dataset_n_classes(t->data.dataset),
                           (int64_t)trainer_max_batch(t), true, &t->model, err);
    if (rc == 0) {
        model_init(t->model, t->run.seed, (uint32_t)t->run.trial);
    }
    return rc;
}

/* Of a class with n_c of the n training rows: n / (C n_c), so that a training
 * row weighs 1 in the mean (as scikit-learn's "balanced"). */
static int weigh_classes(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    const struct dataset_split *split = &t->data.split;
    size_t n = split->n[DATASET_TRAIN], n_classes = dataset_n_classes(d);
    if (t->run.class_weights != RUN_CLASS_WEIGHTS_BALANCED) {
        return 0;
    }
    float *weights = mem_try(n_classes, sizeof(*weights));
    if (weights == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for %zu classes", n_classes);
    }
    for (size_t i = 0; i < n; i++) {
        weights[dataset_label(d, split->rows[DATASET_TRAIN][i])]++;
    }
    for (size_t c = 0; c < n_classes; c++) {
        if (weights[c] > 0) {
            weights[c] = (float)n / ((float)n_classes * weights[c]);
        }
    }
    model_set_class_weights(t->model, weights);
    free(weights);
    return 0;
}

static int prepare_texts(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    const struct shared shared = shared_of(t);
    size_t n = dataset_size(d), n_bytes = 0;
    size_t max_len = (size_t)t->run.max_len;
    t->data.encoded = shared_encoded(&shared, d, t->tokenizer, max_len);
    if (t->data.encoded != NULL) {
        t->data.texts_are_shared = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        n_bytes += dataset_text(d, i).len;
    }
    return encoded_new(t->tokenizer, n, n_bytes, max_len, &t->data.encoded,
                       err);
}

int trainer_prepare(struct trainer *t, struct err *err)
{
    int rc = t->model == NULL ? make_model(t, err) : 0;
    rc = rc == 0 ? weigh_classes(t, err) : rc;
    rc = rc == 0 ? prepare_texts(t, err) : rc;
    if (rc == 0) {
        rc = batch_new(trainer_max_batch(t), (size_t)t->run.max_len,
                       &t->data.batch, err);
    }
    if (rc == 0) {
        t->stage = STAGE_ENCODE;
    }
    return rc;
}

int trainer_encode(struct trainer *t, struct err *err)
{
    const struct dataset *d = t->data.dataset;
    size_t at = encoded_size(t->data.encoded);
    size_t end = trainer_min(at + TEXTS_PER_STEP, dataset_size(d));
    for (; at < end; at++) {
        int rc = encoded_add(t->data.encoded, dataset_text(d, at),
                             dataset_label(d, at), err);
        if (rc != 0) {
            return err_wrap(err, "encode text %zu", at);
        }
    }
    if (end == dataset_size(d) && !t->data.texts_are_shared) {
        const struct shared shared = shared_of(t);
        shared_keep_encoded(&shared, t->tokenizer, (size_t)t->run.max_len,
                            t->data.encoded);
    }
    return 0;
}
