/* Resuming: the file's hash, then its words, then its shapes are checked; only
 * then is anything of it used. A checkpoint of another run or data set is
 * refused; one made by other kernels, another BLAS or another build is
 * continued, with a warning that the bits will differ.
 *
 * The best file may be newer than the one to continue from (the process died
 * between the two). It then stands as the best of its epoch: training that
 * epoch again gives the same value, which is not strictly better. When it is
 * lost, training its epoch again makes it again: nothing is the best until
 * then, and the epoch that was is better than all that come before it. */
#include "core/base/build.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/train/run_json.h"
#include "core/train/run_model.h"
#include "core/train/trainer_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_or_null(const char *s)
{
    return s != NULL && s[0] != '\0' ? s : NULL;
}

static int check_run(const struct trainer *t, const struct checkpoint *c,
                     struct err *err)
{
    struct buf difference;
    int rc = 0;
    buf_init(&difference, 1024);
    if (run_difference(&c->run, &t->run, &difference) != 0) {
        rc = err_set(err, ERR_INVALID, "it belongs to another run: %s",
                     difference.data);
    } else if (c->metric != t->metric || c->maximize != t->maximize) {
        rc = err_set(err, ERR_INVALID, "it belongs to another objective: %s %s",
                     c->maximize ? "maximize" : "minimize",
                     RUN_METRIC_NAMES[c->metric]);
    }
    buf_fini(&difference);
    return rc;
}

static int check_data(const struct trainer *t, const struct checkpoint *c,
                      struct err *err)
{
    bool same = strcmp(c->dataset_sha256, t->data.sha256) == 0 &&
                c->n_classes == dataset_n_classes(t->data.dataset);
    for (size_t i = 0; same && i < c->n_classes; i++) {
        same = strcmp(c->classes[i], t->data.classes[i]) == 0;
    }
    return same ? 0
                : err_set(err, ERR_INVALID,
                          "it belongs to another data set: %.64s, the data "
                          "now: %s",
                          c->dataset_sha256, t->data.sha256);
}

static int check_state(const struct trainer *t,
                       const struct checkpoint_state *s, struct err *err)
{
    bool nan = s->nan_step >= 0;
    bool sound = s->batch <= t->data.n_batches && s->end <= TRAINER_END_NAN &&
                 (nan || s->step == s->epoch * t->data.n_batches + s->batch) &&
                 (s->end >= 0 || s->epoch < t->run.max_epochs);
    return sound ? 0
                 : err_set(err, ERR_CORRUPT,
                           "its state does not fit the data: after %" PRId64
                           " epochs, batch %" PRId64 ", step %" PRId64,
                           s->epoch, s->batch, s->step);
}

static void note_difference(struct buf *out, const char *what, const char *was,
                            const char *is)
{
    if (strcmp(was, is) != 0) {
        buf_printf(out, "%s%s: %.80s in the checkpoint, %.80s now",
                   out->len > 0 ? "; " : "", what, was, is);
    }
}

static void note_environment(struct trainer *t, const struct checkpoint *c)
{
    struct buf note;
    buf_init(&note, 1024);
    note_difference(&note, "kernels", c->kernels,
                    model_kernels_bits(run_model_precision(&t->run)));
    note_difference(&note, "BLAS", c->blas, model_blas());
    note_difference(&note, "build", c->build, BUILD_ID);
    if (c->run.threads != t->run.threads) {
        buf_printf(&note,
                   "%sthreads: %" PRId64 " in the checkpoint, %" PRId64 " now",
                   note.len > 0 ? "; " : "", c->run.threads, t->run.threads);
    }
    if (note.len > 0) {
        t->warning = buf_take(&note);
    }
    buf_fini(&note);
}

