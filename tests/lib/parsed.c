#include "tests/lib/parsed.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/spec/spec_json.h"
#include "tests/lib/test_main.h"

#include <string.h>

struct json *parsed_text(const char *text)
{
    struct json *root;
    struct err err;
    ck_assert_msg(json_parse(text, strlen(text), &root, &err) == 0, "%s: %s",
                  text, err.msg);
    return root;
}

struct json *parsed_file(const char *path)
{
    struct json *root;
    struct err err = {0};
    struct buf text;
    buf_init(&text, BUF_MAX_CONFIG);
    ck_assert_msg(file_read(path, &text, &err) == 0, "%s", err.msg);
    ck_assert_msg(json_parse(text.data, text.len, &root, &err) == 0, "%s: %s",
                  path, err.msg);
    buf_fini(&text);
    return root;
}

int parsed_with(const char *path, const char *value, struct spec *out,
                struct err *err)
{
    struct json *root = parsed_text(PARSED_MINIMAL);
    ck_assert_int_eq(json_set(root, path, parsed_text(value), err), 0);
    int rc = spec_from_json(root, out, err);
    json_free(root);
    return rc;
}
