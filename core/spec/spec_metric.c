/* What the objective's values are called, and which way is better. The training
 * has metrics of its own; a command's value is whatever its user calls it. */
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "core/spec/spec_table.h"

#include <stdlib.h>
#include <string.h>

/* Without a type the objective is the training, and what else is said of a
 * command would be refused for a reason that helps nobody. */
int spec_check_type(const struct json *root, struct err *err)
{
    static const struct {
        const char *key, *type;
    } kinds[] = {
        {"command", "command"}, {"function", "function"}, {"path", "table"}};
    const struct json *objective = json_get(root, "objective");
    if (objective == NULL || json_get(objective, "type") != NULL) {
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (json_get(objective, kinds[i].key) != NULL) {
            return err_set(err, ERR_INVALID,
                           "objective.type: missing: beside objective.%s it "
                           "is \"%s\"",
                           kinds[i].key, kinds[i].type);
        }
    }
    return 0;
}

bool spec_is_metric_name(const struct spec *s, const struct json *node)
{
    return s->objective == SPEC_OBJECTIVE_COMMAND &&
           json_kind(node) == JSON_STRING &&
           run_metric_by_name(json_string(node)) < 0;
}

/* Letters that need no quotes anywhere: in JSON, in CSV, in a shell. */
static bool is_plain(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.@/";
    size_t n = strlen(name);
    return n > 0 && n <= SPEC_METRIC_MAX && strspn(name, letters) == n;
}

int spec_read_metric_name(const struct json *node, struct spec *s,
                          struct err *err)
{
    const char *name = json_string(node);
    if (!is_plain(name)) {
        return err_set(err, ERR_INVALID,
                       "objective.metric: must be 1 to %d letters, digits or "
                       "any of _-.@/, not '%.100s'",
                       SPEC_METRIC_MAX, name);
    }
    if (strcmp(name, "step") == 0 || strcmp(name, "epoch") == 0) {
        return err_set(err, ERR_INVALID,
                       "objective.metric: '%s' is what values are counted by",
                       name);
    }
    static const char *const columns[] = {"trial", "number", "state",
                                          "duration"};
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        if (strcmp(name, columns[i]) == 0) {
            return err_set(err, ERR_INVALID,
                           "objective.metric: '%s' is another column of the "
                           "list of trials",
                           name);
        }
    }
    free(s->work.metric);
    s->work.metric = mem_strdup(name);
    return 0;
}

/* It follows the metric where one is written. Where none is, the training's
 * default metric is an accuracy, and any other objective is minimised, as
 * Optuna does. A name of the user's own does not tell it. */
int spec_default_direction(const struct json *root, struct spec *s,
                           struct err *err)
{
    const struct json *objective = json_get(root, "objective");
    if (objective != NULL && json_get(objective, "direction") != NULL) {
        return 0;
    }
    if (s->work.metric[0] != '\0') {
        return err_set(err, ERR_INVALID,
                       "objective.direction: missing: is a high '%s' good "
                       "(maximize) or a low one (minimize)?",
                       s->work.metric);
    }
    bool has_metric =
        s->objective == SPEC_OBJECTIVE_CLASSIFIER ||
        (objective != NULL && json_get(objective, "metric") != NULL);
    bool is_loss = !has_metric || run_metric_is_loss(s->metric);
    s->direction = is_loss ? SPEC_MINIMIZE : SPEC_MAXIMIZE;
    return 0;
}
