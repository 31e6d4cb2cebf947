/* pruner_priv: what the pruners share; nobody else includes it. */
#ifndef DAEMON_SEARCH_PRUNER_PRIV_H
#define DAEMON_SEARCH_PRUNER_PRIV_H
#include "daemon/search/pruner.h"

struct pruning {
    const struct spec *spec;
    const struct spec_pruning *options;
    const struct history *history;
    int64_t number;
    bool maximize;
    const int64_t *steps; /* its own reports, ascending; n > 0 */
    const double *values;
    size_t n;
};

/* Is the last report the first of its interval, after the warm-up? */
bool pruning_is_due(const struct pruning *p);
/* Largest last step of a COMPLETE trial that reported any; -1: none. */
int64_t pruning_longest(const struct history *h);

/* The best of n values, NaN ignored; NaN: there is none. */
double pruning_best(const double *values, size_t n, bool maximize);

bool pruner_percentile(const struct pruning *p, double percentile);
bool pruner_threshold(const struct pruning *p);
bool pruner_wilcoxon(const struct pruning *p);
void pruner_asha(const struct pruning *p, struct pruner_verdict *out);
void pruner_hyperband(const struct pruning *p, struct pruner_verdict *out);

#endif
