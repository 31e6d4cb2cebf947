/* assets: the page's files, embedded at build time. */
#ifndef DAEMON_HTTP_ASSETS_H
#define DAEMON_HTTP_ASSETS_H
#include <stddef.h>
struct assets;

struct asset {
    const char *path; /* as asked for: "/app.js"; the page itself is "/" */
    const char *content_type;
    const char *bytes;
    size_t n;
    char etag[36]; /* quoted, of the bytes */
};

struct assets *assets_new(void);
void assets_free(struct assets *a);
/* The file with exactly this path, or NULL. Borrowed from a. */
const struct asset *assets_find(const struct assets *a, const char *path);

#endif
