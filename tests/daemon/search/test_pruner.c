/* Pruners against a direct transcription of their rules (optuna.md section 4),
 * written for clarity, not for speed, on random histories with ties, NaN,
 * infinities and missing steps. */
#include "daemon/search/pruner.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "daemon/history.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_HISTORIES = 10000, MAX_TRIALS = 24, MAX_STEPS = 12, N_STEPS = 14 };

/* --- random histories: the test's own copy of what is in one -------------- */

struct model_trial {
    enum trial_state state;
    double value;
    bool is_infeasible, has[N_STEPS];
    double at[N_STEPS];
    size_t n_rungs;
    double rungs[4];
};

struct model {
    struct model_trial trials[MAX_TRIALS];
    int n, self;
};

static double pick_value(struct rng *r)
{
    switch (rng_below(r, 12)) {
    case 0:
        return NAN;
    case 1:
        return INFINITY;
    case 2:
        return -INFINITY;
    case 3:
        return rng_normal(r);
    default:
        return (double)rng_below(r, 5) - 2.0; /* ties */
    }
}

static double pick_finite(struct rng *r)
{
    return rng_below(r, 3) == 0 ? rng_normal(r) : (double)rng_below(r, 5) - 2.0;
}

static void pick_trial(struct rng *r, bool is_tame, struct model_trial *t)
{
    static const enum trial_state states[] = {
        TRIAL_COMPLETE, TRIAL_COMPLETE, TRIAL_COMPLETE, TRIAL_PRUNED,
        TRIAL_FAIL,     TRIAL_RUNNING,  TRIAL_WAITING};
    *t = (struct model_trial){.state = states[rng_below(r, 7)], .value = NAN};
    if (t->state == TRIAL_COMPLETE) {
        do {
            t->value = is_tame ? pick_finite(r) : pick_value(r);
        } while (isnan(t->value));
    }
    uint32_t n = rng_below(r, MAX_STEPS), gaps = rng_below(r, 2);
    for (uint32_t s = 0; s < n; s++) {
        t->has[s] = gaps == 0 || rng_below(r, 4) != 0;
        t->at[s] = is_tame ? pick_finite(r) : pick_value(r);
    }
    t->n_rungs = rng_below(r, 5);
    for (size_t k = 0; k < t->n_rungs; k++) {
        double v = pick_value(r);
        t->rungs[k] = isnan(v) ? 0.0 : v;
    }
    t->is_infeasible = rng_below(r, 4) == 0;
}

static void pick_model(struct rng *r, struct model *m)
{
    bool is_tame = rng_below(r, 2) == 0;
    m->n = 1 + (int)rng_below(r, MAX_TRIALS);
    m->self = (int)rng_below(r, (uint32_t)m->n);
    for (int i = 0; i < m->n; i++) {
        pick_trial(r, is_tame, &m->trials[i]);
    }
    m->trials[m->self].state = TRIAL_RUNNING;
    m->trials[m->self].value = NAN;
}

/* Steps are told in a random order: what counts is the step, not the turn. */
static struct history *history_of(struct rng *r, const struct model *m,
                                  int64_t left_out)
{
    struct history *h = history_new();
    for (int i = 0; i < m->n; i++) {
        history_add(h);
    }
    for (int i = 0; i < m->n; i++) {
        const struct model_trial *t = &m->trials[i];
        uint32_t order[N_STEPS];
        for (uint32_t s = 0; s < N_STEPS; s++) {
            order[s] = s;
        }
        if (rng_below(r, 2) == 0) {
            rng_shuffle(r, order, N_STEPS);
        }
        for (uint32_t s = 0; s < N_STEPS; s++) {
            bool out = i == m->self && (int64_t)order[s] == left_out;
            if (t->has[order[s]] && !out) {
                history_report(h, i, order[s], t->at[order[s]]);
            }
        }
        for (size_t k = 0; k < t->n_rungs; k++) {
            history_set_rung(h, i, (int64_t)k, t->rungs[k]);
        }
        if (t->is_infeasible) {
            history_set_constraints(h, i, (const double[]){-1.0, 0.5}, 2);
        }
        history_set_state(h, i, t->state, t->value);
    }
    return h;
}

/* --- the rules ------------------------------------------------------------ */

static int last_step(const struct model_trial *t)
{
    int last = -1;
    for (int s = 0; s < N_STEPS; s++) {
        last = t->has[s] ? s : last;
    }
    return last;
}

