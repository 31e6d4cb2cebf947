/* In CACHE/files, HASH being the SHA-256 of the URL: HASH.part is what came so
 * far, HASH.part.etag of which content; HASH is the complete file, HASH.sum its
 * size, SHA-256 and tag. A part's tag is written before its first byte, and a
 * part without one begins anew.
 *
 * All of them are touched only by who holds HASH.lock, which the kernel gives
 * back at any death: two writers of one part would each cut off what the other
 * wrote. Who finds it taken waits, and takes what the holder finished. */
#include "core/data/download.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/data/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 100, SUM_MAX = 64 << 10 };

bool download_is_url(const char *source)
{
    return strncmp(source, "http://", 7) == 0 ||
           strncmp(source, "https://", 8) == 0;
}

struct download {
    const char *url;
    char *path, *sum_path, *lock_path, *part_path, *part_etag_path;
    const struct fetch_watch *watch;
};

/* --- the complete file ---------------------------------------------------- */

/* Beside the complete file: "SIZE SHA256 ETAG", the tag maybe "". */
static int write_sum(const struct download *d, uint64_t size,
                     const char *sha256, const char *etag, struct err *err)
{
    char *sum = mem_printf("%" PRIu64 " %s %s\n", size, sha256,
                           etag != NULL ? etag : "");
    int rc = file_write_atomic(d->sum_path, sum, strlen(sum), 0600, err);
    free(sum);
    return rc;
}

/* Where the tag begins in a sum, whose end is cut off; NULL: it is no sum. */
static char *parse_sum(struct buf *sum, uint64_t *size,
                       char sha256[HASH_HEX_SIZE])
{
    int at = 0;
    size_t len = sum->len;
    if (len == 0 || sum->data[len - 1] != '\n' ||
        sscanf(sum->data, "%" SCNu64 " %64[0-9a-f]%n", size, sha256, &at) !=
            2 ||
        sum->data[at] != ' ') {
        return NULL;
    }
    sum->data[len - 1] = '\0';
    return sum->data + at + 1;
}

/* The tag of the complete file, NULL when there is no such file or nothing to
 * compare it with. A file that is not what it was is removed: it would pass for
 * the server's content as long as that does not change. */
static char *check_file(const struct download *d)
{
    struct buf sum;
    uint64_t size, want_size;
    char sha256[HASH_HEX_SIZE], want[HASH_HEX_SIZE], *etag = NULL;
    buf_init(&sum, SUM_MAX);
    if (file_exists(d->path) && file_exists(d->sum_path) &&
        file_read(d->sum_path, &sum, NULL) == 0) {
        etag = parse_sum(&sum, &want_size, want);
    }
    if (etag != NULL && (file_sha256(d->path, sha256, &size, NULL) != 0 ||
                         size != want_size || strcmp(sha256, want) != 0)) {
        fetch_note(d->watch,
                   "%s: its copy in the cache is damaged: downloading it anew",
                   d->url);
        unlink(d->path);
        unlink(d->sum_path);
        etag = NULL;
    }
    etag = etag != NULL && etag[0] != '\0' ? mem_strdup(etag) : NULL;
    buf_fini(&sum);
    return etag;
}

/* --- a transfer ----------------------------------------------------------- */

/* The tag in a file, or NULL. */
static char *read_etag(const char *path)
{
    struct buf text;
    buf_init(&text, BUF_MAX_CONFIG);
    if (file_exists(path) && file_read(path, &text, NULL) == 0 &&
        text.len > 0) {
        return buf_take(&text);
    }
    buf_fini(&text);
    return NULL;
}

static void on_begin(void *ctx, const char *etag)
{
    const struct download *d = ctx;
    if (etag == NULL) {
        unlink(d->part_etag_path);
    } else {
        /* Without it the next download begins anew: slower, not wrong. */
        (void)!file_write_atomic(d->part_etag_path, etag, strlen(etag), 0600,
                                 NULL);
    }
}

/* Is the part still the file that was opened? Who empties the cache while a
 * download runs lets another one begin. */
static bool is_ours(const struct download *d, int fd)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && lstat(d->part_path, &named) == 0 &&
           ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* Killed in between, it leaves a file without a sum: the next download cannot
 * ask whether it changed, and brings it anew. */
static int put_in_place(const struct download *d, int fd,
                        const struct fetch_reply *reply, struct err *err)
{
    uint64_t size;
    char sha256[HASH_HEX_SIZE];
    if (fsync(fd) != 0) {
        return err_sys(err, errno, "%s", d->part_path);
    }
    int rc = file_sha256(d->part_path, sha256, &size, err);
    if (rc == 0 && !is_ours(d, fd)) {
        rc = err_set(err, ERR_IO, "%s: removed while it was downloaded",
                     d->part_path);
    }
    if (rc != 0) {
        return rc;
    }
    if ((unlink(d->sum_path) != 0 && errno != ENOENT) ||
        rename(d->part_path, d->path) != 0) {
        return err_sys(err, errno, "%s", d->path);
    }
    return write_sum(d, size, sha256, reply->etag, err);
}

static int judge(const struct download *d, int fd,
                 const struct fetch_reply *reply, struct err *err)
{
    switch (reply->status) {
    case 200:
        return put_in_place(d, fd, reply, err);
    case 304:
        return 0;
    case 401:
    case 403:
        return err_set(err, ERR_IO,
                       "%s: the server does not give it to us "
                       "(answer %d)",
                       d->url, reply->status);
    case 404:
    case 410:
        return err_set(err, ERR_NOTFOUND, "%s: no such file (answer %d)",
                       d->url, reply->status);
    default:
        return err_set(err, ERR_IO, "%s: the server answered %d", d->url,
                       reply->status);
    }
}

