/* classifier: the built-in objective: one trial's training, told in messages.
 *
 * It turns an assignment into a trainer and the trainer's events into words for
 * the daemon. No loop and no channel: the session gives it turns. */
#ifndef WORKER_CLASSIFIER_H
#define WORKER_CLASSIFIER_H
#include "worker/objective.h"
struct classifier;
struct msg_assign;

/* Begin (or continue) a trial. Copies what it needs. On failure nothing was
 * said: the caller says FAILED with objective_cause(rc). */
MUST_CHECK int classifier_new(const struct msg_assign *assign,
                              const struct objective_out *out,
                              struct classifier **c, struct err *err);
void classifier_free(struct classifier *c);

/* One bounded piece of work. mono_ms: a clock that never jumps. */
enum objective_turn classifier_step(struct classifier *c, int64_t mono_ms);
/* Stop as told: with keep, a checkpoint first; then STOPPED is said. */
void classifier_stop(struct classifier *c, bool keep);

#endif
