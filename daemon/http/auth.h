/* auth: who may speak: names of this host, origins, and the token.
 *
 * STATE/token holds 32 random bytes in base64url (43 characters, no newline),
 * mode 0600; it is made once, and when it is rotated. In memory is only its
 * digest. */
#ifndef DAEMON_HTTP_AUTH_H
#define DAEMON_HTTP_AUTH_H
#include "core/base/err.h"
#include "core/base/hash.h"
#include <stdint.h>

enum { AUTH_FAILURES_PER_S = 10 };

struct auth {
    char digest[HASH_HEX_SIZE]; /* of the token */
    int64_t second;             /* the one that n_failures counts in */
    int n_failures;
};

enum auth_verdict {
    AUTH_OK,
    AUTH_WRONG,
    AUTH_TOO_MANY /* wrong, and so were many in this second */
};

/* Read STATE/token, or make it. CORRUPT when it is no token. */
MUST_CHECK int auth_load(struct auth *a, const char *state_dir,
                         struct err *err);
/* Make another, in the file and here: the old one is wrong from now on. On an
 * error nothing has changed. */
MUST_CHECK int auth_rotate(struct auth *a, const char *state_dir,
                           struct err *err);
/* Judge the value of an Authorization header (NULL: absent). The right token
 * is always right: who floods us with wrong ones locks nobody out. */
enum auth_verdict auth_check(struct auth *a, const char *authorization,
                             int64_t now_ms);
/* Is it 127.0.0.1:PORT, localhost:PORT or [::1]:PORT? A foreign name that
 * resolves to this host (DNS rebinding) is not. */
bool auth_is_our_host(const char *host, int port);
/* Is it http:// and one of these names? */
bool auth_is_our_origin(const char *origin, int port);

#endif
