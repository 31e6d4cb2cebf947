#include "daemon/search/forest.h"

#include "core/base/mem.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A tree in the making. Each feature keeps the samples in its own order; a node
 * is the same stretch [begin, end) of all of them. */
struct growing {
    const struct forest_data *d;
    struct rng *rng;
    double *weight;   /* of sample i: how often it was drawn */
    uint32_t **order; /* by feature; the drawn samples, by x */
    uint32_t *buffer; /* for partitions */
    bool *is_left;    /* by sample */
    uint32_t *tried;  /* features in the order of trying */
    struct forest_tree *tree;
};

struct node_sums {
    double weight, sum, square;
};

struct split {
    int feature; /* -1: none */
    double threshold, proxy;
};

static double x_at(const struct growing *g, size_t f, uint32_t i)
{
    return (double)g->d->x[f * g->d->n + i];
}

/* --- the best split ---------------------------------------------------------
 */

static struct node_sums sums_of(const struct growing *g, size_t begin,
                                size_t end)
{
    struct node_sums s = {0};
    for (size_t k = begin; k < end; k++) {
        uint32_t i = g->order[0][k];
        s.weight += g->weight[i];
        s.sum += g->weight[i] * g->d->y[i];
        s.square += g->weight[i] * g->d->y[i] * g->d->y[i];
    }
    return s;
}

/* Between two samples that differ, in the middle of float32 neighbours. */
static double middle(double low, double high)
{
    double m = low / 2.0 + high / 2.0;
    return m == high || isinf(m) ? low : m;
}

static void try_feature(const struct growing *g, size_t f, size_t begin,
                        size_t end, const struct node_sums *all,
                        struct split *best)
{
    const double equal = 1e-7;
    double left_weight = 0.0, left_sum = 0.0;
    const uint32_t *order = g->order[f];
    for (size_t k = begin; k + 1 < end; k++) {
        uint32_t i = order[k];
        left_weight += g->weight[i];
        left_sum += g->weight[i] * g->d->y[i];
        double low = x_at(g, f, i), high = x_at(g, f, order[k + 1]);
        if (high <= low + equal) {
            continue;
        }
        double right_weight = all->weight - left_weight;
        double right_sum = all->sum - left_sum;
        double proxy = left_sum * left_sum / left_weight +
                       right_sum * right_sum / right_weight;
        if (proxy > best->proxy) {
            *best = (struct split){(int)f, middle(low, high), proxy};
        }
    }
}

static struct split find_split(const struct growing *g, size_t begin,
                               size_t end, const struct node_sums *all)
{
    struct split best = {.feature = -1, .proxy = -INFINITY};
    rng_shuffle(g->rng, g->tried, (uint32_t)g->d->n_features);
    for (size_t k = 0; k < g->d->n_features; k++) {
        try_feature(g, g->tried[k], begin, end, all, &best);
    }
    return best;
}

/* Stable, so that every feature's order stays one. Returns the middle. */
static size_t partition(const struct growing *g, const struct split *s,
                        size_t begin, size_t end)
{
    size_t middle_at = begin;
    for (size_t k = begin; k < end; k++) {
        uint32_t i = g->order[0][k];
        g->is_left[i] = x_at(g, (size_t)s->feature, i) <= s->threshold;
        middle_at += g->is_left[i];
    }
    for (size_t f = 0; f < g->d->n_features; f++) {
        size_t n_left = begin, n_right = 0;
        for (size_t k = begin; k < end; k++) {
            uint32_t i = g->order[f][k];
            if (g->is_left[i]) {
                g->order[f][n_left++] = i;
            } else {
                g->buffer[n_right++] = i;
            }
        }
        memcpy(g->order[f] + n_left, g->buffer, n_right * sizeof(*g->buffer));
    }
    return middle_at;
}

/* --- growing ----------------------------------------------------------------
 */

static size_t add_node(struct forest_tree *t, const struct node_sums *s)
{
    if ((t->n & (t->n - 1)) == 0) {
        size_t cap = t->n == 0 ? 1 : 2 * t->n;
        t->nodes = mem_grow(t->nodes, cap, sizeof(*t->nodes));
    }
    t->nodes[t->n] = (struct forest_node){
        .feature = -1, .value = s->sum / s->weight, .weight = s->weight};
    return t->n++;
}

static size_t grow(const struct growing *g, size_t begin, size_t end, int depth)
{
    struct node_sums all = sums_of(g, begin, end);
    size_t at = add_node(g->tree, &all);
    double mean = all.sum / all.weight;
    double impurity = all.square / all.weight - mean * mean;
    if (end - begin < 2 || depth == FOREST_DEPTH || impurity <= 0x1p-52) {
        return at;
    }
    struct split best = find_split(g, begin, end, &all);
    if (best.feature < 0) {
        return at;
    }
    size_t cut = partition(g, &best, begin, end);
    size_t left = grow(g, begin, cut, depth + 1);
    size_t right = grow(g, cut, end, depth + 1);
    struct forest_node *node = &g->tree->nodes[at];
    node->feature = best.feature;
    node->threshold = best.threshold;
    node->gain = best.proxy - all.sum * mean;
    node->left = left;
    node->right = right;
    return at;
}

struct keyed {
    float x;
    uint32_t i;
};

static int compare(const void *a, const void *b)
{
    const struct keyed *p = a, *q = b;
    if (p->x != q->x) {
        return p->x < q->x ? -1 : 1;
    }
    return p->i < q->i ? -1 : p->i > q->i;
}

/* The drawn samples in the order of each feature; how many they are. */
static size_t sort_samples(struct growing *g)
{
    const struct forest_data *d = g->d;
    struct keyed *keyed = mem_grow(NULL, d->n, sizeof(*keyed));
    size_t n = 0;
    for (size_t f = 0; f < d->n_features; f++) {
        n = 0;
        for (uint32_t i = 0; i < d->n; i++) {
            if (g->weight[i] > 0.0) {
                keyed[n++] = (struct keyed){d->x[f * d->n + i], i};
            }
        }
        qsort(keyed, n, sizeof(*keyed), compare);
        g->order[f] = mem_grow(NULL, d->n, sizeof(uint32_t));
        for (size_t k = 0; k < n; k++) {
            g->order[f][k] = keyed[k].i;
        }
    }
    free(keyed);
    return n;
}

void forest_grow(const struct forest_data *data, struct rng *rng,
                 struct forest_tree *out)
{
    *out = (struct forest_tree){0};
    struct growing g = {
        .d = data,
        .rng = rng,
        .weight = mem_alloc(data->n, sizeof(double)),
        .order = mem_alloc(data->n_features, sizeof(uint32_t *)),
        .buffer = mem_grow(NULL, data->n, sizeof(uint32_t)),
        .is_left = mem_alloc(data->n, sizeof(bool)),
        .tried = mem_grow(NULL, data->n_features, sizeof(uint32_t)),
        .tree = out,
    };
    for (size_t i = 0; i < data->n; i++) {
        g.weight[rng_below(rng, (uint32_t)data->n)] += 1.0;
    }
    for (uint32_t f = 0; f < data->n_features; f++) {
        g.tried[f] = f;
    }
    (void)grow(&g, 0, sort_samples(&g), 0);
    for (size_t f = 0; f < data->n_features; f++) {
        free(g.order[f]);
    }
    free(g.weight);
    free(g.order);
    free(g.buffer);
    free(g.is_left);
    free(g.tried);
}

void forest_tree_fini(struct forest_tree *t)
{
    free(t->nodes);
    *t = (struct forest_tree){0};
}
