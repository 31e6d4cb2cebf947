/* live: a study as its stream of events tells it, kept for a view to paint.
 *
 * Pure: events and times come in, nothing is printed or asked. */
#ifndef DAEMON_CLI_LIVE_H
#define DAEMON_CLI_LIVE_H
#include "core/spec/spec.h"
#include "core/spec/trial.h"
#include <stddef.h>
struct json;

struct live_trial { /* one that runs */
    int64_t number, attempt;
    char phase[16];
    int64_t epoch, step, n_steps; /* epoch in work, 0 is the first */
    int64_t max_epochs;           /* 0: not known */
    int64_t n_epochs;             /* reported so far */
    double loss;                  /* NaN before the first batch */
    double value;                 /* objective metric of the last epoch */
    double fraction;              /* of the whole training; never falls */
    double rate;                  /* optimiser steps a second; NaN: unknown */
    int64_t first_ms;             /* when fraction was first_fraction */
    double first_fraction;
    int64_t last_ms;    /* when it was heard of last */
    int64_t told_ms;    /* when a step of it was news; 0: it is new itself */
    bool is_stepped;    /* reports values of steps, not epochs of a training */
    int64_t elapsed_ms; /* of this attempt, as of last_ms */
};

/* Where a training is, as its worker says. */
struct live_step {
    const char *phase;
    int64_t epoch, step, n_steps;
    double loss;
};
void live_trial_init(struct live_trial *t, int64_t number, int64_t max_epochs);
void live_trial_take(struct live_trial *t, const struct live_step *step,
                     int64_t now_ms);

struct live_heard { /* what is known of a trial, also of one that waits */
    bool is_told;   /* its end was */
    int64_t n_epochs;
};

struct live {
    char *name, *reason, *trouble; /* owned; NULL: none */
    char state[16], metric[SPEC_METRIC_MAX + 1];
    bool maximize;
    bool has_data;              /* it is prepared, or none is needed */
    bool is_stepped;            /* its trials report steps, not epochs */
    char preparing[128];        /* how far that is; "": nobody prepares */
    double prepared;            /* of 1; NaN: unknown */
    int64_t seq;                /* Last-Event-ID to come back with */
    int64_t n_trials, finished; /* target, COMPLETE + PRUNED */
    int64_t counts[TRIAL_N_STATES];
    int64_t best;              /* number, -1: none */
    double best_value;         /* NaN: none */
    int64_t eta_ms, eta_at_ms; /* -1: unknown; as of when */
    int64_t max_epochs;        /* of the config, 0: searched or unknown */
    char **params;             /* names; owned */
    size_t n_params;
    struct live_trial *running; /* by number */
    size_t n_running;
    struct live_heard *heard; /* by number */
    size_t cap_heard;
    int64_t n_news; /* epochs that the last trial event brought */
};

enum live_news { /* what an event says that was not known */
                 LIVE_NOTHING,
                 LIVE_EPOCH,    /* a running trial has n_news more epochs; or
                                   steps, which are news now and then */
                 LIVE_FINISHED, /* a trial reached a final state */
                 LIVE_BEST      /* the same, and it is the best so far */
};

/* All unknown. */
void live_init(struct live *l);
void live_fini(struct live *l);
/* Take a `study` event (views.h) into account, or the study's view. It does not
 * say that the events of all its trials up to its seq have come: l->seq stays.
 * now_ms: monotonic. */
void live_take_study(struct live *l, const struct json *study, int64_t now_ms);
/* The same of the view from which on it is followed: what that tells is known,
 * and the stream is to begin behind its seq. */
void live_begin(struct live *l, const struct json *study, int64_t now_ms);
/* Take a `trial` event into account. */
enum live_news live_take_trial(struct live *l, const struct json *trial,
                               int64_t now_ms);
/* Take a `progress` event into account. */
void live_take_progress(struct live *l, const struct json *trial,
                        int64_t now_ms);
/* Nothing runs any more, and nothing will by itself. */
bool live_is_over(const struct live *l);
/* Milliseconds to the end of a running trial, from its pace; -1: unknown. */
int64_t live_trial_eta(const struct live_trial *t, int64_t now_ms);
/* The same of the study: what the daemon said, less what has passed since, but
 * never before its running trials end. */
int64_t live_eta(const struct live *l, int64_t now_ms);

#endif
