/* A database as it stands, copied into memory: what is done to bring it up to
 * date is done to the copy. */
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <stdlib.h>

static int open_file(const char *path, sqlite3 **out, struct err *err)
{
    int rc = store_admit(path, false, err);
    if (rc != 0) {
        return rc;
    }
    if (sqlite3_open_v2(path, out, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
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

int store_copy_pages(struct store *s, const char *path, struct err *err)
{
    sqlite3 *from;
    int rc = open_file(path, &from, err);
    if (rc == 0) {
        rc = copy_pages(s->db, from, path, err);
        sqlite3_close(from);
    }
    return rc;
}
