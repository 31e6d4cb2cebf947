/* One connection, one transaction per decision.
 *
 * Happy path of store_commit: BEGIN IMMEDIATE, the rows of each durable action
 * (store_write.c), COMMIT, which returns after the WAL was synced; then, when
 * the WAL has grown, its pages are moved to the database.
 *
 * Opening begins a life (store_life.c), once the pages are checked
 * (store_pages.c) and, by store_open_loaded, the rows are loaded meanwhile;
 * each transaction first sees that it is still the last one, and that nobody
 * else has written since the rows were loaded (store_adopt.c). After each
 * commit PATH-acked says how far the database has come (store_acked.c).
 *
 * Failure modes: any statement or the COMMIT fails (disk full, I/O error,
 * another program's lock, a row that is not as the mirror says): the
 * transaction is rolled back, and what was written before it is what a reload
 * finds. After an I/O error in COMMIT itself a crash may find the transaction
 * whole; never a part of it. A failing move of pages fails no commit: the WAL
 * keeps them. After an I/O error it is not tried again in this life, because
 * after a failed fsync the page cache may claim what the disk lacks; the next
 * open replays the WAL.
 *
 * On a full disk the WAL grows no more, but once its pages are moved it is
 * written anew from its start. Those that are new to the database want space
 * there: it grows by chunks, so that they mostly have it already.
 */
#include "daemon/store.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int on_wal(void *ctx, sqlite3 *db, const char *name, int n_pages)
{
    struct store *s = ctx;
    (void)db;
    (void)name;
    s->wal_pages = n_pages;
    return SQLITE_OK;
}

static int configure(struct store *s, struct err *err)
{
    static const struct {
        int option, on;
    } SWITCHES[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(SWITCHES); i++) {
        if (sqlite3_db_config(s->db, SWITCHES[i].option, SWITCHES[i].on,
                              NULL) != SQLITE_OK) {
            return store_fail(s, "configure", err);
        }
    }
    sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, STORE_TEXT_MAX);
    sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 1); /* VACUUM INTO needs one */
    sqlite3_busy_timeout(s->db, STORE_BUSY_OPEN_MS);
    return sqlite3_exec(s->db,
                        "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                        "PRAGMA synchronous = FULL;"
                        "PRAGMA wal_autocheckpoint = 0;"
                        "PRAGMA journal_size_limit = 67108864",
                        NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : store_fail(s, "open", err);
}

/* Not before the database is made: until its first page is written it must be
 * empty; nor before it is known to be whole. On a full disk, later. */
static void grow_by_chunks(struct store *s)
{
    int bytes = STORE_CHUNK_BYTES;
    sqlite3_int64 size = 0;
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &bytes) ==
            SQLITE_OK &&
        sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) ==
            SQLITE_OK &&
        file->pMethods->xFileSize(file, &size) == SQLITE_OK) {
        sqlite3_file_control(s->db, "main", SQLITE_FCNTL_SIZE_HINT, &size);
    }
}

/* Journal in a WAL: readers (Optuna, its dashboard) never block us. */
static int use_wal(struct store *s, struct err *err)
{
    sqlite3_stmt *st;
    if (sqlite3_prepare_v2(s->db, "PRAGMA journal_mode = WAL", -1, &st, NULL) !=
        SQLITE_OK) {
        return store_fail(s, "switch to WAL", err);
    }
    int rc = 0;
    if (sqlite3_step(st) != SQLITE_ROW) {
        rc = store_fail(s, "switch to WAL", err);
    } else {
        const char *mode = (const char *)sqlite3_column_text(st, 0);
        if (mode == NULL || strcmp(mode, "wal") != 0) {
            rc = err_set(err, ERR_STORE, "%s: cannot be switched to WAL",
                         s->path);
        }
    }
    sqlite3_finalize(st);
    sqlite3_wal_hook(s->db, on_wal, s);
    return rc;
}

/* One thread uses a store: without mutexes, which every column read would
 * take. */
int store_connect(struct store *s, int flags, struct err *err)
{
    flags |= SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK) {
        return s->db != NULL
                   ? store_fail(s, "open", err)
                   : err_set(err, ERR_STORE, "%s: out of memory", s->path);
    }
    return configure(s, err);
}

/* Before this life, unless it has something to adopt. */
static int load_early(struct store *s, struct mirror *m, bool *is_loaded,
                      struct err *err)
{
    bool adopts;
    int rc = store_adopt_needed(s, &adopts, err);
    *is_loaded = rc == 0 && !adopts;
    return *is_loaded ? store_load_rows(s, m, err) : rc;
}

/* Nobody else writes from before the rows are loaded until the life has begun;
 * nor do we before the file is known to be whole. */
