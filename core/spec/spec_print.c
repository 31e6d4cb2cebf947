/* struct spec to text: the canonical config, and where two specs differ. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "core/spec/spec_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put_strings(char *const *list, size_t n, struct json_out *w)
{
    json_open(w, '[');
    for (size_t i = 0; i < n; i++) {
        json_put_string(w, list[i]);
    }
    json_close(w, ']');
}

static void put_field(const struct spec *s, int field, struct json_out *w)
{
    const struct param *p = spec_param_of(s, field);
    enum run_type type = RUN_FIELD[field].type;
    double v = run_get(&s->base, field);
    if (p != NULL) {
        spec_put_param(&s->space, p, w);
    } else if (type == RUN_INT) {
        json_put_int(w, (int64_t)v);
    } else if (type == RUN_REAL) {
        json_put_double(w, v);
    } else {
        json_put_string(w, run_enum_name(type, (int64_t)v));
    }
}

static void put_params(const struct spec *s, struct json_out *w)
{
    json_open(w, '{');
    for (size_t i = 0; i < s->space.n; i++) {
        if (s->space.params[i].field < 0) {
            json_put_key(w, s->space.params[i].name);
            spec_put_param(&s->space, &s->space.params[i], w);
        }
    }
    json_close(w, '}');
}

static void put_optional(double v, struct json_out *w)
{
    if (isnan(v)) {
        json_put_null(w);
    } else {
        json_put_double(w, v);
    }
}

static void put_fractions(const double fractions[3], struct json_out *w)
{
    json_open(w, '[');
    for (int i = 0; i < 3; i++) {
        json_put_double(w, fractions[i]);
    }
    json_close(w, ']');
}

/* Of an enum row: its word. NULL: it is none. */
static const char *word_of(const struct spec *s, const struct spec_row *row)
{
    size_t n;
    const char *const *words = spec_words(row->type, &n);
    if (row->type == SPEC_METRIC && s->work.metric[0] != '\0') {
        return s->work.metric;
    }
    return words != NULL ? words[*(const unsigned *)spec_at_const(s, row)]
                         : NULL;
}

void spec_put_row(const struct spec *s, const struct spec_row *row,
                  struct json_out *w)
{
    const void *at = spec_at_const(s, row);
    const char *word = word_of(s, row);
    struct spec_list list = spec_list_of(s, row->type);
    if (word != NULL) {
        json_put_string(w, word);
        return;
    }
    if (list.items != NULL) {
        put_strings(*list.items, *list.n, w);
        return;
    }
    switch (row->type) {
    case SPEC_INT:
        json_put_int(w, *(const int64_t *)at);
        return;
    case SPEC_SEED:
        json_put_int(w, (int64_t)s->base.seed);
        return;
    case SPEC_OPTIONAL:
        put_optional(*(const double *)at, w);
        return;
    case SPEC_REAL:
        json_put_double(w, *(const double *)at);
        return;
    case SPEC_BOOL:
        json_put_bool(w, *(const bool *)at);
        return;
    case SPEC_NAME:
    case SPEC_TEXT:
        json_put_string(w, *(char *const *)at);
        return;
    case SPEC_PARAMS:
        put_params(s, w);
        return;
    case SPEC_FRACTIONS:
        put_fractions(s->base.fractions, w);
        return;
    default:
        put_field(s, row->field, w);
        return;
    }
}

/* Leave section `from` and enter `to`; early_stopping lies inside training. */
static void change_section(const char *from, const char *to, struct json_out *w)
{
    bool goes_inside = strcmp(to, "early_stopping") == 0;
    if (from[0] != '\0' && !goes_inside) {
        json_close(w, '}');
    }
    if (to[0] != '\0') {
        json_put_key(w, to);
        json_open(w, '{');
    }
}

void spec_to_json(const struct spec *s, struct buf *out)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    json_open(&w, '{');
    const char *section = "";
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        const struct spec_row *row = &SPEC_ROWS[i];
        if (strcmp(row->section, section) != 0) {
            change_section(section, row->section, &w);
            section = row->section;
        }
        json_put_key(&w, row->key);
        spec_put_row(s, row, &w);
    }
    json_close(&w, '}'); /* early_stopping */
    json_close(&w, '}'); /* training */
    json_close(&w, '}');
}

