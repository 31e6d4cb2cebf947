/* Crash safety: a reader of `path` sees the old bytes or the new ones. The
 * order is write, fsync, rename, fsync of the folder, close; a failure at any
 * point removes the temporary and leaves `path` as it was. fsync is never
 * tried twice: after a failure the page cache may claim what the disk lacks.
 * Several processes may write one path at once (two workers that fill the same
 * cache): each has a temporary of its own, locked while it lives, and the last
 * rename wins. A temporary whose writer died has no lock and is removed.
 */
#include "core/base/file.h"
#include "core/base/buf.h"
#include "core/base/hash.h"
#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1 << 16 };

static int open_regular(const char *path, int *fd, struct err *err)
{
    /* Non-blocking: opening a FIFO must not hang. */
    int f = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    /* A socket gives ENXIO, a link to itself ELOOP. */
    if (f < 0 && errno != ENXIO && errno != ELOOP) {
        return err_sys(err, errno, "%s", path);
    }
    struct stat st;
    if (f < 0 || fstat(f, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (f >= 0) {
            close(f);
        }
        return err_set(err, ERR_INVALID, "%s: not a regular file", path);
    }
    *fd = f;
    return 0;
}

int file_read(const char *path, struct buf *out, struct err *err)
{
    int fd;
    int rc = open_regular(path, &fd, err);
    if (rc != 0) {
        return rc;
    }
    char piece[PIECE];
    size_t before = out->len;
    ssize_t n;
    do {
        n = read(fd, piece, sizeof(piece));
        if (n > 0) {
            buf_add(out, piece, (size_t)n);
        }
    } while ((n > 0 && !out->overflow) || (n < 0 && errno == EINTR));
    int errnum = errno;
    close(fd);
    if ((n < 0 || out->overflow) && out->data != NULL) {
        out->len = before; /* what was read so far is of no use */
        out->data[before] = '\0';
    }
    if (n < 0) {
        return err_sys(err, errnum, "%s", path);
    }
    if (out->overflow) {
        return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", path,
                       out->max);
    }
    return 0;
}

/* Read until n bytes or the end; the count, or -1 and errno. */
static ssize_t read_up_to(int fd, char *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = read(fd, bytes + done, n - done);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        done += got > 0 ? (size_t)got : 0;
    }
    return (ssize_t)done;
}

/* The next size bytes of fd. */
static int load(int fd, const char *path, size_t size, char **out, size_t *len,
                struct err *err)
{
    char *bytes = size < SIZE_MAX ? mem_try(size + 1, 1) : NULL;
    if (bytes == NULL) {
        return err_set(err, ERR_LIMIT, "%s: no memory for its %zu bytes", path,
                       size);
    }
    ssize_t n = read_up_to(fd, bytes, size);
    if (n < 0) {
        int errnum = errno;
        free(bytes);
        return err_sys(err, errnum, "%s", path);
    }
    bytes[n] = '\0';
    *out = bytes;
    *len = (size_t)n;
    return 0;
}

int file_load(const char *path, size_t max, char **out, size_t *len,
              struct err *err)
{
    int fd;
    int rc = open_regular(path, &fd, err);
    if (rc != 0) {
        return rc;
    }
    off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        rc = err_sys(err, errno, "%s", path);
    } else if ((uintmax_t)size > max) {
        rc = err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", path, max);
    } else {
        rc = load(fd, path, (size_t)size, out, len, err);
    }
    close(fd);
    return rc;
}

int file_load_end(const char *path, size_t max, char **out, size_t *len,
                  bool *is_all, struct err *err)
{
    int fd;
    int rc = open_regular(path, &fd, err);
    if (rc != 0) {
        return rc;
    }
    off_t size = lseek(fd, 0, SEEK_END);
    *is_all = size >= 0 && (uintmax_t)size <= max;
    size_t n = *is_all ? (size_t)size : max;
    if (size < 0 || lseek(fd, size - (off_t)n, SEEK_SET) < 0) {
        rc = err_sys(err, errno, "%s", path);
    } else {
        rc = load(fd, path, n, out, len, err);
    }
    close(fd);
    return rc;
}

