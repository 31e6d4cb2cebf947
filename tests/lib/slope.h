/* slope: a gradient held against differences of the loss. */
#ifndef TESTS_LIB_SLOPE_H
#define TESTS_LIB_SLOPE_H
#include "core/base/rng.h"
#include "core/nn/model.h"

/* How far to go along a direction, and how near the two must be. */
struct slope_way {
    double (*loss)(struct model *m);
    /* One of them must agree (0: no more of them): one that steps over a kink
     * of ReLU or a maximum is wrong, and so is one lost in rounding. */
    float steps[3];
    /* Of the sum of all |gradient|, and beside it. */
    double relative, absolute;
};

/* The slope of the loss along a random direction of tensor `at`, by differences
 * and by the gradient: they agree. number: of the case, for the message. */
void slope_check(struct model *m, size_t at, const float *grad, struct rng *rng,
                 const struct slope_way *way, int number);

#endif
