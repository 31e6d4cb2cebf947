#include "daemon/heartbeat.h"
#include "core/base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "MS\n", of one width for all times: a write replaces what was there, whole.
 */
enum { DIGITS = 19, BEAT_BYTES = DIGITS + 1 };

static int open_file(const char *db, int flags)
{
    char *path = mem_printf("%s-alive", db);
    int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    free(path);
    return fd;
}

static int64_t read_beat(int fd)
{
    char text[BEAT_BYTES + 1] = "";
    if (pread(fd, text, BEAT_BYTES, 0) != BEAT_BYTES ||
        strspn(text, "0123456789") != DIGITS || text[DIGITS] != '\n') {
        return 0;
    }
    return strtoll(text, NULL, 10);
}

void heartbeat_open(struct heartbeat *h, const char *db)
{
    h->fd = open_file(db, O_RDWR | O_CREAT);
    h->last_ms = h->fd >= 0 ? read_beat(h->fd) : 0;
}

void heartbeat_beat(struct heartbeat *h, int64_t now_ms)
{
    char text[BEAT_BYTES + 1];
    h->last_ms = now_ms;
    if (h->fd >= 0) {
        snprintf(text, sizeof(text), "%019" PRId64 "\n", now_ms);
        ssize_t ignored = pwrite(h->fd, text, BEAT_BYTES, 0);
        (void)ignored; /* an older one counts, then */
    }
}

void heartbeat_close(struct heartbeat *h)
{
    if (h->fd >= 0) {
        close(h->fd);
        h->fd = -1;
    }
}

int64_t heartbeat_read(const char *db)
{
    int fd = open_file(db, O_RDONLY);
    int64_t last_ms = 0;
    if (fd >= 0) {
        last_ms = read_beat(fd);
        close(fd);
    }
    return last_ms;
}
