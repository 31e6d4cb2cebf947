/* A study that is in Optuna's tables alone, because Optuna made it or because
 * it was exported: it has no config of ours, so one is put together from its
 * rows: name, direction, and as space the parameters of its trials, each as it
 * was first seen, and those that were only enqueued, as a choice of what was: a
 * config may bring their distributions later. It is loaded STOPPED, to be
 * looked at; what we cannot hold is left out, said in the log and to who asks
 * for it. */
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/store_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int read_direction(struct store *s, struct spec *spec, int64_t study_id,
                          struct err *err)
{
    struct store_row r;
    int rc = store_row_open(&r, s, "study_directions",
                            "SELECT study_direction_id, direction"
                            " FROM study_directions WHERE study_id = ?",
                            study_id, err);
    if (rc != 0) {
        return rc;
    }
    int n = 0;
    while (rc == 0 && r.has_row) {
        const char *text;
        rc = store_row_text(&r, 1, 16, &text);
        if (rc == 0) {
            spec->direction =
                strcmp(text, "MAXIMIZE") == 0 ? SPEC_MAXIMIZE : SPEC_MINIMIZE;
            n++;
            rc = store_row_next(&r);
        }
    }
    store_row_close(&r);
    if (rc == 0 && n != 1) {
        rc = err_set(err, ERR_INVALID, "it has %d objectives, not one", n);
    }
    return rc;
}

static int add_param(const struct store_row *r, struct space *space)
{
    const char *name, *text;
    int rc = store_row_text(r, 1, 4 * SPEC_NAME_MAX, &name);
    if (rc == 0) {
        rc = store_row_text(r, 2, STORE_TEXT_MAX, &text);
    }
    if (rc != 0 || space_find(space, name) >= 0) {
        return rc;
    }
    if (space->n == SPACE_MAX_PARAMS) {
        return err_set(r->err, ERR_INVALID, "more than %d parameters",
                       (int)SPACE_MAX_PARAMS);
    }
    struct json *json;
    struct param p = {.field = -1};
    rc = json_parse(text, strlen(text), &json, r->err);
    if (rc == 0) {
        rc = dist_from_optuna(json, &p.dist, r->err);
        json_free(json);
    }
    if (rc != 0) {
        return err_set(r->err, ERR_INVALID, "parameter '%s': %s", name,
                       r->err != NULL ? r->err->msg : "");
    }
    p.name = mem_strdup(name);
    space->params =
        mem_grow(space->params, space->n + 1, sizeof(*space->params));
    space->params[space->n++] = p;
    return 0;
}

static int read_space(struct store *s, struct space *space, int64_t study_id,
                      struct err *err)
{
    struct store_row r;
    int rc = store_row_open(
        &r, s, "trial_params",
        "SELECT min(p.param_id), p.param_name, p.distribution_json"
        " FROM trials t JOIN trial_params p ON p.trial_id = t.trial_id"
        " WHERE t.study_id = ? GROUP BY p.param_name ORDER BY 1",
        study_id, err);
    if (rc != 0) {
        return rc;
    }
    while (rc == 0 && r.has_row) {
        rc = add_param(&r, space);
        if (rc == 0) {
            rc = store_row_next(&r);
        }
    }
    store_row_close(&r);
    return rc;
}

/* One more choice of a parameter that only enqueued trials have; n_known: the
 * parameters that others have. */
static void add_enqueued(const struct json *node, size_t n_known,
                         struct space *space)
{
    struct err ignored;
    struct choice c;
    double index;
    int at = space_find(space, json_key(node));
    bool is_new = at < 0 && space->n < SPACE_MAX_PARAMS;
    if ((at >= 0 && (size_t)at < n_known) || (at < 0 && !is_new) ||
        choice_from_json(node, &c, &ignored) != 0) {
        return;
    }
    if (is_new) {
        at = (int)space->n++;
        space->params =
            mem_grow(space->params, space->n, sizeof(*space->params));
        space->params[at] = (struct param){.field = -1,
                                           .name = mem_strdup(json_key(node)),
                                           .dist = {.kind = DIST_CATEGORICAL}};
    }
    struct dist *d = &space->params[at].dist;
    bool is_full = d->n_choices == SPACE_MAX_CHOICES;
    if (is_full || dist_value_from_json(d, node, &index, &ignored) == 0) {
        choice_fini(&c);
        return;
    }
    d->choices = mem_grow(d->choices, d->n_choices + 1, sizeof(*d->choices));
    d->choices[d->n_choices] = c;
    d->high = (double)d->n_choices++;
}

