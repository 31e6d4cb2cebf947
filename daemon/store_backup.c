/* Backups: whole copies of a database that is in use.
 *
 * Happy path of store_backup, in a thread beside the loop: a read-only
 * connection of its own holds one snapshot and copies it page by page to
 * FOLDER/parzen-TIME.db.tmp, handing what it wrote to the disk every now and
 * then, so that no commit ever waits behind all of it; the copy becomes a file
 * without a WAL, is checked, synced and renamed, and the oldest go.
 *
 * It only reads: the one connection that writes and moves pages stays the only
 * one. Failure modes: too little room (it is not even begun: a backup must not
 * be what fills the disk), any error, or being told to stop: the copy is
 * removed, those before it stay. What a killed daemon left is removed by the
 * next backup. */
#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store_priv.h"
#include "daemon/wall.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    STEP_PAGES = 256,
    SYNC_STEPS = 8,         /* then they are on the disk */
    SPARE_BYTES = 64 << 20, /* left free on the disk */
};

static const char RESCUED[] = "parzen.db.rescued-"; /* store_files.c */
static const char PREFIX[] = "parzen-", ENDING[] = ".db", UNDONE[] = ".tmp";

/* --- the folder ----------------------------------------------------------- */

static bool ends_with(const char *name, const char *ending)
{
    size_t n = strlen(name), k = strlen(ending);
    return n >= k && strcmp(name + n - k, ending) == 0;
}

static int is_backup(const struct dirent *e)
{
    return strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 &&
           ends_with(e->d_name, ENDING);
}

static int is_undone(const struct dirent *e)
{
    return strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 &&
           strstr(e->d_name, UNDONE) != NULL;
}

/* "parzen-TIME.db", owned: that of a backup made now. */
static char *name_now(void)
{
    char stamp[32];
    time_t now = (time_t)(wall_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
    return mem_printf("%s%s%s", PREFIX, stamp, ENDING);
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name); /* their names are times */
}

/* THE order of backups: the newest first, and behind them, as the oldest, those
 * with a later time than `now` (such a name): their clock was wrong. Their
 * number, *list is owned; -1: no folder, no list. */
static int in_order(const char *folder, int (*which)(const struct dirent *),
                    const char *now, struct dirent ***list)
{
    struct dirent **sorted;
    int n = scandir(folder, &sorted, which, newest_first), n_late = 0;
    if (n < 0) {
        return n;
    }
    while (n_late < n && strcmp(sorted[n_late]->d_name, now) > 0) {
        n_late++;
    }
    *list = mem_alloc((size_t)n + 1, sizeof(**list));
    for (int i = 0; i < n; i++) {
        (*list)[i] = sorted[(i + n_late) % n];
    }
    free(sorted);
    return n;
}

/* Remove all of a kind but the first `keep`. */
static void prune(const char *folder, int (*which)(const struct dirent *),
                  const char *now, int keep)
{
    struct dirent **list = NULL;
    int n = in_order(folder, which, now, &list);
    for (int i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", folder, list[i]->d_name);
        if (i >= keep && unlink(path) != 0) {
            LOG_WARN("backup", "%s: %s", path, strerror(errno));
        }
        free(path);
        free(list[i]);
    }
    free(list);
}

char *store_backup_newest(const char *folder, int nth)
{
    struct dirent **list = NULL;
    char *path = NULL, *now = name_now();
    int n = in_order(folder, is_backup, now, &list);
    for (int i = 0; i < n; i++) {
        if (i == nth) {
            path = mem_printf("%s/%s", folder, list[i]->d_name);
        }
        free(list[i]);
    }
    free(list);
    free(now);
    return path;
}

/* Its pages, and what its rows say. */
static bool is_whole(const char *path)
{
    struct store *s;
    struct buf found;
    struct err err;
    if (store_open_readonly(path, &s, &err) != 0) {
        return false;
    }
    buf_init(&found, STORE_TEXT_MAX);
    int n = store_check_rows(s, &found);
    buf_fini(&found);
    store_close(s);
    return n == 0;
}

char *store_backup_newest_whole(const char *folder)
{
    char *path;
    for (int i = 0; (path = store_backup_newest(folder, i)) != NULL; i++) {
        if (is_whole(path)) {
            return path;
        }
        free(path);
    }
    return NULL;
}

static int is_rescued(const struct dirent *e)
{
    return strncmp(e->d_name, RESCUED, strlen(RESCUED)) == 0;
}

char *store_rescued_newest_whole(const char *state_dir)
{
    struct dirent **list;
    char *whole = NULL;
    int n = scandir(state_dir, &list, is_rescued, versionsort);
    for (int i = n - 1; i >= 0; i--) { /* their names end with event numbers */
        char *path = mem_printf("%s/%s", state_dir, list[i]->d_name);
        if (whole == NULL && is_whole(path)) {
            whole = path;
        } else {
            free(path);
        }
        free(list[i]);
    }
    if (n >= 0) {
        free(list);
    }
    return whole;
}

/* --- one copy ------------------------------------------------------------- */