static void take_last(struct trainer *t, struct checkpoint *c)
{
    t->state = c->state;
    t->stopping.best = c->state.stopping_best;
    t->stopping.n_waited = c->state.stopping_waited;
    t->tokenizer = c->tokenizer;
    c->tokenizer = NULL;
    t->clock.epoch = c->state.epoch;
    t->clock.batch = c->state.batch;
    t->stage = c->state.end >= 0 ? STAGE_DONE : STAGE_PREPARE;
}

static int resume_last(struct trainer *t, const char *file, const char *sha256,
                       struct err *err)
{
    struct checkpoint c;
    struct model *model;
    char *path = mem_printf("%s/%s", t->dir, file);
    int rc = checkpoint_open(path, sha256, true, (int)trainer_max_batch(t), &c,
                             &model, err);
    if (rc != 0) {
        free(path);
        return rc;
    }
    rc = check_run(t, &c, err);
    rc = rc == 0 ? check_data(t, &c, err) : rc;
    rc = rc == 0 ? check_state(t, &c.state, err) : rc;
    if (rc == 0) {
        note_environment(t, &c);
        take_last(t, &c);
        t->model = model;
    } else {
        err_wrap(err, "%s", path);
        model_free(model);
    }
    checkpoint_fini(&c);
    free(path);
    return rc;
}

static int open_best(const struct trainer *t, const char *path,
                     const char *sha256, struct checkpoint *out,
                     struct err *err)
{
    int rc = checkpoint_open(path, sha256, false, 0, out, NULL, err);
    if (rc != 0) {
        return rc;
    }
    rc = check_run(t, out, err);
    rc = rc == 0 ? check_data(t, out, err) : rc;
    if (rc == 0 && (out->kind != CHECKPOINT_BEST ||
                    out->state.best_epoch < t->state.best_epoch)) {
        rc = err_set(err, ERR_CORRUPT, "it is not of the best epoch");
    }
    if (rc != 0) {
        checkpoint_fini(out);
        return err_wrap(err, "%s", path);
    }
    return 0;
}

/* The best file must be there and right if the state counts on it. Before any
 * epoch was the best, a newer file may be wrong: it will be written again. */
static int resume_best(struct trainer *t, const char *file, const char *sha256,
                       struct err *err)
{
    char name[CHECKPOINT_NAME_MAX];
    struct err why = {0};
    struct checkpoint c;
    bool counted_on = t->state.best_epoch >= 0;
    if (file == NULL && !counted_on) {
        return 0;
    }
    if (file == NULL) {
        checkpoint_name(CHECKPOINT_BEST, t->state.best_epoch, 0, name);
        file = name;
        sha256 = NULL;
    }
    char *path = mem_printf("%s/%s", t->dir, file);
    int rc = open_best(t, path, sha256, &c, &why);
    if (rc == 0) {
        t->state.best_epoch = c.state.best_epoch;
        t->state.best_value = c.state.best_value;
        checkpoint_fini(&c);
    }
    free(path);
    return rc != 0 && counted_on ? err_set(err, rc, "%s", why.msg) : 0;
}

static int forgo_best(struct trainer *t, int64_t lost_epoch, struct err *err)
{
    if (t->state.epoch > lost_epoch || t->state.end >= 0) {
        return err_set(err, ERR_CORRUPT,
                       "it counts on the best model, of epoch %" PRId64
                       ", which is lost",
                       lost_epoch);
    }
    t->state.best_epoch = -1;
    t->state.best_value = NAN;
    return 0;
}

int trainer_resume(struct trainer *t, const struct trainer_options *options,
                   struct err *err)
{
    const char *file = text_or_null(options->resume_file);
    if (t->dir == NULL || file == NULL) {
        return 0;
    }
    int rc = resume_last(t, file, text_or_null(options->resume_sha256), err);
    if (rc != 0) {
        return rc;
    }
    return options->best_is_lost
               ? forgo_best(t, options->lost_epoch, err)
               : resume_best(t, text_or_null(options->best_file),
                             text_or_null(options->best_sha256), err);
}
