#include "core/train/tensorboard.h"
#include "core/base/mem.h"
#include "core/train/tfevents.h"
#include "core/train/trainer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double wall_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void wrote(struct tensorboard *t, int rc, const struct err *err)
{
    if (rc != 0) {
        fprintf(stderr, "the TensorBoard log ends here: %s\n", err->msg);
        tensorboard_fini(t);
    }
}

static int remove_old(const char *dir, struct err *err)
{
    char *path = mem_printf("%s/%s", dir, TFEVENTS_NAME);
    int rc = unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR
                 ? 0
                 : err_sys(err, errno, "%s", path);
    free(path);
    return rc;
}

void tensorboard_begin(struct tensorboard *t, const char *dir,
                       const struct run *run, bool anew)
{
    struct err err;
    t->log = NULL;
    if (dir == NULL || dir[0] == '\0') {
        return;
    }
    int rc = anew ? remove_old(dir, &err) : 0;
    if (rc == 0) {
        rc = tfevents_open(dir, &t->log, &err);
    }
    if (rc == 0) {
        rc = tfevents_begin(t->log, run, wall_time(), &err);
    }
    wrote(t, rc, &err);
}

void tensorboard_epoch(struct tensorboard *t, const struct trainer_event *e)
{
    struct err err;
    if (t->log != NULL) {
        wrote(t,
              tfevents_epoch(t->log, e->progress.epoch, &e->metrics,
                             wall_time(), &err),
              &err);
    }
}

void tensorboard_end(struct tensorboard *t, enum run_metric metric,
                     double value)
{
    struct err err;
    if (t->log != NULL) {
        wrote(t, tfevents_end(t->log, metric, value, wall_time(), &err), &err);
    }
}

void tensorboard_fini(struct tensorboard *t)
{
    tfevents_close(t->log);
    t->log = NULL;
}
