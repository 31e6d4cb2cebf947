/* Reading happens twice over the same bytes: `scan` walks the grammar strictly
 * and finds what cJSON is too kind to refuse, with line and column; then cJSON
 * builds the tree. */
#include "core/base/json.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };
static const double EXACT_INTEGER_MAX = 9007199254740992.0; /* 2^53 */

/* --- strict scan --- */

struct scan {
    const char *text;
    size_t len, at;
    struct buf whole; /* per number in order: was it written as an integer? */
    bool is_data;     /* NUL is let pass in strings ... */
    bool has_nul;     /* ... and there is one */
    size_t failed_at;
    struct err *err;
};

static int fail(struct scan *s, const char *what)
{
    s->failed_at = s->at < s->len ? s->at : s->len;
    return err_set(s->err, ERR_INVALID, "%s", what);
}

static int peek(const struct scan *s)
{
    return s->at < s->len ? (unsigned char)s->text[s->at] : -1;
}

static void skip_space(struct scan *s)
{
    while (s->at < s->len && strchr(" \t\r\n", s->text[s->at]) != NULL &&
           s->text[s->at] != '\0') {
        s->at++;
    }
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool skip_digits(struct scan *s)
{
    size_t start = s->at;
    while (is_digit(peek(s))) {
        s->at++;
    }
    return s->at > start;
}

static int scan_number(struct scan *s)
{
    size_t start = s->at;
    bool whole = true;
    if (peek(s) == '-') {
        s->at++;
    }
    if (peek(s) == '0') {
        s->at++;
    } else if (!skip_digits(s)) {
        return fail(s, "expected a value");
    }
    if (peek(s) == '.') {
        whole = false;
        s->at++;
        if (!skip_digits(s)) {
            return fail(s, "expected digits after the decimal point");
        }
    }
    if (peek(s) == 'e' || peek(s) == 'E') {
        whole = false;
        s->at++;
        if (peek(s) == '+' || peek(s) == '-') {
            s->at++;
        }
        if (!skip_digits(s)) {
            return fail(s, "expected digits in the exponent");
        }
    }
    if (is_digit(peek(s))) {
        return fail(s, "a number must not begin with 0");
    }
    char digits[64]; /* cJSON reads no more than 63 */
    size_t n = s->at - start;
    if (n >= sizeof(digits)) {
        return fail(s, "the number is too long");
    }
    memcpy(digits, s->text + start, n);
    digits[n] = '\0';
    if (!isfinite(strtod(digits, NULL))) {
        s->at = start;
        return fail(s, "the number is too large");
    }
    buf_char(&s->whole, whole);
    return 0;
}

static int scan_escape(struct scan *s)
{
    int c = peek(s);
    if (c == 'u') {
        unsigned code = 0;
        for (int i = 1; i <= 4; i++) {
            if (s->at + (size_t)i >= s->len) {
                return fail(s, "unfinished \\u escape");
            }
            int h = (unsigned char)s->text[s->at + (size_t)i];
            int v = is_digit(h)            ? h - '0'
                    : h >= 'a' && h <= 'f' ? h - 'a' + 10
                    : h >= 'A' && h <= 'F' ? h - 'A' + 10
                                           : -1;
            if (v < 0) {
                return fail(s, "\\u wants four hexadecimal digits");
            }
            code = code << 4 | (unsigned)v;
        }
        if (code == 0 && !s->is_data) {
            return fail(s, "a string must not contain NUL");
        }
        s->has_nul |= code == 0;
        s->at += 5; /* a lone surrogate is left for cJSON to refuse */
        return 0;
    }
    if (c <= 0 || strchr("\"\\/bfnrt", c) == NULL) {
        return fail(s, "unknown escape in a string");
    }
    s->at++;
    return 0;
}

/* At the opening quote; ends after the closing one. */
static int scan_string(struct scan *s)
{
    s->at++;
    for (;;) {
        int c = peek(s);
        if (c < 0) {
            return fail(s, "unfinished string");
        }
        if (c < 0x20) {
            return fail(s, "control character in a string");
        }
        s->at++;
        if (c == '"') {
            return 0;
        }
        if (c == '\\') {
            int rc = scan_escape(s);
            if (rc != 0) {
                return rc;
            }
        }
    }
}

static int scan_value(struct scan *s, int depth);

/* Inside '{' or '[', up to and with the closing bracket. */
static int scan_container(struct scan *s, int depth)
{
    bool is_object = s->text[s->at++] == '{';
    char close = is_object ? '}' : ']';
    if (depth >= DEPTH_MAX) {
        return fail(s, "nested deeper than 32 levels");
    }
    skip_space(s);
    if (peek(s) == close) {
        s->at++;
        return 0;
    }
    for (;;) {
        int rc = 0;
        skip_space(s);
        if (is_object) {
            if (peek(s) != '"') {
                return fail(s, "expected a key in double quotes");
            }
            rc = scan_string(s);
            skip_space(s);
            if (rc == 0 && peek(s) != ':') {
                return fail(s, "expected ':' after the key");
            }
            s->at++;
        }
        if (rc == 0) {
            rc = scan_value(s, depth + 1);
        }
        if (rc != 0) {
            return rc;
        }
        skip_space(s);
        if (peek(s) == close) {
            s->at++;
            return 0;
        }
        if (peek(s) != ',') {
            return fail(s, is_object ? "expected ',' or '}'"
                                     : "expected ',' or ']'");
        }
        s->at++;
    }
}

static int scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0) {
        return fail(s, "expected a value");
    }
    s->at += n;
    return 0;
}

