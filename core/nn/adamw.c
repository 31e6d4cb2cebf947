#include "core/nn/adamw.h"

#include <math.h>
#include <string.h>

struct kernels_adamw adamw_constants(const struct model_adamw *opt, int64_t t)
{
    double lr = opt->lr, beta1 = opt->beta1, beta2 = opt->beta2;
    double unbias1 = 1.0 - pow(beta1, (double)t);
    double unbias2 = 1.0 - pow(beta2, (double)t);
    return (struct kernels_adamw){
        .beta1 = opt->beta1,
        .rest1 = (float)(1.0 - beta1),
        .beta2 = opt->beta2,
        .rest2 = (float)(1.0 - beta2),
        .decay = (float)(1.0 - lr * (double)opt->weight_decay),
        .rate = (float)(lr / unbias1),
        .scale = (float)(1.0 / sqrt(unbias2)),
        .eps = opt->eps,
    };
}

/* m and v take beta m + rest g: a factor of g is as good as one of rest. */
void adamw_scale(struct kernels_adamw *step, double by)
{
    step->rest1 = (float)(step->rest1 * by);
    step->rest2 = (float)(step->rest2 * by * by);
}

/* Lists run from the first position to the last. */
static void list_positions(const struct adamw_rows *rows, size_t V,
                           const int32_t *ids, size_t n)
{
    memset(rows->first, 0xff, V * sizeof(*rows->first)); /* all -1 */
    for (size_t i = n; i-- > 0;) {
        rows->next[i] = rows->first[ids[i]];
        rows->first[ids[i]] = (int32_t)i;
    }
}

/* Of the id whose first position is i. */
static const float *row_gradient(int32_t i, size_t d, const float *dx,
                                 const struct adamw_rows *rows,
                                 const struct kernels *k)
{
    const float *g = dx + (size_t)i * d;
    for (i = rows->next[i]; i >= 0; i = rows->next[i]) {
        k->add(rows->row, g, dx + (size_t)i * d, d);
        g = rows->row;
    }
    return g;
}

double adamw_embedding_squares(size_t V, size_t d, const int32_t *ids,
                               const float *dx, size_t n,
                               const struct adamw_rows *rows,
                               const struct kernels *k)
{
    double sum = 0;
    list_positions(rows, V, ids, n);
    for (size_t id = 0; id < V; id++) {
        int32_t i = rows->first[id];
        if (i >= 0) {
            const float *g = row_gradient(i, d, dx, rows, k);
            sum += k->dot(g, g, d);
        }
    }
    return sum;
}

void adamw_embedding(float *w, float *m, float *v, size_t V, size_t d,
                     const int32_t *ids, const float *dx, size_t n,
                     const struct adamw_rows *rows,
                     const struct kernels_adamw *step, const struct kernels *k)
{
    list_positions(rows, V, ids, n);
    size_t from = 0; /* rows from .. id-1 wait, all without a gradient */
    for (size_t id = 0; id < V; id++) {
        int32_t i = rows->first[id];
        if (i < 0) {
            continue;
        }
        k->adamw(w + from * d, m + from * d, v + from * d, NULL,
                 (id - from) * d, step);
        from = id + 1;
        const float *g = row_gradient(i, d, dx, rows, k);
        k->adamw(w + id * d, m + id * d, v + id * d, g, d, step);
    }
    k->adamw(w + from * d, m + from * d, v + from * d, NULL, (V - from) * d,
             step);
}
