#include "tests/lib/small_model.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 4, L = SMALL_MODEL_LEN };

static const int32_t ids[ROWS * L] = {3, 9, 22, 1, 1, 7, 4,  5, 8, 0, 0,
                                      0, 0, 0,  2, 2, 6, 13, 1, 0, 0};
static const int32_t lengths[ROWS] = {7, 2, 5, 0}, labels[ROWS] = {3, 0, 2, 1};

const struct model_batch small_model_three = {
    .ids = ids, .lengths = lengths, .labels = labels, .n = ROWS - 1};
const struct model_batch small_model_four = {
    .ids = ids, .lengths = lengths, .labels = labels, .n = ROWS};
const struct model_adamw small_model_adamw = {.lr = 1e-2f,
                                              .weight_decay = 1e-2f,
                                              .beta1 = 0.9f,
                                              .beta2 = 0.999f,
                                              .eps = 1e-8f};

struct model_config small_model_config(void)
{
    return (struct model_config){.vocab_size = SMALL_MODEL_VOCAB,
                                 .max_len = L,
                                 .emb_dim = 6,
                                 .num_heads = 3,
                                 .ffn_dim = 10,
                                 .num_layers = 1,
                                 .head1_dim = 9,
                                 .head2_dim = 5,
                                 .n_classes = SMALL_MODEL_CLASSES,
                                 .max_batch = small_model_three.n,
                                 .mask = MODEL_MASK_PADDING,
                                 .position = MODEL_POSITION_LEARNED,
                                 .embedding_std = 1,
                                 .attention_dropout = 0.25f,
                                 .ffn_dropout = 0.25f,
                                 .head_dropout = 0.25f};
}

struct model *small_model_new(const struct model_config *config, bool trainable)
{
    struct model *m;
    struct err err;
    ck_assert_msg(model_new(config, trainable, &m, &err) == 0, "%s", err.msg);
    model_init(m, 5, 1);
    return m;
}

double small_model_loss(struct model *m)
{
    struct model_result r;
    model_evaluate(m, &small_model_three, NULL, &r);
    return r.loss_sum / small_model_three.n;
}

void small_model_copy_state(struct model *to, struct model *from)
{
    for (size_t i = 0; i < model_n_tensors(from); i++) {
        struct model_tensor a = model_tensor_at(to, i);
        struct model_tensor b = model_tensor_at(from, i);
        size_t bytes = a.n * sizeof(float);
        memcpy(a.weight, b.weight, bytes);
        memcpy(a.m, b.m, bytes);
        memcpy(a.v, b.v, bytes);
        if (a.average != NULL) {
            memcpy(a.average, b.average, bytes);
        }
    }
    model_set_step(to, model_step(from));
}

void small_model_copy_weights(struct model *to, struct model *from)
{
    for (size_t i = 0; i < model_n_tensors(from); i++) {
        struct model_tensor t = model_tensor_at(from, i);
        memcpy(model_tensor_at(to, i).weight,
               t.average != NULL ? t.average : t.weight, t.n * sizeof(float));
    }
}

void small_model_gradients(struct model *m, const struct model_batch *batch,
                           float *grads[SMALL_MODEL_TENSORS],
                           struct model_result *out)
{
    size_t n = model_n_tensors(m);
    ck_assert_uint_le(n, SMALL_MODEL_TENSORS);
    for (size_t i = 0; i < SMALL_MODEL_TENSORS; i++) {
        grads[i] = NULL;
        if (i < n) {
            grads[i] = mem_alloc(model_tensor_at(m, i).n, sizeof(float));
        }
    }
    model_gradients(m, batch, grads, out);
}

void small_model_free_gradients(float *grads[SMALL_MODEL_TENSORS])
{
    for (size_t i = 0; i < SMALL_MODEL_TENSORS; i++) {
        free(grads[i]);
    }
}
