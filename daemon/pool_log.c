#include "daemon/pool_log.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "daemon/obituary.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More than a pipe holds: somebody goes on writing. */
enum { DRAIN_READS = 256 };

void pool_log_init(struct pool_log *l)
{
    *l = (struct pool_log){.fd = -1};
}

static void put(struct pool_log *l, const char *at, size_t n)
{
    ssize_t done = write(l->fd, at, n); /* a full disk loses the log */
    l->size += done > 0 ? (uint64_t)done : 0;
}

/* The ring's place of byte k of all that was dropped is k % POOL_LOG_TAIL. */
static void drop(struct pool_log *l, const char *at, size_t n)
{
    if (l->tail == NULL) {
        l->tail = mem_alloc(POOL_LOG_TAIL, 1);
    }
    if (n > POOL_LOG_TAIL) {
        l->n_dropped += n - POOL_LOG_TAIL;
        at += n - POOL_LOG_TAIL;
        n = POOL_LOG_TAIL;
    }
    size_t place = l->n_dropped % POOL_LOG_TAIL;
    size_t first = n < POOL_LOG_TAIL - place ? n : POOL_LOG_TAIL - place;
    memcpy(l->tail + place, at, first);
    memcpy(l->tail, at + first, n - first);
    l->n_dropped += n;
}

static void put_tail(struct pool_log *l)
{
    uint64_t kept = l->n_dropped < POOL_LOG_TAIL ? l->n_dropped : POOL_LOG_TAIL;
    size_t end = l->n_dropped % POOL_LOG_TAIL;
    char *mark = mem_printf("\n[%" PRIu64 " bytes of output were dropped]\n",
                            l->n_dropped - kept);
    put(l, mark, strlen(mark));
    free(mark);
    if (kept == POOL_LOG_TAIL) {
        put(l, l->tail + end, POOL_LOG_TAIL - end);
    }
    put(l, l->tail, end);
}

void pool_log_settle(struct pool_log *l)
{
    uint64_t most = POOL_LOG_MAX + (uint64_t)POOL_LOG_TAILS * POOL_LOG_TAIL;
    if (l->fd >= 0 && l->n_dropped > 0 && l->size < most) {
        put_tail(l);
    }
    l->n_dropped = 0;
}

void pool_log_close(struct pool_log *l)
{
    pool_log_settle(l);
    if (l->fd >= 0) {
        close(l->fd);
    }
    free(l->path);
    free(l->tail);
    pool_log_init(l);
}

void pool_log_open(struct pool_log *l, const char *path)
{
    pool_log_close(l);
    l->path = mem_strdup(path);
}

static bool make_folder_of(const char *path)
{
    struct err err;
    char *copy = mem_strdup(path);
    int rc = file_mkdirs(dirname(copy), 0700, &err);
    free(copy);
    return rc == 0;
}

/* Once: where it cannot be done, the output goes nowhere. */
static void open_now(struct pool_log *l)
{
    struct stat st;
    if (make_folder_of(l->path)) {
        l->fd = open(l->path,
                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
                         O_NONBLOCK,
                     0600);
    }
    if (l->fd >= 0 && fstat(l->fd, &st) == 0) {
        l->size = (uint64_t)st.st_size; /* earlier attempts wrote to it, too */
    }
    free(l->path);
    l->path = NULL;
}

void pool_log_add(struct pool_log *l, const char *at, size_t n)
{
    if (l->path != NULL) {
        open_now(l);
    }
    if (l->fd < 0) {
        return;
    }
    uint64_t room = l->size < POOL_LOG_MAX ? POOL_LOG_MAX - l->size : 0;
    size_t now = n < room ? n : (size_t)room;
    if (now > 0 && l->n_dropped == 0) {
        put(l, at, now);
    } else {
        now = 0;
    }
    if (now < n) {
        drop(l, at + now, n - now);
    }
}

void pool_log_drain(struct pool_log *l, struct obituary *o, int fd)
{
    char bytes[16 << 10];
    ssize_t n = 1;
    for (int i = 0; i < DRAIN_READS && n > 0; i++) {
        n = read(fd, bytes, sizeof(bytes));
        if (n > 0) {
            obituary_hear(o, bytes, (size_t)n);
            pool_log_add(l, bytes, (size_t)n);
        }
    }
}
