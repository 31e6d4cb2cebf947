/* The chain rule, last part first. grad is the gradient of what a part made,
 * then of what it read; with residual connections grad_carry is the gradient
 * that goes past the part. Post-norm exchanges the two arrays behind each part
 * (input_backward), of which a layer has two: after the whole chain each is
 * where the layout put it. pool_backward counts on that. */
#include "core/nn/model_parts.h"

#include "core/nn/attention.h"
#include "core/nn/ops.h"
#include "core/nn/pooling.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Of y = x w^T with dy (rows, out): the weight's gradient. */
static void weight_backward(struct model *m, const float *dy, const float *x,
                            size_t place, size_t rows)
{
    const struct model_tensor *t = &m->tensors[place];
    ops_tn(&m->ops, m->grads[place], t->dims[1], dy, t->dims[0], x, t->dims[1],
           t->dims[0], t->dims[1], rows, 1.0f);
}

/* The same and dx (rows, in). */
static void linear_backward(struct model *m, float *dx, const float *dy,
                            const float *x, size_t place, size_t rows)
{
    const struct model_tensor *t = &m->tensors[place];
    size_t n_out = t->dims[0], n_in = t->dims[1];
    weight_backward(m, dy, x, place, rows);
    ops_nn(&m->ops, dx, n_in, dy, n_out, t->weight, n_in, rows, n_in, n_out,
           1.0f);
}

/* From dy to the gradient of a Linear's product, and its bias' gradient. */
static void activation_backward(struct model *m, float *dy,
                                const struct model_hidden *h, size_t place,
                                size_t rows)
{
    size_t width = m->tensors[place].dims[0];
    float *dbias = m->grads[place + 1];
    if (m->config.activation == MODEL_ACTIVATION_GELU) {
        m->kernels->gelu_backward(dy, dbias, h->z, rows, width, &h->dropout);
    } else {
        m->kernels->relu_backward(dy, dbias, h->y, rows, width, &h->dropout);
    }
}

/* --- the head ------------------------------------------------------------- */

/* d(mean loss)/d logits = weight (softmax - target) / B; the target is the
 * one-hot label, a part of it spread over all classes. */
static void loss_backward(struct model *m, const struct model_batch *batch)
{
    int C = m->config.n_classes;
    float spread = m->config.label_smoothing / (float)C;
    float rest = 1.0f - m->config.label_smoothing;
    for (int b = 0; b < batch->n; b++) {
        const float *row = m->buffers.logprob + (size_t)b * (size_t)C;
        float *g = m->buffers.grad_logits + (size_t)b * (size_t)C;
        float w = m->buffers.class_weights[batch->labels[b]];
        for (int c = 0; c < C; c++) {
            float target = c == batch->labels[b] ? spread + rest : spread;
            g[c] = w * (expf(row[c]) - target) / (float)batch->n;
        }
    }
}

/* A layer of the head: its weight's gradient and dx (B, in). */
static void head_linear_backward(struct model *m, float *dx, const float *dy,
                                 const float *x, size_t place, size_t B,
                                 const struct kernels_adamw *step,
                                 float *wide_grad)
{
    const struct model_tensor *t = &m->tensors[place];
    size_t O = t->dims[0], N = t->dims[1];
    if ((int)place != m->wide) {
        linear_backward(m, dx, dy, x, place, B);
        return;
    }
    if (step != NULL) {
        model_wide_step(m, dx, x, dy, B, step);
        return;
    }
    if (wide_grad != NULL) {
        ops_tn(&m->ops, wide_grad, N, dy, O, x, N, O, N, B, 1.0f);
    }
    model_wide_input(m, dx, dy, B);
}

/* Leaves the gradient of the features in grad_features. */
static void head_backward(struct model *m, size_t B,
                          const struct kernels_adamw *step, float *wide_grad)
{
    static const size_t places[] = {MODEL_HEAD1_W, MODEL_HEAD4_W,
                                    MODEL_HEAD7_W};
    struct model_buffers *u = &m->buffers;
    const float *dy = u->grad_logits;
    m->kernels->column_sums(m->grads[MODEL_HEAD7_B], dy, B,
                            (size_t)m->config.n_classes);
    for (int i = MODEL_N_HIDDEN; i >= 0; i--) {
        if (m->tensors[places[i]].n == 0) {
            continue;
        }
        int below = i - 1;
        while (below >= 0 && m->tensors[places[below]].n == 0) {
            below--;
        }
        const float *x = below >= 0 ? u->head[below].y : u->features;
        float *dx = below >= 0 ? u->grad_head[below] : u->grad_features;
        head_linear_backward(m, dx, dy, x, places[i], B, step, wide_grad);
        if (below >= 0) {
            activation_backward(m, dx, &u->head[below], places[below], B);
        }
        dy = dx;
    }
}

/* From grad_features to grad. */
static void pool_backward(struct model *m, const struct model_batch *batch)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    assert((c->pooling == MODEL_POOLING_FLATTEN) ==
           (u->grad_features == u->grad));
    if (u->features_dropout.bits != NULL) {
        m->kernels->drop(u->grad_features, (size_t)batch->n,
                         model_n_features(c), &u->features_dropout);
    }
    if (c->pooling != MODEL_POOLING_FLATTEN) {
        struct pooling shape = {.kind = c->pooling,
                                .B = (size_t)batch->n,
                                .d = (size_t)c->emb_dim,
                                .starts = u->starts,
                                .lengths = batch->lengths};
        pooling_backward(u->grad, u->grad_features, u->chosen, &shape);
    }
}

