/* history: one study's trials as columns: what samplers and pruners see.
 *
 * A parameter is a name; each trial that has it has a value (internal
 * representation, space.h) under one of the distributions seen so far. Rows are
 * trial numbers. Pure memory; the study keeps it up to date. */
#ifndef DAEMON_HISTORY_H
#define DAEMON_HISTORY_H
#include "core/spec/space.h"
#include "core/spec/trial.h"

struct history;

struct history *history_new(void);
void history_free(struct history *h);
/* Parameters, states and values, to be read only; reports, rungs, and of the
 * columns order and logarithms are left out. */
struct history *history_copy(const struct history *h);
/* Give a trial of `h` the parameters of the same trial of another history. */
void history_copy_params(struct history *h, const struct history *from,
                         int64_t number);
/* A history in which only the trials are known that `sees` lets pass: the
 * others are WAITING and have no value. Numbers, parameters and reports stay.
 */
struct history *history_filter(const struct history *h,
                               bool (*sees)(const void *ctx, int64_t number),
                               const void *ctx);

/* Append trial number history_n_trials(h), WAITING, hidden, no parameters. */
void history_add(struct history *h);
/* Copies name and dist on first sight. A NaN takes the parameter away. */
void history_set_param(struct history *h, int64_t number, const char *name,
                       const struct dist *dist, double value);
/* The categorical parameters of all trials have the choices of this space from
 * now on: some were appended to those they were seen under (or, in a replay,
 * are not there yet). */
void history_set_space(struct history *h, const struct space *space);
/* value: the objective, NaN when there is none (may be +-inf). */
void history_set_state(struct history *h, int64_t number,
                       enum trial_state state, double value);
/* A hidden trial is WAITING, and to samplers has no parameters. Each is so
 * until it is given another state; which stays so, study_hides says. */
void history_set_hidden(struct history *h, int64_t number, bool is_hidden);
/* A reported intermediate value, step >= 0; a step that was reported already
 * keeps its first value, as in Optuna. */
void history_report(struct history *h, int64_t number, int64_t step,
                    double value);
/* Take back all that the trial reported. */
void history_forget_reports(struct history *h, int64_t number);
/* The trial passed rung `rung` (0 ..) of successive halving with this value:
 * Optuna's attribute completed_rung_<rung>. Ignored where it leaves a gap. */
void history_set_rung(struct history *h, int64_t number, int64_t rung,
                      double value);

/* After many parameters were set: put the numerical ones in order at once,
 * which else the next history_order of each parameter does. */
void history_settle(struct history *h);

/* What a trial may cost, where the pruner finds that out by itself: the last
 * step of the trial that was COMPLETE first, kept from then on, as Optuna's
 * pruners keep it. The first trial with reports that is told holds. */
void history_keep_resource(struct history *h, int64_t number);
void history_forget_resource(struct history *h);
int64_t history_resource(const struct history *h); /* -1: not known yet */

/* What the trial told of its constraints; replaces what it told before. */
void history_set_constraints(struct history *h, int64_t number,
                             const double *values, size_t n);

int64_t history_n_trials(const struct history *h);
int64_t history_count(const struct history *h, enum trial_state state);
enum trial_state history_state(const struct history *h, int64_t number);
bool history_is_hidden(const struct history *h, int64_t number);
double history_value(const struct history *h, int64_t number);
/* -1 when nothing was reported; else the step, and its value. */
int64_t history_last_step(const struct history *h, int64_t number,
                          double *value);
/* All that was reported, ascending by step. */
size_t history_n_reports(const struct history *h, int64_t number);
int64_t history_report_at(const struct history *h, int64_t number, size_t i,
                          double *value); /* returns the step */
/* Forget what was reported from this step on; all rungs, too, when nothing is
 * left: another begins. */
void history_rewind(struct history *h, int64_t number, int64_t step);
/* What was reported at exactly this step; false: nothing. */
bool history_value_at(const struct history *h, int64_t number, int64_t step,
                      double *value);
/* Its rungs without a gap; *n of them. NULL when there are none. */
const double *history_rungs(const struct history *h, int64_t number, size_t *n);

/* *n constraints; NULL when there are none. */
const double *history_constraints(const struct history *h, int64_t number,
                                  size_t *n);
/* The sum of those above 0; 0: the trial is feasible. */
double history_violation(const struct history *h, int64_t number);

int history_n_params(const struct history *h);
const char *history_param_name(const struct history *h, int param);
int history_find_param(const struct history *h, const char *name); /* or -1 */
/* NaN when the trial does not have the parameter. */
double history_param(const struct history *h, int64_t number, int param);
/* Its distribution there; NULL when it does not have the parameter. Equal
 * distributions of one parameter are the same pointer. */
const struct dist *history_param_dist(const struct history *h, int64_t number,
                                      int param);

/* --- for readers that walk all trials; valid until the next change -------- */

/* One parameter over all trials. */
struct history_column {
    const double *value;     /* by trial number; NaN: absent */
    const double *log_value; /* their logarithms; NULL: not a log parameter */
};
struct history_column history_column(const struct history *h, int param);

/* The same by centre: the logarithm of a log parameter, -inf where a value has
 * none, else the value. A call brings it up to date; a few trials that are new
 * since the last one cost a move each. */
struct history_order {
    const uint32_t *number; /* those that have it, by (centre, number) */
    const double *gap;      /* by trial number: to the farther of its two
                               neighbours in order, the only one of an end's;
                               -inf of one that has none; undefined beside a
                               centre that is not finite */
    size_t n;
};
struct history_order history_order(const struct history *h, int param);
/* By trial number: one byte each, an enum trial_state; history_value. */
const uint8_t *history_states(const struct history *h);
const double *history_values(const struct history *h);
/* How many distributions the parameter was seen under; the i-th of them, in
 * order of first sight; and how many COMPLETE and PRUNED trials have it. */
int history_n_dists(const struct history *h, int param);
const struct dist *history_dist(const struct history *h, int param, int i);
int64_t history_dist_count(const struct history *h, int param, int i);

#endif
