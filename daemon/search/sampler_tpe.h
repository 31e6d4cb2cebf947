/* sampler_tpe: the Tree-structured Parzen Estimator for one objective.
 * Rules, all shared with Optuna 5: optuna.md 1.1 to 1.8. */
#ifndef DAEMON_SEARCH_SAMPLER_TPE_H
#define DAEMON_SEARCH_SAMPLER_TPE_H
#include "daemon/search/sampler.h"

struct tpe; /* one trial being sampled */

/* Borrows everything until tpe_free (see sampler_begin). */
struct tpe *tpe_new(const struct sampler_config *config,
                    const struct history *history, int64_t number,
                    struct rng *rng, struct rng *startup);
void tpe_free(struct tpe *t);
/* dist is not single-valued. */
double tpe_param(struct tpe *t, const char *name, const struct dist *dist);

#endif
