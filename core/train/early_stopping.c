#include "core/train/early_stopping.h"

#include <math.h>

static enum run_metric monitored(int64_t monitor)
{
    switch (monitor) {
    case RUN_MONITOR_TRAIN_LOSS:
        return RUN_TRAIN_LOSS;
    case RUN_MONITOR_TRAIN_ACC:
        return RUN_TRAIN_ACC;
    case RUN_MONITOR_VAL_ACC:
        return RUN_VAL_ACC;
    default:
        return RUN_VAL_LOSS;
    }
}

void early_stopping_init(struct early_stopping *s, const struct run *run)
{
    enum run_metric metric = monitored(run->monitor);
    *s = (struct early_stopping){
        .active = run->monitor != RUN_MONITOR_NONE,
        .metric = metric,
        .patience = run->patience,
        .min_delta = run->min_delta,
        .best = run_metric_is_loss(metric) ? INFINITY : -INFINITY,
    };
}

bool early_stopping_update(struct early_stopping *s,
                           const struct run_metrics *metrics)
{
    if (!s->active) {
        return false;
    }
    double value = metrics->value[s->metric];
    if (!isfinite(value)) {
        return true;
    }
    bool better = run_metric_is_loss(s->metric)
                      ? value + s->min_delta < s->best
                      : value - s->min_delta > s->best;
    if (better) {
        s->best = value;
        s->n_waited = 0;
        return false;
    }
    s->n_waited++;
    return s->n_waited >= s->patience;
}
