#include "core/nn/model_parts.h"

#include "core/nn/attention.h"
#include "core/nn/ops.h"
#include "core/nn/pooling.h"

#include <math.h>

/* y (rows, n_out) = x (rows, n_in) w^T; the bias belongs to what follows. */
static void linear(const struct model *m, float *y, const float *x,
                   size_t place, size_t rows)
{
    const struct model_tensor *t = &m->tensors[place];
    if ((int)place == m->wide && rows <= MODEL_FEW_ROWS) {
        model_wide_forward(m, y, x, rows);
    } else {
        ops_nt(&m->ops, y, t->dims[0], x, t->dims[1], t->weight, t->dims[1],
               rows, t->dims[0], t->dims[1], 1.0f);
    }
}

static const float *weight(const struct model *m, size_t place)
{
    return m->tensors[place].weight;
}

/* A Linear with its activation; the bias follows the weight in the table. */
static void hidden(const struct model *m, const struct model_hidden *h,
                   const float *x, size_t place, size_t rows)
{
    const struct kernels *k = m->kernels;
    const float *bias = weight(m, place + 1);
    size_t width = m->tensors[place].dims[0];
    linear(m, h->z, x, place, rows);
    if (m->config.activation == MODEL_ACTIVATION_GELU) {
        k->gelu_forward(h->y, h->z, bias, rows, width, &h->dropout);
    } else {
        k->relu_forward(h->y, bias, rows, width, &h->dropout);
    }
}

/* --- from ids to rows ----------------------------------------------------- */

void model_start_rows(struct model *m, const struct model_batch *batch)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t L = (size_t)c->max_len;
    bool all =
        c->mask == MODEL_MASK_NOTEBOOK || c->pooling == MODEL_POOLING_FLATTEN;
    u->starts[0] = 0;
    for (size_t b = 0; b < (size_t)batch->n; b++) {
        size_t rows = all ? L : (size_t)batch->lengths[b];
        u->starts[b + 1] = u->starts[b] + rows;
        for (size_t i = 0; i < rows; i++) {
            u->ids[u->starts[b] + i] = batch->ids[b * L + i];
        }
    }
}

static void embed(struct model *m, const struct model_batch *batch)
{
    struct model_buffers *u = &m->buffers;
    size_t d = (size_t)m->config.emb_dim;
    const float *table = weight(m, MODEL_EMBEDDING);
    const float *position =
        m->sinusoid != NULL ? m->sinusoid : weight(m, MODEL_POSITION);
    float *x = u->points[0].sum;
    for (size_t b = 0; b < (size_t)batch->n; b++) {
        for (size_t r = u->starts[b]; r < u->starts[b + 1]; r++) {
            m->kernels->add(x + r * d, table + (size_t)u->ids[r] * d,
                            position + (r - u->starts[b]) * d, d);
        }
    }
    if (u->embedding_dropout.bits != NULL) {
        m->kernels->drop(x, model_n_rows(m, batch), d, &u->embedding_dropout);
    }
}

/* --- the encoder ---------------------------------------------------------- */

size_t model_norm_place(const struct model *m, size_t point)
{
    bool pre = m->config.norm == MODEL_NORM_PRE;
    if (pre && point + 1 == model_n_points(m)) {
        return MODEL_NORM_W;
    }
    size_t at = pre ? point : point - 1;
    return model_place(at / 2, at % 2 == 0 ? MODEL_NORM1_W : MODEL_NORM2_W);
}

size_t model_bias_place(size_t point)
{
    size_t part = point - 1;
    return model_place(part / 2, part % 2 == 0 ? MODEL_OUT_B : MODEL_FFN3_B);
}

struct kernels_norm model_norm_at(const struct model *m, size_t point,
                                  size_t rows)
{
    const struct model_buffers *u = &m->buffers;
    const struct model_point *p = &u->points[point];
    size_t place = model_norm_place(m, point);
    struct kernels_norm norm = {.rows = rows,
                                .n = (size_t)m->config.emb_dim,
                                .gamma = weight(m, place),
                                .beta = weight(m, place + 1),
                                .x = p->sum,
                                .mean = p->mean,
                                .rstd = p->rstd};
    if (point > 0) {
        const struct model_point *before = &u->points[point - 1];
        bool pre = m->config.norm == MODEL_NORM_PRE;
        norm.bias = weight(m, model_bias_place(point));
        if (m->config.residual) {
            norm.residual = pre ? before->sum : before->y;
        }
        if (point % 2 == 1) { /* after attention */
            norm.dropout = u->layers[point / 2].dropout;
        }
    }
    return norm;
}

