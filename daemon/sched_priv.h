/* sched_priv: what the files of the scheduler share; nobody else includes it.
 *
 * sched.c        events by kind; the making of actions
 * sched_user.c   what users ask for
 * sched_adopt.c  a study that Optuna made goes on here
 * sched_worker.c what workers say, and their deaths
 * sched_report.c of that, what their trials report
 * sched_end.c    how attempts, trials and studies end
 * sched_start.c  what starts next
 * sched_clock.c  deadlines */
#ifndef DAEMON_SCHED_PRIV_H
#define DAEMON_SCHED_PRIV_H
#include "daemon/action.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "daemon/sched.h"

struct turn { /* one decision in the making */
    const struct mirror *m;
    int64_t now_ms, mono_ms;
    struct actions *out;
    /* of a life that was killed, its last sign, its length and when it had
     * begun; 0: unknown */
    int64_t alive_ms, lived_ms, begun_ms;
};

/* --- sched.c: actions. Each returns the appended action, to be filled. */
struct action *turn_add(const struct turn *t, enum action_kind kind,
                        int64_t study);
struct action *turn_add_trial(const struct turn *t, enum action_kind kind,
                              const struct study *s,
                              const struct study_trial *trial);
/* Takes reason (may be NULL). */
void turn_set_study(const struct turn *t, const struct study *s,
                    enum study_state state, char *reason);
void turn_set_slot(const struct turn *t, int slot, enum slot_state state);
/* Takes message. */
void turn_kill(const struct turn *t, int slot, enum trial_cause cause,
               char *message);
/* STOP (keep) for every trial of the study on a slot, apart from `except`. */
void turn_stop_trials(const struct turn *t, const struct study *s, bool keep,
                      int except);
/* When what a killed life began at since_ms was last known to go on: what its
 * rows tell, or a later sign of that life, which had no more time for either
 * than it lived (the machine may have slept, the clock been set). */
int64_t turn_last_sign_ms(const struct turn *t, int64_t since_ms,
                          int64_t durable_ms);
/* Does the slot hold this study's trial or preparation? */
bool sched_slot_works_for(const struct slot *slot, int64_t study_id);

/* --- sched_end.c */
/* RUNNING -> WAITING with the rules of sched.h, or FAIL when the cause's limit
 * is reached. message may be NULL. */
void turn_end_attempt(const struct turn *t, const struct study *s,
                      const struct study_trial *trial, enum trial_cause cause,
                      const char *message);
/* The same when its worker is dead. Too many such deaths pause the study. */
void turn_lose(const struct turn *t, const struct study *s,
               const struct study_trial *trial, enum trial_cause cause,
               const char *message);
/* COMPLETE; FAIL nan when value is NaN. */
void turn_complete(const struct turn *t, const struct study *s,
                   const struct study_trial *trial, double value,
                   int64_t best_epoch, const struct trial_memory *memory);
/* PRUNED with the value of its last report, and STOP for its slot. */
void turn_prune(const struct turn *t, const struct study *s,
                const struct study_trial *trial, int slot, double value,
                int64_t epoch, const struct trial_memory *memory);
void turn_fail(const struct turn *t, const struct study *s,
               const struct study_trial *trial, enum trial_cause cause,
               const char *message);
/* A stop rule: FINISHED, and what runs is put back. Takes reason. */
void turn_finish_study(const struct turn *t, const struct study *s,
                       char *reason, int except_slot);
/* finished + running + waiting: trials that use up the target. */
int64_t sched_n_counted(const struct study *s);
/* RUNNING, but on no slot: Optuna asked for them while we were at work. Nobody
 * here knows when they end, or whether: they take no place of ours. */
int64_t sched_n_elsewhere(const struct mirror *m, const struct study *s);

/* --- sched_report.c */
/* Epochs that the trial may report, or steps. */
int64_t turn_max_epochs(const struct study *s, const struct study_trial *trial);
/* False: it cannot be, and the worker is killed. */
bool turn_report(const struct turn *t, const struct event *e,
                 const struct study *s, const struct study_trial *trial);

/* --- the events */
int sched_user(const struct turn *t, const struct event *e, struct err *err);
int sched_adopt(const struct turn *t, const struct study *s,
                const struct spec *spec, struct err *err);
void sched_worker(const struct turn *t, const struct event *e);
void sched_clock(const struct turn *t);

#endif
