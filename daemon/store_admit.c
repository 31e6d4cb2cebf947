/* Before SQLite sees the file: what it must not see is refused, and nothing is
 * touched.
 *
 * SQLite takes a database of 0 bytes for a new one and removes the WAL that it
 * finds beside it, also when it only reads. But a database is never emptied
 * again, so that WAL holds what somebody is about to lose: a file that was
 * emptied by mistake, or not put back yet, is refused until a person has looked
 * (store_admit_wal). What the WAL lacks only that file has: there is nothing
 * that could be made of the WAL alone.
 *
 * Names that are no files (a folder, a pipe, on which an open waits for ever)
 * would give errors that name none of them. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static char *folder_of(const char *path)
{
    char *copy = mem_strdup(path);
    char *dir = mem_strdup(dirname(copy));
    free(copy);
    return dir;
}

static int check_file_system(const char *dir, struct err *err)
{
    static const struct {
        uint32_t magic;
        const char *name;
    } REMOTE[] = {
        {0x6969, "NFS"},      {0x517B, "SMB"},      {0xFF534D42, "CIFS"},
        {0xFE534D42, "SMB2"}, {0x65735546, "FUSE"}, {0x0BD00BD0, "Lustre"},
        {0x5346414F, "AFS"},  {0x00C36400, "Ceph"}, {0x47504653, "GPFS"},
    };
    struct statfs fs;
    if (statfs(dir, &fs) != 0) {
        return err_sys(err, errno, "%s", dir);
    }
    for (size_t i = 0; i < ARRAY_LEN(REMOTE); i++) {
        if ((uint32_t)fs.f_type == REMOTE[i].magic) {
            return err_set(err, ERR_INVALID,
                           "%s: is on a network file system (%s), whose locks "
                           "and memory maps a database cannot trust; use a "
                           "folder on a local disk",
                           dir, REMOTE[i].name);
        }
    }
    return 0;
}

static int check_magic(const char *path, struct err *err)
{
    char magic[16];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0) {
        return err_sys(err, errno, "%s", path);
    }
    ssize_t n = read(fd, magic, sizeof(magic));
    int errnum = errno;
    close(fd);
    if (n < 0) {
        return err_sys(err, errnum, "%s", path);
    }
    /* Empty: created, and nothing written before a crash. */
    if (n != 0 && (n != sizeof(magic) ||
                   memcmp(magic, "SQLite format 3", sizeof(magic)) != 0)) {
        return err_set(err, ERR_CORRUPT, "%s: not an SQLite database", path);
    }
    return 0;
}

/* *is_there: a regular file. */
static int check_kind(const char *path, bool *is_there, struct err *err)
{
    struct stat st;
    *is_there = lstat(path, &st) == 0;
    if (!*is_there) {
        return errno == ENOENT ? 0 : err_sys(err, errno, "%s", path);
    }
    return S_ISREG(st.st_mode)
               ? 0
               : err_set(err, ERR_INVALID, "%s: is %s, not a regular file",
                         path, file_kind(st.st_mode));
}

static int check_beside(const char *path, struct err *err)
{
    static const char *const SUFFIX[] = {"-wal", "-shm", "-journal"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(SUFFIX); i++) {
        bool is_there;
        char *beside = mem_printf("%s%s", path, SUFFIX[i]);
        rc = check_kind(beside, &is_there, err);
        free(beside);
    }
    return rc;
}

/* A missing one has 0. */
static int64_t bytes_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

int store_admit_wal(const char *path, struct err *err)
{
    char *wal = mem_printf("%s-wal", path);
    /* The WAL first: whoever makes both makes the database before. */
    int64_t bytes = bytes_of(wal);
    free(wal);
    if (bytes == 0 || bytes_of(path) > 0) {
        return 0;
    }
    return err_set(err, ERR_CORRUPT,
                   "%s: is %s, but %s-wal holds %" PRId64
                   " bytes that were written to it and that SQLite would "
                   "throw away, so nothing was touched. Put back the file "
                   "that this -wal belongs to; or move %s* elsewhere, and then "
                   "copy a %s.rescued-* (which holds all of it) or a backup "
                   "(which holds less) to %s",
                   path, file_exists(path) ? "empty" : "missing", path, bytes,
                   path, path, path);
}

static int admit_file(const char *path, const char *dir, bool create,
                      struct err *err)
{
    bool is_there;
    int rc = check_kind(path, &is_there, err);
    if (rc != 0) {
        return rc;
    }
    if (is_there) {
        return check_magic(path, err);
    }
    return create ? store_create_empty(path, dir, err)
                  : err_sys(err, ENOENT, "%s", path);
}

int store_admit(const char *path, bool create, struct err *err)
{
    char *dir = folder_of(path);
    int rc = check_file_system(dir, err);
    if (rc == 0) {
        rc = check_beside(path, err);
    }
    if (rc == 0) {
        rc = store_admit_wal(path, err);
    }
    if (rc == 0) {
        rc = admit_file(path, dir, create, err);
    }
    free(dir);
    return rc;
}
