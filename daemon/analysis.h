/* analysis: what takes long to compute, in a thread beside the loop: the
 * importances of studies whose trials have finished.
 *
 * One computation at a time, on a copy of a study's history. Rests ten times as
 * long as the last computation took, so that it never takes more than a tenth
 * of a core. */
#ifndef DAEMON_ANALYSIS_H
#define DAEMON_ANALYSIS_H
#include "daemon/search/importance.h"
struct analysis;
struct mirror;
struct uv_loop_s;

struct analysis_hooks { /* called from the loop, never from inside a call */
    void *ctx;
    /* The mirror of this moment; NULL: nothing is to be begun now. */
    const struct mirror *(*mirror)(void *ctx);
    /* borrows the list */
    void (*on_importances)(void *ctx, int64_t study,
                           enum importance_evaluator evaluator,
                           const struct importances *list);
};

/* Borrows loop, copies hooks. Release by analysis_close. */
struct analysis *analysis_new(struct uv_loop_s *loop,
                              const struct analysis_hooks *hooks);
/* The study's importances are wanted: they are computed when those that are
 * there are of fewer trials. */
void analysis_want(struct analysis *a, int64_t study);
/* Give up what is being computed; on_closed fires once, then *a is gone. */
void analysis_close(struct analysis *a, void (*on_closed)(void *ctx),
                    void *ctx);

#endif
