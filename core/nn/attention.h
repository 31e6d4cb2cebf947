/* attention: softmax(q k^T / sqrt(d / heads)) v for every head of a batch.
 *
 * The batch is a matrix of rows; those of text b are starts[b] ..
 * starts[b+1]-1, of which the first lengths[b] are its tokens and any more are
 * padding. q, k and v of a row lie side by side: qkv (rows, 3 d), head i of
 * each is columns i d/heads onwards. A text attends its tokens.
 * Padded keys are never multiplied. In the notebook's mask their logits are
 * all the same constant, so all of them together act as one more key, with
 * the mean of their values and the sum of their probabilities: exact but for
 * rounding, and the gradient likewise. With the padding mask a text of length
 * 0 attends nothing: its output and its gradients are 0 (PyTorch: NaN). */
#ifndef CORE_NN_ATTENTION_H
#define CORE_NN_ATTENTION_H
#include "core/nn/model.h"
#include "core/nn/kernels.h"
#include "core/nn/ops.h"

struct attention {
    size_t B, L, d, heads; /* L: the most rows of a text */
    const size_t *starts;  /* (B + 1) */
    const int32_t *lengths;
    enum model_mask mask;
    size_t ld_p; /* leading dimension of p, >= L */
    const struct ops *ops;
};

/* out (rows, d). p (B, heads, L, ld_p) keeps the probabilities for backward;
 * with keep_p false p is (L, ld_p), scratch. v of a text's first padded
 * row is overwritten by the mean of its padded ones (notebook mask). */
void attention_forward(float *out, float *p, bool keep_p, float *qkv,
                       const struct attention *a, const struct kernels *k);

/* dqkv (rows, 3 d) from dout (rows, d) and what forward left; dp (L, ld_p) is
 * scratch. */
void attention_backward(float *dqkv, float *dp, const float *dout,
                        const float *out, const float *p, const float *qkv,
                        const struct attention *a, const struct kernels *k);

#endif
