/* The wiring.
 *
 * The happy path of an event: `handle` stamps it and has the ledger take its
 * turn (decide, put into the store's open transaction, apply to the mirror);
 * `start_all` lets trials start, one decision at a time, until nothing more
 * follows. Nothing of that is said or performed yet. `settle` commits, and then
 * performs: at the end of a user's event, before a request is answered, and
 * before the loop waits. So all that came in one round of the loop (a report,
 * the end of its trial, the start of the next, of every worker) waits for the
 * disk once.
 *
 * When that fails nothing was said; recover.c tells how it goes on.
 *
 * Other programs (Optuna) write to the database too: before a decision is put
 * the ledger takes in what they did, and `look_around` does when there is
 * nothing to decide, at every tick and before a request is answered. A load
 * takes time: while they write all the time, looks are spaced.
 */
#include "daemon/daemon.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/analysis.h"
#include "daemon/backup.h"
#include "daemon/daemon_priv.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "daemon/pool.h"
#include "daemon/sched.h"
#include "daemon/store.h"
#include "daemon/sweep.h"
#include "daemon/wall.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

enum {
    TICK_MAX_MS = 10000,
    READ_TICK_MS = 1000, /* while somebody waits for news */
    DRAIN_TICK_MS = 200,
    IDLE_CHECKPOINT_MS = 30000, /* WAL pages go to the database when quiet */
    HELLO_TIMEOUT_MS = 20000,
    LOOK_SHARE = 10 /* a look that loads is this often as long ago, at least */
};

int64_t daemon_mono_ms(void)
{
    return (int64_t)(uv_hrtime() / 1000000);
}

/* --- perform, start, handle --- */

void daemon_perform_all(struct daemon *d, struct actions *done)
{
    for (size_t i = 0; i < done->n; i++) {
        const struct action *action = &done->items[i];
        if (action_is_durable(action->kind)) {
            d->last_commit_ms = daemon_mono_ms();
        }
        if (d->watcher.on_action != NULL) {
            d->watcher.on_action(d->watcher.ctx, action);
        }
        if (action->kind == ACTION_FINISH_TRIAL && d->analysis != NULL) {
            analysis_want(d->analysis, action->study);
        }
        if (action_is_performed(action->kind)) {
            daemon_perform(d, action);
        }
    }
    actions_fini(done);
}

/* Start what can be started; one trial a round, so that each sampler call sees
 * the trials started before it. */
static void start_all(struct daemon *d)
{
    struct err err;
    bool more = !d->is_closing && d->trouble == NULL;
    while (more && ledger_next(&d->ledger, wall_ms(), daemon_mono_ms(), &more,
                               &err) == 0) {
    }
    daemon_heed_trouble(d);
}

static void on_tick(uv_timer_t *t);

static void set_timer(struct daemon *d)
{
    if (d->timer_closed) {
        return;
    }
    int64_t now = daemon_mono_ms();
    int64_t most = d->has_readers ? READ_TICK_MS : TICK_MAX_MS;
    int64_t at = d->is_closing        ? now + DRAIN_TICK_MS
                 : d->trouble != NULL ? d->recover_ms
                                      : sched_wake_ms(d->ledger.mirror, now);
    int64_t wait = at <= now ? 1 : at - now > most ? most : at - now;
    uv_timer_start(&d->timer, on_tick, (uint64_t)wait, 0);
}

static int tell_trouble(const struct daemon *d, struct err *err)
{
    return err_set(err, d->ledger.trouble.code, "%s", d->trouble);
}

/* Decide and apply; settled later. */
static int handle(struct daemon *d, struct event *e, struct err *err)
{
    e->now_ms = wall_ms();
    e->mono_ms = daemon_mono_ms();
    daemon_keep_word(d, e);
    if (d->trouble != NULL) {
        return tell_trouble(d, err);
    }
    int rc = ledger_turn(&d->ledger, e, err);
    daemon_heed_trouble(d);
    start_all(d);
    set_timer(d);
    return rc;
}

