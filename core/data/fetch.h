/* fetch: HTTP downloads, several at once, that outlast a bad network.
 *
 * A transfer that breaks, stalls or is answered 429 or 5xx is tried again
 * after a pause that doubles, or as long as Retry-After says (then no other
 * transfer begins either). Any other answer is the caller's to judge.
 * fetch.c alone includes curl. */
#ifndef CORE_DATA_FETCH_H
#define CORE_DATA_FETCH_H
#include "core/base/buf.h"
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* How a long download talks to who waits for it. Members may be NULL. */
struct fetch_watch {
    void *ctx;
    /* unit: "rows" or "bytes"; total 0: unknown. At most ten times a second. */
    void (*on_progress)(void *ctx, uint64_t done, uint64_t total,
                        const char *unit);
    /* A sentence worth knowing: a retry, the cache used instead. */
    void (*on_note)(void *ctx, const char *sentence);
    const volatile int *stop; /* non-zero: give up (CANCELED) */
};
void fetch_note(const struct fetch_watch *w, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

struct fetch_options {
    int n_parallel;   /* transfers at once */
    int n_tries;      /* of one transfer, while the server answers */
    int n_dead_tries; /* the same, while it cannot be reached at all */
    int pause_ms;     /* before the second try; doubles, at most 60 s */
    int stall_s;      /* a transfer without a byte for so long is broken */
};
/* What users get: 4 at once, 8 tries, 3 without a connection, 500 ms, 30 s. */
extern const struct fetch_options FETCH_DEFAULTS;

struct fetch;
/* Copies options, borrows watch (may be NULL). */
MUST_CHECK int fetch_new(const struct fetch_options *options,
                         const struct fetch_watch *watch, struct fetch **out,
                         struct err *err);
void fetch_free(struct fetch *f); /* unfinished transfers are dropped */

struct fetch_request {
    int64_t id;        /* comes back in the reply */
    const char *url;   /* http:// or https://; copied, as all here */
    const char *token; /* "Authorization: Bearer", or NULL */
    const char *etag;  /* of what is there already, or NULL */
    /* Where a 200's body goes: -1 into the reply, else to this file (borrowed),
     * which has n_there bytes of the content of that etag. */
    int fd;
    uint64_t n_there;
    /* Called when such a file begins anew; etag may be NULL. May be NULL. */
    void (*on_begin)(void *ctx, const char *etag);
    void *ctx;
    size_t max_bytes; /* of a body in memory */
};
void fetch_add(struct fetch *f, const struct fetch_request *request);

struct fetch_reply {
    int64_t id;
    int status; /* 304: the content still has the etag */
    struct buf body;
    char *etag, *revision, *error_code; /* ETag, X-Revision, X-Error-Code */
};
/* Wait for the next transfer to end; *out is to be released. UNREACHABLE: no
 * try got an answer; LIMIT: a body is too large; IO, FULL: the file; CANCELED.
 * There must be a transfer. */
MUST_CHECK int fetch_wait(struct fetch *f, struct fetch_reply *out,
                          struct err *err);
void fetch_reply_fini(struct fetch_reply *r);

/* May a secret be sent to this address? By https, or by http to this machine
 * (localhost, 127.x.x.x, [::1]); not when the address names a user. */
bool fetch_is_private(const char *url);

/* Append s percent-encoded, as the value of a query. */
void fetch_escape(struct buf *out, const char *s);

#endif