void spec_work_to_json(const struct spec *s, struct buf *out)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    json_open(&w, '{');
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        if (strcmp(SPEC_ROWS[i].section, "objective") == 0) {
            json_put_key(&w, SPEC_ROWS[i].key);
            spec_put_row(s, &SPEC_ROWS[i], &w);
        }
    }
    json_put_key(&w, "params");
    json_open(&w, '[');
    for (size_t i = 0; i < s->space.n; i++) {
        json_put_string(&w, s->space.params[i].name);
    }
    json_close(&w, ']');
    json_close(&w, '}');
}

void spec_point_to_json(const struct spec *s, const double *values,
                        struct buf *out)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    json_open(&w, '{');
    for (size_t i = 0; i < s->space.n; i++) {
        if (!isnan(values[i])) {
            json_put_key(&w, s->space.params[i].name);
            dist_put_value(&s->space.params[i].dist, values[i], &w);
        }
    }
    json_close(&w, '}');
}

/* May a study change all of a section? Not of the root. */
static bool is_changeable(const char *section)
{
    bool is = section[0] != '\0';
    for (size_t i = 0; i < SPEC_N_ROWS && is; i++) {
        is = SPEC_ROWS[i].may_change ||
             strcmp(SPEC_ROWS[i].section, section) != 0;
    }
    return is;
}

void spec_changeable(struct buf *out)
{
    const struct spec_row **rows = mem_alloc(SPEC_N_ROWS, sizeof(*rows));
    size_t n = 0;
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        const struct spec_row *row = &SPEC_ROWS[i];
        bool is_named = n > 0 && is_changeable(row->section) &&
                        strcmp(rows[n - 1]->section, row->section) == 0;
        if (row->may_change && !is_named) {
            rows[n++] = row;
        }
    }
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(rows[i]->path);
        if (is_changeable(rows[i]->section)) {
            len -= strlen(rows[i]->key) + 1;
        }
        buf_str(out, i == 0 ? "" : i + 1 < n ? ", " : " and ");
        buf_add(out, rows[i]->path, len);
    }
    free(rows);
}

/* The row's two values, when they differ; *a, *b are overwritten. */
static bool differs(const struct spec_row *row, const struct spec *study,
                    const struct spec *config, struct buf *a, struct buf *b)
{
    struct json_out in_study, in_config;
    buf_reset(a);
    buf_reset(b);
    json_out_init(&in_study, a, JSON_COMPACT);
    json_out_init(&in_config, b, JSON_COMPACT);
    spec_put_row(study, row, &in_study);
    spec_put_row(config, row, &in_config);
    return strcmp(a->data, b->data) != 0;
}

/* A parameter of 'params' as the config has it; "missing" when it does not. */
static void put_free_param(const struct spec *s, const char *name,
                           struct buf *out)
{
    struct json_out w;
    int i = space_find(&s->space, name);
    buf_reset(out);
    if (i < 0 || s->space.params[i].field >= 0) {
        buf_str(out, "missing");
        return;
    }
    json_out_init(&w, out, JSON_COMPACT);
    spec_put_param(&s->space, &s->space.params[i], &w);
}

/* The first parameter of 'params' in the space of one of both that differs;
 * NULL: none does. *a and *b are what both have. */
static const char *differing_param(const struct space *space,
                                   const struct spec *study,
                                   const struct spec *config, struct buf *a,
                                   struct buf *b)
{
    for (size_t i = 0; i < space->n; i++) {
        const struct param *p = &space->params[i];
        if (p->field >= 0) {
            continue;
        }
        put_free_param(study, p->name, a);
        put_free_param(config, p->name, b);
        if (strcmp(a->data, b->data) != 0) {
            return p->name;
        }
    }
    return NULL;
}

/* Of rows that differ: where, as near as it can be told (the order of 'params'
 * may be all that does). */
static void put_difference(const struct spec_row *row, const struct spec *study,
                           const struct spec *config, struct buf *a,
                           struct buf *b, struct buf *out)
{
    const char *name = NULL;
    if (row->type == SPEC_PARAMS) {
        name = differing_param(&study->space, study, config, a, b);
        if (name == NULL) {
            name = differing_param(&config->space, study, config, a, b);
        }
        if (name == NULL) {
            (void)differs(row, study, config, a, b);
        }
    }
    buf_printf(out, "%s%s%s: %s in the study, %s in the config", row->path,
               name != NULL ? "." : "", name != NULL ? name : "", a->data,
               b->data);
}

int spec_difference(const struct spec *study, const struct spec *config,
                    struct buf *out)
{
    struct buf a, b;
    buf_init(&a, BUF_MAX_CONFIG);
    buf_init(&b, BUF_MAX_CONFIG);
    int found = 0;
    for (size_t i = 0; i < SPEC_N_ROWS && !found; i++) {
        const struct spec_row *row = &SPEC_ROWS[i];
        if (!row->may_change && differs(row, study, config, &a, &b)) {
            put_difference(row, study, config, &a, &b, out);
            found = 1;
        }
    }
    buf_fini(&a);
    buf_fini(&b);
    return found;
}

