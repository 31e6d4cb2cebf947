/* daemon_priv: shared by daemon.c (the loop's rounds), recover.c (when the
 * store takes nothing) and perform.c (words and files); nobody else includes
 * it. */
#ifndef DAEMON_DAEMON_PRIV_H
#define DAEMON_DAEMON_PRIV_H
#include "daemon/daemon.h"
#include "daemon/heartbeat.h"
#include "daemon/ledger.h"
#include <uv.h>
struct analysis;
struct backup;
struct pool;
struct store;

struct daemon {
    uv_loop_t *loop;
    struct daemon_options options;
    int lock_fd, folder_fd; /* of STATE/lock, of STATE itself */
    struct store *store;    /* NULL until the ledger's first load */
    struct ledger ledger;   /* the mirror is its */
    struct heartbeat heartbeat;
    struct pool *pool;
    struct analysis *analysis;
    struct backup *backup;
    uv_timer_t timer;
    uv_prepare_t settler; /* daemon_settle, each time before the loop waits */
    bool timer_closed;
    int64_t last_commit_ms; /* monotonic; 0: checkpointed since */

    int64_t look_ms;  /* monotonic: no look at others' writes before */
    int64_t told_seq; /* what came before it, the watcher knows */
    bool has_news;    /* the mirror was loaded since it was told */

    char *trouble; /* the ledger's, as it is told; NULL while all is well */
    int64_t recover_ms, recover_wait_ms;

    bool is_closing, is_pool_closing;
    int64_t drain_until_ms;
    void (*on_closed)(void *ctx);
    void *closed_ctx;

    struct daemon_watcher watcher; /* zeroes: nobody */
    bool has_readers;              /* of what the watcher tells */
};

int64_t daemon_mono_ms(void);
/* Tell and do what is durable now; the actions are freed. */
void daemon_perform_all(struct daemon *d, struct actions *done);

/* --- recover.c */
void daemon_init_ledger(struct daemon *d);
/* Open the store and fill the mirror: the start. */
MUST_CHECK int daemon_load(struct daemon *d, struct err *err);
/* Each event, before it is handled, or instead. */
void daemon_keep_word(struct daemon *d, const struct event *e);
/* Is the ledger in trouble? Then say so, once, and wait. */
void daemon_heed_trouble(struct daemon *d);
/* After a commit, before its actions are told: the watcher hears that a load
 * has brought something since the last one. */
void daemon_tell_news(struct daemon *d);
/* Try to leave it, if there is any and recover_ms has come. */
void daemon_recover_if_due(struct daemon *d);

/* Do one performed action: a message to a worker, or a file to remove. */
void daemon_perform(struct daemon *d, const struct action *a);
/* Spawn the workers; their words come back through daemon_event. */
MUST_CHECK int daemon_start_pool(struct daemon *d, int hello_timeout_ms,
                                 struct err *err);
/* Handle an event that has nobody to answer to: errors are logged. */
void daemon_event(struct daemon *d, struct event *e);
/* While closing: go on to close the pool when no trial is left on it. */
void daemon_maybe_drained(struct daemon *d);

#endif
