/* Words and decisions when the store takes nothing for a while, or never. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "daemon/ledger.h"
#include "daemon/sched.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"
#include "tests/lib/story.h"

#include <math.h>
#include <string.h>

static struct fix_store fix;
static struct ledger ledger;
static struct actions done;
static int64_t now = 1000, alive; /* the last sign of another life */

/* The countdown-th call of the store fails with this code; < 0: none. */
static int countdown = -1, code;

/* So many calls of put are stale. */
static int n_stale, n_loads;

static bool fails(struct err *err)
{
    if (countdown < 0 || countdown-- > 0) {
        return false;
    }
    fix_store_refuse(fix.store, ledger.mirror); /* nothing of it is written */
    return err_set(err, code, "not now") != 0;
}

static int put(void *ctx, const struct mirror *m, const struct actions *a,
               struct err *err)
{
    (void)ctx;
    if (n_stale > 0 && actions_any_durable(a)) {
        n_stale--;
        return err_set(err, ERR_STALE, "look again");
    }
    return fails(err) ? code : store_put(fix.store, m, a, err);
}

static int flush(void *ctx, struct err *err)
{
    (void)ctx;
    return fails(err) ? code : store_flush(fix.store, err);
}

static int load(void *ctx, struct mirror *m, struct err *err)
{
    (void)ctx;
    n_loads++;
    return fails(err) ? code : store_load(fix.store, m, err);
}

static int verify(void *ctx, const struct mirror *m, struct err *err)
{
    (void)ctx;
    return store_verify(fix.store, m, err);
}

static void on_refused(void *ctx, const struct event *e, const struct err *why)
{
    (void)ctx;
    ck_abort_msg("event %d: %s", (int)e->kind, why->msg);
}

/* --- what happens --------------------------------------------------------- */

static void commit(void)
{
    struct err err;
    ck_assert_msg(ledger_commit(&ledger, &done, &err) == 0, "%s", err.msg);
}

static struct event event(enum event_kind kind)
{
    now += 1000;
    return (struct event){.kind = kind,
                          .now_ms = now,
                          .mono_ms = now,
                          .study = 1,
                          .id = {1, 0, 1}};
}

/* A word arrives, and is handled if anybody can. */
static int hear(struct event e)
{
    struct err err;
    ledger_keep(&ledger, &e);
    return ledger.trouble.code == 0 ? ledger_turn(&ledger, &e, &err)
                                    : ledger.trouble.code;
}

static struct event report(int64_t epoch)
{
    struct event e = event(EVENT_REPORT);
    e.report.epoch = epoch;
    for (int i = 0; i < RUN_N_METRICS; i++) {
        e.report.metrics.value[i] = 0.25 * (double)(1 + epoch);
    }
    return e;
}

static struct event ended(void)
{
    struct event e = event(EVENT_DONE);
    e.done.value = 0.5;
    e.done.best_epoch = 1;
    return e;
}

static const struct study_trial *trial(void)
{
    return mirror_trial(ledger.mirror, 1, 0);
}

static int start(struct err *err)
{
    const struct ledger_birth birth = {
        .now_ms = now, .mono_ms = now, .alive_ms = alive, .lived_ms = alive};
    return ledger_start(&ledger, &birth, &done, err);
}

