#include "daemon/ledger.h"
#include "core/base/mem.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "daemon/sched.h"

#include <stdlib.h>

enum { TRIES = 8 }; /* to be the first after a load who writes */

/* --- slots of the last commit --------------------------------------------- */

static void forget_slots(struct ledger *l)
{
    for (int i = 0; l->kept != NULL && i < l->mirror->n_slots; i++) {
        free(l->kept[i].kill_message);
    }
    free(l->kept);
    l->kept = NULL;
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

static void keep_slots(struct ledger *l)
{
    int n = l->mirror->n_slots;
    if (l->kept == NULL) {
        l->kept = mem_alloc((size_t)n, sizeof(*l->kept));
    }
    copy_slots(l->kept, l->mirror->slots, n);
}

/* --- life ----------------------------------------------------------------- */

void ledger_init(struct ledger *l, const struct ledger_hooks *hooks,
                 int n_slots)
{
    *l = (struct ledger){.hooks = *hooks, .mirror = mirror_new(n_slots)};
    actions_init(&l->pending);
}

void ledger_fini(struct ledger *l)
{
    actions_fini(&l->pending);
    inbox_clear(&l->inbox);
    forget_slots(l);
    mirror_free(l->mirror);
}

/* A mirror of what is committed, with the slots of that moment. */
static int load(struct ledger *l, struct err *err)
{
    struct mirror *fresh = mirror_new(l->mirror->n_slots);
    int rc = l->hooks.load(l->hooks.ctx, fresh, err);
    if (rc != 0) {
        mirror_free(fresh);
        return rc;
    }
    if (l->kept != NULL) {
        copy_slots(fresh->slots, l->kept, fresh->n_slots);
        mirror_remember(fresh, l->mirror);
    }
    mirror_free(l->mirror);
    l->mirror = fresh;
    return 0;
}

/* --- trouble -------------------------------------------------------------- */

/* May the same words be taken later, without anybody's doing? */
static bool passes(int code)
{
    return code == ERR_FULL || code == ERR_BUSY;
}

static void lose_words(struct ledger *l)
{
    inbox_clear(&l->inbox);
    l->is_lost = true;
}

int ledger_fail(struct ledger *l, const struct err *why)
{
    struct err unread;
    l->trouble = *why;
    if (l->pending.n > 0) {
        actions_fini(&l->pending);
        actions_init(&l->pending);
        (void)load(l, &unread); /* else ledger_replay tries again */
    }
    return why->code;
}

/* STALE again and again. */
static int give_up(struct ledger *l, struct err *err)
{
    char *why = mem_strdup(err->msg);
    (void)err_set(err, ERR_BUSY, "%s, again and again", why);
    free(why);
    return ledger_fail(l, err);
}

void ledger_keep(struct ledger *l, const struct event *e)
{
    if (!l->is_lost && !inbox_add(&l->inbox, e)) {
        lose_words(l);
    }
}

/* --- decide, apply ---------------------------------------------------------
 */

/* STALE: nothing was put, and no trouble. */
static int put(struct ledger *l, struct actions *a, struct err *err)
{
    int rc = l->hooks.put(l->hooks.ctx, l->mirror, a, err);
    if (rc != 0) {
        return rc == ERR_STALE ? rc : ledger_fail(l, err);
    }
    for (size_t i = 0; i < a->n; i++) {
        mirror_apply(l->mirror, &a->items[i]);
        actions_add(&l->pending, a->items[i]);
    }
    a->n = 0;
    return 0;
}

/* What was to be told to a process that is gone; another may be there by now,
 * and must not be stopped or killed for it. True: a trial was among it. */
static bool forget_told(struct ledger *l, int slot)
{
    bool had_trial = false;
    for (size_t i = 0; i < l->pending.n; i++) {
        struct action *a = &l->pending.items[i];
        if (a->slot == slot && action_is_performed(a->kind)) {
            had_trial |= a->kind == ACTION_ASSIGN;
            action_fini(a);
            *a = (struct action){.kind = ACTION_TICK, .slot = -1};
        }
    }
    return had_trial;
}

static int decide(struct ledger *l, const struct event *e, struct err *err)
{
    struct actions a;
    actions_init(&a);
    int rc = sched_decide(l->mirror, e, &a, err);
    if (rc == 0 && a.n > 0) {
        rc = put(l, &a, err);
    }
    actions_fini(&a);
    return rc;
}

/* A worker that was not told of its trial yet did not end for it. */
static int lose_slot(struct ledger *l, struct event e, struct err *err)
{
    char *words = NULL;
    if (forget_told(l, e.slot)) {
        const char *said = e.gone.message != NULL ? e.gone.message : "";
        words = mem_printf("before it was told of the trial: %s", said);
        e.gone.cause = TRIAL_CAUSE_INTERRUPTED;
        e.gone.message = words;
    }
    int rc = decide(l, &e, err);
    free(words);
    return rc;
}

static int turn(struct ledger *l, const struct event *e, struct err *err)
{
    return e->kind == EVENT_SLOT_GONE ? lose_slot(l, *e, err)
                                      : decide(l, e, err);
}

/* --- what others have committed ------------------------------------------- */

/* The words since the last commit, as if they had just come. */
static int say_again(struct ledger *l, struct err *err)
{
    struct err refused;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < l->inbox.n; i++) {
        const struct event *e = &l->inbox.events[i];
        rc = turn(l, e, &refused);
        if (rc != 0 && rc != ERR_STALE && l->trouble.code == 0) {
            l->hooks.on_refused(l->hooks.ctx, e, &refused);
            rc = 0;
        }
    }
    return rc == 0 ? 0 : err_set(err, rc, "%s", refused.msg);
}

