#include "daemon/search/importance.h"

#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/search/importance_priv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const NAMES[IMPORTANCE_N_EVALUATORS] = {
#define X(name, text) [IMPORTANCE_##name] = text,
    IMPORTANCE_EVALUATORS(X)
#undef X
};

const char *importance_name(enum importance_evaluator e)
{
    return NAMES[e];
}

int importance_by_name(const char *name)
{
    for (int i = 0; i < IMPORTANCE_N_EVALUATORS; i++) {
        if (strcmp(NAMES[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

void importance_rows_of(const struct history *h, struct importance_rows *out)
{
    size_t n_trials = (size_t)history_n_trials(h);
    const uint8_t *state = history_states(h);
    *out = (struct importance_rows){
        .numbers = mem_grow(NULL, n_trials + 1, sizeof(*out->numbers)),
        .values = mem_grow(NULL, n_trials + 1, sizeof(*out->values)),
    };
    for (size_t i = 0; i < n_trials; i++) {
        double v = history_value(h, (int64_t)i);
        if (state[i] == TRIAL_COMPLETE && isfinite(v)) {
            out->numbers[out->n] = (uint32_t)i;
            out->values[out->n++] = v;
        }
    }
}

void importance_rows_fini(struct importance_rows *r)
{
    free(r->numbers);
    free(r->values);
}

static void normalize_to_one(struct importances *out)
{
    double sum = 0.0;
    for (size_t i = 0; i < out->n; i++) {
        sum += out->items[i].value;
    }
    for (size_t i = 0; i < out->n; i++) {
        out->items[i].value =
            sum > 0.0 ? out->items[i].value / sum : 1.0 / (double)out->n;
    }
}

static int compare(const void *a, const void *b)
{
    const struct importance *x = a, *y = b;
    if (x->value != y->value) {
        return x->value > y->value ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static void compute(enum importance_evaluator evaluator,
                    const struct history *history,
                    enum spec_direction direction, uint64_t seed,
                    bool normalize, const atomic_bool *cancel,
                    struct importances *out)
{
    size_t n = (size_t)history_n_params(history);
    double *values = mem_grow(NULL, n + 1, sizeof(*values));
    for (size_t p = 0; p < n; p++) {
        values[p] = NAN;
    }
    switch (evaluator) {
    case IMPORTANCE_FANOVA:
        importance_fanova(history, seed, cancel, values);
        break;
    case IMPORTANCE_MDI:
        importance_mdi(history, seed, cancel, values);
        break;
    default:
        importance_ped_anova(history, direction, values);
        break;
    }
    *out = (struct importances){
        .items = mem_alloc(n, sizeof(*out->items)),
        .n_trials = history_count(history, TRIAL_COMPLETE),
    };
    for (size_t p = 0; p < n; p++) {
        if (!isnan(values[p])) {
            const char *name = history_param_name(history, (int)p);
            out->items[out->n++] =
                (struct importance){mem_strdup(name), values[p]};
        }
    }
    free(values);
    if (normalize) {
        normalize_to_one(out);
    }
    qsort(out->items, out->n, sizeof(*out->items), compare);
}

void importance_compute(enum importance_evaluator evaluator,
                        const struct history *history,
                        enum spec_direction direction, uint64_t seed,
                        bool normalize, struct importances *out)
{
    compute(evaluator, history, direction, seed, normalize, NULL, out);
}

bool importance_compute_until(enum importance_evaluator evaluator,
                              const struct history *history,
                              enum spec_direction direction, uint64_t seed,
                              const atomic_bool *cancel,
                              struct importances *out)
{
    compute(evaluator, history, direction, seed, true, cancel, out);
    if (atomic_load(cancel)) {
        importances_fini(out);
        return false;
    }
    return true;
}

void importances_copy(struct importances *to, const struct importances *from)
{
    *to = *from;
    to->items = mem_alloc(from->n, sizeof(*to->items));
    for (size_t i = 0; i < from->n; i++) {
        to->items[i] = (struct importance){mem_strdup(from->items[i].name),
                                           from->items[i].value};
    }
}

void importances_fini(struct importances *out)
{
    for (size_t i = 0; i < out->n; i++) {
        free(out->items[i].name);
    }
    free(out->items);
    *out = (struct importances){0};
}
