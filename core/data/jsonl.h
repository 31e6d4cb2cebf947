/* jsonl: rows from JSON: one object per line, or one list of objects. */
#ifndef CORE_DATA_JSONL_H
#define CORE_DATA_JSONL_H
#include "core/data/row.h"

/* JSON lines. Lines end in LF or CR LF, the last one may go without; lines of
 * nothing but white space are passed over. */
MUST_CHECK int jsonl_read(const struct row_file *f,
                          const struct row_columns *columns,
                          const struct row_sink *sink, struct err *err);
/* A .json file: [{...}, {...}]. */
MUST_CHECK int jsonl_read_list(const struct row_file *f,
                               const struct row_columns *columns,
                               const struct row_sink *sink, struct err *err);

#endif
