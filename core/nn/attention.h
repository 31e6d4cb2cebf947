/* attention: softmax(q k^T / sqrt(d / heads)) v for every head of a batch.
 *
 * q, k and v of a position lie side by side: qkv (B, L, 3 d), head i of each
 * is columns i d/heads onwards. A row of length n attends its first n keys.
 * Padded keys are never multiplied. In the notebook's mask their logits are
 * all the same constant, so all of them together act as one more key, with
 * the mean of their values and the sum of their probabilities: exact but for
 * rounding, and the gradient likewise. With the padding mask a row of length
 * 0 attends nothing: its output and its gradients are 0 (PyTorch: NaN). */
#ifndef CORE_NN_ATTENTION_H
#define CORE_NN_ATTENTION_H
#include "core/nn/model.h"
#include "core/nn/kernels.h"

struct attention {
    size_t L, d, heads;
    enum model_mask mask;
    size_t ld_p; /* leading dimension of p, >= L */
};

/* out (B, L, d). p (B, heads, L, ld_p) keeps the probabilities for backward;
 * with keep_p false p is (L, ld_p), scratch. v of a row's first padded
 * position is overwritten by the mean of its padded ones (notebook mask). */
void attention_forward(float *out, float *p, bool keep_p, float *qkv,
                       const int32_t *lengths, size_t B,
                       const struct attention *a, const struct kernels *k);

/* dqkv (B, L, 3 d) from dout (B, L, d) and what forward left; dp (L, ld_p) is
 * scratch. */
void attention_backward(float *dqkv, float *dp, const float *dout,
                        const float *out, const float *p, const float *qkv,
                        const int32_t *lengths, size_t B,
                        const struct attention *a, const struct kernels *k);

#endif
