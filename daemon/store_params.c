/* What rows say of one trial's parameters: the values it has, those that were
 * enqueued with it; and of its constraints. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/store_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- parameters ----------------------------------------------------------- */

static int check_value(const struct store_row *r, const struct dist *dist,
                       double value)
{
    bool is_whole = isfinite(value) && floor(value) == value;
    if (!isfinite(value) || (dist->kind != DIST_FLOAT && !is_whole) ||
        (dist->kind == DIST_CATEGORICAL &&
         (value < 0 || value >= (double)dist->n_choices))) {
        return store_row_bad(r, "param_value: not a value of its distribution");
    }
    return 0;
}

/* A distribution that is not, letter by letter, the config's: Optuna may have
 * added the trial with other bounds. p: NULL, not of the space. */
static int set_other_param(struct store_loading *l, const struct param *p,
                           const char *name, const char *text, double value)
{
    const struct store_row *r = &l->walks[STORE_WALK_PARAMS];
    struct err reason;
    struct json *json;
    struct dist dist;
    if (json_parse(text, strlen(text), &json, &reason) != 0) {
        return store_row_bad(r, "distribution_json: %s", reason.msg);
    }
    int rc = dist_from_optuna(json, &dist, &reason);
    json_free(json);
    if (rc != 0) {
        return store_row_bad(r, "distribution_json: %s", reason.msg);
    }
    if (p != NULL && !dist_is_compatible(&p->dist, &dist)) {
        rc = store_row_bad(r, "distribution_json: not the study's '%s'", name);
    } else {
        rc = check_value(r, &dist, value);
    }
    if (rc == 0) {
        history_set_param(l->study->history, (int64_t)l->study->n_trials - 1,
                          name, &dist, value);
    }
    dist_fini(&dist);
    return rc;
}

/* A trial that no attempt of ours ran may have parameters of its own. */
static bool is_of_optuna(const struct store_loading *l)
{
    int64_t attempt;
    return store_row_is_null(&l->trials, STORE_TRIAL_ATTEMPT) ||
           (store_row_int(&l->trials, STORE_TRIAL_ATTEMPT, 0, INT64_MAX,
                          &attempt) == 0 &&
            attempt == 0);
}

/* One that is, letter by letter, the config's. */
static int set_param(struct store_loading *l, size_t at, double value)
{
    const struct param *p = &l->study->spec.space.params[at];
    int rc = check_value(&l->walks[STORE_WALK_PARAMS], &p->dist, value);
    if (rc == 0) {
        history_set_param(l->study->history, (int64_t)l->study->n_trials - 1,
                          p->name, &p->dist, value);
    }
    return rc;
}

/* Rows come in the space's order, a million of them: most need no look-up, and
 * no look at their bytes but a comparison. */
static bool is_likely(struct store_loading *l, size_t *at)
{
    const struct store_row *r = &l->walks[STORE_WALK_PARAMS];
    const struct space *space = &l->study->spec.space;
    *at = l->likely < space->n ? l->likely : 0;
    l->likely = *at + 1;
    return *at < space->n && store_row_is_text(r, 3, l->dists[*at]) &&
           store_row_is_text(r, 1, space->params[*at].name);
}

static int load_param(struct store_loading *l)
{
    const struct store_row *r = &l->walks[STORE_WALK_PARAMS];
    const struct space *space = &l->study->spec.space;
    const char *name, *text;
    double value;
    size_t likely;
    int rc = store_row_real(r, 2, &value);
    if (rc == 0 && is_likely(l, &likely)) {
        return set_param(l, likely, value);
    }
    if (rc == 0) {
        rc = store_row_text(r, 1, 4 * SPEC_NAME_MAX, &name);
    }
    if (rc == 0) {
        rc = store_row_text(r, 3, STORE_TEXT_MAX, &text);
    }
    if (rc != 0) {
        return rc;
    }
    int at = space_find(space, name);
    if (at < 0 && is_of_optuna(l)) {
        return set_other_param(l, NULL, name, text, value);
    }
    if (at < 0) {
        return store_row_bad(r, "'%s' is no parameter of the study", name);
    }
    l->likely = (size_t)at + 1;
    return strcmp(text, l->dists[at]) == 0
               ? set_param(l, (size_t)at, value)
               : set_other_param(l, &space->params[at], name, text, value);
}

int store_check_params(const struct store_loading *l,
                       const struct study_trial *t)
{
    const struct space *space = &l->study->spec.space;
    double *values = mem_alloc(space->n + 1, sizeof(*values));
    int rc = 0;
    study_values(l->study, t->number, values);
    for (size_t i = 0; rc == 0 && t->attempt > 0 && i < space->n; i++) {
        if (isnan(values[i]) && space_is_active(space, values, i)) {
            rc = store_row_bad(&l->trials, "its parameter '%s' is missing",
                               space->params[i].name);
        }
    }
    free(values);
    return rc;
}

/* --- attempts ------------------------------------------------------------- */