static bool better(bool maximize, double a, double b)
{
    return maximize ? a > b : a < b;
}

/* "not the first report of its interval" */
static bool gate(const struct model_trial *t, const struct spec_pruning *o)
{
    int s = last_step(t), other = -1;
    if (s < o->n_warmup_steps) {
        return false;
    }
    for (int i = 0; i < s; i++) {
        other = t->has[i] ? i : other;
    }
    int64_t steps = s - o->n_warmup_steps;
    int64_t begin = steps - steps % o->interval_steps + o->n_warmup_steps;
    return other < begin;
}

/* Linear interpolation between the order statistics, as numpy does it. */
static double quantile(const double *values, int n, double p)
{
    double sorted[MAX_TRIALS];
    int k = 0;
    for (int i = 0; i < n; i++) {
        if (!isnan(values[i])) {
            int at = k++;
            while (at > 0 && sorted[at - 1] > values[i]) {
                sorted[at] = sorted[at - 1];
                at--;
            }
            sorted[at] = values[i];
        }
    }
    if (k == 0) {
        return NAN;
    }
    double where = p / 100.0 * (k - 1);
    int low = (int)where, high = low == k - 1 ? low : low + 1;
    double t = where - low, gap = sorted[high] - sorted[low];
    return t < 0.5 ? sorted[low] + gap * t : sorted[high] - gap * (1.0 - t);
}

static bool rule_percentile(const struct model *m, const struct spec *spec,
                            double p)
{
    const struct spec_pruning *o = &spec->pruning;
    const struct model_trial *t = &m->trials[m->self];
    bool maximize = spec->direction == SPEC_MAXIMIZE;
    int n_complete = 0, n_at = 0, s = last_step(t);
    double at[MAX_TRIALS], best = NAN;
    for (int i = 0; i < m->n; i++) {
        if (m->trials[i].state == TRIAL_COMPLETE) {
            n_complete++;
            if (m->trials[i].has[s]) {
                at[n_at++] = m->trials[i].at[s];
            }
        }
    }
    if (n_complete == 0 || n_complete < o->n_startup_trials || !gate(t, o)) {
        return false;
    }
    for (int i = 0; i < N_STEPS; i++) {
        if (t->has[i] && !isnan(t->at[i]) &&
            (isnan(best) || better(maximize, t->at[i], best))) {
            best = t->at[i];
        }
    }
    if (isnan(best)) {
        return true;
    }
    if (n_at < o->n_min_trials) {
        return false;
    }
    double q = quantile(at, n_at, maximize ? 100.0 - p : p);
    return !isnan(q) && better(maximize, q, best);
}

static bool rule_threshold(const struct model *m, const struct spec *spec)
{
    const struct spec_pruning *o = &spec->pruning;
    const struct model_trial *t = &m->trials[m->self];
    double v = t->at[last_step(t)];
    double lower = isnan(o->lower) ? -INFINITY : o->lower;
    double upper = isnan(o->upper) ? INFINITY : o->upper;
    return gate(t, o) && (isnan(v) || v < lower || v > upper);
}

static uint32_t rule_crc32(const char *s)
{
    uint32_t table[256], crc = 0xFFFFFFFF;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) {
            c = c % 2 == 1 ? 0xEDB88320 ^ (c / 2) : c / 2;
        }
        table[i] = c;
    }
    for (; *s != '\0'; s++) {
        crc = table[(crc ^ (uint8_t)*s) % 256] ^ (crc / 256);
    }
    return crc ^ 0xFFFFFFFF;
}

static int longest_complete(const struct model *m)
{
    int longest = -1;
    for (int i = 0; i < m->n; i++) {
        int last = last_step(&m->trials[i]);
        if (m->trials[i].state == TRIAL_COMPLETE && last > longest) {
            longest = last;
        }
    }
    return longest;
}

/* Bracket of a trial, -1: none yet. */
static int rule_bracket(const struct model *m, const struct spec *spec,
                        int number)
{
    const struct spec_pruning *o = &spec->pruning;
    double eta = o->reduction_factor == 0 ? 3 : (double)o->reduction_factor;
    double min = o->min_resource == 0 ? 1 : (double)o->min_resource;
    double max = (double)o->max_resource;
    if (max == 0) {
        if (longest_complete(m) < 0) {
            return -1;
        }
        max = longest_complete(m) + 1;
    }
    int b = (int)floor(log(max / min) / log(eta)) + 1;
    b = b < 1 ? 1 : b;
    double total = 0;
    for (int i = 0; i < b; i++) {
        total += ceil(b * pow(eta, b - 1 - i) / (b - i));
    }
    char key[600];
    snprintf(key, sizeof(key), "%s_%d", spec->name, number);
    double h = fmod(rule_crc32(key), total), sum = 0;
    for (int i = 0; i < b; i++) {
        sum += ceil(b * pow(eta, b - 1 - i) / (b - i));
        if (h < sum) {
            return i;
        }
    }
    return -1;
}