static void attend(struct model *m, const struct model_batch *batch,
                   size_t layer, float *out, const float *x, size_t rows)
{
    const struct model_config *c = &m->config;
    const struct model_layer *l = &m->buffers.layers[layer];
    size_t d = (size_t)c->emb_dim;
    /* q, k and v in one product: their weights lie side by side. */
    ops_nt(&m->ops, l->qkv, 3 * d, x, d,
           weight(m, model_place(layer, MODEL_QUERY_W)), d, rows, 3 * d, d,
           1.0f);
    m->kernels->bias(l->qkv, weight(m, model_place(layer, MODEL_QUERY_B)), rows,
                     3 * d);
    struct attention shape = {.B = (size_t)batch->n,
                              .L = (size_t)c->max_len,
                              .d = d,
                              .heads = (size_t)c->num_heads,
                              .starts = m->buffers.starts,
                              .lengths = batch->lengths,
                              .mask = c->mask,
                              .scratch = m->buffers.attention};
    attention_forward(l->attended, l->stats, m->trainable, l->qkv, &shape,
                      m->kernels);
    linear(m, out, l->attended, model_place(layer, MODEL_OUT_W), rows);
}

static void encode(struct model *m, const struct model_batch *batch)
{
    struct model_buffers *u = &m->buffers;
    size_t rows = model_n_rows(m, batch), n_points = model_n_points(m);
    for (size_t j = 0; j < n_points; j++) {
        const struct model_point *p = &u->points[j];
        if (model_has_norm(m, j)) {
            struct kernels_norm norm = model_norm_at(m, j, rows);
            m->kernels->norm_forward(p->y, &norm);
        }
        if (j + 1 == n_points) {
            break;
        }
        float *out = u->points[j + 1].sum;
        size_t layer = j / 2;
        if (j % 2 == 0) {
            attend(m, batch, layer, out, p->y, rows);
        } else {
            const struct model_hidden *ffn = &u->layers[layer].ffn;
            hidden(m, ffn, p->y, model_place(layer, MODEL_FFN0_W), rows);
            linear(m, out, ffn->y, model_place(layer, MODEL_FFN3_W), rows);
        }
    }
}

/* --- the head ------------------------------------------------------------- */

static void pool(struct model *m, const struct model_batch *batch)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    if (c->pooling != MODEL_POOLING_FLATTEN) {
        struct pooling shape = {.kind = c->pooling,
                                .B = (size_t)batch->n,
                                .d = (size_t)c->emb_dim,
                                .starts = u->starts,
                                .lengths = batch->lengths};
        pooling_forward(u->features, u->chosen,
                        u->points[model_n_points(m) - 1].y, &shape, m->kernels);
    }
    if (u->features_dropout.bits != NULL) {
        m->kernels->drop(u->features, (size_t)batch->n, model_n_features(c),
                         &u->features_dropout);
    }
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

static void head(struct model *m, size_t B)
{
    static const size_t places[MODEL_N_HIDDEN] = {MODEL_HEAD1_W, MODEL_HEAD4_W};
    struct model_buffers *u = &m->buffers;
    size_t C = (size_t)m->config.n_classes;
    const float *x = u->features;
    for (int i = 0; i < MODEL_N_HIDDEN; i++) {
        if (m->tensors[places[i]].n > 0) {
            hidden(m, &u->head[i], x, places[i], B);
            x = u->head[i].y;
        }
    }
    linear(m, u->logprob, x, MODEL_HEAD7_W, B);
    m->kernels->bias(u->logprob, weight(m, MODEL_HEAD7_B), B, C);
    log_softmax(u->logprob, B, C);
}

void model_forward(struct model *m, const struct model_batch *batch)
{
    embed(m, batch);
    encode(m, batch);
    pool(m, batch);
    head(m, (size_t)batch->n);
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
