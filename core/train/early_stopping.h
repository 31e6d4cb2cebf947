/* early_stopping: stop when a metric no longer improves.
 *
 * As Lightning's EarlyStopping: better means better than the best so far by
 * more than min_delta; `patience` epochs in a row that are not better end the
 * training, a monitored NaN or infinity at once. */
#ifndef CORE_TRAIN_EARLY_STOPPING_H
#define CORE_TRAIN_EARLY_STOPPING_H
#include "core/spec/run.h"

struct early_stopping {
    bool active;
    enum run_metric metric;
    int64_t patience;
    double min_delta;
    double best;      /* -inf or inf before the first epoch */
    int64_t n_waited; /* epochs in a row that were not better */
};

/* As run's monitor, patience and min_delta say. */
void early_stopping_init(struct early_stopping *s, const struct run *run);
/* Take an epoch into account; true: stop. */
bool early_stopping_update(struct early_stopping *s,
                           const struct run_metrics *metrics);

#endif
