/* acquisition: which of some candidates promises most.
 *
 * ln below - ln above, as in Optuna (optuna.md 1.8). Where trials have failed,
 * they are among those above, and 2 ln P(it does not fail) is added: P from the
 * densities of the trials that finished and of those that failed. (Squared,
 * because so at least half of the trials soon succeed even where nine tenths of
 * the space fail: tests/daemon/search/test_failures.c.) */
#ifndef DAEMON_SEARCH_ACQUISITION_H
#define DAEMON_SEARCH_ACQUISITION_H
#include <stddef.h>
struct parzen;

struct acquisition {
    struct parzen *below, *above;
    struct parzen *finished, *failed; /* NULL: nothing failed */
    size_t n_finished, n_failed;      /* trials in them */
};

/* The first best of n candidates: x[d * n + c] is parameter d of candidate c.
 */
size_t acquisition_best(const struct acquisition *a, const double *x, size_t n,
                        size_t n_dims);
void acquisition_fini(struct acquisition *a);

#endif
