/* model_parts: what the model's own files share; nobody else includes this. */
#ifndef CORE_NN_MODEL_PARTS_H
#define CORE_NN_MODEL_PARTS_H
#include "core/nn/arena.h"
#include "core/nn/kernels.h"
#include "core/nn/model.h"
#include "core/nn/ops.h"

/* X(id, PyTorch's name, rows, columns (0: a vector), first values, fan_in);
 * in the order of PyTorch's named_parameters. c: the config. A tensor of 0
 * rows is one that the configuration does not have. The number of a tensor is
 * its stream of RNG_INIT, so the list is append only. */
#define MODEL_TENSORS(X)                                                       \
    X(EMBEDDING, "embedding.weight", c->vocab_size, c->emb_dim, NORMAL, 0)     \
    X(POSITION, "position.weight",                                             \
      c->position == MODEL_POSITION_LEARNED ? c->max_len : 0, c->emb_dim,      \
      NORMAL, 0)                                                               \
    MODEL_LAYER_TENSORS(X)                                                     \
    X(HEAD1_W, "head.1.weight", c->head1_dim, model_head_in(c, 0), UNIFORM,    \
      model_head_in(c, 0))                                                     \
    X(HEAD1_B, "head.1.bias", c->head1_dim, 0, UNIFORM, model_head_in(c, 0))   \
    X(HEAD4_W, "head.4.weight", c->head2_dim, model_head_in(c, 1), UNIFORM,    \
      model_head_in(c, 1))                                                     \
    X(HEAD4_B, "head.4.bias", c->head2_dim, 0, UNIFORM, model_head_in(c, 1))   \
    X(HEAD7_W, "head.7.weight", c->n_classes, model_head_in(c, 2), UNIFORM,    \
      model_head_in(c, 2))                                                     \
    X(HEAD7_B, "head.7.bias", c->n_classes, 0, UNIFORM, model_head_in(c, 2))   \
    X(NORM_W, "norm.weight", model_norm_dim(c), 0, ONE, 0)                     \
    X(NORM_B, "norm.bias", model_norm_dim(c), 0, ZERO, 0)

/* What each layer has. */
#define MODEL_LAYER_TENSORS(X)                                                 \
    X(QUERY_W, "attention.query.weight", c->emb_dim, c->emb_dim, UNIFORM,      \
      c->emb_dim)                                                              \
    X(QUERY_B, "attention.query.bias", c->emb_dim, 0, UNIFORM, c->emb_dim)     \
    X(KEY_W, "attention.key.weight", c->emb_dim, c->emb_dim, UNIFORM,          \
      c->emb_dim)                                                              \
    X(KEY_B, "attention.key.bias", c->emb_dim, 0, UNIFORM, c->emb_dim)         \
    X(VALUE_W, "attention.value.weight", c->emb_dim, c->emb_dim, UNIFORM,      \
      c->emb_dim)                                                              \
    X(VALUE_B, "attention.value.bias", c->emb_dim, 0, UNIFORM, c->emb_dim)     \
    X(OUT_W, "attention.out.weight", c->emb_dim, c->emb_dim, UNIFORM,          \
      c->emb_dim)                                                              \
    X(OUT_B, "attention.out.bias", c->emb_dim, 0, UNIFORM, c->emb_dim)         \
    X(FFN0_W, "ffn.0.weight", c->ffn_dim, c->emb_dim, UNIFORM, c->emb_dim)     \
    X(FFN0_B, "ffn.0.bias", c->ffn_dim, 0, UNIFORM, c->emb_dim)                \
    X(FFN3_W, "ffn.3.weight", c->emb_dim, c->ffn_dim, UNIFORM, c->ffn_dim)     \
    X(FFN3_B, "ffn.3.bias", c->emb_dim, 0, UNIFORM, c->ffn_dim)                \
    X(NORM1_W, "norm1.weight", c->emb_dim, 0, ONE, 0)                          \
    X(NORM1_B, "norm1.bias", c->emb_dim, 0, ZERO, 0)                           \
    X(NORM2_W, "norm2.weight", c->emb_dim, 0, ONE, 0)                          \
    X(NORM2_B, "norm2.bias", c->emb_dim, 0, ZERO, 0)

