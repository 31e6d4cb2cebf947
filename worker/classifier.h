/* classifier: the built-in objective: one trial's training, told in messages.
 *
 * It turns an assignment into a trainer and the trainer's events into words for
 * the daemon. No loop and no channel: the session gives it turns. */
#ifndef WORKER_CLASSIFIER_H
#define WORKER_CLASSIFIER_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct classifier;
struct msg;
struct msg_assign;

/* Where words go; borrows the message. */
struct classifier_out {
    void *ctx;
    void (*say)(void *ctx, const struct msg *m);
};

/* Begin (or continue) a trial. Copies what it needs. On failure nothing was
 * said: the caller says FAILED with classifier_cause(rc). */
MUST_CHECK int classifier_new(const struct msg_assign *assign,
                              const struct classifier_out *out,
                              struct classifier **c, struct err *err);
void classifier_free(struct classifier *c);

enum classifier_turn {
    CLASSIFIER_BUSY, /* give it another turn */
    CLASSIFIER_WAIT, /* a checkpoint could not be written: again in a while */
    CLASSIFIER_ENDED /* DONE or FAILED was said */
};
/* One bounded piece of work. mono_ms: a clock that never jumps. */
enum classifier_turn classifier_step(struct classifier *c, int64_t mono_ms);
/* Stop as told: with keep, a checkpoint first; then STOPPED is said. */
void classifier_stop(struct classifier *c, bool keep);
/* The enum trial_cause of an error. */
int classifier_cause(int code);

#endif
