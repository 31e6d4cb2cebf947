/* Any bytes as a .jsonl and as a .json file: rows or a sentence. */
#include "core/base/utf8.h"
#include "core/data/jsonl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int on_row(void *ctx, const struct row *row, struct err *err)
{
    (void)ctx;
    (void)err;
    if (row->label.len == 0 || !utf8_is_valid(row->text.at, row->text.len) ||
        !utf8_is_valid(row->label.at, row->label.len) ||
        memchr(row->label.at, '\0', row->label.len) != NULL) {
        abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct row_file file = {"x", {(const char *)bytes, len}};
    const struct row_columns columns = {.text = "t", .label = "l"};
    const struct row_sink sink = {NULL, on_row};
    struct err err = {0};
    if (jsonl_read(&file, &columns, &sink, &err) != 0 && err.msg[0] == '\0') {
        abort();
    }
    err = (struct err){0};
    if (jsonl_read_list(&file, &columns, &sink, &err) != 0 &&
        err.msg[0] == '\0') {
        abort();
    }
    return 0;
}
