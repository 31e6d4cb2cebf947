/* dropout: which elements of a matrix are kept at one place of one step.
 *
 * Each element has a 16-bit number by its position; it is kept when the number
 * is at least round(p 2^16), so p is met to 2^-17 and the kept ones are scaled
 * by exactly 1 / P(kept). The numbers are Philox words with key = seed and
 * counter (block, step, trial, RNG_DROPOUT + 2^8 place + 2^16 (step / 2^32));
 * rows are drawn 16 columns at a time, kernels.h (keep_bits) gives the order.
 * The same on every kernel set. */
#ifndef CORE_NN_DROPOUT_H
#define CORE_NN_DROPOUT_H
#include "core/nn/kernels.h"

enum dropout_place { /* append only: a number here is part of every result */
                     DROPOUT_ATTENTION = 0,
                     DROPOUT_FFN = 1,
                     DROPOUT_HEAD1 = 2,
                     DROPOUT_HEAD2 = 3,
                     DROPOUT_EMBEDDING = 4,
                     DROPOUT_FEATURES = 5,
                     DROPOUT_TOKENS = 6,
                     DROPOUT_LAYERS = 8, /* from the second layer on */
};
/* The place (attention or ffn) in the layer'th layer. */
static inline enum dropout_place dropout_in_layer(enum dropout_place place,
                                                  size_t layer)
{
    size_t later = DROPOUT_LAYERS + 2 * (layer - 1) + (size_t)place;
    return layer == 0 ? place : (enum dropout_place)later;
}

struct dropout_draw {
    float p; /* 0 <= p < 1; 0: nothing is drawn, everything is kept */
    uint64_t seed;
    uint32_t trial;
    int64_t step;
};

/* Words that bits of (rows, n) need; they come in groups of eight. */
size_t dropout_words(size_t rows, size_t n);
/* Draw into bits (dropout_words(rows, n)); the result borrows it. */
struct kernels_dropout dropout_bits(uint16_t *bits, size_t rows, size_t n,
                                    enum dropout_place place,
                                    const struct dropout_draw *draw,
                                    const struct kernels *k);

#endif