static int read_enqueued(struct store *s, struct space *space, int64_t study_id,
                         struct err *err)
{
    struct store_row r;
    size_t n_known = space->n;
    int rc = store_row_open(
        &r, s, "trial_system_attributes",
        "SELECT x.trial_system_attribute_id, x.value_json"
        " FROM trials t JOIN trial_system_attributes x"
        " ON x.trial_id = t.trial_id WHERE t.study_id = ? AND x.key ="
        " 'fixed_params' ORDER BY 1",
        study_id, err);
    if (rc != 0) {
        return rc;
    }
    while (rc == 0 && r.has_row) {
        const char *text;
        struct json *json;
        struct err ignored;
        rc = store_row_text(&r, 1, STORE_TEXT_MAX, &text);
        if (rc == 0 && json_parse(text, strlen(text), &json, &ignored) == 0) {
            bool has_names = json_kind(json) == JSON_OBJECT;
            for (const struct json *it = has_names ? json_first(json) : NULL;
                 it != NULL; it = json_next(it)) {
                add_enqueued(it, n_known, space);
            }
            json_free(json);
        }
        rc = rc == 0 ? store_row_next(&r) : rc;
    }
    store_row_close(&r);
    return rc;
}

/* What its values are called (set_metric_names, or our own export). A name that
 * cannot stand beside its columns is as none. */
static int read_metric(struct store *s, struct spec *spec, int64_t study_id,
                       struct err *err)
{
    struct store_row r;
    const char *text;
    struct json *json;
    struct err ignored;
    int rc = store_row_open(&r, s, "study_system_attributes",
                            "SELECT study_system_attribute_id, value_json"
                            " FROM study_system_attributes WHERE study_id = ?"
                            " AND key = 'study:metric_names'",
                            study_id, err);
    if (rc != 0) {
        return rc;
    }
    if (r.has_row) {
        rc = store_row_text(&r, 1, STORE_TEXT_MAX, &text);
        if (rc == 0 && json_parse(text, strlen(text), &json, &ignored) == 0) {
            const struct json *name =
                json_kind(json) == JSON_ARRAY ? json_first(json) : NULL;
            if (name != NULL && json_kind(name) == JSON_STRING &&
                space_find(&spec->space, json_string(name)) < 0) {
                (void)!spec_read_metric_name(name, spec, &ignored);
            }
            json_free(json);
        }
    }
    store_row_close(&r);
    return rc;
}

/* Its target is what it has: nothing is to be started. */
static void settle(struct study *study)
{
    study->state = STUDY_STOPPED;
    study->running_since_ms = 0;
    study->reason = mem_strdup("in Optuna's tables alone: it has no config");
    int64_t n = study_n_finished(study);
    study->spec.n_trials = n > 0 ? n : 1;
}

int store_load_foreign(struct store *s, struct mirror *m, int64_t study_id,
                       const char *name, struct err *err)
{
    struct spec spec;
    spec_defaults(&spec);
    free(spec.name);
    spec.name = mem_strdup(name);
    spec.objective = SPEC_OBJECTIVE_COMMAND; /* whatever computed its values */
    int rc = read_direction(s, &spec, study_id, err);
    if (rc == 0) {
        rc = read_space(s, &spec.space, study_id, err);
    }
    if (rc == 0) {
        rc = read_enqueued(s, &spec.space, study_id, err);
    }
    if (rc == 0) {
        rc = read_metric(s, &spec, study_id, err);
    }
    if (rc == 0) {
        struct action a = {.kind = ACTION_ADD_STUDY,
                           .study = study_id,
                           .number = -1,
                           .slot = -1};
        a.add_study.spec = &spec;
        mirror_apply(m, &a);
        struct study *study = mirror_study(m, study_id);
        study->is_foreign = true;
        rc = store_load_trials(s, m, study, err);
        if (rc == 0) {
            rc = store_load_importances(s, study, err);
        }
        if (rc == 0) {
            settle(study);
        } else {
            a.kind = ACTION_DELETE_STUDY;
            mirror_apply(m, &a);
        }
    }
    spec_fini(&spec);
    /* Whatever is wrong with it is no reason not to run our own studies; an
     * error of the disk is. */
    if (rc == ERR_INVALID || rc == ERR_CORRUPT) {
        mirror_leave_out(m, name, err != NULL ? err->msg : "");
        LOG_WARN("a study of Optuna's tables alone is left out",
                 "study=%s id=%" PRId64 " reason=%s", name, study_id,
                 err != NULL ? err->msg : "");
        rc = 0;
    }
    return rc;
}
