/* listing: trials in the order that a person asked for. */
#ifndef DAEMON_CLI_LISTING_H
#define DAEMON_CLI_LISTING_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stddef.h>
struct json;
struct listing_key;

struct listing {
    struct listing_key *keys; /* owned */
    size_t n;
};

/* The column that `sort` means: a parameter, one that all trials have, or a
 * title of the table. Borrowed. INVALID: it is none of the study's. */
MUST_CHECK int listing_column(const struct json *study, const char *sort,
                              const char **out, struct err *err);
/* The trials of a reply, which is borrowed until listing_fini, by a column:
 * values from the best on (infeasible ones behind the others), all else from
 * the least; trials without one come last. */
void listing_init(struct listing *l, const struct json *study,
                  const struct json *reply, const char *column,
                  bool is_reversed);
void listing_fini(struct listing *l);
const struct json *listing_trial(const struct listing *l, size_t i);

#endif
