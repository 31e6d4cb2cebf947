/* A daemon may be at work between two queries, or replace a checkpoint while it
 * is read: only what two looks agree on is a finding. */
#include "daemon/check.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/paths.h"
#include "daemon/store.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FINDINGS_MAX = 16 << 20, BETWEEN_S = 1 };

static int look(const char *db, struct buf *out, struct err *err)
{
    struct store *s;
    int rc = store_open_readonly(db, &s, err);
    if (rc == 0) {
        store_check(s, out);
        store_close(s);
    }
    return rc;
}

static bool has_line(const struct buf *text, const char *line, size_t n)
{
    for (size_t at = 0; at < text->len;) {
        size_t len = strcspn(text->data + at, "\n");
        if (len == n && memcmp(text->data + at, line, n) == 0) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

static bool is_left(const char *line)
{
    return strncmp(line, STORE_CHECK_LEFT, strlen(STORE_CHECK_LEFT)) == 0;
}

static int print_common(const struct buf *a, const struct buf *b)
{
    int n = 0;
    for (size_t at = 0; at < a->len;) {
        const char *line = a->data + at;
        size_t len = strcspn(line, "\n");
        if (has_line(b, line, len)) {
            printf("%.*s\n", (int)len, line);
            n += !is_left(line);
        }
        at += len + 1;
    }
    return n;
}

/* The newest backup must restore: nobody changes it, one look is enough. One
 * that an older version made is migrated when it is needed. */
static int check_backup(const char *state_dir)
{
    char *folder = paths_in_state(state_dir, PATHS_BACKUPS);
    char *path = store_backup_newest(folder, 0);
    struct store *s;
    struct buf found;
    struct err err;
    int n = 0;
    buf_init(&found, FINDINGS_MAX);
    int rc = path != NULL ? store_open_readonly(path, &s, &err) : 0;
    if (rc == ERR_CORRUPT) {
        printf("[20] %s\n", err.msg);
        n = 1;
    } else if (path != NULL && rc == 0) {
        n = store_check_rows(s, &found);
        store_close(s);
    }
    for (size_t at = 0; at < found.len;) {
        size_t len = strcspn(found.data + at, "\n");
        printf("[20] %s: %.*s\n", path, (int)len, found.data + at);
        at += len + 1;
    }
    buf_fini(&found);
    free(path);
    free(folder);
    return n;
}

/* Of a database, which may be what is missing. */
static bool has_any(const char *state_dir)
{
    static const char *const NAMES[] = {"parzen.db", "parzen.db-wal",
                                        "parzen.db-acked"};
    bool has = false;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        char *path = paths_in_state(state_dir, NAMES[i]);
        has |= file_exists(path);
        free(path);
    }
    return has;
}

/* What the daemon would stumble over, or a trial of its. The database and what
 * SQLite has beside it are looked at by the store; token, lock and sock by
 * `parzen doctor` itself. A folder may be a link to one. */
static int check_names(const char *state_dir)
{
    static const struct {
        const char *name;
        mode_t kind;
    } NAMES[] = {{"checkpoints", S_IFDIR}, {"tb", S_IFDIR},
                 {"cache", S_IFDIR},       {PATHS_BACKUPS, S_IFDIR},
                 {"port", S_IFREG},        {"parzen.db-acked", S_IFREG},
                 {"log", S_IFREG},         {"log.1", S_IFREG}};
    int n = 0;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        char *path = paths_in_state(state_dir, NAMES[i].name);
        struct stat st;
        bool is_folder = NAMES[i].kind == S_IFDIR;
        bool is_there = (is_folder ? stat(path, &st) : lstat(path, &st)) == 0;
        if (is_there && (st.st_mode & S_IFMT) != NAMES[i].kind) {
            printf("%s: is %s, not %s\n", path, file_kind(st.st_mode),
                   file_kind(NAMES[i].kind));
            n++;
        }
        free(path);
    }
    return n;
}

/* The daemon locks the folder that it is given, and follows no link to one. */
static int check_folder(const char *state_dir)
{
    struct stat st;
    if (lstat(state_dir, &st) != 0 || S_ISDIR(st.st_mode)) {
        return 0;
    }
    printf("%s: is %s, not a folder: the daemon refuses it; name the folder "
           "itself\n",
           state_dir, file_kind(st.st_mode));
    return 1;
}

int check_state(const char *state_dir, int *n_findings, struct err *err)
{
    char *db = paths_in_state(state_dir, "parzen.db");
    struct buf first, second;
    *n_findings = check_folder(state_dir) + check_names(state_dir);
    if (!has_any(state_dir)) {
        free(db);
        return 0;
    }
    buf_init(&first, FINDINGS_MAX);
    buf_init(&second, FINDINGS_MAX);
    int rc = look(db, &first, err);
    if (rc == 0 && first.len > 0) {
        sleep(BETWEEN_S);
        rc = look(db, &second, err);
    }
    if (rc == 0) {
        *n_findings += print_common(&first, &second);
    }
    *n_findings += check_backup(state_dir);
    buf_fini(&first);
    buf_fini(&second);
    free(db);
    return rc;
}