/* Nothing durable is pending: a transaction of ours would have kept the others
 * from it. They may come again between a load and the next one of ours, but
 * not often: they wait for our lock in naps. e: to be decided after the words;
 * NULL: nothing, or one of them. */
static int catch_up(struct ledger *l, const struct event *e, struct err *err)
{
    int rc = ERR_STALE;
    for (int i = 0; rc == ERR_STALE && i < TRIES; i++) {
        actions_fini(&l->pending);
        actions_init(&l->pending);
        rc = load(l, err);
        if (rc != 0) {
            return ledger_fail(l, err);
        }
        rc = say_again(l, err);
        if (rc == 0 && e != NULL) {
            rc = turn(l, e, err);
        }
    }
    return rc == ERR_STALE ? give_up(l, err) : rc;
}

int ledger_turn(struct ledger *l, const struct event *e, struct err *err)
{
    int rc = turn(l, e, err);
    return rc == ERR_STALE ? catch_up(l, inbox_is_word(e->kind) ? NULL : e, err)
                           : rc;
}

int ledger_take_in(struct ledger *l, struct err *err)
{
    int rc = load(l, err);
    return rc == 0 || passes(rc) ? rc : ledger_fail(l, err);
}

int ledger_next(struct ledger *l, int64_t now_ms, int64_t mono_ms, bool *more,
                struct err *err)
{
    struct actions a;
    actions_init(&a);
    sched_next(l->mirror, now_ms, mono_ms, &a);
    *more = a.n > 0;
    int rc = a.n > 0 ? put(l, &a, err) : 0;
    actions_fini(&a);
    return rc == ERR_STALE ? catch_up(l, NULL, err) : rc;
}

static int drain(struct ledger *l, int64_t now_ms, int64_t mono_ms,
                 struct err *err)
{
    struct actions a;
    actions_init(&a);
    sched_drain(l->mirror, now_ms, mono_ms, &a);
    int rc = put(l, &a, err);
    actions_fini(&a);
    return rc;
}

