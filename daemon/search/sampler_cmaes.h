/* sampler_cmaes: the covariance matrix adaptation evolution strategy (Hansen,
 * "The CMA Evolution Strategy: A Tutorial", arXiv:1604.00772, its default
 * parameters), restarted with twice the population when it has converged
 * (Auger, Hansen, CEC 2005).
 *
 * Over the numeric parameters of the space that are always there, scaled to
 * [0, 1] (log ones in ln); mean 0.5 and sigma 1/6 at first, as in Optuna.
 * Finished trials, by number, make generations one after the other: the state
 * follows from the history, and is computed from it each time. */
#ifndef DAEMON_SEARCH_SAMPLER_CMAES_H
#define DAEMON_SEARCH_SAMPLER_CMAES_H
#include "core/spec/spec.h"
struct history;

/* A whole point: the rest of the space at random. False: no such parameter. */
bool cmaes_suggest(const struct spec *spec, const struct history *history,
                   int64_t number, double *out);

#endif
