/* action: what the scheduler decides: the only way anything changes.
 *
 * A decision is a list of actions. The daemon puts the durable ones into the
 * store's transaction and applies all to the mirror; when the transaction is
 * committed (at the end of the loop's round, before anybody is answered) it
 * performs those that speak to workers or files: durable first, visible after.
 * If the commit fails, the mirror is loaded again and nothing was said. */
#ifndef DAEMON_ACTION_H
#define DAEMON_ACTION_H
#include "daemon/study.h"

/* X(NAME, durable, performed, help) */
#define ACTIONS(X)                                                             \
    X(ADD_STUDY, 1, 0, "a new study, RUNNING")                                 \
    X(ADOPT_STUDY, 1, 0, "one that Optuna made gets a config, RUNNING")        \
    X(CHANGE_STUDY, 1, 0, "its config, what its trials had stays true")        \
    X(SET_STUDY, 1, 0, "its state and reason")                                 \
    X(SET_TARGET, 1, 0, "its n_trials")                                        \
    X(SET_DATA, 1, 0, "its prepared data set")                                 \
    X(SET_IMPORTANCES, 1, 0, "what matters, by one evaluator")                 \
    X(DELETE_STUDY, 1, 1, "the study, its rows and its files")                 \
    X(ADD_TRIAL, 1, 0, "a new WAITING trial; params or fixed values")          \
    X(ADOPT_TRIAL, 1, 0, "a trial of an adopted study, as it is")              \
    X(START_TRIAL, 1, 0, "WAITING -> RUNNING, attempt k, with its params")     \
    X(REPORT, 1, 0, "an epoch's metrics")                                      \
    X(REWIND, 1, 0, "reports from a step on go: they are told anew")           \
    X(RUNG, 1, 0, "a rung of successive halving that the trial passed")        \
    X(CONSTRAINTS, 1, 0, "its constraints' values")                            \
    X(CHECKPOINT, 1, 0, "a durable checkpoint file")                           \
    X(DISCARD, 1, 0, "a checkpoint that turned out to be of no use")           \
    X(END_ATTEMPT, 1, 0, "RUNNING -> WAITING: cause and sentence")             \
    X(FINISH_TRIAL, 1, 0, "RUNNING -> COMPLETE, PRUNED or FAIL")               \
    X(RETRY_TRIAL, 1, 0, "FAIL -> WAITING, by the user")                       \
    X(FLAG_TRIAL, 1, 0, "a re-reported epoch differed: nondeterministic")      \
    X(SLOT, 0, 0, "a slot's state (memory)")                                   \
    X(PROGRESS, 0, 0, "what a worker is doing (memory)")                       \
    X(PREPARING, 0, 0, "how far a preparation is (memory)")                    \
    X(PREPARED, 0, 0, "the data set was verified in this life (memory)")       \
    X(UNPREPARED, 0, 0, "a trial found its data set gone (memory)")            \
    X(DEATH, 0, 0, "a worker died under this trial (memory)")                  \
    X(DELAY, 0, 0, "a trial must wait: not_before_ms (memory)")                \
    X(TICK, 0, 0, "the clock was read (memory)")                               \
    X(PREPARE, 0, 1, "tell a worker to prepare a study's data set")            \
    X(ASSIGN, 0, 1, "tell a worker to do a trial")                             \
    X(STOP, 0, 1, "tell a worker to stop its trial, keeping it or not")        \
    X(KILL, 0, 1, "end a worker that does not answer")                         \
    X(REMOVE_FILE, 0, 1, "a checkpoint file that nothing refers to now")

enum action_kind {
#define X(name, durable, performed, help) ACTION_##name,
    ACTIONS(X)
#undef X
        ACTION_N_KINDS
};

/* mirror.h draws it. */
enum slot_state {
    SLOT_ABSENT, /* nobody there who could work, or not yet */
    SLOT_IDLE,
    SLOT_PREPARING,
    SLOT_BUSY,
    SLOT_STOPPING, /* told to stop, not heard of yet */
    SLOT_DYING     /* being killed, not reaped yet: not listened to */
};

