#include "daemon/http/auth.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { SECRET_BYTES = 32, TOKEN_CHARS = 43 };

static const char BASE64URL[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* 32 bytes are 256 bits: 42 characters of 6 and one of 4, no padding. */
static void encode(const unsigned char *secret, char token[TOKEN_CHARS + 1])
{
    unsigned bits = 0, n_bits = 0;
    char *out = token;
    for (int i = 0; i < SECRET_BYTES; i++) {
        bits = bits << 8 | secret[i];
        for (n_bits += 8; n_bits >= 6; n_bits -= 6) {
            *out++ = BASE64URL[bits >> (n_bits - 6) & 63];
        }
    }
    *out++ = BASE64URL[bits << (6 - n_bits) & 63];
    *out = '\0';
}

static int make_token(const char *path, char token[TOKEN_CHARS + 1],
                      struct err *err)
{
    unsigned char secret[SECRET_BYTES];
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret)) {
        return err_sys(err, errno, "getrandom");
    }
    encode(secret, token);
    explicit_bzero(secret, sizeof(secret));
    return file_write_atomic(path, token, TOKEN_CHARS, 0600, err);
}

static int read_token(const char *path, char token[TOKEN_CHARS + 1],
                      struct err *err)
{
    struct buf text;
    buf_init(&text, 4096);
    int rc = file_read(path, &text, err);
    if (rc == 0 && (text.len != TOKEN_CHARS ||
                    strspn(text.data, BASE64URL) != TOKEN_CHARS)) {
        rc = err_set(err, ERR_CORRUPT,
                     "%s is not %d characters of base64url; remove it and a "
                     "new one is made",
                     path, TOKEN_CHARS);
    }
    if (rc == 0) {
        memcpy(token, text.data, TOKEN_CHARS + 1);
    }
    buf_fini(&text);
    return rc;
}

static int load(struct auth *a, const char *state_dir, bool is_new,
                struct err *err)
{
    char token[TOKEN_CHARS + 1];
    char *path = paths_in_state(state_dir, "token");
    int rc = !is_new && file_exists(path) ? read_token(path, token, err)
                                          : make_token(path, token, err);
    free(path);
    if (rc == 0) {
        *a = (struct auth){0};
        hash_bytes(token, TOKEN_CHARS, a->digest);
        explicit_bzero(token, sizeof(token));
    }
    return rc;
}

int auth_load(struct auth *a, const char *state_dir, struct err *err)
{
    return load(a, state_dir, false, err);
}

int auth_rotate(struct auth *a, const char *state_dir, struct err *err)
{
    return load(a, state_dir, true, err);
}

/* Digests are compared, so the time tells nothing of the token's bytes. */
static bool is_right(const struct auth *a, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    size_t n = sizeof(scheme) - 1;
    if (authorization == NULL || strncasecmp(authorization, scheme, n) != 0) {
        return false;
    }
    char digest[HASH_HEX_SIZE];
    hash_bytes(authorization + n, strlen(authorization + n), digest);
    return hash_equal(digest, a->digest, sizeof(digest));
}

enum auth_verdict auth_check(struct auth *a, const char *authorization,
                             int64_t now_ms)
{
    if (is_right(a, authorization)) {
        return AUTH_OK;
    }
    if (a->second != now_ms / 1000) {
        a->second = now_ms / 1000;
        a->n_failures = 0;
    }
    a->n_failures++;
    return a->n_failures > AUTH_FAILURES_PER_S ? AUTH_TOO_MANY : AUTH_WRONG;
}

bool auth_is_our_host(const char *host, int port)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char ours[32];
        snprintf(ours, sizeof(ours), "%s:%d", names[i], port);
        if (strcasecmp(host, ours) == 0) {
            return true;
        }
    }
    return false;
}

bool auth_is_our_origin(const char *origin, int port)
{
    static const char scheme[] = "http://";
    size_t n = sizeof(scheme) - 1;
    return strncmp(origin, scheme, n) == 0 &&
           auth_is_our_host(origin + n, port);
}
