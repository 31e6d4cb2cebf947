/* event: what happens to the daemon: the scheduler's only input. */
#ifndef DAEMON_EVENT_H
#define DAEMON_EVENT_H
#include "daemon/study.h"

enum event_kind {
    /* from the pool */
    EVENT_SLOT_IDLE, /* a worker said hello, or its work has ended (after
                        PREPARED, PREPARE_FAILED, DONE, FAILED, STOPPED);
                        ignored while the slot holds anything */
    EVENT_SLOT_GONE, /* its process is dead and reaped; cause, message. What it
                        held (a trial, a preparation) is lost */
    EVENT_PREPARING,
    EVENT_PREPARED,
    EVENT_PREPARE_FAILED,
    EVENT_PROGRESS,
    EVENT_REPORT,
    EVENT_CHECKPOINT,
    EVENT_DISCARD,
    EVENT_CONSTRAINTS,
    EVENT_DONE,
    EVENT_FAILED,
    EVENT_STOPPED,
    /* from the daemon, when it has loaded its mirror: once (the time between
     * two lives is no study's time), then for each RUNNING trial found */
    EVENT_START,
    EVENT_ORPHAN,
    /* from the daemon's own computing (analysis.h) */
    EVENT_IMPORTANCES,
    /* from users */
    EVENT_ADD_STUDY,
    EVENT_ADOPT,  /* a config (add_study.spec) for a study that Optuna made */
    EVENT_CHANGE, /* another config (add_study.spec) for a study, and resume */
    EVENT_PAUSE,
    EVENT_RESUME,
    EVENT_STOP,
    EVENT_ENQUEUE,
    EVENT_RETRY,
    EVENT_DELETE,
    /* from the clock */
    EVENT_TICK
};

struct event { /* borrows everything it points to */
    enum event_kind kind;
    int64_t now_ms;     /* UTC */
    int64_t mono_ms;    /* monotonic, > 0: deadlines and backoff */
    int64_t alive_ms;   /* START, ORPHAN: UTC, when the life before this one was
                           last known to go on; 0: unknown */
    int64_t lived_ms;   /* and how long it had by then, monotonic */
    int64_t begun_ms;   /* and when it had begun, UTC */
    int slot;           /* events of the pool */
    int64_t study;      /* study_id, where one is concerned */
    struct trial_id id; /* PROGRESS .. STOPPED, ORPHAN */
    union {
        struct {
            enum trial_cause cause;
            const char *message;
        } gone;
        struct study_preparation preparing;
        struct study_data prepared;
        struct {
            const char *message;
        } prepare_failed;
        struct study_progress progress;
        struct {
            int64_t epoch;
            struct run_metrics metrics;
            struct trial_memory memory;
        } report;
        struct {
            bool best;
            struct study_checkpoint file;
        } checkpoint;
        struct {
            const char *file, *message;
        } discard;
        struct {
            double values[SPEC_MAX_CONSTRAINTS];
            size_t n;
        } constraints;
        struct {
            double value;
            int64_t best_epoch;
            struct trial_memory memory;
        } done;
        struct {
            enum trial_cause cause;
            const char *message;
        } failed;
        struct {
            enum importance_evaluator evaluator;
            const struct importances *list;
        } importances;
        struct {
            const struct spec *spec;
        } add_study;
        struct {
            int64_t n_trials; /* 0: the target stays */
        } resume;
        struct {
            bool now;
        } stop;
        struct {
            const double *values; /* space.n, NaN free */
        } enqueue;
        struct {
            int cause; /* enum trial_cause, -1: any */
        } retry;
    };
};

#endif
