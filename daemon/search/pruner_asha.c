/* Successive halving without waiting (Li et al., "A System for Massively
 * Parallel Hyperparameter Tuning", 2020), and Hyperband over it (Li et al.,
 * JMLR 18, 2018), as Optuna has them. */
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/pruner_priv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct halving {
    const struct pruning *p;
    int64_t min_resource;
    double factor;
    int64_t rate;
    int n_brackets; /* of Hyperband, 0: none */
    int bracket;    /* only its trials compete */
    const int64_t *budgets;
};

/* --- Hyperband's brackets --------------------------------------------------
 */

/* CRC-32 of ISO 3309, as zlib's. */
static uint32_t crc32_of(const char *text)
{
    uint32_t crc = UINT32_MAX;
    for (; *text != '\0'; text++) {
        crc ^= (unsigned char)*text;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320u & -(crc & 1u));
        }
    }
    return ~crc;
}

static int64_t min_resource_of(const struct spec_pruning *o)
{
    return o->min_resource > 0 ? o->min_resource : 1;
}

static double hyperband_factor(const struct spec_pruning *o)
{
    return o->reduction_factor > 0 ? (double)o->reduction_factor : 3.0;
}

static bool has_brackets(const struct spec *spec)
{
    return spec->pruner == SPEC_PRUNER_HYPERBAND ||
           (spec->pruner == SPEC_PRUNER_PATIENT &&
            spec->pruning.wrapped == SPEC_PRUNER_HYPERBAND);
}

int pruner_budgets(const struct spec *spec, const struct history *history,
                   int64_t budgets[PRUNER_MAX_BRACKETS])
{
    const struct spec_pruning *o = &spec->pruning;
    int64_t max = o->max_resource;
    if (!has_brackets(spec)) {
        return 0;
    }
    if (max == 0) {
        int64_t longest = pruning_longest(history);
        if (longest < 0) {
            return 0;
        }
        max = longest + 1;
    }
    double factor = hyperband_factor(o);
    double ratio = (double)max / (double)min_resource_of(o);
    double exact = floor(log(ratio) / log(factor)) + 1.0;
    int n = exact < 1.0                   ? 1
            : exact > PRUNER_MAX_BRACKETS ? PRUNER_MAX_BRACKETS
                                          : (int)exact;
    for (int i = 0; i < n; i++) {
        int left = n - 1 - i;
        budgets[i] =
            (int64_t)ceil((double)n * pow(factor, left) / (double)(left + 1));
    }
    return n;
}

static int bracket_of(const struct spec *spec, int64_t number,
                      const int64_t *budgets, int n)
{
    int64_t sum = 0, below = 0;
    for (int i = 0; i < n; i++) {
        sum += budgets[i];
    }
    char *key = mem_printf("%s_%" PRId64, spec->name, number);
    int64_t at = (int64_t)crc32_of(key) % sum;
    free(key);
    int i = 0;
    while (i < n - 1 && at >= (below += budgets[i])) {
        i++;
    }
    return i;
}

int pruner_bracket(const struct spec *spec, const struct history *history,
                   int64_t number)
{
    int64_t budgets[PRUNER_MAX_BRACKETS];
    int n = spec->pruner == SPEC_PRUNER_HYPERBAND
                ? pruner_budgets(spec, history, budgets)
                : 0;
    return n > 0 ? bracket_of(spec, number, budgets, n) : -1;
}

/* --- rungs ------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The values of all that passed the rung, and this trial's own; ascending. */
static size_t competing(const struct halving *h, size_t rung, double own,
                        double *values)
{
    const struct pruning *p = h->p;
    int64_t n_trials = history_n_trials(p->history);
    size_t n = 0;
    for (int64_t i = 0; i < n_trials; i++) {
        size_t n_rungs;
        const double *rungs = history_rungs(p->history, i, &n_rungs);
        if (rung < n_rungs &&
            (h->n_brackets == 0 ||
             bracket_of(p->spec, i, h->budgets, h->n_brackets) == h->bracket)) {
            values[n++] = rungs[rung];
        }
    }
    values[n++] = own;
    qsort(values, n, sizeof(*values), compare);
    return n;
}

static bool is_promoted(const struct halving *h, size_t rung, double value)
{
    const struct pruning *p = h->p;
    size_t room = (size_t)history_n_trials(p->history) + 1;
    double *values = mem_grow(NULL, room, sizeof(*values));
    size_t n = competing(h, rung, value, values);
    bool promoted = false;
    if ((int64_t)n > p->options->bootstrap_count) {
        size_t at = (size_t)((double)n / h->factor);
        at = at > 0 ? at - 1 : 0;
        promoted =
            p->maximize ? value >= values[n - 1 - at] : value <= values[at];
    }
    free(values);
    return promoted;
}

static void halve(const struct halving *h, struct pruner_verdict *out)
{
    const struct pruning *p = h->p;
    double value = p->values[p->n - 1];
    size_t rung;
    (void)history_rungs(p->history, p->number, &rung);
    out->first_rung = (int64_t)rung;
    out->rung_value = value;
    for (;; rung++) {
        double needs = (double)h->min_resource *
                       pow(h->factor, (double)h->rate + (double)rung);
        if ((double)p->steps[p->n - 1] < needs) {
            return;
        }
        if (isnan(value)) {
            out->prunes = true;
            return;
        }
        out->n_rungs++;
        if (!is_promoted(h, rung, value)) {
            out->prunes = true;
            return;
        }
    }
}

void pruner_asha(const struct pruning *p, struct pruner_verdict *out)
{
    const struct spec_pruning *o = p->options;
    struct halving h = {
        .p = p,
        .min_resource = o->min_resource,
        .factor = o->reduction_factor > 0 ? (double)o->reduction_factor : 4.0,
        .rate = o->min_early_stopping_rate,
    };
    if (h.min_resource == 0) {
        int64_t longest = pruning_longest(p->history);
        if (longest < 0) {
            return;
        }
        h.min_resource = longest / 100 > 1 ? longest / 100 : 1;
    }
    halve(&h, out);
}

void pruner_hyperband(const struct pruning *p, struct pruner_verdict *out)
{
    int64_t budgets[PRUNER_MAX_BRACKETS];
    int n = pruner_budgets(p->spec, p->history, budgets);
    if (n == 0) {
        return;
    }
    int bracket = bracket_of(p->spec, p->number, budgets, n);
    const struct halving h = {
        .p = p,
        .min_resource = min_resource_of(p->options),
        .factor = hyperband_factor(p->options),
        .rate = bracket,
        .n_brackets = n,
        .bracket = bracket,
        .budgets = budgets,
    };
    halve(&h, out);
}
