/* What a trial reports: epochs of a training, steps of a program.
 *
 * The happy path: a report that is new goes to the mirror and the store, and
 * the pruner judges. Told again after a death, it is known. Possible failures:
 * one that cannot be (the worker is killed); one that was otherwise before. */
#include "core/base/mem.h"
#include "daemon/sched_priv.h"
#include "daemon/search/pruner.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int64_t turn_max_epochs(const struct study *s, const struct study_trial *trial)
{
    struct run run;
    double *values = mem_alloc(s->spec.space.n, sizeof(*values));
    study_values(s, trial->number, values);
    spec_run(&s->spec, values, trial->number, &run);
    free(values);
    return study_counts_epochs(s) ? run.max_epochs : SCHED_MAX_STEP;
}

/* NULL when the report may be; else why it cannot. Owned by the caller. */
static char *report_fault(const struct study *s,
                          const struct study_trial *trial, int64_t epoch)
{
    int64_t next = trial->progress->next_epoch;
    int64_t max = turn_max_epochs(s, trial);
    bool is_exact = study_counts_epochs(s);
    const char *unit = is_exact ? "epoch" : "step";
    int64_t first = is_exact; /* as people count */
    if (epoch < 0 || epoch >= max) {
        return mem_printf("reported %s %" PRId64 " of %" PRId64, unit,
                          epoch + first, max);
    }
    if (next >= 0 && (is_exact ? epoch != next : epoch < next)) {
        return mem_printf("reported %s %" PRId64 " where %" PRId64 " is next",
                          unit, epoch + first, next + first);
    }
    if (is_exact && epoch > (int64_t)trial->n_reports) {
        return mem_printf("began with epoch %" PRId64 " where %zu are known",
                          epoch + first, trial->n_reports);
    }
    return NULL;
}

/* NULL: not reported before. */
static const struct study_report *known_report(const struct study_trial *trial,
                                               int64_t epoch)
{
    for (size_t i = trial->n_reports; i > 0; i--) {
        if (trial->reports[i - 1].epoch <= epoch) {
            const struct study_report *r = &trial->reports[i - 1];
            return r->epoch == epoch ? r : NULL;
        }
    }
    return NULL;
}

static bool is_new(const struct study_trial *trial, int64_t epoch)
{
    return trial->n_reports == 0 ||
           epoch > trial->reports[trial->n_reports - 1].epoch;
}

static void add_report(const struct turn *t, const struct event *e,
                       const struct study *s, const struct study_trial *trial)
{
    turn_add_trial(t, ACTION_REPORT, s, trial)->report = (struct study_report){
        e->report.epoch, trial->attempt, e->report.metrics};
}

/* Is the trial hopeless after this report? The rungs it passed, and its end.
 */
static void maybe_prune(const struct turn *t, const struct event *e,
                        const struct study *s, const struct study_trial *trial)
{
    const struct pruner_report latest = {
        .step = e->report.epoch,
        .value = e->report.metrics.value[s->spec.metric],
    };
    struct pruner_verdict verdict;
    pruner_judge(&s->spec, s->history, trial->number, &latest, &verdict);
    for (int64_t i = 0; i < verdict.n_rungs; i++) {
        struct action *a = turn_add_trial(t, ACTION_RUNG, s, trial);
        a->rung.rung = verdict.first_rung + i;
        a->rung.value = verdict.rung_value;
    }
    if (verdict.prunes) {
        turn_prune(t, s, trial, e->slot, latest.value, latest.step,
                   &e->report.memory);
    }
}

/* A training repeats its epochs bit for bit: the first word counts, and a
 * difference is noted. A program that begins anew may be another one by now:
 * what an earlier attempt told from there on is no part of its curve. */
static void report_again(const struct turn *t, const struct event *e,
                         const struct study *s, const struct study_trial *trial,
                         const struct study_report *known)
{
    if (known != NULL && memcmp(&known->metrics, &e->report.metrics,
                                sizeof(known->metrics)) == 0) {
        return;
    }
    if (known != NULL && !trial->nondeterministic) {
        turn_add_trial(t, ACTION_FLAG_TRIAL, s, trial);
    }
    if (!study_counts_epochs(s)) {
        struct action *a = turn_add_trial(t, ACTION_REWIND, s, trial);
        a->rewind.step = e->report.epoch;
        add_report(t, e, s, trial); /* judged with the next one */
    }
}

bool turn_report(const struct turn *t, const struct event *e,
                 const struct study *s, const struct study_trial *trial)
{
    int64_t epoch = e->report.epoch;
    char *fault = report_fault(s, trial, epoch);
    if (fault != NULL) {
        turn_kill(t, e->slot, TRIAL_CAUSE_PROTOCOL, fault);
        return false;
    }
    if (is_new(trial, epoch)) {
        add_report(t, e, s, trial);
        maybe_prune(t, e, s, trial);
    } else {
        report_again(t, e, s, trial, known_report(trial, epoch));
    }
    return true;
}
