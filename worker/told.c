#include "worker/told.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/nearest.h"
#include "worker/command_given.h"
#include "worker/lines.h"
#include "worker/quote.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_END = 1000000000 /* the daemon ends who reports it (sched.h) */ };

static const char *const KEYS[] = {"step", "value", "constraints"};

static int check_keys(const struct json *root, struct err *err)
{
    for (const struct json *it = json_first(root); it != NULL;
         it = json_next(it)) {
        const char *key = json_key(it);
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
            is_known = is_known || strcmp(key, KEYS[i]) == 0;
        }
        const char *meant = nearest(key, KEYS, ARRAY_LEN(KEYS));
        if (!is_known && meant != NULL) {
            return err_set(err, ERR_INVALID,
                           "\"%.40s\" is an unknown key (did you mean "
                           "\"%s\"?)",
                           key, meant);
        }
        if (!is_known) {
            return err_set(err, ERR_INVALID,
                           "\"%.40s\" is an unknown key (known: step, value, "
                           "constraints)",
                           key);
        }
    }
    return 0;
}

/* NaN and Infinity are {"is":"NaN"} by now (quote.h); null is JavaScript's NaN.
 * No string is a number: "0.5" is more likely a mistake. */
static bool read_number(const struct json *node, double *out)
{
    static const struct {
        const char *word;
        double value;
    } WORDS[] = {{"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY},
                 {"nan", NAN}, {"inf", INFINITY},      {"-inf", -INFINITY},
                 {"-nan", NAN}};
    *out = NAN;
    if (json_kind(node) == JSON_NUMBER) {
        *out = json_number(node);
        return true;
    }
    const struct json *is =
        json_kind(node) == JSON_OBJECT ? json_get(node, "is") : NULL;
    bool is_word = is != NULL && json_kind(is) == JSON_STRING;
    for (size_t i = 0; is_word && i < ARRAY_LEN(WORDS); i++) {
        if (strcmp(json_string(is), WORDS[i].word) == 0) {
            *out = WORDS[i].value;
            return true;
        }
    }
    return json_kind(node) == JSON_NULL;
}

/* A list in the config's order, or an object by name. */
static int read_constraints(const struct json *told,
                            const struct strings *names, struct told *out,
                            struct err *err)
{
    struct buf values;
    bool is_object = json_kind(told) == JSON_OBJECT;
    bool is_list = json_kind(told) == JSON_ARRAY;
    const struct json *item = is_list ? json_first(told) : NULL;
    bool is_right = (is_list || is_object) && names->n > 0 &&
                    json_size(told) == (int)names->n;
    buf_init(&values, LINES_MAX);
    for (size_t i = 0; is_right && i < names->n; i++) {
        double value = NAN;
        const struct json *node =
            is_object ? json_get(told, names->items[i]) : item;
        is_right = node != NULL && read_number(node, &value) && !isnan(value);
        item = item != NULL ? json_next(item) : NULL;
        buf_printf(&values, "%s%.17g", i > 0 ? "\n" : "", value);
    }
    if (!is_right) {
        buf_fini(&values);
        return err_set(err, ERR_INVALID,
                       "\"constraints\" must be a number for each of "
                       "objective.constraints");
    }
    out->constraints = buf_take(&values);
    return 0;
}

static int read_value(const struct json *node, struct told *out,
                      struct err *err)
{
    if (!read_number(node, &out->value)) {
        return err_set(err, ERR_INVALID, "\"value\" must be a number, not %s",
                       json_kind_name(node));
    }
    out->has_value = true;
    return 0;
}

static int read_step(const struct json *node, struct told *out, struct err *err)
{
    if (!json_integer(node, &out->step) || out->step < 0 ||
        out->step >= STEP_END) {
        return err_set(err, ERR_INVALID,
                       "\"step\" must be a whole number from 0 to %d",
                       STEP_END - 1);
    }
    out->has_step = true;
    return 0;
}

static int read_object(const struct json *root, const struct strings *names,
                       struct told *out, struct err *err)
{
    if (json_kind(root) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID, "it is %s, not an object",
                       json_kind_name(root));
    }
    const struct json *step = json_get(root, "step");
    const struct json *value = json_get(root, "value");
    const struct json *constraints = json_get(root, "constraints");
    /* What a report says beside its two numbers is the program's own affair; a
     * line without them may have misspelt one. */
    int rc = step != NULL && value != NULL ? 0 : check_keys(root, err);
    if (rc == 0 && value == NULL && constraints == NULL) {
        rc = err_set(err, ERR_INVALID, "it has no \"value\"");
    }
    if (rc == 0 && constraints != NULL) {
        rc = read_constraints(constraints, names, out, err);
    }
    if (rc == 0 && value != NULL) {
        rc = read_value(value, out, err);
    }
    return rc == 0 && step != NULL ? read_step(step, out, err) : rc;
}

int told_read(const char *text, const struct strings *names, struct told *out,
              struct err *err)
{
    struct buf quoted;
    struct json *root;
    struct err detail;
    *out = (struct told){.value = NAN};
    buf_init(&quoted, QUOTE_GROWS * LINES_MAX);
    quote_non_finite(text, &quoted);
    const char *json = quoted.data != NULL ? quoted.data : "";
    int rc = json_parse(json, strlen(json), &root, &detail);
    buf_fini(&quoted);
    if (rc != 0) { /* where would be counted from behind "parzen:" */
        return err_set(err, ERR_INVALID, "it is not JSON");
    }
    rc = read_object(root, names, out, err);
    json_free(root);
    if (rc != 0) {
        told_fini(out);
    }
    return rc;
}

void told_fini(struct told *t)
{
    free(t->constraints);
    t->constraints = NULL;
}
