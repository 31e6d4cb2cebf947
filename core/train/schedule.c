#include "core/train/schedule.h"

#include <math.h>

double schedule_lr(const struct run *run, int64_t step, int64_t n_steps)
{
    static const double PI = 3.14159265358979323846;
    double n_warmup = round(run->warmup * (double)n_steps);
    if ((double)step < n_warmup) {
        return run->lr * ((double)step + 1) / n_warmup;
    }
    double done = ((double)step - n_warmup) / ((double)n_steps - n_warmup);
    switch (run->lr_schedule) {
    case RUN_LR_SCHEDULE_LINEAR:
        return run->lr * (1 - done);
    case RUN_LR_SCHEDULE_COSINE:
        return run->lr * 0.5 * (1 + cos(PI * done));
    default:
        return run->lr;
    }
}
