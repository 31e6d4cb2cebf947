/* Which tensors a configuration has, and where everything lies in the arena. */
#include "core/nn/model_parts.h"

#include "core/base/mem.h"
#include "core/nn/attention.h"
#include "core/nn/dropout.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* --- the table of tensors ------------------------------------------------- */

static void name_layer(struct model *m, size_t layer)
{
    for (int id = MODEL_QUERY_W; id <= MODEL_NORM2_B; id++) {
        size_t at = model_place(layer, (enum model_tensor_id)id);
        m->tensors[at] = m->tensors[id];
        snprintf(m->names[at], sizeof(m->names[at]), "layers.%zu.%s", layer,
                 m->tensors[id].name);
        m->tensors[at].name = m->names[at];
    }
}

static int wide_place(const struct model_config *c)
{
    if (c->pooling != MODEL_POOLING_FLATTEN) {
        return MODEL_NONE;
    }
    return c->head1_dim > 0   ? MODEL_HEAD1_W
           : c->head2_dim > 0 ? MODEL_HEAD4_W
                              : MODEL_HEAD7_W;
}

void model_make_table(struct model *m)
{
    const struct model_config *c = &m->config;
    size_t n = model_place((size_t)c->num_layers, MODEL_QUERY_W);
    m->n_places = n;
    m->tensors = mem_alloc(n, sizeof(*m->tensors));
    m->grads = mem_alloc(n, sizeof(*m->grads));
    m->names = mem_alloc(n, sizeof(*m->names));
    m->table = mem_alloc(n, sizeof(*m->table));
#define X(id, title, rows, columns, init, fan_in)                              \
    m->tensors[MODEL_##id] = (struct model_tensor){                            \
        .name = title,                                                         \
        .n_dims = (columns) != 0 ? 2 : 1,                                      \
        .dims = {(size_t)(rows), (size_t)(columns)},                           \
        .n = (size_t)(rows) * ((columns) != 0 ? (size_t)(columns) : 1),        \
    };
    MODEL_TENSORS(X)
#undef X
    for (size_t i = 1; i < (size_t)c->num_layers; i++) {
        name_layer(m, i);
    }
    for (size_t i = 0; i < n; i++) {
        if (m->tensors[i].n > 0) {
            m->table[m->n_table++] = i;
        }
    }
    m->wide = wide_place(c);
}

void model_free_table(struct model *m)
{
    free(m->tensors);
    free(m->grads);
    free(m->names);
    free(m->table);
}

/* --- parameters ----------------------------------------------------------- */

/* Memory order of a layer. q, k and v follow each other without a gap, weights
 * and biases, so that each triple is one matrix or vector. */
static const enum model_tensor_id layer_order[] = {
    MODEL_QUERY_W, MODEL_KEY_W,   MODEL_VALUE_W, MODEL_QUERY_B,
    MODEL_KEY_B,   MODEL_VALUE_B, MODEL_OUT_W,   MODEL_OUT_B,
    MODEL_FFN0_W,  MODEL_FFN0_B,  MODEL_FFN3_W,  MODEL_FFN3_B,
    MODEL_NORM1_W, MODEL_NORM1_B, MODEL_NORM2_W, MODEL_NORM2_B};
static const enum model_tensor_id outer_order[] = {
    MODEL_HEAD1_W, MODEL_HEAD1_B, MODEL_HEAD4_W, MODEL_HEAD4_B, MODEL_HEAD7_W,
    MODEL_HEAD7_B, MODEL_NORM_W,  MODEL_NORM_B,  MODEL_POSITION};

static float *take(struct model *m, size_t n)
{
    return arena_take(&m->arena, n, sizeof(float));
}

/* A times B elements. */
static float *take2(struct model *m, size_t a, size_t b)
{
    size_t n;
    return arena_take(&m->arena, mem_mul(a, b, &n) ? n : SIZE_MAX,
                      sizeof(float));
}

