/* The JSON forms of distributions and their values: Optuna's columns
 * distribution_json and param_value (optuna/distributions.py). */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/space.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- choices and values --------------------------------------------------- */

int choice_from_json(const struct json *node, struct choice *out,
                     struct err *err)
{
    switch (json_kind(node)) {
    case JSON_NULL:
        *out = (struct choice){.kind = CHOICE_NULL};
        return 0;
    case JSON_BOOL:
        *out = (struct choice){.kind = CHOICE_BOOL, .number = json_bool(node)};
        return 0;
    case JSON_NUMBER:
        *out = (struct choice){.kind =
                                   json_is_int(node) ? CHOICE_INT : CHOICE_REAL,
                               .number = json_number(node)};
        return 0;
    case JSON_STRING:
        *out = (struct choice){.kind = CHOICE_STRING,
                               .string = mem_strdup(json_string(node))};
        return 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return err_set(err, ERR_INVALID, "a choice must not be %s",
                   json_kind_name(node));
}

void choice_put(const struct choice *c, struct json_out *w)
{
    switch (c->kind) {
    case CHOICE_NULL:
        json_put_null(w);
        return;
    case CHOICE_BOOL:
        json_put_bool(w, c->number != 0.0);
        return;
    case CHOICE_INT:
        json_put_int(w, (int64_t)c->number);
        return;
    case CHOICE_REAL:
        json_put_double(w, c->number);
        return;
    case CHOICE_STRING:
        json_put_string(w, c->string);
        return;
    }
}

static void put_number(const struct dist *d, double v, struct json_out *w)
{
    if (d->kind == DIST_INT && fabs(v) <= 0x1p53) {
        json_put_int(w, (int64_t)v);
    } else {
        json_put_double(w, v);
    }
}

void dist_put_value(const struct dist *d, double value, struct json_out *w)
{
    if (isnan(value) ||
        (d->kind == DIST_CATEGORICAL && !dist_contains(d, value))) {
        json_put_null(w);
    } else if (d->kind == DIST_CATEGORICAL) {
        choice_put(&d->choices[(size_t)value], w);
    } else {
        put_number(d, value, w);
    }
}

/* Say what it is, and which choices there are. */
static int refuse_choice(const struct dist *d, const struct choice *c,
                         struct err *err)
{
    struct buf list;
    struct json_out w;
    buf_init(&list, 1024);
    json_out_init(&w, &list, JSON_COMPACT);
    choice_put(c, &w);
    buf_str(&list, " is not one of the choices ");
    w.comma = false;
    json_open(&w, '[');
    for (size_t i = 0; i < d->n_choices; i++) {
        dist_put_value(d, (double)i, &w);
    }
    json_close(&w, ']');
    err_set(err, ERR_INVALID, "%s",
            list.overflow ? "is not one of the choices" : list.data);
    buf_fini(&list);
    return ERR_INVALID;
}

/* The same for a sentence. */
static void number_text(const struct dist *d, double v, char out[32])
{
    if (d->kind == DIST_INT && fabs(v) <= 0x1p53 && v == floor(v)) {
        snprintf(out, 32, "%" PRId64, (int64_t)v);
    } else {
        json_repr(v, out);
    }
}

int dist_check(const struct dist *d, double value, struct err *err)
{
    if (dist_contains(d, value)) {
        return 0;
    }
    if (d->kind == DIST_CATEGORICAL) {
        return err_set(err, ERR_INVALID, "%g is none of its %zu choices", value,
                       d->n_choices);
    }
    char v[32], low[32], high[32], step[32];
    number_text(d, value, v);
    number_text(d, d->low, low);
    number_text(d, d->high, high);
    number_text(d, d->step, step);
    bool has_grid = d->step != (d->kind == DIST_INT ? 1.0 : 0.0);
    return err_set(err, ERR_INVALID, "%s is not in [%s, %s]%s%s", v, low, high,
                   has_grid ? " by steps of " : "", has_grid ? step : "");
}

/* Index of the first choice that is so; -1: none. */
static int find(const struct dist *d, const struct choice *c,
                bool (*is_so)(const struct choice *a, const struct choice *b))
{
    for (size_t i = 0; i < d->n_choices; i++) {
        if (is_so(&d->choices[i], c)) {
            return (int)i;
        }
    }
    return -1;
}

static int choice_index(const struct dist *d, const struct json *node,
                        bool as_python, double *out, struct err *err)
{
    struct choice c;
    int rc = choice_from_json(node, &c, err);
    if (rc != 0) {
        return rc;
    }
    int at = find(d, &c, choice_is_same);
    at = at < 0 && as_python ? find(d, &c, choice_equal) : at;
    if (at < 0) {
        rc = refuse_choice(d, &c, err);
    } else {
        *out = at;
    }
    choice_fini(&c);
    return rc;
}

int dist_value_from_json(const struct dist *d, const struct json *node,
                         double *out, struct err *err)
{
    int64_t whole;
    switch (d->kind) {
    case DIST_FLOAT:
        if (json_kind(node) != JSON_NUMBER) {
            return err_set(err, ERR_INVALID, "must be a number, not %s",
                           json_kind_name(node));
        }
        *out = json_number(node);
        return 0;
    case DIST_INT:
        if (!json_integer(node, &whole)) {
            return err_set(err, ERR_INVALID, "must be a whole number");
        }
        *out = (double)whole;
        return 0;
    case DIST_CATEGORICAL:
        break;
    }
    return choice_index(d, node, false, out, err);
}

int dist_value_from_optuna(const struct dist *d, const struct json *node,
                           double *out, struct err *err)
{
    return d->kind == DIST_CATEGORICAL
               ? choice_index(d, node, true, out, err)
               : dist_value_from_json(d, node, out, err);
}

/* --- writing Optuna's form ------------------------------------------------ */

static void put_range(const struct dist *d, struct json_out *w)
{
    json_put_key(w, "low");
    put_number(d, d->low, w);
    json_put_key(w, "high");
    put_number(d, d->high, w);
}

void dist_put_optuna(const struct dist *d, struct json_out *w)
{
    static const char *const names[] = {[DIST_FLOAT] = "FloatDistribution",
                                        [DIST_INT] = "IntDistribution",
                                        [DIST_CATEGORICAL] =
                                            "CategoricalDistribution"};
    json_open(w, '{');
    json_put_key(w, "name");
    json_put_string(w, names[d->kind]);
    json_put_key(w, "attributes");
    json_open(w, '{');
    switch (d->kind) { /* keys in Optuna's order, which differs by kind */
    case DIST_FLOAT:
        json_put_key(w, "step");
        if (d->step > 0.0) {
            json_put_double(w, d->step);
        } else {
            json_put_null(w);
        }
        put_range(d, w);
        json_put_key(w, "log");
        json_put_bool(w, d->log);
        break;
    case DIST_INT:
        json_put_key(w, "log");
        json_put_bool(w, d->log);
        json_put_key(w, "step");
        put_number(d, d->step, w);
        put_range(d, w);
        break;
    case DIST_CATEGORICAL:
        json_put_key(w, "choices");
        json_open(w, '[');
        for (size_t i = 0; i < d->n_choices; i++) {
            choice_put(&d->choices[i], w);
        }
        json_close(w, ']');
        break;
    }
    json_close(w, '}');
    json_close(w, '}');
}

/* --- reading it, and its ancestors ---------------------------------------- */

/* X(name, kind, log, key of the step or NULL) */
#define OPTUNA_CLASSES(X)                                                      \
    X("FloatDistribution", DIST_FLOAT, false, "step")                          \
    X("IntDistribution", DIST_INT, false, "step")                              \
    X("CategoricalDistribution", DIST_CATEGORICAL, false, NULL)                \
    X("UniformDistribution", DIST_FLOAT, false, NULL)                          \
    X("LogUniformDistribution", DIST_FLOAT, true, NULL)                        \
    X("DiscreteUniformDistribution", DIST_FLOAT, false, "q")                   \
    X("IntUniformDistribution", DIST_INT, false, "step")                       \
    X("IntLogUniformDistribution", DIST_INT, true, "step")                     \
    X("float", DIST_FLOAT, false, "step")                                      \
    X("int", DIST_INT, false, "step")                                          \
    X("categorical", DIST_CATEGORICAL, false, NULL)

struct optuna_class {
    const char *name;
    enum dist_kind kind;
    bool log;
    const char *step_key;
};

static const struct optuna_class *class_by_name(const char *name)
{
    static const struct optuna_class classes[] = {
#define X(name, kind, log, step_key) {name, kind, log, step_key},
        OPTUNA_CLASSES(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        if (strcmp(classes[i].name, name) == 0) {
            return &classes[i];
        }
    }
    return NULL;
}

/* A number at key; absent and null leave *out alone when optional. */
static int number_at(const struct json *from, const char *key, bool optional,
                     double *out, struct err *err)
{
    const struct json *node = json_get(from, key);
    if (optional && (node == NULL || json_kind(node) == JSON_NULL)) {
        return 0;
    }
    if (node == NULL || json_kind(node) != JSON_NUMBER) {
        return err_set(err, ERR_INVALID, "'%s' must be a number", key);
    }
    *out = json_number(node);
    return 0;
}

static int read_choices(const struct json *from, struct dist *d,
                        struct err *err)
{
    const struct json *list = json_get(from, "choices");
    if (list == NULL || json_kind(list) != JSON_ARRAY) {
        return err_set(err, ERR_INVALID, "'choices' must be a list");
    }
    int n = json_size(list);
    if (n > SPACE_MAX_CHOICES) {
        return err_set(err, ERR_LIMIT, "there may be at most %d choices",
                       SPACE_MAX_CHOICES);
    }
    d->choices = mem_alloc((size_t)n, sizeof(*d->choices));
    for (const struct json *it = json_first(list); it != NULL;
         it = json_next(it)) {
        int rc = choice_from_json(it, &d->choices[d->n_choices], err);
        if (rc != 0) {
            return rc;
        }
        d->n_choices++;
    }
    return 0;
}

static int read_range(const struct json *from, const struct optuna_class *c,
                      struct dist *d, struct err *err)
{
    d->step = d->kind == DIST_INT ? 1.0 : 0.0;
    int rc = number_at(from, "low", false, &d->low, err);
    if (rc == 0) {
        rc = number_at(from, "high", false, &d->high, err);
    }
    if (rc == 0 && c->step_key != NULL) {
        double step = NAN; /* "absent" must not pass for a step of 0 */
        bool optional = strcmp(c->step_key, "step") == 0;
        rc = number_at(from, c->step_key, optional, &step, err);
        if (rc == 0 && !isnan(step)) {
            if (step <= 0.0) {
                return err_set(err, ERR_INVALID, "step must be > 0");
            }
            d->step = step;
        }
    }
    const struct json *log = json_get(from, "log");
    if (rc == 0 && log != NULL) {
        if (json_kind(log) != JSON_BOOL) {
            return err_set(err, ERR_INVALID, "'log' must be true or false");
        }
        d->log = d->log || json_bool(log);
    }
    if (rc == 0 && d->kind == DIST_INT && c->log) {
        d->step = 1.0; /* IntLogUniformDistribution's step had no meaning */
    }
    return rc;
}

int dist_from_optuna(const struct json *node, struct dist *out, struct err *err)
{
    if (json_kind(node) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID,
                       "a distribution must be an object, not %s",
                       json_kind_name(node));
    }
    const struct json *name = json_get(node, "name");
    const struct json *from = node; /* the short form has no "attributes" */
    if (name != NULL) {
        from = json_get(node, "attributes");
    } else {
        name = json_get(node, "type");
    }
    if (name == NULL || json_kind(name) != JSON_STRING || from == NULL ||
        json_kind(from) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID,
                       "a distribution needs 'name' and 'attributes'");
    }
    const struct optuna_class *c = class_by_name(json_string(name));
    if (c == NULL) {
        return err_set(err, ERR_INVALID, "unknown distribution '%.100s'",
                       json_string(name));
    }
    struct dist d = {.kind = c->kind, .log = c->log};
    int rc = d.kind == DIST_CATEGORICAL ? read_choices(from, &d, err)
                                        : read_range(from, c, &d, err);
    if (rc == 0) {
        rc = dist_normalize(&d, err);
    }
    if (rc != 0) {
        dist_fini(&d);
        return rc;
    }
    *out = d;
    return 0;
}
