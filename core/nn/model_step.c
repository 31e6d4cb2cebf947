/* What a batch goes through: a training step, an evaluation, gradients. */
#include "core/nn/model_parts.h"

#include "core/nn/adamw.h"
#include "core/nn/dropout.h"

#include <assert.h>
#include <math.h>
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

/* --- dropout -------------------------------------------------------------- */

struct draw {
    struct dropout_draw at; /* p of the place is filled in */
    const struct kernels *kernels;
};

static struct kernels_dropout draw(const struct draw *how, uint16_t *bits,
                                   float p, size_t rows, size_t n,
                                   enum dropout_place place)
{
    struct dropout_draw at = how->at;
    at.p = p;
    return dropout_bits(bits, rows, n, place, &at, how->kernels);
}

/* Of the head: behind its hidden layers, or before it when it has none. */
static void draw_head(struct model *m, const struct draw *how, size_t B)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    float p = c->head_dropout;
    float p_features = c->head1_dim + c->head2_dim == 0 ? p : 0.0f;
    u->head[0].dropout =
        draw(how, u->head[0].bits, p, B, (size_t)c->head1_dim, DROPOUT_HEAD1);
    u->head[1].dropout =
        draw(how, u->head[1].bits, p, B, (size_t)c->head2_dim, DROPOUT_HEAD2);
    u->features_dropout = draw(how, u->bits_features, p_features, B,
                               model_n_features(c), DROPOUT_FEATURES);
}

static void draw_encoder(struct model *m, const struct draw *how, size_t rows)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t d = (size_t)c->emb_dim;
    u->embedding_dropout = draw(how, u->bits_embedding, c->embedding_dropout,
                                rows, d, DROPOUT_EMBEDDING);
    for (size_t i = 0; i < (size_t)c->num_layers; i++) {
        struct model_layer *l = &u->layers[i];
        l->dropout = draw(how, l->bits, c->attention_dropout, rows, d,
                          dropout_in_layer(DROPOUT_ATTENTION, i));
        l->ffn.dropout =
            draw(how, l->ffn.bits, c->ffn_dropout, rows, (size_t)c->ffn_dim,
                 dropout_in_layer(DROPOUT_FFN, i));
    }
}

static void drop_tokens(struct model *m, const struct draw *how, size_t rows)
{
    struct model_buffers *u = &m->buffers;
    struct kernels_dropout kept = draw(
        how, u->bits_tokens, m->config.token_dropout, rows, 1, DROPOUT_TOKENS);
    for (size_t r = 0; r < rows && kept.bits != NULL; r++) {
        u->ids[r] = (kept.bits[r] & 1) != 0 ? u->ids[r] : 0;
    }
}

/* The tokens of this step and the masks of all places. */
static void draw_dropout(struct model *m, const struct model_batch *batch,
                         uint64_t seed, uint32_t trial)
{
    struct draw how = {.at = {.seed = seed, .trial = trial, .step = m->step},
                       .kernels = m->kernels};
    size_t rows = model_n_rows(m, batch);
    drop_tokens(m, &how, rows);
    draw_encoder(m, &how, rows);
    draw_head(m, &how, (size_t)batch->n);
}

static void keep_all(struct model *m)
{
    struct model_buffers *u = &m->buffers;
    u->embedding_dropout = u->features_dropout = (struct kernels_dropout){0};
    for (size_t i = 0; i < (size_t)m->config.num_layers; i++) {
        u->layers[i].dropout = (struct kernels_dropout){0};
        u->layers[i].ffn.dropout = (struct kernels_dropout){0};
    }
    for (int i = 0; i < MODEL_N_HIDDEN; i++) {
        u->head[i].dropout = (struct kernels_dropout){0};
    }
}

/* --- the size of a gradient ----------------------------------------------- */

/* What the wide layer's gradient dy^T x is made of; N = 0: there is none. */
struct wide_input {
    size_t O, N;
    const float *x, *dy; /* (B, N), (B, O) */
};

static struct wide_input wide_input(const struct model *m)
{
    const struct model_buffers *u = &m->buffers;
    if (m->wide == MODEL_NONE) {
        return (struct wide_input){0};
    }
    const struct model_tensor *t = &m->tensors[m->wide];
    const float *dy = m->wide == MODEL_HEAD1_W   ? u->grad_head[0]
                      : m->wide == MODEL_HEAD4_W ? u->grad_head[1]
                                                 : u->grad_logits;
    return (struct wide_input){
        .O = t->dims[0], .N = t->dims[1], .x = u->features, .dy = dy};
}

/* |dy^T x|^2 = sum over a and b of (dy_a . dy_b) (x_a . x_b): the gradient
 * itself is not needed. */
static double wide_squares(const struct wide_input *w, size_t B,
                           const struct kernels *k)
{
    double sum = 0;
    for (size_t a = 0; a < B; a++) {
        for (size_t b = 0; b <= a; b++) {
            double dot = k->dot(w->dy + a * w->O, w->dy + b * w->O, w->O) *
                         k->dot(w->x + a * w->N, w->x + b * w->N, w->N);
            sum += a == b ? dot : 2 * dot;
        }
    }
    return sum;
}

