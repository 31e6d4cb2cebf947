/* sim: a whole daemon without a process, a disk or a clock.
 *
 * The real scheduler and the real mirror; the real store in ":memory:" for
 * some seeds, else a journal of the durable actions, which is what a store must
 * be; workers that train by arithmetic or are commands with constraints, die,
 * hang, lie and answer late; users who press every button, and go on with a
 * study that Optuna left; a daemon that is killed at any moment; a store that
 * takes nothing at any of its calls, for a while, also while the words that
 * waited are replayed, or that is to be looked at again before it takes what
 * was decided. One seed is one history: everything is drawn from one
 * random stream.
 *
 * After every step sim_check verifies the invariants; a failure prints the
 * seed and the last events, and SIM_SEED=that seed replays it. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H
#include "core/base/rng.h"
#include "daemon/action.h"
#include "daemon/event.h"
#include "daemon/ledger.h"
#include "daemon/mirror.h"
struct store;

enum {
    SIM_MAX_SLOTS = 4,
    SIM_MAX_STUDIES = 8, /* ever made in one history */
    SIM_MAX_TRIALS = 64, /* of one study */
    SIM_N_PARAMS = 3,    /* of every study: dropout, batch_size, lr */
    SIM_CHOICE = 1,      /* batch_size's place */
    SIM_MAX_WORDS = 64,  /* under way, one worker, one direction */
    SIM_EVENTS = 30      /* kept for the failure's message */
};

/* --- workers (sim_worker.c) ----------------------------------------------- */

enum sim_life { SIM_STARTING, SIM_FREE, SIM_WORKING, SIM_DEAD };

struct sim_command { /* daemon -> worker, on its way */
    enum { SIM_PREPARE, SIM_ASSIGN, SIM_STOP } kind;
    int64_t study;
    struct trial_id id;
    bool keep;
    int64_t last, previous, best; /* ASSIGN: epochs of its files, -1: none */
};

struct sim_worker {
    enum sim_life life;
    bool hangs;     /* will not move until it is killed */
    bool lied;      /* no word of it can be relied on */
    bool condemned; /* the pool was told to kill it */
    bool is_preparing, is_command;
    int64_t study;       /* of the preparation */
    struct trial_id id;  /* of the trial */
    int64_t epoch, step; /* of the training */
    int phase;           /* what is next within the epoch */
    struct sim_command in[SIM_MAX_WORDS];
    int n_in;
    struct event out[SIM_MAX_WORDS]; /* words; file names are owned */
    int n_out;
};

/* --- the daemon (sim.c) --------------------------------------------------- */

struct sim_file { /* a checkpoint on the disk */
    int64_t study, number;
    char *name;
    bool is_damaged;
};

struct sim_study { /* what is known of a study beside the mirror */
    int64_t id;
    int64_t finals[SIM_MAX_TRIALS]; /* enum trial_state, WAITING: none */
    double params[SIM_MAX_TRIALS][SIM_N_PARAMS]; /* NaN: not started yet */
    double given[SIM_MAX_TRIALS][SIM_N_PARAMS];  /* by Optuna; NaN: none */
};

struct sim {
    uint64_t seed;
    struct rng rng;
    bool calm;     /* no more faults, no more users */
    bool compares; /* store against memory after every step */
    int64_t now_ms, mono_ms;
    int64_t alive_ms, lived_ms, begun_ms, born_utc_ms,
        born_ms; /* as the daemon's heartbeat has them */
    int n_slots;
    struct ledger ledger;
    struct mirror *m;       /* the ledger's */
    struct actions journal; /* every durable action ever committed */
    struct store *store;    /* NULL: the journal is the store */
    struct store *optuna;   /* what the journal begins with; NULL: nothing */
    int fail_in, fail_code; /* calls until the store fails; -1: it does not */
    struct sim_worker workers[SIM_MAX_SLOTS];
    struct sim_file *files;
    size_t n_files;
    struct sim_study studies[SIM_MAX_STUDIES];
    struct sim_study known[SIM_MAX_STUDIES]; /* .. at the last commit */
    int n_studies, n_known;
    char events[SIM_EVENTS][200];
    uint64_t n_events, n_steps;
    struct { /* what the histories went through, for the report */
        int64_t trials, attempts, deaths, restarts, failed_commits, users,
            changes, words, replays, losses, adoptions, infeasible, stale;
    } seen;
};

void sim_init(struct sim *s, uint64_t seed, bool with_store);
void sim_fini(struct sim *s);
/* One thing happens: a fault, a word, a user, a while. */
void sim_step(struct sim *s);
/* Faults stop: everything must come to an end; fails when it does not. */
void sim_settle(struct sim *s);
/* Print seed and last events, and fail the test. */
void sim_fail(const struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
void sim_note(struct sim *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Let an event happen to the daemon. Returns what sched_decide returned. */
int sim_event(struct sim *s, struct event e);
/* One user asks for something; for a new study. */
void sim_user(struct sim *s);
void sim_add_study(struct sim *s);
/* The store takes nothing, or did not: words wait. */
bool sim_is_in_trouble(const struct sim *s);
/* What is decided and about to be put. */
void sim_decided(struct sim *s, const struct actions *a);
struct sim_study *sim_know_study(struct sim *s, int64_t study_id);

bool sim_chance(struct sim *s, double p); /* never true while calm */
uint32_t sim_below(struct sim *s, uint32_t n);
struct sim_study *sim_study_of(struct sim *s, int64_t study_id);

/* --- the store (sim_store.c) */
void sim_init_ledger(struct sim *s);
/* A mirror as a new daemon would load it; owned. */
struct mirror *sim_load(struct sim *s);
/* Not while the real store's transaction is open. */
bool sim_can_load(const struct sim *s);
/* One of the next n_calls of the store fails. */
void sim_arm(struct sim *s, uint32_t n_calls);
/* Before all else: study 1 is one that Optuna made. */
void sim_optuna_was_here(struct sim *s);

/* --- workers */
void sim_worker_perform(struct sim *s, const struct action *a);
void sim_worker_act(struct sim *s, int slot);     /* it works a little */
void sim_worker_deliver(struct sim *s, int slot); /* one word arrives */
void sim_worker_die(struct sim *s, int slot);     /* its process ends */
void sim_worker_reset(struct sim_worker *w);      /* the machine's memory */
/* What a command's trial tells of its one constraint. */
double sim_constraint_of(int64_t study, int64_t number);

/* --- checks (sim_check.c) */
/* Is this action legal now? Called before it is committed. */
void sim_check_action(struct sim *s, const struct action *a);
void sim_check(struct sim *s);
/* Memory equals what a new daemon would load. */
void sim_check_store(struct sim *s);
/* What a start after a kill would refuse: nothing. */
void sim_check_rows(struct sim *s);

#endif