enum model_tensor_id {
#define X(id, name, rows, columns, init, fan_in) MODEL_##id,
    MODEL_TENSORS(X)
#undef X
        MODEL_N_TENSORS,
    MODEL_N_LAYER_TENSORS = MODEL_NORM2_B - MODEL_QUERY_W + 1,
    MODEL_N_HIDDEN = 2, /* hidden layers of the head, present or not */
    MODEL_NAME_MAX = 48
};

/* Width of what is pooled from a text. */
static inline size_t model_n_features(const struct model_config *c)
{
    bool flat = c->pooling == MODEL_POOLING_FLATTEN;
    return (flat ? (size_t)c->max_len : 1) * (size_t)c->emb_dim;
}

/* What layer 0, 1 or 2 of the head reads: the one before, if it is there. */
static inline size_t model_head_in(const struct model_config *c, int layer)
{
    if (layer > 1 && c->head2_dim > 0) {
        return (size_t)c->head2_dim;
    }
    return layer > 0 && c->head1_dim > 0 ? (size_t)c->head1_dim
                                         : model_n_features(c);
}

static inline int model_norm_dim(const struct model_config *c)
{
    return c->norm == MODEL_NORM_PRE ? c->emb_dim : 0;
}

/* The encoder is a chain of 2 num_layers parts, attention and ffn in turn.
 * Point j stands before part j, the last one behind the last part:
 *   pre-norm   sum_0 = embedded, sum_j = [sum_(j-1) +] part_(j-1)(y_(j-1)),
 *              y_j = norm(sum_j)
 *   post-norm  y_0 = embedded, sum_j = [y_(j-1) +] part_(j-1)(y_(j-1)),
 *              y_j = norm(sum_j) for j > 0                                   */
struct model_point {
    float *sum, *y;     /* (N, d); one and the same where there is no norm */
    float *mean, *rstd; /* (N) */
};

/* A Linear with activation and dropout: z before, y after (ReLU: the same). */
struct model_hidden {
    float *z, *y; /* (rows, width) */
    uint16_t *bits;
    struct kernels_dropout dropout; /* of this step */
};

struct model_layer {
    float *qkv;      /* (N, 3 d) */
    float *stats;    /* (max_batch, heads, 2 L), or (2 L): attention.h */
    float *attended; /* (N, d) */
    uint16_t *bits;  /* of the attention's result */
    struct kernels_dropout dropout;
    struct model_hidden ffn; /* (N, ffn) */
};

/* Where everything of a batch is kept between forward and backward; N =
 * max_batch * L rows at the most. Dropout's bits are drawn for each step. A
 * model that is not trainable shares one layer and three points. */
struct model_buffers {
    size_t *starts; /* (max_batch + 1): the first row of each text */
    int32_t *ids;   /* (N): the token of each row */
    uint16_t *bits_tokens, *bits_embedding, *bits_features;
    struct kernels_dropout embedding_dropout, features_dropout;
    float *attention;           /* its scratch */
    struct model_point *points; /* (2 num_layers + 1) */
    struct model_layer *layers; /* (num_layers) */
    float *features;            /* (max_batch, F); flatten: the last y */
    int32_t *chosen;            /* (max_batch, d): pooling's maximum */
    struct model_hidden head[MODEL_N_HIDDEN]; /* (max_batch, width) */
    float *logprob;                           /* (max_batch, C) */
    /* Backward; NULL in a model that is not trainable. */
    float *grad, *grad_next, *grad_carry; /* (N, d): from part to part */
    float *grad_hidden;                   /* (N, ffn) */
    float *grad_qkv;                      /* (N, 3 d) */
    float *grad_features;                 /* (max_batch, F); flatten: grad */
    float *grad_head[MODEL_N_HIDDEN], *grad_logits;
    float *class_weights;  /* (C) */
    int32_t *first, *next; /* (V), (N): adamw.h's rows */
    float *row;            /* (d) */
};

/* A parameter arena thrice over: all tensors but the two huge ones have their
 * gradient in `grad`, in the same layout, so one flat pass steps them. */
struct model_flat {
    float *weight, *m, *v, *grad; /* (n) */
    float *average;               /* (n), or NULL */
    size_t n;
};

enum {
    MODEL_NONE = -1,
    MODEL_FEW_ROWS = 16 /* up to here the wide layer is bound by memory */
};

