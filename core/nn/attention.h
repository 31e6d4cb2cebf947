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

struct attention {
    size_t B, L, d, heads; /* L: the most rows of a text */
    const size_t *starts;  /* (B + 1) */
    const int32_t *lengths;
    enum model_mask mask;
    float *scratch; /* attention_scratch(...) floats */
};

/* Floats of scratch for texts of at most L rows. */
size_t attention_scratch(size_t L, size_t d, size_t heads);

/* out (rows, d). stats (B, heads, 2 L) keeps each row's softmax sums for
 * backward; with keep false it is (2 L), scratch too. v of a text's first
 * padded row is overwritten by the mean of its padded ones (notebook mask). */
void attention_forward(float *out, float *stats, bool keep, float *qkv,
                       const struct attention *a, const struct kernels *k);

/* dqkv (rows, 3 d) from dout (rows, d) and what forward left. The
 * probabilities are made again: nothing of (L, L) is ever kept. */
void attention_backward(float *dqkv, const float *dout, const float *out,
                        float *stats, const float *qkv,
                        const struct attention *a, const struct kernels *k);

#endif
