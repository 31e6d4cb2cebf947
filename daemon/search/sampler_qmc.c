/* Sobol's sequence with the direction numbers of Joe and Kuo, Halton's in the
 * first primes. Scrambling keeps the evenness of both: of Sobol's a random
 * lower triangular matrix times the digits and a digital shift (Matousek,
 * J. Complexity 14, 1998), of Halton's a random permutation of each digit
 * (Owen, arXiv:1706.02808); as scipy's engines, which Optuna draws from. */
#include "daemon/search/sampler_qmc.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "daemon/search/joe_kuo.h"
#include "daemon/search/sampler_random.h"

#include <math.h>
#include <stdlib.h>

/* --- Sobol ------------------------------------------------------------------
 */

enum { BITS = 32 };
_Static_assert((int)QMC_SOBOL_MAX == (int)JOE_KUO_MAX, "a row for each");

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

static uint32_t gray_sum(uint32_t index, const uint32_t v[BITS])
{
    uint32_t bits = 0, gray = index ^ (index >> 1);
    for (int k = 0; k < BITS; k++) {
        bits ^= gray >> k & 1 ? v[k] : 0;
    }
    return bits;
}

double qmc_sobol(uint32_t index, int dimension)
{
    uint32_t v[BITS];
    directions(dimension, v);
    return gray_sum(index, v) * 0x1p-32;
}

/* Digit i (from the highest) becomes the sum of itself and of random ones of
 * the digits above it; then the shift. */
double qmc_sobol_scrambled(uint32_t index, int dimension, struct rng *rng)
{
    uint32_t v[BITS], out = rng_u32(rng);
    directions(dimension, v);
    uint32_t bits = gray_sum(index, v);
    for (int i = 0; i < BITS; i++) {
        uint32_t itself = 1u << (BITS - 1 - i);
        uint32_t above = ~(itself | (itself - 1));
        uint32_t row = itself | (rng_u32(rng) & above);
        out ^= __builtin_parity(bits & row) ? itself : 0;
    }
    return out * 0x1p-32;
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

double qmc_halton_scrambled(uint64_t index, int dimension, struct rng *rng)
{
    uint32_t base = nth_prime(dimension);
    uint32_t *digits = mem_alloc(base, sizeof(*digits));
    double value = 0.0, digit = 1.0;
    while (digit > 0x1p-54) { /* zeros are permuted too */
        for (uint32_t i = 0; i < base; i++) {
            digits[i] = i;
        }
        rng_shuffle(rng, digits, base);
        digit /= base;
        value += digit * digits[index % base];
        index /= base;
    }
    free(digits);
    return value < 1.0 ? value : 1.0 - 0x1p-53;
}

/* --- the sampler ------------------------------------------------------------
 */

static double coordinate(const struct spec *spec, int64_t number, int dimension)
{
    struct rng rng;
    rng_stream(&rng, spec->base.seed, 0, RNG_QMC, (uint32_t)dimension);
    if (spec->qmc == SPEC_QMC_SOBOL) {
        return spec->qmc_scramble
                   ? qmc_sobol_scrambled((uint32_t)number, dimension, &rng)
                   : qmc_sobol((uint32_t)number, dimension);
    }
    return spec->qmc_scramble
               ? qmc_halton_scrambled((uint64_t)number, dimension, &rng)
               : qmc_halton((uint64_t)number, dimension);
}

void qmc_suggest(const struct spec *spec, int64_t number, double *out)
{
    for (size_t i = 0; i < spec->space.n; i++) {
        const struct dist *d = &spec->space.params[i].dist;
        double u = coordinate(spec, number, (int)i);
        out[i] = dist_is_single(d) ? d->low : random_at(d, u);
    }
}
