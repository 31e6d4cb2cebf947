/* metrics: sums over the rows of a part, and the means made of them. */
#ifndef CORE_TRAIN_METRICS_H
#define CORE_TRAIN_METRICS_H
#include <stdint.h>
struct model_result;

struct metrics_sum {
    double loss; /* nats, added in the order of the batches */
    int64_t n_correct, n_rows;
};

void metrics_add(struct metrics_sum *sum, const struct model_result *batch,
                 int n_rows);
/* Means. NaN (one bit pattern: NAN) when there are no rows or the loss is NaN:
 * what is counted over scores that are no numbers is no accuracy. */
double metrics_loss(const struct metrics_sum *sum);
double metrics_acc(const struct metrics_sum *sum);

#endif
