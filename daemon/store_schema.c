/* Whose file is it, and how it becomes today's schema.
 *
 * Identity: application_id says that a file is ours, user_version how many of
 * the steps below it has. A file without our application_id but with Optuna's
 * tables was made by Optuna: it is adopted, our tables are added to it and its
 * stamp stays, so that the Optuna that made it still opens it. Anything else
 * is refused untouched.
 *
 * Optuna's stamp (alembic_version) may be any: a newer Optuna may have made the
 * same tables. What counts is whether they take what we write; else the file
 * is refused, and untouched.
 *
 * A file that holds something is copied before it is migrated (PATH.before-N);
 * all steps, the two numbers included, are one transaction. */
#include "daemon/store_priv.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Embedded text of schema/FILE, NUL-terminated (the Makefile knows). */
#define EMBED(symbol, file)                                                    \
    __asm__(".section .rodata\n.global " #symbol "\n.hidden " #symbol          \
            "\n" #symbol ":\n.incbin \"schema/" file                           \
            "\"\n.byte 0\n.previous\n");                                       \
    extern const char symbol[] __attribute__((visibility("hidden")))

EMBED(schema_001_optuna, "001_optuna.sql");
EMBED(schema_002_parzen, "002_parzen.sql");
EMBED(schema_003_lives, "003_lives.sql");
EMBED(schema_004_previous, "004_previous_checkpoint.sql");
EMBED(schema_005_digests, "005_digests.sql");

static const char *const STEPS[] = {schema_001_optuna, schema_002_parzen,
                                    schema_003_lives, schema_004_previous,
                                    schema_005_digests};
enum {
    N_STEPS = ARRAY_LEN(STEPS),
    OPTUNA_STEPS = 1, /* what Optuna's own file has */
    EVENT_STEPS = 2,  /* from here on there are events */
    LIFE_STEPS = 3    /* .. lives */
};

const char *store_optuna_schema(void)
{
    return schema_001_optuna;
}

/* --- files of ours ----------------------------------------------------------
 */

static int fsync_path(const char *path, int flags, struct err *err)
{
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0) {
        return err_sys(err, errno, "%s", path);
    }
    int rc = fsync(fd) == 0 ? 0 : err_sys(err, errno, "%s: fsync", path);
    close(fd);
    return rc;
}

int store_create_empty(const char *path, const char *dir, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_sys(err, errno, "%s", path);
    }
    close(fd);
    return fsync_path(dir, O_RDONLY | O_DIRECTORY, err);
}

/* --- identity ------------------------------------------------------------- */

struct identity {
    int64_t application_id, user_version, n_objects, n_optuna;
};

static int identify(struct store *s, struct identity *id, struct err *err)
{
    int rc =
        store_query_int(s, "PRAGMA application_id", &id->application_id, err);
    if (rc == 0) {
        rc = store_query_int(s, "PRAGMA user_version", &id->user_version, err);
    }
    if (rc == 0) {
        rc = store_query_int(s, "SELECT count(*) FROM sqlite_master",
                             &id->n_objects, err);
    }
    if (rc == 0) {
        rc = store_query_int(
            s,
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name "
            "IN ('studies', 'trials', 'version_info', 'alembic_version')",
            &id->n_optuna, err);
    }
    return rc;
}

/* The number of steps that the file has already. */
static int steps_done(struct store *s, const struct identity *id, int64_t *done,
                      struct err *err)
{
    if (id->application_id == STORE_APPLICATION_ID) {
        if (id->user_version > N_STEPS) {
            return err_set(err, ERR_INVALID,
                           "%s: made by a newer version of this program "
                           "(schema %" PRId64 ", this one knows %d)",
                           s->path, id->user_version, (int)N_STEPS);
        }
        if (id->user_version < OPTUNA_STEPS) {
            return err_set(err, ERR_CORRUPT, "%s: schema number %" PRId64,
                           s->path, id->user_version);
        }
        *done = id->user_version;
        return 0;
    }
    if (id->application_id == 0 && id->n_objects == 0) {
        *done = 0;
        return 0;
    }
    if (id->application_id != 0 || id->user_version != 0 || id->n_optuna != 4) {
        return err_set(err, ERR_INVALID, "%s: a database of another program",
                       s->path);
    }
    int64_t version;
    int rc = store_query_int(s, "SELECT schema_version FROM version_info",
                             &version, err);
    if (rc == 0 && version != 12) {
        return err_set(err, ERR_INVALID,
                       "%s: Optuna's schema %" PRId64 " is not 12; run "
                       "`optuna storage upgrade` first",
                       s->path, version);
    }
    *done = OPTUNA_STEPS;
    return rc;
}

/* --- migration ------------------------------------------------------------ */

static int vacuum_into(struct store *s, const char *to, struct err *err)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(s->db, "VACUUM INTO ?", -1, &st, NULL) !=
        SQLITE_OK) {
        return store_fail(s, "backup", err);
    }
    sqlite3_bind_text(st, 1, to, -1, SQLITE_STATIC);
    int rc = sqlite3_step(st) == SQLITE_DONE ? 0 : store_fail(s, "backup", err);
    sqlite3_finalize(st);
    return rc;
}

int store_rename(const char *from, const char *to, const char *dir,
                 struct err *err)
{
    if (rename(from, to) != 0) {
        return err_sys(err, errno, "%s", to);
    }
    return fsync_path(dir, O_RDONLY | O_DIRECTORY, err);
}

