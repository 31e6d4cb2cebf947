/* A distribution in a config: {"float": [1e-5, 1e-3], "log": true}. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/spec/spec_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int spec_check_text(const char *text, struct err *err)
{
    size_t len = strlen(text);
    if (len == 0 || len > SPEC_NAME_MAX) {
        return err_set(err, ERR_INVALID, "must have 1 to %d bytes",
                       SPEC_NAME_MAX);
    }
    if (!utf8_is_valid(text, len)) {
        return err_set(err, ERR_INVALID, "must be valid UTF-8");
    }
    for (size_t at = 0; at < len;) {
        unsigned c = utf8_next(text, &at);
        if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
            return err_set(err, ERR_INVALID,
                           "must not contain control characters");
        }
    }
    return 0;
}

static const char *const KIND_KEYS[] = {
    [DIST_FLOAT] = "float", [DIST_INT] = "int", [DIST_CATEGORICAL] = "choice"};

/* Exactly one of float, int, choice; no key that the kind does not know. */
static int read_kind(const struct run_field *f, const struct json *node,
                     enum dist_kind *kind, struct err *err)
{
    static const char *const known[] = {"float", "int", "choice", "name",
                                        "step",  "log", "when"};
    int n_kinds = 0;
    for (int i = 0; i < (int)ARRAY_LEN(KIND_KEYS); i++) {
        if (json_get(node, KIND_KEYS[i]) != NULL) {
            *kind = (enum dist_kind)i;
            n_kinds++;
        }
    }
    for (const struct json *it = json_first(node); it != NULL;
         it = json_next(it)) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            found = found || strcmp(json_key(it), known[i]) == 0;
        }
        if (!found) {
            return spec_unknown_key(f->path, json_key(it), known,
                                    ARRAY_LEN(known), err);
        }
    }
    if (n_kinds != 1) {
        return err_set(err, ERR_INVALID,
                       "%s: a distribution has one of 'float', 'int', "
                       "'choice'",
                       f->path);
    }
    if (*kind == DIST_CATEGORICAL &&
        (json_get(node, "step") != NULL || json_get(node, "log") != NULL)) {
        return err_set(err, ERR_INVALID,
                       "%s: 'choice' has neither 'step' nor 'log'", f->path);
    }
    return 0;
}

/* A choice has the field's type: [4, 8], [0.1, 1], ["padding"]. */
static int read_choice(const struct run_field *f, const struct json *node,
                       struct choice *out, struct err *err)
{
    int64_t whole;
    if (f->section == NULL) { /* of `params`: anything goes */
        return choice_from_json(node, out, err) == 0
                   ? 0
                   : err_wrap(err, "%s", f->path);
    }
    switch (f->type) {
    case RUN_INT:
        if (!json_integer(node, &whole)) {
            return err_set(err, ERR_INVALID,
                           "%s: choices must be whole numbers", f->path);
        }
        *out = (struct choice){.kind = CHOICE_INT, .number = (double)whole};
        break;
    case RUN_REAL:
        if (json_kind(node) != JSON_NUMBER) {
            return err_set(err, ERR_INVALID, "%s: choices must be numbers",
                           f->path);
        }
        *out =
            (struct choice){.kind = CHOICE_REAL, .number = json_number(node)};
        break;
    default:
        if (json_kind(node) != JSON_STRING ||
            run_enum_value(f->type, json_string(node)) < 0) {
            return err_set(err, ERR_INVALID, "%s: choices must be among %s",
                           f->path, run_enum_names(f->type));
        }
        *out = (struct choice){.kind = CHOICE_STRING,
                               .string = mem_strdup(json_string(node))};
        return 0;
    }
    if (out->number < f->low || out->number > f->high) {
        return err_set(err, ERR_INVALID,
                       "%s: choices must be between %.10g and %.10g", f->path,
                       f->low, f->high);
    }
    return 0;
}

static bool stands_there(const struct dist *d, const struct choice *c)
{
    for (size_t i = 0; i < d->n_choices; i++) {
        if (choice_is_same(&d->choices[i], c)) {
            return true;
        }
    }
    return false;
}

static int read_choices(const struct run_field *f, const struct json *list,
                        struct dist *d, struct err *err)
{
    if (json_kind(list) != JSON_ARRAY) {
        return err_set(err, ERR_INVALID, "%s: 'choice' must be a list, not %s",
                       f->path, json_kind_name(list));
    }
    int n = json_size(list);
    if (n > SPACE_MAX_CHOICES) {
        return err_set(err, ERR_INVALID, "%s: there may be at most %d choices",
                       f->path, SPACE_MAX_CHOICES);
    }
    d->choices = mem_alloc((size_t)n, sizeof(*d->choices));
    for (const struct json *it = json_first(list); it != NULL;
         it = json_next(it)) {
        struct choice c;
        int rc = read_choice(f, it, &c, err);
        if (rc != 0) {
            return rc;
        }
        bool twice = stands_there(d, &c);
        d->choices[d->n_choices++] = c;
        if (twice) {
            return err_set(err, ERR_INVALID,
                           "%s: choice number %zu stands there twice", f->path,
                           d->n_choices);
        }
    }
    return 0;
}

