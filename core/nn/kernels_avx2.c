/* Lanes of eight floats: AVX2 with FMA. */
#include "core/nn/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define KERNELS      kernels_avx2
#define KERNELS_NAME "avx2"
#define KERNELS_BITS "x86-64-v3"

enum { LANES = 8 };
typedef __m256 vf;
typedef int32_t vi __attribute__((vector_size(32)));
typedef __m128i vh;

static inline vf v_set(float x)
{
    return _mm256_set1_ps(x);
}

static inline vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}

static inline void v_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x);
}

/* All ones in the first n lanes. */
static inline __m256i first_lanes(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vf v_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, first_lanes(n));
}

static inline void v_store_n(float *p, vf x, size_t n)
{
    _mm256_maskstore_ps(p, first_lanes(n), x);
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}

/* b where either is NaN. */
static inline vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}

static inline vf v_sqrt(vf x)
{
    return _mm256_sqrt_ps(x);
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
    __m128 s =
        _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* Lanes of 16 bits, as numbers without or with a sign; the low halves of lanes.
 */
static inline vi v_unsigned(vh x)
{
    return (vi)_mm256_cvtepu16_epi32(x);
}

static inline vi v_signed(vh x)
{
    return (vi)_mm256_cvtepi16_epi32(x);
}

static inline vh v_low_halves(vi x)
{
    __m256i low = _mm256_and_si256((__m256i)x, _mm256_set1_epi32(0xffff));
    return _mm_packus_epi32(_mm256_castsi256_si128(low),
                            _mm256_extracti128_si256(low, 1));
}

/* x where it is above 0 or NaN, else 0. */
static inline vf v_positive(vf x)
{
    return _mm256_andnot_ps(_mm256_cmp_ps(x, v_set(0), _CMP_LE_OQ), x);
}

/* x where y > 0, else 0. */
static inline vf v_where_positive(vf x, vf y)
{
    return _mm256_and_ps(x, _mm256_cmp_ps(y, v_set(0), _CMP_GT_OQ));
}

/* x in lanes whose bit is set, else 0. */
static inline vf v_where_bits(vf x, unsigned bits)
{
    const __m256i lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    __m256i set = _mm256_and_si256(_mm256_set1_epi32((int)bits), lane);
    set = _mm256_cmpeq_epi32(set, lane);
    return _mm256_and_ps(x, _mm256_castsi256_ps(set));
}

/* The halves of the 64-bit products of 32-bit lanes. */
static inline void multiply(__m256i a, __m256i b, __m256i *high, __m256i *low)
{
    __m256i even = _mm256_mul_epu32(a, b);
    __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b);
    *low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}

static void philox(uint32_t out[4][16], const struct kernels_stream *stream,
                   uint32_t first)
{
    const __m256i m0 = _mm256_set1_epi32((int)0xD2511F53u);
    const __m256i m1 = _mm256_set1_epi32((int)0xCD9E8D57u);
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (int half = 0; half < 2; half++) {
        uint32_t k0 = stream->key[0], k1 = stream->key[1];
        __m256i c0 = _mm256_add_epi32(
            _mm256_set1_epi32((int)(first + 8u * (uint32_t)half)), lane);
        __m256i c1 = _mm256_set1_epi32((int)stream->counter[0]);
        __m256i c2 = _mm256_set1_epi32((int)stream->counter[1]);
        __m256i c3 = _mm256_set1_epi32((int)stream->counter[2]);
        for (int round = 0; round < 10; round++) {
            __m256i high0, low0, high1, low1;
            multiply(c0, m0, &high0, &low0);
            multiply(c2, m1, &high1, &low1);
            c0 = _mm256_xor_si256(_mm256_xor_si256(high1, c1),
                                  _mm256_set1_epi32((int)k0));
            c1 = low1;
            c2 = _mm256_xor_si256(_mm256_xor_si256(high0, c3),
                                  _mm256_set1_epi32((int)k1));
            c3 = low0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        _mm256_storeu_si256((__m256i *)&out[0][8 * half], c0);
        _mm256_storeu_si256((__m256i *)&out[1][8 * half], c1);
        _mm256_storeu_si256((__m256i *)&out[2][8 * half], c2);
        _mm256_storeu_si256((__m256i *)&out[3][8 * half], c3);
    }
}

/* Bit j: x[j] >= threshold, all below 2^17. */
static inline unsigned at_least(__m256i x, uint32_t threshold)
{
    __m256i below = _mm256_set1_epi32((int)threshold - 1);
    __m256i over = _mm256_cmpgt_epi32(x, below);
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(over));
}

/* Bit j: half of x[j] is >= threshold. */
static inline uint16_t low_halves_from(const uint32_t x[16], uint32_t threshold)
{
    const __m256i *at = (const __m256i *)x;
    __m256i mask = _mm256_set1_epi32(0xffff);
    __m256i a = _mm256_and_si256(_mm256_loadu_si256(at), mask);
    __m256i b = _mm256_and_si256(_mm256_loadu_si256(at + 1), mask);
    return (uint16_t)(at_least(a, threshold) | at_least(b, threshold) << 8);
}

static inline uint16_t high_halves_from(const uint32_t x[16],
                                        uint32_t threshold)
{
    const __m256i *at = (const __m256i *)x;
    __m256i a = _mm256_srli_epi32(_mm256_loadu_si256(at), 16);
    __m256i b = _mm256_srli_epi32(_mm256_loadu_si256(at + 1), 16);
    return (uint16_t)(at_least(a, threshold) | at_least(b, threshold) << 8);
}

#include "core/nn/kernels.inc"
