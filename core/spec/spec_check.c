/* What must fit together in a config whose values are right one by one. */
#include "core/spec/function.h"
#include "core/spec/spec_json.h"
#include "core/spec/spec_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- objectives other than the built-in training ---------------------------
 */

static int check_work(const struct spec *s, struct err *err)
{
    if (s->work.metric[0] != '\0' &&
        space_find(&s->space, s->work.metric) >= 0) {
        return err_set(err, ERR_INVALID,
                       "objective.metric: '%s' is the name of a parameter",
                       s->work.metric);
    }
    static const char *const missing[] = {
        [SPEC_OBJECTIVE_TABLE] = "objective.path: missing: the table's file",
        [SPEC_OBJECTIVE_FUNCTION] = "objective.function: missing: its name",
        [SPEC_OBJECTIVE_COMMAND] =
            "objective.command: missing: program and arguments"};
    bool has_it = s->objective == SPEC_OBJECTIVE_TABLE ? s->work.path[0] != '\0'
                  : s->objective == SPEC_OBJECTIVE_FUNCTION
                      ? s->work.function[0] != '\0'
                      : s->work.n_command > 0 && s->work.command[0][0] != '\0';
    if (!has_it) {
        return err_set(err, ERR_INVALID, "%s", missing[s->objective]);
    }
    for (size_t i = 0; i < s->space.n; i++) {
        if (s->space.params[i].field >= 0) {
            return err_set(err, ERR_INVALID,
                           "%s: only the built-in training has it: put the "
                           "distribution under 'params'",
                           RUN_FIELD[s->space.params[i].field].path);
        }
    }
    return s->space.n > 0 ? 0
                          : err_set(err, ERR_INVALID,
                                    "params: there must be at least one");
}

static int check_constraints(const struct spec *s, struct err *err)
{
    if (s->work.n_constraints > SPEC_MAX_CONSTRAINTS) {
        return err_set(err, ERR_INVALID, "objective.constraints: at most %d",
                       SPEC_MAX_CONSTRAINTS);
    }
    if (s->work.n_constraints > 0 && s->objective != SPEC_OBJECTIVE_COMMAND) {
        return err_set(err, ERR_INVALID,
                       "objective.constraints: only a command tells any");
    }
    for (size_t i = 0; i < s->work.n_constraints; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(s->work.constraints[i], s->work.constraints[j]) == 0) {
                return err_set(err, ERR_INVALID,
                               "objective.constraints: '%.100s' twice",
                               s->work.constraints[i]);
            }
        }
    }
    return 0;
}

static int check_search(const struct spec *s, struct err *err)
{
    if (s->pruning.wrapped == SPEC_PRUNER_PATIENT) {
        return err_set(err, ERR_INVALID,
                       "pruner.wrapped: patient cannot wrap itself");
    }
    if (s->pruning.reduction_factor == 1) {
        return err_set(err, ERR_INVALID,
                       "pruner.reduction_factor: must be at least 2, or 0");
    }
    if (s->pruning.lower > s->pruning.upper) {
        return err_set(err, ERR_INVALID,
                       "pruner.lower: must not be above pruner.upper");
    }
    if (s->tpe.group && !s->tpe.multivariate) {
        return err_set(err, ERR_INVALID,
                       "sampler.group: needs multivariate to be true");
    }
    bool counts = s->sampler == SPEC_SAMPLER_GRID ||
                  s->sampler == SPEC_SAMPLER_BRUTE_FORCE;
    for (size_t i = 0; i < s->space.n; i++) {
        const struct param *p = &s->space.params[i];
        if (counts && p->dist.kind == DIST_FLOAT && p->dist.step == 0.0 &&
            !dist_is_single(&p->dist)) {
            return err_set(err, ERR_INVALID,
                           "sampler.type: a grid needs steps or choices, but "
                           "'%.100s' is continuous",
                           p->name);
        }
    }
    return 0;
}

/* --- what must fit together ----------------------------------------------- */

