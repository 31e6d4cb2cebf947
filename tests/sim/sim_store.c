/* What the simulated daemon's ledger writes to: the real store, or a journal of
 * the durable actions; its failures; and the study that Optuna left in it. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "daemon/store_priv.h"
#include "tests/lib/fix_store.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- loading -------------------------------------------------------------- */

static void load_rows(struct sim *s, struct store *from, struct mirror *m)
{
    struct err err;
    if (store_load(from, m, &err) != 0) {
        sim_fail(s, "store_load: %s", err.msg);
    }
}

/* A row knows no monotonic time. */
static void apply_rows(const struct actions *a, struct mirror *m)
{
    for (size_t i = 0; i < a->n; i++) {
        struct action row = a->items[i];
        row.mono_ms = 0;
        if (action_is_durable(row.kind)) {
            mirror_apply(m, &row);
        }
    }
}

struct mirror *sim_load(struct sim *s)
{
    struct mirror *m = mirror_new(s->n_slots);
    if (s->store != NULL) {
        load_rows(s, s->store, m);
        return m;
    }
    if (s->optuna != NULL) {
        load_rows(s, s->optuna, m);
    }
    apply_rows(&s->journal, m);
    apply_rows(&s->ledger.pending, m); /* as the open transaction */
    return m;
}

bool sim_can_load(const struct sim *s)
{
    return s->store == NULL || !actions_any_durable(&s->ledger.pending);
}

/* --- the ledger's hooks --------------------------------------------------- */

/* What is known of studies, as of the last commit: undone with it. */
static void remember(struct sim *s)
{
    if (s->fail_in >= 0 && s->ledger.pending.n == 0) {
        memcpy(s->known, s->studies, sizeof(s->known));
        s->n_known = s->n_studies;
    }
}

static bool fails(struct sim *s, struct err *err)
{
    if (s->fail_in < 0 || s->fail_in-- > 0) {
        return false;
    }
    if (s->store != NULL) {
        fix_store_refuse(s->store, s->m); /* with all that was put */
    }
    memcpy(s->studies, s->known, sizeof(s->known));
    s->n_studies = s->n_known;
    s->seen.failed_commits++;
    sim_note(s, "the store fails: %s", err_name(s->fail_code));
    return err_set(err, s->fail_code, "not now") != 0;
}

/* Another program has written: not while our transaction is open. */
static bool is_stale(struct sim *s, const struct actions *a)
{
    return actions_any_durable(a) && !actions_any_durable(&s->ledger.pending) &&
           sim_chance(s, 0.05);
}

static int put(void *ctx, const struct mirror *m, const struct actions *a,
               struct err *err)
{
    struct sim *s = ctx;
    s->m = s->ledger.mirror;
    remember(s);
    if (is_stale(s, a)) {
        s->seen.stale++;
        return err_set(err, ERR_STALE, "look again");
    }
    if (actions_any_durable(a) && fails(s, err)) {
        return s->fail_code;
    }
    sim_decided(s, a);
    return s->store != NULL ? store_put(s->store, m, a, err) : 0;
}

static int flush(void *ctx, struct err *err)
{
    struct sim *s = ctx;
    if (actions_any_durable(&s->ledger.pending) && fails(s, err)) {
        return s->fail_code;
    }
    return s->store != NULL ? store_flush(s->store, err) : 0;
}

/* The store's load fills a mirror: so does this one, from a mirror of its own,
 * whose slots are of no interest. */
static int load(void *ctx, struct mirror *m, struct err *err)
{
    struct sim *s = ctx;
    remember(s);
    if (fails(s, err)) {
        return s->fail_code;
    }
    struct mirror *fresh = sim_load(s), empty = *m;
    *m = *fresh;
    *fresh = empty;
    mirror_free(fresh);
    return 0;
}

static int verify(void *ctx, const struct mirror *m, struct err *err)
{
    const struct sim *s = ctx;
    return s->store != NULL ? store_verify(s->store, m, err) : 0;
}

static void on_refused(void *ctx, const struct event *e, const struct err *why)
{
    sim_fail(ctx, "a word that waited, %d, is refused: %s", (int)e->kind,
             why->msg);
}

void sim_init_ledger(struct sim *s)
{
    const struct ledger_hooks hooks = {s, put, flush, load, verify, on_refused};
    ledger_init(&s->ledger, &hooks, s->n_slots);
    s->m = s->ledger.mirror;
}

