/* listing: trials in the order that a person asked for. */
#ifndef DAEMON_CLI_LISTING_H
#define DAEMON_CLI_LISTING_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct json;
struct listing_key;
struct pages;

struct listing {
    struct json **pages; /* owned, with the trials in them */
    size_t n_pages;
    struct listing_key *keys; /* owned */
    size_t n, cap;
};

/* The column that `sort` means: a parameter, one that all trials have, or a
 * title of the table. Borrowed. INVALID: it is none of the study's. */
MUST_CHECK int listing_column(const struct json *study, const char *sort,
                              const char **out, struct err *err);
/* The first `limit` (0: all) of the trials of all pages, by a column: values
 * from the best on (infeasible ones behind the others), all else from the
 * least; trials without one come last. No more is asked for than the order
 * needs. Errors as pages_next. */
MUST_CHECK int listing_ask(struct pages *pages, const struct json *study,
                           const char *column, bool is_reversed, int64_t limit,
                           struct listing *out, struct err *err);
void listing_fini(struct listing *l);
const struct json *listing_trial(const struct listing *l, size_t i);

#endif