int store_load_attempts(struct store_loading *l, struct study_trial *t)
{
    struct store_row *r = &l->walks[STORE_WALK_ATTEMPTS];
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_ATTEMPTS)) {
        int64_t began, ended;
        bool runs = store_row_is_null(r, 2);
        rc = store_row_int(r, 1, 0, INT64_MAX, &began);
        if (rc == 0 && runs) {
            t->attempt_ms = began;
        } else if (rc == 0) {
            rc = store_row_int(r, 2, 0, INT64_MAX, &ended);
            t->worked_ms += rc == 0 && ended > began ? ended - began : 0;
        }
        if (rc == 0) {
            rc = store_row_next(r);
        }
    }
    return rc;
}

/* --- enqueued values ------------------------------------------------------ */

/* Ours: [0.001, null], internal values in the space's order. */
static int read_fixed(const struct store_loading *l, double **fixed)
{
    const struct space *space = &l->study->spec.space;
    const char *text;
    struct json *json;
    struct err reason;
    int rc =
        store_row_text(&l->trials, STORE_TRIAL_FIXED, STORE_TEXT_MAX, &text);
    if (rc != 0) {
        return rc;
    }
    if (json_parse(text, strlen(text), &json, &reason) != 0) {
        return store_row_bad(&l->trials, "fixed: %s", reason.msg);
    }
    bool ok =
        json_kind(json) == JSON_ARRAY && (size_t)json_size(json) == space->n;
    double *values = mem_alloc(space->n + 1, sizeof(*values));
    const struct json *node = ok ? json_first(json) : NULL;
    for (size_t i = 0; ok && i < space->n; i++, node = json_next(node)) {
        ok = json_kind(node) == JSON_NULL || json_kind(node) == JSON_NUMBER;
        values[i] = ok && json_kind(node) == JSON_NUMBER ? json_number(node)
                                                         : (double)NAN;
        ok = ok &&
             (isnan(values[i]) ||
              check_value(&l->trials, &space->params[i].dist, values[i]) == 0);
    }
    json_free(json);
    if (!ok) {
        free(values);
        return store_row_bad(&l->trials, "fixed: not a point of the space");
    }
    *fixed = values;
    return 0;
}

/* Optuna's {"lr": 0.001}: what is not of the space is left out, as Optuna's
 * samplers leave it out. NULL when nothing is of use. */
static double *optuna_fixed(const struct store_loading *l, const char *text)
{
    const struct space *space = &l->study->spec.space;
    struct json *json;
    struct err ignored;
    if (json_parse(text, strlen(text), &json, &ignored) != 0) {
        return NULL;
    }
    double *values = mem_alloc(space->n + 1, sizeof(*values));
    bool any = false;
    for (size_t i = 0; i < space->n; i++) {
        const struct json *node = json_kind(json) == JSON_OBJECT
                                      ? json_get(json, space->params[i].name)
                                      : NULL;
        if (node == NULL || dist_value_from_json(&space->params[i].dist, node,
                                                 &values[i], &ignored) != 0) {
            values[i] = (double)NAN;
        }
        any = any || !isnan(values[i]);
    }
    json_free(json);
    if (!any) {
        free(values);
        values = NULL;
    }
    return values;
}

int store_load_fixed(struct store_loading *l, double **fixed)
{
    struct store_row *attribute = &l->walks[STORE_WALK_FIXED];
    *fixed = NULL;
    int rc = 0;
    bool ours = !store_row_is_null(&l->trials, STORE_TRIAL_FIXED);
    if (ours) {
        rc = read_fixed(l, fixed);
    }
    while (rc == 0 && store_has_row(l, STORE_WALK_FIXED)) {
        const char *text;
        rc = store_row_text(attribute, 1, STORE_TEXT_MAX, &text);
        if (rc == 0 && *fixed == NULL) {
            *fixed = optuna_fixed(l, text);
        }
        if (rc == 0) {
            rc = store_row_next(attribute);
        }
    }
    return rc;
}

int store_load_params(struct store_loading *l)
{
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_PARAMS)) {
        rc = load_param(l);
        if (rc == 0) {
            rc = store_row_next(&l->walks[STORE_WALK_PARAMS]);
        }
    }
    return rc;
}

/* --- constraints ---------------------------------------------------------- */

/* Numbers as Python's json writes them, in a list or one alone, appended. */
static int read_python_numbers(const struct store_row *r, int column,
                               double **list, size_t *n)
{
    const char *text;
    int rc = store_row_text(r, column, STORE_TEXT_MAX, &text);
    const char *at = rc == 0 ? text + strspn(text, " [") : "";
    while (*at != '\0' && *at != ']') {
        char *end;
        double value = strtod(at, &end);
        if (end == at) {
            return store_row_bad(r, "value_json: not a list of numbers");
        }
        *list = mem_grow(*list, *n + 1, sizeof(**list));
        (*list)[(*n)++] = value;
        at = end + strspn(end, " ,");
    }
    return rc;
}

/* Optuna 5 also keeps them one by one, under constraints:NAME. */
int store_load_constraints(struct store_loading *l, const struct study_trial *t)
{
    struct store_row *r = &l->walks[STORE_WALK_CONSTRAINTS];
    double *list = NULL;
    size_t n = 0;
    int rc = 0;
    while (rc == 0 && store_has_row(l, STORE_WALK_CONSTRAINTS)) {
        rc = read_python_numbers(r, 1, &list, &n);
        if (rc == 0) {
            rc = store_row_next(r);
        }
    }
    if (rc == 0 && n > 0) {
        history_set_constraints(l->study->history, t->number, list, n);
    }
    free(list);
    return rc;
}
