/* Trouble, and the way out of it.
 *
 * The store takes nothing (the disk is full, another program holds it): the
 * ledger is where the last commit left it. Nothing new is started; workers
 * train on, and their words wait in the ledger. After a while (WAIT_MS, then
 * twice as long each time; LOCK_MS each time while it is only held) a small
 * write is tried; once it is taken, the words are replayed, and nobody has lost
 * anything. What may pass again in the midst of that waits again. Each try
 * first has the store move its pages, which may be all the room that it needs
 * on a full disk: there the first comes at once.
 *
 * When the ledger has lost the words, the daemon does what a restart would do,
 * in place: it ends those that work (their trials have committed checkpoints),
 * and once they are reaped starts the ledger anew. There is no third way.
 *
 * A failing disk (ERR_IO), a damaged database or one that another daemon has
 * taken over (ERR_CONFLICT) is no case for going on: on_fatal ends the program.
 */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/daemon_priv.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "daemon/pool.h"
#include "daemon/store.h"
#include "daemon/wall.h"

#include <stdlib.h>

enum {
    WAIT_MS = 1000,
    WAIT_MAX_MS = 60000,
    LOCK_MS = 500, /* another program's lock is short, and people wait */
    REAP_MS = 1000 /* between looks at workers that are being ended */
};

/* --- the ledger's store --------------------------------------------------- */

static int put(void *ctx, const struct mirror *m, const struct actions *a,
               struct err *err)
{
    const struct daemon *d = ctx;
    return store_put(d->store, m, a, err);
}

static int flush(void *ctx, struct err *err)
{
    const struct daemon *d = ctx;
    return store_flush(d->store, err);
}

static int open_loaded(struct daemon *d, struct mirror *m, struct err *err)
{
    char *db = paths_in_state(d->options.state_dir, "parzen.db");
    int rc = store_open_loaded(db, m, &d->store, err);
    free(db);
    return rc;
}

static int load(void *ctx, struct mirror *m, struct err *err)
{
    struct daemon *d = ctx;
    if (d->store == NULL) {
        return open_loaded(d, m, err);
    }
    int rc = store_take_in(d->store, m, err);
    d->has_news |= rc == 0;
    return rc;
}

static int verify(void *ctx, const struct mirror *m, struct err *err)
{
    const struct daemon *d = ctx;
    return store_verify(d->store, m, err);
}

static void on_refused(void *ctx, const struct event *e, const struct err *why)
{
    (void)ctx;
    LOG_ERROR("event", "kind=%d slot=%d %s", (int)e->kind, e->slot, why->msg);
}

/* --- what a load has brought ---------------------------------------------- */

static bool has_later(const struct study *s, int64_t seq)
{
    for (size_t i = 0; i < s->n_trials; i++) {
        if (s->trials[i]->seq >= seq) {
            return true;
        }
    }
    return false;
}

void daemon_tell_news(struct daemon *d)
{
    const struct mirror *m = d->ledger.mirror;
    if (d->trouble != NULL) {
        return; /* what is in memory may not be what is durable */
    }
    for (size_t i = 0; d->has_news && i < m->n_studies; i++) {
        const struct study *s = m->studies[i];
        if (!s->is_foreign && has_later(s, d->told_seq)) {
            daemon_want_importances(d, s->id);
        }
    }
    if (d->has_news && d->watcher.on_news != NULL) {
        d->watcher.on_news(d->watcher.ctx);
    }
    d->has_news = false;
    d->told_seq = m->next_seq;
}

/* --- into trouble --------------------------------------------------------- */

static void end_workers(struct daemon *d)
{
    for (int i = 0; d->pool != NULL && i < d->options.n_workers; i++) {
        enum slot_state state = d->ledger.mirror->slots[i].state;
        if (state != SLOT_ABSENT && state != SLOT_IDLE) {
            pool_kill(d->pool, i, false);
        }
    }
}

/* Not again and again, where the last one was of no use. */
static bool may_try_at_once(const struct daemon *d)
{
    return d->ledger.trouble.code == ERR_FULL && d->recover_wait_ms == 0 &&
           (d->last_commit_ms >= d->recover_ms ||
            daemon_mono_ms() - d->recover_ms >= WAIT_MS);
}