void daemon_settle(struct daemon *d)
{
    struct err err;
    struct actions done;
    if (d->trouble != NULL) {
        return; /* nothing is pending; words wait */
    }
    actions_init(&done);
    if (ledger_commit(&d->ledger, &done, &err) != 0) {
        daemon_heed_trouble(d);
        set_timer(d);
    }
    daemon_tell_news(d);
    daemon_perform_all(d, &done);
}

void daemon_look_around(struct daemon *d)
{
    struct err err;
    daemon_settle(d);
    int64_t began = daemon_mono_ms();
    if (d->trouble != NULL || d->is_closing || began < d->look_ms ||
        !store_is_stale(d->store)) {
        return;
    }
    (void)!ledger_take_in(&d->ledger, &err); /* or trouble */
    int64_t now = daemon_mono_ms();
    d->look_ms = now + LOOK_SHARE * (now - began);
    daemon_heed_trouble(d);
    start_all(d);
    set_timer(d);
    daemon_settle(d);
}

static int handle_durably(struct daemon *d, struct event *e, struct err *err)
{
    int rc = handle(d, e, err);
    daemon_settle(d);
    if (rc == 0 && d->trouble != NULL) {
        /* Undone: by its commit, or by what was put beside it (start_all). */
        rc = tell_trouble(d, err);
    }
    return rc;
}

int daemon_handle(struct daemon *d, struct event *e, struct err *err)
{
    daemon_settle(d);
    int rc = handle_durably(d, e, err);
    if (d->trouble != NULL) { /* nothing of e was taken */
        daemon_recover_if_due(d);
        rc = d->trouble == NULL ? handle_durably(d, e, err) : rc;
    }
    set_timer(d);
    return rc;
}

static void on_prepare(uv_prepare_t *p)
{
    daemon_settle(p->data);
}

/* --- the clock --- */

static void look_at_files(struct daemon *d)
{
    struct err err;
    if (store_still_there(d->store, &err) != 0) {
        (void)ledger_fail(&d->ledger, &err);
        daemon_heed_trouble(d);
    }
}

/* When words are lost, those who work are ended: their time is over. */
static void beat(struct daemon *d)
{
    if (!d->ledger.is_lost) {
        heartbeat_beat(&d->heartbeat, wall_ms(), daemon_mono_ms());
    }
}

static void on_tick(uv_timer_t *t)
{
    struct daemon *d = t->data;
    int64_t now = daemon_mono_ms();
    beat(d);
    if (d->trouble == NULL) {
        look_at_files(d);
    }
    daemon_recover_if_due(d);
    daemon_look_around(d);
    if (d->trouble == NULL) {
        struct event e = {.kind = EVENT_TICK, .slot = -1};
        daemon_event(d, &e);
        if (d->last_commit_ms != 0 &&
            now - d->last_commit_ms > IDLE_CHECKPOINT_MS) {
            d->last_commit_ms = 0;
            store_checkpoint(d->store);
        }
    }
    set_timer(d);
    daemon_maybe_drained(d);
}

/* --- the pool's events --- */

void daemon_event(struct daemon *d, struct event *e)
{
    struct err err;
    bool was_in_trouble = d->trouble != NULL; /* e waits in the inbox */
    if (handle(d, e, &err) != 0 && !was_in_trouble) {
        LOG_ERROR("event", "kind=%d slot=%d %s", (int)e->kind, e->slot,
                  err.msg);
    }
    daemon_maybe_drained(d);
}

/* --- what is computed beside --- */

static const struct mirror *mirror_now(void *ctx)
{
    const struct daemon *d = ctx;
    return d->trouble == NULL ? d->ledger.mirror : NULL;
}

static void on_importances(void *ctx, int64_t study,
                           enum importance_evaluator evaluator,
                           const struct importances *list)
{
    struct event e = {.kind = EVENT_IMPORTANCES,
                      .slot = -1,
                      .study = study,
                      .importances = {evaluator, list}};
    daemon_event(ctx, &e);
}

/* Of our events, and of what others have committed.
 * Nothing has ever happened: nothing to keep. */
static int64_t state_now(void *ctx)
{
    const struct daemon *d = ctx;
    const struct mirror *m = d->ledger.mirror;
    int64_t theirs = 0;
    if (d->trouble != NULL || d->store == NULL ||
        !store_data_version(d->store, &theirs)) {
        return 0;
    }
    bool is_new = m->n_studies == 0 && m->next_study_id <= 1;
    return is_new && !store_is_stale(d->store) ? 0 : m->next_seq << 24 ^ theirs;
}

