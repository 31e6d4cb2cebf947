#include "daemon/cli/assignment.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/spec/space.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 512 };

static struct json *parsed(const char *text, size_t len)
{
    struct json *node;
    return json_parse(text, len, &node, NULL) == 0 ? node : NULL;
}

static size_t n_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* A decimal number as JSON writes it: no plus, no zeros in front but one, a
 * digit on both sides of the point. NULL: it is none. */
static struct json *decimal(const char *text)
{
    struct buf out;
    bool has_sign = *text == '-' || *text == '+';
    const char *whole = text + has_sign;
    size_t n_whole = n_digits(whole);
    bool has_point = whole[n_whole] == '.';
    const char *rest = whole + n_whole + has_point;
    size_t n_rest = has_point ? n_digits(rest) : 0;
    if (n_whole + n_rest == 0) {
        return NULL;
    }
    while (n_whole > 1 && *whole == '0') {
        whole++;
        n_whole--;
    }
    buf_init(&out, NUMBER_MAX);
    buf_str(&out, *text == '-' ? "-" : "");
    buf_str(&out, n_whole == 0 ? "0" : "");
    buf_add(&out, whole, n_whole);
    buf_str(&out, n_rest > 0 ? "." : "");
    buf_add(&out, rest, n_rest);
    buf_str(&out, rest + n_rest); /* an exponent, or what JSON refuses */
    struct json *node = out.overflow ? NULL : parsed(out.data, out.len);
    buf_fini(&out);
    return node;
}

static struct json *string(const char *text)
{
    struct buf out;
    struct json_out w;
    buf_init(&out, BUF_MAX_CONFIG);
    json_out_init(&w, &out, JSON_COMPACT);
    json_put_string(&w, text);
    struct json *node = parsed(out.data, out.len);
    buf_fini(&out);
    return node;
}

static bool fits(const struct dist *d, const struct json *node)
{
    struct err ignored;
    double value;
    return d == NULL || dist_value_from_json(d, node, &value, &ignored) == 0;
}

static void put_value(struct json_out *w, const struct dist *d,
                      const char *text)
{
    struct json *readings[] = {parsed(text, strlen(text)), decimal(text),
                               string(text)};
    const struct json *first = NULL, *fitting = NULL;
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        const struct json *r = readings[i];
        first = first == NULL ? r : first;
        fitting = fitting == NULL && r != NULL && fits(d, r) ? r : fitting;
    }
    const struct json *best = fitting != NULL ? fitting : first;
    if (best != NULL) {
        json_put_node(w, best);
    } else {
        json_put_string(w, text); /* too long to be read back */
    }
    for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
        json_free(readings[i]);
    }
}

int assignment_put(struct json_out *w, const char *word,
                   const struct space *space, struct err *err)
{
    const char *equals = strchr(word, '=');
    if (equals == NULL || equals == word ||
        !utf8_is_valid(word, strlen(word))) {
        return err_set(err, ERR_INVALID, "expected NAME=VALUE, not '%s'", word);
    }
    char *name = mem_strndup(word, (size_t)(equals - word));
    int at = space != NULL ? space_find(space, name) : -1;
    json_put_key(w, name);
    put_value(w, at >= 0 ? &space->params[at].dist : NULL, equals + 1);
    free(name);
    return 0;
}
