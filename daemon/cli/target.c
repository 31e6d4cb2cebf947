#include "daemon/cli/target.h"
#include "core/base/mem.h"
#include "daemon/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Is one of the folders from fd's up to the root this one? Takes fd; -1 and
 * errno when they cannot be followed. */
static int is_below(int fd, const struct stat *folder)
{
    struct stat at, child;
    int answer = fstat(fd, &at) == 0 ? is_same(&at, folder) : -1;
    while (answer == 0) {
        int up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        child = at;
        if (up < 0 || fstat(up, &at) != 0) {
            answer = -1;
        } else if (is_same(&at, &child)) {
            close(up);
            break; /* the root is its own parent */
        } else {
            answer = is_same(&at, folder);
        }
        int errnum = errno;
        close(fd);
        fd = up;
        errno = errnum;
    }
    if (fd >= 0) {
        close(fd);
    }
    return answer;
}

/* Cut the last name off a path, in place; what is left is never empty. Says
 * whether the name was "..". */
static bool cut_name(char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/') {
        path[--len] = '\0';
    }
    char *slash = strrchr(path, '/');
    bool is_up = strcmp(slash != NULL ? slash + 1 : path, "..") == 0;
    if (slash == NULL) {
        path[0] = '.'; /* a name has at least this one byte */
        slash = path;
    }
    slash[slash == path] = '\0';
    return is_up;
}

/* Open the folder, or of those above it the nearest that is there. -1 and
 * errno; EINVAL when what is missing is left again by "..". */
static int open_nearest(const char *folder)
{
    char *path = mem_strdup(folder[0] != '\0' ? folder : ".");
    int fd;
    while ((fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 &&
           errno == ENOENT && strcmp(path, "/") != 0 &&
           strcmp(path, ".") != 0) {
        if (cut_name(path)) {
            errno = EINVAL;
            break;
        }
    }
    free(path);
    return fd;
}

/* The folder, wherever it is or will be, must lie outside. */
static int check_outside(const struct cli *c, const char *folder,
                         const char *path, struct err *err)
{
    struct stat state;
    if (c->state_dir == NULL || stat(c->state_dir, &state) != 0) {
        return 0; /* nothing is in it */
    }
    int fd = open_nearest(folder);
    if (fd < 0 && errno == ENOTDIR) {
        return 0; /* a file there: making the target says so */
    }
    if (fd < 0 && errno == EINVAL) {
        return err_set(err, ERR_INVALID,
                       "%s leaves a folder that is not there by ..", path);
    }
    int is_inside = fd >= 0 ? is_below(fd, &state) : -1;
    if (is_inside < 0) {
        return err_sys(err, errno, "%s", path);
    }
    return is_inside == 0
               ? 0
               : err_set(err, ERR_INVALID,
                         "%s is in the state directory %s, where only the "
                         "daemon writes: name a place outside it",
                         path, c->state_dir);
}

static int check_there(const struct cli *c, const char *path, struct err *err)
{
    struct stat st, db;
    if (lstat(path, &st) != 0) {
        return 0; /* nothing to lose; what else is wrong, writing says */
    }
    if (!S_ISREG(st.st_mode)) {
        return err_set(err, ERR_INVALID,
                       "%s is %s: only a regular file is replaced", path,
                       S_ISLNK(st.st_mode)   ? "a symbolic link"
                       : S_ISDIR(st.st_mode) ? "a folder"
                                             : "a device, a pipe or a socket");
    }
    if (c->db != NULL && stat(c->db, &db) == 0 && is_same(&st, &db)) {
        return err_set(err, ERR_INVALID,
                       "%s is the database that --db names: it is only read",
                       path);
    }
    return 0;
}

int target_file(const struct cli *c, const char *path, struct err *err)
{
    if (path == NULL || strcmp(path, "-") == 0) {
        return 0;
    }
    if (path[0] == '\0') {
        return err_set(err, ERR_INVALID, "the file to write has no name");
    }
    char *folder = mem_strdup(path);
    cut_name(folder);
    int rc = check_outside(c, folder, path, err);
    free(folder);
    return rc == 0 ? check_there(c, path, err) : rc;
}

int target_folder(const struct cli *c, const char *path, struct err *err)
{
    return path != NULL ? check_outside(c, path, path, err) : 0;
}
