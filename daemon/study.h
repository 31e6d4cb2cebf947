/* study: the memory mirror of one study: what its rows say, as structs.
 *
 * Written only by mirror_apply (mirror.h), read by the scheduler, the views and
 * the simulator's invariants. */
#ifndef DAEMON_STUDY_H
#define DAEMON_STUDY_H
#include "core/spec/spec.h"
#include "core/spec/trial.h"
#include "daemon/search/importance.h"
struct history;

/* X(NAME, "text", help). Only RUNNING studies get workers.
 *   RUNNING -> PAUSED | STOPPED (user) | FINISHED (target reached, or a stop
 *   rule) | FAILED (no data, or max_failures); each back to RUNNING by resume
 */
#define STUDY_STATES(X)                                                        \
    X(RUNNING, "running", "trials are started")                                \
    X(PAUSED, "paused", "running trials end, no new ones start")               \
    X(STOPPED, "stopped", "ended by the user")                                 \
    X(FINISHED, "finished", "the target or a stop rule was reached")           \
    X(FAILED, "failed", "it cannot go on; the reason says why")

enum study_state {
#define X(name, text, help) STUDY_##name,
    STUDY_STATES(X)
#undef X
        STUDY_N_STATES
};
const char *study_state_name(enum study_state s);
int study_state_by_name(const char *name); /* -1: none */

struct study_checkpoint {
    int64_t epoch, step, size;
    char sha256[65];
    char *file; /* name inside the trial's folder; owned */
};

struct study_report {
    int64_t epoch;
    int64_t attempt; /* that first reported it */
    struct run_metrics metrics;
};

struct study_progress { /* memory only: what the worker said last */
    char phase[16];
    int64_t epoch, step, n_steps;
    double loss;
    int64_t next_epoch; /* to be reported next; -1: any that leaves no gap */
    int64_t pause_ms;   /* longest time between two steps so far */
    int64_t at_ms;      /* monotonic: when it last moved on */
    int64_t started_ms; /* monotonic, start of the attempt */
};

struct study_preparation { /* memory only: what the worker said last */
    char phase[16], unit[8];
    int64_t done, total; /* in unit; total 0: unknown */
    int64_t started_ms;  /* monotonic */
};

struct study_trial {
    int64_t id; /* the database's trial_id */
    int64_t number;
    int64_t seq; /* of the last event that changed it */
    enum trial_state state;
    enum trial_cause cause;     /* of the end, or of the last attempt's end */
    char *message;              /* sentence to the cause, or NULL; owned */
    int64_t attempt;            /* last started, 0: none yet */
    double value;               /* NaN: none */
    int64_t best_epoch;         /* -1: none */
    struct trial_memory memory; /* of a finished one */
    int64_t start_ms;   /* UTC milliseconds, of the first attempt, 0: not yet */
    int64_t end_ms;     /* UTC milliseconds, of the final state, 0: not yet */
    int64_t attempt_ms; /* UTC, start of the running attempt, 0: none */
    int64_t worked_ms;  /* of its attempts that are over, in all */
    int64_t seq_ms;     /* UTC, of the event seq, 0: none */
    double *fixed;      /* space.n values, NaN free; NULL: not enqueued */
    struct study_report *reports; /* by epoch; a training's without gaps */
    size_t n_reports;
    /* NULL: none. The previous one is what was the last before it; it is there
     * only beside a last one. */
    struct study_checkpoint *last, *previous, *best;
    bool nondeterministic; /* an attempt told an epoch or step otherwise */
    int64_t place;         /* n_reports when an attempt last died, -1: never */
    int64_t n_at_place;    /* deaths there, in a row */
    int64_t not_before_ms; /* memory only, monotonic: backoff */
    struct study_progress *progress; /* of a RUNNING one's attempt, else NULL */
};

enum { STUDY_DEATHS = 5 }; /* remembered */
struct study_death {
    int64_t number; /* of the trial */
    int64_t at_ms;  /* monotonic; 0: none */
};

struct study_data {  /* the prepared data set */
    char sha256[65]; /* "" : not prepared yet */
    int64_t n_classes, n_train, n_val, n_test;
};

struct study {
    int64_t id; /* the database's study_id */
    int64_t seq;
    struct spec spec;
    enum study_state state;
    char *reason; /* owned, may be NULL */
    int64_t created_ms;
    int64_t active_ms;        /* time spent RUNNING before running_since_ms */
    int64_t running_since_ms; /* UTC, 0 when not RUNNING */
    int64_t running_since_mono_ms; /* memory only: the same moment; 0: in
                                      another life of the daemon */
    struct study_data data;
    bool is_prepared;    /* memory only: verified in this life of the daemon */
    int64_t prepared_ms; /* memory only, monotonic: when it was */
    int n_gone; /* memory only: prepared data that a trial found gone since
                   the last report */
    int preparing_slot;                   /* memory only: -1 none */
    struct study_preparation preparation; /* memory only: of that slot */
    int n_prepares; /* memory only: begun since the last that ended well */
    /* memory only: the latest deaths of workers, in turn */
    struct study_death deaths[STUDY_DEATHS];
    int64_t n_deaths;
    struct study_trial **trials; /* by number */
    size_t n_trials;
    int64_t n_by_state[TRIAL_N_STATES];
    int64_t best; /* number of the best feasible COMPLETE trial, -1: none; first
                     of ties */
    struct importances importances[IMPORTANCE_N_EVALUATORS]; /* n 0: none */
    struct history *history;
    bool is_foreign; /* in Optuna's tables alone: has no config of ours */
};

/* A RUNNING study without trials. Copies the spec. */
struct study *study_new(int64_t id, const struct spec *spec);
void study_free(struct study *s);
struct study_trial *study_add_trial(struct study *s, int64_t trial_id);

/* What no attempt of ours began counts for samplers (history_set_hidden) once
 * it is COMPLETE or PRUNED: before, its parameters come as another program sets
 * them, and a FAIL may be tried again with more of them. */
static inline bool study_hides(const struct study_trial *t)
{
    return t->attempt == 0 && !trial_state_has_value(t->state);
}
/* Are its importances those of all its COMPLETE trials? */
bool study_importances_are_current(const struct study *s);
/* Of a trial that reports values: by the spec the last one, or the best, the
 * first of ties, and its step. Nothing reported: they are left as they are. */
void study_reported_value(const struct study *s, const struct study_trial *t,
                          double *value, int64_t *step);
/* Is this a file that belongs into the trial's folder? */
bool study_trial_has_file(const struct study_trial *t, const char *file);
/* The values of a trial in the space's order (space.n), NaN where absent. */
void study_values(const struct study *s, int64_t number, double *out);
int64_t study_n_finished(const struct study *s); /* COMPLETE + PRUNED */
/* How long it has been RUNNING in all, until mono_ms of this life of the
 * daemon; what it was before this life is known once EVENT_START has been
 * decided. */
int64_t study_active_ms(const struct study *s, int64_t mono_ms);
/* The last moment, UTC, that a row of a RUNNING study tells of. */
int64_t study_last_sign_ms(const struct study *s);
/* Do its trials report epochs, which come without gaps from 0 and which people
 * count from 1? What another objective calls its steps only comes in order. */
bool study_counts_epochs(const struct study *s);
/* Its first preparation failed, and nothing else ever came of it: a new study
 * of the same name takes its place. */
bool study_is_stillborn(const struct study *s);
/* Is a a better objective value than b for this study? NaN never is. */
bool study_is_better(const struct study *s, double a, double b);

#endif
