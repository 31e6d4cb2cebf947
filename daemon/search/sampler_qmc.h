/* sampler_qmc: points that fill the space evenly: the trial's number is the
 * index into a sequence of Sobol or Halton. */
#ifndef DAEMON_SEARCH_SAMPLER_QMC_H
#define DAEMON_SEARCH_SAMPLER_QMC_H
#include "core/base/rng.h"
#include "core/spec/spec.h"

enum { QMC_SOBOL_MAX = SPACE_MAX_PARAMS }; /* dimensions: as many as a space */

/* Coordinate `dimension` of point `index`, in [0, 1). */
double qmc_sobol(uint32_t index, int dimension); /* dimension < QMC_SOBOL_MAX */
double qmc_halton(uint64_t index, int dimension);
/* rng: the dimension's own, anew for each point. */
double qmc_sobol_scrambled(uint32_t index, int dimension, struct rng *rng);
double qmc_halton_scrambled(uint64_t index, int dimension, struct rng *rng);
/* Every parameter of the space; those that are not there are left to the
 * caller. */
void qmc_suggest(const struct spec *spec, int64_t number, double *out);

#endif
