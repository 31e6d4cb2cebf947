/* What the scheduler decided, said to workers and done to files; and what the
 * workers say, as events. A message that cannot be sent is no error here: the
 * worker is ended by the pool and its death comes back as an event. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/spec/spec_json.h"
#include "core/wire/msg.h"
#include "daemon/daemon_priv.h"
#include "daemon/event.h"
#include "daemon/mirror.h"
#include "daemon/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- words to workers --- */

static void tell(struct daemon *d, int slot, const struct msg *m,
                 const char *log_path)
{
    struct err err;
    if (d->pool != NULL && pool_send(d->pool, slot, m, log_path, &err) != 0) {
        LOG_WARN("send", "slot=%d message=%s %s", slot, msg_name(m->type),
                 err.msg);
    }
}

/* A list of strings in one, as msg.h says. */
static char *joined(char *const *items, size_t n)
{
    char *all = mem_strdup("");
    for (size_t i = 0; i < n; i++) {
        char *longer = mem_printf("%s%s%s", all, i > 0 ? "\n" : "", items[i]);
        free(all);
        all = longer;
    }
    return all;
}

static void perform_prepare(struct daemon *d, const struct action *a)
{
    const struct study *s = mirror_study(d->ledger.mirror, a->study);
    const struct spec_data *data = &s->spec.data;
    char *sources = joined(data->sources, data->n_sources);
    char *tests = joined(data->test_sources, data->n_test_sources);
    char *splits = joined(data->splits, data->n_splits);
    char *cache = paths_in_state(d->options.state_dir, "cache");
    char *log = paths_prepare_log(d->options.state_dir, s->id);
    struct msg m = {.type = MSG_PREPARE,
                    .prepare = {.study = s->id,
                                .sources = sources,
                                .test_sources = tests,
                                .splits = splits,
                                .text = data->text,
                                .label = data->label,
                                .min_class_count = data->min_class_count,
                                .cache_dir = cache,
                                .expected_sha256 = (char *)s->data.sha256,
                                .run = s->spec.base}};
    LOG_INFO("preparing", "study=%s slot=%d", s->spec.name, a->slot);
    tell(d, a->slot, &m, log);
    free(log);
    free(sources);
    free(tests);
    free(splits);
    free(cache);
}

static char *file_or_empty(const struct study_checkpoint *c)
{
    return c != NULL ? c->file : (char *)"";
}

static char *sha_or_empty(struct study_checkpoint *c)
{
    return c != NULL ? c->sha256 : (char *)"";
}

static void name_checkpoints(struct msg_assign *m, const struct study_trial *t)
{
    m->resume_file = file_or_empty(t->last);
    m->resume_sha256 = sha_or_empty(t->last);
    m->previous_file = file_or_empty(t->previous);
    m->previous_sha256 = sha_or_empty(t->previous);
    m->best_file = file_or_empty(t->best);
    m->best_sha256 = sha_or_empty(t->best);
    m->best_epoch = t->best != NULL ? t->best->epoch : -1;
}

static void perform_assign(struct daemon *d, const struct action *a)
{
    const struct study *s = mirror_study(d->ledger.mirror, a->study);
    const struct study_trial *t = s->trials[a->number];
    char *dir = paths_trial_dir(d->options.state_dir, s->id, t->number);
    char *log = paths_trial_file(d->options.state_dir, s->id, t->number, "log");
    char *cache = paths_in_state(d->options.state_dir, "cache");
    char *tb = paths_tb_trial_dir(d->options.state_dir, s->id, t->number);
    struct msg m = {.type = MSG_ASSIGN,
                    .assign = {.id = {s->id, t->number, a->attempt},
                               .metric = s->spec.metric,
                               .maximize = s->spec.direction == SPEC_MAXIMIZE,
                               .of_last = s->spec.of == SPEC_OF_LAST,
                               .cache_dir = cache,
                               .data_sha256 = (char *)s->data.sha256,
                               .dir = dir,
                               .tb_dir = tb}};
    name_checkpoints(&m.assign, t);
    double *values = mem_alloc(s->spec.space.n + 1, sizeof(*values));
    study_values(s, t->number, values);
    spec_run(&s->spec, values, t->number, &m.assign.run);
    struct buf objective, params;
    buf_init(&objective, BUF_MAX_FRAME / 2);
    buf_init(&params, BUF_MAX_FRAME / 2);
    if (s->spec.objective != SPEC_OBJECTIVE_CLASSIFIER) {
        spec_work_to_json(&s->spec, &objective);
        spec_point_to_json(&s->spec, values, &params);
    }
    m.assign.objective = objective.data;
    m.assign.params = params.data;
    LOG_INFO("trial assigned", "study=%s trial=%d attempt=%d slot=%d",
             s->spec.name, (int)t->number, (int)a->attempt, a->slot);
    tell(d, a->slot, &m, log);
    buf_fini(&objective);
    buf_fini(&params);
    free(values);
    free(dir);
    free(log);
    free(cache);
    free(tb);
}

