/* csv: rows from comma- or tab-separated values (RFC 4180).
 *
 * The first record names the columns. A field in double quotes may hold the
 * delimiter, line ends and doubled quotes; a quote anywhere else is refused,
 * as is a record with another number of columns than the header. Records end
 * in LF or CR LF, the last one may go without; empty lines are passed over.
 * Values are taken as they are: nothing is trimmed, no value means "missing".
 */
#ifndef CORE_DATA_CSV_H
#define CORE_DATA_CSV_H
#include "core/data/row.h"

MUST_CHECK int csv_read(const struct row_file *f, char delimiter,
                        const struct row_columns *columns,
                        const struct row_sink *sink, struct err *err);

#endif