/* Trial 0 of study 1 runs in slot 0; one epoch of it is committed. */
static void setup(void)
{
    const struct ledger_hooks hooks = {NULL, put,    flush,
                                       load, verify, on_refused};
    struct spec spec = story_spec("s", 1);
    struct event add = event(EVENT_ADD_STUDY);
    struct event prepared = event(EVENT_PREPARED);
    struct err err;
    bool more = true;
    fix_store_init(&fix, 1);
    ledger_init(&ledger, &hooks, 1);
    actions_init(&done);
    ck_assert_int_eq(start(&err), 0);
    add.add_study.spec = &spec;
    prepared.prepared = (struct study_data){"", 2, 8, 1, 1};
    memset(prepared.prepared.sha256, 'a', 64);
    ck_assert_int_eq(ledger_turn(&ledger, &add, &err), 0);
    ck_assert_int_eq(hear(event(EVENT_SLOT_IDLE)), 0);
    ck_assert_int_eq(ledger_next(&ledger, now, now, &more, &err), 0);
    ck_assert_int_eq(hear(prepared), 0);
    ck_assert_int_eq(hear(event(EVENT_SLOT_IDLE)), 0);
    ck_assert_int_eq(ledger_next(&ledger, now, now, &more, &err), 0);
    ck_assert_int_eq(trial()->state, TRIAL_RUNNING);
    ck_assert_int_eq(hear(report(0)), 0);
    commit();
    ck_assert_uint_eq(ledger.inbox.n, 0);
    spec_fini(&spec);
    actions_fini(&done);
}

static void teardown(void)
{
    actions_fini(&done);
    ledger_fini(&ledger);
    fix_store_fini(&fix);
}

static void expect_store_equal(void)
{
    struct mirror *fresh = fix_store_load(&fix);
    struct buf out;
    buf_init(&out, 4096);
    ck_assert_msg(mirror_difference(ledger.mirror, fresh, &out) == 0, "%s",
                  out.data);
    buf_fini(&out);
    mirror_free(fresh);
}

/* The store fails at the next report, and the trial trains on to its end. */
static void train_on_in_trouble(void)
{
    code = ERR_FULL;
    countdown = 0;
    ck_assert_int_eq(hear(report(1)), ERR_FULL);
    ck_assert_int_eq(hear(report(2)), ERR_FULL);
    ck_assert_int_eq(hear(event(EVENT_PREPARED)), ERR_FULL); /* nobody asked */
    ck_assert_int_eq(hear(ended()), ERR_FULL);
    ck_assert_uint_eq(ledger.inbox.n, 4);
    ck_assert_uint_eq(trial()->n_reports, 1);
    ck_assert_int_eq(ledger.mirror->slots[0].state, SLOT_BUSY);
}

/* --- tests ---------------------------------------------------------------- */

/* Whatever call fails in the midst of the replay, as a lock or a full disk
 * does: the words wait, in order, and are taken whole in the end. */
START_TEST(words_wait_until_they_are_taken)
{
    int n_failed = -1, rc;
    train_on_in_trouble();
    do {
        struct err err;
        code = _i == 0 ? ERR_BUSY : ERR_FULL;
        countdown = ++n_failed;
        rc = ledger_replay(&ledger, &done, &err);
        if (rc != 0) {
            ck_assert_int_eq(rc, code);
            ck_assert_str_eq(err.msg, "not now");
            ck_assert_uint_eq(done.n, 0);
            ck_assert_uint_eq(ledger.inbox.n, 4);
            ck_assert(!ledger.is_lost);
            ck_assert_uint_eq(trial()->n_reports, 1);
            expect_store_equal();
        }
    } while (rc != 0);
    countdown = -1;
    ck_assert_int_ge(n_failed, 5); /* load, three words, flush */
    ck_assert_uint_eq(ledger.inbox.n, 0);
    ck_assert_uint_gt(done.n, 0);
    ck_assert_int_eq(trial()->state, TRIAL_COMPLETE);
    ck_assert_int_eq(trial()->attempt, 1);
    ck_assert_uint_eq(trial()->n_reports, 3);
    expect_store_equal();
}
END_TEST

/* Trouble that was found elsewhere, while a decision waits for its commit: it
 * is undone on both sides, and taken whole later. */