int ledger_drain(struct ledger *l, int64_t now_ms, int64_t mono_ms,
                 struct err *err)
{
    int rc = drain(l, now_ms, mono_ms, err);
    for (int i = 0; rc == ERR_STALE && i < TRIES; i++) {
        rc = catch_up(l, NULL, err);
        rc = rc == 0 ? drain(l, now_ms, mono_ms, err) : rc;
    }
    return rc == ERR_STALE ? give_up(l, err) : rc;
}

/* --- commit ----------------------------------------------------------------
 */

int ledger_commit(struct ledger *l, struct actions *done, struct err *err)
{
    if (l->pending.n > 0 && l->hooks.flush(l->hooks.ctx, err) != 0) {
        return ledger_fail(l, err);
    }
    inbox_clear(&l->inbox);
    if (l->pending.n > 0 || l->kept == NULL) {
        keep_slots(l);
    }
    for (size_t i = 0; i < l->pending.n; i++) {
        actions_add(done, l->pending.items[i]);
    }
    l->pending.n = 0;
    return 0;
}

/* --- out of trouble, into a life -------------------------------------------
 */

int ledger_replay(struct ledger *l, struct actions *done, struct err *err)
{
    l->trouble.code = 0;
    int rc = load(l, err);
    if (rc != 0) {
        return ledger_fail(l, err);
    }
    rc = say_again(l, err);
    rc = rc == ERR_STALE ? catch_up(l, NULL, err) : rc;
    rc = rc == 0 ? ledger_commit(l, done, err) : rc;
    if (rc != 0 && !passes(rc)) {
        lose_words(l);
    }
    *err = l->trouble;
    return rc;
}

/* RUNNING rows without a worker: what the last life left behind. */
static int hand_back_orphans(struct ledger *l, const struct ledger_birth *b,
                             struct err *err)
{
    int rc = 0;
    for (size_t s = 0; s < l->mirror->n_studies; s++) {
        const struct study *study = l->mirror->studies[s];
        size_t n = study->is_foreign ? 0 : study->n_trials;
        for (size_t i = 0; rc == 0 && i < n; i++) {
            const struct study_trial *t = study->trials[i];
            struct event e = {
                .kind = EVENT_ORPHAN,
                .now_ms = b->now_ms,
                .mono_ms = b->mono_ms,
                .alive_ms = b->alive_ms,
                .lived_ms = b->lived_ms,
                .begun_ms = b->begun_ms,
                .slot = -1,
                .study = study->id,
                .id = {study->id, t->number, t->attempt},
            };
            rc = t->state == TRIAL_RUNNING ? turn(l, &e, err) : 0;
        }
    }
    return rc;
}

/* Load, and decide what a new life begins with. */
static int begin_life(struct ledger *l, const struct ledger_birth *b,
                      struct err *err)
{
    struct event start = {.kind = EVENT_START,
                          .now_ms = b->now_ms,
                          .mono_ms = b->mono_ms,
                          .alive_ms = b->alive_ms,
                          .lived_ms = b->lived_ms,
                          .begun_ms = b->begun_ms,
                          .slot = -1};
    int rc = load(l, err);
    rc = rc == 0 ? turn(l, &start, err) : rc;
    return rc == 0 ? hand_back_orphans(l, b, err) : rc;
}

int ledger_start(struct ledger *l, const struct ledger_birth *b,
                 struct actions *done, struct err *err)
{
    inbox_clear(&l->inbox);
    forget_slots(l);
    l->trouble.code = 0;
    int rc = begin_life(l, b, err);
    for (int i = 0; rc == ERR_STALE && i < TRIES; i++) {
        rc = begin_life(l, b, err);
    }
    /* Before anything of this life is committed. */
    rc = rc == 0 ? l->hooks.verify(l->hooks.ctx, l->mirror, err) : rc;
    rc = rc == 0 ? ledger_commit(l, done, err) : rc;
    if (rc != 0) {
        return rc == ERR_STALE ? give_up(l, err) : ledger_fail(l, err);
    }
    l->is_lost = false;
    return 0;
}
