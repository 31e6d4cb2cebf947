/* url: percent-decoding of paths and queries. */
#ifndef DAEMON_HTTP_URL_H
#define DAEMON_HTTP_URL_H
#include "core/base/base.h"
#include <stdbool.h>

/* Decode in place. False when an escape is malformed or the result is no valid
 * UTF-8 or holds a NUL. */
MUST_CHECK bool url_decode(char *s);

enum url_verdict { URL_OK, URL_MALFORMED, URL_TOO_DEEP };
/* Cut "a/b%2Fc" at '/' and decode the parts in place; segments point into
 * path, "" has none. */
MUST_CHECK enum url_verdict url_split(char *path, int max,
                                      const char **segments, int *n);

#endif
