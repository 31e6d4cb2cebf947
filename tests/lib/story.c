#include "tests/lib/story.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/sched.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void story_init(struct story *st, int n_slots)
{
    *st = (struct story){
        .m = mirror_new(n_slots), .now_ms = 1700000000000, .mono_ms = 1000000};
    actions_init(&st->last);
}

void story_fini(struct story *st)
{
    actions_fini(&st->last);
    mirror_free(st->m);
}

struct spec story_spec(const char *name, int64_t n_trials)
{
    char *text =
        mem_printf("{\"study\":\"%s\",\"n_trials\":%" PRId64 ",\"seed\":1,"
                   "\"stop\":{\"max_failures\":3},"
                   "\"sampler\":{\"type\":\"random\"},"
                   "\"data\":{\"source\":\"/data.jsonl\"},"
                   "\"training\":{\"max_epochs\":5,"
                   "\"lr\":{\"float\":[1e-5,1e-3],\"log\":true}}}",
                   name, n_trials);
    struct spec spec;
    struct err err;
    int rc = spec_parse(text, strlen(text), &spec, &err);
    ck_assert_msg(rc == 0, "%s", rc != 0 ? err.msg : "");
    free(text);
    return spec;
}

static void apply_last(struct story *st)
{
    for (size_t i = 0; i < st->last.n; i++) {
        mirror_apply(st->m, &st->last.items[i]);
    }
}

int story_event(struct story *st, struct event e)
{
    e.now_ms = st->now_ms;
    e.mono_ms = st->mono_ms;
    actions_fini(&st->last);
    int rc = sched_decide(st->m, &e, &st->last, &st->err);
    ck_assert(rc == 0 || st->last.n == 0);
    apply_last(st);
    return rc;
}

int story_next(struct story *st)
{
    int n = 0;
    do {
        actions_fini(&st->last);
        sched_next(st->m, st->now_ms, st->mono_ms, &st->last);
        apply_last(st);
        n += st->last.n > 0;
    } while (st->last.n > 0);
    return n;
}

static void happens(struct story *st, struct event e)
{
    int rc = story_event(st, e);
    ck_assert_msg(rc == 0, "%s", rc != 0 ? st->err.msg : "");
}

int64_t story_add(struct story *st, const char *name, int64_t n_trials)
{
    struct spec spec = story_spec(name, n_trials);
    happens(st, (struct event){.kind = EVENT_ADD_STUDY,
                               .add_study = {.spec = &spec}});
    spec_fini(&spec);
    return mirror_study_by_name(st->m, name)->id;
}

void story_idle(struct story *st, int slot)
{
    happens(st, (struct event){.kind = EVENT_SLOT_IDLE, .slot = slot});
}

void story_gone(struct story *st, int slot, enum trial_cause cause)
{
    happens(st, (struct event){.kind = EVENT_SLOT_GONE,
                               .slot = slot,
                               .gone = {cause, "it went"}});
}

void story_prepared(struct story *st, int slot, char digit)
{
    struct event e = {
        .kind = EVENT_PREPARED,
        .slot = slot,
        .study = st->m->slots[slot].study,
        .prepared = {.n_classes = 2, .n_train = 8, .n_val = 1, .n_test = 1}};
    memset(e.prepared.sha256, digit, 64);
    happens(st, e);
}

static struct event word(const struct story *st, int slot, enum event_kind kind)
{
    const struct slot *s = &st->m->slots[slot];
    return (struct event){
        .kind = kind, .slot = slot, .study = s->id.study, .id = s->id};
}

void story_report(struct story *st, int slot, int64_t epoch, double value)
{
    struct event e = word(st, slot, EVENT_REPORT);
    e.report.epoch = epoch;
    e.report.metrics.value[RUN_VAL_ACC] = value;
    happens(st, e);
}

