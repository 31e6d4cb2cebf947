/* small_model: a model small enough to look at whole, a batch for it, and its
 * gradients. */
#ifndef TESTS_LIB_SMALL_MODEL_H
#define TESTS_LIB_SMALL_MODEL_H
#include "core/nn/model.h"

enum {
    SMALL_MODEL_LEN = 7,
    SMALL_MODEL_VOCAB = 23,
    SMALL_MODEL_CLASSES = 4,
    SMALL_MODEL_TENSORS = 80 /* that no test's model exceeds */
};

/* A full row, a short one and a middle one; and one without tokens. */
extern const struct model_batch small_model_three, small_model_four;
extern const struct model_adamw small_model_adamw;

/* For batches of three, with dropout; masks are those of padding. */
struct model_config small_model_config(void);
/* With the first values of one seed; owned, model_free. */
struct model *small_model_new(const struct model_config *config,
                              bool trainable);
/* The mean loss of the three rows. */
double small_model_loss(struct model *m);

/* Weights, moments, averages and the step: to goes on where from is. */
void small_model_copy_state(struct model *to, struct model *from);
/* The weights that are evaluated: averages, where from has them. */
void small_model_copy_weights(struct model *to, struct model *from);

/* An array for each tensor, owned, then NULL. */
void small_model_gradients(struct model *m, const struct model_batch *batch,
                           float *grads[SMALL_MODEL_TENSORS],
                           struct model_result *out);
void small_model_free_gradients(float *grads[SMALL_MODEL_TENSORS]);

#endif
