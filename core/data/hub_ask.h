/* hub_ask: the server and what it is asked. Private to hub*.c. */
#ifndef CORE_DATA_HUB_ASK_H
#define CORE_DATA_HUB_ASK_H
#include "core/data/source.h"
#include <stdbool.h>
struct fetch;
struct fetch_reply;

struct hub {
    const char *source; /* for sentences */
    const struct source_query *query;
    char *dataset, *config; /* config NULL: not named */
    char *server, *token;   /* token NULL: none, or not for this server */
    char *dir;              /* CACHE/hub */
    struct fetch *fetch;
    bool is_offline;
    char **splits; /* wanted, in order */
    size_t n_splits;
    const struct row_sink *sink; /* NULL: fetch only */
    uint64_t n_rows;
};

/* source and query are set: names, server, token, cache folder. */
MUST_CHECK int hub_begin(struct hub *h, struct err *err);
void hub_end(struct hub *h);
/* May these bytes stand in a path and a URL as they are? */
bool hub_is_plain(const char *s, size_t len);

enum { HUB_UNCHANGED = 304 };

/* Ask for a page of a split, or (split NULL) for /splits; etag: of what the
 * cache has of it, or NULL. */
void hub_ask(struct hub *h, const char *split, int64_t page, const char *etag);
/* Wait for a reply that is no refusal; its id is the page. Its status may be
 * HUB_UNCHANGED, without a body, if an etag was given. */
MUST_CHECK int hub_wait(struct hub *h, struct fetch_reply *out,
                        struct err *err);

#endif
