/* pooling: the rows of a text become one.
 *
 * The batch is a matrix of rows of width d; those of text b begin at
 * starts[b], the first lengths[b] are its tokens and any more are padding,
 * which never counts. A text without tokens is pooled to 0. With NaN among the
 * numbers the mean and the maximum are NaN. */
#ifndef CORE_NN_POOLING_H
#define CORE_NN_POOLING_H
#include "core/nn/kernels.h"
#include "core/nn/model.h"

struct pooling {
    enum model_pooling kind; /* anything but flatten */
    size_t B, d;
    const size_t *starts; /* (B + 1) */
    const int32_t *lengths;
};

/* out (B, d) from x (rows, d). chosen (B, d) keeps which token is the largest
 * (the first of equals, the last NaN) for backward; maximum only, NULL: not
 * kept. */
void pooling_forward(float *out, int32_t *chosen, const float *x,
                     const struct pooling *p, const struct kernels *k);
/* dx (rows, d), all of them, from dout (B, d). */
void pooling_backward(float *dx, const float *dout, const int32_t *chosen,
                      const struct pooling *p);

#endif