struct model {
    struct model_config config;
    bool trainable;
    bool moments_may_differ; /* from 0; false: nobody touched their pages */
    int64_t step;
    struct arena arena;
    /* By place (model_place); (n_places) each. */
    size_t n_places;
    struct model_tensor *tensors;
    float **grads; /* in flat.grad; NULL for the huge ones */
    char (*names)[MODEL_NAME_MAX];
    size_t *table; /* places of the tensors that this model has; (n_table) */
    size_t n_table;
    int wide; /* place of the head's first weight when it is huge, or NONE */
    /* That weight and its average are in halves now: model_halves.c. */
    bool is_split;
    uint16_t *halves; /* scratch: a row of them; NULL where never split */
    struct model_flat flat;
    float *sinusoid; /* (L, d), or NULL */
    struct model_buffers buffers;
    const struct kernels *kernels;
    struct ops ops;
};

/* Where a tensor of a layer stands; of what is not in layers: layer 0. */
static inline size_t model_place(size_t layer, enum model_tensor_id id)
{
    return layer == 0 ? (size_t)id
                      : MODEL_N_TENSORS + (layer - 1) * MODEL_N_LAYER_TENSORS +
                            (size_t)(id - MODEL_QUERY_W);
}

static inline size_t model_n_points(const struct model *m)
{
    return 2 * (size_t)m->config.num_layers + 1;
}

static inline bool model_has_norm(const struct model *m, size_t point)
{
    return point > 0 || m->config.norm == MODEL_NORM_PRE;
}

/* Rows of the whole batch whose starts are in the buffers. */
static inline size_t model_n_rows(const struct model *m,
                                  const struct model_batch *batch)
{
    return m->buffers.starts[batch->n];
}

/* model_layout.c: sizes of all tensors and buffers; run once to count (the
 * arena has no base) and once to place. */
void model_lay_out(struct model *m);
/* The table of tensors, which the layout needs; released by free_table. */
void model_make_table(struct model *m);
void model_free_table(struct model *m);

/* Position encoding PE[p,2i] = sin(p / 10000^(2i/d)), PE[p,2i+1] = cos(same),
 * in float32 as the reference rounds it. */
void model_sinusoid(float *out, size_t L, size_t d);

/* The norm that makes y_j of sum_j, with what completes sum_j before it. */
struct kernels_norm model_norm_at(const struct model *m, size_t point,
                                  size_t rows);
/* Place of its weight; the bias follows. */
size_t model_norm_place(const struct model *m, size_t point);
/* Place of the bias that completes sum_j, j > 0. */
size_t model_bias_place(size_t point);

/* Rows of the batch: all L of each text, or its tokens alone where nothing
 * depends on the rest. */
void model_start_rows(struct model *m, const struct model_batch *batch);
/* Forward up to logprob in the buffers, with the rows and the dropout that are
 * set there. */
void model_forward(struct model *m, const struct model_batch *batch);
/* Loss and hits of what forward left; labels are set. */
void model_score(const struct model *m, const struct model_batch *batch,
                 struct model_result *out);

/* model_average.c: let the averages follow the step just taken; exchange them
 * with the weights. Without averages neither does anything. */
void model_average_step(struct model *m);
void model_average_swap(struct model *m);

/* model_halves.c: where products are in bfloat16 and batches small, the wide
 * layer's weight and average are in halves (halves.h) while batches go through
 * the model, and floats again before anybody else looks at them. Both ways are
 * exact, and free where there is nothing to do. */
bool model_has_halves(const struct model *m);
void model_split(struct model *m);
void model_join(struct model *m);
/* The wide layer as it stands: y = x w^T; dx = dy w and a step; dx alone; the
 * average follows. Products with halves take the upper ones. */
void model_wide_forward(const struct model *m, float *y, const float *x,
                        size_t rows);
void model_wide_step(const struct model *m, float *dx, const float *x,
                     const float *dy, size_t rows,
                     const struct kernels_adamw *step);
void model_wide_input(const struct model *m, float *dx, const float *dy,
                      size_t rows);
void model_wide_blend(const struct model *m, float by);

/* Backward from the mean loss: gradients into flat.grad, and grad gets the
 * embedded input's. Of the wide layer: step given, it is stepped on the way;
 * else its gradient is written to wide_grad, or nowhere when that is NULL. */
void model_backward(struct model *m, const struct model_batch *batch,
                    const struct kernels_adamw *step, float *wide_grad);

#endif