int store_copy_to(struct store *s, const char *to, struct err *err)
{
    char *tmp = mem_printf("%s.tmp", to);
    if (unlink(tmp) != 0 && errno != ENOENT) {
        int failed = err_sys(err, errno, "%s", tmp);
        free(tmp);
        return failed;
    }
    int rc = store_create_empty(tmp, s->dir, err);
    if (rc == 0) {
        rc = vacuum_into(s, tmp, err);
    }
    if (rc == 0) {
        rc = fsync_path(tmp, O_RDWR, err);
    }
    if (rc == 0) {
        rc = store_rename(tmp, to, s->dir, err);
    }
    if (rc != 0) {
        unlink(tmp);
    }
    free(tmp);
    return rc;
}

static int copy_before(struct store *s, struct err *err)
{
    char *to = mem_printf("%s.before-%d", s->path, (int)N_STEPS);
    int rc = store_copy_to(s, to, err);
    free(to);
    return rc;
}

/* Every statement of ours, made ready. */
static int check_tables(struct store *s, struct err *err)
{
    sqlite3_stmt *st;
    int rc = 0;
    for (int i = 0; rc == 0 && i < STORE_N_STATEMENTS; i++) {
        rc = store_prepare(s, (enum store_statement)i, NULL, 0, &st, err);
    }
    if (rc != ERR_STORE) {
        return rc;
    }
    char *why = mem_strdup(err->msg);
    rc = err_set(err, ERR_INVALID,
                 "%s; its tables are not those that Optuna 3 to 5 make: did a "
                 "newer one upgrade it? Nothing was changed",
                 why);
    free(why);
    return rc;
}

static int run_steps(struct store *s, int64_t done, bool is_adopted,
                     struct err *err)
{
    int rc = store_exec(s, "BEGIN IMMEDIATE", err);
    if (rc == 0 && is_adopted) {
        /* Optuna before 5 made it without; loading needs it. */
        rc = store_exec(s,
                        "CREATE INDEX IF NOT EXISTS ix_trials_study_id"
                        " ON trials (study_id)",
                        err);
    }
    for (int64_t i = done; rc == 0 && i < N_STEPS; i++) {
        rc = store_exec(s, STEPS[i], err);
    }
    if (rc == 0) {
        char pragmas[96];
        snprintf(pragmas, sizeof(pragmas),
                 "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 (int)STORE_APPLICATION_ID, (int)N_STEPS);
        rc = store_exec(s, pragmas, err);
    }
    if (rc == 0) {
        rc = check_tables(s, err);
    }
    if (rc == 0) {
        rc = store_exec(s, "COMMIT", err);
    }
    if (rc != 0) {
        store_rollback(s);
        return err_wrap(err, "migrate to schema %d", (int)N_STEPS);
    }
    return 0;
}

static bool is_in_wal(struct store *s)
{
    sqlite3_stmt *st;
    bool is =
        sqlite3_prepare_v2(s->db, "PRAGMA journal_mode", -1, &st, NULL) ==
            SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW &&
        sqlite3_stricmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
    sqlite3_finalize(st);
    return is;
}

/* More closely when its last life was killed. Beside the load of the rows, if
 * nothing is to be written before that. */
static int check_whole(struct store *s, int64_t done, struct err *err)
{
    if (done >= LIFE_STEPS) {
        s->was_killed = store_life_was_killed(s);
    }
    bool closely = s->was_killed && !s->is_readonly;
    s->is_unchecked = s->is_loading && done == N_STEPS && is_in_wal(s);
    return s->is_unchecked ? 0 : store_pages_check(s, closely, err);
}

/* It holds what was acknowledged; from here on we know how far it has come. */
static int check_acked(struct store *s, int64_t done, struct err *err)
{
    struct store_acked has = {0};
    int rc = 0;
    if (done >= EVENT_STEPS) {
        rc = store_query_int(s,
                             "SELECT coalesce(max(seq), 0) FROM parzen_events",
                             &has.seq, err);
    }
    if (rc == 0 && done >= LIFE_STEPS) {
        rc = store_life_last(s, &has.life, err);
    }
    if (rc == 0) {
        rc = store_acked_judge(s, &has, err);
    }
    s->put_seq = has.seq;
    s->acked = has;
    return rc;
}

/* What stumbled may have done so over a damaged page, of which the check would
 * have told. */
static int say_what_is_wrong(struct store *s, int rc, struct err *err)
{
    struct err word;
    if (rc == ERR_CORRUPT && s->is_unchecked &&
        store_pages_check(s, s->was_killed, &word) == ERR_CORRUPT) {
        *err = word;
    }
    return rc;
}

int store_migrate(struct store *s, struct err *err)
{
    struct identity id;
    int64_t done = 0;
    int rc = identify(s, &id, err);
    if (rc == 0) {
        rc = steps_done(s, &id, &done, err);
    }
    if (rc == 0 && id.n_objects > 0) {
        rc = check_whole(s, done, err);
    }
    if (rc == 0) {
        rc = say_what_is_wrong(s, check_acked(s, done, err), err);
    }
    if (rc != 0 || done == N_STEPS) {
        return rc == 0 && !s->is_readonly ? check_tables(s, err) : rc;
    }
    if (s->is_readonly) {
        return err_set(err, ERR_INVALID,
                       "%s: an older schema; the daemon brings it up to date",
                       s->path);
    }
    if (id.n_objects > 0 && s->dir != NULL) {
        rc = copy_before(s, err);
    }
    if (rc == 0) {
        bool is_adopted =
            id.n_objects > 0 && id.application_id != STORE_APPLICATION_ID;
        rc = run_steps(s, done, is_adopted, err);
    }
    return rc;
}