int file_map(const char *path, struct span *out, struct err *err)
{
    int fd;
    int rc = open_regular(path, &fd, err);
    if (rc != 0) {
        return rc;
    }
    struct stat st;
    void *map = MAP_FAILED;
    if (fstat(fd, &st) != 0) {
        rc = err_sys(err, errno, "%s", path);
    } else if (st.st_size != 0) { /* nothing cannot be mapped */
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        rc = map == MAP_FAILED ? err_sys(err, errno, "%s", path) : 0;
    }
    close(fd);
    if (rc == 0) {
        *out = (struct span){.at = map != MAP_FAILED ? map : NULL,
                             .len = (size_t)st.st_size};
    }
    return rc;
}

void file_unmap(struct span map)
{
    if (map.len != 0) {
        munmap((void *)(uintptr_t)map.at, map.len);
    }
}

void file_forget(struct span part)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)part.at + page - 1) / page * page;
    uintptr_t to = ((uintptr_t)part.at + part.len) / page * page;
    if (from < to) {
        (void)madvise((void *)from, to - from, MADV_DONTNEED);
    }
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

const char *file_kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "a regular file";
    case S_IFDIR:
        return "a folder";
    case S_IFLNK:
        return "a symbolic link";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

int file_sha256(const char *path, char hex[65], uint64_t *size, struct err *err)
{
    int fd;
    int rc = open_regular(path, &fd, err);
    if (rc != 0) {
        return rc;
    }
    struct hash *h = hash_new();
    char piece[PIECE];
    uint64_t total = 0;
    ssize_t n;
    while ((n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            break;
        }
        hash_add(h, piece, (size_t)n);
        total += (uint64_t)n;
    }
    int errnum = errno;
    close(fd);
    char digest[HASH_HEX_SIZE];
    hash_finish(h, digest);
    if (n < 0) {
        return err_sys(err, errnum, "%s", path);
    }
    memcpy(hex, digest, sizeof(digest));
    *size = total;
    return 0;
}

struct file_writer {
    char *path, *tmp;
    struct hash *hash;
    int fd;
    int errnum; /* first failed write, 0 if none */
};

/* Lock the temporary that was just opened. A writer that lives holds the lock
 * until its rename is done; one that died left a file that we may take away.
 * TAKEN: it is ours, empty, and stands under its name. */
enum claim { TAKEN, BUSY, STALE, FAILED };

static enum claim claim(int fd, const char *tmp)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat ours, named;
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        return errno == EAGAIN || errno == EACCES ? BUSY : FAILED;
    }
    if (fstat(fd, &ours) != 0) {
        return FAILED;
    }
    if (!S_ISREG(ours.st_mode)) {
        errno = EINVAL;
        return FAILED;
    }
    if (lstat(tmp, &named) != 0 || named.st_ino != ours.st_ino ||
        named.st_dev != ours.st_dev) {
        return STALE; /* its writer renamed it before we had the lock */
    }
    if (ours.st_size != 0) {
        return unlink(tmp) == 0 ? STALE : FAILED;
    }
    return TAKEN;
}

/* Open a temporary of our own beside path: path.tmp, or path.1.tmp and so on
 * while other writers of the same path live. -1 and errno on failure. */
static int open_temporary(const char *path, mode_t mode, char **tmp)
{
    int number = 0;
    for (;;) {
        *tmp = number == 0 ? mem_printf("%s.tmp", path)
                           : mem_printf("%s.%d.tmp", path, number);
        int fd = open(*tmp, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
        enum claim c = fd >= 0 ? claim(fd, *tmp) : FAILED;
        if (c == TAKEN) {
            return fd;
        }
        int errnum = errno;
        if (fd >= 0) {
            close(fd);
        }
        if (c == FAILED) {
            errno = errnum;
            return -1;
        }
        free(*tmp);
        number += c == BUSY;
    }
}

int file_writer_open(const char *path, mode_t mode, struct file_writer **out,
                     struct err *err)
{
    char *tmp;
    int fd = open_temporary(path, mode, &tmp);
    if (fd < 0) {
        int rc = err_sys(err, errno, "%s", tmp);
        free(tmp);
        return rc;
    }
    struct file_writer *w = mem_alloc(1, sizeof(*w));
    *w = (struct file_writer){
        .path = mem_strdup(path), .tmp = tmp, .hash = hash_new(), .fd = fd};
    *out = w;
    return 0;
}

void file_writer_add(struct file_writer *w, const void *bytes, size_t n)
{
    hash_add(w->hash, bytes, n);
    const char *at = bytes;
    while (n > 0 && w->errnum == 0) {
        ssize_t done = write(w->fd, at, n);
        if (done < 0 && errno != EINTR) {
            w->errnum = errno;
        } else if (done > 0) {
            at += done;
            n -= (size_t)done;
        }
    }
}

static void writer_free(struct file_writer *w)
{
    free(w->path);
    free(w->tmp);
    free(w);
}

void file_writer_abort(struct file_writer *w)
{
    char ignored[HASH_HEX_SIZE];
    hash_finish(w->hash, ignored);
    unlink(w->tmp); /* before the lock goes with the descriptor */
    close(w->fd);
    writer_free(w);
}

/* Make a rename in `path`'s folder durable; 0 or errno. */
static int sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL   ? mem_strdup(".")
                   : slash == path ? mem_strdup("/")
                                   : mem_strndup(path, (size_t)(slash - path));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0) {
        return errno;
    }
    int errnum = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return errnum;
}

