#include "core/base/build.h"
#include "core/base/mem.h"
#include "core/train/run_model.h"
#include "core/train/trainer_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Borrows everything: such a struct is for checkpoint_write, never for
 * checkpoint_fini. */
static struct checkpoint describe(const struct trainer *t,
                                  enum checkpoint_kind kind)
{
    struct checkpoint c = {
        .kind = kind,
        .run = t->run,
        .metric = t->metric,
        .maximize = t->maximize,
        .classes = t->data.classes,
        .n_classes = dataset_n_classes(t->data.dataset),
        .tokenizer = t->tokenizer,
        .state = t->state,
        .metrics = t->metrics,
        .kernels = (char *)model_kernels_bits(run_model_precision(&t->run)),
        .blas = (char *)model_blas(),
        .build = (char *)BUILD_ID,
    };
    memcpy(c.dataset_sha256, t->data.sha256, sizeof(c.dataset_sha256));
    return c;
}

static int write_file(struct trainer *t, const struct checkpoint *c,
                      struct trainer_event *out, struct err *err)
{
    struct trainer_checkpoint told = {
        .best = c->kind == CHECKPOINT_BEST,
        .epoch = c->state.epoch,
        .step = c->state.step,
    };
    checkpoint_name(c->kind, c->state.epoch, c->state.batch, told.file);
    char *path = mem_printf("%s/%s", t->dir, told.file);
    int rc = checkpoint_write(c, t->model, path, told.sha256, &told.size, err);
    free(path);
    if (rc == ERR_NOTFOUND) { /* the folder: whatever took it may be undone */
        rc = err_set(err, ERR_IO, "%s: the folder is gone", t->dir);
    }
    if (rc == 0) {
        out->what = TRAINER_CHECKPOINT;
        out->checkpoint = told;
    }
    return rc;
}

bool trainer_is_unsaved(const struct trainer *t)
{
    return t->dir != NULL && t->model != NULL && t->state.step > 0 &&
           (t->state.epoch != t->clock.epoch ||
            t->state.batch != t->clock.batch);
}

int trainer_save_last(struct trainer *t, struct trainer_event *out,
                      struct err *err)
{
    struct checkpoint c = describe(t, CHECKPOINT_LAST);
    c.state.stopping_best = t->stopping.best;
    c.state.stopping_waited = t->stopping.n_waited;
    for (int i = 0; i < RUN_N_METRICS; i++) {
        c.metrics.value[i] = NAN;
    }
    int rc = write_file(t, &c, out, err);
    t->clock.due_ms = -1;
    if (rc == 0) {
        t->clock.epoch = t->state.epoch;
        t->clock.batch = t->state.batch;
    }
    return rc;
}

/* A best file is a function of its epoch alone, whatever came before. */
int trainer_save_best(struct trainer *t, struct trainer_event *out,
                      struct err *err)
{
    double value = t->metrics.value[t->metric];
    struct checkpoint c = describe(t, CHECKPOINT_BEST);
    c.state = (struct checkpoint_state){
        .epoch = t->state.epoch,
        .step = t->state.step,
        .best_epoch = t->state.epoch,
        .best_value = value,
        .last_value = value,
        .stopping_best = NAN,
        .end = -1,
        .nan_step = -1,
    };
    return write_file(t, &c, out, err);
}
