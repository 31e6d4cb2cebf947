/* look_up: objectives whose value is known at once: cells of a table of
 * finished trainings, and test functions. */
#ifndef WORKER_LOOK_UP_H
#define WORKER_LOOK_UP_H
#include "worker/objective.h"

/* objective.path: {"space": [{"name", "values"}..], "values": [..]}, row-major,
 * the last parameter fastest. A parameter whose values are strings is looked up
 * by its value, any other is an index into its values. */
MUST_CHECK int look_up_table(const struct objective_task *task, void **job,
                             struct err *err);
/* objective.function of the parameters in their order (functions.h). */
MUST_CHECK int look_up_function(const struct objective_task *task, void **job,
                                struct err *err);
enum objective_turn look_up_step(void *job, int64_t mono_ms);
bool look_up_stop(void *job, bool keep);
void look_up_free(void *job);

#endif
