/* Reading happens twice over the same bytes: json_scan walks the grammar
 * strictly and finds what cJSON is too kind to refuse, with line and column;
 * then cJSON builds the tree. */
#include "core/base/json.h"
#include "core/base/buf.h"
#include "core/base/json_scan.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- the tree --- */

static const cJSON *in(const struct json *node)
{
    return (const cJSON *)(const void *)node;
}

static const struct json *out_of(const cJSON *item)
{
    return (const struct json *)(const void *)item;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *duplicate_in(const cJSON *object)
{
    size_t n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, object)
    {
        n++;
    }
    const char **keys = mem_alloc(n, sizeof(*keys));
    n = 0;
    cJSON_ArrayForEach(item, object)
    {
        keys[n++] = item->string;
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    const char *found = NULL;
    for (size_t i = 1; i < n && found == NULL; i++) {
        found = strcmp(keys[i - 1], keys[i]) == 0 ? keys[i] : NULL;
    }
    free(keys);
    return found;
}

static const cJSON *second_of(const cJSON *object, const char *key)
{
    const cJSON *item = object->child;
    bool is_second = false;
    for (; strcmp(item->string, key) != 0 || !is_second; item = item->next) {
        is_second = is_second || strcmp(item->string, key) == 0;
    }
    return item;
}

/* The second of two keys that are the same, in one object; or NULL. */
static const cJSON *find_duplicate(const cJSON *node)
{
    const char *key = cJSON_IsObject(node) ? duplicate_in(node) : NULL;
    const cJSON *found = key != NULL ? second_of(node, key) : NULL;
    const cJSON *item;
    for (item = node->child; item != NULL && found == NULL; item = item->next) {
        found = find_duplicate(item);
    }
    return found;
}

/* Count keys in the text's order up to and with that of a node; true when it
 * is among them. */
static bool count_keys(const cJSON *node, const cJSON *last, size_t *n)
{
    *n += node->string != NULL;
    bool found = node == last;
    for (const cJSON *item = node->child; item != NULL && !found;
         item = item->next) {
        found = count_keys(item, last, n);
    }
    return found;
}

/* Where the text has the key of a node. */
static size_t key_at(const struct json_scan *s, const cJSON *root,
                     const cJSON *node)
{
    struct json_scan again = {
        .text = s->text, .len = s->len, .is_data = s->is_data};
    buf_init(&again.forms, s->len);
    (void)count_keys(root, node, &again.keys_left);
    int rc = json_scan_text(&again);
    buf_fini(&again.forms);
    return rc == 0 ? again.key_at : JSON_NOWHERE;
}

/* cJSON's strings end at a NUL. Where NULs are wanted it gets them as C0 80,
 * which no valid UTF-8 contains (nor any key: its string would end there). */
static const char NUL_ESCAPE[] = "\\u0000", NUL_STANDS[] = "\xC0\x80";

static cJSON *parse_with_nul(const char *text, size_t len)
{
    struct buf copy;
    buf_init(&copy, len + 1);
    for (size_t at = 0, n; at < len; at += n) {
        const char *from = text + at;
        const char *escape = memchr(from, '\\', len - at);
        n = escape != NULL ? (size_t)(escape - from) : len - at;
        buf_add(&copy, from, n);
        if (escape == NULL) {
            break;
        }
        bool is_nul = len - at - n >= strlen(NUL_ESCAPE) &&
                      memcmp(escape, NUL_ESCAPE, strlen(NUL_ESCAPE)) == 0;
        if (is_nul) {
            buf_str(&copy, NUL_STANDS);
        } else {
            buf_add(&copy, escape, 2); /* the scan saw what is escaped */
        }
        n += is_nul ? strlen(NUL_ESCAPE) : 2;
    }
    cJSON *root = cJSON_ParseWithLength(copy.data, copy.len);
    buf_fini(&copy);
    return root;
}

/* Put the NULs in their places; the length of what is left. */
static size_t restore_nul(char *s)
{
    char *to = s, *from = s, *found;
    while ((found = strstr(from, NUL_STANDS)) != NULL) {
        memmove(to, from, (size_t)(found - from));
        to += found - from;
        *to++ = '\0';
        from = found + strlen(NUL_STANDS);
    }
    memmove(to, from, strlen(from) + 1);
    return (size_t)(to - s) + strlen(to);
}

/* cJSON keeps no trace of how a number was written, nor of a string's length;
 * nobody here reads its `valueint`, so that field tells: its form, or how
 * many bytes. Children stand in the text's order. */
static void mark(cJSON *node, const char **next_form)
{
    if (cJSON_IsNumber(node)) {
        node->valueint = *(*next_form)++;
    } else if (cJSON_IsString(node)) {
        node->valueint = (int)restore_nul(node->valuestring);
    }
    for (cJSON *item = node->child; item != NULL; item = item->next) {
        mark(item, next_form);
    }
}

/* No key holds what stands for a NUL. */
static bool has_nul_key(const cJSON *node)
{
    if (node->string != NULL && strstr(node->string, NUL_STANDS) != NULL) {
        return true;
    }
    bool found = false;
    for (cJSON *item = node->child; item != NULL && !found; item = item->next) {
        found = has_nul_key(item);
    }
    return found;
}

static int build(struct json_scan *s, struct json **out)
{
    s->failed_at = JSON_NOWHERE;
    if (s->len > INT_MAX) {
        return err_set(s->err, ERR_LIMIT, "more than 2 GiB of JSON");
    }
    cJSON *root = s->has_nul ? parse_with_nul(s->text, s->len)
                             : cJSON_ParseWithLength(s->text, s->len);
    if (root == NULL) {
        return err_set(s->err, ERR_LIMIT, "no memory for %zu bytes of JSON",
                       s->len);
    }
    if (s->has_nul && has_nul_key(root)) {
        cJSON_Delete(root);
        return err_set(s->err, ERR_INVALID, "a key must not contain NUL");
    }
    const char *next = s->forms.data;
    mark(root, &next);
    const cJSON *twice = find_duplicate(root);
    if (twice != NULL) {
        s->failed_at = key_at(s, root, twice);
        int rc = err_set(s->err, ERR_INVALID,
                         "the key '%.100s' stands twice in one object",
                         twice->string);
        cJSON_Delete(root);
        return rc;
    }
    *out = (struct json *)(void *)root;
    return 0;
}

static int parse(const char *text, size_t len, bool is_data, struct json **out,
                 size_t *at, struct err *err)
{
    struct json_scan s = {
        .text = text, .len = len, .is_data = is_data, .err = err};
    buf_init(&s.forms, len);
    int rc = json_scan_text(&s);
    if (rc == 0) {
        rc = build(&s, out);
    }
    buf_fini(&s.forms);
    if (rc != 0) {
        *at = s.failed_at;
    }
    return rc;
}

int json_parse_data(const char *text, size_t len, struct json **out, size_t *at,
                    struct err *err)
{
    return parse(text, len, true, out, at, err);
}

int json_parse(const char *text, size_t len, struct json **out, struct err *err)
{
    size_t at;
    int rc = parse(text, len, false, out, &at, err);
    if (rc == 0 || at == JSON_NOWHERE) {
        return rc;
    }
    size_t line = 1, line_start = 0;
    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    return err_wrap(err, "line %zu, column %zu", line, at - line_start + 1);
}

void json_free(struct json *root)
{
    cJSON_Delete((cJSON *)(void *)root);
}

enum json_kind json_kind(const struct json *node)
{
    const cJSON *item = in(node);
    return cJSON_IsBool(item)     ? JSON_BOOL
           : cJSON_IsNumber(item) ? JSON_NUMBER
           : cJSON_IsString(item) ? JSON_STRING
           : cJSON_IsArray(item)  ? JSON_ARRAY
           : cJSON_IsObject(item) ? JSON_OBJECT
                                  : JSON_NULL;
}

const char *json_kind_name(const struct json *node)
{
    static const char *const names[] = {
        "null", "true or false", "a number", "a string", "a list", "an object"};
    return names[json_kind(node)];
}

bool json_bool(const struct json *node)
{
    return cJSON_IsTrue(in(node));
}

double json_number(const struct json *node)
{
    return in(node)->valuedouble;
}

bool json_integer(const struct json *node, int64_t *out)
{
    if (json_kind(node) != JSON_NUMBER) {
        return false;
    }
    double v = json_number(node);
    if (v != floor(v) || in(node)->valueint == JSON_BEYOND_2_53) {
        return false;
    }
    *out = (int64_t)v;
    return true;
}

bool json_is_int(const struct json *node)
{
    int64_t ignored;
    return json_integer(node, &ignored) && in(node)->valueint == JSON_WHOLE;
}

struct span json_text(const struct json *node)
{
    return (struct span){in(node)->valuestring, (size_t)in(node)->valueint};
}

const char *json_string(const struct json *node)
{
    return in(node)->valuestring;
}

const char *json_key(const struct json *node)
{
    return in(node)->string;
}

int json_size(const struct json *container)
{
    return cJSON_GetArraySize(in(container));
}

const struct json *json_first(const struct json *container)
{
    return out_of(in(container)->child);
}

const struct json *json_next(const struct json *node)
{
    return out_of(in(node)->next);
}

const struct json *json_get(const struct json *object, const char *key)
{
    return out_of(cJSON_GetObjectItemCaseSensitive(in(object), key));
}

int json_set(struct json *root, const char *path, struct json *value,
             struct err *err)
{
    cJSON *at = (cJSON *)(void *)root;
    const char *rest = path;
    for (;;) {
        if (!cJSON_IsObject(at)) {
            json_free(value);
            return err_set(err, ERR_INVALID, "%.*s: is %s, not an object",
                           (int)(rest == path ? 0 : rest - path - 1), path,
                           json_kind_name(out_of(at)));
        }
        size_t n = strcspn(rest, ".");
        char *key = mem_strndup(rest, n);
        cJSON *next = cJSON_GetObjectItemCaseSensitive(at, key);
        if (rest[n] == '\0') {
            if (next != NULL) {
                cJSON_ReplaceItemInObjectCaseSensitive(at, key,
                                                       (cJSON *)(void *)value);
            } else {
                cJSON_AddItemToObject(at, key, (cJSON *)(void *)value);
            }
            free(key);
            return 0;
        }
        if (next == NULL) {
            next = cJSON_AddObjectToObject(at, key);
        }
        free(key);
        at = next;
        rest += n + 1;
    }
}
