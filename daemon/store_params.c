/* What rows say of parameters: the values that trials have, those that were
 * enqueued with one; and of its attempts and constraints. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "daemon/history.h"
#include "daemon/store_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- parameters -----------------------------------------------------------
 * One pass over trial_params, after the trials: in the order of its rows, which
 * is nearly theirs. By their index a million rows would cost a look at the
 * table each. */

struct pass {
    struct store_loading *l;
    struct store_row row;
    char **dists; /* distribution_json of each parameter of the space */
    /* What is likely to come next: */
    size_t param;
    int64_t id;                      /* of the last row's trial */
    const struct study_trial *trial; /* NULL: it is not the study's */
};

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
static int set_other_param(const struct pass *pass, const struct param *p,
                           const char *name, const char *text, double value)
{
    const struct store_row *r = &pass->row;
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
        history_set_param(pass->l->study->history, pass->trial->number, name,
                          &dist, value);
    }
    dist_fini(&dist);
    return rc;
}

/* One that is, letter by letter, the config's. */
static int set_param(const struct pass *pass, size_t at, double value)
{
    const struct param *p = &pass->l->study->spec.space.params[at];
    int rc = check_value(&pass->row, &p->dist, value);
    if (rc == 0) {
        history_set_param(pass->l->study->history, pass->trial->number, p->name,
                          &p->dist, value);
    }
    return rc;
}

/* Rows come in the space's order, a million of them: most need no look-up, and
 * no look at their bytes but a comparison. */
static bool is_likely(struct pass *pass, size_t *at)
{
    const struct store_row *r = &pass->row;
    const struct space *space = &pass->l->study->spec.space;
    *at = pass->param < space->n ? pass->param : 0;
    pass->param = *at + 1;
    return *at < space->n && store_row_is_text(r, 3, pass->dists[*at]) &&
           store_row_is_text(r, 1, space->params[*at].name);
}

static int load_param(struct pass *pass)
{
    const struct store_row *r = &pass->row;
    const struct space *space = &pass->l->study->spec.space;
    const char *name, *text;
    double value;
    size_t likely;
    int rc = store_row_real(r, 2, &value);
    if (rc == 0 && is_likely(pass, &likely)) {
        return set_param(pass, likely, value);
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
    /* A trial that no attempt of ours ran may have parameters of its own. */
    if (at < 0 && pass->trial->attempt == 0) {
        return set_other_param(pass, NULL, name, text, value);
    }
    if (at < 0) {
        return store_row_bad(r, "'%s' is no parameter of the study", name);
    }
    pass->param = (size_t)at + 1;
    return strcmp(text, pass->dists[at]) == 0
               ? set_param(pass, (size_t)at, value)
               : set_other_param(pass, &space->params[at], name, text, value);
}

static int compare_id(const void *id, const void *trial)
{
    int64_t a = *(const int64_t *)id;
    int64_t b = (*(struct study_trial *const *)trial)->id;
    return (a > b) - (a < b);
}

/* The row's trial; NULL when it is not the study's. */
static const struct study_trial *trial_of_row(struct pass *pass)
{
    const struct study *study = pass->l->study;
    int64_t id = pass->row.id;
    size_t next = pass->trial != NULL ? (size_t)pass->trial->number + 1 : 0;
    if (pass->id == id) {
        return pass->trial;
    }
    pass->id = id;
    if (next < study->n_trials && study->trials[next]->id == id) {
        return pass->trial = study->trials[next];
    }
    struct study_trial **found =
        study->n_trials == 0
            ? NULL
            : bsearch(&id, study->trials, study->n_trials,
                      sizeof(struct study_trial *), compare_id);
    return pass->trial = found != NULL ? *found : NULL;
}

static char **print_dists(const struct space *space)
{
    char **dists = mem_alloc(space->n + 1, sizeof(*dists));
    for (size_t i = 0; i < space->n; i++) {
        struct buf text;
        struct json_out out;
        buf_init(&text, STORE_TEXT_MAX);
        json_out_init(&out, &text, JSON_PYTHON);
        dist_put_optuna(&space->params[i].dist, &out);
        dists[i] = buf_take(&text);
    }
    return dists;
}

int store_load_params(struct store_loading *l)
{
    const struct space *space = &l->study->spec.space;
    struct pass pass = {.l = l, .dists = print_dists(space)};
    int rc = store_open_params(l, &pass.row);
    while (rc == 0 && pass.row.has_row) {
        if (trial_of_row(&pass) != NULL) {
            rc = load_param(&pass);
        }
        if (rc == 0) {
            rc = store_row_next(&pass.row);
        }
    }
    store_row_close(&pass.row);
    for (size_t i = 0; i < space->n; i++) {
        free(pass.dists[i]);
    }
    free(pass.dists);
    return rc;
}

/* Older builds took a computed grid point for another than the written one, and
 * left out what hangs on it. */
static bool may_be_left_out(const struct space *space, size_t i)
{
    const struct param *p = &space->params[i];
    for (size_t k = 0; k < p->n_when; k++) {
        const struct dist *d = &space->params[p->when[k].parent].dist;
        if (d->kind == DIST_FLOAT && d->step > 0.0) {
            return true;
        }
    }
    return false;
}

int store_check_params(const struct store_loading *l,
                       const struct study_trial *t)
{
    const struct space *space = &l->study->spec.space;
    double *values = mem_alloc(space->n + 1, sizeof(*values));
    int rc = 0;
    study_values(l->study, t->number, values);
    for (size_t i = 0; rc == 0 && t->attempt > 0 && i < space->n; i++) {
        if (isnan(values[i]) && !may_be_left_out(space, i) &&
            space_is_active(space, values, i)) {
            const struct store_row r = {.store = l->store,
                                        .table = "trials",
                                        .id = t->id,
                                        .err = l->err};
            rc = store_row_bad(&r, "its parameter '%s' is missing",
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
        rc = store_row_ms(r, 1, INT64_MAX, &began);
        if (rc == 0 && runs) {
            t->attempt_ms = began;
        } else if (rc == 0) {
            rc = store_row_ms(r, 2, INT64_MAX, &ended);
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
        if (node == NULL || dist_value_from_optuna(&space->params[i].dist, node,
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
