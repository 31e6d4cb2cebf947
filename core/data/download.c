/* In CACHE/files, HASH being the SHA-256 of the URL: HASH.part is what came so
 * far, HASH.part.etag of which content; HASH and HASH.etag are the complete
 * file. A part's tag is written before its first byte, and a part without one
 * begins anew. */
#include "core/data/download.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/data/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool download_is_url(const char *source)
{
    return strncmp(source, "http://", 7) == 0 ||
           strncmp(source, "https://", 8) == 0;
}

struct download {
    const char *url;
    char *path, *etag_path, *part_path, *part_etag_path;
    const struct fetch_watch *watch;
};

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

static int put_in_place(const struct download *d, int fd,
                        const struct fetch_reply *reply, struct err *err)
{
    if (fsync(fd) != 0 || (unlink(d->etag_path) != 0 && errno != ENOENT) ||
        rename(d->part_path, d->path) != 0) {
        return err_sys(err, errno, "%s", d->path);
    }
    return reply->etag == NULL
               ? 0
               : file_write_atomic(d->etag_path, reply->etag,
                                   strlen(reply->etag), 0600, err);
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
    char *etag = st.st_size > 0 ? read_etag(d->part_etag_path) : NULL;
    uint64_t n_there = etag != NULL ? (uint64_t)st.st_size : 0;
    if (etag == NULL && file_exists(d->path)) {
        etag = read_etag(d->etag_path);
    }
    int rc = transfer(d, fd, n_there, etag, &status, err);
    if (rc != 0 && status == 416) { /* it has no such rest: from the start */
        rc = transfer(d, fd, 0, NULL, &status, err);
    }
    if (rc == 0 && status != 0) {
        unlink(d->part_path); /* renamed, or not needed */
        unlink(d->part_etag_path);
    }
    free(etag);
    close(fd);
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
                         .etag_path = mem_printf("%s/%s.etag", dir, hash),
                         .part_path = mem_printf("%s/%s.part", dir, hash),
                         .part_etag_path =
                             mem_printf("%s/%s.part.etag", dir, hash),
                         .watch = watch};
    int rc = file_mkdirs(dir, 0700, err);
    rc = rc == 0 ? run(&d, err) : rc;
    if (rc == 0) {
        *path = d.path;
    } else {
        free(d.path);
    }
    free(d.etag_path);
    free(d.part_path);
    free(d.part_etag_path);
    free(dir);
    return rc;
}
