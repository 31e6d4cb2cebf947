/* source: the rows of one data source, whatever it is. */
#ifndef CORE_DATA_SOURCE_H
#define CORE_DATA_SOURCE_H
#include "core/data/row.h"
#include <stdbool.h>
struct fetch_watch;

struct source_query {          /* all borrowed */
    const char *const *splits; /* of hf: sources; none: all of them */
    size_t n_splits;
    const char *text, *label;        /* column names */
    const char *named_by;            /* what names them (row.h) */
    const char *base_dir;            /* of relative paths; NULL: the cwd */
    const char *cache_dir;           /* downloads are kept here; NULL: none */
    const struct fetch_watch *watch; /* of downloads; may be NULL */
};

/* Hand the rows of a source (dataset.h says what there is) to sink, in order.
 */
MUST_CHECK int source_read(const char *source, const struct source_query *q,
                           const struct row_sink *sink, struct err *err);

/* Does its name end so (".csv"), in whatever case? Of an address, the path
 * counts: not what stands behind ? or #. */
bool source_has_ending(const char *source, const char *ending);

/* "a.csv: " or "a.csv and 2 more: " before a sentence about all their rows;
 * returns its code. */
int source_wrap(const char *const *sources, size_t n, struct err *err);

#endif