void story_checkpoint(struct story *st, int slot, bool best, int64_t epoch,
                      const char *file)
{
    struct event e = word(st, slot, EVENT_CHECKPOINT);
    e.checkpoint.best = best;
    e.checkpoint.file = (struct study_checkpoint){
        .epoch = epoch, .step = 10 * epoch, .size = 100, .file = (char *)file};
    memset(e.checkpoint.file.sha256, 'c', 64);
    happens(st, e);
}

void story_discard(struct story *st, int slot, const char *file)
{
    struct event e = word(st, slot, EVENT_DISCARD);
    e.discard.file = file;
    e.discard.message = "damaged";
    happens(st, e);
}

void story_done(struct story *st, int slot, double value)
{
    struct event e = word(st, slot, EVENT_DONE);
    e.done.value = value;
    happens(st, e);
}

void story_failed(struct story *st, int slot, enum trial_cause cause)
{
    struct event e = word(st, slot, EVENT_FAILED);
    e.failed.cause = cause;
    e.failed.message = "it failed";
    happens(st, e);
}

void story_stopped(struct story *st, int slot)
{
    happens(st, word(st, slot, EVENT_STOPPED));
}

void story_back(struct story *st, int slot)
{
    story_idle(st, slot);
    story_next(st);
}

void story_finish(struct story *st, int slot, double value)
{
    story_done(st, slot, value);
    story_back(st, slot);
}

void story_fail(struct story *st, int slot, enum trial_cause cause)
{
    story_failed(st, slot, cause);
    story_back(st, slot);
}

void story_user(struct story *st, enum event_kind kind, int64_t study)
{
    happens(st, (struct event){.kind = kind, .slot = -1, .study = study});
}

void story_refused(struct story *st, struct event e, int code)
{
    e.slot = -1;
    st->err.msg[0] = '\0';
    ck_assert_int_eq(story_event(st, e), code);
    ck_assert(st->err.msg[0] != '\0');
}

int story_resume(struct story *st, int64_t study, int64_t n_trials)
{
    return story_event(st, (struct event){.kind = EVENT_RESUME,
                                          .slot = -1,
                                          .study = study,
                                          .resume = {n_trials}});
}

void story_wait(struct story *st, int64_t ms)
{
    while (ms > 0) {
        int64_t step = ms < 1000 ? ms : 1000;
        st->now_ms += step;
        st->mono_ms += step;
        ms -= step;
        happens(st, (struct event){.kind = EVENT_TICK, .slot = -1});
    }
}

int64_t story_prepare(struct story *st, int64_t n_trials)
{
    story_init(st, 1);
    int64_t id = story_add(st, "x", n_trials);
    story_back(st, 0);
    ck_assert_int_eq(st->m->slots[0].state, SLOT_PREPARING);
    return id;
}

int64_t story_begin(struct story *st, int n_slots, int64_t n_trials)
{
    story_init(st, n_slots);
    int64_t id = story_add(st, "a study", n_trials);
    for (int i = 0; i < n_slots; i++) {
        story_idle(st, i);
    }
    story_next(st);
    ck_assert_int_eq(st->m->slots[0].state, SLOT_PREPARING);
    story_prepared(st, 0, 'd');
    story_back(st, 0);
    return id;
}

struct study *story_study(const struct story *st, int64_t id)
{
    struct study *s = mirror_study(st->m, id);
    ck_assert_ptr_nonnull(s);
    return s;
}

struct study_trial *story_trial(const struct story *st, int64_t study,
                                int64_t number)
{
    struct study_trial *t = mirror_trial(st->m, study, number);
    ck_assert_ptr_nonnull(t);
    return t;
}

int story_count(const struct story *st, enum action_kind kind)
{
    int n = 0;
    for (size_t i = 0; i < st->last.n; i++) {
        n += st->last.items[i].kind == kind;
    }
    return n;
}

const struct action *story_find(const struct story *st, enum action_kind kind)
{
    for (size_t i = 0; i < st->last.n; i++) {
        if (st->last.items[i].kind == kind) {
            return &st->last.items[i];
        }
    }
    ck_abort_msg("the decision has no %s", action_name(kind));
    return NULL;
}
