/* objective: what a trial does: the built-in training, a table, a test function
 * or a command, behind one interface.
 *
 * An objective speaks to the daemon in messages and gets turns from the
 * session: each a bounded piece of work, or a short wait for something outside.
 */
#ifndef WORKER_OBJECTIVE_H
#define WORKER_OBJECTIVE_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct json;
struct msg;
struct msg_assign;
struct objective;

/* Where words go; borrows the message. is_slow: some wait to be heard; who says
 * many waits with more. */
struct objective_out {
    void *ctx;
    void (*say)(void *ctx, const struct msg *m);
    bool (*is_slow)(void *ctx);
};

enum objective_turn {
    OBJECTIVE_BUSY, /* give it another turn */
    OBJECTIVE_WAIT, /* a checkpoint could not be written: again in a while */
    OBJECTIVE_ENDED /* DONE, FAILED or STOPPED was said */
};

/* What a worker keeps from one trial to the next: the last table it read, as
 * long as the file stays the same. Zeroed: nothing. */
struct objective_memory {
    char *path;
    struct json *table;
    int64_t inode, size, changed_ns;
};
void objective_memory_fini(struct objective_memory *m);

/* Begin (or continue) a trial. Copies what it needs, borrows memory. On failure
 * nothing was said: the caller says FAILED with objective_cause(rc). */
MUST_CHECK int objective_new(const struct msg_assign *assign,
                             const struct objective_out *out,
                             struct objective_memory *memory,
                             struct objective **result, struct err *err);
void objective_free(struct objective *o);
/* mono_ms: a clock that never jumps. */
enum objective_turn objective_step(struct objective *o, int64_t mono_ms);
/* Stop as told; with keep, what was done is kept first. True: STOPPED was said
 * and it is over; false: a later turn says it. */
bool objective_stop(struct objective *o, bool keep);
/* The enum trial_cause of an error. */
int objective_cause(int code);

/* What every kind but the training is begun with. */
struct objective_task {
    const struct msg_assign *assign;
    const struct json *spec;   /* the config's "objective" */
    const struct json *params; /* by name, in the order of the space */
    struct objective_out out;
    struct objective_memory *memory;
};

#endif