static void perform_stop(struct daemon *d, const struct action *a)
{
    struct msg m = {.type = MSG_STOP,
                    .stop = {.id = {a->study, a->number, a->attempt},
                             .keep = a->stop.keep}};
    tell(d, a->slot, &m, NULL);
}

/* --- files, off the loop --- */

struct removal {
    uv_work_t work;
    char *path;
    struct err err;
    int rc;
};

static void remove_in_thread(uv_work_t *w)
{
    struct removal *r = w->data;
    r->rc = file_remove_tree(r->path, &r->err);
}

static void on_removed(uv_work_t *w, int status)
{
    struct removal *r = w->data;
    if (status == 0 && r->rc != 0) {
        LOG_WARN("remove", "%s", r->err.msg);
    }
    free(r->path);
    free(r);
}

/* Large files take long to unlink; what fails is swept at the next start. */
static void remove_later(struct daemon *d, char *path)
{
    struct removal *r = mem_alloc(1, sizeof(*r));
    r->path = path;
    r->work.data = r;
    if (uv_queue_work(d->loop, &r->work, remove_in_thread, on_removed) != 0) {
        free(r->path);
        free(r);
    }
}

static void remove_study(struct daemon *d, int64_t study)
{
    remove_later(d, paths_study_dir(d->options.state_dir, study));
    remove_later(d, paths_tb_study_dir(d->options.state_dir, study));
}

void daemon_perform(struct daemon *d, const struct action *a)
{
    const char *state = d->options.state_dir;
    switch (a->kind) {
    case ACTION_PREPARE:
        perform_prepare(d, a);
        break;
    case ACTION_ASSIGN:
        perform_assign(d, a);
        break;
    case ACTION_STOP:
        perform_stop(d, a);
        break;
    case ACTION_KILL:
        if (d->pool != NULL) {
            pool_kill(d->pool, a->slot, a->kill.cause == TRIAL_CAUSE_HANG);
        }
        break;
    case ACTION_DELETE_STUDY:
        remove_study(d, a->study);
        break;
    case ACTION_REMOVE_FILE:
        remove_later(d, paths_trial_file(state, a->study, a->number,
                                         a->remove_file.file));
        break;
    default:
        break; /* action.h: not performed */
    }
}

/* --- words from workers --- */

/* SQLite keeps neither the sign of zero nor the bits of a NaN: numbers lose
 * both at the door, so that what is compared after a restart is what was said.
 */
static double canonical(double v)
{
    return isnan(v) ? (double)NAN : v + 0.0;
}

static struct run_metrics metrics_of(const struct msg_report *m)
{
    struct run_metrics metrics;
    for (int i = 0; i < RUN_N_METRICS; i++) {
        metrics.value[i] = canonical(m->metrics.value[i]);
    }
    return metrics;
}

static void copy_word(char *to, size_t size, const char *word)
{
    size_t n = strnlen(word, size - 1);
    memcpy(to, word, n);
    to[n] = '\0';
}

static struct study_preparation preparing_of(const struct msg_preparing *m)
{
    struct study_preparation p = {.done = m->done, .total = m->total};
    copy_word(p.phase, sizeof(p.phase), m->phase);
    copy_word(p.unit, sizeof(p.unit), m->unit);
    return p;
}