void daemon_want_importances(struct daemon *d, int64_t study)
{
    if (d->analysis != NULL) {
        analysis_want(d->analysis, study);
    }
}

/* --- life --- */

/* The file names its holder; the folder stays held even when somebody removes
 * the file of a daemon that lives. */
static int lock_once(struct daemon *d, struct err *err)
{
    int rc = 0;
    if (d->lock_fd < 0) {
        char *lock = paths_in_state(d->options.state_dir, "lock");
        rc = file_lock(lock, &d->lock_fd, err);
        free(lock);
    }
    return rc == 0 ? file_lock_folder(d->options.state_dir, &d->folder_fd, err)
                   : rc;
}

/* A daemon that was killed while it made a worker goes on holding both through
 * that child, until it has become the worker: what is held for longer is
 * another's. */
static int lock_state(struct daemon *d, struct err *err)
{
    enum { TRIES = 50, NAP_NS = 10000000 };
    const struct timespec nap = {.tv_nsec = NAP_NS};
    int rc = lock_once(d, err);
    for (int i = 1; rc == ERR_CONFLICT && i < TRIES; i++) {
        nanosleep(&nap, NULL);
        rc = lock_once(d, err);
    }
    return rc != ERR_CONFLICT ? rc
                              : err_wrap(err, "another parzend works in %s",
                                         d->options.state_dir);
}

/* Damaged: what to go back to. */
static void name_copy(const struct daemon *d, struct err *err)
{
    char *folder = paths_in_state(d->options.state_dir, PATHS_BACKUPS);
    char *rescued = store_rescued_newest_whole(d->options.state_dir);
    char *copy = rescued != NULL ? mem_strdup(rescued)
                                 : store_backup_newest_whole(folder);
    if (copy != NULL) {
        char *why = mem_strdup(err->msg);
        (void)err_set(err, err->code,
                      "%s. The newest whole %s is %s: to go back to it, "
                      "move parzen.db* elsewhere and copy it to parzen.db",
                      why, rescued != NULL ? "rescued copy" : "backup", copy);
        free(why);
    }
    free(copy);
    free(rescued);
    free(folder);
}

static void daemon_free(struct daemon *d)
{
    if (d->store != NULL) {
        store_close(d->store);
    }
    ledger_fini(&d->ledger);
    heartbeat_close(&d->heartbeat);
    if (d->lock_fd >= 0) {
        close(d->lock_fd);
    }
    if (d->folder_fd >= 0) {
        close(d->folder_fd);
    }
    free(d->trouble);
    free(d);
}

int daemon_new(struct uv_loop_s *loop, const struct daemon_options *options,
               struct daemon **out, struct err *err)
{
    struct daemon *d = mem_alloc(1, sizeof(*d));
    *d = (struct daemon){
        .loop = loop, .options = *options, .lock_fd = -1, .folder_fd = -1};
    d->heartbeat.fd = -1;
    daemon_init_ledger(d);
    int rc = lock_state(d, err);
    if (rc == 0) {
        rc = daemon_load(d, err);
    }
    if (rc == ERR_CORRUPT) {
        name_copy(d, err);
    }
    if (rc == 0) {
        rc = daemon_sweep(d->ledger.mirror, options->state_dir, err);
    }
    if (rc == 0) {
        rc = daemon_start_pool(d, HELLO_TIMEOUT_MS, err);
    }
    if (rc != 0) {
        daemon_free(d);
        return rc;
    }
    const struct analysis_hooks hooks = {d, mirror_now, on_importances};
    d->analysis = analysis_new(loop, &hooks);
    const struct backup_hooks backup_hooks = {d, state_now};
    d->backup = backup_new(loop, options->state_dir, options->backup_every_ms,
                           &backup_hooks);
    uv_timer_init(loop, &d->timer);
    uv_prepare_init(loop, &d->settler);
    d->timer.data = d->settler.data = d;
    uv_prepare_start(&d->settler, on_prepare);
    set_timer(d);
    *out = d;
    return 0;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct daemon *d = h->data;
    void (*on_closed)(void *) = d->on_closed;
    void *ctx = d->closed_ctx;
    daemon_free(d);
    on_closed(ctx);
}

