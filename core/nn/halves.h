/* halves: a float32 matrix whose rows are kept in two parts of 16 bits.
 *
 * The upper half of a number is the bfloat16 nearest to it, the lower one a
 * signed rest: the number's bits are (upper << 16) + lower, so that nothing is
 * lost, and what only wants bfloat16 reads half the bytes (Split-SGD-BF16:
 * Kalamkar et al., SC 2020; there the upper half is cut off, here rounded).
 * In the place of each row of n floats stand its n upper halves, then its n
 * lower ones.
 *
 * Of two equally near the upper half is the one away from zero, not the even
 * one: an even bfloat16 has a tie on either side, 65537 float32 that round to
 * it, one more than 16 bits tell apart. It is infinite for an infinity and, as
 * in every rounding to bfloat16, from 2^128 - 2^119 on, where the number itself
 * is still kept. A NaN's is its upper bits, quiet, and the rest 0: it stays a
 * NaN, of the same sign, but for the rest of its payload. */
#ifndef CORE_NN_HALVES_H
#define CORE_NN_HALVES_H
#include "core/base/base.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t halves_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static inline float halves_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static inline void halves_of(float x, uint16_t *upper, uint16_t *lower)
{
    uint32_t bits = halves_bits(x);
    bool is_number = x == x;
    *upper = (uint16_t)(is_number ? (bits + 0x8000) >> 16 : bits >> 16 | 0x40);
    *lower = (uint16_t)(is_number ? bits : 0);
}

static inline float halves_upper(uint16_t upper)
{
    return halves_float((uint32_t)upper << 16);
}

static inline float halves_joined(uint16_t upper, uint16_t lower)
{
    uint32_t rest = (uint32_t)(int32_t)(int16_t)lower;
    return halves_float(((uint32_t)upper << 16) + rest);
}

/* All rows of w (rows, n), where they stand; scratch (n). */
void halves_split(float *w, size_t rows, size_t n, uint16_t *scratch);
void halves_join(float *w, size_t rows, size_t n, uint16_t *scratch);
/* Is none of a split matrix NaN or infinite? */
bool halves_are_finite(const uint16_t *w, size_t rows, size_t n);

#endif
