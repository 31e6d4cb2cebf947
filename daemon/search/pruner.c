#include "daemon/search/pruner.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/pruner_priv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- what pruners share ----------------------------------------------------
 */

bool pruning_is_due(const struct pruning *p)
{
    int64_t step = p->steps[p->n - 1];
    int64_t before = p->n > 1 ? p->steps[p->n - 2] : -1;
    int64_t warmup = p->options->n_warmup_steps;
    int64_t interval = p->options->interval_steps;
    if (step < warmup) {
        return false;
    }
    return before < (step - warmup) / interval * interval + warmup;
}

int64_t pruning_longest(const struct history *h)
{
    const uint8_t *state = history_states(h);
    int64_t n = history_n_trials(h), longest = history_resource(h);
    bool is_kept = longest >= 0;
    for (int64_t i = 0; !is_kept && i < n; i++) {
        double value;
        int64_t last =
            state[i] == TRIAL_COMPLETE ? history_last_step(h, i, &value) : -1;
        longest = last > longest ? last : longest;
    }
    return longest;
}

double pruning_best(const double *values, size_t n, bool maximize)
{
    double best = NAN;
    for (size_t i = 0; i < n; i++) {
        bool is_better = maximize ? values[i] > best : values[i] < best;
        best = isnan(best) || is_better ? values[i] : best;
    }
    return best;
}

/* --- patience ---------------------------------------------------------------
 */

/* No improvement in the last patience + 1 reports? */
static bool is_stuck(const struct pruning *p)
{
    size_t n_after = (size_t)p->options->patience + 1;
    if (p->n <= n_after) {
        return false;
    }
    double before = pruning_best(p->values, p->n - n_after, p->maximize);
    double after =
        pruning_best(p->values + p->n - n_after, n_after, p->maximize);
    double delta = p->options->min_delta;
    return p->maximize ? before - delta > after : before + delta < after;
}

/* --- all --------------------------------------------------------------------
 */

static void judge(const struct pruning *p, enum spec_pruner type,
                  struct pruner_verdict *out)
{
    switch (type) {
    case SPEC_PRUNER_NONE:
        break;
    case SPEC_PRUNER_MEDIAN:
        out->prunes = pruner_percentile(p, 50.0);
        break;
    case SPEC_PRUNER_PERCENTILE:
        out->prunes = pruner_percentile(p, p->options->percentile);
        break;
    case SPEC_PRUNER_ASHA:
        pruner_asha(p, out);
        break;
    case SPEC_PRUNER_HYPERBAND:
        pruner_hyperband(p, out);
        break;
    case SPEC_PRUNER_THRESHOLD:
        out->prunes = pruner_threshold(p);
        break;
    case SPEC_PRUNER_WILCOXON:
        out->prunes = pruner_wilcoxon(p);
        break;
    case SPEC_PRUNER_PATIENT:
        if (is_stuck(p) && p->options->wrapped == SPEC_PRUNER_NONE) {
            out->prunes = true;
        } else if (is_stuck(p)) {
            judge(p, p->options->wrapped, out);
        }
        break;
    }
}

/* The trial's reports and the latest one, in their order. */
static size_t own_reports(const struct history *h, int64_t number,
                          const struct pruner_report *latest, int64_t *steps,
                          double *values)
{
    size_t n = history_n_reports(h, number), at = 0;
    for (size_t i = 0; i < n; i++) {
        steps[i] = history_report_at(h, number, i, &values[i]);
    }
    if (latest == NULL) {
        return n;
    }
    while (at < n && steps[at] < latest->step) {
        at++;
    }
    if (at < n && steps[at] == latest->step) {
        return n; /* told twice: the first holds */
    }
    memmove(&steps[at + 1], &steps[at], (n - at) * sizeof(*steps));
    memmove(&values[at + 1], &values[at], (n - at) * sizeof(*values));
    steps[at] = latest->step;
    values[at] = latest->value;
    return n + 1;
}

void pruner_judge(const struct spec *spec, const struct history *history,
                  int64_t number, const struct pruner_report *latest,
                  struct pruner_verdict *out)
{
    *out = (struct pruner_verdict){0};
    if (spec->pruner == SPEC_PRUNER_NONE) {
        return;
    }
    size_t room = history_n_reports(history, number) + 1;
    int64_t *steps = mem_alloc(room, sizeof(*steps));
    double *values = mem_alloc(room, sizeof(*values));
    struct pruning p = {
        .spec = spec,
        .options = &spec->pruning,
        .history = history,
        .number = number,
        .maximize = spec->direction == SPEC_MAXIMIZE,
        .steps = steps,
        .values = values,
        .n = own_reports(history, number, latest, steps, values),
    };
    if (p.n > 0) {
        judge(&p, spec->pruner, out);
    }
    free(steps);
    free(values);
}
