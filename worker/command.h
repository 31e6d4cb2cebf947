/* command: any program as an objective.
 *
 * It gets its parameters
 *   as arguments        {NAME} in the command line (command_given.h);
 *   in the environment  PARZEN_PARAM_NAME (what is no letter or digit is _);
 *   as a JSON file      that PARZEN_PARAMS_FILE names.
 * A parameter that the trial does not have ("when") is in none of them.
 * PARZEN_CHECKPOINT_DIR is a folder that survives into the next attempt;
 * PARZEN_TRIAL and PARZEN_ATTEMPT say which one it is, PARZEN_SEED is the
 * study's: the same in every trial.
 *
 * It tells, with lines on its standard output,
 *   parzen: {"step": 3, "value": 0.71}  an intermediate value; steps ascend;
 *   parzen: {"value": 0.7}              the final value, instead of the best
 *                                       (or last) intermediate one;
 *   parzen: {"constraints": [-1, 0.5]}  one number for each name of
 *                                       objective.constraints, in that order
 *                                       or as an object by name.
 * A line of ours that tells something else fails the trial (told.h).
 *
 * SIGTERM asks it to stop. Exit code 0 means done, 130 interrupted (tried
 * again), any other failed. All that it started ends with it, also when the
 * worker is killed; time, memory and output are limited. */
#ifndef WORKER_COMMAND_H
#define WORKER_COMMAND_H
#include "worker/objective.h"

MUST_CHECK int command_begin(const struct objective_task *task, void **job,
                             struct err *err);
enum objective_turn command_step(void *job, int64_t mono_ms);
bool command_stop(void *job, bool keep);
void command_free(void *job);

#endif