/* Of a whole number that is too large the double may be another's that is not.
 */
static int read_end(const struct run_field *f, const struct json *node,
                    enum dist_kind kind, double *out, struct err *err)
{
    int64_t whole;
    if (json_kind(node) != JSON_NUMBER) {
        return err_set(err, ERR_INVALID, "%s: '%s' must be [low, high]",
                       f->path, KIND_KEYS[kind]);
    }
    *out = json_number(node);
    return kind == DIST_INT && *out == floor(*out) &&
                   !json_integer(node, &whole)
               ? err_set(err, ERR_INVALID,
                         "%s: low and high must be within 2^53", f->path)
               : 0;
}

static int read_step(const struct run_field *f, const struct json *node,
                     double *out, struct err *err)
{
    if (json_kind(node) != JSON_NUMBER) {
        return err_set(err, ERR_INVALID, "%s: step must be a number", f->path);
    }
    *out = json_number(node);
    return *out > 0.0
               ? 0
               : err_set(err, ERR_INVALID, "%s: step must be > 0", f->path);
}

static int read_range(const struct run_field *f, const struct json *node,
                      struct dist *d, struct err *err)
{
    const struct json *ends = json_get(node, KIND_KEYS[d->kind]);
    const struct json *step = json_get(node, "step");
    const struct json *log = json_get(node, "log");
    if (json_kind(ends) != JSON_ARRAY || json_size(ends) != 2) {
        return err_set(err, ERR_INVALID, "%s: '%s' must be [low, high]",
                       f->path, KIND_KEYS[d->kind]);
    }
    const struct json *low = json_first(ends);
    int rc = read_end(f, low, d->kind, &d->low, err);
    if (rc == 0) {
        rc = read_end(f, json_next(low), d->kind, &d->high, err);
    }
    d->step = d->kind == DIST_INT ? 1.0 : 0.0;
    if (rc == 0 && step != NULL) {
        rc = read_step(f, step, &d->step, err);
    }
    if (rc == 0 && log != NULL) {
        if (json_kind(log) != JSON_BOOL) {
            return err_set(err, ERR_INVALID, "%s: log must be true or false",
                           f->path);
        }
        d->log = json_bool(log);
    }
    return rc;
}

/* A float distribution would give an int field numbers like 2.5; an int one
 * on a real field is a grid of whole numbers, which is fine. */
static int check_kind(const struct run_field *f, enum dist_kind kind,
                      struct err *err)
{
    if (kind == DIST_CATEGORICAL || f->type == RUN_REAL ||
        (f->type == RUN_INT && kind == DIST_INT)) {
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   f->type == RUN_INT
                       ? "%s: takes whole numbers: use 'int' or 'choice'"
                       : "%s: takes words: use 'choice'",
                   f->path);
}

