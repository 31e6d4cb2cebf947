/* The wide layer's weight in halves: what a batch goes through reads half the
 * bytes forward, and the rest of the program sees floats. */
#include "core/nn/model_parts.h"

#include "core/nn/halves.h"

bool model_has_halves(const struct model *m)
{
    return m->ops.bf16 != NULL && m->wide != MODEL_NONE &&
           m->config.max_batch <= MODEL_FEW_ROWS;
}

void model_split(struct model *m)
{
    if (!model_has_halves(m) || m->is_split) {
        return;
    }
    const struct model_tensor *t = &m->tensors[m->wide];
    halves_split(t->weight, t->dims[0], t->dims[1], m->halves);
    if (t->average != NULL) {
        halves_split(t->average, t->dims[0], t->dims[1], m->halves);
    }
    m->is_split = true;
}

void model_join(struct model *m)
{
    if (!m->is_split) {
        return;
    }
    const struct model_tensor *t = &m->tensors[m->wide];
    halves_join(t->weight, t->dims[0], t->dims[1], m->halves);
    if (t->average != NULL) {
        halves_join(t->average, t->dims[0], t->dims[1], m->halves);
    }
    m->is_split = false;
}

void model_wide_forward(const struct model *m, float *y, const float *x,
                        size_t rows)
{
    const struct model_tensor *t = &m->tensors[m->wide];
    size_t O = t->dims[0], N = t->dims[1];
    if (m->is_split) {
        m->kernels->wide_forward_split(y, x, (uint16_t *)t->weight, rows, O, N);
    } else {
        m->kernels->wide_forward(y, x, t->weight, rows, O, N);
    }
}

void model_wide_step(const struct model *m, float *dx, const float *x,
                     const float *dy, size_t rows,
                     const struct kernels_adamw *step)
{
    const struct model_tensor *t = &m->tensors[m->wide];
    size_t O = t->dims[0], N = t->dims[1];
    if (m->is_split) {
        m->kernels->wide_step_split(dx, (uint16_t *)t->weight, t->m, t->v, x,
                                    dy, rows, O, N, step);
    } else {
        m->kernels->wide_step(dx, t->weight, t->m, t->v, x, dy, rows, O, N,
                              step);
    }
}

void model_wide_input(const struct model *m, float *dx, const float *dy,
                      size_t rows)
{
    const struct model_tensor *t = &m->tensors[m->wide];
    size_t O = t->dims[0], N = t->dims[1];
    if (m->is_split) {
        m->kernels->wide_input_split(dx, (uint16_t *)t->weight, dy, rows, O, N);
    } else {
        ops_nn(&m->ops, dx, N, dy, O, t->weight, N, rows, N, O, 1.0f);
    }
}

void model_wide_blend(const struct model *m, float by)
{
    const struct model_tensor *t = &m->tensors[m->wide];
    if (m->is_split) {
        m->kernels->blend_split((uint16_t *)t->average, (uint16_t *)t->weight,
                                by, t->dims[0], t->dims[1]);
    } else {
        m->kernels->blend(t->average, t->weight, by, t->n);
    }
}
