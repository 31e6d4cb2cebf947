/* The happy path: trainer_step until TRAINER_DONE; each epoch becomes a row,
 * each checkpoint replaces the one of its kind before it.
 * Possible failures: Ctrl-C (noticed between two steps), a checkpoint that
 * cannot be written (told, and the end of it: nobody is here to make room),
 * and what trainer_step says. */
#include "daemon/cli/training.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "core/spec/spec.h"
#include "core/train/checkpoint.h"
#include "core/train/checkpoint_sum.h"
#include "core/train/peak.h"
#include "core/train/tensorboard.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/clock.h"
#include "daemon/cli/format.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/live.h"
#include "daemon/cli/live_view.h"
#include "daemon/cli/screen.h"
#include "daemon/cli/width.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAINT_MS = 100, LINES_MAX = 1 << 20, FIELD_WIDTH = 10 };

struct show {
    struct cli *c;
    struct live_trial live;
    struct screen screen;
    struct buf above;
    struct tensorboard log;
    bool is_live, has_titles;
    int64_t painted_ms, begin_ms, epoch_ms;
    char best[CHECKPOINT_NAME_MAX], last[CHECKPOINT_NAME_MAX];
};

/* --- showing -------------------------------------------------------------- */

static void flush_above(struct show *s)
{
    if (s->above.len > 0) {
        fwrite(s->above.data, 1, s->above.len, s->c->err.file);
        fflush(s->c->err.file);
    }
    buf_reset(&s->above);
}

static void paint(struct show *s)
{
    int columns, rows;
    struct buf block;
    buf_init(&block, LINES_MAX);
    term_size(&s->c->err, &columns, &rows);
    live_view_running(&block, &s->live, "", &s->c->err, columns,
                      clock_now_ms());
    screen_paint(&s->screen, &s->above, &block);
    buf_reset(&s->above);
    buf_fini(&block);
    s->painted_ms = clock_now_ms();
}

static void put_right(struct buf *out, const char *text, int width)
{
    width_spaces(out, width - width_of(text));
    buf_str(out, text);
}

static void put_titles(struct show *s)
{
    const struct term *t = &s->c->err;
    buf_str(&s->above, term_on(t, TERM_DIM));
    put_right(&s->above, "epoch", 5);
    for (int i = 0; i < RUN_N_METRICS; i++) {
        put_right(&s->above, RUN_METRIC_NAMES[i], FIELD_WIDTH + 2);
    }
    put_right(&s->above, "time", FIELD_WIDTH + 2);
    buf_str(&s->above, term_off(t, TERM_DIM));
    buf_char(&s->above, '\n');
    s->has_titles = true;
}

static void put_epoch(struct show *s, int64_t epoch,
                      const struct training_epoch *e, bool is_best)
{
    const struct term *t = &s->c->err;
    enum term_style style = is_best ? TERM_GOOD : TERM_PLAIN;
    char text[FORMAT_SIZE];
    if (!s->has_titles) {
        put_titles(s);
    }
    snprintf(text, sizeof(text), "%" PRId64, epoch + 1);
    buf_str(&s->above, term_on(t, style));
    put_right(&s->above, text, 5);
    for (int i = 0; i < RUN_N_METRICS; i++) {
        format_number(e->metrics.value[i], text);
        put_right(&s->above, text, FIELD_WIDTH + 2);
    }
    format_duration((int64_t)(1000.0 * e->seconds), text);
    put_right(&s->above, text, FIELD_WIDTH + 2);
    buf_str(&s->above, term_off(t, style));
    buf_str(&s->above, is_best ? (t->has_unicode ? " ★\n" : " *\n") : "\n");
}

/* --- what a step says ----------------------------------------------------- */

static bool is_best_so_far(const struct training *t, const struct spec *spec)
{
    double v = t->epochs[t->n_epochs - 1].metrics.value[spec->metric];
    bool is_best = !isnan(v);
    for (size_t i = 0; is_best && i + 1 < t->n_epochs; i++) {
        double before = t->epochs[i].metrics.value[spec->metric];
        bool is_better =
            spec->direction == SPEC_MAXIMIZE ? v > before : v < before;
        is_best = isnan(before) || is_better;
    }
    return is_best;
}

static void take_epoch(struct show *s, struct training *t,
                       const struct spec *spec, const struct trainer_event *e)
{
    int64_t now = clock_now_ms();
    t->epochs = mem_grow(t->epochs, t->n_epochs + 1, sizeof(*t->epochs));
    t->epochs[t->n_epochs++] = (struct training_epoch){
        .metrics = e->metrics, .seconds = (double)(now - s->epoch_ms) / 1e3};
    s->epoch_ms = now;
    put_epoch(s, e->progress.epoch, &t->epochs[t->n_epochs - 1],
              is_best_so_far(t, spec));
}

