#include "core/nn/model_parts.h"

#include "core/nn/attention.h"
#include "core/nn/ops.h"

#include <math.h>

enum { FEW_ROWS = 16 }; /* up to here the wide layer is bound by memory */

/* y (rows, n_out) = x (rows, n_in) w^T; the bias belongs to what follows. */
static void linear(const struct model *m, float *y, const float *x,
                   enum model_tensor_id w, size_t rows)
{
    const struct model_tensor *t = &m->tensors[w];
    ops_nt(y, t->dims[0], x, t->dims[1], t->weight, t->dims[1], rows,
           t->dims[0], t->dims[1], 1.0f);
}

static const float *weight(const struct model *m, enum model_tensor_id id)
{
    return m->tensors[id].weight;
}

static void embed(struct model *m, const struct model_batch *batch)
{
    size_t L = (size_t)m->config.max_len, d = (size_t)m->config.emb_dim;
    const float *table = weight(m, MODEL_EMBEDDING);
    const float *position =
        m->sinusoid != NULL ? m->sinusoid : weight(m, MODEL_POSITION);
    size_t n = (size_t)batch->n * L;
    for (size_t i = 0; i < n; i++) {
        m->kernels->add(m->buffers.x + i * d, table + (size_t)batch->ids[i] * d,
                        position + i % L * d, d);
    }
}

static void attend(struct model *m, const struct model_batch *batch)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t B = (size_t)batch->n, d = (size_t)c->emb_dim;
    size_t N = B * (size_t)c->max_len;
    /* q, k and v in one product: their weights lie side by side. */
    ops_nt(u->qkv, 3 * d, u->x, d, weight(m, MODEL_QUERY_W), d, N, 3 * d, d,
           1.0f);
    m->kernels->bias(u->qkv, weight(m, MODEL_QUERY_B), N, 3 * d);
    struct attention shape = {.L = (size_t)c->max_len,
                              .d = d,
                              .heads = (size_t)c->num_heads,
                              .mask = c->mask,
                              .ld_p = m->ld_p};
    attention_forward(u->attended, u->p, m->trainable, u->qkv, batch->lengths,
                      B, &shape, m->kernels);
    linear(m, u->a, u->attended, MODEL_OUT_W, N);
}

static void feed_forward(struct model *m, size_t N,
                         const struct model_dropout *dropout)
{
    struct model_buffers *u = &m->buffers;
    const struct kernels *k = m->kernels;
    size_t d = (size_t)m->config.emb_dim, ffn = (size_t)m->config.ffn_dim;
    struct kernels_norm norm1 = {.rows = N,
                                 .n = d,
                                 .bias = weight(m, MODEL_OUT_B),
                                 .gamma = weight(m, MODEL_NORM1_W),
                                 .beta = weight(m, MODEL_NORM1_B),
                                 .dropout = dropout->attention,
                                 .x = u->a,
                                 .mean = u->mean1,
                                 .rstd = u->rstd1};
    k->norm_forward(u->y1, &norm1);
    linear(m, u->hidden, u->y1, MODEL_FFN0_W, N);
    k->relu_forward(u->hidden, weight(m, MODEL_FFN0_B), N, ffn, &dropout->ffn);
    linear(m, u->f, u->hidden, MODEL_FFN3_W, N);
    struct kernels_norm norm2 = {.rows = N,
                                 .n = d,
                                 .bias = weight(m, MODEL_FFN3_B),
                                 .gamma = weight(m, MODEL_NORM2_W),
                                 .beta = weight(m, MODEL_NORM2_B),
                                 .x = u->f,
                                 .mean = u->mean2,
                                 .rstd = u->rstd2};
    k->norm_forward(u->y2, &norm2);
}

static void log_softmax(float *x, size_t rows, size_t n)
{
    for (size_t r = 0; r < rows; r++, x += n) {
        double max = x[0], sum = 0;
        for (size_t c = 1; c < n; c++) {
            max = x[c] > max ? x[c] : max;
        }
        for (size_t c = 0; c < n; c++) {
            sum += exp(x[c] - max);
        }
        double shift = max + log(sum);
        for (size_t c = 0; c < n; c++) {
            x[c] = (float)(x[c] - shift);
        }
    }
}

static void head(struct model *m, size_t B, const struct model_dropout *dropout)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    const struct kernels *k = m->kernels;
    const struct model_tensor *wide = &m->tensors[MODEL_HEAD1_W];
    if (B <= FEW_ROWS) {
        k->wide_forward(u->h1, u->y2, wide->weight, B, wide->dims[0],
                        wide->dims[1]);
    } else {
        linear(m, u->h1, u->y2, MODEL_HEAD1_W, B);
    }
    k->relu_forward(u->h1, weight(m, MODEL_HEAD1_B), B, (size_t)c->head1_dim,
                    &dropout->head1);
    linear(m, u->h2, u->h1, MODEL_HEAD4_W, B);
    k->relu_forward(u->h2, weight(m, MODEL_HEAD4_B), B, (size_t)c->head2_dim,
                    &dropout->head2);
    linear(m, u->logprob, u->h2, MODEL_HEAD7_W, B);
    k->bias(u->logprob, weight(m, MODEL_HEAD7_B), B, (size_t)c->n_classes);
    log_softmax(u->logprob, B, (size_t)c->n_classes);
}

void model_forward(struct model *m, const struct model_batch *batch,
                   const struct model_dropout *dropout)
{
    size_t B = (size_t)batch->n;
    embed(m, batch);
    attend(m, batch);
    feed_forward(m, B * (size_t)m->config.max_len, dropout);
    head(m, B, dropout);
}

void model_score(const struct model *m, const struct model_batch *batch,
                 struct model_result *out)
{
    int C = m->config.n_classes;
    struct model_result sum = {0};
    for (int b = 0; b < batch->n; b++) {
        const float *row = m->buffers.logprob + (size_t)b * (size_t)C;
        int best = 0;
        for (int c = 1; c < C; c++) {
            best = row[c] > row[best] ? c : best;
        }
        sum.loss_sum -= row[batch->labels[b]];
        sum.n_correct += best == batch->labels[b];
    }
    *out = sum;
}
