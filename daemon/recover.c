/* Trouble, and the way out of it.
 *
 * The store takes nothing (the disk is full, another program holds it). Nothing
 * was said of what it did not take, so the world is where the last commit left
 * it: the mirror is loaded again, with the slots of that moment. Nothing new is
 * started; workers train on, and their words since that commit wait in the
 * inbox, in order. After a while (WAIT_MS, then twice as long each time) a
 * small write is tried; once it is taken, the inbox is handled as if it had
 * just come, and nobody has lost anything.
 *
 * When the store takes writes, but not what the inbox says (rows are not as we
 * know them), or the inbox is full, the daemon does what a restart would do, in
 * place: it ends those that work (their trials have committed checkpoints),
 * and once they are reaped loads the mirror and hands the orphans back. There
 * is no third way.
 *
 * A failing disk (ERR_IO), a damaged database or one that another daemon has
 * taken over (ERR_CONFLICT) is no case for going on: on_fatal ends the program.
 */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/daemon_priv.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "daemon/pool.h"
#include "daemon/store.h"

#include <stdlib.h>

enum { WAIT_MS = 1000, WAIT_MAX_MS = 60000 };

/* --- slots of the last commit --------------------------------------------- */

static void forget_slots(struct daemon *d)
{
    for (int i = 0; d->kept_slots != NULL && i < d->options.n_workers; i++) {
        free(d->kept_slots[i].kill_message);
    }
    free(d->kept_slots);
    d->kept_slots = NULL;
}

static void copy_slots(struct slot *to, const struct slot *from, int n)
{
    for (int i = 0; i < n; i++) {
        free(to[i].kill_message);
        to[i] = from[i];
        if (to[i].kill_message != NULL) {
            to[i].kill_message = mem_strdup(to[i].kill_message);
        }
    }
}

void daemon_keep_slots(struct daemon *d)
{
    int n = d->options.n_workers;
    if (d->kept_slots == NULL) {
        d->kept_slots = mem_alloc((size_t)n, sizeof(*d->kept_slots));
    }
    copy_slots(d->kept_slots, d->mirror->slots, n);
}

/* --- into trouble --------------------------------------------------------- */

/* A mirror of what is committed, with the slots of that moment. */
static int load_committed(struct daemon *d, struct err *err)
{
    struct mirror *fresh = mirror_new(d->options.n_workers);
    int rc = store_load(d->store, fresh, err);
    if (rc != 0) {
        mirror_free(fresh);
        return rc;
    }
    if (d->kept_slots != NULL) {
        copy_slots(fresh->slots, d->kept_slots, d->options.n_workers);
        mirror_remember(fresh, d->mirror);
    }
    mirror_free(d->mirror);
    d->mirror = fresh;
    return 0;
}

/* The mirror without what was applied and could not be made durable. */
static void forget_undone(struct daemon *d)
{
    struct err err;
    actions_fini(&d->pending);
    actions_init(&d->pending);
    if (load_committed(d, &err) != 0) {
        LOG_ERROR("store", "cannot be read either: %s", err.msg);
    }
}

static void end_workers(struct daemon *d)
{
    for (int i = 0; d->pool != NULL && i < d->options.n_workers; i++) {
        enum slot_state state = d->mirror->slots[i].state;
        if (state != SLOT_ABSENT && state != SLOT_IDLE) {
            pool_kill(d->pool, i, false);
        }
    }
    inbox_clear(&d->inbox);
    forget_slots(d);
    d->is_restarting = true;
}

static void wait_longer(struct daemon *d)
{
    int64_t twice = 2 * d->recover_wait_ms;
    d->recover_wait_ms = twice < WAIT_MS       ? WAIT_MS
                         : twice > WAIT_MAX_MS ? WAIT_MAX_MS
                                               : twice;
    d->recover_ms = daemon_mono_ms() + d->recover_wait_ms;
}

