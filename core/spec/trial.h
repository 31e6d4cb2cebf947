/* trial: the words that every room shares about a trial's life.
 *
 *                 START (attempt k)          COMPLETE
 *    WAITING ------------------------> RUNNING --------> PRUNED   (final)
 *       ^                                 |   `-------> FAIL
 *       '--- LOST, INTERRUPTED, retry ----'
 * A final state is never left, but FAIL by the user's `retry`. */
#ifndef CORE_SPEC_TRIAL_H
#define CORE_SPEC_TRIAL_H
#include <stdbool.h>
#include <stdint.h>

/* X(NAME, "Optuna's text"): states as Optuna names them. */
#define TRIAL_STATES(X)                                                        \
    X(WAITING, "WAITING")                                                      \
    X(RUNNING, "RUNNING")                                                      \
    X(COMPLETE, "COMPLETE")                                                    \
    X(PRUNED, "PRUNED")                                                        \
    X(FAIL, "FAIL")

enum trial_state {
#define X(name, text) TRIAL_##name,
    TRIAL_STATES(X)
#undef X
        TRIAL_N_STATES
};

/* X(NAME, "text", retried, help): why an attempt or a trial ended. `retried`:
 * the trial is tried again (up to the scheduler's limits), because the cause
 * may lie outside of it. */
#define TRIAL_CAUSES(X)                                                        \
    X(NONE, "none", 0, "it has not ended, or it ended well")                   \
    X(DAEMON, "daemon", 1, "the daemon ended; not the trial's fault")          \
    X(INTERRUPTED, "interrupted", 1, "stopped by the user and put back")       \
    X(SIGNAL, "signal", 1, "the worker was killed by a signal")                \
    X(EXIT, "exit", 1, "the worker exited with a non-zero code")               \
    X(LOST, "lost", 1, "the worker's channel closed without a word")           \
    X(HANG, "hang", 1, "no progress within the deadline")                      \
    X(PROTOCOL, "protocol", 1, "the worker broke the protocol")                \
    X(SPAWN, "spawn", 1, "the worker could not be started")                    \
    X(DISK, "disk", 1, "no space left, or the disk failed")                    \
    X(OOM, "oom", 0, "not enough memory")                                      \
    X(NAN, "nan", 0, "the objective was not a number")                         \
    X(INVALID, "invalid", 0, "the parameters do not fit together")             \
    X(DATA, "data", 0, "the data set is missing or has changed")               \
    X(TIMEOUT, "timeout", 0, "it took longer than it may")                     \
    X(METRIC, "no-metric", 0, "it ended well but told no value")               \
    X(POISON, "poison", 0, "it killed its worker three times at one place")

enum trial_cause {
#define X(name, text, retried, help) TRIAL_CAUSE_##name,
    TRIAL_CAUSES(X)
#undef X
        TRIAL_N_CAUSES
};

static inline bool trial_state_is_final(enum trial_state s)
{
    return s == TRIAL_COMPLETE || s == TRIAL_PRUNED || s == TRIAL_FAIL;
}
/* Did it end with what its objective came to? (A PRUNED one may have ended
 * before it reported any: its value is NaN then.) */
static inline bool trial_state_has_value(enum trial_state s)
{
    return s == TRIAL_COMPLETE || s == TRIAL_PRUNED;
}
const char *trial_state_name(enum trial_state s); /* "COMPLETE" */
int trial_state_by_name(const char *name);        /* -1: none; any case */
const char *trial_cause_name(enum trial_cause c); /* "oom" */
int trial_cause_by_name(const char *name);        /* -1: none */
bool trial_cause_is_retried(enum trial_cause c);

/* Which attempt at which trial of which study a message speaks of: what is
 * not current is ignored (fencing). */
struct trial_id {
    int64_t study;   /* the database's study_id */
    int64_t number;  /* of the trial, 0 .. */
    int64_t attempt; /* 1 .. */
};

/* Memory of a trial's last attempt. */
struct trial_memory {
    int64_t peak;      /* bytes resident at most; 0: not known */
    int64_t planned;   /* bytes that the training said it needs; 0: not known */
    int64_t of_worker; /* 1: the peak is the worker's since its start, because
                          the kernel does not count anew for each trial */
};

#endif