static void wait_longer(struct daemon *d)
{
    if (may_try_at_once(d)) {
        d->recover_ms = daemon_mono_ms();
        return;
    }
    bool is_lock = d->ledger.trouble.code == ERR_BUSY;
    int64_t most = is_lock ? LOCK_MS : WAIT_MAX_MS;
    int64_t wait = d->recover_wait_ms > 0 ? 2 * d->recover_wait_ms : WAIT_MS;
    d->recover_wait_ms = wait < most ? wait : most;
    d->recover_ms = daemon_mono_ms() + d->recover_wait_ms;
}

void daemon_heed_trouble(struct daemon *d)
{
    const struct err *why = &d->ledger.trouble;
    if (why->code == 0 || d->trouble != NULL) {
        return;
    }
    LOG_ERROR("store", "code=%s %s", err_name(why->code), why->msg);
    d->trouble = mem_printf(
        "%s; nothing new is started until it takes writes again", why->msg);
    wait_longer(d);
    bool is_fatal = why->code == ERR_IO || why->code == ERR_CORRUPT ||
                    why->code == ERR_CONFLICT;
    if (is_fatal && d->options.on_fatal != NULL) {
        d->options.on_fatal(d->options.ctx, why);
    }
}

void daemon_keep_word(struct daemon *d, const struct event *e)
{
    bool was_lost = d->ledger.is_lost;
    if (d->ledger.inbox.n == INBOX_MAX && d->trouble == NULL) {
        daemon_settle(d); /* then none of them is needed any more */
    }
    ledger_keep(&d->ledger, e);
    if (d->ledger.is_lost && !was_lost) {
        LOG_ERROR("store", "the workers have said too much since it took "
                           "nothing; they are ended");
        end_workers(d);
    }
}

/* --- out of it ------------------------------------------------------------ */

void daemon_init_ledger(struct daemon *d)
{
    const struct ledger_hooks hooks = {d, put, flush, load, verify, on_refused};
    ledger_init(&d->ledger, &hooks, d->options.n_workers);
}

static int start_ledger(struct daemon *d, struct actions *done, struct err *err)
{
    const struct ledger_birth birth = {.now_ms = wall_ms(),
                                       .mono_ms = daemon_mono_ms(),
                                       .alive_ms = d->heartbeat.alive_ms,
                                       .lived_ms = d->heartbeat.lived_ms,
                                       .begun_ms = d->heartbeat.begun_ms};
    return ledger_start(&d->ledger, &birth, done, err);
}

int daemon_load(struct daemon *d, struct err *err)
{
    struct actions done;
    char *db = paths_in_state(d->options.state_dir, "parzen.db");
    heartbeat_open(&d->heartbeat, db, wall_ms(), daemon_mono_ms());
    free(db);
    actions_init(&done);
    int rc = start_ledger(d, &done, err);
    daemon_perform_all(d, &done);
    return rc == 0 ? store_give_digests(d->store, d->ledger.mirror, err) : rc;
}

/* Workers that came up meanwhile are announced. */
static void announce(struct daemon *d)
{
    for (int i = 0; i < d->options.n_workers; i++) {
        if (pool_pid(d->pool, i) != 0) {
            struct event e = {.kind = EVENT_SLOT_IDLE, .slot = i};
            daemon_event(d, &e);
        }
    }
}

static int start_or_replay(struct daemon *d, struct actions *done)
{
    struct err err;
    struct ledger *l = &d->ledger;
    bool was_lost = l->is_lost;
    store_checkpoint(d->store);
    if (store_probe(d->store, &err) != 0) {
        return ledger_fail(l, &err);
    }
    int rc =
        was_lost ? start_ledger(d, done, &err) : ledger_replay(l, done, &err);
    if (l->is_lost && !was_lost) {
        end_workers(d);
    }
    return rc;
}

static void recover(struct daemon *d)
{
    struct actions done;
    char *trouble = d->trouble;
    bool was_lost = d->ledger.is_lost;
    d->trouble = NULL;
    actions_init(&done);
    if (start_or_replay(d, &done) == 0) {
        LOG_INFO("store works again", "after=%s", trouble);
        d->recover_wait_ms = 0;
        daemon_tell_news(d);
        daemon_perform_all(d, &done);
        if (was_lost) {
            announce(d);
        }
    }
    actions_fini(&done);
    daemon_heed_trouble(d);
    free(trouble);
}

void daemon_recover_if_due(struct daemon *d)
{
    int64_t now = daemon_mono_ms();
    if (d->trouble == NULL || d->is_closing || now < d->recover_ms) {
        return;
    }
    if (d->ledger.is_lost && pool_has_condemned(d->pool)) {
        d->recover_ms = now + REAP_MS; /* stuck in the kernel: not yet */
    } else {
        recover(d);
    }
}