START_TEST(trouble_from_outside_undoes_what_was_put)
{
    struct err err, why;
    (void)err_set(&why, ERR_BUSY, "not now");
    ck_assert_int_eq(hear(report(1)), 0);
    ck_assert_int_eq(ledger_fail(&ledger, &why), ERR_BUSY);
    ck_assert_uint_eq(trial()->n_reports, 1);
    expect_store_equal();
    ck_assert_int_eq(hear(report(2)), ERR_BUSY);
    code = ERR_BUSY;
    countdown = 2; /* load and a word pass: nothing of them is written */
    ck_assert_int_eq(ledger_replay(&ledger, &done, &err), ERR_BUSY);
    ck_assert_uint_eq(trial()->n_reports, 1);
    expect_store_equal();
    ck_assert_int_eq(ledger_replay(&ledger, &done, &err), 0);
    ck_assert_uint_eq(trial()->n_reports, 3);
    expect_store_equal();
}
END_TEST

/* A word that waited would have its worker killed, but that one is gone: the
 * one that has come since lives. */
START_TEST(who_comes_later_is_not_killed)
{
    struct err err;
    code = ERR_BUSY;
    countdown = 0;
    ck_assert_int_eq(hear(report(1)), ERR_BUSY);
    ck_assert_int_eq(hear(report(7)), ERR_BUSY); /* a gap: its worker lies */
    ck_assert_int_eq(hear(event(EVENT_SLOT_GONE)), ERR_BUSY);
    ck_assert_int_eq(hear(event(EVENT_SLOT_IDLE)), ERR_BUSY);
    ck_assert_int_eq(ledger_replay(&ledger, &done, &err), 0);
    ck_assert_int_eq(ledger.mirror->slots[0].state, SLOT_IDLE);
    ck_assert_int_eq(trial()->state, TRIAL_WAITING);
    for (size_t i = 0; i < done.n; i++) {
        ck_assert_int_ne(done.items[i].kind, ACTION_KILL);
    }
}
END_TEST

/* Its worker has gone before anybody told it of the trial. */
START_TEST(a_trial_is_not_charged_for_a_worker_that_never_had_it)
{
    struct err err;
    struct event gone = event(EVENT_SLOT_GONE);
    bool more;
    gone.gone.cause = TRIAL_CAUSE_EXIT;
    gone.gone.message = "exited with code 1";
    ck_assert_int_eq(hear(gone), 0); /* a death that counts */
    ck_assert_int_eq(trial()->n_at_place, 1);
    commit();
    for (int i = 0; i < 4; i++) {
        now += SCHED_BACKOFF_MAX_MS;
        ck_assert_int_eq(hear(event(EVENT_SLOT_IDLE)), 0);
        ck_assert_int_eq(ledger_next(&ledger, now, now, &more, &err), 0);
        ck_assert_int_eq(trial()->state, TRIAL_RUNNING);
        ck_assert_int_eq(hear(gone), 0);
        ck_assert_int_eq(trial()->state, TRIAL_WAITING);
        ck_assert_int_eq(trial()->n_at_place, 1);
        commit();
    }
    ck_assert_int_eq(trial()->attempt, 5);
    ck_assert_int_eq(mirror_study(ledger.mirror, 1)->n_deaths, 1);
    expect_store_equal();
}
END_TEST

/* When they can never be taken, a new life begins: the trial is handed back. */
START_TEST(words_that_are_never_taken_are_lost)
{
    struct err err;
    train_on_in_trouble();
    code = ERR_STORE;
    countdown = 1 + _i; /* at any word, or at the commit */
    ck_assert_int_eq(ledger_replay(&ledger, &done, &err), ERR_STORE);
    ck_assert(ledger.is_lost);
    ck_assert_uint_eq(ledger.inbox.n, 0);
    ck_assert_int_eq(ledger.mirror->slots[0].state, SLOT_BUSY);
    ck_assert_int_eq(hear(ended()), ERR_STORE);
    ck_assert_uint_eq(ledger.inbox.n, 0);
    countdown = 1; /* in the midst of the start as well */
    code = ERR_BUSY;
    ck_assert_int_eq(start(&err), ERR_BUSY);
    ck_assert(ledger.is_lost);
    int64_t began = trial()->attempt_ms;
    alive = now;
    now += 60000;
    ck_assert_int_eq(start(&err), 0);
    ck_assert_int_eq(trial()->worked_ms, alive - began);
    ck_assert(!ledger.is_lost);
    ck_assert_int_eq(trial()->state, TRIAL_WAITING);
    ck_assert_uint_eq(trial()->n_reports, 1);
    ck_assert_int_eq(ledger.mirror->slots[0].state, SLOT_ABSENT);
    expect_store_equal();
}
END_TEST