static int begin_life(struct store *s, struct mirror *m, bool *is_loaded,
                      struct err *err)
{
    int rc = store_exec(s, "BEGIN IMMEDIATE", err);
    if (rc == 0 && s->is_unchecked) {
        store_pages_begin(s, s->was_killed);
    }
    if (rc == 0 && m != NULL) {
        rc = load_early(s, m, is_loaded, err);
    }
    rc = store_pages_end(s, rc, err);
    if (rc == 0) {
        rc = store_note_version(s, err);
    }
    if (rc == 0) {
        rc = store_life_begin(s, err);
    }
    if (rc == 0) {
        rc = store_exec(s, "COMMIT", err);
    }
    if (rc != 0) {
        s->life = 0;
        store_rollback(s);
    }
    return rc;
}

static int begin(struct store *s, struct mirror *m, struct err *err)
{
    bool is_loaded = false;
    int rc = s->dir != NULL ? use_wal(s, err) : 0;
    if (rc == 0) {
        rc = begin_life(s, m, &is_loaded, err);
    }
    if (rc != 0) {
        return rc;
    }
    if (s->dir != NULL) {
        grow_by_chunks(s);
    }
    store_acked_make(s);
    store_acked_tell(s);
    store_remember_places(s);
    if (m == NULL) {
        rc = store_adopt_trials(s, err);
    } else if (!is_loaded) {
        rc = store_take_in(s, m, err);
    }
    return rc;
}

/* Whose file it is comes before anything that writes to it. */
static int open_connection(struct store *s, int flags, struct mirror *m,
                           struct err *err)
{
    int rc = store_connect(s, flags, err);
    if (rc == 0) {
        rc = store_migrate(s, err);
    }
    return rc == 0 && !s->is_readonly ? begin(s, m, err) : rc;
}

/* Is there a file that may be opened, or should be? */
static int find_file(struct store *s, struct err *err)
{
    char *copy = mem_strdup(s->path);
    s->dir = realpath(dirname(copy), NULL);
    int rc = s->dir != NULL ? 0 : err_sys(err, errno, "%s", s->path);
    free(copy);
    if (rc == 0) {
        store_acked_open(s);
    }
    if (rc == 0) {
        rc = store_admit_wal(s->path, err);
    }
    if (rc == 0 && !file_exists(s->path)) {
        rc = store_acked_judge(s, &(struct store_acked){0}, err);
    }
    return rc == 0 ? store_admit(s->path, !s->is_readonly, err) : rc;
}

static int open_store(const char *path, bool is_readonly, struct mirror *m,
                      struct store **out, struct err *err)
{
    bool in_memory = strcmp(path, ":memory:") == 0;
    struct store *s = mem_alloc(1, sizeof(*s));
    *s = (struct store){.path = mem_strdup(path),
                        .is_readonly = is_readonly,
                        .is_loading = m != NULL && !in_memory,
                        .acked_fd = -1};
    int rc = in_memory ? 0 : find_file(s, err);
    if (rc == 0) {
        rc = open_connection(
            s, is_readonly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE, m,
            err);
    }
    if (rc != 0) {
        s->is_refused |= rc == ERR_CORRUPT;
        store_close(s);
        return rc;
    }
    sqlite3_busy_timeout(s->db, STORE_BUSY_MS);
    *out = s;
    return 0;
}

int store_open(const char *path, struct store **out, struct err *err)
{
    return open_store(path, false, NULL, out, err);
}

int store_open_loaded(const char *path, struct mirror *m, struct store **out,
                      struct err *err)
{
    return open_store(path, false, m, out, err);
}

int store_open_readonly(const char *path, struct store **out, struct err *err)
{
    return open_store(path, true, NULL, out, err);
}

