/* sched: the pure brain: (mirror, event) -> actions.
 *
 * No clock, no chance, no I/O: time is in the event, randomness is a function
 * of (study seed, trial number). The daemon calls sched_decide with an event,
 * commits, applies and performs what it returned, and then calls sched_next
 * until it returns no action (each round may start one more trial, its sampler
 * seeing all earlier results).
 *
 * Rules:
 * - a study starts a trial only while finished + running + waiting < n_trials,
 *   so the target is never overshot; WAITING trials go first, lowest number
 *   first, enqueued ones among them; FAIL does not count but max_failures of
 *   them end the study (FAILED, with the last cause);
 * - who enqueues or retries gets what was asked for: a target that has no room
 *   is raised by what is missing, and a study that had nothing left to do runs
 *   again, as does a failed one whose trials are retried; any other goes on
 *   when it is resumed;
 * - a finished study is resumed without a target when trials wait, or when a
 *   stop rule ended it before its target; one that came to its target, or to
 *   the end of its space, needs a larger one;
 * - no trial fails beyond max_failures: what runs beside the one that ended the
 *   study, or fails after the user's stop, is put back; after a resume the next
 *   failure ends it again;
 * - running studies take turns; spec.workers caps a study's slots;
 * - a first trial waits until the data set is prepared in this daemon's life;
 *   a preparation that kills its worker three times fails the study; a trial
 *   that finds its data set gone or damaged goes back uncounted, and the data
 *   set is prepared again first;
 * - a lost attempt goes back to WAITING with the same number and parameters,
 *   attempt + 1, from its last committed checkpoint; backoff 1, 2, 4 .. 60 s;
 *   a trial in its backoff keeps its place: a study never has more trials begun
 *   and unended than workers, so one worker's study does not depend on deaths;
 *   three deaths without a new epoch: FAIL poison; two hangs, one after the
 *   other: FAIL hang; two OOM kills: FAIL oom; a full disk waits 10 s and, like
 *   the daemon's own death, the user's stop and the end of a worker that was
 *   not told of the trial yet, never counts;
 * - five deaths of workers within a minute under three trials or more pause the
 *   study ("environment: ..."): no trial is burnt for what is not its fault;
 * - what a worker says about anything but what its slot holds is ignored;
 * - of a trial the last two checkpoints and the best one are kept, of one that
 *   has ended well the best; what a worker finds damaged is forgotten, with an
 *   event, and it goes on from what is left;
 * - an epoch reported again must equal the stored one bit for bit, else the
 *   trial is flagged;
 * - within an attempt epochs come one after the other; the first may repeat
 *   what is stored (a resume), never leave a gap: else the worker is killed;
 * - a report that the study's pruner finds hopeless ends its trial in the same
 *   decision: PRUNED with that report's value, and STOP without keeping;
 * - a name is a study's for ever; only one whose first preparation failed, and
 *   that has nothing else, gives it to a new study (another config);
 * - when all points of a space that may be tried have been (sampler.h), the
 *   study ends and says so;
 * - a study ends when the target is reached and nothing waits or runs; trials
 *   that run when a stop rule or max_failures ends it are put back. The trial
 *   that ends it and the study's new state are one decision;
 * - a worker without progress for max(SCHED_HANG_MS, 10 x its longest pause so
 *   far) is killed; when the daemon's own loop had stalled, all deadlines begin
 *   anew before anybody is judged. */
#ifndef DAEMON_SCHED_H
#define DAEMON_SCHED_H
#include "core/base/err.h"
#include <stdint.h>
struct actions;
struct event;
struct mirror;

enum {
    SCHED_DEATHS_AT_ONE_PLACE = 3,
    SCHED_HANGS_AT_ONE_PLACE = 2,
    SCHED_BACKOFF_MIN_MS = 1000,
    SCHED_BACKOFF_MAX_MS = 60000,
    SCHED_DISK_WAIT_MS = 10000,  /* before a full disk is tried again */
    SCHED_SPAWN_WAIT_MS = 10000, /* and a process that cannot be made */
    SCHED_DEATHS_MS = 60000, /* so many deaths within this time, of so many */
    SCHED_DEATHS = 5,        /* trials: the environment's fault */
    SCHED_DEATHS_TRIALS = 3,
    SCHED_PREPARES = 3,             /* preparations that may die */
    SCHED_HANG_MS = 120000,         /* no progress for this long: hang */
    SCHED_PREPARE_HANG_MS = 900000, /* a preparation that does not move on:
                                       longer than any pause of a download */
    SCHED_STOP_GRACE_MS = 30000,    /* from STOP to KILL */
    SCHED_TICK_MS = 1000,           /* while any worker works */
    SCHED_MAX_STEP = 1000000000,    /* of what is no training */
    SCHED_STALL_MS = 5000           /* ticks further apart: the loop stalled */
};

/* Append the decision to out. An error (a user's event only: NOTFOUND,
 * CONFLICT, INVALID, with a sentence for the user) appends nothing. */
MUST_CHECK int sched_decide(const struct mirror *m, const struct event *e,
                            struct actions *out, struct err *err);
/* What can be started now: at most one trial or preparation per call; appends
 * nothing when there is nothing to do. now_ms UTC, mono_ms monotonic. */
void sched_next(const struct mirror *m, int64_t now_ms, int64_t mono_ms,
                struct actions *out);
/* The daemon ends: STOP (keeping it) for every trial on a slot; the studies'
 * states stay, so they go on by themselves at the next start. Their active time
 * until now is written down. */
void sched_drain(const struct mirror *m, int64_t now_ms, int64_t mono_ms,
                 struct actions *out);
/* Monotonic time, >= mono_ms, at which EVENT_TICK is wanted next (end of a
 * backoff, a look at deadlines); INT64_MAX when the clock brings nothing. Ask
 * again after every event. */
int64_t sched_wake_ms(const struct mirror *m, int64_t mono_ms);

#endif
