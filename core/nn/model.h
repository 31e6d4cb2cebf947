/* model: the text classifier: a transformer encoder, pooling and a head.
 *
 * Shapes: B batch, L max_len, d emb_dim, h heads, V vocab_size, C classes.
 *   e  = drop(embedding[ids] + position)                 (B, L, d)
 *     while training some ids are replaced by 0 first: word dropout
 *     (Iyyer et al., ACL 2015)
 *   n layers of two parts, s(x) = drop(attention(x)) and s(x) = ffn(x):
 *     post-norm  x = norm([x +] s(x))        (Vaswani et al., 2017)
 *     pre-norm   x = [x +] s(norm(x)), and a norm after the last layer
 *                                            (Xiong et al., ICML 2020)
 *     [x +] with residual connections only. attention: Linear(d, d) for q, k,
 *     v and o, h heads; ffn: Linear(d, ffn), activation, dropout,
 *     Linear(ffn, d)
 *   f  = the rows of a text as one (L d), or their mean or maximum over the
 *        text's own tokens, or the first one (d); 0 for a text without tokens
 *   y  = log_softmax(head(f))  head: Linear(., head1), activation, dropout,
 *        Linear(head1, head2), activation, dropout, Linear(head2, C); a width
 *        of 0 leaves that layer out; without both, f itself gets the dropout
 * Float32 (products: enum model_precision), weights as PyTorch keeps them:
 * Linear (out, in), row major. Initial values as PyTorch's: embeddings N(0,
 * embedding_std); Linear weight and bias U(-1/sqrt(in), 1/sqrt(in)); LayerNorm
 * 1 and 0, eps 1e-5. Loss: cross-entropy, mean of the batch; for the gradient
 * alone with smoothed labels and a weight for each class
 * (model_set_class_weights), so that what is told of it can be compared between
 * trainings. That one is, of B rows with labels y, targets t (smoothed) and
 * class weights w,
 *   1/B sum over rows w[y] sum over classes -t log p
 * so a row counts by its label's weight with all of its target, and batches
 * count by their rows. (PyTorch's CrossEntropyLoss(weight) divides by the sum
 * of w[y], and weighs the smoothed part class by class.)
 * Optimiser: AdamW (Loshchilov and Hutter, ICLR 2019; torch/optim/adamw.py),
 * bias-corrected, decay before the step, on every parameter; before it the
 * gradient of all parameters together may be clipped to a norm (Pascanu et al.,
 * ICML 2013; torch/nn/utils/clip_grad.py).
 *
 * After each step an average of all weights may follow them,
 * average += (1 - a) (weight - average), a = min(weight_average,
 * (1 + t) / (10 + t)) at step t (Polyak and Juditsky, 1992; the ramp is that of
 * tensorflow/python/training/moving_averages.py).
 *
 * With the padding mask and a pooling other than flatten nothing depends on
 * padding, and nothing is computed for it.
 *
 * Results depend on (weights, batch, seed, trial, step) and on the kernel set
 * and thread count alone: the same bits on every run. */
#ifndef CORE_NN_MODEL_H
#define CORE_NN_MODEL_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>

enum model_mask {
    MODEL_MASK_PADDING, /* padded keys get no attention at all */
    MODEL_MASK_NOTEBOOK /* padded logits are set to -9e-15 (the notebook) */
};
enum model_position { MODEL_POSITION_SINUSOID, MODEL_POSITION_LEARNED };

enum model_norm { MODEL_NORM_POST, MODEL_NORM_PRE };
enum model_pooling {
    MODEL_POOLING_FLATTEN,
    MODEL_POOLING_MEAN,
    MODEL_POOLING_MAX,
    MODEL_POOLING_FIRST
};
enum model_activation { MODEL_ACTIVATION_RELU, MODEL_ACTIVATION_GELU };
enum model_precision {
    MODEL_PRECISION_FLOAT32,
    /* Products of Linear layers in bfloat16, added up in float32, all else in
     * float32; on a CPU without AVX512-BF16 the same as FLOAT32. Of the head's
     * first layer behind flatten, with at most 16 rows at a time, only the
     * weight is rounded (halves.h), both for y and for the input's gradient. */
    MODEL_PRECISION_BF16_MIXED
};
enum { MODEL_MAX_LAYERS = 64 };