/* The values that a whole field may take: fixed, listed or a grid. */
static size_t n_values(const struct spec *s, int field)
{
    const struct param *p = spec_param_of(s, field);
    if (p == NULL) {
        return 1;
    }
    const struct dist *d = &p->dist;
    return d->kind == DIST_CATEGORICAL
               ? d->n_choices
               : (size_t)((d->high - d->low) / d->step) + 1;
}

static int64_t nth_value(const struct spec *s, int field, size_t i)
{
    const struct param *p = spec_param_of(s, field);
    if (p == NULL) {
        return (int64_t)run_get(&s->base, field);
    }
    const struct dist *d = &p->dist;
    return (int64_t)(d->kind == DIST_CATEGORICAL
                         ? d->choices[i].number
                         : d->low + (double)i * d->step);
}

/* Put the first pair of dimensions that fits into probe; false: none does. */
static bool find_dimensions(const struct spec *s, struct run *probe)
{
    size_t n_dims = n_values(s, RUN_FIELD_emb_dim);
    size_t n_heads = n_values(s, RUN_FIELD_num_heads);
    for (size_t i = 0; i < n_dims; i++) {
        for (size_t j = 0; j < n_heads; j++) {
            probe->emb_dim = nth_value(s, RUN_FIELD_emb_dim, i);
            probe->num_heads = nth_value(s, RUN_FIELD_num_heads, j);
            if (probe->emb_dim % probe->num_heads == 0) {
                return true;
            }
        }
    }
    return false;
}

static bool is_conditional(const struct spec *s, int field)
{
    const struct param *p = spec_param_of(s, field);
    return p != NULL && p->n_when > 0;
}

void spec_heads(const struct spec *s, struct spec_heads *out)
{
    *out = (struct spec_heads){.n = 0};
    if (s->objective != SPEC_OBJECTIVE_CLASSIFIER ||
        is_conditional(s, RUN_FIELD_emb_dim) ||
        is_conditional(s, RUN_FIELD_num_heads)) {
        return;
    }
    size_t n_dims = n_values(s, RUN_FIELD_emb_dim);
    size_t n_heads = n_values(s, RUN_FIELD_num_heads);
    out->n = n_dims * n_heads;
    for (size_t i = 0; i < out->n; i++) {
        int64_t emb_dim = nth_value(s, RUN_FIELD_emb_dim, i / n_heads);
        int64_t num_heads = nth_value(s, RUN_FIELD_num_heads, i % n_heads);
        if (emb_dim % num_heads != 0 && out->n_impossible++ == 0) {
            out->emb_dim = emb_dim;
            out->num_heads = num_heads;
        }
    }
}

bool spec_is_hub_name(const char *s)
{
    int n_parts = 1;
    for (const char *p = s; *p != '\0'; p++) {
        bool at_edge = p == s || p[-1] == '/' || p[1] == '\0';
        if (*p == '/' && at_edge) {
            return false;
        }
        n_parts += *p == '/';
    }
    return n_parts == 2 || n_parts == 3;
}

/* Some point of the space must be a run that can be made. Points that cannot
 * are left to their trials, which fail with cause "invalid". */
int spec_check(const struct spec *s, struct err *err)
{
    if (check_search(s, err) != 0) {
        return err->code;
    }
    if (check_constraints(s, err) != 0) {
        return err->code;
    }
    if (s->objective != SPEC_OBJECTIVE_CLASSIFIER) {
        return check_work(s, err);
    }
    for (size_t i = 0; i < s->space.n; i++) {
        if (s->space.params[i].field < 0) {
            return err_set(err, ERR_INVALID,
                           "params.%s: the built-in training has no such "
                           "setting",
                           s->space.params[i].name);
        }
    }
    struct run probe = s->base;
    bool is_fixed = spec_param_of(s, RUN_FIELD_emb_dim) == NULL &&
                    spec_param_of(s, RUN_FIELD_num_heads) == NULL;
    if (!find_dimensions(s, &probe) && !is_fixed) {
        return err_set(err, ERR_INVALID,
                       "model.num_heads: no value divides any emb_dim");
    }
    if (s->metric == RUN_TEST_ACC && s->base.fractions[2] == 0.0 &&
        s->data.n_test_sources == 0) {
        return err_set(err, ERR_INVALID,
                       "objective.metric: test-acc needs test rows, but "
                       "data.fractions gives them 0 and there is no "
                       "data.test_source");
    }
    return run_validate(&probe, err);
}

