/* adamw: the optimiser's step (Loshchilov and Hutter, ICLR 2019, as
 * torch/optim/adamw.py computes it).
 *
 *   w <- (1 - lr decay) w;  m <- beta1 m + (1 - beta1) g
 *   v <- beta2 v + (1 - beta2) g^2
 *   w <- w - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)         */
#ifndef CORE_NN_ADAMW_H
#define CORE_NN_ADAMW_H
#include "core/nn/kernels.h"
#include "core/nn/model.h"

/* The constants of step t = 1, 2, ...; made in double precision. */
struct kernels_adamw adamw_constants(const struct model_adamw *opt, int64_t t);

/* The same step for gradients that are `by` times as large. */
void adamw_scale(struct kernels_adamw *step, double by);

/* Rows of an embedding table that share a gradient: which positions of the
 * batch hold each id. first (V), next (n) and row (d) are the caller's. */
struct adamw_rows {
    int32_t *first; /* first position with this id, or -1 */
    int32_t *next;  /* next position with the same id, or -1 */
    float *row;     /* scratch: one row's gradient */
};

/* Step all V rows of a table w, m, v (V, d): position i of n added dx[i] (d)
 * to the gradient of row ids[i]; a row without a position has gradient 0 but
 * decays like the others. The (V, d) gradient is never made; sums run in the
 * order of positions. */
void adamw_embedding(float *w, float *m, float *v, size_t V, size_t d,
                     const int32_t *ids, const float *dx, size_t n,
                     const struct adamw_rows *rows,
                     const struct kernels_adamw *step, const struct kernels *k);
/* Sum of squares of that gradient. */
double adamw_embedding_squares(size_t V, size_t d, const int32_t *ids,
                               const float *dx, size_t n,
                               const struct adamw_rows *rows,
                               const struct kernels *k);

#endif
