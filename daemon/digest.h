/* digest: what a finished trial says, as a few numbers. They are kept with its
 * row when it ends and computed anew when it is loaded: a finished trial never
 * changes, so where they differ its rows were damaged.
 *
 * A part is a sum over its items (a parameter, a report), so their order does
 * not matter; any change of one item changes it. Distributions are no part of
 * it: choices may be appended to them. */
#ifndef DAEMON_DIGEST_H
#define DAEMON_DIGEST_H
#include "daemon/action.h"

/* X(NAME, words) in the order of the columns of parzen_trials. */
#define DIGEST_PARTS(X)                                                        \
    X(END, "its state, value or best epoch")                                   \
    X(PARAMS, "a parameter")                                                   \
    X(REPORTS, "a reported value")                                             \
    X(CONSTRAINTS, "a constraint")

enum digest_part {
#define X(name, words) DIGEST_##name,
    DIGEST_PARTS(X)
#undef X
        DIGEST_N_PARTS
};

struct digest {
    int64_t part[DIGEST_N_PARTS];
};

/* As the trial is in memory. t is s's. */
void digest_of_trial(const struct study *s, const struct study_trial *t,
                     struct digest *out);
/* Follow an action of that trial, as mirror_apply does; of what was told anew
 * in the same decision only a REWIND that comes first. spec: its study's; t: as
 * it is before the decision, NULL when that made it. */
void digest_apply(struct digest *d, const struct spec *spec,
                  const struct study_trial *t, const struct action *a);
/* NULL: equal; else what differs first, as DIGEST_PARTS words it. */
const char *digest_difference(const struct digest *a, const struct digest *b);

#endif