struct rule_rungs {
    size_t first, n;
};

static bool rule_halving(const struct model *m, const struct spec *spec,
                         bool by_bracket, struct rule_rungs *out)
{
    const struct spec_pruning *o = &spec->pruning;
    const struct model_trial *t = &m->trials[m->self];
    bool maximize = spec->direction == SPEC_MAXIMIZE;
    int s = last_step(t);
    double v = t->at[s];
    int64_t r = o->min_resource, rate = o->min_early_stopping_rate;
    int64_t eta = o->reduction_factor != 0 ? o->reduction_factor : 4;
    int own_bracket = 0;
    *out = (struct rule_rungs){t->n_rungs, 0};
    if (by_bracket) {
        own_bracket = rule_bracket(m, spec, m->self);
        if (own_bracket < 0) {
            return false;
        }
        rate = own_bracket;
        eta = o->reduction_factor != 0 ? o->reduction_factor : 3;
        r = r == 0 ? 1 : r;
    } else if (r == 0) {
        if (longest_complete(m) < 0) {
            return false;
        }
        r = longest_complete(m) / 100;
        r = r < 1 ? 1 : r;
    }
    for (size_t rung = t->n_rungs;; rung++) {
        double budget = (double)r;
        for (int64_t k = 0; k < rate + (int64_t)rung; k++) {
            budget *= (double)eta;
        }
        if (s < budget) {
            return false;
        }
        if (isnan(v)) {
            return true;
        }
        out->n++;
        int n = 1, n_better = 0;
        for (int i = 0; i < m->n; i++) {
            const struct model_trial *u = &m->trials[i];
            if (rung < u->n_rungs &&
                (!by_bracket || rule_bracket(m, spec, i) == own_bracket)) {
                n++;
                n_better += better(maximize, u->rungs[rung], v);
            }
        }
        int64_t idx = n / eta - 1;
        idx = idx < 0 ? 0 : idx;
        if (n <= o->bootstrap_count || n_better > idx) {
            return true; /* idx others may be better, not one more */
        }
    }
}

/* All sign patterns are equally likely: count them. */
static double enumerated_p(int n, double at, bool greater)
{
    long hits = 0;
    for (long pattern = 0; pattern < 1L << n; pattern++) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += (pattern >> i) & 1 ? i + 1 : 0;
        }
        hits += greater ? sum >= floor(at) : sum <= floor(at);
    }
    return (double)hits / (double)(1L << n);
}

static double rule_signed_rank(const double *d, int n, bool greater)
{
    double sum = 0, n_zero = 0, ties = 0;
    for (int i = 0; i < n; i++) {
        int below = 0, equal = 0;
        for (int k = 0; k < n; k++) {
            below += fabs(d[k]) < fabs(d[i]);
            equal += fabs(d[k]) == fabs(d[i]);
        }
        double rank = below + (equal + 1) / 2.0;
        sum += d[i] > 0 ? rank : d[i] == 0 ? rank / 2 : 0;
        n_zero += d[i] == 0;
        ties += (double)equal * equal - 1; /* summed over a group: t^3 - t */
    }
    if (n_zero == 0) {
        return enumerated_p(n, sum, greater);
    }
    double mean = n * (n + 1) / 4.0;
    double var = (n * (n + 1.0) * (2 * n + 1) - ties / 2) / 24;
    double z = (sum - mean) / sqrt(var);
    return erfc((greater ? z : -z) / M_SQRT2) / 2;
}

