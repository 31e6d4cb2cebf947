/* fANOVA (Hutter, Hoos, Leyton-Brown, ICML 2014) and mean decrease in impurity
 * (Breiman et al., 1984), over the trees of a forest. Encoding and formulas as
 * in Optuna: categorical parameters one-hot, numeric ones linear also when they
 * are log.
 *
 * fANOVA of a one-hot parameter looks at every combination of its columns, the
 * impossible ones too; beyond ONE_HOT_MAX choices (there are 2^choices) at the
 * possible ones only. Of a long history the newest ROWS_MAX trials count. */
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/forest.h"
#include "daemon/search/importance_priv.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ONE_HOT_MAX = 10, ROWS_MAX = 10000 };

struct axis { /* a parameter, and its columns */
    int param;
    const struct dist *dist;
    size_t first, n;
};

struct table {
    struct axis *axes;
    size_t n_axes;
    double *low, *high; /* by column */
    float *x;
    double *y;
    size_t n, n_columns;
};

/* --- the table --------------------------------------------------------------
 */

/* What all COMPLETE trials have it under; NULL: there is no such thing. */
static const struct dist *shared_dist(const struct history *h, int param)
{
    const uint8_t *state = history_states(h);
    const struct dist *shared = NULL;
    for (int64_t i = 0; i < history_n_trials(h); i++) {
        if (state[i] != TRIAL_COMPLETE) {
            continue;
        }
        const struct dist *own = history_param_dist(h, i, param);
        if (own == NULL || (shared != NULL && own != shared)) {
            return NULL;
        }
        shared = own;
    }
    return shared;
}

struct named { /* to be sorted by name */
    const char *name;
    int param;
};

static int compare_names(const void *a, const void *b)
{
    const struct named *p = a, *q = b;
    return strcmp(p->name, q->name);
}

/* The parameters that all COMPLETE trials share; single-valued ones get 0. */
static void table_axes(const struct history *h, struct table *t, double *out)
{
    size_t n = (size_t)history_n_params(h);
    struct named *params = mem_alloc(n, sizeof(*params));
    for (size_t p = 0; p < n; p++) {
        params[p] = (struct named){history_param_name(h, (int)p), (int)p};
    }
    qsort(params, n, sizeof(*params), compare_names);
    t->axes = mem_alloc(n, sizeof(*t->axes));
    for (size_t p = 0; p < n; p++) {
        int param = params[p].param;
        const struct dist *d = shared_dist(h, param);
        if (d == NULL) {
            continue;
        }
        out[param] = 0.0;
        if (!dist_is_single(d)) {
            size_t width = d->kind == DIST_CATEGORICAL ? d->n_choices : 1;
            t->axes[t->n_axes++] = (struct axis){param, d, t->n_columns, width};
            t->n_columns += width;
        }
    }
    free(params);
}

static void put_value(struct table *t, const struct axis *a, size_t i,
                      double value)
{
    if (a->dist->kind != DIST_CATEGORICAL) {
        t->x[a->first * t->n + i] = (float)value;
        return;
    }
    for (size_t c = 0; c < a->n; c++) {
        t->x[(a->first + c) * t->n + i] = (double)c == value ? 1.0f : 0.0f;
    }
}

static void table_new(const struct history *h, struct table *t, double *out)
{
    struct importance_rows rows;
    *t = (struct table){0};
    table_axes(h, t, out);
    importance_rows_of(h, &rows);
    size_t skipped = rows.n > ROWS_MAX ? rows.n - ROWS_MAX : 0;
    t->n = rows.n - skipped;
    t->y = rows.values;
    memmove(t->y, t->y + skipped, t->n * sizeof(*t->y));
    t->x = mem_alloc(t->n * t->n_columns + 1, sizeof(*t->x));
    t->low = mem_alloc(t->n_columns, sizeof(*t->low));
    t->high = mem_alloc(t->n_columns, sizeof(*t->high));
    for (size_t k = 0; k < t->n_axes; k++) {
        const struct axis *a = &t->axes[k];
        bool is_choice = a->dist->kind == DIST_CATEGORICAL;
        for (size_t c = a->first; c < a->first + a->n; c++) {
            t->low[c] = is_choice ? 0.0 : a->dist->low;
            t->high[c] = is_choice ? 1.0 : a->dist->high;
        }
        for (size_t i = 0; i < t->n; i++) {
            put_value(t, a, i,
                      history_param(h, rows.numbers[skipped + i], a->param));
        }
    }
    free(rows.numbers);
}

static void table_fini(struct table *t)
{
    free(t->axes);
    free(t->low);
    free(t->high);
    free(t->x);
    free(t->y);
}

/* --- leaves as boxes --------------------------------------------------------
 */

struct boxes {
    double *low, *high; /* [leaf * n_columns + column] */
    double *value, *volume;
    size_t n;
};

struct walk {
    const struct table *t;
    const struct forest_tree *tree;
    struct boxes *boxes;
    double *low, *high; /* of the node at hand */
};

