#include "daemon/cli/field.h"
#include "core/base/json.h"

#include <math.h>
#include <string.h>

const struct json *field_get(const struct json *object, const char *key)
{
    return object != NULL && json_kind(object) == JSON_OBJECT
               ? json_get(object, key)
               : NULL;
}

const char *field_string(const struct json *object, const char *key)
{
    const struct json *v = field_get(object, key);
    return v != NULL && json_kind(v) == JSON_STRING ? json_string(v) : NULL;
}

const char *field_text(const struct json *object, const char *key)
{
    const char *s = field_string(object, key);
    return s != NULL ? s : "";
}

double field_number(const struct json *object, const char *key)
{
    const struct json *v = field_get(object, key);
    const char *s = field_string(object, key);
    if (v != NULL && json_kind(v) == JSON_NUMBER) {
        return json_number(v);
    }
    return s != NULL && strcmp(s, "inf") == 0    ? INFINITY
           : s != NULL && strcmp(s, "-inf") == 0 ? -INFINITY
                                                 : NAN;
}

int64_t field_int(const struct json *object, const char *key, int64_t absent)
{
    const struct json *v = field_get(object, key);
    int64_t n;
    return v != NULL && json_integer(v, &n) ? n : absent;
}

bool field_bool(const struct json *object, const char *key)
{
    const struct json *v = field_get(object, key);
    return v != NULL && json_kind(v) == JSON_BOOL && json_bool(v);
}

bool field_is_infeasible(const struct json *trial)
{
    return field_get(trial, "feasible") != NULL &&
           !field_bool(trial, "feasible");
}

bool field_takes_target(const struct json *study, int64_t n_trials)
{
    const struct json *counts = field_get(study, "counts");
    int64_t finished = field_int(study, "finished", 0);
    bool is_finished = strcmp(field_text(study, "state"), "finished") == 0;
    return n_trials >= finished + field_int(counts, "RUNNING", 0) +
                           field_int(counts, "WAITING", 0) &&
           (n_trials > finished || !is_finished);
}

const struct json *field_first(const struct json *object, const char *key)
{
    const struct json *v = field_get(object, key);
    return v != NULL &&
                   (json_kind(v) == JSON_ARRAY || json_kind(v) == JSON_OBJECT)
               ? json_first(v)
               : NULL;
}
