/* importance_priv: what the evaluators share; nobody else includes it. */
#ifndef DAEMON_SEARCH_IMPORTANCE_PRIV_H
#define DAEMON_SEARCH_IMPORTANCE_PRIV_H
#include "daemon/search/importance.h"

/* Trials that count: COMPLETE with a finite value. */
struct importance_rows {
    uint32_t *numbers; /* owned */
    double *values;    /* owned; their objective values */
    size_t n;
};
void importance_rows_of(const struct history *h, struct importance_rows *out);
void importance_rows_fini(struct importance_rows *r);

/* Fill out[param of the history] for the parameters; NaN: it has none. */
void importance_ped_anova(const struct history *h,
                          enum spec_direction direction, double *out);
/* cancel may be NULL; once it is set, out is undefined. */
void importance_fanova(const struct history *h, uint64_t seed,
                       const atomic_bool *cancel, double *out);
void importance_mdi(const struct history *h, uint64_t seed,
                    const atomic_bool *cancel, double *out);

#endif