/* --- the encoder ---------------------------------------------------------- */

/* From grad, the gradient of y_j, to that of what part j-1 made (of the
 * embedded input, for j = 0); the gradient of sum_j to grad_carry. */
static void norm_backward(struct model *m, size_t point, size_t rows)
{
    struct model_buffers *u = &m->buffers;
    size_t place = model_norm_place(m, point);
    bool pre = m->config.norm == MODEL_NORM_PRE;
    bool last = point + 1 == model_n_points(m);
    struct kernels_norm norm = model_norm_at(m, point, rows);
    norm.carry = u->grad_carry; /* NULL without residual connections */
    norm.carry_adds = pre && !last;
    float *dbias = point > 0 ? m->grads[model_bias_place(point)] : NULL;
    m->kernels->norm_backward(u->grad, dbias, m->grads[place],
                              m->grads[place + 1], &norm);
}

/* dx = dy w, in grad; post-norm adds what went past the part. dy is not grad.
 */
static void input_backward(struct model *m, const float *dy, size_t place,
                           size_t n_out, size_t rows)
{
    struct model_buffers *u = &m->buffers;
    size_t d = (size_t)m->config.emb_dim;
    const float *w = m->tensors[place].weight;
    if (m->config.residual && m->config.norm == MODEL_NORM_POST) {
        float *sum = u->grad_carry;
        ops_nn_add(&m->ops, sum, d, dy, n_out, w, d, rows, d, n_out);
        u->grad_carry = u->grad;
        u->grad = sum;
    } else {
        ops_nn(&m->ops, u->grad, d, dy, n_out, w, d, rows, d, n_out, 1.0f);
    }
}

static void ffn_backward(struct model *m, size_t layer, const float *x,
                         size_t rows)
{
    struct model_buffers *u = &m->buffers;
    const struct model_hidden *h = &u->layers[layer].ffn;
    size_t first = model_place(layer, MODEL_FFN0_W);
    linear_backward(m, u->grad_hidden, u->grad, h->y,
                    model_place(layer, MODEL_FFN3_W), rows);
    activation_backward(m, u->grad_hidden, h, first, rows);
    weight_backward(m, u->grad_hidden, x, first, rows);
    input_backward(m, u->grad_hidden, first, (size_t)m->config.ffn_dim, rows);
}

static void attend_backward(struct model *m, const struct model_batch *batch,
                            size_t layer, const float *x, size_t rows)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    const struct model_layer *l = &u->layers[layer];
    size_t d = (size_t)c->emb_dim;
    size_t q_w = model_place(layer, MODEL_QUERY_W);
    linear_backward(m, u->grad_next, u->grad, l->attended,
                    model_place(layer, MODEL_OUT_W), rows);
    struct attention shape = {.B = (size_t)batch->n,
                              .L = (size_t)c->max_len,
                              .d = d,
                              .heads = (size_t)c->num_heads,
                              .starts = u->starts,
                              .lengths = batch->lengths,
                              .mask = c->mask,
                              .scratch = m->buffers.attention};
    attention_backward(u->grad_qkv, u->grad_next, l->attended, l->stats, l->qkv,
                       &shape, m->kernels);
    m->kernels->column_sums(m->grads[model_place(layer, MODEL_QUERY_B)],
                            u->grad_qkv, rows, 3 * d);
    ops_tn(&m->ops, m->grads[q_w], d, u->grad_qkv, 3 * d, x, d, 3 * d, d, rows,
           1.0f);
    input_backward(m, u->grad_qkv, q_w, 3 * d, rows);
}

/* From the gradient of the last y to that of the embedded input. */
static void encode_backward(struct model *m, const struct model_batch *batch)
{
    struct model_buffers *u = &m->buffers;
    size_t rows = model_n_rows(m, batch);
    for (size_t j = model_n_points(m); j-- > 0;) {
        if (model_has_norm(m, j)) {
            norm_backward(m, j, rows);
        }
        if (j == 0) {
            break;
        }
        size_t part = j - 1;
        const float *x = u->points[part].y;
        if (part % 2 == 0) {
            attend_backward(m, batch, part / 2, x, rows);
        } else {
            ffn_backward(m, part / 2, x, rows);
        }
    }
}

static void embed_backward(struct model *m, const struct model_batch *batch)
{
    struct model_buffers *u = &m->buffers;
    size_t d = (size_t)m->config.emb_dim;
    if (u->embedding_dropout.bits != NULL) {
        m->kernels->drop(u->grad, model_n_rows(m, batch), d,
                         &u->embedding_dropout);
    }
    const struct model_tensor *t = &m->tensors[MODEL_POSITION];
    if (t->n == 0) {
        return;
    }
    float *grad = m->grads[MODEL_POSITION];
    memset(grad, 0, t->n * sizeof(*grad));
    for (size_t b = 0; b < (size_t)batch->n; b++) {
        size_t rows = u->starts[b + 1] - u->starts[b];
        m->kernels->add(grad, grad, u->grad + u->starts[b] * d, rows * d);
    }
}

void model_backward(struct model *m, const struct model_batch *batch,
                    const struct kernels_adamw *step, float *wide_grad)
{
    loss_backward(m, batch);
    head_backward(m, (size_t)batch->n, step, wide_grad);
    pool_backward(m, batch);
    encode_backward(m, batch);
    embed_backward(m, batch);
}
