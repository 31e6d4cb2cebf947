/* row_list: a row_sink that writes rows down as "text|label;" for tests. */
#ifndef TESTS_LIB_ROW_LIST_H
#define TESTS_LIB_ROW_LIST_H
#include "core/base/buf.h"
#include "core/data/row.h"

struct row_list {
    struct buf text;
    int refuse_after; /* ERR_LIMIT for the row after so many; -1: never */
    int n;
    struct row_sink sink;
};

void row_list_init(struct row_list *l);
void row_list_fini(struct row_list *l);

#endif
