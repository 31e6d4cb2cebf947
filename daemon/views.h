/* views: the mirror as JSON: what page and command line both see.
 *
 * Shapes (stable; adding keys is allowed):
 * study: {"name","id","seq","state","reason","metric","direction",
 *   "unit":"epoch"|"step" (what trials report after: epochs from
 *   0 on, which people count from 1, or steps with numbers of their own),
 *   "n_trials","counts":{"WAITING":n,...},"finished":n,"best":{trial}|null,
 *   "created":ms,"active_ms":n,"eta_ms":n|null,"workers":n,
 *   "data":{"sha256","classes","train","val","test"}|null,
 *   "preparing":{"phase","done","total":n|null,"unit","elapsed_ms"}|null}
 *   and in the detailed view "config":{...}, "params":["lr",...],
 *   "running":[trial...], "trouble": "..."|null
 * trial: {"number","seq","state","cause","message","attempt","value",
 *   "best_epoch","peak_bytes","planned_bytes","peak_of_worker" (memory of
 *   the last attempt; true: the peak is its worker's since its start),
 *   "start","end","duration_ms" (of its attempts in all, the running one
 *   included; null: not begun),"params":{name:value},
 *   "n_epochs":n,"epochs":[{"epoch","train-loss",...}] or, of an objective
 *   that is no training, [{"step","value"}]: the last of all n_epochs, in most
 *   views all of them; "checkpoint":PATH|null,
 *   "progress":{"phase","epoch","step","n_steps","loss","elapsed_ms"}|null,
 *   "nondeterministic":bool}
 * importances: {"evaluator","n_trials","pending":bool,
 *   "importances":[{"param","importance"}...]}, descending
 * Times are UTC milliseconds; a missing number is null, a non-finite one the
 * string "nan", "inf" or "-inf". */
#ifndef DAEMON_VIEWS_H
#define DAEMON_VIEWS_H
#include <stdbool.h>
#include "daemon/search/importance.h"
#include <stdint.h>
struct json_out;
struct mirror;
struct study;
struct study_trial;

struct views_time { /* all 0: no clock, as of each study's last sign of life */
    int64_t now_ms, mono_ms;
};

/* state_dir: for the checkpoints' paths. */
void views_studies(const struct mirror *m, const char *state_dir,
                   const struct views_time *t, struct json_out *w);
/* trouble: NULL, or why nothing is dispatched. */
void views_study(const struct mirror *m, const struct study *s,
                 const char *state_dir, const char *trouble,
                 const struct views_time *t, struct json_out *w);
/* with_epochs: "epochs" is there. */
void views_trial(const struct study *s, const struct study_trial *trial,
                 const char *state_dir, bool with_epochs,
                 const struct views_time *t, struct json_out *w);
/* "epochs" is there from number `from` on (0: all), and has the last one in any
 * case. Who was told the first `from` of them before keeps these, and puts the
 * new ones behind the first n_epochs - LENGTH that it has. */
void views_trial_from(const struct study *s, const struct study_trial *trial,
                      const char *state_dir, int64_t from,
                      const struct views_time *t, struct json_out *w);
int64_t views_n_epochs(const struct study *s, const struct study_trial *trial);
/* Of the last one of its first n; -1: n is 0, or it has not so many. */
int64_t views_step_of(const struct study *s, const struct study_trial *trial,
                      int64_t n);
/* The first so many of its steps with their values, as one number. */
uint64_t views_steps_mark(const struct study *s,
                          const struct study_trial *trial, int64_t first);
/* What the view of a trial says, as one number; never 0. It is another when the
 * view is (but for times that go on): for trials of Optuna's studies, whose
 * changes no seq tells. Cheap, and not to be kept over a restart. */
uint64_t views_mark(const struct study *s, const struct study_trial *trial);
void views_importances(const struct study *s, enum importance_evaluator e,
                       bool is_pending, struct json_out *w);
struct views_filter {
    int64_t after; /* only trials with seq > after; -1: all */
    int64_t from;  /* only trials with number >= from; -1: all */
    int state;     /* enum trial_state, -1: all */
    /* <= 0: no limit; else of these the last, by number, or, with after >= 0,
     * those that changed first, by seq, or, with from >= 0 alone, the first, by
     * number */
    int64_t limit;
};
/* {"seq":n,"trials":[...]}, by number: seq is what to pass as `after` next
 * time. Who begins with 0 and goes on until nothing comes has seen every trial,
 * whatever the limit, also those that change meanwhile; without `after` the
 * limit leaves out trials that no later seq brings. Who goes on from the number
 * behind the last one has each trial once, as it was when its page was asked
 * for; that costs the least, and brings the trials of Optuna's studies too,
 * which have no seq. */
void views_trials(const struct study *s, const struct views_filter *f,
                  const char *state_dir, const struct views_time *t,
                  struct json_out *w);

#endif