static size_t place_flat(struct model *m, size_t place, size_t at)
{
    struct model_tensor *t = &m->tensors[place];
    const struct model_flat *f = &m->flat;
    if ((int)place == m->wide) {
        return at;
    }
    if (f->weight != NULL) {
        t->weight = f->weight + at;
    }
    if (f->average != NULL) {
        t->average = f->average + at;
    }
    if (f->m != NULL) {
        t->m = f->m + at;
        t->v = f->v + at;
        m->grads[place] = f->grad + at;
    }
    return at + t->n;
}

/* Place all flat tensors; returns how many elements they have. */
static size_t place_all_flat(struct model *m)
{
    size_t at = 0;
    for (size_t l = 0; l < (size_t)m->config.num_layers; l++) {
        for (size_t i = 0; i < ARRAY_LEN(layer_order); i++) {
            at = place_flat(m, model_place(l, layer_order[i]), at);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(outer_order); i++) {
        at = place_flat(m, outer_order[i], at);
    }
    return at;
}

static bool keeps_average(const struct model *m)
{
    return m->trainable && m->config.weight_average > 0;
}

static void take_huge(struct model *m, size_t place)
{
    struct model_tensor *t = &m->tensors[place];
    t->weight = take(m, t->n);
    t->m = m->trainable ? take(m, t->n) : NULL;
    t->v = m->trainable ? take(m, t->n) : NULL;
    t->average = keeps_average(m) ? take(m, t->n) : NULL;
}

static void lay_out_parameters(struct model *m)
{
    const struct model_config *c = &m->config;
    struct model_flat *f = &m->flat;
    f->n = place_all_flat(m);
    f->weight = take(m, f->n);
    f->m = m->trainable ? take(m, f->n) : NULL;
    f->v = m->trainable ? take(m, f->n) : NULL;
    f->grad = m->trainable ? take(m, f->n) : NULL;
    f->average = keeps_average(m) ? take(m, f->n) : NULL;
    if (f->weight != NULL) {
        place_all_flat(m);
    }
    take_huge(m, MODEL_EMBEDDING);
    if (m->wide != MODEL_NONE) {
        take_huge(m, (size_t)m->wide);
        m->halves = model_has_halves(m)
                        ? arena_take(&m->arena, m->tensors[m->wide].dims[1],
                                     sizeof(*m->halves))
                        : NULL;
    }
    if (c->position == MODEL_POSITION_SINUSOID) {
        m->sinusoid = take2(m, (size_t)c->max_len, (size_t)c->emb_dim);
    }
}

/* --- buffers -------------------------------------------------------------- */

static uint16_t *take_bits(struct model *m, size_t rows, size_t n)
{
    return m->trainable
               ? arena_take(&m->arena, dropout_words(rows, n), sizeof(uint16_t))
               : NULL;
}

static struct model_hidden take_hidden(struct model *m, size_t rows,
                                       size_t width)
{
    bool in_place =
        m->config.activation == MODEL_ACTIVATION_RELU || !m->trainable;
    struct model_hidden h = {.y = take2(m, rows, width)};
    h.z = in_place ? h.y : take2(m, rows, width);
    h.bits = take_bits(m, rows, width);
    return h;
}

static struct model_point take_point(struct model *m, size_t at, size_t rows)
{
    size_t d = (size_t)m->config.emb_dim;
    struct model_point p = {.sum = take2(m, rows, d)};
    if (!model_has_norm(m, at)) {
        p.y = p.sum;
        return p;
    }
    p.y = take2(m, rows, d);
    p.mean = take(m, rows);
    p.rstd = take(m, rows);
    return p;
}

static struct model_layer take_layer(struct model *m, size_t B, size_t rows)
{
    const struct model_config *c = &m->config;
    size_t d = (size_t)c->emb_dim;
    size_t tiles = m->trainable ? B * (size_t)c->num_heads : 1;
    struct model_layer l = {.qkv = take2(m, rows, 3 * d)};
    l.stats = take2(m, tiles, 2 * (size_t)c->max_len);
    l.attended = take2(m, rows, d);
    l.bits = take_bits(m, rows, d);
    l.ffn = take_hidden(m, rows, (size_t)c->ffn_dim);
    return l;
}

/* While counting there are no arrays of points and layers to write to. */
static void lay_out_chain(struct model *m, size_t B, size_t N)
{
    struct model_buffers *u = &m->buffers;
    size_t n_points = model_n_points(m),
           n_layers = (size_t)m->config.num_layers;
    u->points = arena_take(&m->arena, n_points, sizeof(*u->points));
    u->layers = arena_take(&m->arena, n_layers, sizeof(*u->layers));
    for (size_t i = 0; i < n_points; i++) {
        bool again = !m->trainable && i > 2;
        struct model_point p = {0};
        if (!again) {
            p = take_point(m, i, N);
        }
        if (u->points != NULL) {
            u->points[i] = again ? u->points[i - 2] : p;
        }
    }
    for (size_t i = 0; i < n_layers; i++) {
        bool again = !m->trainable && i > 0;
        struct model_layer l = {0};
        if (!again) {
            l = take_layer(m, B, N);
        }
        if (u->layers != NULL) {
            u->layers[i] = again ? u->layers[0] : l;
        }
    }
}

static void lay_out_forward(struct model *m, size_t B, size_t N)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t L = (size_t)c->max_len, d = (size_t)c->emb_dim;
    u->attention = take(m, attention_scratch(L, d, (size_t)c->num_heads));
    u->starts = arena_take(&m->arena, B + 1, sizeof(*u->starts));
    u->ids = arena_take(&m->arena, N, sizeof(*u->ids));
    lay_out_chain(m, B, N);
    if (c->pooling != MODEL_POOLING_FLATTEN) {
        u->features = take2(m, B, d);
    } else if (u->points != NULL) {
        u->features = u->points[model_n_points(m) - 1].y;
    }
    u->head[0] = take_hidden(m, B, (size_t)c->head1_dim);
    u->head[1] = take_hidden(m, B, (size_t)c->head2_dim);
    u->logprob = take2(m, B, (size_t)c->n_classes);
}

