/* Lanes of sixteen floats: AVX-512 F, BW, DQ and VL. */
#include "core/nn/kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define KERNELS      kernels_avx512
#define KERNELS_NAME "avx512"
#define KERNELS_BITS "x86-64-v3"

enum { LANES = 16 };
typedef __m512 vf;
typedef int32_t vi __attribute__((vector_size(64)));
typedef __m256i vh;

static inline vf v_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline void v_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}

static inline __mmask16 first_lanes(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

/* Half a vector is moved as one of its own: a load right behind a masked store
 * waits for it when it only touches lanes that the mask leaves out. */
static inline vf v_load_n(const float *p, size_t n)
{
    return n == LANES / 2 ? _mm512_zextps256_ps512(_mm256_loadu_ps(p))
                          : _mm512_maskz_loadu_ps(first_lanes(n), p);
}

static inline void v_store_n(float *p, vf x, size_t n)
{
    if (n == LANES / 2) {
        _mm256_storeu_ps(p, _mm512_castps512_ps256(x));
    } else {
        _mm512_mask_storeu_ps(p, first_lanes(n), x);
    }
}

static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}

/* b where either is NaN. */
static inline vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}

static inline vf v_sqrt(vf x)
{
    return _mm512_sqrt_ps(x);
}

/* kernels.inc: SUMS. A vector is two of AVX2's, one after the other, and where
 * that has none nothing is added. */
typedef __m256 vs;

static inline __m256 lower(vf x)
{
    return _mm512_castps512_ps256(x);
}

static inline __m256 upper(vf x)
{
    return _mm512_extractf32x8_ps(x, 1);
}

static inline vs s_add(vs sum, vf x, size_t n)
{
    sum = _mm256_add_ps(sum, lower(x));
    return n > LANES / 2 ? _mm256_add_ps(sum, upper(x)) : sum;
}

static inline vs s_fma(vs sum, vf a, vf b, size_t n)
{
    sum = _mm256_fmadd_ps(lower(a), lower(b), sum);
    return n > LANES / 2 ? _mm256_fmadd_ps(upper(a), upper(b), sum) : sum;
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
    return (vi)_mm512_cvtepu16_epi32(x);
}

static inline vi v_signed(vh x)
{
    return (vi)_mm512_cvtepi16_epi32(x);
}

static inline vh v_low_halves(vi x)
{
    return _mm512_cvtepi32_epi16((__m512i)x);
}

/* x where it is above 0 or NaN, else 0. */
static inline vf v_positive(vf x)
{
    __mmask16 kept = _mm512_cmp_ps_mask(x, v_set(0), _CMP_NLE_UQ);
    return _mm512_maskz_mov_ps(kept, x);
}

/* x where y > 0, else 0. */
static inline vf v_where_positive(vf x, vf y)
{
    __mmask16 positive = _mm512_cmp_ps_mask(y, v_set(0), _CMP_GT_OQ);
    return _mm512_maskz_mov_ps(positive, x);
}

/* x in lanes whose bit is set, else 0. */
static inline vf v_where_bits(vf x, unsigned bits)
{
    return _mm512_maskz_mov_ps((__mmask16)bits, x);
}

/* The halves of the 64-bit products of 32-bit lanes. */
static inline void multiply(__m512i a, __m512i b, __m512i *high, __m512i *low)
{
    __m512i even = _mm512_mul_epu32(a, b);
    __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), b);
    *low = _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
    *high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}

static void philox(uint32_t out[4][16], const struct kernels_stream *stream,
                   uint32_t first)
{
    const __m512i m0 = _mm512_set1_epi32((int)0xD2511F53u);
    const __m512i m1 = _mm512_set1_epi32((int)0xCD9E8D57u);
    const __m512i lane =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    uint32_t k0 = stream->key[0], k1 = stream->key[1];
    __m512i c0 = _mm512_add_epi32(_mm512_set1_epi32((int)first), lane);
    __m512i c1 = _mm512_set1_epi32((int)stream->counter[0]);
    __m512i c2 = _mm512_set1_epi32((int)stream->counter[1]);
    __m512i c3 = _mm512_set1_epi32((int)stream->counter[2]);
    for (int round = 0; round < 10; round++) {
        __m512i high0, low0, high1, low1;
        multiply(c0, m0, &high0, &low0);
        multiply(c2, m1, &high1, &low1);
        c0 = _mm512_xor_si512(_mm512_xor_si512(high1, c1),
                              _mm512_set1_epi32((int)k0));
        c1 = low1;
        c2 = _mm512_xor_si512(_mm512_xor_si512(high0, c3),
                              _mm512_set1_epi32((int)k1));
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    _mm512_storeu_si512(out[0], c0);
    _mm512_storeu_si512(out[1], c1);
    _mm512_storeu_si512(out[2], c2);
    _mm512_storeu_si512(out[3], c3);
}

/* Bit j: half of x[j] is >= threshold. */
static inline uint16_t low_halves_from(const uint32_t x[16], uint32_t threshold)
{
    __m512i half =
        _mm512_and_si512(_mm512_loadu_si512(x), _mm512_set1_epi32(0xffff));
    return _mm512_cmpge_epu32_mask(half, _mm512_set1_epi32((int)threshold));
}

static inline uint16_t high_halves_from(const uint32_t x[16],
                                        uint32_t threshold)
{
    __m512i half = _mm512_srli_epi32(_mm512_loadu_si512(x), 16);
    return _mm512_cmpge_epu32_mask(half, _mm512_set1_epi32((int)threshold));
}

#include "core/nn/kernels.inc"