/* What the durable ones do to a row, beside the obvious (mirror.c is the
 * reference; a trial's action sets the trial's seq, any other but
 * SET_IMPORTANCES the study's):
 * ADD_STUDY     state RUNNING, created_ms = running_since_ms = at_ms
 * ADOPT_STUDY   the same; its trials stay, each is told by ADOPT_TRIAL
 * CHANGE_STUDY  the spec, but for n_trials; distribution_json of all its trials
 * START_TRIAL   attempt; attempt_ms = at_ms, start_ms too unless it is set; the
 *               values
 * END_ATTEMPT   cause, message, place, n_at_place; worked_ms grows by what the
 *               attempt took; nothing else
 * FINISH_TRIAL  the same, and value, best_epoch, memory, end_ms = at_ms.
 *               COMPLETE and PRUNED lose their `last` and `previous`
 *               checkpoints (FAIL keeps them for retry)
 * REWIND        no reports from the step on; no rungs, where it had all
 * RUNG          Optuna's attribute completed_rung_<rung>
 * CONSTRAINTS   Optuna's attribute constraints
 * CHECKPOINT    replaces the trial's `best` or `last`; a `last` that shifts
 *               becomes the `previous` before that
 * DISCARD       whichever checkpoints have that file are none; the `previous`
 *               takes the place of a `last` that goes
 * RETRY_TRIAL   cause NONE, no message, value NaN, best_epoch -1, no memory,
 *               end_ms 0, place -1, n_at_place 0; reports and checkpoints
 *               stay */

struct action {
    enum action_kind kind;
    int64_t seq;     /* of its event row; 0 for what is not durable */
    int64_t at_ms;   /* UTC */
    int64_t mono_ms; /* monotonic; memory only */
    int64_t study;   /* study_id; 0 when none is concerned */
    int64_t number;  /* trial number, -1 none */
    int64_t attempt; /* 0 none */
    int slot;        /* -1 none */
    union {
        struct {
            struct spec *spec; /* owned */
        } add_study;           /* and ADOPT_STUDY, CHANGE_STUDY */
        struct {
            enum study_state state;
            char *reason;                        /* owned, may be NULL */
            int64_t active_ms, running_since_ms; /* as in struct study */
        } set_study;
        struct {
            int64_t n_trials;
        } set_target;
        struct study_data set_data;
        struct {
            enum importance_evaluator evaluator;
            struct importances list; /* owned */
        } importances;
        /* values: space.n, owned, or NULL: to be sampled at its start */
        struct {
            int64_t trial_id;
            double *fixed;
        } add_trial; /* and ADOPT_TRIAL: fixed alone, of the new space */
        /* values: space.n, owned; NULL when the trial has them already */
        struct {
            double *values;
        } start_trial;
        struct study_report report;
        struct {
            int64_t step;
        } rewind;
        struct {
            int64_t rung; /* the trial's next: 0, 1, .. */
            double value; /* not NaN */
        } rung;
        struct {
            double values[SPEC_MAX_CONSTRAINTS]; /* not NaN */
            size_t n;
        } constraints;
        struct {
            bool best;
            bool shifts; /* the last one becomes the previous */
            struct study_checkpoint file;
        } checkpoint;
        struct {
            char *file, *message; /* owned */
        } discard;
        struct {
            enum trial_state state; /* WAITING in END_ATTEMPT */
            enum trial_cause cause;
            char *message; /* owned, may be NULL */
            double value;
            int64_t best_epoch;
            int64_t place, n_at_place;  /* see struct study_trial */
            int64_t ended_ms;           /* UTC, the attempt's end */
            struct trial_memory memory; /* FINISH_TRIAL */
        } end;                          /* END_ATTEMPT and FINISH_TRIAL */
        struct {
            enum slot_state state;
        } set_slot;
        struct study_progress progress;
        struct study_preparation preparing;
        struct {
            int64_t not_before_ms;
        } delay;
        struct {
            bool stalled; /* deadlines begin anew */
        } tick;
        struct {
            bool keep;
        } stop;
        /* what to blame when it is gone; message: why, owned */
        struct {
            enum trial_cause cause;
            char *message;
        } kill;
        struct {
            char *file; /* in the trial's folder; owned */
        } remove_file;
    };
};

struct actions {
    struct action *items;
    size_t n, cap;
};

void action_fini(struct action *a); /* frees what it owns */
void actions_init(struct actions *a);
void actions_fini(struct actions *a); /* frees what the actions own */
/* Append; takes what `action` owns. Returns the place in the list. */
struct action *actions_add(struct actions *a, struct action action);
const char *action_name(enum action_kind kind); /* "ADD_TRIAL" */
bool action_is_durable(enum action_kind kind);
bool action_is_performed(enum action_kind kind);
bool actions_any_durable(const struct actions *a);

#endif
