/* resume: a training that goes on from the newest checkpoint that is whole. */
#ifndef WORKER_RESUME_H
#define WORKER_RESUME_H
#include "core/base/err.h"
struct msg_assign;
struct objective_out;
struct trainer;
struct trainer_options;

/* trainer_new with the checkpoints of the assignment: the last, else the
 * previous, else from the start, which gives the same training by the same
 * seed. A file that is missing, damaged or of no use without one that is, is
 * told by DISCARD and taken out of its place (a damaged one is kept once, as
 * PATHS_DAMAGED). options: everything but the files; they are filled in. */
MUST_CHECK int resume_training(const struct msg_assign *assign,
                               const struct objective_out *out,
                               struct trainer_options *options,
                               struct trainer **trainer, struct err *err);

#endif