static struct study_data prepared_of(const struct msg_prepared *m)
{
    struct study_data data = {.n_classes = m->n_classes,
                              .n_train = m->n_train,
                              .n_val = m->n_val,
                              .n_test = m->n_test};
    /* A text of another length is no digest and equals none. */
    if (strlen(m->sha256) == sizeof(data.sha256) - 1) {
        memcpy(data.sha256, m->sha256, sizeof(data.sha256));
    }
    return data;
}

static struct study_progress progress_of(const struct msg_progress *m)
{
    struct study_progress p = {.epoch = m->epoch,
                               .step = m->step,
                               .n_steps = m->n_steps,
                               .loss = m->loss};
    copy_word(p.phase, sizeof(p.phase), m->phase);
    return p;
}

static struct study_checkpoint checkpoint_of(const struct msg_checkpoint *m)
{
    struct study_checkpoint c = {
        .epoch = m->epoch, .step = m->step, .size = m->size, .file = m->file};
    if (strlen(m->sha256) == sizeof(c.sha256) - 1) {
        memcpy(c.sha256, m->sha256, sizeof(c.sha256));
    }
    return c;
}

static bool constraints_of(const char *text, struct event *e)
{
    e->constraints.n = 0;
    while (*text != '\0') {
        char *end;
        double value = strtod(text, &end);
        if (end == text || (*end != '\n' && *end != '\0') ||
            e->constraints.n == SPEC_MAX_CONSTRAINTS) {
            return false;
        }
        e->constraints.values[e->constraints.n++] = canonical(value);
        text = *end == '\n' ? end + 1 : end;
    }
    return true;
}

/* Ours are shorter than struct err's; the store loads no endless ones. */
static bool is_sentence(const char *message)
{
    return strlen(message) < sizeof(((struct err *)0)->msg);
}

static bool is_memory(const struct trial_memory *m)
{
    return m->peak >= 0 && m->planned >= 0 &&
           (m->of_worker == 0 || m->of_worker == 1);
}

static bool take_preparing(const struct msg *m, struct event *e)
{
    e->study = m->preparing.study;
    e->preparing = preparing_of(&m->preparing);
    return m->preparing.done >= 0 && m->preparing.total >= 0;
}

static bool take_prepared(const struct msg *m, struct event *e)
{
    e->study = m->prepared.study;
    e->prepared = prepared_of(&m->prepared);
    return true;
}

static bool take_prepare_failed(const struct msg *m, struct event *e)
{
    e->study = m->prepare_failed.study;
    e->prepare_failed.message = m->prepare_failed.message;
    return is_sentence(m->prepare_failed.message);
}

static bool take_progress(const struct msg *m, struct event *e)
{
    e->id = m->progress.id;
    e->progress = progress_of(&m->progress);
    return true;
}

static bool take_report(const struct msg *m, struct event *e)
{
    e->id = m->report.id;
    e->report.epoch = m->report.epoch;
    e->report.metrics = metrics_of(&m->report);
    e->report.memory = m->report.memory;
    return is_memory(&m->report.memory);
}

static bool take_checkpoint(const struct msg *m, struct event *e)
{
    e->id = m->checkpoint.id;
    e->checkpoint.best = m->checkpoint.best != 0;
    e->checkpoint.file = checkpoint_of(&m->checkpoint);
    return paths_is_file_name(m->checkpoint.file);
}

static bool take_discard(const struct msg *m, struct event *e)
{
    e->id = m->discard.id;
    e->discard.file = m->discard.file;
    e->discard.message = m->discard.message;
    return is_sentence(m->discard.message);
}

static bool take_constraints(const struct msg *m, struct event *e)
{
    e->id = m->constraints.id;
    return constraints_of(m->constraints.values, e);
}

static bool take_done(const struct msg *m, struct event *e)
{
    e->id = m->done.id;
    e->done.value = canonical(m->done.value);
    e->done.best_epoch = m->done.best_epoch;
    e->done.memory = m->done.memory;
    return is_memory(&m->done.memory);
}

static bool take_failed(const struct msg *m, struct event *e)
{
    e->id = m->failed.id;
    e->failed.cause = (enum trial_cause)m->failed.cause;
    e->failed.message = m->failed.message;
    return m->failed.cause > TRIAL_CAUSE_NONE &&
           m->failed.cause < TRIAL_N_CAUSES && is_sentence(m->failed.message);
}

