/* forest: a random forest for regression, the kind that importances look into.
 *
 * Trees as scikit-learn grows them by default (optuna.md 5.1): each on a
 * bootstrap sample, splits that reduce the squared error most, all features
 * tried, no limit but pure nodes and depth 64; features are float32. */
#ifndef DAEMON_SEARCH_FOREST_H
#define DAEMON_SEARCH_FOREST_H
#include "core/base/rng.h"
#include <stdbool.h>
#include <stddef.h>

struct forest_node {
    int feature; /* -1: a leaf */
    double threshold;
    double value;  /* mean of its samples */
    double weight; /* of its samples */
    double gain;   /* the split's: reduction of the sum of squares */
    size_t left, right;
};

struct forest_tree {
    struct forest_node *nodes; /* owned; 0 is the root */
    size_t n;
};

struct forest_data { /* borrowed */
    const float *x;  /* feature by feature: x[f * n + i] */
    const double *y;
    size_t n, n_features;
};

enum { FOREST_TREES = 64, FOREST_DEPTH = 64 };

/* rng gives the bootstrap sample and the order in which features are tried (the
 * first of equally good splits is taken). data->n > 0. */
void forest_grow(const struct forest_data *data, struct rng *rng,
                 struct forest_tree *out);
void forest_tree_fini(struct forest_tree *t);

#endif
