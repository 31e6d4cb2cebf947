#include "tests/lib/recorded_run.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "daemon/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int read_trial(const struct json *root, const struct json *trial,
                      struct history *h, struct err *err)
{
    int64_t number = history_n_trials(h);
    history_add(h);
    const struct json *dists = json_get(root, "distributions");
    const struct json *params = json_get(trial, "params");
    const struct json *value = json_get(trial, "value");
    if (dists == NULL || params == NULL || value == NULL ||
        json_kind(value) != JSON_NUMBER) {
        return err_set(err, ERR_INVALID, "no run of trials");
    }
    for (const struct json *p = json_first(params); p != NULL;
         p = json_next(p)) {
        const struct json *node = json_get(dists, json_key(p));
        struct dist d;
        double v;
        int rc = node != NULL
                     ? dist_from_optuna(node, &d, err)
                     : err_set(err, ERR_INVALID, "%s: unknown", json_key(p));
        if (rc != 0) {
            return rc;
        }
        rc = dist_value_from_json(&d, p, &v, err);
        if (rc == 0) {
            history_set_param(h, number, json_key(p), &d, v);
        }
        dist_fini(&d);
        if (rc != 0) {
            return rc;
        }
    }
    history_set_state(h, number, TRIAL_COMPLETE, json_number(value));
    return 0;
}

int recorded_run_read(const char *path, struct recorded_run *out,
                      struct err *err)
{
    struct buf text;
    struct json *root;
    buf_init(&text, BUF_MAX_RESPONSE);
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        rc = json_parse(text.data, text.len, &root, err);
    }
    buf_fini(&text);
    if (rc != 0) {
        return err_wrap(err, "%s", path);
    }
    const struct json *direction = json_get(root, "direction");
    const struct json *trials = json_get(root, "trials");
    struct history *h = history_new();
    if (direction == NULL || trials == NULL) {
        rc = err_set(err, ERR_INVALID, "no run of trials");
    }
    const struct json *trial = rc == 0 ? json_first(trials) : NULL;
    for (; rc == 0 && trial != NULL; trial = json_next(trial)) {
        rc = read_trial(root, trial, h, err);
    }
    if (rc == 0) {
        bool maximize = strcmp(json_string(direction), "maximize") == 0;
        *out =
            (struct recorded_run){h, maximize ? SPEC_MAXIMIZE : SPEC_MINIMIZE};
    } else {
        history_free(h);
    }
    json_free(root);
    return rc != 0 ? err_wrap(err, "%s", path) : 0;
}

void recorded_run_fini(struct recorded_run *r)
{
    history_free(r->history);
}
