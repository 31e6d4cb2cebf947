/* The tables that are walked beside `trials`, each once and in its order: a
 * trial takes from every one the rows that carry its id. */
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct {
    const char *table, *columns;
    const char *filter, *order; /* NULL: none beside that of the trials */
} WALKS[STORE_N_WALKS] = {
    [STORE_WALK_VALUES] = {"trial_values",
                           "x.objective, x.value, x.value_type"},
    [STORE_WALK_FIXED] = {"trial_system_attributes", "x.value_json",
                          "x.key = 'fixed_params'"},
    [STORE_WALK_ATTEMPTS] = {"parzen_attempts", "x.started_ms, x.ended_ms"},
    [STORE_WALK_EPOCHS] = {"parzen_epochs",
                           "x.epoch, x.attempt, x.train_loss, x.train_acc,"
                           " x.val_loss, x.val_acc, x.test_acc",
                           NULL, "x.epoch"},
    [STORE_WALK_CHECKPOINTS] = {"parzen_checkpoints",
                                "x.kind, x.epoch, x.step, x.size, x.sha256,"
                                " x.file",
                                NULL, "x.kind DESC"},
    [STORE_WALK_RUNGS] = {"trial_system_attributes",
                          "CAST(substr(x.key, 16) AS INTEGER), x.value_json",
                          "x.key GLOB 'completed_rung_[0-9]*'", "2"},
    [STORE_WALK_MEMORY] = {"trial_user_attributes",
                           "x.key, CAST(x.value_json AS INTEGER)",
                           "x.key IN ('peak_bytes', 'planned_bytes',"
                           " 'peak_of_worker') AND"
                           " x.value_json GLOB '[0-9]*'"},
    [STORE_WALK_CONSTRAINTS] = {"trial_system_attributes", "x.value_json",
                                "(x.key = 'constraints' OR"
                                " x.key GLOB 'constraints:*')",
                                "x.key"},
    [STORE_WALK_STEPS] = {"trial_intermediate_values",
                          "x.step, x.intermediate_value,"
                          " x.intermediate_value_type"},
    [STORE_WALK_END] = {"trial_user_attributes", "x.key, x.value_json",
                        "(x.key = 'cause' AND x.value_json GLOB '\"*\"'"
                        " OR x.key = 'epoch' AND x.value_json GLOB '[0-9]*')"},
};

/* What our own tables tell of our own studies. */
static bool is_for_foreign(int walk)
{
    return walk == STORE_WALK_STEPS || walk == STORE_WALK_END;
}

/* Is the next row of the walk the present trial's? A row of an earlier trial
 * cannot be there: the walks have the same order. */
bool store_has_row(const struct store_loading *l, enum store_walk walk)
{
    const struct store_row *r = &l->walks[walk];
    return r->has_row && r->id == l->trials.id;
}

static int find_ids(struct store_loading *l)
{
    struct store_row r;
    struct store_ids *out = &l->ids;
    int64_t *const columns[] = {&out->first, &out->last, &out->n,
                                &out->n_of_all};
    int rc = store_row_open(&r, l->store, "trials",
                            "SELECT coalesce(min(trial_id), 0),"
                            " coalesce(max(trial_id), 0), count(*),"
                            " (SELECT count(*) FROM trials)"
                            " FROM trials WHERE study_id = ?",
                            l->study->id, l->err);
    for (int i = 0; rc == 0 && i < (int)ARRAY_LEN(columns); i++) {
        rc = store_row_int(&r, i, INT64_MIN, INT64_MAX, columns[i]);
    }
    store_row_close(&r);
    return rc;
}

/* Then all rows from its first id to its last are its own: a walk need not look
 * at `trials`, which costs a table of few rows or none a look for each. */
static bool is_alone(const struct store_ids *ids)
{
    return ids->n > 0 && ids->first >= 1 &&
           ids->last - ids->first + 1 == ids->n;
}

/* "SELECT trial_id, columns FROM table x WHERE", the study's; owned. */
static char *select_of(const struct store_ids *ids, const char *columns,
                       const char *table)
{
    return is_alone(ids)
               ? mem_printf("SELECT x.trial_id, %s FROM %s x"
                            " WHERE x.trial_id BETWEEN %" PRId64
                            " AND %" PRId64,
                            columns, table, ids->first, ids->last)
               : mem_printf("SELECT t.trial_id, %s FROM trials t JOIN %s x"
                            " ON x.trial_id = t.trial_id WHERE t.study_id = ?",
                            columns, table);
}

static int open_walk(struct store_loading *l, enum store_walk walk)
{
    const struct store_ids *ids = &l->ids;
    const char *filter = WALKS[walk].filter, *order = WALKS[walk].order;
    char *select = select_of(ids, WALKS[walk].columns, WALKS[walk].table);
    char *sql =
        mem_printf("%s%s%s ORDER BY %s.trial_id%s%s", select,
                   filter != NULL ? " AND " : "", filter != NULL ? filter : "",
                   is_alone(ids) ? "x" : "t", order != NULL ? ", " : "",
                   order != NULL ? order : "");
    int rc = store_row_open(&l->walks[walk], l->store, WALKS[walk].table, sql,
                            l->study->id, l->err);
    free(sql);
    free(select);
    return rc;
}

int store_open_walks(struct store_loading *l)
{
    int rc = find_ids(l);
    for (int i = 0; rc == 0 && i < STORE_N_WALKS; i++) {
        if (!is_for_foreign(i) || l->study->is_foreign) {
            rc = open_walk(l, (enum store_walk)i);
        }
    }
    return rc;
}

int store_open_params(const struct store_loading *l, struct store_row *out)
{
    static const char COLUMNS[] =
        "x.param_name, x.param_value, x.distribution_json";
    bool has_most = l->ids.n >= l->ids.n_of_all / 2;
    char *sql = has_most
                    ? mem_printf("SELECT x.trial_id, %s FROM trial_params x"
                                 " NOT INDEXED",
                                 COLUMNS)
                    : select_of(&l->ids, COLUMNS, "trial_params");
    int rc = store_row_open(out, l->store, "trial_params", sql, l->study->id,
                            l->err);
    free(sql);
    return rc;
}