/* What the whole gradient is to be multiplied by, as
 * torch/nn/utils/clip_grad.py does it. */
static double clip_factor(const struct model *m,
                          const struct model_batch *batch,
                          const struct adamw_rows *rows, float clip_norm)
{
    const struct model_flat *f = &m->flat;
    const struct kernels *k = m->kernels;
    struct wide_input wide = wide_input(m);
    double squares = k->dot(f->grad, f->grad, f->n);
    squares += adamw_embedding_squares(
        m->tensors[MODEL_EMBEDDING].dims[0], (size_t)m->config.emb_dim,
        m->buffers.ids, m->buffers.grad, model_n_rows(m, batch), rows, k);
    if (wide.N > 0) {
        squares += wide_squares(&wide, (size_t)batch->n, k);
    }
    double factor = (double)clip_norm / (sqrt(squares) + 1e-6);
    return factor >= 1.0 ? 1.0 : factor; /* NaN stays */
}

/* --- a training step ------------------------------------------------------ */

static void step_embedding(struct model *m, const struct model_batch *batch,
                           const struct adamw_rows *rows,
                           const struct kernels_adamw *step)
{
    const struct model_tensor *e = &m->tensors[MODEL_EMBEDDING];
    adamw_embedding(e->weight, e->m, e->v, e->dims[0], e->dims[1],
                    m->buffers.ids, m->buffers.grad, model_n_rows(m, batch),
                    rows, step, m->kernels);
}

/* The wide layer by itself, when it had to wait for the whole gradient. */
static void step_wide(struct model *m, size_t B,
                      const struct kernels_adamw *step)
{
    struct wide_input w = wide_input(m);
    if (w.N > 0) {
        float *dx = m->buffers.grad_next; /* (B, N) and of no use any more */
        model_wide_step(m, dx, w.x, w.dy, B, step);
    }
}

void model_train_step(struct model *m, const struct model_batch *batch,
                      const struct model_adamw *opt, uint64_t seed,
                      uint32_t trial, struct model_result *out)
{
    assert(m->trainable && batch->labels != NULL);
    check_batch(m, batch);
    struct kernels_adamw step = adamw_constants(opt, m->step + 1);
    bool clips = opt->clip_norm > 0;
    struct adamw_rows rows = {.first = m->buffers.first,
                              .next = m->buffers.next,
                              .row = m->buffers.row};
    m->moments_may_differ = true;
    model_split(m);
    model_start_rows(m, batch);
    draw_dropout(m, batch, seed, trial);
    model_forward(m, batch);
    model_score(m, batch, out);
    model_backward(m, batch, clips ? NULL : &step, NULL);
    if (clips) {
        adamw_scale(&step, clip_factor(m, batch, &rows, opt->clip_norm));
        step_wide(m, (size_t)batch->n, &step);
    }
    const struct model_flat *f = &m->flat;
    m->kernels->adamw(f->weight, f->m, f->v, f->grad, f->n, &step);
    step_embedding(m, batch, &rows, &step);
    m->step++;
    model_average_step(m);
}

/* --- without a step ------------------------------------------------------- */

void model_evaluate(struct model *m, const struct model_batch *batch,
                    float *logprob, struct model_result *out)
{
    assert(out == NULL || batch->labels != NULL);
    check_batch(m, batch);
    keep_all(m);
    model_split(m);
    model_start_rows(m, batch);
    model_average_swap(m);
    model_forward(m, batch);
    model_average_swap(m);
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
    size_t d = e->dims[1], n = model_n_rows(m, batch);
    memset(grad, 0, e->n * sizeof(*grad));
    for (size_t i = 0; i < n; i++) {
        float *row = grad + (size_t)m->buffers.ids[i] * d;
        m->kernels->add(row, row, m->buffers.grad + i * d, d);
    }
}

void model_gradients(struct model *m, const struct model_batch *batch,
                     float *const *grads, struct model_result *out)
{
    assert(m->trainable && batch->labels != NULL);
    check_batch(m, batch);
    float *wide_grad = NULL;
    for (size_t i = 0; i < m->n_table; i++) {
        wide_grad = (int)m->table[i] == m->wide ? grads[i] : wide_grad;
    }
    keep_all(m);
    model_split(m);
    model_start_rows(m, batch);
    model_forward(m, batch);
    model_score(m, batch, out);
    model_backward(m, batch, NULL, wide_grad);
    for (size_t i = 0; i < m->n_table; i++) {
        size_t place = m->table[i];
        if (place == MODEL_EMBEDDING) {
            embedding_gradient(m, batch, grads[i]);
        } else if (m->grads[place] != NULL) {
            memcpy(grads[i], m->grads[place],
                   m->tensors[place].n * sizeof(float));
        }
    }
}
