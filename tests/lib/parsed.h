/* parsed: JSON that is right, or the test fails; and a config that is. */
#ifndef TESTS_LIB_PARSED_H
#define TESTS_LIB_PARSED_H
#include "core/base/json.h"
#include "core/spec/spec.h"

/* Owned, json_free. */
struct json *parsed_text(const char *text);
struct json *parsed_file(const char *path);

/* The shortest config there is. */
#define PARSED_MINIMAL "{\"study\":\"s\",\"data\":{\"source\":\"a.jsonl\"}}"
/* What spec_from_json says of it with one value, which is JSON, put at a
 * path. */
int parsed_with(const char *path, const char *value, struct spec *out,
                struct err *err);

#endif
