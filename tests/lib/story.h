/* story: a mirror and a clock, to which events happen: the scheduler's tests
 * and the simulator tell their stories with it. No pool, no store. */
#ifndef TESTS_LIB_STORY_H
#define TESTS_LIB_STORY_H
#include "core/base/err.h"
#include "daemon/action.h"
#include "daemon/event.h"
#include "daemon/mirror.h"

struct story {
    struct mirror *m;
    int64_t now_ms, mono_ms;
    struct actions last; /* the last decision */
    struct err err;      /* of the last refused event */
};

void story_init(struct story *st, int n_slots);
void story_fini(struct story *st);

/* A study config with one float parameter "lr" and max_epochs 5; owned. */
struct spec story_spec(const char *name, int64_t n_trials);

/* Let e happen now; returns sched_decide's code. What it decides is applied. */
int story_event(struct story *st, struct event e);
/* sched_next until nothing more starts; returns how often something did. */
int story_next(struct story *st);

/* --- sentences. They fail the test when the event is refused. */
int64_t story_add(struct story *st, const char *name, int64_t n_trials);
void story_idle(struct story *st, int slot);
void story_gone(struct story *st, int slot, enum trial_cause cause);
void story_prepared(struct story *st, int slot, char digit);
/* The words of what the slot holds now. */
void story_report(struct story *st, int slot, int64_t epoch, double value);
void story_checkpoint(struct story *st, int slot, bool best, int64_t epoch,
                      const char *file);
void story_discard(struct story *st, int slot, const char *file);
void story_done(struct story *st, int slot, double value);
void story_failed(struct story *st, int slot, enum trial_cause cause);
void story_stopped(struct story *st, int slot);
/* The slot is idle, and what can start starts. */
void story_back(struct story *st, int slot);
/* DONE, and the slot comes back; FAILED, and the same. */
void story_finish(struct story *st, int slot, double value);
void story_fail(struct story *st, int slot, enum trial_cause cause);
/* A user's event without more; and one that must be refused with a sentence. */
void story_user(struct story *st, enum event_kind kind, int64_t study);
void story_refused(struct story *st, struct event e, int code);
int story_resume(struct story *st, int64_t study, int64_t n_trials);
/* Let time pass in ticks of one second. */
void story_wait(struct story *st, int64_t ms);

/* A study "x" whose data set the one slot begins to prepare. */
int64_t story_prepare(struct story *st, int64_t n_trials);
/* A study with all slots idle, prepared, and trials on them. */
int64_t story_begin(struct story *st, int n_slots, int64_t n_trials);
struct study *story_study(const struct story *st, int64_t id);
struct study_trial *story_trial(const struct story *st, int64_t study,
                                int64_t number);
/* How often the last decision has an action of this kind. */
int story_count(const struct story *st, enum action_kind kind);
const struct action *story_find(const struct story *st, enum action_kind kind);

#endif