void daemon_enter_trouble(struct daemon *d, const struct err *why)
{
    LOG_ERROR("store", "code=%s %s", err_name(why->code), why->msg);
    if (d->trouble != NULL) {
        return;
    }
    d->trouble = mem_printf(
        "%s; nothing new is started until it takes writes again", why->msg);
    d->trouble_code = why->code;
    wait_longer(d);
    if (d->is_replaying && why->code != ERR_FULL) {
        end_workers(d);
    }
    forget_undone(d);
    bool is_fatal = why->code == ERR_IO || why->code == ERR_CORRUPT ||
                    why->code == ERR_CONFLICT;
    if (is_fatal && d->options.on_fatal != NULL) {
        d->options.on_fatal(d->options.ctx, why);
    }
}

void daemon_keep_word(struct daemon *d, const struct event *e)
{
    if (d->is_restarting || inbox_add(&d->inbox, e)) {
        return;
    }
    if (d->trouble == NULL) {
        daemon_settle(d); /* then none of them is needed any more */
    }
    if (!inbox_add(&d->inbox, e)) {
        LOG_ERROR("store", "the workers have said too much since it took "
                           "nothing; they are ended");
        end_workers(d);
        forget_undone(d);
    }
}

/* --- out of it ------------------------------------------------------------ */

/* RUNNING rows without a worker: what the last life left behind. */
static int hand_back_orphans(struct daemon *d, struct err *err)
{
    for (size_t s = 0; s < d->mirror->n_studies; s++) {
        const struct study *study = d->mirror->studies[s];
        for (size_t i = 0; i < study->n_trials && !study->is_foreign; i++) {
            const struct study_trial *t = study->trials[i];
            if (t->state != TRIAL_RUNNING) {
                continue;
            }
            struct event e = {
                .kind = EVENT_ORPHAN,
                .now_ms = daemon_wall_ms(),
                .mono_ms = daemon_mono_ms(),
                .slot = -1,
                .study = study->id,
                .id = {study->id, t->number, t->attempt},
            };
            int rc = daemon_turn(d, &e, err);
            if (rc != 0) {
                return rc;
            }
        }
    }
    return 0;
}

int daemon_load(struct daemon *d, struct err *err)
{
    int rc = load_committed(d, err);
    struct event start = {.kind = EVENT_START,
                          .now_ms = daemon_wall_ms(),
                          .mono_ms = daemon_mono_ms(),
                          .slot = -1};
    if (rc == 0) {
        rc = daemon_turn(d, &start, err);
    }
    if (rc == 0) {
        rc = hand_back_orphans(d, err);
    }
    if (rc == 0) { /* before anything of this life is committed */
        rc = store_verify(d->store, d->mirror, err);
    }
    if (rc == 0) {
        rc = daemon_commit(d, err);
    }
    return rc == 0 ? store_give_digests(d->store, d->mirror, err) : rc;
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

/* The words that waited. One that the scheduler refuses is refused as ever. */
static int replay(struct daemon *d, struct err *err)
{
    struct err refused;
    int rc = load_committed(d, err);
    d->is_replaying = true;
    for (size_t i = 0; rc == 0 && i < d->inbox.n; i++) {
        struct event e = d->inbox.events[i];
        if (daemon_turn(d, &e, &refused) != 0) {
            LOG_ERROR("event", "kind=%d slot=%d %s", (int)e.kind, e.slot,
                      refused.msg);
        }
        rc = d->trouble != NULL
                 ? err_set(err, d->trouble_code, "%s", d->trouble)
                 : 0;
    }
    if (rc == 0) {
        rc = daemon_commit(d, err);
    }
    d->is_replaying = false;
    return rc;
}

void daemon_recover(struct daemon *d)
{
    struct err err;
    char *trouble = d->trouble;
    bool was_restarting = d->is_restarting;
    d->trouble = NULL;
    int rc = store_probe(d->store, &err);
    if (rc == 0) {
        rc = was_restarting ? daemon_load(d, &err) : replay(d, &err);
    }
    if (rc != 0) {
        if (d->trouble == NULL) {
            daemon_enter_trouble(d, &err);
        }
        free(trouble);
        return;
    }
    LOG_INFO("store works again", "after=%s", trouble);
    free(trouble);
    d->recover_wait_ms = 0;
    if (was_restarting) {
        d->is_restarting = false;
        announce(d);
    }
}

void daemon_forget_words(struct daemon *d)
{
    inbox_clear(&d->inbox);
    forget_slots(d);
}