static void collect(const struct walk *w, size_t at)
{
    const struct forest_node *node = &w->tree->nodes[at];
    size_t n_columns = w->t->n_columns;
    if (node->feature >= 0) {
        size_t f = (size_t)node->feature;
        double low = w->low[f], high = w->high[f];
        w->high[f] = fmin(high, node->threshold);
        collect(w, node->left);
        w->high[f] = high;
        w->low[f] = fmax(low, node->threshold);
        collect(w, node->right);
        w->low[f] = low;
        return;
    }
    struct boxes *b = w->boxes;
    double volume = 1.0;
    for (size_t c = 0; c < n_columns; c++) {
        b->low[b->n * n_columns + c] = w->low[c];
        b->high[b->n * n_columns + c] = w->high[c];
        volume *= w->high[c] - w->low[c];
    }
    b->value[b->n] = node->value;
    b->volume[b->n++] = volume;
}

static void boxes_of(const struct table *t, const struct forest_tree *tree,
                     struct boxes *b)
{
    size_t n_leaves = tree->n / 2 + 1, n = t->n_columns;
    *b = (struct boxes){
        .low = mem_alloc(n_leaves * n, sizeof(double)),
        .high = mem_alloc(n_leaves * n, sizeof(double)),
        .value = mem_alloc(n_leaves, sizeof(double)),
        .volume = mem_alloc(n_leaves, sizeof(double)),
    };
    struct walk w = {t, tree, b, mem_alloc(n, sizeof(double)),
                     mem_alloc(n, sizeof(double))};
    memcpy(w.low, t->low, n * sizeof(double));
    memcpy(w.high, t->high, n * sizeof(double));
    collect(&w, 0);
    free(w.low);
    free(w.high);
}

static void boxes_fini(struct boxes *b)
{
    free(b->low);
    free(b->high);
    free(b->value);
    free(b->volume);
}

/* Variance of values with weights, >= 0. */
static double weighted_variance(const double *values, const double *weights,
                                size_t n)
{
    double weight = 0.0, sum = 0.0, square = 0.0;
    for (size_t i = 0; i < n; i++) {
        weight += weights[i];
        sum += weights[i] * values[i];
    }
    if (weight <= 0.0) {
        return 0.0;
    }
    double mean = sum / weight;
    for (size_t i = 0; i < n; i++) {
        square += weights[i] * (values[i] - mean) * (values[i] - mean);
    }
    return square / weight;
}

/* --- marginals --------------------------------------------------------------
 */

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static size_t find_edge(const double *edges, size_t n, double x)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (edges[mid] < x) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* The edges of all boxes in one column, each once. */
static size_t edges_of(const struct table *t, const struct boxes *b, size_t c,
                       double *edges)
{
    size_t n = 0, n_unique = 0;
    for (size_t i = 0; i < b->n; i++) {
        edges[n++] = b->low[i * t->n_columns + c];
        edges[n++] = b->high[i * t->n_columns + c];
    }
    qsort(edges, n, sizeof(*edges), compare_doubles);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || edges[i] != edges[n_unique - 1]) {
            edges[n_unique++] = edges[i];
        }
    }
    return n_unique;
}

/* One column: a box counts from its lower to its upper edge, so the cells' sums
 * are running sums of what begins and ends. */
static double numeric_marginal(const struct table *t, const struct boxes *b,
                               size_t c)
{
    double *memory = mem_alloc(6 * b->n + 3, sizeof(double));
    double *edges = memory, *volume = memory + 2 * b->n + 1,
           *sum = volume + 2 * b->n + 1;
    size_t n = edges_of(t, b, c, edges);
    for (size_t i = 0; i < b->n; i++) {
        double low = b->low[i * t->n_columns + c];
        double high = b->high[i * t->n_columns + c];
        if (high > low) {
            double rest = b->volume[i] / (high - low);
            size_t from = find_edge(edges, n, low);
            size_t to = find_edge(edges, n, high);
            volume[from] += rest;
            volume[to] -= rest;
            sum[from] += rest * b->value[i];
            sum[to] -= rest * b->value[i];
        }
    }
    double running = 0.0, running_sum = 0.0;
    for (size_t k = 0; k + 1 < n; k++) {
        running += volume[k];
        running_sum += sum[k];
        sum[k] = running > 0.0 ? running_sum / running : 0.0;
        volume[k] = running > 0.0 ? running * (edges[k + 1] - edges[k]) : 0.0;
    }
    double variance = n > 1 ? weighted_variance(sum, volume, n - 1) : 0.0;
    free(memory);
    return variance;
}

/* Does the box hold the middle of the half that `bit` names, and how much of
 * its side is left out of the rest's volume? */
static bool holds(const struct table *t, const struct boxes *b, size_t i,
                  size_t c, bool bit)
{
    double x = bit ? 0.75 : 0.25;
    return b->low[i * t->n_columns + c] <= x &&
           x <= b->high[i * t->n_columns + c];
}

