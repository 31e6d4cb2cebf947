/* json_scan: JSON's grammar, walked strictly: what cJSON is too kind to refuse
 * is refused with its place. For json.c alone. */
#ifndef CORE_BASE_JSON_SCAN_H
#define CORE_BASE_JSON_SCAN_H
#include "core/base/buf.h"
#include "core/base/err.h"
#include <stdbool.h>

struct json_scan {
    const char *text;
    size_t len, at;
    struct buf whole; /* per number in order: was it written as an integer? */
    bool is_data;     /* NUL is let pass in strings ... */
    bool has_nul;     /* ... and there is one */
    size_t failed_at;
    size_t keys_left, key_at; /* where is the key that is so far away? */
    struct err *err;
};

/* From at to the end. INVALID: failed_at says where. */
MUST_CHECK int json_scan_text(struct json_scan *s);

#endif
