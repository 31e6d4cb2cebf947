/* importance: how much each parameter matters for the objective.
 * Rules: optuna.md section 5; shared with Optuna 5.
 *
 * Pure: a function of the history. Takes long for long histories (fanova, mdi
 * grow forests): meant for a thread with a copy of the history. */
#ifndef DAEMON_SEARCH_IMPORTANCE_H
#define DAEMON_SEARCH_IMPORTANCE_H
#include "core/spec/spec.h"
#include <stdatomic.h>
struct history;

/* X(NAME, "text") */
#define IMPORTANCE_EVALUATORS(X)                                               \
    X(PED_ANOVA, "ped-anova")                                                  \
    X(FANOVA, "fanova")                                                        \
    X(MDI, "mdi")

enum importance_evaluator {
#define X(name, text) IMPORTANCE_##name,
    IMPORTANCE_EVALUATORS(X)
#undef X
        IMPORTANCE_N_EVALUATORS
};
const char *importance_name(enum importance_evaluator e);
int importance_by_name(const char *name); /* -1: none */

struct importance {
    char *name; /* owned */
    double value;
};

struct importances {
    struct importance *items; /* descending; equal ones by name */
    size_t n;
    int64_t n_trials; /* COMPLETE trials that it was computed from */
};

/* normalize: they sum to 1 (all equal when all are 0). ped-anova knows every
 * parameter of the COMPLETE trials; the forests those that all of them share.
 * seed: of the forests. */
void importance_compute(enum importance_evaluator evaluator,
                        const struct history *history,
                        enum spec_direction direction, uint64_t seed,
                        bool normalize, struct importances *out);
/* The same, normalized, until *cancel is set (by another thread): then *out is
 * empty and false is returned. */
bool importance_compute_until(enum importance_evaluator evaluator,
                              const struct history *history,
                              enum spec_direction direction, uint64_t seed,
                              const atomic_bool *cancel,
                              struct importances *out);
void importances_copy(struct importances *to, const struct importances *from);
void importances_fini(struct importances *out);

#endif
