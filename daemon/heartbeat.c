#include "daemon/heartbeat.h"
#include "core/base/mem.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "ALIVE_MS LIVED_MS BEGUN_MS\n", of one width for all times: a write replaces
 * what was there, whole. */
enum { DIGITS = 19, BEAT_BYTES = 3 * (DIGITS + 1) };

static bool read_number(const char *text, char end, int64_t *out)
{
    if (strspn(text, "0123456789") != DIGITS || text[DIGITS] != end) {
        return false;
    }
    *out = strtoll(text, NULL, 10);
    return true;
}

static void read_beat(struct heartbeat *h)
{
    char text[BEAT_BYTES + 1] = "";
    if (pread(h->fd, text, BEAT_BYTES, 0) != BEAT_BYTES ||
        !read_number(text, ' ', &h->alive_ms) ||
        !read_number(text + DIGITS + 1, ' ', &h->lived_ms) ||
        !read_number(text + 2 * (DIGITS + 1), '\n', &h->begun_ms)) {
        h->alive_ms = h->lived_ms = h->begun_ms = 0;
    }
}

void heartbeat_open(struct heartbeat *h, const char *db, int64_t now_ms,
                    int64_t mono_ms)
{
    char *path = mem_printf("%s-alive", db);
    *h = (struct heartbeat){
        .fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
                   0600),
        .born_utc_ms = now_ms,
        .born_ms = mono_ms,
    };
    if (h->fd >= 0) {
        read_beat(h);
    }
    free(path);
}

void heartbeat_beat(struct heartbeat *h, int64_t now_ms, int64_t mono_ms)
{
    char text[BEAT_BYTES + 1];
    h->alive_ms = now_ms;
    h->lived_ms = mono_ms - h->born_ms;
    h->begun_ms = h->born_utc_ms;
    if (h->fd >= 0) {
        snprintf(text, sizeof(text),
                 "%019" PRId64 " %019" PRId64 " %019" PRId64 "\n", h->alive_ms,
                 h->lived_ms, h->begun_ms);
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