static int take_checkpoint(struct show *s, struct training *t, const char *dir,
                           const struct trainer_checkpoint *file,
                           struct err *err)
{
    char *name = file->best ? s->best : s->last;
    snprintf(name, CHECKPOINT_NAME_MAX, "%.63s", file->file);
    if (file->best) {
        free(t->checkpoint);
        t->checkpoint = mem_printf("%s/%s", dir, file->file);
        int rc = checkpoint_sum_write(dir, file->file, file->sha256, err);
        if (rc != 0) {
            return rc;
        }
    }
    const char *const keep[] = {s->best, s->last};
    return checkpoint_remove_others(dir, keep, ARRAY_LEN(keep), err);
}

static int take_event(struct show *s, struct training *t,
                      const struct spec *spec, const char *dir,
                      const struct trainer_event *e, struct err *err)
{
    const struct live_step step = {.phase =
                                       trainer_phase_name(e->progress.phase),
                                   .epoch = e->progress.epoch,
                                   .step = e->progress.at,
                                   .n_steps = e->progress.n,
                                   .loss = e->progress.loss};
    live_trial_take(&s->live, &step, clock_now_ms());
    int rc = 0;
    if (e->what == TRAINER_EPOCH) {
        take_epoch(s, t, spec, e);
        tensorboard_epoch(&s->log, e);
    } else if (e->what == TRAINER_CHECKPOINT) {
        rc = take_checkpoint(s, t, dir, &e->checkpoint, err);
    } else if (e->what == TRAINER_DONE) {
        t->result = e->result;
        tensorboard_end(&s->log, spec->metric, e->result.value);
    }
    if (!s->is_live) {
        flush_above(s);
    } else if (s->above.len > 0 || clock_now_ms() - s->painted_ms >= PAINT_MS) {
        paint(s);
    }
    return rc;
}

/* --- the loop ------------------------------------------------------------- */

static int work(struct show *s, struct trainer *trainer, struct training *t,
                const struct spec *spec, const char *dir, struct err *err)
{
    struct trainer_event e = {.what = TRAINER_WORKED};
    interrupt_watch();
    tensorboard_begin(&s->log, dir, &spec->base, true);
    while (e.what != TRAINER_DONE) {
        if (interrupt_came()) {
            return err_set(err, ERR_CANCELED,
                           "interrupted after %zu whole epochs", t->n_epochs);
        }
        int rc = trainer_step(trainer, clock_now_ms(), &e, err);
        if (rc == 0) {
            rc = take_event(s, t, spec, dir, &e, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* A finished training has nothing to be continued from. */
static int remove_last(const struct show *s, const char *dir, struct err *err)
{
    const char *const keep[] = {s->best};
    return dir != NULL && s->best[0] != '\0'
               ? checkpoint_remove_others(dir, keep, 1, err)
               : 0;
}

int training_run(struct cli *c, const struct spec *spec,
                 const struct dataset *d, const char *sha256,
                 const char *out_dir, struct training *out, struct err *err)
{
    struct trainer *trainer;
    char *shared_dir = c->state_dir != NULL && sha256[0] != '\0'
                           ? paths_in_state(c->state_dir, "cache/shared")
                           : NULL;
    struct trainer_options options = {.metric = spec->metric,
                                      .maximize =
                                          spec->direction == SPEC_MAXIMIZE,
                                      .of_last = spec->of == SPEC_OF_LAST,
                                      .dataset = d,
                                      .dataset_sha256 = sha256,
                                      .dir = out_dir,
                                      .shared_dir = shared_dir,
                                      .run = spec->base};
    *out = (struct training){.result = {.value = NAN, .best_epoch = -1}};
    int rc = out_dir != NULL ? file_mkdirs(out_dir, 0777, err) : 0;
    if (rc == 0) {
        rc = trainer_new(&options, &trainer, err);
    }
    free(shared_dir);
    if (rc != 0) {
        return rc;
    }
    struct show s = {.c = c,
                     .is_live = c->err.is_tty,
                     .begin_ms = clock_now_ms(),
                     .epoch_ms = clock_now_ms()};
    live_trial_init(&s.live, -1, spec->base.max_epochs);
    buf_init(&s.above, LINES_MAX);
    if (s.is_live) {
        screen_init(&s.screen, &c->err);
    }
    rc = work(&s, trainer, out, spec, out_dir, err);
    if (s.is_live) {
        paint(&s);
        screen_fini(&s.screen);
    }
    out->seconds = (double)(clock_now_ms() - s.begin_ms) / 1e3;
    if (rc == 0) {
        rc = remove_last(&s, out_dir, err);
    }
    out->peak_bytes = peak_bytes();
    out->planned_bytes = (int64_t)trainer_bytes(trainer);
    tensorboard_fini(&s.log);
    buf_fini(&s.above);
    trainer_free(trainer);
    return rc;
}

void training_fini(struct training *t)
{
    free(t->epochs);
    free(t->checkpoint);
}
