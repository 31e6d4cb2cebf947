#include "daemon/digest.h"
#include "daemon/history.h"

#include <math.h>
#include <string.h>

static const char *const WORDS[DIGEST_N_PARTS] = {
#define X(name, words) [DIGEST_##name] = words,
    DIGEST_PARTS(X)
#undef X
};

/* One to one in each argument: a change of one word is never lost after it. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15u; /* odd: 2^64 / golden ratio */
    return hash ^ hash >> 32;
}

/* A database has one NaN and one zero. */
static uint64_t mix_double(uint64_t hash, double value)
{
    double kept = isnan(value) ? (double)NAN : value == 0.0 ? 0.0 : value;
    uint64_t bits;
    memcpy(&bits, &kept, sizeof(bits));
    return mix(hash, isnan(value) ? UINT64_MAX : bits);
}

static uint64_t mix_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = mix(hash, (unsigned char)*text);
    }
    return hash;
}

static void add(struct digest *d, enum digest_part part, uint64_t item)
{
    d->part[part] = (int64_t)((uint64_t)d->part[part] + item);
}

/* --- items ---------------------------------------------------------------- */

static void add_param(struct digest *d, const char *name, double value)
{
    if (!isnan(value)) {
        add(d, DIGEST_PARAMS, mix_double(mix_text(1, name), value));
    }
}

static void add_report(struct digest *d, const struct study_report *r)
{
    uint64_t item = mix(mix(1, (uint64_t)r->epoch), (uint64_t)r->attempt);
    for (int i = 0; i < RUN_N_METRICS; i++) {
        item = mix_double(item, r->metrics.value[i]);
    }
    add(d, DIGEST_REPORTS, item);
}

static void set_constraints(struct digest *d, const double *values, size_t n)
{
    d->part[DIGEST_CONSTRAINTS] = 0;
    for (size_t i = 0; i < n; i++) {
        add(d, DIGEST_CONSTRAINTS, mix_double(mix(1, i), values[i]));
    }
}

static void set_end(struct digest *d, enum trial_state state, double value,
                    int64_t best_epoch)
{
    uint64_t item = mix_double(mix(1, (uint64_t)state), value);
    d->part[DIGEST_END] = (int64_t)mix(item, (uint64_t)best_epoch);
}

static void set_params(struct digest *d, const struct space *space,
                       const double *values)
{
    d->part[DIGEST_PARAMS] = 0;
    for (size_t i = 0; i < space->n; i++) {
        add_param(d, space->params[i].name, values[i]);
    }
}

/* A trial that no attempt of ours ran reported to Optuna alone. */
static void add_reports(struct digest *d, const struct history *h,
                        const struct study_trial *t)
{
    for (size_t i = 0; i < t->n_reports; i++) {
        add_report(d, &t->reports[i]);
    }
    size_t n = t->n_reports == 0 ? history_n_reports(h, t->number) : 0;
    for (size_t i = 0; i < n; i++) {
        double value;
        int64_t step = history_report_at(h, t->number, i, &value);
        add(d, DIGEST_REPORTS, mix_double(mix(1, (uint64_t)step), value));
    }
}

/* --- trials --------------------------------------------------------------- */

void digest_of_trial(const struct study *s, const struct study_trial *t,
                     struct digest *out)
{
    const struct history *h = s->history;
    size_t n;
    const double *constraints = history_constraints(h, t->number, &n);
    *out = (struct digest){0};
    for (int i = 0; i < history_n_params(h); i++) {
        add_param(out, history_param_name(h, i),
                  history_param(h, t->number, i));
    }
    add_reports(out, h, t);
    set_constraints(out, constraints, n);
    set_end(out, t->state, t->value, t->best_epoch);
}

static void rewind_to(struct digest *d, const struct study_trial *t,
                      int64_t step)
{
    d->part[DIGEST_REPORTS] = 0;
    for (size_t i = 0; t != NULL && i < t->n_reports; i++) {
        if (t->reports[i].epoch < step) {
            add_report(d, &t->reports[i]);
        }
    }
}

void digest_apply(struct digest *d, const struct spec *spec,
                  const struct study_trial *t, const struct action *a)
{
    switch (a->kind) {
    case ACTION_START_TRIAL:
        if (a->start_trial.values != NULL) {
            set_params(d, &spec->space, a->start_trial.values);
            d->part[DIGEST_REPORTS] = 0;
        }
        break;
    case ACTION_REPORT:
        add_report(d, &a->report);
        break;
    case ACTION_REWIND:
        rewind_to(d, t, a->rewind.step);
        break;
    case ACTION_CONSTRAINTS:
        set_constraints(d, a->constraints.values, a->constraints.n);
        break;
    case ACTION_FINISH_TRIAL:
        set_end(d, a->end.state, a->end.value, a->end.best_epoch);
        break;
    default:
        break;
    }
}

const char *digest_difference(const struct digest *a, const struct digest *b)
{
    for (int i = 0; i < DIGEST_N_PARTS; i++) {
        if (a->part[i] != b->part[i]) {
            return WORDS[i];
        }
    }
    return NULL;
}
