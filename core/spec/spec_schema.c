/* The config's table as a JSON Schema: what an editor needs to complete keys
 * and to underline a wrong value. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/spec/spec_json.h"
#include "core/spec/spec_table.h"

#include <string.h>

/* --- small words ---------------------------------------------------------- */

static void put_pair(struct json_out *w, const char *key, const char *value)
{
    json_put_key(w, key);
    json_put_string(w, value);
}

static void open_object(struct json_out *w, const char *key)
{
    json_put_key(w, key);
    json_open(w, '{');
}

static void put_count(struct json_out *w, const char *key, int64_t n)
{
    json_put_key(w, key);
    json_put_int(w, n);
}

static void put_bound(struct json_out *w, bool is_whole, double bound)
{
    if (is_whole) {
        json_put_int(w, (int64_t)bound);
    } else {
        json_put_double(w, bound);
    }
}

static void put_bounds(struct json_out *w, bool is_whole, double low,
                       double high)
{
    put_pair(w, "type", is_whole ? "integer" : "number");
    json_put_key(w, "minimum");
    put_bound(w, is_whole, low);
    json_put_key(w, "maximum");
    put_bound(w, is_whole, high);
}

static void put_name(struct json_out *w)
{
    put_pair(w, "type", "string");
    put_count(w, "minLength", 1);
    put_count(w, "maxLength", SPEC_NAME_MAX);
}

static void put_words(struct json_out *w, const char *const *words, size_t n)
{
    json_put_key(w, "enum");
    json_open(w, '[');
    for (size_t i = 0; i < n; i++) {
        json_put_string(w, words[i]);
    }
    json_close(w, ']');
}

/* --- values --------------------------------------------------------------- */

/* One value of a run field, without its distributions. */
static void put_fixed(struct json_out *w, const struct run_field *f)
{
    if (f->type == RUN_INT || f->type == RUN_REAL) {
        put_bounds(w, f->type == RUN_INT, f->low, f->high);
        return;
    }
    const char *words[16];
    size_t n = 0;
    for (const char *word; (word = run_enum_name(f->type, (int64_t)n)); n++) {
        words[n] = word;
    }
    put_words(w, words, n);
}

/* A key that is described once, at the end. */
static void put_ref(struct json_out *w, const char *key, const char *definition)
{
    open_object(w, key);
    put_pair(w, "$ref", definition);
    json_close(w, '}');
}

/* A choice of `params`: anything that has no parts. */
static void put_scalar(struct json_out *w)
{
    static const char *const kinds[] = {"string", "number", "boolean", "null"};
    json_put_key(w, "type");
    json_open(w, '[');
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        json_put_string(w, kinds[i]);
    }
    json_close(w, ']');
}

/* What ends each distribution: its name, where its key is none, and "when". */
static void close_distribution(struct json_out *w, const struct run_field *f,
                               const char *key)
{
    if (f != NULL) {
        open_object(w, "name");
        put_name(w);
        json_close(w, '}');
    }
    put_ref(w, "when", "#/definitions/when");
    json_close(w, '}');
    json_put_key(w, "required");
    json_open(w, '[');
    json_put_string(w, key);
    json_close(w, ']');
    json_put_key(w, "additionalProperties");
    json_put_bool(w, false);
    json_close(w, '}');
}

/* {"float": [low, high], "step", "log", "name", "when"}, or the same for "int";
 * f: NULL for one of `params`. */
static void put_range_schema(struct json_out *w, const struct run_field *f,
                             const char *key)
{
    bool is_whole = strcmp(key, "int") == 0;
    json_open(w, '{');
    put_pair(w, "type", "object");
    open_object(w, "properties");
    open_object(w, key);
    put_pair(w, "type", "array");
    put_count(w, "minItems", 2);
    put_count(w, "maxItems", 2);
    open_object(w, "items");
    if (f != NULL) {
        put_bounds(w, is_whole, f->low, f->high);
    } else {
        put_pair(w, "type", is_whole ? "integer" : "number");
    }
    json_close(w, '}');
    json_close(w, '}');
    open_object(w, "step");
    put_pair(w, "type", is_whole ? "integer" : "number");
    put_count(w, "exclusiveMinimum", 0);
    json_close(w, '}');
    open_object(w, "log");
    put_pair(w, "type", "boolean");
    json_close(w, '}');
    close_distribution(w, f, key);
}

static void put_choice_schema(struct json_out *w, const struct run_field *f)
{
    json_open(w, '{');
    put_pair(w, "type", "object");
    open_object(w, "properties");
    open_object(w, "choice");
    put_pair(w, "type", "array");
    put_count(w, "minItems", 1);
    put_count(w, "maxItems", SPACE_MAX_CHOICES);
    json_put_key(w, "uniqueItems");
    json_put_bool(w, true);
    open_object(w, "items");
    if (f != NULL) {
        put_fixed(w, f);
    } else {
        put_scalar(w);
    }
    json_close(w, '}');
    json_close(w, '}');
    close_distribution(w, f, "choice");
}