static void on_settler_closed(uv_handle_t *h)
{
    struct daemon *d = h->data;
    uv_close((uv_handle_t *)&d->timer, on_timer_closed);
}

static void on_backup_closed(void *ctx)
{
    struct daemon *d = ctx;
    daemon_settle(d);
    d->timer_closed = true;
    uv_close((uv_handle_t *)&d->settler, on_settler_closed);
}

static void on_analysis_closed(void *ctx)
{
    struct daemon *d = ctx;
    struct backup *b = d->backup;
    d->backup = NULL;
    backup_close(b, on_backup_closed, d);
}

static void on_pool_closed(void *ctx)
{
    struct daemon *d = ctx;
    struct analysis *a = d->analysis;
    d->pool = NULL;
    d->analysis = NULL;
    analysis_close(a, on_analysis_closed, d);
}

static bool is_drained(const struct daemon *d)
{
    for (int i = 0; i < d->ledger.mirror->n_slots; i++) {
        enum slot_state state = d->ledger.mirror->slots[i].state;
        if (state == SLOT_BUSY || state == SLOT_STOPPING) {
            return false;
        }
    }
    return true;
}

void daemon_maybe_drained(struct daemon *d)
{
    if (d->is_closing && !d->is_pool_closing &&
        (d->trouble != NULL || is_drained(d) ||
         daemon_mono_ms() >= d->drain_until_ms)) {
        d->is_pool_closing = true;
        daemon_settle(d);
        pool_close(d->pool, 2000, on_pool_closed, d);
    }
}

void daemon_close(struct daemon *d, int grace_ms, void (*on_closed)(void *ctx),
                  void *ctx)
{
    assert(!d->is_closing);
    d->is_closing = true;
    d->on_closed = on_closed;
    d->closed_ctx = ctx;
    d->watcher = (struct daemon_watcher){0};
    d->drain_until_ms = daemon_mono_ms() + grace_ms;
    if (d->trouble == NULL) {
        struct err err;
        if (ledger_drain(&d->ledger, wall_ms(), daemon_mono_ms(), &err) != 0) {
            LOG_ERROR("drain", "%s", err.msg);
        }
        daemon_heed_trouble(d);
    }
    set_timer(d);
}

const struct mirror *daemon_mirror(const struct daemon *d)
{
    return d->ledger.mirror;
}

const char *daemon_state_dir(const struct daemon *d)
{
    return d->options.state_dir;
}

/* What a worker said of a full disk, or of a process that could not be made:
 * its trial waits until there is room. */
static const char *waiting_trouble(const struct study *s)
{
    int64_t left = s->state == STUDY_RUNNING ? s->n_by_state[TRIAL_WAITING] : 0;
    for (size_t i = s->n_trials; i > 0 && left > 0; i--) {
        const struct study_trial *t = s->trials[i - 1];
        if (t->state == TRIAL_WAITING) {
            left--;
            if (t->cause == TRIAL_CAUSE_DISK || t->cause == TRIAL_CAUSE_SPAWN) {
                return t->message;
            }
        }
    }
    return NULL;
}

const char *daemon_trouble(const struct daemon *d)
{
    const char *trouble = d->trouble;
    for (size_t i = 0; i < d->ledger.mirror->n_studies && trouble == NULL;
         i++) {
        trouble = waiting_trouble(d->ledger.mirror->studies[i]);
    }
    return trouble == NULL && d->pool != NULL ? pool_trouble(d->pool) : trouble;
}

const char *daemon_warning(const struct daemon *d)
{
    return store_warning(d->store);
}

int daemon_worker_pid(const struct daemon *d, int slot)
{
    return d->pool != NULL ? pool_pid(d->pool, slot) : 0;
}

void daemon_watch(struct daemon *d, const struct daemon_watcher *watcher)
{
    d->watcher = *watcher;
}

void daemon_mind_readers(struct daemon *d, bool has_readers)
{
    if (d->has_readers != has_readers) {
        d->has_readers = has_readers;
        set_timer(d);
    }
}