static bool rule_wilcoxon(const struct model *m, const struct spec *spec)
{
    const struct spec_pruning *o = &spec->pruning;
    const struct model_trial *t = &m->trials[m->self], *best = NULL;
    bool maximize = spec->direction == SPEC_MAXIMIZE;
    for (int i = 0; i < m->n; i++) {
        const struct model_trial *u = &m->trials[i];
        if (u->state == TRIAL_COMPLETE && !u->is_infeasible &&
            (best == NULL || better(maximize, u->value, best->value))) {
            best = u;
        }
    }
    if (best == NULL) {
        return false;
    }
    double d[N_STEPS], own = 0, theirs = 0;
    int n = 0, n_own = 0, n_theirs = 0;
    for (int s = 0; s < N_STEPS; s++) {
        if ((t->has[s] && !isfinite(t->at[s])) ||
            (best->has[s] && !isfinite(best->at[s]))) {
            return false;
        }
        own += t->has[s] ? t->at[s] : 0;
        n_own += t->has[s];
        theirs += best->has[s] ? best->at[s] : 0;
        n_theirs += best->has[s];
        if (t->has[s] && best->has[s]) {
            d[n++] = t->at[s] - best->at[s];
        }
    }
    if (n < 2 || n < o->n_startup_steps) {
        return false;
    }
    if (!better(maximize, theirs / n_theirs, own / n_own)) {
        return false;
    }
    return rule_signed_rank(d, n, !maximize) < o->p_threshold;
}

static bool rule(const struct model *m, const struct spec *spec,
                 enum spec_pruner type, struct rule_rungs *rungs);

static bool rule_patient(const struct model *m, const struct spec *spec,
                         struct rule_rungs *rungs)
{
    const struct spec_pruning *o = &spec->pruning;
    const struct model_trial *t = &m->trials[m->self];
    bool maximize = spec->direction == SPEC_MAXIMIZE;
    double before = NAN, after = NAN;
    int64_t n = 0, seen = 0;
    for (int s = 0; s < N_STEPS; s++) {
        n += t->has[s];
    }
    if (n <= o->patience + 1) {
        return false;
    }
    for (int s = 0; s < N_STEPS; s++) {
        if (t->has[s]) {
            double *part = seen < n - o->patience - 1 ? &before : &after;
            seen++;
            if (isnan(*part) || better(maximize, t->at[s], *part)) {
                *part = t->at[s];
            }
        }
    }
    bool candidate = maximize ? before - o->min_delta > after
                              : before + o->min_delta < after;
    return candidate &&
           (o->wrapped == SPEC_PRUNER_NONE || rule(m, spec, o->wrapped, rungs));
}

static bool rule(const struct model *m, const struct spec *spec,
                 enum spec_pruner type, struct rule_rungs *rungs)
{
    if (last_step(&m->trials[m->self]) < 0) {
        return false;
    }
    switch (type) {
    case SPEC_PRUNER_MEDIAN:
        return rule_percentile(m, spec, 50);
    case SPEC_PRUNER_PERCENTILE:
        return rule_percentile(m, spec, spec->pruning.percentile);
    case SPEC_PRUNER_ASHA:
        return rule_halving(m, spec, false, rungs);
    case SPEC_PRUNER_HYPERBAND:
        return rule_halving(m, spec, true, rungs);
    case SPEC_PRUNER_THRESHOLD:
        return rule_threshold(m, spec);
    case SPEC_PRUNER_PATIENT:
        return rule_patient(m, spec, rungs);
    case SPEC_PRUNER_WILCOXON:
        return rule_wilcoxon(m, spec);
    case SPEC_PRUNER_NONE:
        break;
    }
    return false;
}

/* --- comparison ----------------------------------------------------------- */

static void pick_options(struct rng *r, struct spec *spec)
{
    struct spec_pruning *o = &spec->pruning;
    static const int64_t factors[] = {0, 2, 3, 4};
    spec->direction = rng_below(r, 2) == 0 ? SPEC_MINIMIZE : SPEC_MAXIMIZE;
    o->percentile = rng_below(r, 2) == 0 ? 25.0 : 100.0 * rng_double(r);
    o->n_startup_trials = rng_below(r, 6);
    o->n_warmup_steps = rng_below(r, 4);
    o->interval_steps = 1 + rng_below(r, 4);
    o->n_min_trials = 1 + rng_below(r, 3);
    o->min_resource = rng_below(r, 3);
    o->max_resource = rng_below(r, 2) * (1 + rng_below(r, 90));
    o->reduction_factor = factors[rng_below(r, 4)];
    o->min_early_stopping_rate = rng_below(r, 2);
    o->bootstrap_count = rng_below(r, 3);
    o->lower = rng_below(r, 2) == 0 ? NAN : -1.0;
    o->upper = rng_below(r, 2) == 0 ? NAN : 1.0;
    o->patience = rng_below(r, 4);
    o->min_delta = rng_below(r, 2) == 0 ? 0.0 : 1.0;
    o->p_threshold = rng_below(r, 2) == 0 ? 0.1 : 0.4;
    o->n_startup_steps = rng_below(r, 5);
    do {
        o->wrapped = (enum spec_pruner)rng_below(r, SPEC_PRUNER_WILCOXON + 1);
    } while (o->wrapped == SPEC_PRUNER_PATIENT);
}