int spec_change_difference(const struct spec *study, const struct spec *config,
                           struct buf *out)
{
    struct spec wider;
    spec_copy(&wider, study);
    space_append_choices(&wider.space, &config->space);
    int found = spec_difference(&wider, config, out);
    spec_fini(&wider);
    return found;
}

int spec_kept(const struct spec *study, const struct spec *config,
              struct buf *out)
{
    struct buf a, b;
    buf_init(&a, BUF_MAX_CONFIG);
    buf_init(&b, BUF_MAX_CONFIG);
    int n = 0;
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        const struct spec_row *row = &SPEC_ROWS[i];
        if (row->may_change && differs(row, study, config, &a, &b)) {
            buf_printf(out, "%s: %s is kept, the config says %s\n", row->path,
                       a.data, b.data);
            n++;
        }
    }
    buf_fini(&a);
    buf_fini(&b);
    return n;
}

void spec_put_takers(const struct spec_row *row, struct buf *out)
{
    size_t n;
    const char *const *words = spec_words(spec_taker_kind(row), &n);
    const char *between = "";
    for (size_t i = 0; i < n; i++) {
        if ((row->takers & 1u << i) != 0) {
            buf_printf(out, "%s%s", between, words[i]);
            between = ", ";
        }
    }
}

/* What a study takes of a kind: the type that it names, and the others that
 * look at options for it. */
struct taken {
    const char *kind;
    unsigned type, all; /* all: bits, as in takers */
};

static struct taken taken_of(const struct spec *s, enum spec_type kind)
{
    if (kind == SPEC_SAMPLER) {
        return (struct taken){"sampler", s->sampler, 1u << s->sampler};
    }
    if (kind == SPEC_PRUNER) {
        bool wraps = s->pruner == SPEC_PRUNER_PATIENT;
        unsigned wrapped = wraps ? 1u << s->pruning.wrapped : 0u;
        return (struct taken){"pruner", s->pruner, 1u << s->pruner | wrapped};
    }
    return (struct taken){"objective", s->objective, 1u << s->objective};
}

/* "pruner.patience: pruner 'asha' does not take it, only patient" */
static void put_unused(const struct spec_row *row, const struct taken *t,
                       struct buf *out)
{
    size_t n;
    const char *const *words = spec_words(spec_taker_kind(row), &n);
    buf_printf(out, "%s: %s '%s' does not take it, only ", row->path, t->kind,
               words[t->type]);
    spec_put_takers(row, out);
    buf_char(out, '\n');
}

int spec_unused(const struct spec *s, struct buf *out)
{
    struct spec defaults;
    struct buf a, b;
    int n = 0;
    spec_defaults(&defaults);
    buf_init(&a, BUF_MAX_CONFIG);
    buf_init(&b, BUF_MAX_CONFIG);
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        const struct spec_row *row = &SPEC_ROWS[i];
        struct taken t = taken_of(s, spec_taker_kind(row));
        if (row->takers != 0 && (row->takers & t.all) == 0 &&
            differs(row, &defaults, s, &a, &b)) {
            put_unused(row, &t, out);
            n++;
        }
    }
    buf_fini(&a);
    buf_fini(&b);
    spec_fini(&defaults);
    return n;
}

static bool is_absolute(const char *source)
{
    static const char *const prefixes[] = {"/", "hf:", "http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (strncmp(source, prefixes[i], strlen(prefixes[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void resolve(char **paths, size_t n, const char *base_dir)
{
    for (size_t i = 0; i < n; i++) {
        char *old = paths[i];
        if (old[0] != '\0' && !is_absolute(old)) {
            paths[i] = mem_printf("%s/%s", base_dir, old);
            free(old);
        }
    }
}

void spec_resolve_paths(struct spec *s, const char *base_dir)
{
    resolve(s->data.sources, s->data.n_sources, base_dir);
    resolve(s->data.test_sources, s->data.n_test_sources, base_dir);
    resolve(&s->work.path, 1, base_dir);
    resolve(&s->work.directory, 1, base_dir);
    if (s->objective == SPEC_OBJECTIVE_COMMAND &&
        s->work.directory[0] == '\0') {
        free(s->work.directory);
        s->work.directory = mem_strdup(base_dir);
    }
}
