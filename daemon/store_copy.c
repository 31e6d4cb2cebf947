/* A database as it stands, copied into memory: what is done to bring it up to
 * date is done to the copy.
 *
 * Even a reader makes the index of a WAL beside the file, for which a full disk
 * has no room. Without a WAL nobody is at work on the file, and it is read as
 * one that cannot change. */
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

static int copy_pages(sqlite3 *to, sqlite3 *from, const char *path,
                      struct err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int code = SQLITE_ERROR;
    if (b != NULL) {
        (void)sqlite3_backup_step(b, -1);
        code = sqlite3_backup_finish(b);
    }
    return code == SQLITE_OK
               ? 0
               : err_set(err, ERR_STORE, "%s: cannot be copied: %s", path,
                         sqlite3_errstr(code));
}

static bool is_at_rest(const char *path)
{
    struct stat st;
    char *wal = mem_printf("%s-wal", path);
    bool is = stat(wal, &st) != 0 || st.st_size == 0;
    free(wal);
    return is;
}

static int copy_file(sqlite3 *to, const char *path, bool is_constant,
                     struct err *err)
{
    sqlite3 *from;
    int rc = open_file(path, is_constant, &from, err);
    if (rc == 0) {
        rc = copy_pages(to, from, path, err);
        sqlite3_close(from);
    }
    return rc;
}

int store_copy_pages(struct store *s, const char *path, struct err *err)
{
    int rc = copy_file(s->db, path, false, err);
    return rc != 0 && is_at_rest(path) ? copy_file(s->db, path, true, err) : rc;
}
