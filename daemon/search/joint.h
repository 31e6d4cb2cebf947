/* joint: which parameters are sampled together. Rules: optuna.md 1.3. */
#ifndef DAEMON_SEARCH_JOINT_H
#define DAEMON_SEARCH_JOINT_H
#include "core/spec/space.h"
struct history;

struct joint_param {
    const char *name; /* both the history's, until it changes */
    const struct dist *dist;
    int param; /* in the history */
};

/* Parameters by name; none single-valued. */
struct joint_space {
    struct joint_param *params; /* owned */
    size_t n;
};

/* Parameters that all finished trials (COMPLETE, PRUNED) other than `self` have
 * under one and the same distribution. */
void joint_intersection(const struct history *h, int64_t self,
                        struct joint_space *out);
/* The coarsest partition such that each finished trial's parameters are a union
 * of its groups, in the order in which the trials split them. A parameter has
 * the distribution it was first seen with. Returns *n_groups spaces (some may
 * be empty), each to be freed by joint_fini, and the array by free. */
struct joint_space *joint_groups(const struct history *h, int64_t self,
                                 size_t *n_groups);
void joint_fini(struct joint_space *s);

#endif