struct model_config {
    int vocab_size, max_len, emb_dim, num_heads, ffn_dim, num_layers;
    int head1_dim, head2_dim; /* 0: the head has no such layer */
    int n_classes;
    int max_batch; /* rows of the largest batch that will be given */
    enum model_mask mask;
    enum model_position position;
    enum model_norm norm;
    bool residual;
    enum model_pooling pooling;
    enum model_activation activation;
    enum model_precision precision;
    float embedding_std;
    float embedding_dropout, attention_dropout, ffn_dropout, head_dropout;
    float token_dropout;   /* share of tokens that training replaces by id 0 */
    float label_smoothing; /* share of a label spread over all classes */
    /* Decay of the average of the weights over the steps, which is what is
     * evaluated then; 0: none is kept. */
    float weight_average;
};

struct model_adamw {
    float lr, weight_decay, beta1, beta2, eps;
    float clip_norm; /* largest norm of the whole gradient; 0: any */
};

/* Rows of ids padded with 0 on the right. ids in 0..V-1, lengths in 0..L,
 * labels in 0..C-1: asserted. A row of length 0 under the padding mask attends
 * nothing: its attention is 0 where PyTorch's is NaN. */
struct model_batch {
    const int32_t *ids;     /* (n, L) */
    const int32_t *lengths; /* (n) */
    const int32_t *labels;  /* (n); NULL when only predicting */
    int n;                  /* 1 .. max_batch */
};

/* One named tensor; names are PyTorch's ("attention.query.weight"), those of
 * layers after the first have "layers.1." before them. */
struct model_tensor {
    const char *name; /* borrowed from the model */
    int n_dims;
    size_t dims[2];
    size_t n;       /* elements */
    float *weight;  /* (n) */
    float *m, *v;   /* AdamW's moments, (n) each; NULL in a model that was
                       made for prediction only */
    float *average; /* (n); NULL there too, and where none is kept */
};

struct model;

/* Sizes are checked with overflow; LIMIT names the bytes when memory cannot be
 * had, INVALID what does not fit (emb_dim not divisible by num_heads, ...).
 * trainable = false leaves out the moments. Weights are zero until model_init
 * or a checkpoint fills them. Copies config. */
MUST_CHECK int model_new(const struct model_config *config, bool trainable,
                         struct model **out, struct err *err);
void model_free(struct model *m);
const struct model_config *model_config(const struct model *m);
/* Bytes that model_new would allocate; SIZE_MAX on overflow. */
size_t model_bytes(const struct model_config *config, bool trainable);

/* Fill the weights from streams of (seed, trial); moments zero, step 0. */
void model_init(struct model *m, uint64_t seed, uint32_t trial);
/* The weight of each class (C) in the gradient; 1 at first, and for NULL. */
void model_set_class_weights(struct model *m, const float *weights);
/* The tensor table, in a fixed order. What it points to is to be read and
 * written only until the next batch goes through the model: in between a weight
 * may be kept in another form. */
size_t model_n_tensors(const struct model *m);
struct model_tensor model_tensor_at(struct model *m, size_t at);
/* Are all weights, and their averages, neither NaN nor infinite? */
bool model_is_finite(const struct model *m);
/* Number of optimiser steps taken: bias correction and dropout follow it. */
int64_t model_step(const struct model *m);
void model_set_step(struct model *m, int64_t step);

struct model_result {
    double loss_sum; /* summed over rows, nats */
    int n_correct;   /* argmax (first of equals) is the label */
};

/* One optimiser step on the batch, dropout on: forward, backward, AdamW.
 * Dropout masks are a function of (seed, trial, step, position). */
void model_train_step(struct model *m, const struct model_batch *batch,
                      const struct model_adamw *opt, uint64_t seed,
                      uint32_t trial, struct model_result *out);
/* Forward without dropout, of the averaged weights if the model keeps them.
 * logprob (n, C) may be NULL; labels may be NULL,
 * then out must be NULL too. */
void model_evaluate(struct model *m, const struct model_batch *batch,
                    float *logprob, struct model_result *out);
/* Gradients of the mean loss without dropout and without a step, for checks,
 * of a trainable model: grads[i] has the shape of tensor i (caller's memory).
 */
void model_gradients(struct model *m, const struct model_batch *batch,
                     float *const *grads, struct model_result *out);

/* Threads for the products (default 1): bits depend on it. */
void model_set_threads(int n);
/* The kernel set in use: "avx512", "avx2", "portable", and " bf16" behind it
 * when that precision is to be had here; static string. */
const char *model_kernels(enum model_precision precision);
/* The same, named by the bits that it gives: "x86-64-v3" of both "avx512" and
 * "avx2". */
const char *model_kernels_bits(enum model_precision precision);
/* False for BF16_MIXED on a CPU without it. */
bool model_precision_is_here(enum model_precision precision);
/* The BLAS library's name, core and thread count, for logs; static string. */
const char *model_blas(void);

#endif
