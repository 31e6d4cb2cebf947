/* Rows -> an empty mirror, in one transaction. What was put and not flushed is
 * no row: store_load undoes it first.
 *
 * Memory is filled through mirror_apply, by the actions that would have led to
 * the rows, so that what memory derives (counts, the best trial, the history)
 * is derived by the same code; what no action can say (the seq of a row, the
 * attempt of a waiting trial) is set after it. What is applied was checked:
 * mirror_apply cannot fail. */
#include "core/base/mem.h"
#include "core/spec/spec_json.h"
#include "daemon/store_priv.h"

#include <stdlib.h>
#include <string.h>

enum { REASON_MAX = 64 << 10 };

enum study_column {
    STUDY_ID, /* the row's id */
    STUDY_NAME,
    STUDY_CONFIG, /* NULL: not a study of ours */
    STUDY_SEQ,
    STUDY_SPEC,
    STUDY_N_TRIALS,
    STUDY_STATE,
    STUDY_REASON,
    STUDY_CREATED,
    STUDY_ACTIVE,
    STUDY_SINCE,
    STUDY_SHA256,
    STUDY_N_CLASSES,
    STUDY_N_TRAIN,
    STUDY_N_VAL,
    STUDY_N_TEST
};

static const char SELECT_STUDIES[] =
    "SELECT s.study_id, s.study_name, c.study_id, c.seq, c.spec, c.n_trials,"
    " c.state, c.reason, c.created_ms, c.active_ms, c.running_since_ms,"
    " c.data_sha256, c.n_classes, c.n_train, c.n_val, c.n_test"
    " FROM studies s LEFT JOIN parzen_configs c ON c.study_id = s.study_id"
    " ORDER BY s.study_id";

/* The one direction that a study of ours has must be the config's. */
static int check_direction(struct store *s, int64_t study_id,
                           enum spec_direction direction, struct err *err)
{
    struct store_row r;
    int rc = store_row_open(&r, s, "study_directions",
                            "SELECT study_direction_id, direction, objective"
                            " FROM study_directions WHERE study_id = ?",
                            study_id, err);
    if (rc != 0) {
        return rc;
    }
    const char *want = direction == SPEC_MAXIMIZE ? "MAXIMIZE" : "MINIMIZE";
    const char *text = "";
    if (!r.has_row) {
        r.id = study_id;
        rc = store_row_bad(&r, "a study without a direction");
    } else {
        rc = store_row_text(&r, 1, 16, &text);
    }
    if (rc == 0 && strcmp(text, want) != 0) {
        rc = store_row_bad(&r, "direction: %s, but the config says %s", text,
                           want);
    }
    if (rc == 0) {
        rc = store_row_next(&r);
    }
    if (rc == 0 && r.has_row) {
        rc = store_row_bad(&r, "a second objective");
    }
    store_row_close(&r);
    return rc;
}

static int read_spec(const struct store_row *r, const char *name,
                     struct spec *spec)
{
    const char *text;
    int64_t n_trials;
    int rc = store_row_text(r, STUDY_SPEC, STORE_TEXT_MAX, &text);
    if (rc == 0) {
        rc = store_row_int(r, STUDY_N_TRIALS, 1, SPEC_MAX_TRIALS, &n_trials);
    }
    if (rc != 0) {
        return rc;
    }
    struct err reason;
    if (spec_parse_stored(text, strlen(text), spec, &reason) != 0) {
        return store_row_bad(r, "spec: %s", reason.msg);
    }
    if (strcmp(spec->name, name) != 0) {
        spec_fini(spec);
        return store_row_bad(r, "spec: its name is not the study's");
    }
    spec->n_trials = n_trials;
    return 0;
}

static int read_data(const struct store_row *r, struct study_data *data)
{
    const char *sha256;
    int rc = store_row_text(r, STUDY_SHA256, sizeof(data->sha256) - 1, &sha256);
    if (rc != 0) {
        return rc;
    }
    memcpy(data->sha256, sha256, strlen(sha256) + 1);
    int64_t *const counts[] = {&data->n_classes, &data->n_train, &data->n_val,
                               &data->n_test};
    for (int i = 0; rc == 0 && i < (int)ARRAY_LEN(counts); i++) {
        rc = store_row_int(r, STUDY_N_CLASSES + i, 0, INT64_MAX, counts[i]);
    }
    return rc;
}

/* What of the study's row is not in its ADD_STUDY. */
static int read_state(const struct store_row *r, struct study *study)
{
    const char *state;
    int rc = store_row_text(r, STUDY_STATE, 32, &state);
    if (rc == 0) {
        int named = study_state_by_name(state);
        if (named < 0) {
            return store_row_bad(r, "state: no such state");
        }
        study->state = (enum study_state)named;
        rc = store_row_int(r, STUDY_SEQ, 0, INT64_MAX, &study->seq);
    }
    if (rc == 0) {
        rc = store_row_int(r, STUDY_ACTIVE, 0, STORE_MAX_MS, &study->active_ms);
    }
    if (rc == 0) {
        rc = store_row_ms(r, STUDY_SINCE, STORE_MAX_MS,
                          &study->running_since_ms);
    }
    if (rc == 0) {
        rc = read_data(r, &study->data);
    }
    if (rc == 0) {
        rc =
            store_row_text_or_null(r, STUDY_REASON, REASON_MAX, &study->reason);
    }
    return rc;
}

