#include "core/nn/dropout.h"

#include "core/base/rng.h"

enum { GROUP = 8, ONE = 1 << 16 };

size_t dropout_words(size_t rows, size_t n)
{
    size_t words = rows * ((n + 15) / 16);
    return (words + GROUP - 1) / GROUP * GROUP;
}

struct kernels_dropout dropout_bits(uint16_t *bits, size_t rows, size_t n,
                                    enum dropout_place place,
                                    const struct dropout_draw *draw,
                                    const struct kernels *k)
{
    uint32_t threshold = (uint32_t)((double)draw->p * ONE + 0.5);
    if (threshold == 0) {
        return (struct kernels_dropout){.bits = NULL};
    }
    threshold = threshold < ONE ? threshold : ONE - 1;
    uint64_t step = (uint64_t)draw->step;
    struct kernels_stream stream = {
        .key = {(uint32_t)draw->seed, (uint32_t)(draw->seed >> 32)},
        .counter = {(uint32_t)step, draw->trial,
                    (uint32_t)RNG_DROPOUT | (uint32_t)place << 8 |
                        (uint32_t)(step >> 32) << 16},
    };
    k->keep_bits(bits, dropout_words(rows, n) / GROUP, &stream, threshold);
    return (struct kernels_dropout){
        .bits = bits,
        .words = (n + 15) / 16,
        .scale = (float)((double)ONE / (double)(ONE - threshold)),
    };
}