static int scan_value(struct scan *s, int depth)
{
    skip_space(s);
    switch (peek(s)) {
    case '{':
    case '[':
        return scan_container(s, depth);
    case '"':
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    case -1:
        return fail(s, "the text ends where a value should be");
    default:
        return scan_number(s);
    }
}

static int scan_text(struct scan *s)
{
    size_t valid = utf8_valid_prefix(s->text, s->len);
    if (valid != s->len) {
        s->at = valid;
        return fail(s, "not valid UTF-8");
    }
    int rc = scan_value(s, 0);
    skip_space(s);
    if (rc == 0 && s->at != s->len) {
        return fail(s, "text after the value");
    }
    return rc;
}

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

static const char *find_duplicate(const cJSON *node)
{
    const char *found = cJSON_IsObject(node) ? duplicate_in(node) : NULL;
    const cJSON *item;
    for (item = node->child; item != NULL && found == NULL; item = item->next) {
        found = find_duplicate(item);
    }
    return found;
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
 * nobody here reads its `valueint`, so that field tells: was it written whole?
 * how many bytes? Children stand in the text's order. */
static void mark(cJSON *node, const char **next_whole)
{
    if (cJSON_IsNumber(node)) {
        node->valueint = *(*next_whole)++;
    } else if (cJSON_IsString(node)) {
        node->valueint = (int)restore_nul(node->valuestring);
    }
    for (cJSON *item = node->child; item != NULL; item = item->next) {
        mark(item, next_whole);
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

static int build(struct scan *s, struct json **out)
{
    s->failed_at = JSON_NOWHERE;
    if (s->len > INT_MAX) {
        return err_set(s->err, ERR_LIMIT, "more than 2 GiB of JSON");
    }
    cJSON *root = s->has_nul ? parse_with_nul(s->text, s->len)
                             : cJSON_ParseWithLength(s->text, s->len);
    if (root == NULL) {
        return err_set(s->err, ERR_INVALID,
                       "a \\u escape is not half of a surrogate pair");
    }
    if (s->has_nul && has_nul_key(root)) {
        cJSON_Delete(root);
        return err_set(s->err, ERR_INVALID, "a key must not contain NUL");
    }
    const char *next = s->whole.data;
    mark(root, &next);
    const char *twice = find_duplicate(root);
    if (twice != NULL) {
        int rc = err_set(s->err, ERR_INVALID,
                         "the key '%.100s' stands twice in one object", twice);
        cJSON_Delete(root);
        return rc;
    }
    *out = (struct json *)(void *)root;
    return 0;
}

static int parse(const char *text, size_t len, bool is_data, struct json **out,
                 size_t *at, struct err *err)
{
    struct scan s = {.text = text, .len = len, .is_data = is_data, .err = err};
    buf_init(&s.whole, len);
    int rc = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0
                 ? fail(&s, "begins with a byte order mark")
                 : scan_text(&s);
    if (rc == 0) {
        rc = build(&s, out);
    }
    buf_fini(&s.whole);
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
    if (v != floor(v) || fabs(v) > EXACT_INTEGER_MAX) {
        return false;
    }
    *out = (int64_t)v;
    return true;
}

bool json_is_int(const struct json *node)
{
    int64_t ignored;
    return json_integer(node, &ignored) && in(node)->valueint == 1;
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
