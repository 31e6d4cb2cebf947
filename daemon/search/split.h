/* split: which finished trials are the good ones. Rules: optuna.md 1.4. */
#ifndef DAEMON_SEARCH_SPLIT_H
#define DAEMON_SEARCH_SPLIT_H
#include "core/spec/spec.h"
struct history;

/* How many of n finished trials are good: ceil(n / 10), at most 25. */
int64_t split_gamma(int64_t n);
enum { SPLIT_GAMMA_MAX = 25 };

/* Write the numbers of the best min(n_below, all) COMPLETE and PRUNED trials
 * other than `self`, ascending, to below (room for n_below); returns how many.
 * Feasible before infeasible, of which the smaller violation; COMPLETE before
 * PRUNED; then the better value, respectively the further step,
 * then the better value there; then the older trial. */
size_t split_below(const struct history *h, enum spec_direction direction,
                   int64_t self, size_t n_below, uint32_t *below);

#endif
