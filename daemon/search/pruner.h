/* pruner: is a running trial hopeless? Rules: optuna.md section 4.
 *
 * Pure: a verdict follows from the spec (spec->pruner, spec->pruning), the
 * history and the report alone. What Optuna's pruners remember in their
 * process (the resources that ASHA and Hyperband find for themselves) the
 * history remembers (history_resource); one that does not yet is looked
 * through, as by a pruner of Optuna's that has just been made. */
#ifndef DAEMON_SEARCH_PRUNER_H
#define DAEMON_SEARCH_PRUNER_H
#include "core/spec/spec.h"
struct history;

struct pruner_report {
    int64_t step;
    double value;
};

struct pruner_verdict {
    bool prunes;
    /* Rungs of successive halving that the trial passed with this report, all
     * with the same value: to be kept in the history (history_set_rung). */
    int64_t first_rung, n_rungs;
    double rung_value;
};

/* Judge trial `number`, which has just made the report `latest`, not yet in the
 * history; NULL: all it reported is there. Nothing reported: it goes on. */
void pruner_judge(const struct spec *spec, const struct history *history,
                  int64_t number, const struct pruner_report *latest,
                  struct pruner_verdict *out);

/* The Hyperband bracket of a trial, 0 .. n - 1; -1 when the study has none (or
 * not yet: max_resource unknown). Samplers see the trials of one bracket. */
int pruner_bracket(const struct spec *spec, const struct history *history,
                   int64_t number);
/* How many brackets, and the budgets that share the trials out among them. */
enum { PRUNER_MAX_BRACKETS = 64 };
int pruner_budgets(const struct spec *spec, const struct history *history,
                   int64_t budgets[PRUNER_MAX_BRACKETS]);

#endif
