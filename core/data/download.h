/* download: a file of the web, kept in the cache.
 *
 * An interrupted download goes on where it was (by range and entity tag); a
 * complete one is asked for again only if it changed, there or in the cache.
 * Without a network what is in the cache is used, and said so. Of processes
 * that want the same file one downloads it, and the others wait for that. */
#ifndef CORE_DATA_DOWNLOAD_H
#define CORE_DATA_DOWNLOAD_H
#include "core/base/err.h"
#include <stdbool.h>
struct fetch_watch;

bool download_is_url(const char *source);
/* *path (owned) is the file in CACHE_DIR/files. NOTFOUND: the server has no
 * such file; UNREACHABLE, IO, FULL, CANCELED. */
MUST_CHECK int download_file(const char *url, const char *cache_dir,
                             const struct fetch_watch *watch, char **path,
                             struct err *err);

#endif
