/* sampler: where the next trial's parameters come from.
 *
 * Samplers are a table of names; each sees the history and two random streams,
 * nothing else. One trial is sampled define-by-run, as in Optuna: begin, then
 * one call per parameter in the order the space asks for them, then end.
 * Order of precedence per parameter (optuna.md 1.2): fixed value, single-valued
 * distribution, joint sample, independent sample. */
#ifndef DAEMON_SEARCH_SAMPLER_H
#define DAEMON_SEARCH_SAMPLER_H
#include "core/base/rng.h"
#include "core/spec/spec.h"
struct history;

/* Raised whenever the same history would give other values, or the same log
 * another history: what another version suggested cannot be recomputed
 * (replay.h). */
enum { SAMPLER_VERSION = 5 };

struct sampler_ask; /* one trial being sampled */

struct sampler_config {
    enum spec_sampler type;
    struct spec_tpe tpe;
    enum spec_direction direction;
};

/* Borrows everything until end. `number` is the trial being sampled: it is not
 * part of its own history even if the history has a row for it. rng feeds the
 * joint and independent TPE draws, startup the uniform ones. */
struct sampler_ask *sampler_begin(const struct sampler_config *config,
                                  const struct history *history, int64_t number,
                                  struct rng *rng, struct rng *startup);
double sampler_param(struct sampler_ask *ask, const char *name,
                     const struct dist *dist);
void sampler_end(struct sampler_ask *ask);

/* The whole of it for a study: every parameter of spec->space, in its order,
 * from the streams of (spec->base.seed, number). fixed: NULL, or space.n values
 * with NaN where free (an enqueued trial). out has space.n entries, NaN where a
 * conditional parameter is not there.
 * With Hyperband only the trials of its bracket are seen, as in Optuna.
 * Depends on nothing but its arguments. */
void sampler_suggest(const struct spec *spec, const struct history *history,
                     int64_t number, const double *fixed, double *out);
/* Have all points been tried that a study may try (grid, brute-force, or
 * duplicates avoided in a discrete space)? *n_points of them. */
bool sampler_is_exhausted(const struct spec *spec,
                          const struct history *history, size_t *n_points);

#endif
