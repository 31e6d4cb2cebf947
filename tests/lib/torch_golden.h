/* torch_golden: a file made by oracles/torch_reference.py, checked against the
 * model: results, gradients, losses of training, weights after it.
 *
 * Errors are the largest norm-relative ones: |ours - golden| / |golden| over a
 * whole tensor (2-norm); of logprob and loss the largest absolute difference
 * over max(1, |golden|). */
#ifndef TESTS_LIB_TORCH_GOLDEN_H
#define TESTS_LIB_TORCH_GOLDEN_H
#include "core/base/err.h"

enum { TORCH_GOLDEN_MAX_TENSORS = 32 };

struct torch_golden {
    double logprob_err, loss_err, final_err;
    /* The key projection's bias moves all logits of a row alike where nothing
     * is masked by a constant: its gradient is 0, and AdamW makes steps of
     * full size out of PyTorch's rounding noise there. What that noise led to
     * is told apart and not part of final_err; the model's results do not
     * depend on it. 0 where the bias has a gradient. */
    double undetermined_err;
    size_t n_grads;
    struct {
        char name[64];
        double err;
    } grads[TORCH_GOLDEN_MAX_TENSORS];
};

/* Errors: what the file lacks or what the model refuses. */
MUST_CHECK int torch_golden_check(const char *path, struct torch_golden *out,
                                  struct err *err);

#endif