struct copying {
    const char *from, *to;
    const atomic_bool *cancel;
    sqlite3 *source, *target;
    int fd; /* of `to`: to sync it piece by piece */
    struct err *err;
};

static int fail(const struct copying *c, sqlite3 *db, const char *doing)
{
    struct store s = {.db = db, .path = (char *)c->from};
    int rc = store_fail(&s, doing, c->err);
    return rc;
}

static int check_room(const struct copying *c, const char *folder)
{
    struct stat st;
    struct statvfs fs;
    if (stat(c->from, &st) != 0 || statvfs(folder, &fs) != 0) {
        return err_sys(c->err, errno, "%s", folder);
    }
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    return room > (uint64_t)st.st_size + SPARE_BYTES
               ? 0
               : err_set(c->err, ERR_FULL,
                         "%s: too little room for a backup of %s", folder,
                         c->from);
}

static int open_both(struct copying *c)
{
    if (sqlite3_open_v2(c->from, &c->source, SQLITE_OPEN_READONLY, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(c->source, STORE_BUSY_OPEN_MS) != SQLITE_OK ||
        sqlite3_exec(c->source, "BEGIN; SELECT count(*) FROM sqlite_master",
                     NULL, NULL, NULL) != SQLITE_OK) {
        return fail(c, c->source, "open it for a backup");
    }
    c->fd = open(c->to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (c->fd < 0) {
        return err_sys(c->err, errno, "%s", c->to);
    }
    if (sqlite3_open_v2(c->to, &c->target, SQLITE_OPEN_READWRITE, NULL) !=
            SQLITE_OK ||
        sqlite3_exec(c->target, "PRAGMA synchronous = OFF", NULL, NULL, NULL) !=
            SQLITE_OK) {
        return fail(c, c->target, "open the backup");
    }
    return 0;
}

static int copy_pages(struct copying *c)
{
    sqlite3_backup *b =
        sqlite3_backup_init(c->target, "main", c->source, "main");
    if (b == NULL) {
        return fail(c, c->target, "begin the backup");
    }
    int rc = 0, step = SQLITE_OK;
    for (int i = 1; rc == 0 && step == SQLITE_OK; i++) {
        step = sqlite3_backup_step(b, STEP_PAGES);
        if (i % SYNC_STEPS == 0 && fdatasync(c->fd) != 0) {
            rc = err_sys(c->err, errno, "%s: fdatasync", c->to);
        }
        if (rc == 0 && atomic_load(c->cancel)) {
            rc = err_set(c->err, ERR_CANCELED, "%s: the backup was given up",
                         c->to);
        }
    }
    sqlite3_backup_finish(b); /* its error is the target's */
    return rc == 0 && step != SQLITE_DONE ? fail(c, c->target, "back it up")
                                          : rc;
}

/* One file that needs no other, whole. */
static int finish(struct copying *c)
{
    sqlite3_stmt *st;
    if (sqlite3_exec(c->target, "PRAGMA journal_mode = DELETE", NULL, NULL,
                     NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(c->target, "PRAGMA quick_check(1)", -1, &st, NULL) !=
            SQLITE_OK) {
        return fail(c, c->target, "check the backup");
    }
    bool is_whole = sqlite3_step(st) == SQLITE_ROW &&
                    strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
    sqlite3_finalize(st);
    if (!is_whole) {
        return err_set(c->err, ERR_CORRUPT, "%s: a damaged backup", c->from);
    }
    return fsync(c->fd) == 0 ? 0 : err_sys(c->err, errno, "%s: fsync", c->to);
}

static int copy(struct copying *c)
{
    int rc = open_both(c);
    if (rc == 0) {
        rc = copy_pages(c);
    }
    if (rc == 0) {
        rc = finish(c);
    }
    sqlite3_close(c->source);
    sqlite3_close(c->target);
    if (c->fd >= 0) {
        close(c->fd);
    }
    return rc;
}

int store_backup(const char *path, const char *folder,
                 const atomic_bool *cancel, char **made, struct err *err)
{
    if (sqlite3_threadsafe() == 0) {
        return err_set(err, ERR_STORE,
                       "%s: no backup is made beside the daemon's work: SQLite "
                       "was built for one thread alone",
                       path);
    }
    char *name = name_now();
    char *to = mem_printf("%s/%s", folder, name);
    char *tmp = mem_printf("%s%s", to, UNDONE);
    struct copying c = {
        .from = path, .to = tmp, .cancel = cancel, .fd = -1, .err = err};
    prune(folder, is_undone, name, 0);
    int rc = store_admit_wal(path, err);
    if (rc == 0) {
        rc = check_room(&c, folder);
    }
    if (rc == 0) {
        rc = copy(&c);
    }
    if (rc == 0) {
        rc = store_rename(tmp, to, folder, err);
    }
    if (rc == 0) {
        prune(folder, is_backup, name, STORE_N_BACKUPS);
        *made = to;
    } else {
        prune(folder, is_undone, name, 0);
        free(to);
    }
    free(tmp);
    free(name);
    return rc;
}