/* Frees w; sha256 may be NULL. */
static int finish(struct file_writer *w, bool is_durable, char sha256[65],
                  struct err *err)
{
    char digest[HASH_HEX_SIZE];
    hash_finish(w->hash, digest);
    int errnum = w->errnum;
    if (errnum == 0 && is_durable && fsync(w->fd) != 0) {
        errnum = errno;
    }
    if (errnum == 0 && rename(w->tmp, w->path) != 0) {
        errnum = errno;
    }
    if (errnum != 0) {
        unlink(w->tmp);
    } else if (is_durable) {
        errnum = sync_folder_of(w->path);
    }
    close(w->fd); /* what must be durable was synced: nothing is left to fail */
    int rc = 0;
    if (errnum != 0) {
        rc = err_sys(err, errnum, "%s", w->path);
    } else if (sha256 != NULL) {
        memcpy(sha256, digest, sizeof(digest));
    }
    writer_free(w);
    return rc;
}

int file_writer_commit(struct file_writer *w, char sha256[65], struct err *err)
{
    return finish(w, true, sha256, err);
}

int file_writer_publish(struct file_writer *w, struct err *err)
{
    return finish(w, false, NULL, err);
}

int file_write_atomic(const char *path, const void *bytes, size_t n,
                      mode_t mode, struct err *err)
{
    struct file_writer *w;
    int rc = file_writer_open(path, mode, &w, err);
    if (rc != 0) {
        return rc;
    }
    file_writer_add(w, bytes, n);
    return file_writer_commit(w, NULL, err);
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
    if (path[0] == '\0') {
        return err_set(err, ERR_INVALID, "an empty path");
    }
    char *copy = mem_strdup(path);
    int rc = 0;
    for (char *p = copy + 1; rc == 0; p++) {
        char c = *p;
        if (c != '/' && c != '\0') {
            continue;
        }
        *p = '\0';
        if (mkdir(copy, mode) != 0 && errno != EEXIST) {
            rc = err_sys(err, errno, "%s", copy);
        }
        *p = c;
        if (c == '\0') {
            break;
        }
    }
    struct stat st;
    if (rc == 0 && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))) {
        rc = err_set(err, ERR_IO, "%s: not a folder", path);
    }
    free(copy);
    return rc;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

int file_remove_tree(const char *path, struct err *err)
{
    if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 &&
        errno != ENOENT) {
        return err_sys(err, errno, "%s", path);
    }
    return 0;
}

/* The pid that the holder wrote, 0 if it cannot be read. */
static long holder_of(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

int file_lock(const char *path, int *fd, struct err *err)
{
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f < 0) {
        return err_sys(err, errno, "%s", path);
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(f, F_OFD_SETLK, &lock) != 0) {
        int errnum = errno;
        long pid = holder_of(f);
        close(f);
        if (errnum == EAGAIN || errnum == EACCES) {
            return err_set(err, ERR_CONFLICT, "%s: held by process %ld", path,
                           pid);
        }
        return err_sys(err, errnum, "%s", path);
    }
    char text[32];
    int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(f, 0) != 0 || pwrite(f, text, (size_t)n, 0) != n) {
        int rc = err_sys(err, errno, "%s", path);
        close(f);
        return rc;
    }
    *fd = f;
    return 0;
}

int file_lock_folder(const char *path, int *fd, struct err *err)
{
    int f = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f < 0) {
        return err_sys(err, errno, "%s", path);
    }
    if (flock(f, LOCK_EX | LOCK_NB) != 0) {
        int errnum = errno;
        close(f);
        return errnum == EWOULDBLOCK
                   ? err_set(err, ERR_CONFLICT, "%s: held by a process", path)
                   : err_sys(err, errnum, "%s: lock", path);
    }
    *fd = f;
    return 0;
}
