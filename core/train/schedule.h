/* schedule: the learning rate of each optimiser step.
 *
 * It rises over the first `warmup` share of the n steps that max_epochs make:
 * lr (t + 1) / W at step t < W = round(warmup n). Then it stays, or falls from
 * lr at step W to 0 at step n: in a line, or along half a cosine (Loshchilov
 * and Hutter, ICLR 2017). A function of the step alone: nothing to save. */
#ifndef CORE_TRAIN_SCHEDULE_H
#define CORE_TRAIN_SCHEDULE_H
#include "core/spec/run.h"

/* step: 0 .. n_steps - 1. */
double schedule_lr(const struct run *run, int64_t step, int64_t n_steps);

#endif
