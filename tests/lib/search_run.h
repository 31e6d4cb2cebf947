/* search_run: a config's sampler in a loop with an objective of the test, and
 * nothing else: no scheduler, no store. */
#ifndef TESTS_LIB_SEARCH_RUN_H
#define TESTS_LIB_SEARCH_RUN_H
#include "core/spec/spec.h"
struct history;

struct search_run {
    struct spec spec;
    struct history *history;
};

/* members: more JSON members of a config with objective `function`; params: the
 * members of its "params". Fails the test when it is no config. */
void search_run_init(struct search_run *r, const char *members,
                     const char *params);
void search_run_fini(struct search_run *r);
/* Ask for the next trial; it is RUNNING then. out: space.n values. */
int64_t search_run_ask(struct search_run *r, double *out);
void search_run_tell(struct search_run *r, int64_t number, double value);

#endif