int store_open_copy(const char *path, struct store **out, struct err *err)
{
    struct store *s = mem_alloc(1, sizeof(*s));
    *s = (struct store){.path = mem_strdup(path), .acked_fd = -1};
    int rc = sqlite3_open_v2(":memory:", &s->db, SQLITE_OPEN_READWRITE, NULL) ==
                     SQLITE_OK
                 ? store_copy_pages(s, path, err)
                 : err_set(err, ERR_STORE, "%s: out of memory", path);
    if (rc == 0) {
        rc = configure(s, err);
    }
    if (rc == 0) {
        rc = store_migrate(s, err);
    }
    if (rc == 0) {
        rc = store_adopt_trials(s, err);
    }
    if (rc != 0) {
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

static void move_pages(struct store *s, int mode)
{
    int in_wal = 0, moved = 0;
    if (sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &in_wal, &moved) !=
        SQLITE_OK) {
        struct err why; /* a quota is an I/O error to SQLite */
        s->move_failed = store_fail(s, "move pages", &why) == ERR_IO;
        LOG_WARN("wal checkpoint failed", "%s", why.msg);
        return;
    }
    if (in_wal == moved) {
        s->wal_pages = 0;
        store_remember_size(s);
    }
    /* A reader may keep it from being used anew: not at every commit then. */
    s->next_move = in_wal + STORE_WAL_PAGES;
}

const char *store_warning(struct store *s)
{
    int64_t bytes = (int64_t)s->wal_pages * STORE_PAGE_BYTES;
    if (bytes < STORE_WAL_ALARM_BYTES) {
        return NULL;
    }
    snprintf(s->warning, sizeof(s->warning),
             "parzen.db-wal has grown to %d MiB: a program that reads the "
             "database holds an old snapshot of it (optuna-dashboard, sqlite3, "
             "a backup tool?); it shrinks once that program ends",
             (int)(bytes >> 20));
    return s->warning;
}

void store_checkpoint(struct store *s)
{
    int which;
    if (!s->is_readonly && !s->is_open && !s->move_failed && s->wal_pages > 0 &&
        !store_is_cut(s, &which)) {
        move_pages(s, SQLITE_CHECKPOINT_PASSIVE);
    }
}

/* The last words, and the WAL into the database. Not after an I/O error, nor
 * into what is damaged or files that our names no longer mean: then not by
 * sqlite3_close either. */
static void end_life(struct store *s)
{
    struct err err;
    sqlite3_busy_timeout(s->db, 0);
    if (!s->is_lost && store_still_there(s, &err) != 0) {
        LOG_ERROR("store", "%s", err.msg);
    }
    bool is_left = s->is_lost || s->is_refused;
    if (!is_left && !s->move_failed) {
        store_life_end(s);
        if (s->wal_pages > 0) {
            move_pages(s, SQLITE_CHECKPOINT_TRUNCATE);
        }
    }
    if (is_left || s->move_failed) {
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
}

void store_close(struct store *s)
{
    if (s == NULL) {
        return;
    }
    if (s->db != NULL && !s->is_readonly && s->dir != NULL) {
        end_life(s);
    }
    for (int i = 0; i < STORE_N_STATEMENTS; i++) {
        sqlite3_finalize(s->statements[i]);
    }
    sqlite3_close(s->db);
    if (s->acked_fd >= 0) {
        close(s->acked_fd);
    }
    free(s->dir);
    free(s->path);
    free(s);
}

void store_undo(struct store *s)
{
    s->is_open = false;
    s->put_seq = s->acked.seq;
    store_rollback(s);
}

/* Of what was decided on rows that are as we know them. */
static int begin_put(struct store *s, struct err *err)
{
    int rc = store_run(s, STORE_BEGIN, NULL, 0, NULL, err);
    s->is_open = rc == 0;
    if (rc == 0) {
        rc = store_life_holds(s, err);
    }
    return rc == 0 ? store_is_known(s, err) : rc;
}

int store_put(struct store *s, const struct mirror *m, const struct actions *a,
              struct err *err)
{
    if (!actions_any_durable(a)) {
        return 0;
    }
    int rc = s->is_open ? 0 : begin_put(s, err);
    for (size_t i = 0; rc == 0 && i < a->n; i++) {
        if (action_is_durable(a->items[i].kind)) {
            rc = store_write(s, m, a, i, err);
        }
    }
    if (rc != 0) {
        store_undo(s);
    }
    return rc;
}

int store_flush(struct store *s, struct err *err)
{
    if (!s->is_open) {
        return 0;
    }
    int rc = store_still_whole(s, err);
    if (rc != 0) {
        return rc;
    }
    rc = store_run(s, STORE_COMMIT, NULL, 0, NULL, err);
    if (rc != 0) {
        store_undo(s);
        return rc;
    }
    s->is_open = false;
    rc = store_still_there(s, err);
    if (rc != 0) {
        return rc;
    }
    store_acked_tell(s);
    if (s->wal_pages < STORE_WAL_PAGES) { /* it was begun anew */
        s->next_move = STORE_WAL_PAGES;
    }
    if (s->wal_pages >= s->next_move) {
        store_checkpoint(s);
    }
    return 0;
}

int store_commit(struct store *s, const struct mirror *m,
                 const struct actions *a, struct err *err)
{
    int rc = store_put(s, m, a, err);
    return rc == 0 ? store_flush(s, err) : rc;
}

int store_probe(struct store *s, struct err *err)
{
    int rc = store_run(s, STORE_BEGIN, NULL, 0, NULL, err);
    if (rc == 0) {
        rc = store_life_holds(s, err);
    }
    if (rc == 0) {
        rc = store_run(s, STORE_PROBE_LIFE,
                       (struct store_arg[]){STORE_I(s->life)}, 1, NULL, err);
    }
    if (rc == 0) {
        rc = store_run(s, STORE_COMMIT, NULL, 0, NULL, err);
    }
    if (rc != 0) {
        store_undo(s);
    }
    return rc;
}
