/* rng: the only source of chance, as named streams.
 *
 * A stream is a function of (seed, trial, purpose): nothing hidden carries
 * over from one trial or one epoch to the next, so a resumed training draws
 * what the uninterrupted one drew. Generator: Philox4x32-10 (Salmon et al.,
 * "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011), counter based.
 * The Mersenne Twister exists to follow numpy's RandomState number by number.
 */
#ifndef CORE_BASE_RNG_H
#define CORE_BASE_RNG_H
#include "core/base/base.h"
#include <stdint.h>

enum rng_purpose { /* append only: a number here is part of every result */
                   RNG_SAMPLER = 1, /* TPE's own draws */
                   RNG_STARTUP = 2, /* uniform draws of random search and
                                       start-up trials */
                   RNG_SPLIT = 3, /* train / validation / test (trial 0: one per
                                     study) */
                   RNG_INIT = 4,  /* weights */
                   RNG_SHUFFLE = 5, /* order of an epoch (index = epoch) */
                   RNG_DROPOUT = 6, /* masks (index = step and element) */
                   RNG_FOREST = 7,  /* importances (trial = tree) */
                   RNG_QMC = 8,     /* scrambling (trial 0: one per study) */
                   RNG_CMAES = 9,   /* (trial 0: one per study; index =
                                       generation) */
                   RNG_MERGES = 10, /* merges undone (index = step) */
};

enum rng_kind { RNG_PHILOX, RNG_MT19937 };

struct rng {
    enum rng_kind kind;
    uint32_t key[2], counter[4], block[4]; /* Philox */
    int n_left;                            /* words of block not yet used */
    uint32_t mt[624];                      /* Mersenne Twister */
    int mt_at;
};

/* Stream of (seed, trial, purpose), at its beginning. `index` tells
 * sub-streams apart (an epoch, say); 2^34 words in each. */
void rng_stream(struct rng *r, uint64_t seed, uint32_t trial,
                enum rng_purpose purpose, uint32_t index);
/* numpy.random.RandomState(seed): init_genrand, 53-bit doubles. */
void rng_mt19937(struct rng *r, uint32_t seed);

uint32_t rng_u32(struct rng *r);
double rng_double(struct rng *r);              /* [0, 1), 53 bits */
uint32_t rng_below(struct rng *r, uint32_t n); /* [0, n), unbiased; n > 0 */
double rng_normal(struct rng *r);              /* N(0, 1), Box-Muller */
/* Fisher-Yates over n indices. */
void rng_shuffle(struct rng *r, uint32_t *items, uint32_t n);

/* One Philox4x32-10 block: for code that wants words by position. */
void rng_philox(const uint32_t key[2], const uint32_t counter[4],
                uint32_t out[4]);

#endif