void sim_arm(struct sim *s, uint32_t n_calls)
{
    static const int CODES[] = {ERR_FULL, ERR_BUSY, ERR_BUSY, ERR_STORE};
    s->fail_in = (int)sim_below(s, n_calls);
    s->fail_code = CODES[sim_below(s, ARRAY_LEN(CODES))];
}

/* --- a study that Optuna made --------------------------------------------- */

#define FLOAT(name, value, low, high, log)                                     \
    "INSERT INTO trial_params (trial_id, param_name, param_value,"             \
    " distribution_json) VALUES (%d, '" name "', " value                       \
    ", '{\"name\": \"FloatDistribution\", \"attributes\": {\"step\": null,"    \
    " \"low\": " low ", \"high\": " high ", \"log\": " log "}}');"

static void put_params(struct sim *s, struct buf *sql, int number)
{
    double *given = s->studies[0].given[number];
    given[0] = 0.5 * rng_double(&s->rng);
    given[SIM_CHOICE] = sim_below(s, 2);
    given[2] = 1e-5 + 9e-4 * rng_double(&s->rng);
    buf_printf(sql, FLOAT("dropout", "%.17g", "0.0", "0.5", "false"),
               number + 1, given[0]);
    buf_printf(sql,
               "INSERT INTO trial_params (trial_id, param_name, param_value,"
               " distribution_json) VALUES (%d, 'batch_size', %d,"
               " '{\"name\": \"CategoricalDistribution\", \"attributes\":"
               " {\"choices\": [8, 16]}}');",
               number + 1, (int)given[SIM_CHOICE]);
    buf_printf(sql, FLOAT("lr", "%.17g", "1e-5", "1e-3", "true"), number + 1,
               given[2]);
}

static void put_attribute(struct buf *sql, int number, const char *key,
                          const char *value)
{
    buf_printf(sql,
               "INSERT INTO trial_system_attributes (trial_id, key, value_json)"
               " VALUES (%d, '%s', '%s');",
               number + 1, key, value);
}

static void put_trial(struct sim *s, struct buf *sql, int number)
{
    static const char *const STATES[] = {"COMPLETE", "COMPLETE", "FAIL",
                                         "RUNNING", "WAITING"};
    const char *state = STATES[sim_below(s, ARRAY_LEN(STATES))];
    bool has_ended = state[0] == 'C' || state[0] == 'F';
    buf_printf(sql,
               "INSERT INTO trials VALUES (%d, %d, 1, '%s',"
               " '2026-01-01 00:00:00.000000', %s);",
               number + 1, number, state,
               has_ended ? "'2026-01-01 00:00:09.000000'" : "NULL");
    if (state[0] == 'W') {
        put_attribute(sql, number, "fixed_params", "{\"dropout\": 0.25}");
        return;
    }
    put_params(s, sql, number);
    if (state[0] == 'C') {
        buf_printf(sql,
                   "INSERT INTO trial_values (trial_id, objective, value,"
                   " value_type) VALUES (%d, 0, %g, 'FINITE');",
                   number + 1, sim_below(s, 10) / 10.0);
    }
    if (state[0] == 'C' && sim_below(s, 2) == 0) {
        put_attribute(sql, number, "constraints",
                      sim_below(s, 2) == 0 ? "[0.5, -1.0]" : "[-0.5, 0.0]");
    }
}

void sim_optuna_was_here(struct sim *s)
{
    struct err err;
    struct buf sql;
    struct store *store = s->store;
    if (store == NULL && store_open(":memory:", &s->optuna, &err) != 0) {
        sim_fail(s, "store_open: %s", err.msg);
    }
    sim_know_study(s, 1);
    buf_init(&sql, 1 << 20);
    buf_printf(&sql,
               "INSERT INTO studies VALUES (1, 'optuna');"
               "INSERT INTO study_directions (direction, study_id, objective)"
               " VALUES ('%s', 1, 0);",
               sim_below(s, 2) == 0 ? "MINIMIZE" : "MAXIMIZE");
    int n = 1 + (int)sim_below(s, 5);
    for (int i = 0; i < n; i++) {
        put_trial(s, &sql, i);
    }
    if (store_exec(store != NULL ? store : s->optuna, sql.data, &err) != 0) {
        sim_fail(s, "%s: %s", err.msg, sql.data);
    }
    buf_fini(&sql);
}
