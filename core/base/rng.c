#include "core/base/rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { PHILOX_ROUNDS = 10, MT_N = 624, MT_M = 397 };

void rng_philox(const uint32_t key[2], const uint32_t counter[4],
                uint32_t out[4])
{
    const uint64_t m0 = 0xD2511F53u, m1 = 0xCD9E8D57u;
    const uint32_t w0 = 0x9E3779B9u, w1 = 0xBB67AE85u;
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2];
    uint32_t c3 = counter[3], k0 = key[0], k1 = key[1];
    for (int i = 0; i < PHILOX_ROUNDS; i++) {
        uint64_t p0 = m0 * c0, p1 = m1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += w0;
        k1 += w1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void rng_stream(struct rng *r, uint64_t seed, uint32_t trial,
                enum rng_purpose purpose, uint32_t index)
{
    memset(r, 0, sizeof(*r));
    r->kind = RNG_PHILOX;
    r->key[0] = (uint32_t)seed;
    r->key[1] = (uint32_t)(seed >> 32);
    r->counter[1] = index;
    r->counter[2] = trial;
    r->counter[3] = (uint32_t)purpose;
}

/* Matsumoto and Nishimura's init_genrand. */
void rng_mt19937(struct rng *r, uint32_t seed)
{
    memset(r, 0, sizeof(*r));
    r->kind = RNG_MT19937;
    r->mt[0] = seed;
    for (uint32_t i = 1; i < MT_N; i++) {
        uint32_t last = r->mt[i - 1];
        r->mt[i] = 1812433253u * (last ^ (last >> 30)) + i;
    }
    r->mt_at = MT_N;
}

static void mt_refill(struct rng *r)
{
    for (int i = 0; i < MT_N; i++) {
        uint32_t y =
            (r->mt[i] & 0x80000000u) | (r->mt[(i + 1) % MT_N] & 0x7fffffffu);
        uint32_t next = r->mt[(i + MT_M) % MT_N] ^ (y >> 1);
        r->mt[i] = (y & 1) != 0 ? next ^ 0x9908b0dfu : next;
    }
    r->mt_at = 0;
}

static uint32_t mt_u32(struct rng *r)
{
    if (r->mt_at >= MT_N) {
        mt_refill(r);
    }
    uint32_t y = r->mt[r->mt_at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

uint32_t rng_u32(struct rng *r)
{
    if (r->kind == RNG_MT19937) {
        return mt_u32(r);
    }
    if (r->n_left == 0) {
        rng_philox(r->key, r->counter, r->block);
        r->counter[0]++;
        r->n_left = 4;
    }
    return r->block[4 - r->n_left--];
}

double rng_double(struct rng *r)
{
    uint32_t a = rng_u32(r) >> 5, b = rng_u32(r) >> 6;
    return ((double)a * 67108864.0 + (double)b) / 9007199254740992.0;
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
    assert(n > 0);
    uint32_t reject_below = -n % n; /* 2^32 mod n */
    uint32_t x;
    do {
        x = rng_u32(r);
    } while (x < reject_below);
    return x % n;
}

double rng_normal(struct rng *r)
{
    double u = 1.0 - rng_double(r); /* (0, 1] */
    double v = rng_double(r);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

void rng_shuffle(struct rng *r, uint32_t *items, uint32_t n)
{
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = rng_below(r, i);
        uint32_t held = items[i - 1];
        items[i - 1] = items[j];
        items[j] = held;
    }
}
