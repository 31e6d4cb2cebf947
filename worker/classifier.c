#include "worker/classifier.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/data/dataset.h"
#include "core/nn/model.h"
#include "core/train/peak.h"
#include "core/train/run_model.h"
#include "core/train/tensorboard.h"
#include "core/train/trainer.h"
#include "core/wire/msg.h"
#include "worker/resume.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROGRESS_EVERY_MS = 250,
    DISK_TRIES = 3 /* failed checkpoints in a row that end the attempt */
};

struct classifier {
    struct trial_id id;
    struct objective_out out;
    struct dataset *dataset;
    struct trainer *trainer;
    struct tensorboard log;
    enum run_metric metric;
    enum trainer_phase said_phase;
    int64_t said_ms; /* last PROGRESS */
    int n_disk_failures;
    bool peak_is_own; /* of this attempt, not of the worker's life */
};

static void say(struct classifier *c, const struct msg *m)
{
    c->out.say(c->out.ctx, m);
}

static void say_failed(struct classifier *c, int cause, const char *message)
{
    struct msg m = {
        .type = MSG_FAILED,
        .failed = {.id = c->id, .cause = cause, .message = (char *)message}};
    fprintf(stderr, "trial %d failed: %s\n", (int)c->id.number, message);
    say(c, &m);
}

static void say_progress(struct classifier *c, const struct trainer_progress *p,
                         int64_t mono_ms)
{
    if (p->phase == c->said_phase && mono_ms - c->said_ms < PROGRESS_EVERY_MS) {
        return;
    }
    c->said_phase = p->phase;
    c->said_ms = mono_ms;
    struct msg m = {.type = MSG_PROGRESS,
                    .progress = {.id = c->id,
                                 .phase = (char *)trainer_phase_name(p->phase),
                                 .epoch = p->epoch,
                                 .step = p->at,
                                 .n_steps = p->n,
                                 .loss = p->loss}};
    say(c, &m);
}

static void say_checkpoint(struct classifier *c,
                           const struct trainer_checkpoint *file)
{
    struct msg m = {.type = MSG_CHECKPOINT,
                    .checkpoint = {.id = c->id,
                                   .best = file->best,
                                   .epoch = file->epoch,
                                   .step = file->step,
                                   .file = (char *)file->file,
                                   .sha256 = (char *)file->sha256,
                                   .size = (int64_t)file->size}};
    say(c, &m);
}

static void print_epoch(const struct trainer_event *e)
{
    printf("epoch %d:", (int)e->progress.epoch + 1);
    for (int i = 0; i < RUN_N_METRICS; i++) {
        printf(" %s %.4f", RUN_METRIC_NAMES[i], e->metrics.value[i]);
    }
    printf("\n");
    fflush(stdout);
}

static struct trial_memory memory_of(const struct classifier *c)
{
    return (struct trial_memory){.peak = peak_bytes(),
                                 .planned = (int64_t)trainer_bytes(c->trainer),
                                 .of_worker = !c->peak_is_own};
}

static void say_epoch(struct classifier *c, const struct trainer_event *e)
{
    struct msg m = {.type = MSG_REPORT,
                    .report = {.id = c->id,
                               .epoch = e->progress.epoch,
                               .metrics = e->metrics,
                               .memory = memory_of(c)}};
    print_epoch(e);
    tensorboard_epoch(&c->log, e);
    say(c, &m);
}

static void say_done(struct classifier *c, const struct trainer_result *r)
{
    printf("done after %d epochs: %s\n", (int)r->n_epochs, r->why);
    fflush(stdout);
    tensorboard_end(&c->log, c->metric, r->value);
    if (isnan(r->value)) {
        say_failed(c, TRIAL_CAUSE_NAN, r->why);
        return;
    }
    const struct trial_memory memory = memory_of(c);
    printf("memory: %.1f MB at most%s, %.1f MB planned\n",
           (double)memory.peak / 1e6,
           c->peak_is_own ? "" : " since the worker's start",
           (double)memory.planned / 1e6);
    fflush(stdout);
    struct msg m = {.type = MSG_DONE,
                    .done = {.id = c->id,
                             .value = r->value,
                             .best_epoch = r->best_epoch,
                             .n_epochs = r->n_epochs,
                             .memory = memory}};
    say(c, &m);
}

/* --- beginning --- */

static int open_dataset(struct classifier *c, const struct msg_assign *a,
                        struct err *err)
{
    char *dir = paths_in_state(a->cache_dir, "datasets");
    int rc = dataset_open(dir, a->data_sha256, &c->dataset, err);
    free(dir);
    return rc == 0 ? 0 : err_wrap(err, "the prepared data set");
}