static bool box_has_cell(const struct table *t, const struct boxes *b,
                         const struct axis *a, size_t i, size_t cell)
{
    bool is_one_hot = a->n > ONE_HOT_MAX;
    for (size_t c = 0; c < a->n; c++) {
        bool bit = is_one_hot ? c == cell : (cell >> c & 1) != 0;
        if (!holds(t, b, i, a->first + c, bit)) {
            return false;
        }
    }
    return true;
}

/* Volume of a box in the columns of the other parameters. */
static double rest_volume(const struct table *t, const struct boxes *b,
                          const struct axis *a, size_t i)
{
    double own = 1.0;
    for (size_t c = a->first; c < a->first + a->n; c++) {
        own *= b->high[i * t->n_columns + c] - b->low[i * t->n_columns + c];
    }
    return b->volume[i] / own;
}

static double choice_marginal(const struct table *t, const struct boxes *b,
                              const struct axis *a)
{
    size_t n = a->n > ONE_HOT_MAX ? a->n : (size_t)1 << a->n;
    double *mean = mem_alloc(n, sizeof(*mean));
    double *weight = mem_alloc(n, sizeof(*weight));
    for (size_t i = 0; i < b->n; i++) {
        double rest = rest_volume(t, b, a, i);
        for (size_t cell = 0; cell < n; cell++) {
            if (box_has_cell(t, b, a, i, cell)) {
                weight[cell] += rest;
                mean[cell] += rest * b->value[i];
            }
        }
    }
    for (size_t cell = 0; cell < n; cell++) {
        mean[cell] = weight[cell] > 0.0 ? mean[cell] / weight[cell] : 0.0;
    }
    double variance = weighted_variance(mean, weight, n);
    free(mean);
    free(weight);
    return variance;
}

/* --- the evaluators ---------------------------------------------------------
 */

static bool has_variance(const struct table *t)
{
    for (size_t i = 1; i < t->n; i++) {
        if (t->y[i] != t->y[0]) {
            return true;
        }
    }
    return false;
}

/* Add the shares of one tree; false: it has no variance. */
static bool fanova_tree(const struct table *t, const struct forest_tree *tree,
                        double *shares)
{
    struct boxes b;
    boxes_of(t, tree, &b);
    double all = weighted_variance(b.value, b.volume, b.n);
    for (size_t k = 0; all > 0.0 && k < t->n_axes; k++) {
        const struct axis *a = &t->axes[k];
        double own = a->dist->kind == DIST_CATEGORICAL
                         ? choice_marginal(t, &b, a)
                         : numeric_marginal(t, &b, a->first);
        shares[k] += own / all;
    }
    boxes_fini(&b);
    return all > 0.0;
}

/* Add the columns' parts of the tree's whole decrease in impurity. */
static bool mdi_tree(const struct table *t, const struct forest_tree *tree,
                     double *shares)
{
    double all = 0.0;
    for (size_t i = 0; i < tree->n; i++) {
        all += tree->nodes[i].gain;
    }
    for (size_t i = 0; all > 0.0 && i < tree->n; i++) {
        for (size_t k = 0; tree->nodes[i].feature >= 0 && k < t->n_axes; k++) {
            size_t f = (size_t)tree->nodes[i].feature;
            const struct axis *a = &t->axes[k];
            if (f >= a->first && f < a->first + a->n) {
                shares[k] += tree->nodes[i].gain / all;
            }
        }
    }
    return all > 0.0;
}

static void over_trees(const struct history *h, uint64_t seed,
                       const atomic_bool *cancel, double *out,
                       bool (*tree_shares)(const struct table *t,
                                           const struct forest_tree *tree,
                                           double *shares))
{
    struct table t;
    table_new(h, &t, out);
    double *shares = mem_alloc(t.n_axes, sizeof(*shares));
    const struct forest_data data = {t.x, t.y, t.n, t.n_columns};
    int n_used = 0;
    bool any = t.n > 1 && t.n_axes > 0 && has_variance(&t);
    for (uint32_t k = 0; any && k < FOREST_TREES; k++) {
        if (cancel != NULL && atomic_load(cancel)) {
            break;
        }
        struct rng rng;
        struct forest_tree tree;
        rng_stream(&rng, seed, k, RNG_FOREST, 0);
        forest_grow(&data, &rng, &tree);
        n_used += tree_shares(&t, &tree, shares);
        forest_tree_fini(&tree);
    }
    for (size_t k = 0; n_used > 0 && k < t.n_axes; k++) {
        out[t.axes[k].param] = shares[k] / n_used;
    }
    free(shares);
    table_fini(&t);
}

void importance_fanova(const struct history *h, uint64_t seed,
                       const atomic_bool *cancel, double *out)
{
    over_trees(h, seed, cancel, out, fanova_tree);
}

void importance_mdi(const struct history *h, uint64_t seed,
                    const atomic_bool *cancel, double *out)
{
    over_trees(h, seed, cancel, out, mdi_tree);
}
