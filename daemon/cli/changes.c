#include "daemon/cli/changes.h"
#include "core/base/buf.h"

#include <string.h>

static void put(const struct json *node, struct buf *out)
{
    struct json_out w;
    buf_init(out, BUF_MAX_CONFIG);
    json_out_init(&w, out, JSON_COMPACT);
    if (node != NULL) {
        json_put_node(&w, node);
    } else {
        json_put_null(&w);
    }
}

static void say_value(const struct cli *c, const char *path,
                      const struct json *before, const struct json *after)
{
    struct buf a, b;
    put(before, &a);
    put(after, &b);
    if (strcmp(a.data, b.data) != 0) {
        cli_say(c, "%s: %s before, now %s", path, a.data, b.data);
    }
    buf_fini(&a);
    buf_fini(&b);
}

/* Both have every key, canonical as they are. */
static void say_node(const struct cli *c, const char *path,
                     const struct json *before, const struct json *after)
{
    bool are_objects = before != NULL && json_kind(before) == JSON_OBJECT &&
                       json_kind(after) == JSON_OBJECT;
    if (!are_objects) {
        say_value(c, path, before, after);
        return;
    }
    for (const struct json *it = json_first(after); it != NULL;
         it = json_next(it)) {
        struct buf inner;
        buf_init(&inner, BUF_MAX_CONFIG);
        buf_printf(&inner, "%s%s%s", path, path[0] != '\0' ? "." : "",
                   json_key(it));
        say_node(c, inner.data, json_get(before, json_key(it)), it);
        buf_fini(&inner);
    }
}

void changes_say(const struct cli *c, const struct json *before,
                 const struct json *after)
{
    say_node(c, "", before, after);
}