static int begin(struct classifier *c, const struct msg_assign *a,
                 struct err *err)
{
    char *shared_dir = paths_in_state(a->cache_dir, "shared");
    struct trainer_options options = {.run = a->run,
                                      .metric = (enum run_metric)a->metric,
                                      .maximize = a->maximize != 0,
                                      .of_last = a->of_last != 0,
                                      .dataset = c->dataset,
                                      .dataset_sha256 = a->data_sha256,
                                      .dir = a->dir,
                                      .shared_dir = shared_dir};
    int rc = file_mkdirs(a->dir, 0700, err); /* a full disk told as such */
    if (rc == 0) {
        rc = resume_training(a, &c->out, &options, &c->trainer, err);
    }
    free(shared_dir);
    return rc;
}

static void print_begin(const struct classifier *c, const struct msg_assign *a)
{
    printf("trial %d, attempt %d, kernels %s, %s, %s\n", (int)a->id.number,
           (int)a->id.attempt, model_kernels(run_model_precision(&a->run)),
           model_blas(),
           trainer_progress(c->trainer).step > 0 ? "resumed"
                                                 : "from the start");
    if (trainer_warning(c->trainer) != NULL) {
        printf("not bit-exact: %s\n", trainer_warning(c->trainer));
    }
    fflush(stdout);
}

int classifier_new(const struct msg_assign *assign,
                   const struct objective_out *out, struct classifier **result,
                   struct err *err)
{
    if (assign->metric < 0 || assign->metric >= RUN_N_METRICS) {
        return err_set(err, ERR_INVALID, "metric %d is unknown",
                       (int)assign->metric);
    }
    struct classifier *c = mem_alloc(1, sizeof(*c));
    *c = (struct classifier){.id = assign->id,
                             .out = *out,
                             .metric = (enum run_metric)assign->metric,
                             .said_phase = TRAINER_FINISHED,
                             .peak_is_own = peak_reset()};
    int rc = open_dataset(c, assign, err);
    if (rc == 0) {
        rc = begin(c, assign, err);
    }
    if (rc != 0) {
        classifier_free(c);
        return rc;
    }
    print_begin(c, assign);
    tensorboard_begin(&c->log, assign->tb_dir, &assign->run, false);
    *result = c;
    return 0;
}

void classifier_free(struct classifier *c)
{
    if (c != NULL) {
        trainer_free(c->trainer);
        tensorboard_fini(&c->log);
        dataset_free(c->dataset);
        free(c);
    }
}

/* --- turns --- */

/* A checkpoint that cannot be written is tried again; the training is whole. */
static enum objective_turn failed_step(struct classifier *c, int rc,
                                       const struct err *err)
{
    bool is_disk = rc == ERR_FULL || rc == ERR_IO;
    if (is_disk && ++c->n_disk_failures < DISK_TRIES) {
        fprintf(stderr, "checkpoint not written, trying again: %s\n", err->msg);
        return OBJECTIVE_WAIT;
    }
    say_failed(c, objective_cause(rc), err->msg);
    return OBJECTIVE_ENDED;
}

enum objective_turn classifier_step(struct classifier *c, int64_t mono_ms)
{
    struct trainer_event e;
    struct err err;
    int rc = trainer_step(c->trainer, mono_ms, &e, &err);
    if (rc != 0) {
        return failed_step(c, rc, &err);
    }
    say_progress(c, &e.progress, mono_ms);
    switch (e.what) {
    case TRAINER_CHECKPOINT:
        c->n_disk_failures = 0;
        say_checkpoint(c, &e.checkpoint);
        break;
    case TRAINER_EPOCH:
        say_epoch(c, &e);
        break;
    case TRAINER_DONE:
        say_done(c, &e.result);
        return OBJECTIVE_ENDED;
    case TRAINER_WORKED:
        break;
    }
    return OBJECTIVE_BUSY;
}

void classifier_stop(struct classifier *c, bool keep)
{
    struct trainer_event e;
    struct err err;
    if (keep) {
        int rc = trainer_checkpoint_now(c->trainer, &e, &err);
        if (rc != 0) {
            fprintf(stderr, "stopped without a checkpoint: %s\n", err.msg);
        } else if (e.what == TRAINER_CHECKPOINT) {
            say_checkpoint(c, &e.checkpoint);
        }
    }
    struct msg m = {.type = MSG_STOPPED, .stopped = {.id = c->id}};
    say(c, &m);
}
