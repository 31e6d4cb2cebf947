/* The programs that run here may do anything to their folder. A name that is
 * taken by something else would look like a disk in trouble, which is waited
 * for; no other trial of the study would start while it lasts. */
#include "worker/own_folder.h"
#include "core/base/file.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What has the name and is of another type goes. */
static int clear(const char *path, mode_t wanted, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) != 0 || (st.st_mode & S_IFMT) == wanted) {
        return 0; /* what else is wrong, making it says */
    }
    if (file_remove_tree(path, err) != 0) {
        err_wrap(err, "%s in the place of %s cannot be removed",
                 file_kind(st.st_mode), file_kind(wanted));
        return err->code = ERR_INVALID;
    }
    return 0;
}

static int make_folder(const char *path, struct err *err)
{
    struct stat st;
    int rc = clear(path, S_IFDIR, err);
    rc = rc == 0 ? file_mkdirs(path, 0700, err) : rc;
    if (rc == 0 && lstat(path, &st) == 0 && (st.st_mode & 0700) != 0700 &&
        chmod(path, 0700) != 0) {
        rc = err_set(err, ERR_INVALID, "%s: closed to its owner", path);
    }
    return rc;
}

/* Of a file that is written the temporary has a name, too. */
static int write_params(const char *path, const char *text, struct err *err)
{
    char *temporary = mem_printf("%s.tmp", path);
    int rc = clear(path, S_IFREG, err);
    rc = rc == 0 ? clear(temporary, S_IFREG, err) : rc;
    rc = rc == 0 ? file_write_atomic(path, text, strlen(text), 0600, err) : rc;
    free(temporary);
    return rc;
}

int own_folder_make(const char *dir, const char *text, char **folder,
                    char **params, struct err *err)
{
    char *command = mem_printf("%s/command", dir);
    char *file = mem_printf("%s/params.json", command);
    int rc = make_folder(dir, err);
    rc = rc == 0 ? make_folder(command, err) : rc;
    rc = rc == 0 ? write_params(file, text, err) : rc;
    if (rc != 0) {
        free(command);
        free(file);
        return rc;
    }
    *folder = command;
    *params = file;
    return 0;
}
