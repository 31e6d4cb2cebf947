/* What a batch goes through: a training step, an evaluation, gradients. */
#include "core/nn/model_parts.h"

#include "core/nn/adamw.h"
#include "core/nn/dropout.h"

#include <assert.h>
#include <string.h>

static void check_batch(const struct model *m, const struct model_batch *batch)
{
    const struct model_config *c = &m->config;
    assert(batch->n >= 1 && batch->n <= c->max_batch);
    for (int b = 0; b < batch->n; b++) {
        assert(batch->lengths[b] >= 0 && batch->lengths[b] <= c->max_len);
        assert(batch->labels == NULL ||
               (batch->labels[b] >= 0 && batch->labels[b] < c->n_classes));
    }
    size_t n = (size_t)batch->n * (size_t)c->max_len;
    for (size_t i = 0; i < n; i++) {
        assert(batch->ids[i] >= 0 && batch->ids[i] < c->vocab_size);
    }
}

static struct model_dropout draw_dropout(struct model *m, size_t B,
                                         uint64_t seed, uint32_t trial)
{
    const struct model_config *c = &m->config;
    const struct kernels *k = m->kernels;
    struct model_buffers *u = &m->buffers;
    struct dropout_draw draw = {
        .p = c->dropout, .seed = seed, .trial = trial, .step = m->step};
    size_t N = B * (size_t)c->max_len;
    return (struct model_dropout){
        .attention = dropout_bits(u->bits_attention, N, (size_t)c->emb_dim,
                                  DROPOUT_ATTENTION, &draw, k),
        .ffn = dropout_bits(u->bits_ffn, N, (size_t)c->ffn_dim, DROPOUT_FFN,
                            &draw, k),
        .head1 = dropout_bits(u->bits_head1, B, (size_t)c->head1_dim,
                              DROPOUT_HEAD1, &draw, k),
        .head2 = dropout_bits(u->bits_head2, B, (size_t)c->head2_dim,
                              DROPOUT_HEAD2, &draw, k)};
}

void model_train_step(struct model *m, const struct model_batch *batch,
                      const struct model_adamw *opt, uint64_t seed,
                      uint32_t trial, struct model_result *out)
{
    assert(m->trainable && batch->labels != NULL);
    check_batch(m, batch);
    size_t B = (size_t)batch->n;
    struct model_dropout dropout = draw_dropout(m, B, seed, trial);
    struct kernels_adamw step = adamw_constants(opt, m->step + 1);
    m->moments_may_differ = true;
    model_forward(m, batch, &dropout);
    model_score(m, batch, out);
    model_backward(m, batch, &dropout, &step, NULL);
    const struct model_flat *f = &m->flat;
    m->kernels->adamw(f->weight, f->m, f->v, f->grad, f->n, &step);
    const struct model_tensor *e = &m->tensors[MODEL_EMBEDDING];
    struct adamw_rows rows = {.first = m->buffers.first,
                              .next = m->buffers.next,
                              .row = m->buffers.row};
    adamw_embedding(e->weight, e->m, e->v, e->dims[0], e->dims[1], batch->ids,
                    m->buffers.grad_b, B * (size_t)m->config.max_len, &rows,
                    &step, m->kernels);
    m->step++;
}

void model_evaluate(struct model *m, const struct model_batch *batch,
                    float *logprob, struct model_result *out)
{
    assert(out == NULL || batch->labels != NULL);
    check_batch(m, batch);
    model_forward(m, batch, &(struct model_dropout){0});
    if (logprob != NULL) {
        size_t n = (size_t)batch->n * (size_t)m->config.n_classes;
        memcpy(logprob, m->buffers.logprob, n * sizeof(*logprob));
    }
    if (out != NULL) {
        model_score(m, batch, out);
    }
}

static void embedding_gradient(const struct model *m,
                               const struct model_batch *batch, float *grad)
{
    const struct model_tensor *e = &m->tensors[MODEL_EMBEDDING];
    size_t d = e->dims[1], n = (size_t)batch->n * (size_t)m->config.max_len;
    memset(grad, 0, e->n * sizeof(*grad));
    for (size_t i = 0; i < n; i++) {
        float *row = grad + (size_t)batch->ids[i] * d;
        m->kernels->add(row, row, m->buffers.grad_b + i * d, d);
    }
}

void model_gradients(struct model *m, const struct model_batch *batch,
                     float *const *grads, struct model_result *out)
{
    assert(m->trainable && batch->labels != NULL);
    check_batch(m, batch);
    float *by_id[MODEL_N_TENSORS] = {0};
    for (size_t i = 0; i < model_n_tensors(m); i++) {
        by_id[model_id_at(m, i)] = grads[i];
    }
    struct model_dropout none = {0};
    model_forward(m, batch, &none);
    model_score(m, batch, out);
    model_backward(m, batch, &none, NULL, by_id[MODEL_HEAD1_W]);
    embedding_gradient(m, batch, by_id[MODEL_EMBEDDING]);
    for (size_t id = 0; id < MODEL_N_TENSORS; id++) {
        if (m->grads[id] != NULL && by_id[id] != NULL) {
            memcpy(by_id[id], m->grads[id], m->tensors[id].n * sizeof(float));
        }
    }
}
