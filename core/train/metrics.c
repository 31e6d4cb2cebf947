#include "core/train/metrics.h"
#include "core/nn/model.h"

#include <math.h>

void metrics_add(struct metrics_sum *sum, const struct model_result *batch,
                 int n_rows)
{
    sum->loss += batch->loss_sum;
    sum->n_correct += batch->n_correct;
    sum->n_rows += n_rows;
}

static double mean(const struct metrics_sum *sum, double total)
{
    /* One NaN for all: a report made twice must be equal bit by bit. */
    if (sum->n_rows == 0 || isnan(sum->loss)) {
        return NAN;
    }
    return total / (double)sum->n_rows;
}

double metrics_loss(const struct metrics_sum *sum)
{
    return mean(sum, sum->loss);
}

double metrics_acc(const struct metrics_sum *sum)
{
    return mean(sum, (double)sum->n_correct);
}
