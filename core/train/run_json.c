#include "core/train/run_json.h"
#include "core/base/buf.h"
#include "core/base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const FRACTIONS = "fractions";

static void put_field(const struct run *run, int field, struct json_out *w)
{
    const struct run_field *f = &RUN_FIELD[field];
    double value = run_get(run, field);
    json_put_key(w, f->key);
    if (f->type == RUN_INT) {
        json_put_int(w, (int64_t)value);
    } else if (f->type == RUN_REAL) {
        json_put_double(w, value);
    } else {
        json_put_string(w, run_enum_name(f->type, (int64_t)value));
    }
}

static void put_fractions(const struct run *run, struct json_out *w)
{
    json_put_key(w, FRACTIONS);
    json_open(w, '[');
    for (size_t i = 0; i < ARRAY_LEN(run->fractions); i++) {
        json_put_double(w, run->fractions[i]);
    }
    json_close(w, ']');
}

void run_put_json(const struct run *run, struct json_out *w)
{
    char seed[32];
    snprintf(seed, sizeof(seed), "%" PRIu64, run->seed);
    json_open(w, '{');
    json_put_key(w, "seed");
    json_put_string(w, seed);
    json_put_key(w, "trial");
    json_put_int(w, run->trial);
    json_put_key(w, "threads");
    json_put_int(w, run->threads);
    for (int i = 0; i < RUN_N_FIELDS; i++) {
        const char *section = RUN_FIELD[i].section;
        bool first = i == 0 || strcmp(section, RUN_FIELD[i - 1].section) != 0;
        if (first) {
            json_put_key(w, section);
            json_open(w, '{');
        }
        put_field(run, i, w);
        bool last = i == RUN_N_FIELDS - 1 ||
                    strcmp(section, RUN_FIELD[i + 1].section) != 0;
        if (last && strcmp(section, "data") == 0) {
            put_fractions(run, w);
        }
        if (last) {
            json_close(w, '}');
        }
    }
    json_close(w, '}');
}

