/* sampler_random: one uniform value. Rules: optuna.md 1.9. */
#ifndef DAEMON_SEARCH_SAMPLER_RANDOM_H
#define DAEMON_SEARCH_SAMPLER_RANDOM_H
#include "core/base/rng.h"
#include "core/spec/space.h"

/* One draw from rng; for a categorical distribution one per choice. */
double random_param(struct rng *rng, const struct dist *dist);

/* The value at the fraction u, in [0, 1), of the range. */
double random_at(const struct dist *dist, double u);

#endif
