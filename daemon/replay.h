/* replay: was every suggestion what its sampler makes of what it saw?
 *
 * The log of events (parzen_events) says in which order all that samplers see
 * came about: the number of a first START_TRIAL is the watermark of its
 * suggestion, which knew the events before it and nothing after. So the history
 * as of then is built again, event by event, with the values that the rows
 * hold, and the same sampler code is asked again, with the config that was in
 * force then. */
#ifndef DAEMON_REPLAY_H
#define DAEMON_REPLAY_H
#include "core/base/err.h"
#include "core/spec/trial.h"
#include <stdbool.h>
#include <stddef.h>
struct spec;
struct study;

enum replay_kind {
    REPLAY_ADD,    /* a new WAITING trial */
    REPLAY_ADOPT,  /* a trial of Optuna's is known, in `state` */
    REPLAY_START,  /* WAITING -> RUNNING */
    REPLAY_REPORT, /* `step` was reported */
    REPLAY_CHANGE, /* the study got another config: `before` was in force */
    REPLAY_STATE   /* it ended, or was put back: `state` */
};

struct replay_event {
    int64_t seq, number;
    enum replay_kind kind;
    enum trial_state state;
    int64_t step;
    /* of a first START: who suggested (SAMPLER_VERSION); is_given: the trial
     * had parameters before, from Optuna, and no sampler was asked */
    bool suggests, is_given;
    int64_t version;
    struct spec *before; /* of a CHANGE, else NULL; owned */
};
void replay_events_free(struct replay_event *events, size_t n);

struct replay_difference {
    int64_t number, seq;       /* trial, event; -1: no difference */
    size_t param;              /* of the space */
    double stored, recomputed; /* internal values */
};

struct replay_result {
    int64_t n_suggestions, n_equal; /* until the first difference */
    int64_t n_other_version;        /* not compared: another sampler's */
    int64_t n_given;                /* parameters from Optuna; not counted */
    struct replay_difference first;
};

/* s: the study as it is now; events: its log, by seq. CORRUPT when the log
 * cannot be the study's. Stops at the first difference. */
MUST_CHECK int replay_study(const struct study *s,
                            const struct replay_event *events, size_t n,
                            struct replay_result *out, struct err *err);

#endif
