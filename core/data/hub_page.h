/* hub_page: one reply of /rows. Private to hub*.c. */
#ifndef CORE_DATA_HUB_PAGE_H
#define CORE_DATA_HUB_PAGE_H
#include "core/data/row.h"
#include <stdint.h>
struct json;

enum { HUB_PAGE_ROWS = 100 };

struct hub_page {
    struct json *root;
    const struct json *features, *rows; /* borrowed from root */
    int64_t n_total;                    /* rows of the whole split */
};

/* Read and check: the rows from offset on, in order, as many as there must be.
 * PROTO; INVALID when the server has only a part of the data set. */
MUST_CHECK int hub_page_parse(struct span text, int64_t offset,
                              struct hub_page *out, struct err *err);
void hub_page_fini(struct hub_page *p);
/* INVALID names the column that is missing and those that are there. */
MUST_CHECK int hub_page_check_columns(const struct hub_page *p,
                                      const struct row_columns *columns,
                                      struct err *err);
/* INVALID: a row that is none, whose text or label was cut, or whose label is a
 * number without a name. */
MUST_CHECK int hub_page_emit(const struct hub_page *p,
                             const struct row_columns *columns,
                             const struct row_sink *sink, struct err *err);

#endif