static bool take_stopped(const struct msg *m, struct event *e)
{
    e->id = m->stopped.id;
    return true;
}

/* What a worker may say. */
static const struct word {
    bool (*take)(const struct msg *m, struct event *e); /* false: it is wrong */
    enum event_kind kind;
    bool ends_work; /* it leaves the slot free */
} WORDS[] = {
    [MSG_PREPARING] = {take_preparing, EVENT_PREPARING, false},
    [MSG_PREPARED] = {take_prepared, EVENT_PREPARED, true},
    [MSG_PREPARE_FAILED] = {take_prepare_failed, EVENT_PREPARE_FAILED, true},
    [MSG_PROGRESS] = {take_progress, EVENT_PROGRESS, false},
    [MSG_REPORT] = {take_report, EVENT_REPORT, false},
    [MSG_CHECKPOINT] = {take_checkpoint, EVENT_CHECKPOINT, false},
    [MSG_DISCARD] = {take_discard, EVENT_DISCARD, false},
    [MSG_CONSTRAINTS] = {take_constraints, EVENT_CONSTRAINTS, false},
    [MSG_DONE] = {take_done, EVENT_DONE, true},
    [MSG_FAILED] = {take_failed, EVENT_FAILED, true},
    [MSG_STOPPED] = {take_stopped, EVENT_STOPPED, true},
};

/* NULL when no worker may say it. */
static const struct word *word_of(const struct msg *m, struct event *e)
{
    size_t type = (size_t)m->type;
    if (type >= ARRAY_LEN(WORDS) || WORDS[type].take == NULL) {
        return NULL;
    }
    e->kind = WORDS[type].kind;
    return WORDS[type].take(m, e) ? &WORDS[type] : NULL;
}

/* The study that a slot works for; 0: none. */
static int64_t study_of(const struct daemon *d, int slot)
{
    const struct slot *s = &d->ledger.mirror->slots[slot];
    return s->study != 0 ? s->study : s->id.study;
}

/* A worker may have written after the study's folder was removed. */
static void clear_after(struct daemon *d, int64_t study)
{
    if (study != 0 && mirror_study(d->ledger.mirror, study) == NULL) {
        remove_study(d, study);
    }
}

static void on_idle(void *ctx, int slot)
{
    struct event e = {.kind = EVENT_SLOT_IDLE, .slot = slot};
    daemon_event(ctx, &e);
}

static void on_msg(void *ctx, int slot, const struct msg *m)
{
    struct daemon *d = ctx;
    struct event e = {.slot = slot};
    const struct word *word = word_of(m, &e);
    if (word == NULL) {
        LOG_WARN("protocol", "slot=%d message=%s", slot, msg_name(m->type));
        pool_kill(d->pool, slot, false);
        return;
    }
    if (e.study == 0) {
        e.study = e.id.study;
    }
    int64_t study = study_of(d, slot);
    if (word->ends_work) {
        pool_settle_log(d->pool, slot); /* who hears of the end may look */
    }
    daemon_event(d, &e);
    if (word->ends_work) {
        clear_after(d, study);
        on_idle(d, slot);
    }
}

static void on_gone(void *ctx, int slot, enum trial_cause cause,
                    const char *message)
{
    struct event e = {.kind = EVENT_SLOT_GONE,
                      .slot = slot,
                      .gone = {.cause = cause, .message = message}};
    int64_t study = study_of(ctx, slot);
    daemon_event(ctx, &e);
    clear_after(ctx, study);
}

int daemon_start_pool(struct daemon *d, int hello_timeout_ms, struct err *err)
{
    const struct pool_options options = {.worker_path = d->options.worker_path,
                                         .state_dir = d->options.state_dir,
                                         .n_slots = d->options.n_workers,
                                         .threads =
                                             d->options.threads_per_worker,
                                         .hello_timeout_ms = hello_timeout_ms};
    const struct pool_hooks hooks = {
        .ctx = d, .on_idle = on_idle, .on_msg = on_msg, .on_gone = on_gone};
    return pool_new(d->loop, &options, &hooks, &d->pool, err);
}