/* Another program has written: whoever decided looks again, and nobody notices.
 * A word that came before, and one that is decided, are taken once. */
START_TEST(what_is_stale_is_decided_again)
{
    struct err err;
    struct event pause = event(EVENT_PAUSE);
    struct event progress = event(EVENT_PROGRESS);
    int before = n_loads;
    ck_assert_int_eq(hear(progress), 0); /* nothing durable: no word */
    n_stale = 1 + _i;
    ck_assert_int_eq(hear(report(1)), 0);
    ck_assert_int_eq(n_loads - before, 1 + _i);
    ck_assert_uint_eq(trial()->n_reports, 2);
    ck_assert_int_eq(ledger.mirror->slots[0].state, SLOT_BUSY);
    ck_assert_int_eq(hear(report(2)), 0);
    commit();
    expect_store_equal();
    n_stale = 1 + _i;
    ck_assert_int_eq(ledger_turn(&ledger, &pause, &err), 0);
    commit();
    ck_assert_int_eq(mirror_study(ledger.mirror, 1)->state, STUDY_PAUSED);
    ck_assert_uint_eq(trial()->n_reports, 3);
    n_stale = 1 + _i;
    ck_assert_int_eq(ledger_drain(&ledger, now, now, &err), 0);
    commit();
    n_stale = 1 + _i;
    ck_assert_int_eq(start(&err), 0);
    ck_assert_int_eq(trial()->state, TRIAL_WAITING);
    n_stale = 0;
    expect_store_equal();
}
END_TEST

/* Nor does a writer without a pause lose anybody's words. */
START_TEST(what_stays_stale_is_trouble)
{
    struct err err;
    n_stale = 1000;
    ck_assert_int_eq(hear(report(1)), ERR_BUSY);
    ck_assert_int_eq(hear(report(2)), ERR_BUSY);
    ck_assert_int_eq(ledger_replay(&ledger, &done, &err), ERR_BUSY);
    ck_assert_str_eq(err.msg, "look again, again and again");
    ck_assert(!ledger.is_lost);
    n_stale = 2;
    ck_assert_int_eq(ledger_replay(&ledger, &done, &err), 0);
    ck_assert_uint_eq(trial()->n_reports, 3);
    expect_store_equal();
}
END_TEST

/* More words than there is room for are lost as well. */
START_TEST(too_many_words_are_lost)
{
    train_on_in_trouble();
    for (int i = 4; i < INBOX_MAX; i++) {
        ck_assert_int_eq(hear(report(2)), ERR_FULL);
    }
    ck_assert(!ledger.is_lost);
    ck_assert_int_eq(hear(report(2)), ERR_FULL);
    ck_assert(ledger.is_lost);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("ledger");
    TCase *c = tcase_create("ledger");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, words_wait_until_they_are_taken, 0, 2);
    tcase_add_loop_test(c, words_that_are_never_taken_are_lost, 0, 4);
    tcase_add_test(c, trouble_from_outside_undoes_what_was_put);
    tcase_add_test(c, who_comes_later_is_not_killed);
    tcase_add_test(c, a_trial_is_not_charged_for_a_worker_that_never_had_it);
    tcase_add_test(c, too_many_words_are_lost);
    tcase_add_loop_test(c, what_is_stale_is_decided_again, 0, 3);
    tcase_add_test(c, what_stays_stale_is_trouble);
    suite_add_tcase(s, c);
    return s;
}
