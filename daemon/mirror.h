/* mirror: everything the daemon knows: its studies and its worker slots.
 *
 * A slot: ABSENT -(EVENT_SLOT_IDLE)-> IDLE -(ASSIGN)-> BUSY -(STOP)-> STOPPING,
 * IDLE -(PREPARE)-> PREPARING; each back to IDLE by EVENT_SLOT_IDLE and to
 * ABSENT by EVENT_SLOT_GONE.
 * Pure memory. Changed only by mirror_apply; a mirror loaded from the store
 * equals the one in memory (mirror_difference), at every step. */
#ifndef DAEMON_MIRROR_H
#define DAEMON_MIRROR_H
#include "daemon/action.h"
struct buf;

struct slot {
    enum slot_state state;
    int64_t study;      /* PREPARING */
    struct trial_id id; /* BUSY, STOPPING */
    bool stop_keeps;    /* STOPPING: the trial goes back to WAITING */
    int64_t stop_ms;    /* monotonic time of the STOP */
};

struct mirror {
    struct study **studies; /* by study_id ascending */
    size_t n_studies;
    struct slot *slots;
    int n_slots;
    int64_t next_study_id, next_trial_id, next_seq;
    int64_t last_turn; /* study_id that got a slot last: studies take turns */
};

struct mirror *mirror_new(int n_slots);
void mirror_free(struct mirror *m);
struct study *mirror_study(const struct mirror *m, int64_t study_id);
struct study *mirror_study_by_name(const struct mirror *m, const char *name);
/* NULL when there is no such trial. */
struct study_trial *mirror_trial(const struct mirror *m, int64_t study_id,
                                 int64_t number);
/* Carry out one action on memory. Actions come from the scheduler or from the
 * store's rows, which were checked: it cannot fail. Takes nothing. */
void mirror_apply(struct mirror *m, const struct action *a);
/* Append the first difference in what is durable; 0 if none, 1 if written. */
int mirror_difference(const struct mirror *a, const struct mirror *b,
                      struct buf *out);

#endif
