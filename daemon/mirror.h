/* mirror: everything the daemon knows: its studies and its worker slots.
 *
 * A slot: ABSENT -(SLOT_IDLE)-> IDLE -(ASSIGN)-> BUSY -(STOP)-> STOPPING,
 * IDLE -(PREPARE)-> PREPARING. The words that end its work (PREPARED,
 * PREPARE_FAILED, DONE, FAILED, STOPPED) make it ABSENT, until SLOT_IDLE; KILL
 * makes it DYING; SLOT_GONE makes any ABSENT, and only then is what it held
 * given to another.
 * Pure memory. Changed only by mirror_apply; a mirror loaded from the store
 * equals the one in memory (mirror_difference), at every step. */
#ifndef DAEMON_MIRROR_H
#define DAEMON_MIRROR_H
#include "daemon/action.h"
struct buf;

struct slot {
    enum slot_state state;
    int64_t study;      /* what it prepares; 0 none */
    struct trial_id id; /* what it trains; study 0 none */
    bool stop_keeps;    /* STOPPING: the trial goes back to WAITING */
    int64_t since_ms;   /* monotonic: PREPARING, its last sign of life; BUSY,
                           its last progress; STOPPING, the STOP */
    enum trial_cause kill_cause; /* DYING: what to blame */
    char *kill_message;          /* DYING: why; owned, may be NULL */
};

/* A study of Optuna's that we cannot hold. */
struct mirror_left_out {
    char *name, *reason; /* owned */
};

struct mirror {
    struct study **studies; /* by study_id ascending */
    size_t n_studies;
    struct mirror_left_out *left_out; /* as the rows were when loaded */
    size_t n_left_out;
    struct slot *slots;
    int n_slots;
    int64_t next_study_id, next_trial_id, next_seq;
    int64_t last_turn; /* study_id that got a slot last: studies take turns */
    int64_t tick_ms;   /* monotonic: when the clock was last read, 0: never */
};

struct mirror *mirror_new(int n_slots);
void mirror_free(struct mirror *m);
struct study *mirror_study(const struct mirror *m, int64_t study_id);
struct study *mirror_study_by_name(const struct mirror *m, const char *name);
/* It is there, but not in the mirror. Copies. */
void mirror_leave_out(struct mirror *m, const char *name, const char *reason);
/* Why nothing named so is a study here, where a study is that was left out:
 * CONFLICT; else NOTFOUND. */
int mirror_refuse_name(const struct mirror *m, const char *name,
                       struct err *err);
/* NULL when there is no such trial. */
struct study_trial *mirror_trial(const struct mirror *m, int64_t study_id,
                                 int64_t number);
/* Carry out one action on memory. Actions come from the scheduler or from the
 * store's rows, which were checked: it cannot fail. Takes nothing. */
void mirror_apply(struct mirror *m, const struct action *a);
/* m was loaded anew, with its slots, in the same life: what no row knows of its
 * studies is as it was before (clocks, backoffs, verified data). */
void mirror_remember(struct mirror *m, const struct mirror *before);
/* Append the first difference in what is durable; 0 if none, 1 if written.
 * The next ids are not compared: a deleted row's id may come again in another
 * life, when nobody remembers it. */
int mirror_difference(const struct mirror *a, const struct mirror *b,
                      struct buf *out);

#endif
