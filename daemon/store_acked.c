/* What was acknowledged is still there.
 *
 * Beside the database stands PATH-acked: the life and the last event of the
 * last transaction that was committed. It is written after the commit returned
 * and never synced: it may be behind the database, which says nothing, and is
 * ahead of it only when rows are gone. Then the WAL was removed or damaged
 * (SQLite drops all from its first bad frame on, without a word), or an older
 * copy, or an empty file, stands in the database's place, and
 * store_acked_judge refuses to go on from there. It costs a commit one pwrite.
 *
 * Failure modes of PATH-acked itself: missing, unreadable or no numbers says
 * nothing, and nothing is refused; removed while we work it is written anew; a
 * disk that takes no more bytes leaves it behind. It guards the rows, it is not
 * one of them. */
#include "core/base/log.h"
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "LIFE SEQ\n", of one width for all numbers: a write replaces what was there,
 * whole. */
enum { NUMBER_CHARS = 19, ACKED_BYTES = 2 * (NUMBER_CHARS + 1) };

static bool read_number(const char *text, char end, int64_t *out)
{
    if (strspn(text, "0123456789") != NUMBER_CHARS ||
        text[NUMBER_CHARS] != end) {
        return false;
    }
    *out = strtoll(text, NULL, 10);
    return true;
}

static struct store_acked read_acked(int fd)
{
    struct store_acked acked;
    char text[ACKED_BYTES + 1] = "";
    if (pread(fd, text, ACKED_BYTES, 0) != ACKED_BYTES ||
        !read_number(text, ' ', &acked.life) ||
        !read_number(text + NUMBER_CHARS + 1, '\n', &acked.seq)) {
        return (struct store_acked){0};
    }
    return acked;
}

static void write_acked(const struct store *s)
{
    char text[ACKED_BYTES + 1];
    if (s->acked_fd < 0 || s->is_readonly) {
        return;
    }
    snprintf(text, sizeof(text), "%019" PRId64 " %019" PRId64 "\n",
             s->acked.life, s->acked.seq);
    ssize_t ignored = pwrite(s->acked_fd, text, ACKED_BYTES, 0);
    (void)ignored; /* behind, then */
}

static void open_file(struct store *s, int flags)
{
    char *path = mem_printf("%s-acked", s->path);
    s->acked_fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (s->acked_fd < 0 && errno != ENOENT) {
        LOG_WARN("store", "%s: %s; a lost WAL would not be noticed", path,
                 strerror(errno));
    }
    free(path);
}

void store_acked_open(struct store *s)
{
    open_file(s, s->is_readonly ? O_RDONLY : O_RDWR);
    if (s->acked_fd >= 0) {
        s->acked = read_acked(s->acked_fd);
    }
}

void store_acked_keep(struct store *s)
{
    struct stat named, ours;
    if (s->acked_fd < 0 || s->is_readonly) {
        return;
    }
    char *path = mem_printf("%s-acked", s->path);
    if (lstat(path, &named) != 0 || fstat(s->acked_fd, &ours) != 0 ||
        named.st_ino != ours.st_ino || named.st_dev != ours.st_dev) {
        LOG_WARN("store", "%s was removed or replaced; it is written anew",
                 path);
        close(s->acked_fd);
        open_file(s, O_RDWR | O_CREAT);
        write_acked(s);
    }
    free(path);
}

void store_acked_make(struct store *s)
{
    if (s->acked_fd < 0 && s->dir != NULL) {
        open_file(s, O_RDWR | O_CREAT);
    }
}

int store_acked_judge(const struct store *s, const struct store_acked *has,
                      struct err *err)
{
    if (has->life >= s->acked.life && has->seq >= s->acked.seq) {
        return 0;
    }
    return err_set(err, ERR_CORRUPT,
                   "%s: ends with event %" PRId64 " (life %" PRId64
                   "), but all up to event %" PRId64 " (life %" PRId64
                   ") was acknowledged: its -wal file is gone or damaged, or "
                   "it was removed, or an older copy is in its place. Put back "
                   "what belongs here (a %s.rescued-* holds all of it; a "
                   "backup holds less), or remove %s-acked to go on without "
                   "what is missing",
                   s->path, has->seq, has->life, s->acked.seq, s->acked.life,
                   s->path, s->path);
}

void store_acked_tell(struct store *s)
{
    s->acked = (struct store_acked){s->life, s->put_seq};
    write_acked(s);
}