static void lay_out_backward(struct model *m, size_t B, size_t N)
{
    const struct model_config *c = &m->config;
    struct model_buffers *u = &m->buffers;
    size_t d = (size_t)c->emb_dim;
    bool flat = c->pooling == MODEL_POOLING_FLATTEN;
    u->bits_tokens = take_bits(m, N, 1);
    u->bits_embedding = take_bits(m, N, d);
    u->bits_features = take_bits(m, B, model_n_features(c));
    u->grad = take2(m, N, d);
    u->grad_next = take2(m, N, d);
    u->grad_carry = c->residual ? take2(m, N, d) : NULL;
    u->grad_hidden = take2(m, N, (size_t)c->ffn_dim);
    u->grad_qkv = take2(m, N, 3 * d);
    /* Of flatten it is grad itself, at every step: model_backward.c. */
    u->grad_features = flat ? u->grad : take2(m, B, d);
    if (c->pooling == MODEL_POOLING_MAX) {
        u->chosen = arena_take(&m->arena, B * d, sizeof(*u->chosen));
    }
    u->grad_head[0] = take2(m, B, (size_t)c->head1_dim);
    u->grad_head[1] = take2(m, B, (size_t)c->head2_dim);
    u->grad_logits = take2(m, B, (size_t)c->n_classes);
    u->class_weights = take(m, (size_t)c->n_classes);
    u->first = arena_take(&m->arena, (size_t)c->vocab_size, sizeof(int32_t));
    u->next = arena_take(&m->arena, N, sizeof(int32_t));
    u->row = take(m, d);
}

void model_lay_out(struct model *m)
{
    size_t B = (size_t)m->config.max_batch;
    size_t N = B * (size_t)m->config.max_len;
    if (m->ops.bf16 != NULL) {
        m->ops.pack = arena_take(&m->arena, BF16_PACK_BYTES, 1);
    }
    lay_out_parameters(m);
    lay_out_forward(m, B, N);
    if (m->trainable) {
        lay_out_backward(m, B, N);
    }
}
