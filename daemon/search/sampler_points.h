/* sampler_points: grids, and the points of discrete spaces that are left.
 *
 * `grid` takes the points in one order shuffled by the study's seed,
 * `brute-force` a random one of those that are left. */
#ifndef DAEMON_SEARCH_SAMPLER_POINTS_H
#define DAEMON_SEARCH_SAMPLER_POINTS_H
#include "core/base/rng.h"
#include "core/spec/spec.h"
struct history;

/* An untried point into out; it agrees with fixed (NULL, or NaN where free).
 * False: none is left, or the space is too large to be counted. */
bool points_suggest(const struct spec *spec, const struct history *history,
                    int64_t number, const double *fixed, struct rng *rng,
                    double *out);
/* Has this point been tried by another trial? (false: it cannot be counted) */
bool points_is_tried(const struct spec *spec, const struct history *history,
                     int64_t number, const double *values);
/* *n_points when all points have been tried. */
bool points_are_exhausted(const struct spec *spec,
                          const struct history *history, size_t *n_points);

#endif
