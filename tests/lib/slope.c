#include "tests/lib/slope.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* By a central difference. */
static double difference(struct model *m, struct model_tensor *t,
                         const float *direction, float by,
                         double (*loss)(struct model *m))
{
    float *start = mem_alloc(t->n, sizeof(float));
    double value[2];
    memcpy(start, t->weight, t->n * sizeof(float));
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < t->n; i++) {
            t->weight[i] = start[i] + (side == 0 ? by : -by) * direction[i];
        }
        value[side] = loss(m);
    }
    memcpy(t->weight, start, t->n * sizeof(float));
    free(start);
    return (value[0] - value[1]) / (2 * (double)by);
}

void slope_check(struct model *m, size_t at, const float *grad, struct rng *rng,
                 const struct slope_way *way, int number)
{
    struct model_tensor t = model_tensor_at(m, at);
    float *direction = mem_alloc(t.n, sizeof(float));
    double slope = 0, size = 0, found = 0;
    for (size_t i = 0; i < t.n; i++) {
        direction[i] = rng_double(rng) < 0.5 ? -1.0f : 1.0f;
        slope += (double)grad[i] * direction[i];
        size += fabs(grad[i]);
    }
    bool agrees = false;
    for (size_t i = 0;
         i < ARRAY_LEN(way->steps) && way->steps[i] > 0 && !agrees; i++) {
        found = difference(m, &t, direction, way->steps[i], way->loss);
        agrees = fabs(found - slope) <= way->relative * size + way->absolute;
    }
    ck_assert_msg(agrees,
                  "case %d, %s: slope %g by gradient, %g by differences (of "
                  "%g)",
                  number, t.name, slope, found, size);
    free(direction);
}
