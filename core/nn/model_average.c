/* The average of the weights over the steps. */
#include "core/nn/model_parts.h"

void model_average_step(struct model *m)
{
    const struct model_flat *f = &m->flat;
    if (f->average == NULL) {
        return;
    }
    double t = (double)m->step, most = (1.0 + t) / (10.0 + t);
    double decay = (double)m->config.weight_average;
    float by = (float)(1.0 - (decay < most ? decay : most));
    m->kernels->blend(f->average, f->weight, by, f->n);
    for (size_t i = 0; i < m->n_table; i++) {
        const struct model_tensor *t_i = &m->tensors[m->table[i]];
        if ((int)m->table[i] == m->wide) {
            model_wide_blend(m, by);
        } else if (m->table[i] == MODEL_EMBEDDING) {
            m->kernels->blend(t_i->average, t_i->weight, by, t_i->n);
        }
    }
}

static void swap(float **a, float **b)
{
    float *was = *a;
    *a = *b;
    *b = was;
}

void model_average_swap(struct model *m)
{
    if (m->flat.average == NULL) {
        return;
    }
    swap(&m->flat.weight, &m->flat.average);
    for (size_t i = 0; i < m->n_table; i++) {
        struct model_tensor *t = &m->tensors[m->table[i]];
        swap(&t->weight, &t->average);
    }
}
