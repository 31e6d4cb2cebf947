#include "core/spec/spec_json.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/spec_table.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SOURCES_MAX = 64,
    SOURCE_BYTES_MAX = 4096,
};

static int wrong_kind(const struct spec_row *row, const char *want,
                      const struct json *node, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: must be %s, not %s", row->path, want,
                   json_kind_name(node));
}

/* --- the object's skeleton ------------------------------------------------ */

static const struct {
    const char *name, *path;
} SECTIONS[] = {
#define X(name, path) {name, path},
    SPEC_SECTIONS(X)
#undef X
};

/* The keys that an object of the config may have: its rows, and the names of
 * the objects in it. */
static size_t known_keys(const char *section, const char *known[])
{
    size_t n = 0;
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        if (strcmp(SPEC_ROWS[i].section, section) == 0) {
            known[n++] = SPEC_ROWS[i].key;
        }
    }
    if (strcmp(section, "training") == 0) {
        known[n++] = "early_stopping";
    }
    if (section[0] == '\0') {
        known[n++] = "$schema";
    }
    for (size_t i = 1; section[0] == '\0' && i < ARRAY_LEN(SECTIONS); i++) {
        if (strchr(SECTIONS[i].path, '.') == NULL) {
            known[n++] = SECTIONS[i].name;
        }
    }
    return n;
}

/* The object of a section, NULL where the config has none. */
static const struct json *section_of(const struct json *root, size_t i)
{
    const char *name = SECTIONS[i].name;
    if (name[0] == '\0') {
        return root;
    }
    if (strcmp(name, "early_stopping") == 0) {
        root = json_get(root, "training");
    }
    const struct json *node = root != NULL ? json_get(root, name) : NULL;
    return node != NULL && json_kind(node) == JSON_OBJECT ? node : NULL;
}

static int check_section(const struct json *root, size_t i, struct err *err)
{
    const char *known[64];
    size_t n = known_keys(SECTIONS[i].name, known);
    const struct json *object = section_of(root, i);
    for (const struct json *it = object != NULL ? json_first(object) : NULL;
         it != NULL; it = json_next(it)) {
        size_t at = 0;
        while (at < n && strcmp(known[at], json_key(it)) != 0) {
            at++;
        }
        if (at == n) {
            return spec_unknown_key(SECTIONS[i].path, json_key(it), known, n,
                                    err);
        }
    }
    return 0;
}

