/* sampler_qmc: points that fill the space evenly: the trial's number is the
 * index into a sequence of Sobol or Halton. */
#ifndef DAEMON_SEARCH_SAMPLER_QMC_H
#define DAEMON_SEARCH_SAMPLER_QMC_H
#include "core/spec/spec.h"

/* Dimensions that Sobol's direction numbers are known for; further ones are
 * Halton's. */
enum { QMC_SOBOL_MAX = 21 };

/* Coordinate `dimension` of point `index`, in [0, 1). */
double qmc_sobol(uint32_t index, int dimension); /* dimension < QMC_SOBOL_MAX */
double qmc_halton(uint64_t index, int dimension);
/* Every parameter of the space; those that are not there are left to the
 * caller. */
void qmc_suggest(const struct spec *spec, int64_t number, double *out);

#endif