/* {"optimizer": "sgd"} or {"optimizer": ["sgd", "adam"]} */
static void put_definitions(struct json_out *w)
{
    open_object(w, "definitions");
    open_object(w, "when");
    put_pair(
        w, "description",
        "{NAME: VALUE or [VALUES]}: the parameter is only there where that "
        "one has one of these values; that one is a choice, an int or a "
        "float with a step");
    put_pair(w, "type", "object");
    open_object(w, "additionalProperties");
    json_put_key(w, "anyOf");
    json_open(w, '[');
    json_open(w, '{');
    put_scalar(w);
    json_close(w, '}');
    json_open(w, '{');
    put_pair(w, "type", "array");
    put_count(w, "minItems", 1);
    open_object(w, "items");
    put_scalar(w);
    json_close(w, '}');
    json_close(w, '}');
    json_close(w, ']');
    json_close(w, '}');
    json_close(w, '}');
    json_close(w, '}');
}

/* NAME: distribution */
static void put_params_schema(struct json_out *w)
{
    put_pair(w, "type", "object");
    open_object(w, "propertyNames");
    put_name(w);
    json_close(w, '}');
    open_object(w, "additionalProperties");
    json_put_key(w, "anyOf");
    json_open(w, '[');
    put_range_schema(w, NULL, "float");
    put_range_schema(w, NULL, "int");
    put_choice_schema(w, NULL);
    json_close(w, ']');
    json_close(w, '}');
}

static void put_field_schema(struct json_out *w, const struct run_field *f)
{
    if (!f->searchable) {
        put_fixed(w, f);
        return;
    }
    json_put_key(w, "anyOf");
    json_open(w, '[');
    json_open(w, '{');
    put_fixed(w, f);
    json_close(w, '}');
    if (f->type == RUN_REAL) {
        put_range_schema(w, f, "float");
    }
    if (f->type == RUN_REAL || f->type == RUN_INT) {
        put_range_schema(w, f, "int");
    }
    put_choice_schema(w, f);
    json_close(w, ']');
}

/* --- rows ----------------------------------------------------------------- */

static void put_strings_schema(struct json_out *w, bool may_be_one,
                               bool may_be_none)
{
    if (may_be_one) {
        json_put_key(w, "anyOf");
        json_open(w, '[');
        json_open(w, '{');
        put_pair(w, "type", "string");
        json_close(w, '}');
        json_open(w, '{');
    }
    put_pair(w, "type", "array");
    if (!may_be_none) {
        put_count(w, "minItems", 1);
    }
    open_object(w, "items");
    put_pair(w, "type", "string");
    json_close(w, '}');
    if (may_be_one) {
        json_close(w, '}');
        json_close(w, ']');
    }
}

static void put_optional_schema(struct json_out *w)
{
    json_put_key(w, "type");
    json_open(w, '[');
    json_put_string(w, "number");
    json_put_string(w, "null");
    json_close(w, ']');
}

static void put_fractions_schema(struct json_out *w, const struct spec_row *row)
{
    put_pair(w, "type", "array");
    put_count(w, "minItems", 3);
    put_count(w, "maxItems", 3);
    open_object(w, "items");
    put_bounds(w, false, row->low, row->high);
    json_close(w, '}');
}

/* One of the training's, or a name. */
static void put_metric(struct json_out *w, const char *const *words, size_t n)
{
    json_put_key(w, "anyOf");
    json_open(w, '[');
    json_open(w, '{');
    put_words(w, words, n);
    json_close(w, '}');
    json_open(w, '{');
    put_pair(w, "type", "string");
    put_pair(w, "pattern", "^[A-Za-z0-9_.@/-]+$");
    put_count(w, "maxLength", SPEC_METRIC_MAX);
    json_close(w, '}');
    json_close(w, ']');
}

static void put_type(struct json_out *w, const struct spec_row *row)
{
    size_t n;
    const char *const *words = spec_words(row->type, &n);
    if (row->type == SPEC_METRIC) {
        put_metric(w, words, n);
        return;
    }
    if (words != NULL) {
        put_words(w, words, n);
        return;
    }
    switch (row->type) {
    case SPEC_INT:
    case SPEC_SEED:
    case SPEC_REAL:
        put_bounds(w, row->type != SPEC_REAL, row->low, row->high);
        return;
    case SPEC_OPTIONAL:
        put_optional_schema(w);
        return;
    case SPEC_BOOL:
        put_pair(w, "type", "boolean");
        return;
    case SPEC_NAME:
        put_name(w);
        return;
    case SPEC_TEXT:
        put_pair(w, "type", "string");
        return;
    case SPEC_PARAMS:
        put_params_schema(w);
        return;
    case SPEC_COMMAND:
    case SPEC_CONSTRAINTS:
    case SPEC_SOURCES:
    case SPEC_TEST_SOURCES:
    case SPEC_SPLITS:
        put_strings_schema(
            w, row->type == SPEC_SOURCES || row->type == SPEC_TEST_SOURCES,
            row->type != SPEC_SOURCES);
        return;
    case SPEC_FRACTIONS:
        put_fractions_schema(w, row);
        return;
    default:
        put_field_schema(w, &RUN_FIELD[row->field]);
        return;
    }
}

