/* Sobol's sequence with the direction numbers of Joe and Kuo (SIAM J. Sci.
 * Comput. 30, 2008), Halton's in the first primes. Scrambling: a random digital
 * shift (Sobol), a random shift modulo 1 (Halton), one per dimension. */
#include "daemon/search/sampler_qmc.h"
#include "core/base/rng.h"
#include "daemon/search/sampler_random.h"

#include <math.h>

/* --- Sobol ------------------------------------------------------------------
 */

enum { BITS = 32 };

/* Primitive polynomials (degree, inner coefficients) and initial numbers of
 * dimensions 2 .. QMC_SOBOL_MAX; the first is van der Corput's. */
static const struct {
    uint8_t degree, inner, initial[7];
} JOE_KUO[QMC_SOBOL_MAX - 1] = {
    {1, 0, {1}},
    {2, 1, {1, 3}},
    {3, 1, {1, 3, 1}},
    {3, 2, {1, 1, 1}},
    {4, 1, {1, 1, 3, 3}},
    {4, 4, {1, 3, 5, 13}},
    {5, 2, {1, 1, 5, 5, 17}},
    {5, 4, {1, 1, 5, 5, 5}},
    {5, 7, {1, 1, 7, 11, 19}},
    {5, 11, {1, 1, 5, 1, 1}},
    {5, 13, {1, 1, 1, 3, 11}},
    {5, 14, {1, 3, 5, 5, 31}},
    {6, 1, {1, 3, 3, 9, 7, 49}},
    {6, 13, {1, 1, 1, 15, 21, 21}},
    {6, 16, {1, 3, 1, 13, 27, 49}},
    {6, 19, {1, 1, 1, 15, 7, 5}},
    {6, 22, {1, 3, 1, 15, 13, 25}},
    {6, 25, {1, 1, 5, 5, 19, 61}},
    {7, 1, {1, 3, 7, 11, 23, 15, 103}},
    {7, 4, {1, 3, 7, 13, 13, 15, 69}},
};

static void directions(int dimension, uint32_t v[BITS])
{
    int s = dimension > 0 ? JOE_KUO[dimension - 1].degree : 0;
    for (int k = 0; k < BITS; k++) {
        if (dimension == 0) {
            v[k] = 1u << (BITS - 1 - k);
        } else if (k < s) {
            v[k] = (uint32_t)JOE_KUO[dimension - 1].initial[k]
                   << (BITS - 1 - k);
        } else {
            v[k] = v[k - s] ^ (v[k - s] >> s);
            for (int j = 1; j < s; j++) {
                bool has = JOE_KUO[dimension - 1].inner >> (s - 1 - j) & 1;
                v[k] ^= has ? v[k - j] : 0;
            }
        }
    }
}

static uint32_t sobol_bits(uint32_t index, int dimension)
{
    uint32_t v[BITS], bits = 0;
    uint32_t gray = index ^ (index >> 1);
    directions(dimension, v);
    for (int k = 0; k < BITS; k++) {
        bits ^= gray >> k & 1 ? v[k] : 0;
    }
    return bits;
}

double qmc_sobol(uint32_t index, int dimension)
{
    return sobol_bits(index, dimension) * 0x1p-32;
}

/* --- Halton -----------------------------------------------------------------
 */

static uint32_t nth_prime(int n)
{
    uint32_t p = 2;
    for (; n > 0; n--) {
        bool is_prime;
        do {
            p++;
            is_prime = true;
            for (uint32_t d = 2; d * d <= p && is_prime; d++) {
                is_prime = p % d != 0;
            }
        } while (!is_prime);
    }
    return p;
}

double qmc_halton(uint64_t index, int dimension)
{
    uint32_t base = nth_prime(dimension);
    double value = 0.0, digit = 1.0;
    for (; index > 0; index /= base) {
        digit /= base;
        value += digit * (double)(index % base);
    }
    return value;
}

/* --- the sampler ------------------------------------------------------------
 */

static double coordinate(const struct spec *spec, int64_t number, int dimension)
{
    struct rng shift;
    rng_stream(&shift, spec->base.seed, 0, RNG_QMC, (uint32_t)dimension);
    bool scrambles = spec->qmc_scramble;
    if (spec->qmc == SPEC_QMC_SOBOL && dimension < QMC_SOBOL_MAX) {
        uint32_t bits = sobol_bits((uint32_t)number, dimension);
        return (scrambles ? bits ^ rng_u32(&shift) : bits) * 0x1p-32;
    }
    double u = qmc_halton((uint64_t)number, dimension);
    u += scrambles ? rng_double(&shift) : 0.0;
    return u - floor(u);
}

void qmc_suggest(const struct spec *spec, int64_t number, double *out)
{
    for (size_t i = 0; i < spec->space.n; i++) {
        const struct dist *d = &spec->space.params[i].dist;
        double u = coordinate(spec, number, (int)i);
        out[i] = dist_is_single(d) ? d->low : random_at(d, u);
    }
}
