/* The chain rule, last layer first. grad_a and grad_b take turns as the
 * gradient of a layer's output and of its input. */
#include "core/nn/model_parts.h"

#include "core/nn/attention.h"
#include "core/nn/ops.h"

#include <math.h>

/* Of y = x w^T with dy (rows, out): the weight's gradient into its place, and
 * dx (rows, in). */
static void linear_backward(struct model *m, float *dx, const float *dy,
                            const float *x, enum model_tensor_id w, size_t rows)
{
    const struct model_tensor *t = &m->tensors[w];
    size_t n_out = t->dims[0], n_in = t->dims[1];
    ops_tn(m->grads[w], n_in, dy, n_out, x, n_in, n_out, n_in, rows, 1.0f);
    ops_nn(dx, n_in, dy, n_out, t->weight, n_in, rows, n_in, n_out, 1.0f);
}

/* d(mean loss)/d logits = (softmax - one-hot) / B. */
static void loss_backward(struct model *m, const struct model_batch *batch)
{
    int C = m->config.n_classes;
    for (int b = 0; b < batch->n; b++) {
        const float *row = m->buffers.logprob + (size_t)b * (size_t)C;
        float *g = m->buffers.grad_logits + (size_t)b * (size_t)C;
        for (int c = 0; c < C; c++) {
            g[c] = (expf(row[c]) - (c == batch->labels[b])) / (float)batch->n;
        }
    }
}

/* Leaves the gradient of the flattened input in grad_a. */
static void head_backward(struct model *m, size_t B,
                          const struct model_dropout *dropout,
                          const struct kernels_adamw *step, float *wide_grad)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    const struct kernels *k = m->kernels;
    k->column_sums(m->grads[MODEL_HEAD7_B], u->grad_logits, B,
                   (size_t)c->n_classes);
    linear_backward(m, u->grad_h2, u->grad_logits, u->h2, MODEL_HEAD7_W, B);
    k->relu_backward(u->grad_h2, m->grads[MODEL_HEAD4_B], u->h2, B,
                     (size_t)c->head2_dim, &dropout->head2);
    linear_backward(m, u->grad_h1, u->grad_h2, u->h1, MODEL_HEAD4_W, B);
    k->relu_backward(u->grad_h1, m->grads[MODEL_HEAD1_B], u->h1, B,
                     (size_t)c->head1_dim, &dropout->head1);
    const struct model_tensor *t = &m->tensors[MODEL_HEAD1_W];
    size_t O = t->dims[0], N = t->dims[1];
    if (step != NULL) {
        k->wide_step(u->grad_a, t->weight, t->m, t->v, u->y2, u->grad_h1, B, O,
                     N, step);
    } else {
        ops_tn(wide_grad, N, u->grad_h1, O, u->y2, N, O, N, B, 1.0f);
        ops_nn(u->grad_a, N, u->grad_h1, O, t->weight, N, B, N, O, 1.0f);
    }
}

/* From grad_a, the gradient of norm2's output, to grad_b, that of the
 * attention's output before its bias. */
static void feed_forward_backward(struct model *m, size_t N,
                                  const struct model_dropout *dropout)
{
    struct model_buffers *u = &m->buffers;
    const struct kernels *k = m->kernels;
    size_t d = (size_t)m->config.emb_dim, ffn = (size_t)m->config.ffn_dim;
    struct kernels_norm norm2 = {.rows = N,
                                 .n = d,
                                 .gamma = m->tensors[MODEL_NORM2_W].weight,
                                 .x = u->f,
                                 .mean = u->mean2,
                                 .rstd = u->rstd2};
    k->norm_backward(u->grad_a, m->grads[MODEL_FFN3_B], m->grads[MODEL_NORM2_W],
                     m->grads[MODEL_NORM2_B], &norm2);
    linear_backward(m, u->grad_hidden, u->grad_a, u->hidden, MODEL_FFN3_W, N);
    k->relu_backward(u->grad_hidden, m->grads[MODEL_FFN0_B], u->hidden, N, ffn,
                     &dropout->ffn);
    linear_backward(m, u->grad_b, u->grad_hidden, u->y1, MODEL_FFN0_W, N);
    struct kernels_norm norm1 = {.rows = N,
                                 .n = d,
                                 .gamma = m->tensors[MODEL_NORM1_W].weight,
                                 .dropout = dropout->attention,
                                 .x = u->a,
                                 .mean = u->mean1,
                                 .rstd = u->rstd1};
    k->norm_backward(u->grad_b, m->grads[MODEL_OUT_B], m->grads[MODEL_NORM1_W],
                     m->grads[MODEL_NORM1_B], &norm1);
}

/* Leaves the gradient of the embedded input in grad_b. */
static void attend_backward(struct model *m, const struct model_batch *batch)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t B = (size_t)batch->n, d = (size_t)c->emb_dim;
    size_t L = (size_t)c->max_len, N = B * L;
    linear_backward(m, u->grad_a, u->grad_b, u->attended, MODEL_OUT_W, N);
    struct attention shape = {.L = L,
                              .d = d,
                              .heads = (size_t)c->num_heads,
                              .mask = c->mask,
                              .ld_p = m->ld_p};
    attention_backward(u->grad_qkv, u->grad_p, u->grad_a, u->attended, u->p,
                       u->qkv, batch->lengths, B, &shape, m->kernels);
    m->kernels->column_sums(m->grads[MODEL_QUERY_B], u->grad_qkv, N, 3 * d);
    ops_tn(m->grads[MODEL_QUERY_W], d, u->grad_qkv, 3 * d, u->x, d, 3 * d, d, N,
           1.0f);
    ops_nn(u->grad_b, d, u->grad_qkv, 3 * d, m->tensors[MODEL_QUERY_W].weight,
           d, N, d, 3 * d, 1.0f);
    if (c->position == MODEL_POSITION_LEARNED) {
        m->kernels->column_sums(m->grads[MODEL_POSITION], u->grad_b, B, L * d);
    }
}

void model_backward(struct model *m, const struct model_batch *batch,
                    const struct model_dropout *dropout,
                    const struct kernels_adamw *step, float *wide_grad)
{
    size_t B = (size_t)batch->n;
    loss_backward(m, batch);
    head_backward(m, B, dropout, step, wide_grad);
    feed_forward_backward(m, B * (size_t)m->config.max_len, dropout);
    attend_backward(m, batch);
}