static int read_dist(const struct run_field *f, const struct json *node,
                     struct dist *d, struct err *err)
{
    int rc = read_kind(f, node, &d->kind, err);
    if (rc == 0) {
        rc = check_kind(f, d->kind, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (d->kind == DIST_CATEGORICAL) {
        rc = read_choices(f, json_get(node, "choice"), d, err);
    } else {
        rc = read_range(f, node, d, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (dist_normalize(d, err) != 0) {
        return err_wrap(err, "%s", f->path);
    }
    if (d->kind != DIST_CATEGORICAL && (d->low < f->low || d->high > f->high)) {
        return err_set(err, ERR_INVALID,
                       "%s: %s must be between %.10g and %.10g", f->path,
                       d->low < f->low || d->low > f->high ? "low" : "high",
                       f->low, f->high);
    }
    return 0;
}

int spec_read_param(const struct run_field *field, const struct json *node,
                    struct param *out, struct err *err)
{
    const struct json *name = json_get(node, "name");
    struct dist d = {0};
    if (name != NULL && json_kind(name) != JSON_STRING) {
        return err_set(err, ERR_INVALID, "%s.name: must be a string, not %s",
                       field->path, json_kind_name(name));
    }
    const char *text = name != NULL ? json_string(name) : field->key;
    if (spec_check_text(text, err) != 0) {
        return err_wrap(err, "%s.name", field->path);
    }
    int rc = read_dist(field, node, &d, err);
    if (rc != 0) {
        dist_fini(&d);
        return rc;
    }
    *out = (struct param){
        .name = mem_strdup(text), .field = (int)(field - RUN_FIELD), .dist = d};
    return 0;
}

int spec_read_free_param(const char *name, const struct json *node,
                         struct param *out, struct err *err)
{
    char *path = mem_printf("params.%s", name);
    const struct run_field any = {.path = path,
                                  .type = RUN_REAL,
                                  .low = -1e300,
                                  .high = 1e300,
                                  .searchable = true};
    struct dist d = {0};
    int rc = 0;
    if (spec_check_text(name, err) != 0) {
        rc = err_wrap(err, "params");
    } else if (json_kind(node) != JSON_OBJECT) {
        rc = err_set(err, ERR_INVALID, "%s: must be a distribution, not %s",
                     path, json_kind_name(node));
    } else if (json_get(node, "name") != NULL) {
        rc = err_set(err, ERR_INVALID, "%s.name: its key is its name", path);
    } else {
        rc = read_dist(&any, node, &d, err);
    }
    free(path);
    if (rc != 0) {
        dist_fini(&d);
        return rc;
    }
    *out = (struct param){.name = mem_strdup(name), .field = -1, .dist = d};
    return 0;
}

/* --- conditions ----------------------------------------------------------- */

static int read_condition_values(const struct param *parent, const char *path,
                                 const struct json *node, struct condition *c,
                                 struct err *err)
{
    bool is_list = json_kind(node) == JSON_ARRAY;
    size_t n = is_list ? (size_t)json_size(node) : 1;
    if (n == 0) {
        return err_set(err, ERR_INVALID, "%s.when.%s: an empty list", path,
                       parent->name);
    }
    c->values = mem_alloc(n, sizeof(*c->values));
    for (const struct json *it = is_list ? json_first(node) : node; it != NULL;
         it = is_list ? json_next(it) : NULL) {
        double v = 0.0;
        if (dist_value_from_json(&parent->dist, it, &v, err) != 0) {
            return err_wrap(err, "%s.when.%s", path, parent->name);
        }
        if (!dist_contains(&parent->dist, v)) {
            return err_set(err, ERR_INVALID,
                           "%s.when.%s: %g is no value that it can have", path,
                           parent->name, v);
        }
        c->values[c->n++] = v;
    }
    return 0;
}

int spec_read_conditions(const struct space *s, const char *path,
                         const struct json *node, struct param *p,
                         struct err *err)
{
    const struct json *when = json_get(node, "when");
    if (when == NULL) {
        return 0;
    }
    if (json_kind(when) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID,
                       "%s.when: must be {NAME: VALUE or [VALUES]}, not %s",
                       path, json_kind_name(when));
    }
    p->when = mem_alloc((size_t)json_size(when), sizeof(*p->when));
    for (const struct json *it = json_first(when); it != NULL;
         it = json_next(it)) {
        int parent = space_find(s, json_key(it));
        if (parent < 0) {
            return err_set(err, ERR_INVALID,
                           "%s.when: there is no parameter '%.100s'", path,
                           json_key(it));
        }
        struct condition *c = &p->when[p->n_when++];
        c->parent = (size_t)parent;
        int rc = read_condition_values(&s->params[parent], path, it, c, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void put_conditions(const struct space *s, const struct param *p,
                           struct json_out *w)
{
    json_put_key(w, "when");
    json_open(w, '{');
    for (size_t k = 0; k < p->n_when; k++) {
        const struct condition *c = &p->when[k];
        json_put_key(w, s->params[c->parent].name);
        json_open(w, '[');
        for (size_t i = 0; i < c->n; i++) {
            dist_put_value(&s->params[c->parent].dist, c->values[i], w);
        }
        json_close(w, ']');
    }
    json_close(w, '}');
}

static void put_end(const struct dist *d, double v, struct json_out *w)
{
    if (d->kind == DIST_INT) {
        json_put_int(w, (int64_t)v);
    } else {
        json_put_double(w, v);
    }
}

void spec_put_param(const struct space *s, const struct param *p,
                    struct json_out *w)
{
    const struct dist *d = &p->dist;
    json_open(w, '{');
    if (p->field >= 0 && strcmp(p->name, RUN_FIELD[p->field].key) != 0) {
        json_put_key(w, "name");
        json_put_string(w, p->name);
    }
    json_put_key(w, KIND_KEYS[d->kind]);
    json_open(w, '[');
    for (size_t i = 0; i < d->n_choices; i++) {
        choice_put(&d->choices[i], w);
    }
    if (d->kind != DIST_CATEGORICAL) {
        put_end(d, d->low, w);
        put_end(d, d->high, w);
    }
    json_close(w, ']');
    if (d->step != (d->kind == DIST_INT ? 1.0 : 0.0)) {
        json_put_key(w, "step");
        put_end(d, d->step, w);
    }
    if (d->log) {
        json_put_key(w, "log");
        json_put_bool(w, true);
    }
    if (p->n_when > 0) {
        put_conditions(s, p, w);
    }
    json_close(w, '}');
}
