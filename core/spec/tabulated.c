#include "core/spec/tabulated.h"
#include "core/base/json.h"

#include <math.h>
#include <string.h>

/* --- reading -------------------------------------------------------------- */

int tabulated_space(const struct json *table, const struct json **space,
                    struct err *err)
{
    *space = json_kind(table) == JSON_OBJECT ? json_get(table, "space") : NULL;
    return *space != NULL && json_kind(*space) == JSON_ARRAY
               ? 0
               : err_set(err, ERR_INVALID, "the table has no list 'space'");
}

int tabulated_axis(const struct json *axis, const char **name,
                   const struct json **values, struct err *err)
{
    bool is_object = json_kind(axis) == JSON_OBJECT;
    const struct json *text = is_object ? json_get(axis, "name") : NULL;
    *values = is_object ? json_get(axis, "values") : NULL;
    if (text == NULL || json_kind(text) != JSON_STRING || *values == NULL ||
        json_kind(*values) != JSON_ARRAY) {
        return err_set(err, ERR_INVALID, "the table's space is damaged");
    }
    *name = json_string(text);
    return 0;
}

static int no_index(int64_t n, struct err *err)
{
    return err_set(err, ERR_INVALID, "must be an index from 0 to %d",
                   (int)n - 1);
}

static int string_index(const struct json *values, const char *string,
                        int64_t *index, struct err *err)
{
    *index = 0;
    for (const struct json *v = json_first(values); v != NULL;
         v = json_next(v), ++*index) {
        if (json_kind(v) == JSON_STRING &&
            strcmp(json_string(v), string) == 0) {
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "'%.100s' is not in the table", string);
}

int tabulated_index(const struct json *values, const struct json *value,
                    int64_t *index, struct err *err)
{
    int64_t n = json_size(values);
    if (json_kind(value) == JSON_STRING) {
        return string_index(values, json_string(value), index, err);
    }
    return json_integer(value, index) && *index >= 0 && *index < n
               ? 0
               : no_index(n, err);
}

/* --- checking ------------------------------------------------------------- */

static int check_choice(const struct choice *c, const struct json *values,
                        struct err *err)
{
    int64_t index, n = json_size(values);
    if (c->kind == CHOICE_STRING) {
        return string_index(values, c->string, &index, err);
    }
    bool is_number = c->kind == CHOICE_INT || c->kind == CHOICE_REAL;
    return is_number && c->number == floor(c->number) && c->number >= 0.0 &&
                   c->number < (double)n
               ? 0
               : no_index(n, err);
}

/* Is whatever it draws in the list? */
static int check_dist(const struct dist *d, const struct json *values,
                      struct err *err)
{
    int64_t n = json_size(values);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < d->n_choices; i++) {
        rc = check_choice(&d->choices[i], values, err);
    }
    if (d->kind == DIST_CATEGORICAL) {
        return rc;
    }
    bool is_whole =
        d->low == floor(d->low) &&
        (dist_is_single(d) || (d->step > 0.0 && d->step == floor(d->step)));
    return is_whole && d->low >= 0.0 && d->high < (double)n ? 0
                                                            : no_index(n, err);
}

static int check_axis(const struct spec *s, const char *name,
                      const struct json *values, struct err *err)
{
    int at = space_find(&s->space, name);
    int rc = 0;
    if (at < 0) {
        rc = err_set(err, ERR_INVALID, "missing, but the table has it");
    } else if (s->space.params[at].n_when > 0) {
        rc = err_set(err, ERR_INVALID,
                     "has a 'when', but a table needs every parameter in every "
                     "trial");
    } else {
        rc = check_dist(&s->space.params[at].dist, values, err);
    }
    return rc != 0 ? err_wrap(err, "params.%s", name) : 0;
}

int tabulated_check(const struct json *table, const struct spec *s,
                    struct err *err)
{
    const struct json *space, *axis_values;
    const char *name;
    double n_points = 1.0; /* of a damaged table more than an integer holds */
    int rc = tabulated_space(table, &space, err);
    for (const struct json *axis = rc == 0 ? json_first(space) : NULL;
         rc == 0 && axis != NULL; axis = json_next(axis)) {
        rc = tabulated_axis(axis, &name, &axis_values, err);
        if (rc == 0) {
            rc = check_axis(s, name, axis_values, err);
            n_points *= json_size(axis_values);
        }
    }
    if (rc != 0) {
        return rc;
    }
    if (json_size(space) != (int)s->space.n) {
        return err_set(err, ERR_INVALID,
                       "params: the table has %d parameters, not %zu",
                       json_size(space), s->space.n);
    }
    const struct json *values = json_get(table, "values");
    return values != NULL && json_kind(values) == JSON_ARRAY &&
                   json_size(values) >= n_points
               ? 0
               : err_set(err, ERR_INVALID,
                         "the table's list 'values' must have a value for each "
                         "of its %.0f points",
                         n_points);
}