/* --- what only new studies must be ---------------------------------------- */

/* A range without a step is drawn from so finely that nothing else may hang on
 * one of its values. */
static int check_condition(const struct spec *s, const struct param *p,
                           const struct condition *c, struct err *err)
{
    const struct param *parent = &s->space.params[c->parent];
    const struct dist *d = &parent->dist;
    if (d->kind != DIST_FLOAT || d->step > 0.0 || dist_is_single(d)) {
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "%s%s.when.%s: a range without a step never has exactly "
                   "this value: give '%s' a step or choices",
                   p->field < 0 ? "params." : "",
                   p->field < 0 ? p->name : RUN_FIELD[p->field].path,
                   parent->name, parent->name);
}

static int check_conditions(const struct spec *s, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->space.n; i++) {
        const struct param *p = &s->space.params[i];
        for (size_t k = 0; rc == 0 && k < p->n_when; k++) {
            rc = check_condition(s, p, &p->when[k], err);
        }
    }
    return rc;
}

static bool is_number(const struct dist *d)
{
    for (size_t i = 0; d->kind == DIST_CATEGORICAL && i < d->n_choices; i++) {
        if (d->choices[i].kind != CHOICE_INT &&
            d->choices[i].kind != CHOICE_REAL) {
            return false;
        }
    }
    return true;
}

/* Which parameters a trial has may depend on conditions. */
static int check_function(const struct spec *s, struct err *err)
{
    size_t at, n_always = 0;
    int rc = spec_find_function(s->work.function, &at, err);
    for (size_t i = 0; rc == 0 && i < s->space.n; i++) {
        const struct param *p = &s->space.params[i];
        n_always += p->n_when == 0;
        if (!is_number(&p->dist)) {
            rc = err_set(err, ERR_INVALID,
                         "params.%s: a function takes numbers", p->name);
        }
    }
    return rc == 0 ? spec_check_arity(at, n_always, s->space.n, err) : rc;
}

/* Two parameters of one name would be one to the program. */
static int check_variables(const struct spec *s, struct err *err)
{
    char *variables[SPACE_MAX_PARAMS];
    int rc = 0;
    for (size_t i = 0; i < s->space.n; i++) {
        variables[i] = space_variable(s->space.params[i].name);
        for (size_t j = 0; j < i && rc == 0; j++) {
            if (strcmp(variables[i], variables[j]) == 0) {
                rc = err_set(err, ERR_INVALID,
                             "params: '%.100s' and '%.100s' are both %.150s in "
                             "the command's environment: rename one",
                             s->space.params[j].name, s->space.params[i].name,
                             variables[i]);
            }
        }
    }
    for (size_t i = 0; i < s->space.n; i++) {
        free(variables[i]);
    }
    return rc;
}

int spec_check_new(const struct spec *s, struct err *err)
{
    if (strcmp(s->name, ".") == 0 || strcmp(s->name, "..") == 0) {
        return err_set(err, ERR_INVALID,
                       "study: must not be '%s': in an address that is a "
                       "folder, and no browser asks for a study by it",
                       s->name);
    }
    bool by_threshold = s->pruner == SPEC_PRUNER_THRESHOLD ||
                        (s->pruner == SPEC_PRUNER_PATIENT &&
                         s->pruning.wrapped == SPEC_PRUNER_THRESHOLD);
    if (by_threshold && isnan(s->pruning.lower) && isnan(s->pruning.upper)) {
        return err_set(err, ERR_INVALID,
                       "pruner.lower: missing: a threshold needs it, or "
                       "pruner.upper");
    }
    if (check_conditions(s, err) != 0) {
        return err->code;
    }
    return s->objective == SPEC_OBJECTIVE_FUNCTION  ? check_function(s, err)
           : s->objective == SPEC_OBJECTIVE_COMMAND ? check_variables(s, err)
                                                    : 0;
}