/* Sections are objects; only early_stopping may be null. */
static int check_objects(const struct json *root, struct err *err)
{
    if (json_kind(root) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID,
                       "a study config must be an object, not %s",
                       json_kind_name(root));
    }
    for (size_t i = 1; i < ARRAY_LEN(SECTIONS); i++) {
        bool is_early = strcmp(SECTIONS[i].name, "early_stopping") == 0;
        const struct json *in = is_early ? json_get(root, "training") : root;
        const struct json *node =
            in != NULL ? json_get(in, SECTIONS[i].name) : NULL;
        if (node != NULL && json_kind(node) != JSON_OBJECT &&
            !(is_early && json_kind(node) == JSON_NULL)) {
            return err_set(err, ERR_INVALID, "%s: must be an object, not %s",
                           SECTIONS[i].path, json_kind_name(node));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(SECTIONS); i++) {
        int rc = check_section(root, i, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- one value ------------------------------------------------------------ */

static int out_of_range(const char *path, double low, double high,
                        struct err *err)
{
    return err_set(err, ERR_INVALID, "%s: must be between %.16g and %.16g",
                   path, low, high);
}

static int read_whole(const struct spec_row *row, const struct json *node,
                      int64_t *out, struct err *err)
{
    if (json_kind(node) != JSON_NUMBER) {
        return wrong_kind(row, "a whole number", node, err);
    }
    double v = json_number(node);
    if (v != floor(v)) {
        return err_set(err, ERR_INVALID,
                       "%s: must be a whole number, not %.17g", row->path, v);
    }
    if (v < row->low || v > row->high || !json_integer(node, out)) {
        return out_of_range(row->path, row->low, row->high, err);
    }
    return 0;
}

static int read_real(const struct spec_row *row, const struct json *node,
                     double *out, struct err *err)
{
    if (json_kind(node) != JSON_NUMBER) {
        return wrong_kind(
            row, row->type == SPEC_OPTIONAL ? "a number or null" : "a number",
            node, err);
    }
    double v = json_number(node);
    if (v < row->low || v > row->high) {
        return out_of_range(row->path, row->low, row->high, err);
    }
    *out = v;
    return 0;
}

static int read_name(const struct spec_row *row, const struct json *node,
                     char **out, struct err *err)
{
    if (json_kind(node) != JSON_STRING) {
        return wrong_kind(row, "a string", node, err);
    }
    bool may_be_empty = row->type == SPEC_TEXT;
    bool is_empty = json_string(node)[0] == '\0';
    if (!(may_be_empty && is_empty) &&
        spec_check_text(json_string(node), err) != 0) {
        return err_wrap(err, "%s", row->path);
    }
    free(*out);
    *out = mem_strdup(json_string(node));
    return 0;
}

/* One of `words`; on success *out is its index. */
static int read_word(const struct spec_row *row, const struct json *node,
                     unsigned *out, struct err *err)
{
    size_t n;
    const char *const *words = spec_words(row->type, &n);
    if (json_kind(node) != JSON_STRING) {
        return wrong_kind(row, "a string", node, err);
    }
    struct buf list;
    buf_init(&list, sizeof(err->msg));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(words[i], json_string(node)) == 0) {
            *out = (unsigned)i;
            buf_fini(&list);
            return 0;
        }
        buf_printf(&list, "%s%s", i > 0 ? ", " : "", words[i]);
    }
    int rc = err_set(err, ERR_INVALID, "%s: must be one of %s, not '%.100s'",
                     row->path, list.data, json_string(node));
    buf_fini(&list);
    return rc;
}

static int read_fractions(const struct spec_row *row, const struct json *node,
                          double out[3], struct err *err)
{
    if (json_kind(node) != JSON_ARRAY || json_size(node) != 3) {
        return err_set(err, ERR_INVALID,
                       "%s: must be a list of three numbers: train, "
                       "validation, test",
                       row->path);
    }
    int i = 0;
    for (const struct json *it = json_first(node); it != NULL;
         it = json_next(it)) {
        int rc = read_real(row, it, &out[i++], err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- lists of strings ----------------------------------------------------- */

/* One source needs no list around it. */
static bool may_be_one(const struct spec_row *row)
{
    return row->type == SPEC_SOURCES || row->type == SPEC_TEST_SOURCES;
}

static int check_entry(const struct spec_row *row, const char *s,
                       struct err *err)
{
    if (row->type != SPEC_COMMAND &&
        (row->type == SPEC_SPLITS || strlen(s) <= SPEC_NAME_MAX)) {
        if (spec_check_text(s, err) != 0) {
            return err_wrap(err, "%s", row->path);
        }
    } else if (strlen(s) > SOURCE_BYTES_MAX) {
        return err_set(err, ERR_INVALID, "%s: must have at most %d bytes",
                       row->path, SOURCE_BYTES_MAX);
    }
    /* An argument may be a whole script, or nothing. */
    for (const char *p = s; row->type != SPEC_COMMAND && *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            return err_set(err, ERR_INVALID,
                           "%s: must not contain control characters",
                           row->path);
        }
    }
    if (may_be_one(row) && strncmp(s, "hf:", 3) == 0 &&
        !spec_is_hub_name(s + 3)) {
        return err_set(err, ERR_INVALID,
                       "%s: '%.200s' is not hf:OWNER/NAME or "
                       "hf:OWNER/NAME/CONFIG",
                       row->path, s);
    }
    return 0;
}

static int read_strings(const struct spec_row *row, const struct json *node,
                        bool is_needed, char ***list, size_t *n_list,
                        struct err *err)
{
    bool is_one = may_be_one(row) && json_kind(node) == JSON_STRING;
    if (!is_one && json_kind(node) != JSON_ARRAY) {
        return wrong_kind(row,
                          may_be_one(row) ? "a string or a list of strings"
                                          : "a list of strings",
                          node, err);
    }
    int n = is_one ? 1 : json_size(node);
    if (n > SOURCES_MAX || (n == 0 && row->type == SPEC_SOURCES && is_needed)) {
        return err_set(err, ERR_INVALID, "%s: must have %d to %d entries",
                       row->path, row->type == SPEC_SOURCES, SOURCES_MAX);
    }
    *list = mem_alloc((size_t)n, sizeof(**list));
    for (const struct json *it = is_one ? node : json_first(node); it != NULL;
         it = is_one ? NULL : json_next(it)) {
        if (json_kind(it) != JSON_STRING) {
            return wrong_kind(row, "a list of strings", it, err);
        }
        int rc = check_entry(row, json_string(it), err);
        if (rc != 0) {
            return rc;
        }
        (*list)[(*n_list)++] = mem_strdup(json_string(it));
    }
    return 0;
}

/* --- run fields ----------------------------------------------------------- */

/* Takes the parameter; a name must be free. */
static int add_param(const char *path, struct param p, struct spec *s,
                     struct err *err)
{
    int other = space_find(&s->space, p.name);
    if (other < 0 && s->space.n < SPACE_MAX_PARAMS) {
        s->space.params =
            mem_grow(s->space.params, s->space.n + 1, sizeof(*s->space.params));
        s->space.params[s->space.n++] = p;
        return 0;
    }
    int rc;
    if (other < 0) {
        rc = err_set(err, ERR_INVALID, "%s: at most %d parameters", path,
                     SPACE_MAX_PARAMS);
    } else {
        int field = s->space.params[other].field;
        rc = err_set(err, ERR_INVALID,
                     "%s: the parameter '%.100s' is that of %s already", path,
                     p.name, field >= 0 ? RUN_FIELD[field].path : "params");
    }
    free(p.name);
    dist_fini(&p.dist);
    return rc;
}

static int read_params(const struct spec_row *row, const struct json *node,
                       struct spec *s, struct err *err)
{
    if (json_kind(node) != JSON_OBJECT) {
        return wrong_kind(row, "an object of distributions", node, err);
    }
    int rc = 0;
    for (const struct json *it = json_first(node); rc == 0 && it != NULL;
         it = json_next(it)) {
        struct param p;
        rc = spec_read_free_param(json_key(it), it, &p, err);
        if (rc == 0) {
            rc = add_param(row->path, p, s, err);
        }
    }
    return rc;
}

static int read_param(const struct spec_row *row, const struct json *node,
                      struct spec *s, struct err *err)
{
    const struct run_field *f = &RUN_FIELD[row->field];
    if (!f->searchable) {
        return err_set(err, ERR_INVALID,
                       "%s: cannot be searched: give one value", row->path);
    }
    struct param p;
    int rc = spec_read_param(f, node, &p, err);
    if (rc != 0) {
        return rc;
    }
    return add_param(row->path, p, s, err);
}

static int read_field(const struct spec_row *row, const struct json *node,
                      struct spec *s, struct err *err)
{
    const struct run_field *f = &RUN_FIELD[row->field];
    int64_t whole = 0;
    double v = 0.0;
    int rc = 0;
    assert(row->type == SPEC_FIELD);
    if (json_kind(node) == JSON_OBJECT) {
        return read_param(row, node, s, err);
    }
    if (f->type == RUN_INT) {
        rc = read_whole(row, node, &whole, err);
        v = (double)whole;
    } else if (f->type == RUN_REAL) {
        rc = read_real(row, node, &v, err);
    } else if (json_kind(node) != JSON_STRING) {
        return wrong_kind(row, "a string", node, err);
    } else {
        v = (double)run_enum_value(f->type, json_string(node));
        if (v < 0.0) {
            return err_set(err, ERR_INVALID,
                           "%s: must be one of %s, not '%.100s'", row->path,
                           run_enum_names(f->type), json_string(node));
        }
    }
    if (rc == 0) {
        run_set(&s->base, row->field, v);
    }
    return rc;
}

static int read_optional(const struct spec_row *row, const struct json *node,
                         double *out, struct err *err)
{
    if (json_kind(node) == JSON_NULL) {
        *out = NAN;
        return 0;
    }
    return read_real(row, node, out, err);
}

static int read_bool(const struct spec_row *row, const struct json *node,
                     bool *out, struct err *err)
{
    if (json_kind(node) != JSON_BOOL) {
        return wrong_kind(row, "true or false", node, err);
    }
    *out = json_bool(node);
    return 0;
}

static int read_seed(const struct spec_row *row, const struct json *node,
                     uint64_t *out, struct err *err)
{
    int64_t whole;
    int rc = read_whole(row, node, &whole, err);
    if (rc == 0) {
        *out = (uint64_t)whole;
    }
    return rc;
}

static int read_row(const struct spec_row *row, const struct json *node,
                    struct spec *s, struct err *err)
{
    size_t n;
    struct spec_list list = spec_list_of(s, row->type);
    if (row->type == SPEC_METRIC && spec_is_metric_name(s, node)) {
        return spec_read_metric_name(node, s, err);
    }
    if (spec_words(row->type, &n) != NULL) {
        return read_word(row, node, spec_at(s, row), err);
    }
    if (list.items != NULL) {
        bool is_needed = s->objective == SPEC_OBJECTIVE_CLASSIFIER;
        return read_strings(row, node, is_needed, list.items, list.n, err);
    }
    switch (row->type) {
    case SPEC_INT:
        return read_whole(row, node, spec_at(s, row), err);
    case SPEC_SEED:
        return read_seed(row, node, spec_at(s, row), err);
    case SPEC_OPTIONAL:
        return read_optional(row, node, spec_at(s, row), err);
    case SPEC_REAL:
        return read_real(row, node, spec_at(s, row), err);
    case SPEC_BOOL:
        return read_bool(row, node, spec_at(s, row), err);
    case SPEC_NAME:
    case SPEC_TEXT:
        return read_name(row, node, spec_at(s, row), err);
    case SPEC_PARAMS:
        return read_params(row, node, s, err);
    case SPEC_FRACTIONS:
        return read_fractions(row, node, s->base.fractions, err);
    default:
        return read_field(row, node, s, err);
    }
}
_Static_assert(sizeof(enum run_metric) == sizeof(unsigned) &&
                   sizeof(enum spec_direction) == sizeof(unsigned) &&
                   sizeof(enum spec_of) == sizeof(unsigned) &&
                   sizeof(enum spec_sampler) == sizeof(unsigned) &&
                   sizeof(enum spec_objective) == sizeof(unsigned) &&
                   sizeof(enum spec_duplicates) == sizeof(unsigned) &&
                   sizeof(enum spec_qmc) == sizeof(unsigned) &&
                   sizeof(enum spec_pruner) == sizeof(unsigned),
               "read_word writes enums as unsigned");

/* Only the built-in training reads a data set. */
static bool is_needed(const struct spec *s, const struct spec_row *row)
{
    return s->objective == SPEC_OBJECTIVE_CLASSIFIER ||
           strcmp(row->section, "data") != 0;
}

static int read_section(const struct json *root, size_t i, struct spec *s,
                        struct err *err)
{
    const struct json *object = section_of(root, i);
    bool wants_monitor =
        object != NULL && strcmp(SECTIONS[i].name, "early_stopping") == 0;
    for (size_t r = 0; r < SPEC_N_ROWS; r++) {
        const struct spec_row *row = &SPEC_ROWS[r];
        if (strcmp(row->section, SECTIONS[i].name) != 0) {
            continue;
        }
        const struct json *node =
            object != NULL ? json_get(object, row->key) : NULL;
        bool is_missing = node == NULL &&
                          ((row->is_required && is_needed(s, row)) ||
                           (wants_monitor && row->field == RUN_FIELD_monitor));
        if (is_missing) {
            return err_set(err, ERR_INVALID, "%s: missing", row->path);
        }
        int rc = node != NULL ? read_row(row, node, s, err) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- conditions ----------------------------------------------------------- */

/* Where the config has the distribution of a parameter. */
static const struct json *node_of(const struct json *root,
                                  const struct param *p)
{
    if (p->field < 0) {
        return json_get(json_get(root, "params"), p->name);
    }
    for (size_t i = 0; i < ARRAY_LEN(SECTIONS); i++) {
        if (strcmp(SECTIONS[i].name, RUN_FIELD[p->field].section) == 0) {
            return json_get(section_of(root, i), RUN_FIELD[p->field].key);
        }
    }
    return NULL;
}

static int read_all_conditions(const struct json *root, struct spec *s,
                               struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->space.n; i++) {
        struct param *p = &s->space.params[i];
        char *path = p->field < 0 ? mem_printf("params.%s", p->name)
                                  : mem_strdup(RUN_FIELD[p->field].path);
        rc = spec_read_conditions(&s->space, path, node_of(root, p), p, err);
        free(path);
    }
    size_t *order = mem_alloc(s->space.n, sizeof(*order));
    if (rc == 0 && !space_order(&s->space, order)) {
        rc = err_set(err, ERR_INVALID,
                     "params: conditions ('when') that form a circle");
    }
    free(order);
    return rc;
}

/* s: what is meant by keys that are not there. Takes s. */
static int read_over(struct spec *s, const struct json *root, struct spec *out,
                     struct err *err)
{
    int rc = check_objects(root, err);
    rc = rc == 0 ? spec_check_type(root, err) : rc;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(SECTIONS); i++) {
        rc = read_section(root, i, s, err);
    }
    if (rc == 0) {
        rc = spec_default_direction(root, s, err);
    }
    if (rc == 0) {
        rc = read_all_conditions(root, s, err);
    }
    if (rc == 0) {
        rc = spec_check(s, err);
    }
    if (rc != 0) {
        spec_fini(s);
        return rc;
    }
    *out = *s;
    return 0;
}

int spec_from_json(const struct json *root, struct spec *out, struct err *err)
{
    struct spec s;
    spec_defaults(&s);
    return read_over(&s, root, out, err);
}

int spec_parse(const char *text, size_t len, struct spec *out, struct err *err)
{
    struct json *root;
    int rc = json_parse(text, len, &root, err);
    if (rc == 0) {
        rc = spec_from_json(root, out, err);
        json_free(root);
    }
    return rc;
}

int spec_parse_stored(const char *text, size_t len, struct spec *out,
                      struct err *err)
{
    struct spec s;
    struct json *root;
    int rc = json_parse(text, len, &root, err);
    if (rc == 0) {
        spec_defaults(&s);
        run_before(&s.base);
        rc = read_over(&s, root, out, err);
        json_free(root);
    }
    return rc;
}