/* Rows of one evaluator stand together, in the order of struct importances. */
int store_load_importances(struct store *s, struct study *study,
                           struct err *err)
{
    struct store_row r;
    int rc = store_row_open(&r, s, "parzen_importances",
                            "SELECT study_id, evaluator, param, importance,"
                            " n_trials FROM parzen_importances"
                            " WHERE study_id = ?"
                            " ORDER BY evaluator, importance DESC, param",
                            study->id, err);
    while (rc == 0 && r.has_row) {
        const char *evaluator, *param = "";
        double value = 0.0;
        int64_t n_trials = 0;
        rc = store_row_text(&r, 1, 32, &evaluator);
        int which = rc == 0 ? importance_by_name(evaluator) : -1;
        if (rc == 0) {
            rc = store_row_text(&r, 2, 4 * SPEC_NAME_MAX, &param);
        }
        if (rc == 0) {
            rc = store_row_real(&r, 3, &value);
        }
        if (rc == 0) {
            rc = store_row_int(&r, 4, 0, INT64_MAX, &n_trials);
        }
        if (rc == 0 && which >= 0) { /* another version's: computed anew */
            struct importances *list = &study->importances[which];
            list->items =
                mem_grow(list->items, list->n + 1, sizeof(*list->items));
            list->items[list->n++] =
                (struct importance){mem_strdup(param), value};
            list->n_trials = n_trials;
        }
        if (rc == 0) {
            rc = store_row_next(&r);
        }
    }
    store_row_close(&r);
    return rc;
}

static int load_own(struct store *s, struct mirror *m,
                    const struct store_row *r, const char *name)
{
    struct action add = {
        .kind = ACTION_ADD_STUDY, .study = r->id, .number = -1, .slot = -1};
    struct spec spec;
    int rc = store_row_ms(r, STUDY_CREATED, STORE_MAX_MS, &add.at_ms);
    if (rc == 0) {
        rc = read_spec(r, name, &spec);
    }
    if (rc != 0) {
        return rc;
    }
    add.add_study.spec = &spec;
    mirror_apply(m, &add);
    struct study *study = mirror_study(m, r->id);
    rc = read_state(r, study);
    if (rc == 0) {
        rc = check_direction(s, r->id, spec.direction, r->err);
    }
    spec_fini(&spec);
    if (rc == 0) {
        rc = store_load_importances(s, study, r->err);
    }
    return rc != 0 ? rc : store_load_trials(s, m, study, r->err);
}

static int load_studies(struct store *s, struct mirror *m, struct err *err)
{
    struct store_row r;
    int rc = store_row_open(&r, s, "studies", SELECT_STUDIES, 0, err);
    if (rc != 0) {
        return rc;
    }
    while (rc == 0 && r.has_row) {
        char *name = NULL;
        r.table = "studies";
        rc = store_row_text_or_null(&r, STUDY_NAME, 4 * SPEC_NAME_MAX, &name);
        if (rc == 0 && name == NULL) {
            rc = store_row_bad(&r, "study_name: NULL");
        }
        if (rc == 0 && (r.id < 1 || r.id == INT64_MAX)) {
            rc = store_row_bad(&r, "study_id is out of bounds");
        }
        bool is_ours = !store_row_is_null(&r, STUDY_CONFIG);
        r.table = is_ours ? "parzen_configs" : "studies";
        if (rc == 0) {
            rc = is_ours ? load_own(s, m, &r, name)
                         : store_load_foreign(s, m, r.id, name, err);
        }
        free(name);
        if (rc == 0) {
            rc = store_row_next(&r);
        }
    }
    store_row_close(&r);
    return rc;
}

/* What comes next after all that is, or was, there. */
static int load_counters(struct store *s, struct mirror *m, struct err *err)
{
    static const char *const SQL[] = {
        "SELECT max((SELECT coalesce(max(study_id), 0) + 1 FROM studies),"
        " coalesce((SELECT value FROM parzen_next_ids WHERE name = 'study'), "
        "1))",
        "SELECT max((SELECT coalesce(max(trial_id), 0) + 1 FROM trials),"
        " coalesce((SELECT value FROM parzen_next_ids WHERE name = 'trial'), "
        "1))",
        "SELECT coalesce(max(seq), 0) + 1 FROM parzen_events",
    };
    int64_t *const next[] = {&m->next_study_id, &m->next_trial_id,
                             &m->next_seq};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(SQL); i++) {
        rc = store_query_int(s, SQL[i], next[i], err);
        if (rc == 0 && (*next[i] < 1 || *next[i] == INT64_MAX)) {
            rc = err_set(err, ERR_CORRUPT, "%s: no ids are left", s->path);
        }
    }
    return rc;
}

int store_load_rows(struct store *s, struct mirror *m, struct err *err)
{
    int rc = store_note_version(s, err);
    if (rc == 0) {
        rc = load_studies(s, m, err);
    }
    return rc == 0 ? load_counters(s, m, err) : rc;
}

int store_load(struct store *s, struct mirror *m, struct err *err)
{
    if (s->is_open) {
        store_undo(s);
    }
    int rc = store_exec(s, "BEGIN", err);
    if (rc == 0) {
        rc = store_load_rows(s, m, err);
    }
    store_rollback(s);
    s->is_refused |= rc == ERR_CORRUPT;
    return rc;
}
