/* json_scan: JSON's grammar, walked strictly: what cJSON is too kind to refuse
 * is refused with its place. For json.c alone. */
#ifndef CORE_BASE_JSON_SCAN_H
#define CORE_BASE_JSON_SCAN_H
#include "core/base/buf.h"
#include "core/base/err.h"
#include <stdbool.h>

/* How a number was written. Several numbers have 2^53 as their double: by its
 * digits alone is it that one and none beyond. */
enum json_number_form { JSON_REAL, JSON_WHOLE, JSON_BEYOND_2_53 };

struct json_scan {
    const char *text;
    size_t len, at;
    struct buf forms; /* per number in order: enum json_number_form */
    bool is_data;     /* NUL is let pass in strings ... */
    bool has_nul;     /* ... and there is one */
    size_t failed_at;
    size_t keys_left, key_at; /* where is the key that is so far away? */
    struct err *err;
};

/* From at to the end. INVALID: failed_at says where. */
MUST_CHECK int json_scan_text(struct json_scan *s);

#endif
