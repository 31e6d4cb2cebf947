/* tensorboard: a training's log for TensorBoard (tfevents.h), kept beside the
 * training: a comfort, never a reason to fail. What cannot be written ends the
 * log, with a sentence on stderr. */
#ifndef CORE_TRAIN_TENSORBOARD_H
#define CORE_TRAIN_TENSORBOARD_H
#include "core/spec/run.h"
struct trainer_event;
struct tfevents;

struct tensorboard {
    struct tfevents *log; /* NULL: none is kept */
};

/* The log of run in dir, which is made; dir "" or NULL: none is kept. A log
 * that is there goes on where it ends (a resumed training), or begins anew. */
void tensorboard_begin(struct tensorboard *t, const char *dir,
                       const struct run *run, bool anew);
/* e: a TRAINER_EPOCH. */
void tensorboard_epoch(struct tensorboard *t, const struct trainer_event *e);
/* The objective's value; NaN: there is none. */
void tensorboard_end(struct tensorboard *t, enum run_metric metric,
                     double value);
void tensorboard_fini(struct tensorboard *t);

#endif
