/* Lives: a store that writes begins one when it opens and ends it when it
 * closes.
 *
 * Two things follow from the table. The last life without an end was killed:
 * the next start looks at the file more closely (store_schema.c). And a life
 * that is not the last any more is over: its process was paused or cut off
 * while another took the folder; store_life_holds, in each write transaction,
 * refuses it. Locks keep that from happening; this is for when they are lost.
 */
#include "daemon/store_priv.h"
#include "daemon/wall.h"

#include <inttypes.h>

int store_life_last(struct store *s, int64_t *life, struct err *err)
{
    int rc = store_query_int(
        s, "SELECT coalesce(max(life), 0) FROM parzen_lives", life, err);
    if (rc == 0 && (*life < 0 || *life >= INT64_MAX - 1)) {
        rc = err_set(err, ERR_CORRUPT, "%s: parzen_lives: no life is left",
                     s->path);
    }
    return rc;
}

bool store_life_was_killed(struct store *s)
{
    int64_t n = 0;
    struct err err;
    int rc = store_query_int(s,
                             "SELECT count(*) FROM parzen_lives WHERE life ="
                             " (SELECT max(life) FROM parzen_lives)"
                             " AND ended_ms IS NULL",
                             &n, &err);
    return rc != 0 || n > 0;
}

int store_life_begin(struct store *s, struct err *err)
{
    int64_t last = 0;
    int rc = store_life_last(s, &last, err);
    if (rc == 0) {
        rc = store_run(
            s, STORE_BEGIN_LIFE,
            (struct store_arg[]){STORE_I(last + 1), STORE_I(wall_ms())}, 2,
            NULL, err);
    }
    if (rc == 0) {
        s->life = last + 1;
    }
    return rc;
}

int store_life_holds(struct store *s, struct err *err)
{
    sqlite3_stmt *st;
    int rc = store_prepare(s, STORE_LAST_LIFE, NULL, 0, &st, err);
    if (rc != 0) {
        return rc;
    }
    int64_t last = 0;
    if (sqlite3_step(st) == SQLITE_ROW) {
        last = sqlite3_column_int64(st, 0);
    } else {
        rc = store_fail(s, "look for the last life", err);
    }
    sqlite3_reset(st);
    if (rc == 0 && last != s->life) {
        rc = err_set(err, ERR_CONFLICT,
                     "%s: another daemon has taken this database over (its "
                     "life is number %" PRId64 ", this one was %" PRId64
                     "); this one writes nothing more",
                     s->path, last, s->life);
    }
    return rc;
}

void store_life_end(struct store *s)
{
    if (s->life == 0 || s->move_failed) {
        return;
    }
    struct err err; /* nobody to tell: the next start looks more closely */
    int rc = store_run(s, STORE_BEGIN, NULL, 0, NULL, &err);
    if (rc == 0) {
        rc = store_life_holds(s, &err);
    }
    if (rc == 0) {
        rc = store_run(
            s, STORE_END_LIFE,
            (struct store_arg[]){STORE_I(s->life), STORE_I(wall_ms())}, 2, NULL,
            &err);
    }
    if (rc == 0) {
        rc = store_run(s, STORE_COMMIT, NULL, 0, NULL, &err);
    }
    if (rc != 0) {
        store_rollback(s);
    }
}