bool json_get_double(const struct json *node, double *out)
{
    if (node == NULL) {
        return false;
    }
    if (json_kind(node) == JSON_NUMBER) {
        *out = json_number(node);
        return true;
    }
    static const struct {
        const char *name;
        double value;
    } special[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    for (size_t i = 0; i < ARRAY_LEN(special); i++) {
        if (json_kind(node) == JSON_STRING &&
            strcmp(json_string(node), special[i].name) == 0) {
            *out = special[i].value;
            return true;
        }
    }
    return false;
}

static const struct json *member(const struct json *object, const char *key)
{
    return object != NULL && json_kind(object) == JSON_OBJECT
               ? json_get(object, key)
               : NULL;
}

static int get_field(const struct json *root, int field, struct run *run,
                     struct err *err)
{
    const struct run_field *f = &RUN_FIELD[field];
    const struct json *node = member(member(root, f->section), f->key);
    int64_t whole;
    double value;
    if (node == NULL && !isnan(f->before)) {
        return 0; /* run_before set it */
    }
    if (node == NULL) {
        return err_set(err, ERR_INVALID, "%s.%s: missing", f->section, f->key);
    }
    if (f->type == RUN_INT && json_kind(node) == JSON_NUMBER &&
        json_integer(node, &whole)) {
        run_set(run, field, (double)whole);
        return 0;
    }
    if (f->type == RUN_REAL && json_get_double(node, &value)) {
        run_set(run, field, value);
        return 0;
    }
    if (f->type > RUN_REAL && json_kind(node) == JSON_STRING) {
        whole = run_enum_value(f->type, json_string(node));
        if (whole >= 0) {
            run_set(run, field, (double)whole);
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "%s.%s: not a value of its type",
                   f->section, f->key);
}

static int get_fractions(const struct json *root, struct run *run,
                         struct err *err)
{
    const struct json *list = member(member(root, "data"), FRACTIONS);
    size_t n = 0;
    if (list != NULL && json_kind(list) == JSON_ARRAY) {
        for (const struct json *it = json_first(list); it != NULL;
             it = json_next(it), n++) {
            if (n == ARRAY_LEN(run->fractions) ||
                !json_get_double(it, &run->fractions[n])) {
                n = 0;
                break;
            }
        }
    }
    return n == ARRAY_LEN(run->fractions)
               ? 0
               : err_set(err, ERR_INVALID,
                         "data.fractions: not a list of 3 numbers");
}

static bool get_seed(const struct json *node, uint64_t *out)
{
    if (node == NULL || json_kind(node) != JSON_STRING) {
        return false;
    }
    const char *digits = json_string(node);
    if (digits[0] < '0' || digits[0] > '9') {
        return false;
    }
    char *end;
    errno = 0;
    *out = strtoull(digits, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool get_int(const struct json *node, int64_t *out)
{
    return node != NULL && json_kind(node) == JSON_NUMBER &&
           json_integer(node, out);
}

static bool has_field(const char *section, const char *key)
{
    bool found = strcmp(section, "data") == 0 && strcmp(key, FRACTIONS) == 0;
    for (int i = 0; i < RUN_N_FIELDS && !found; i++) {
        found = strcmp(RUN_FIELD[i].section, section) == 0 &&
                strcmp(RUN_FIELD[i].key, key) == 0;
    }
    return found;
}

/* A key that this build does not know would be left out of the run: another
 * build's, and another result. */
static int check_sections(const struct json *root, struct err *err)
{
    for (const struct json *section = json_first(root); section != NULL;
         section = json_next(section)) {
        if (json_kind(section) != JSON_OBJECT) {
            continue;
        }
        for (const struct json *it = json_first(section); it != NULL;
             it = json_next(it)) {
            if (!has_field(json_key(section), json_key(it))) {
                return err_set(err, ERR_INVALID, "%.100s.%.100s: unknown key",
                               json_key(section), json_key(it));
            }
        }
    }
    return 0;
}

int run_from_json(const struct json *root, struct run *out, struct err *err)
{
    struct run run;
    run_before(&run);
    if (!get_seed(member(root, "seed"), &run.seed) ||
        !get_int(member(root, "trial"), &run.trial) ||
        !get_int(member(root, "threads"), &run.threads)) {
        return err_set(err, ERR_INVALID,
                       "seed, trial or threads is missing or no number");
    }
    int rc = get_fractions(root, &run, err);
    for (int i = 0; rc == 0 && i < RUN_N_FIELDS; i++) {
        rc = get_field(root, i, &run, err);
    }
    if (rc == 0) {
        rc = check_sections(root, err);
    }
    if (rc == 0) {
        rc = run_validate(&run, err);
    }
    if (rc == 0) {
        *out = run;
    }
    return rc;
}

static void print_value(int field, double value, char out[32])
{
    enum run_type type = RUN_FIELD[field].type;
    if (type == RUN_INT) {
        snprintf(out, 32, "%" PRId64, (int64_t)value);
    } else if (type == RUN_REAL) {
        json_repr(value, out);
    } else {
        snprintf(out, 32, "%s", run_enum_name(type, (int64_t)value));
    }
}

int run_difference(const struct run *checkpoint, const struct run *run,
                   struct buf *out)
{
    if (checkpoint->seed != run->seed || checkpoint->trial != run->trial) {
        buf_printf(out,
                   "seed and trial: %" PRIu64 " and %" PRId64
                   " in the checkpoint, %" PRIu64 " and %" PRId64 " in the run",
                   checkpoint->seed, checkpoint->trial, run->seed, run->trial);
        return 1;
    }
    for (size_t i = 0; i < ARRAY_LEN(run->fractions); i++) {
        if (checkpoint->fractions[i] != run->fractions[i]) {
            buf_str(out, "data.fractions: others in the checkpoint");
            return 1;
        }
    }
    for (int i = 0; i < RUN_N_FIELDS; i++) {
        double was = run_get(checkpoint, i), is = run_get(run, i);
        if (was == is || i == RUN_FIELD_checkpoint_seconds) {
            continue;
        }
        char a[32], b[32];
        print_value(i, was, a);
        print_value(i, is, b);
        buf_printf(out, "%s.%s: %s in the checkpoint, %s in the run",
                   RUN_FIELD[i].section, RUN_FIELD[i].key, a, b);
        return 1;
    }
    return 0;
}