/* The objective's direction has no default of its own: it follows the metric.
 */
static bool has_default(const struct spec_row *row)
{
    return !row->is_required && row->type != SPEC_DIRECTION;
}

/* "asha, hyperband: ..." of an option that only these types of its section look
 * at. That whole sections are the training's is said where types are. */
static void put_help(struct json_out *w, const struct spec_row *row)
{
    static const char *const with_types[] = {"objective", "sampler", "pruner"};
    struct buf help;
    buf_init(&help, BUF_MAX_CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(with_types); i++) {
        if (row->takers != 0 && strcmp(row->section, with_types[i]) == 0) {
            spec_put_takers(row, &help);
            buf_str(&help, ": ");
        }
    }
    buf_str(&help, row->help);
    put_pair(w, "description", help.data);
    buf_fini(&help);
}

static void put_section(struct json_out *w, const char *section);

static void put_rows(struct json_out *w, const struct spec *defaults,
                     const char *section)
{
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        const struct spec_row *row = &SPEC_ROWS[i];
        if (strcmp(row->section, section) != 0) {
            continue;
        }
        open_object(w, row->key);
        put_help(w, row);
        if (has_default(row)) {
            json_put_key(w, "default");
            spec_put_row(defaults, row, w);
        }
        put_type(w, row);
        json_close(w, '}');
    }
}

static void put_subsections(struct json_out *w, const char *section)
{
    static const char *const names[] = {
#define X(name, path) name,
        SPEC_SECTIONS(X)
#undef X
    };
    bool is_root = section[0] == '\0';
    for (size_t i = 1; i < ARRAY_LEN(names); i++) {
        bool is_early = strcmp(names[i], "early_stopping") == 0;
        if (is_root ? !is_early
                    : is_early && strcmp(section, "training") == 0) {
            open_object(w, names[i]);
            put_section(w, names[i]);
            json_close(w, '}');
        }
    }
    if (is_root) {
        open_object(w, "$schema");
        put_pair(w, "type", "string");
        json_close(w, '}');
    }
}

static void put_required(struct json_out *w, const char *section)
{
    json_put_key(w, "required");
    json_open(w, '[');
    for (size_t i = 0; i < SPEC_N_ROWS; i++) {
        const struct spec_row *row = &SPEC_ROWS[i];
        if (strcmp(row->section, section) == 0 && row->is_required) {
            json_put_string(w, row->key);
        }
    }
    if (strcmp(section, "early_stopping") == 0) {
        json_put_string(w, "monitor");
    }
    json_close(w, ']');
}

static void put_section(struct json_out *w, const char *section)
{
    struct spec defaults;
    spec_defaults(&defaults);
    json_put_key(w, "type");
    if (strcmp(section, "early_stopping") == 0) {
        json_open(w, '[');
        json_put_string(w, "object");
        json_put_string(w, "null");
        json_close(w, ']');
    } else {
        json_put_string(w, "object");
    }
    put_required(w, section);
    json_put_key(w, "additionalProperties");
    json_put_bool(w, false);
    open_object(w, "properties");
    put_rows(w, &defaults, section);
    put_subsections(w, section);
    json_close(w, '}');
    spec_fini(&defaults);
}

/* --- the whole, indented -------------------------------------------------- */

/* Lists of scalars stay on their line. */
static bool is_flat(const char *at)
{
    if (*at++ != '[') {
        return false;
    }
    return strcspn(at, "{") > strcspn(at, "]");
}

static void new_line(struct buf *out, int depth)
{
    buf_printf(out, "\n%*s", 2 * depth, "");
}

/* Lay compact JSON out: one member a line, two spaces a level. */
static void indent(const char *json, struct buf *out)
{
    int depth = 0;
    bool in_string = false, in_flat = false;
    for (const char *p = json; *p != '\0'; p++) {
        bool opens = !in_string && !in_flat && (*p == '{' || *p == '[');
        bool closes = !in_string && !in_flat && (*p == '}' || *p == ']');
        if (opens && is_flat(p)) {
            in_flat = true;
            opens = false;
        } else if (in_flat && !in_string && *p == ']') {
            in_flat = false;
        } else if (closes) {
            new_line(out, --depth);
        }
        buf_char(out, *p);
        if (*p == '"' && p[-1] != '\\') {
            in_string = !in_string;
        }
        if (opens) {
            new_line(out, ++depth);
        } else if (*p == ',' && !in_string && !in_flat) {
            new_line(out, depth);
        } else if ((*p == ':' || *p == ',') && !in_string) {
            buf_char(out, ' ');
        }
    }
    buf_char(out, '\n');
}

void spec_schema(struct buf *out)
{
    struct buf compact;
    struct json_out w;
    buf_init(&compact, BUF_MAX_CONFIG);
    json_out_init(&w, &compact, JSON_COMPACT);
    json_open(&w, '{');
    put_pair(&w, "$schema", "http://json-schema.org/draft-07/schema#");
    put_pair(&w, "title", "Parzen study config");
    put_section(&w, "");
    put_definitions(&w);
    json_close(&w, '}');
    indent(compact.data, out);
    buf_fini(&compact);
}
