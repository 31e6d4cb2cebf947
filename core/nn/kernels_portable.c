/* Lanes of four floats in the compiler's own vectors: SSE2, NEON or plain. */
#include "core/nn/kernels.h"

#include "core/base/rng.h"

#include <math.h>
#include <string.h>

#define KERNELS      kernels_portable
#define KERNELS_NAME "portable"
#define KERNELS_BITS "portable"

enum { LANES = 4 };
typedef float vf __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint16_t vh __attribute__((vector_size(8)));

static inline vf v_set(float x)
{
    return (vf){x, x, x, x};
}

static inline vf v_load(const float *p)
{
    return *(const vf *)p;
}

static inline void v_store(float *p, vf x)
{
    *(vf *)p = x;
}

static inline vf v_load_n(const float *p, size_t n)
{
    vf x = {0};
    for (size_t i = 0; i < n; i++) {
        x[i] = p[i];
    }
    return x;
}

static inline void v_store_n(float *p, vf x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = x[i];
    }
}

static inline vf v_select(vi mask, vf x, vf otherwise)
{
    return (vf)(((vi)x & mask) | ((vi)otherwise & ~mask));
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return a * b + c;
}

/* b where either is NaN. */
static inline vf v_max(vf a, vf b)
{
    return v_select(a > b, a, b);
}

static inline vf v_sqrt(vf x)
{
    return (vf){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])};
}

/* kernels.inc: SUMS. */
typedef vf vs;

static inline vs s_add(vs sum, vf x, size_t n)
{
    (void)n;
    return sum + x;
}

static inline vs s_fma(vs sum, vf a, vf b, size_t n)
{
    (void)n;
    return v_fma(a, b, sum);
}

static inline float s_total(vs x)
{
    return (x[0] + x[2]) + (x[1] + x[3]);
}

/* Lanes of 16 bits, as numbers without or with a sign; the low halves of lanes.
 */
static inline vi v_unsigned(vh x)
{
    return __builtin_convertvector(x, vi);
}

static inline vi v_signed(vh x)
{
    return v_unsigned(x) << 16 >> 16;
}

static inline vh v_low_halves(vi x)
{
    return __builtin_convertvector(x, vh);
}

/* x where it is above 0 or NaN, else 0. */
static inline vf v_positive(vf x)
{
    return (vf)((vi)x & ~(x <= v_set(0)));
}

/* x where y > 0, else 0. */
static inline vf v_where_positive(vf x, vf y)
{
    return (vf)((vi)x & (y > v_set(0)));
}

/* x in lanes whose bit is set, else 0. */
static inline vf v_where_bits(vf x, unsigned bits)
{
    int32_t b = (int32_t)bits;
    return (vf)((vi)x &
                (vi){-(b & 1), -(b >> 1 & 1), -(b >> 2 & 1), -(b >> 3 & 1)});
}

static void philox(uint32_t out[4][16], const struct kernels_stream *stream,
                   uint32_t first)
{
    kernels_reference.philox(out, stream, first);
}

/* Bit j: half of x[j] is >= threshold. */
static inline uint16_t low_halves_from(const uint32_t x[16], uint32_t threshold)
{
    unsigned bits = 0;
    for (int j = 0; j < 16; j++) {
        bits |= (unsigned)((x[j] & 0xffff) >= threshold) << j;
    }
    return (uint16_t)bits;
}

static inline uint16_t high_halves_from(const uint32_t x[16],
                                        uint32_t threshold)
{
    unsigned bits = 0;
    for (int j = 0; j < 16; j++) {
        bits |= (unsigned)(x[j] >> 16 >= threshold) << j;
    }
    return (uint16_t)bits;
}

#include "core/nn/kernels.inc"
