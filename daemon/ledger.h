/* ledger: what is decided and not durable yet, and the words it came from.
 *
 * Durable first, visible after: ledger_turn lets the scheduler decide, puts
 * that into the store's open transaction and applies it to the mirror;
 * ledger_commit makes all of it durable and hands it out, and only then may it
 * be told and performed.
 *
 * When the store takes nothing, nothing was said of what it did not take: the
 * mirror is loaded again, with the slots of the last commit, and what the
 * workers have said since then waits in the inbox, in order. ledger_replay
 * handles it as if it had just come. What fails then and may pass by itself (a
 * full disk, another program's lock) leaves the words where they are, for the
 * next replay. They are lost when they can never be taken (rows are not as we
 * know them) or the inbox is full: then those who said them are to be ended,
 * and once they are reaped ledger_start does what a new life does.
 *
 * The database is open to other programs. What one of them has committed is
 * taken in before anything else is: where the store says STALE, the mirror is
 * loaded in the same way, the words since the last commit are said again, and
 * it is decided again. So whoever asked gets the answer that fits the rows.
 *
 * Pure: the store is behind its hooks. */
#ifndef DAEMON_LEDGER_H
#define DAEMON_LEDGER_H
#include "core/base/err.h"
#include "daemon/action.h"
#include "daemon/inbox.h"
struct mirror;
struct slot;

struct ledger_hooks { /* put, flush, load and verify as store.h has them */
    void *ctx;
    int (*put)(void *ctx, const struct mirror *m, const struct actions *a,
               struct err *err);
    int (*flush)(void *ctx, struct err *err);
    int (*load)(void *ctx, struct mirror *m, struct err *err);
    int (*verify)(void *ctx, const struct mirror *m, struct err *err);
    /* A word that waited, and that the scheduler does not take; borrows. */
    void (*on_refused)(void *ctx, const struct event *e, const struct err *why);
};

struct ledger {
    struct ledger_hooks hooks;
    struct mirror *mirror;
    struct actions pending; /* applied, not committed: not performed yet */
    struct inbox inbox;     /* words since the last commit */
    struct slot *kept;      /* the slots as they were then; NULL: not known */
    struct err trouble;     /* code 0: what is put is taken */
    bool is_lost;           /* words are, until ledger_start */
};

struct ledger_birth {        /* of a life */
    int64_t now_ms, mono_ms; /* UTC; monotonic */
    int64_t alive_ms, lived_ms,
        begun_ms; /* as in struct event: of the life before it */
};

/* With an empty mirror. Copies the hooks. */
void ledger_init(struct ledger *l, const struct ledger_hooks *hooks,
                 int n_slots);
void ledger_fini(struct ledger *l);

/* Begin a life: load, and hand back what the last one left RUNNING. Nobody may
 * work any more. `done` as ledger_commit. */
MUST_CHECK int ledger_start(struct ledger *l, const struct ledger_birth *b,
                            struct actions *done, struct err *err);
/* Each word, before its turn, or instead of it while there is trouble. When
 * the inbox is full (INBOX_MAX) without trouble, commit first. */
void ledger_keep(struct ledger *l, const struct event *e);
/* Decide; the mirror may be another one afterwards. An error is the scheduler's
 * refusal, which changes nothing, or trouble. Not while there is any. What a
 * worker that is gone was still to be told is forgotten: the trial among it was
 * INTERRUPTED, whatever ended the worker. */
MUST_CHECK int ledger_turn(struct ledger *l, const struct event *e,
                           struct err *err);
/* Let one thing start that can; *more: maybe there is another. */
MUST_CHECK int ledger_next(struct ledger *l, int64_t now_ms, int64_t mono_ms,
                           bool *more, struct err *err);
/* sched_drain. */
MUST_CHECK int ledger_drain(struct ledger *l, int64_t now_ms, int64_t mono_ms,
                            struct err *err);
/* Take in what another program has committed, without anything to decide. Not
 * between a decision and its commit. What may pass by itself is no trouble: the
 * mirror stays as it is. */
MUST_CHECK int ledger_take_in(struct ledger *l, struct err *err);
/* What is durable now is appended to `done`, to be performed. */
MUST_CHECK int ledger_commit(struct ledger *l, struct actions *done,
                             struct err *err);
/* Into trouble that was found elsewhere; returns why->code. */
int ledger_fail(struct ledger *l, const struct err *why);
/* Out of it: the words that waited, and commit. */
MUST_CHECK int ledger_replay(struct ledger *l, struct actions *done,
                             struct err *err);

#endif
