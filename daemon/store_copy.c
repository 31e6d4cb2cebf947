/* A database as it stands, copied into memory: what is done to bring it up to
 * date is done to the copy.
 *
 * Even a reader makes the index of a WAL beside the file, for which a full disk
 * or a folder of another's has no room. Then, and without a WAL, it is read as
 * a file that cannot change.
 *
 * What remains: an empty WAL is no proof that nobody is at work. A daemon that
 * lives, has just moved its WAL into the database and writes again while this
 * is read may give a copy of two moments. Its index is there as long as it
 * lives, so that only a reader that may not use it comes here. */
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <stdlib.h>
#include <sys/stat.h>

static int open_file(const char *path, bool is_constant, sqlite3 **out,
                     struct err *err)
{
    int rc = store_admit(path, false, err);
    if (rc != 0) {
        return rc;
    }
    char *uri = store_uri(path, is_constant ? "immutable=1" : "mode=ro");
    int code =
        sqlite3_open_v2(uri, out, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    free(uri);
    if (code != SQLITE_OK) {
        rc = err_set(err, ERR_STORE, "%s: %s", path,
                     *out != NULL ? sqlite3_errmsg(*out) : "out of memory");
        sqlite3_close(*out);
        return rc;
    }
    sqlite3_busy_timeout(*out, STORE_BUSY_OPEN_MS);
    return 0;
}

static int copy_pages(sqlite3 *to, sqlite3 *from, const char *path, int *code,
                      struct err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    *code = SQLITE_ERROR;
    if (b != NULL) {
        (void)sqlite3_backup_step(b, -1);
        *code = sqlite3_backup_finish(b);
    }
    int primary = *code & 0xff;
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
        return err_set(err, ERR_CORRUPT, "%s: damaged: %s (SQLite %d, copy it)",
                       path, sqlite3_errstr(*code), *code);
    }
    return *code == SQLITE_OK
               ? 0
               : err_set(err, ERR_STORE, "%s: cannot be copied: %s", path,
                         sqlite3_errstr(*code));
}

/* SQLite's answer goes to *code, SQLITE_OK when it was not asked. */
static int copy_file(sqlite3 *to, const char *path, bool is_constant, int *code,
                     struct err *err)
{
    sqlite3 *from;
    *code = SQLITE_OK;
    int rc = open_file(path, is_constant, &from, err);
    if (rc == 0) {
        rc = copy_pages(to, from, path, code, err);
        sqlite3_close(from);
    }
    return rc;
}

/* No index could be made: no room, or no right to. */
static bool lacks_index(int code)
{
    int primary = code & 0xff;
    return primary == SQLITE_FULL || primary == SQLITE_CANTOPEN ||
           primary == SQLITE_READONLY || code == SQLITE_IOERR_SHMSIZE;
}

static bool is_at_rest(const char *path)
{
    struct stat st;
    char *wal = mem_printf("%s-wal", path);
    bool is = stat(wal, &st) != 0 || st.st_size == 0;
    free(wal);
    return is;
}

int store_copy_pages(struct store *s, const char *path, struct err *err)
{
    int code, rc = copy_file(s->db, path, false, &code, err);
    return lacks_index(code) && is_at_rest(path)
               ? copy_file(s->db, path, true, &code, err)
               : rc;
}