static int transfer(const struct download *d, int fd, uint64_t n_there,
                    const char *etag, int *status, struct err *err)
{
    struct fetch *f;
    struct fetch_reply reply;
    int rc = fetch_new(&FETCH_DEFAULTS, d->watch, &f, err);
    if (rc != 0) {
        return rc;
    }
    const struct fetch_request request = {.url = d->url,
                                          .etag = etag,
                                          .fd = fd,
                                          .n_there = n_there,
                                          .on_begin = on_begin,
                                          .ctx = (void *)d,
                                          .max_bytes = BUF_MAX_CONFIG};
    fetch_add(f, &request);
    rc = fetch_wait(f, &reply, err);
    *status = 0;
    if (rc == 0) {
        *status = reply.status;
        rc = judge(d, fd, &reply, err);
        fetch_reply_fini(&reply);
    } else if (rc == ERR_UNREACHABLE && file_exists(d->path)) {
        fetch_note(d->watch, "%s; using the copy in the cache", err->msg);
        rc = 0;
    }
    fetch_free(f);
    return rc;
}

/* Go on with a part, else ask whether the complete file is still the one. */
static int run(const struct download *d, struct err *err)
{
    struct stat st;
    int fd =
        open(d->part_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = err_sys(err, errno, "%s", d->part_path);
        return fd >= 0 ? (close(fd), rc) : rc;
    }
    int status;
    char *whole = check_file(d); /* also what is used without a network */
    char *part = st.st_size > 0 ? read_etag(d->part_etag_path) : NULL;
    uint64_t n_there = part != NULL ? (uint64_t)st.st_size : 0;
    int rc =
        transfer(d, fd, n_there, part != NULL ? part : whole, &status, err);
    if (rc != 0 && status == 416) { /* it has no such rest: from the start */
        rc = transfer(d, fd, 0, NULL, &status, err);
    }
    if (rc == 0 && status != 0) {
        unlink(d->part_path); /* renamed, or not needed */
        unlink(d->part_etag_path);
    }
    free(part);
    free(whole);
    close(fd);
    return rc;
}

/* --- turns ---------------------------------------------------------------- */

static void tell_waiting(const struct download *d)
{
    struct stat part;
    if (d->watch != NULL && d->watch->on_progress != NULL &&
        stat(d->part_path, &part) == 0) {
        d->watch->on_progress(d->watch->ctx, (uint64_t)part.st_size, 0,
                              "bytes");
    }
}

/* Take the lock, however long its holder's download takes. */
static int take_turn(const struct download *d, int *lock, struct err *err)
{
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    bool is_told = false;
    for (;;) {
        struct err held;
        int rc = file_lock(d->lock_path, lock, &held);
        if (rc != ERR_CONFLICT) {
            return rc == 0 ? 0 : err_set(err, rc, "%s", held.msg);
        }
        if (d->watch != NULL && d->watch->stop != NULL &&
            *d->watch->stop != 0) {
            return err_set(err, ERR_CANCELED, "interrupted");
        }
        if (!is_told) {
            fetch_note(d->watch,
                       "%s: another process downloads it: waiting for that",
                       d->url);
            is_told = true;
        }
        tell_waiting(d);
        nanosleep(&tick, NULL);
    }
}

/* Was the complete file put in place between these two looks? */
static bool is_new(const struct stat *before, const struct stat *after)
{
    return after->st_nlink > 0 &&
           (before->st_nlink == 0 || before->st_ino != after->st_ino ||
            before->st_dev != after->st_dev);
}

static int run_in_turn(const struct download *d, struct err *err)
{
    struct stat before = {0}, after = {0};
    int lock;
    (void)!stat(d->path, &before); /* none has no links */
    int rc = take_turn(d, &lock, err);
    if (rc != 0) {
        return rc;
    }
    (void)!stat(d->path, &after);
    rc = is_new(&before, &after) ? 0 : run(d, err);
    close(lock);
    return rc;
}

int download_file(const char *url, const char *cache_dir,
                  const struct fetch_watch *watch, char **path, struct err *err)
{
    char hash[HASH_HEX_SIZE];
    if (cache_dir == NULL) {
        return err_set(err, ERR_INVALID, "%s: no folder to download it to",
                       url);
    }
    hash_bytes(url, strlen(url), hash);
    char *dir = mem_printf("%s/files", cache_dir);
    struct download d = {.url = url,
                         .path = mem_printf("%s/%s", dir, hash),
                         .sum_path = mem_printf("%s/%s.sum", dir, hash),
                         .lock_path = mem_printf("%s/%s.lock", dir, hash),
                         .part_path = mem_printf("%s/%s.part", dir, hash),
                         .part_etag_path =
                             mem_printf("%s/%s.part.etag", dir, hash),
                         .watch = watch};
    int rc = file_mkdirs(dir, 0700, err);
    rc = rc == 0 ? run_in_turn(&d, err) : rc;
    if (rc == 0) {
        *path = d.path;
    } else {
        free(d.path);
    }
    free(d.sum_path);
    free(d.lock_path);
    free(d.part_path);
    free(d.part_etag_path);
    free(dir);
    return rc;
}
