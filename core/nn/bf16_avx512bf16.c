/* Products by vdpbf16ps: a lane adds two products of neighbours along K.
 *
 * Blocks of a and b are rounded and packed into panels of BF16_ROWS rows and
 * BF16_COLUMNS columns: for each pair of k, the pairs of all rows (columns) of
 * the panel, side by side. Beyond the edges panels are 0, so that the inner
 * loop knows one shape only; what lies outside of c is not stored. */
#include "core/nn/bf16.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

typedef uint32_t pair; /* of bfloat16: k in the lower half, k + 1 above */

enum { LANES = 16, HALVES = BF16_COLUMNS / LANES };

INLINE size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

INLINE __mmask16 first_lanes(size_t n)
{
    return n >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << n) - 1);
}

/* --- packing -------------------------------------------------------------- */

/* A panel of `width` rows of a (or columns of b), n <= width of them there.
 * across: distance from one to the next; along: from k to k + 1. */
struct source {
    const float *at;
    size_t across, along, n;
};

/* Neighbours are side by side: two rows of them make the pairs. */
static void pack_across(pair *out, const struct source *s, size_t K,
                        size_t width)
{
    const __m512i zip = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11,
                                         26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    for (size_t k = 0; k < K; k += 2, out += width) {
        const float *even = s->at + k * s->along, *odd = even + s->along;
        for (size_t c = 0; c < width; c += LANES) {
            __mmask16 there = s->n > c ? first_lanes(s->n - c) : 0;
            __mmask16 both = k + 1 < K ? there : 0;
            __m512 low = _mm512_maskz_loadu_ps(there, even + c);
            __m512 high = _mm512_maskz_loadu_ps(both, odd + c);
            __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(high, low);
            _mm512_mask_storeu_epi32(out + c, first_lanes(width - c),
                                     _mm512_permutexvar_epi16(zip, halves));
        }
    }
}

