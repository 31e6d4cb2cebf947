/* model_parts: what the model's own files share; nobody else includes this. */
#ifndef CORE_NN_MODEL_PARTS_H
#define CORE_NN_MODEL_PARTS_H
#include "core/nn/arena.h"
#include "core/nn/kernels.h"
#include "core/nn/model.h"

/* X(id, PyTorch's name, rows, columns (0: a vector), first values, fan_in);
 * in the order of PyTorch's named_parameters. c: the config. The number of a
 * tensor is its stream of RNG_INIT, so the list is append only. */
#define MODEL_TENSORS(X)                                                       \
    X(EMBEDDING, "embedding.weight", c->vocab_size, c->emb_dim, NORMAL, 0)     \
    X(POSITION, "position.weight", c->max_len, c->emb_dim, NORMAL, 0)          \
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
    X(NORM2_B, "norm2.bias", c->emb_dim, 0, ZERO, 0)                           \
    X(HEAD1_W, "head.1.weight", c->head1_dim, (size_t)c->max_len * c->emb_dim, \
      UNIFORM, (size_t)c->max_len * c->emb_dim)                                \
    X(HEAD1_B, "head.1.bias", c->head1_dim, 0, UNIFORM,                        \
      (size_t)c->max_len * c->emb_dim)                                         \
    X(HEAD4_W, "head.4.weight", c->head2_dim, c->head1_dim, UNIFORM,           \
      c->head1_dim)                                                            \
    X(HEAD4_B, "head.4.bias", c->head2_dim, 0, UNIFORM, c->head1_dim)          \
    X(HEAD7_W, "head.7.weight", c->n_classes, c->head2_dim, UNIFORM,           \
      c->head2_dim)                                                            \
    X(HEAD7_B, "head.7.bias", c->n_classes, 0, UNIFORM, c->head2_dim)

enum model_tensor_id {
#define X(id, name, rows, columns, init, fan_in) MODEL_##id,
    MODEL_TENSORS(X)
#undef X
        MODEL_N_TENSORS
};

/* Where everything of a batch is kept between forward and backward. */
struct model_buffers {
    /* Forward; N = max_batch * L rows. */
    float *x;        /* (N, d): embedding + position */
    float *qkv;      /* (N, 3 d) */
    float *p;        /* (max_batch, heads, L, ld_p), or (L, ld_p) */
    float *attended; /* (N, d) */
    float *a, *y1;   /* (N, d): before and after norm1 */
    float *hidden;   /* (N, ffn) */
    float *f, *y2;   /* (N, d): before and after norm2 */
    float *mean1, *rstd1, *mean2, *rstd2; /* (N) */
    float *h1, *h2; /* (max_batch, head1), (max_batch, head2) */
    float *logprob; /* (max_batch, C) */
    /* Dropout's bits, drawn anew for each step. */
    uint16_t *bits_attention, *bits_ffn, *bits_head1, *bits_head2;
    /* Backward; NULL in a model that is not trainable. */
    float *grad_a, *grad_b; /* (N, d): passed on from layer to layer */
    float *grad_hidden;     /* (N, ffn) */
    float *grad_qkv;        /* (N, 3 d) */
    float *grad_p;          /* (L, ld_p) */
    float *grad_h1, *grad_h2, *grad_logits;
    int32_t *first, *next; /* (V), (N): adamw.h's rows */
    float *row;            /* (d) */
};

/* A parameter arena thrice over: all tensors but the two huge ones have their
 * gradient in `grad`, in the same layout, so one flat pass steps them. */
struct model_flat {
    float *weight, *m, *v, *grad; /* (n) */
    size_t n;
};

struct model {
    struct model_config config;
    bool trainable;
    bool moments_may_differ; /* from 0; false: nobody touched their pages */
    int64_t step;
    struct arena arena;
    struct model_tensor tensors[MODEL_N_TENSORS]; /* by id */
    float *grads[MODEL_N_TENSORS]; /* in flat.grad; NULL for the huge ones */
    struct model_flat flat;
    float *sinusoid; /* (L, d), or NULL */
    size_t ld_p;
    struct model_buffers buffers;
    const struct kernels *kernels;
};

/* The dropout of one pass; all zero without dropout. */
struct model_dropout {
    struct kernels_dropout attention, ffn, head1, head2;
};

/* Id of the tensor at a place of the public table, which leaves out what the
 * configuration does not have. */
size_t model_id_at(const struct model *m, size_t at);

/* Position encoding PE[p,2i] = sin(p / 10000^(2i/d)), PE[p,2i+1] = cos(same),
 * in float32 as the reference rounds it. */
void model_sinusoid(float *out, size_t L, size_t d);

/* Forward up to logprob in the buffers. */
void model_forward(struct model *m, const struct model_batch *batch,
                   const struct model_dropout *dropout);
/* Loss and hits of what forward left; labels are set. */
void model_score(const struct model *m, const struct model_batch *batch,
                 struct model_result *out);

/* Backward from the mean loss: gradients into flat.grad and grad_b (the
 * embedded input's). step given: the wide layer is stepped on the way; NULL:
 * its gradient is written to wide_grad. */
void model_backward(struct model *m, const struct model_batch *batch,
                    const struct model_dropout *dropout,
                    const struct kernels_adamw *step, float *wide_grad);

#endif