/* Returns whether the trial was pruned. */
static bool compare_once(struct rng *r, struct spec *spec, uint32_t i)
{
    struct model m;
    pick_model(r, &m);
    pick_options(r, spec);
    const struct model_trial *self = &m.trials[m.self];
    int last = last_step(self);
    bool is_apart = last >= 0 && rng_below(r, 2) == 0;
    struct history *h = history_of(r, &m, is_apart ? last : -1);
    struct pruner_report latest = {.step = last};
    if (is_apart) {
        latest.value = self->at[last];
    }
    struct pruner_verdict got;
    struct rule_rungs rungs = {self->n_rungs, 0};
    pruner_judge(spec, h, m.self, is_apart ? &latest : NULL, &got);
    bool want = rule(&m, spec, spec->pruner, &rungs);
    ck_assert_msg(got.prunes == want, "history %u: %d, not %d", i, got.prunes,
                  want);
    ck_assert_msg((size_t)got.n_rungs == rungs.n &&
                      (rungs.n == 0 || ((size_t)got.first_rung == rungs.first &&
                                        got.rung_value == self->at[last])),
                  "history %u: rungs", i);
    history_free(h);
    return want;
}

START_TEST(test_random_histories)
{
    struct spec spec;
    struct rng r;
    uint32_t n_pruned = 0;
    spec_defaults(&spec);
    free(spec.name);
    spec.name = mem_strdup("a study");
    spec.pruner = (enum spec_pruner)(_i + 1);
    rng_stream(&r, 5, (uint32_t)_i, RNG_SAMPLER, 0);
    for (uint32_t i = 0; i < N_HISTORIES; i++) {
        n_pruned += compare_once(&r, &spec, i);
    }
    /* neither never nor always: the comparison means something */
    ck_assert_uint_gt(n_pruned, N_HISTORIES / 100);
    ck_assert_uint_lt(n_pruned, N_HISTORIES - N_HISTORIES / 100);
    spec_fini(&spec);
}
END_TEST

/* --- Optuna's own numbers ------------------------------------------------- */

START_TEST(test_brackets_are_optunas)
{
    static const int small[] = {2, 3, 0, 0, 1, 1, 3, 0, 0, 0, 1, 0};
    static const int large[] = {0, 2, 1, 0, 0, 1, 2, 0, 1, 0, 3, 0};
    static const int64_t small_budgets[] = {27, 12, 6, 4};
    static const int64_t large_budgets[] = {81, 34, 15, 8, 5};
    int64_t budgets[PRUNER_MAX_BRACKETS];
    struct history *h = history_new();
    struct spec spec;
    spec_defaults(&spec);
    free(spec.name);
    spec.name = mem_strdup("s1");
    ck_assert_int_eq(pruner_bracket(&spec, h, 0), -1);
    spec.pruner = SPEC_PRUNER_HYPERBAND;
    ck_assert_int_eq(pruner_bracket(&spec, h, 0), -1); /* not known yet */
    spec.pruning.max_resource = 27;
    ck_assert_int_eq(pruner_budgets(&spec, h, budgets), 4);
    ck_assert_mem_eq(budgets, small_budgets, sizeof(small_budgets));
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(pruner_bracket(&spec, h, i), small[i]);
    }
    spec.pruning.max_resource = 100;
    ck_assert_int_eq(pruner_budgets(&spec, h, budgets), 5);
    ck_assert_mem_eq(budgets, large_budgets, sizeof(large_budgets));
    for (int i = 0; i < 12; i++) {
        ck_assert_int_eq(pruner_bracket(&spec, h, i), large[i]);
    }
    spec.pruning.max_resource = 243; /* ln 243 / ln 3 is just below 5 */
    ck_assert_int_eq(pruner_budgets(&spec, h, budgets), 5);
    spec_fini(&spec);
    history_free(h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pruner");
    TCase *t = tcase_create("pruner");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_random_histories, 0, SPEC_PRUNER_WILCOXON);
    tcase_add_test(t, test_brackets_are_optunas);
    suite_add_tcase(s, t);
    return s;
}