/* Sixteen vectors of pairs: rows become columns. */
INLINE void turn(__m512i x[LANES])
{
    __m512i y[LANES];
    UNROLL
    for (size_t i = 0; i < LANES; i += 2) {
        y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
        y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    UNROLL
    for (size_t i = 0; i < LANES; i += 4) { /* x[i + j]: column 4 lane + j */
        x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
        x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
        x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
        x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    UNROLL
    for (size_t j = 0; j < 4; j++) { /* lanes 0 and 2, lanes 1 and 3 */
        __m512i even_low = _mm512_shuffle_i32x4(x[j], x[j + 4], 0x88);
        __m512i odd_low = _mm512_shuffle_i32x4(x[j], x[j + 4], 0xdd);
        __m512i even_high = _mm512_shuffle_i32x4(x[j + 8], x[j + 12], 0x88);
        __m512i odd_high = _mm512_shuffle_i32x4(x[j + 8], x[j + 12], 0xdd);
        x[j] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        x[j + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        x[j + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
        x[j + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
    }
}

/* k and k + 1 are side by side: sixteen rows are rounded as they stand, and
 * turned. */
static void pack_along(pair *out, const struct source *s, size_t K,
                       size_t width)
{
    size_t n_pairs = (K + 1) / 2;
    for (size_t r = 0; r < width; r += LANES) {
        __mmask16 lanes = first_lanes(width - r);
        for (size_t p = 0; p < n_pairs; p += LANES) {
            __m512i x[LANES];
            size_t left = K - 2 * p;
            __mmask16 low = first_lanes(left);
            __mmask16 high = left > LANES ? first_lanes(left - LANES) : 0;
            UNROLL
            for (size_t i = 0; i < LANES; i++) {
                bool there = r + i < s->n;
                const float *row = s->at + (there ? r + i : 0) * s->across;
                row += 2 * p;
                __mmask16 here = there ? low : 0, next = there ? high : 0;
                __m512 a = _mm512_maskz_loadu_ps(here, row);
                __m512 b = _mm512_maskz_loadu_ps(next, row + LANES);
                x[i] = (__m512i)_mm512_cvtne2ps_pbh(b, a);
            }
            turn(x);
            size_t n = least(LANES, n_pairs - p);
            for (size_t i = 0; i < n; i++) {
                _mm512_mask_storeu_epi32(out + (p + i) * width + r, lanes,
                                         x[i]);
            }
        }
    }
}

static void pack_panels(pair *out, struct source s, size_t n, size_t K,
                        size_t width)
{
    for (size_t i = 0; i < n; i += width) {
        struct source panel = s;
        panel.at = s.at + i * s.across;
        panel.n = least(width, n - i);
        if (s.across == 1) {
            pack_across(out, &panel, K, width);
        } else {
            pack_along(out, &panel, K, width);
        }
        out += (K + 1) / 2 * width;
    }
}

/* --- products ------------------------------------------------------------- */

/* What of c a tile stands for. */
struct tile {
    float *c;
    size_t ldc, rows, columns;
    float alpha;
    bool adds;
};

INLINE void store(const struct tile *t, __m512 sum, size_t r, size_t half)
{
    size_t c = half * LANES;
    if (r >= t->rows || c >= t->columns) {
        return;
    }
    __mmask16 there = first_lanes(t->columns - c);
    float *at = t->c + r * t->ldc + c;
    sum = _mm512_mul_ps(sum, _mm512_set1_ps(t->alpha));
    if (t->adds) {
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(there, at));
    }
    _mm512_mask_storeu_ps(at, there, sum);
}

static void multiply_tile(const struct tile *t, const pair *a, const pair *b,
                          size_t n_pairs)
{
    __m512 sum[BF16_ROWS][HALVES];
    UNROLL
    for (size_t r = 0; r < BF16_ROWS; r++) {
        sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    }
    for (size_t k = 0; k < n_pairs; k++) {
        __m512bh b0 = (__m512bh)_mm512_loadu_si512(b);
        __m512bh b1 = (__m512bh)_mm512_loadu_si512(b + LANES);
        UNROLL
        for (size_t r = 0; r < BF16_ROWS; r++) {
            __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[r]);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, b0);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, b1);
        }
        a += BF16_ROWS;
        b += BF16_COLUMNS;
    }
    UNROLL
    for (size_t r = 0; r < BF16_ROWS; r++) {
        store(t, sum[r][0], r, 0);
        store(t, sum[r][1], r, 1);
    }
}

/* All tiles of a packed block of M x N. */
static void multiply_block(struct tile whole, const pair *a, const pair *b,
                           size_t M, size_t N, size_t K)
{
    size_t n_pairs = (K + 1) / 2;
    for (size_t j = 0; j < N; j += BF16_COLUMNS) {
        const pair *panel = a;
        for (size_t i = 0; i < M; i += BF16_ROWS) {
            struct tile t = whole;
            t.c = whole.c + i * whole.ldc + j;
            t.rows = least(BF16_ROWS, M - i);
            t.columns = least(BF16_COLUMNS, N - j);
            multiply_tile(&t, panel, b, n_pairs);
            panel += n_pairs * BF16_ROWS;
        }
        b += n_pairs * BF16_COLUMNS;
    }
}

void bf16_avx512(const struct bf16_product *p, void *pack)
{
    pair *a = pack, *b = a + BF16_K / 2 * BF16_M;
    for (size_t j = 0; j < p->N; j += BF16_N) {
        size_t N = least(BF16_N, p->N - j);
        for (size_t k = 0; k < p->K; k += BF16_K) {
            size_t K = least(BF16_K, p->K - k);
            struct source from_b = {.at = p->b + k * p->b_row + j * p->b_column,
                                    .across = p->b_column,
                                    .along = p->b_row};
            pack_panels(b, from_b, N, K, BF16_COLUMNS);
            for (size_t i = 0; i < p->M; i += BF16_M) {
                size_t M = least(BF16_M, p->M - i);
                struct source from_a = {.at = p->a + i * p->a_row +
                                              k * p->a_column,
                                        .across = p->a_row,
                                        .along = p->a_column};
                pack_panels(a, from_a, M, K, BF16_ROWS);
                struct tile t = {.c = p->c + i * p->ldc + j,
                                 .ldc = p->ldc,
                                 .alpha = p->alpha,
                                 .adds = p->adds || k > 0};
                multiply_block(t, a, b, M, N, K);
            }
        }
    }
}
