#include "core/base/json_scan.h"
#include "core/base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

static int fail(struct json_scan *s, const char *what)
{
    s->failed_at = s->at < s->len ? s->at : s->len;
    return err_set(s->err, ERR_INVALID, "%s", what);
}

static int peek(const struct json_scan *s)
{
    return s->at < s->len ? (unsigned char)s->text[s->at] : -1;
}

static void skip_space(struct json_scan *s)
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

static bool skip_digits(struct json_scan *s)
{
    size_t start = s->at;
    while (is_digit(peek(s))) {
        s->at++;
    }
    return s->at > start;
}

static enum json_number_form form_of(const char *digits, double v, bool whole)
{
    const char *unsigned_digits = digits + (digits[0] == '-');
    bool is_2_53 = strcmp(unsigned_digits, "9007199254740992") == 0;
    return fabs(v) >= 0x1p53 && !is_2_53 ? JSON_BEYOND_2_53
           : whole                       ? JSON_WHOLE
                                         : JSON_REAL;
}

/* From start to at. */
static int take_number(struct json_scan *s, size_t start, bool whole)
{
    char digits[64]; /* cJSON reads no more than 63 */
    size_t n = s->at - start;
    if (n >= sizeof(digits)) {
        return fail(s, "the number is too long");
    }
    memcpy(digits, s->text + start, n);
    digits[n] = '\0';
    double v = strtod(digits, NULL);
    if (!isfinite(v)) {
        s->at = start;
        return fail(s, "the number is too large");
    }
    buf_char(&s->forms, (char)form_of(digits, v, whole));
    return 0;
}

static int scan_number(struct json_scan *s)
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
    return take_number(s, start, whole);
}

/* The four digits of a \u escape whose u is at. */
static int scan_code(struct json_scan *s, size_t at, unsigned *code)
{
    *code = 0;
    for (size_t i = at + 1; i <= at + 4; i++) {
        if (i >= s->len) {
            return fail(s, "unfinished \\u escape");
        }
        int h = (unsigned char)s->text[i];
        int v = is_digit(h)            ? h - '0'
                : h >= 'a' && h <= 'f' ? h - 'a' + 10
                : h >= 'A' && h <= 'F' ? h - 'A' + 10
                                       : -1;
        if (v < 0) {
            return fail(s, "\\u wants four hexadecimal digits");
        }
        *code = *code << 4 | (unsigned)v;
    }
    return 0;
}

/* At the u; ends after the digits, of a pair after those of both halves. */
static int scan_unicode(struct json_scan *s)
{
    unsigned code, second = 0;
    size_t next = s->at + 5;
    int rc = scan_code(s, s->at, &code);
    if (rc != 0) {
        return rc;
    }
    if (code == 0 && !s->is_data) {
        return fail(s, "a string must not contain NUL");
    }
    s->has_nul |= code == 0;
    bool is_first = code >= 0xD800 && code < 0xDC00;
    if (is_first && s->len - next >= 2 && s->text[next] == '\\' &&
        s->text[next + 1] == 'u') {
        rc = scan_code(s, next + 1, &second);
        next += 6;
    }
    bool is_pair = is_first && second >= 0xDC00 && second < 0xE000;
    if (rc == 0 && code >= 0xD800 && code < 0xE000 && !is_pair) {
        rc = fail(s, "a \\u escape is half of a surrogate pair, and the other "
                     "half is not beside it");
    }
    s->at = next;
    return rc;
}

static int scan_escape(struct json_scan *s)
{
    int c = peek(s);
    if (c == 'u') {
        return scan_unicode(s);
    }
    if (c <= 0 || strchr("\"\\/bfnrt", c) == NULL) {
        return fail(s, "unknown escape in a string");
    }
    s->at++;
    return 0;
}

/* At the opening quote; ends after the closing one. */
static int scan_string(struct json_scan *s)
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

static int scan_value(struct json_scan *s, int depth);

/* Inside '{' or '[', up to and with the closing bracket. */
static int scan_container(struct json_scan *s, int depth)
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
            s->key_at = s->keys_left-- == 1 ? s->at : s->key_at;
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

static int scan_word(struct json_scan *s, const char *word)
{
    size_t n = strlen(word);
    if (s->len - s->at < n || memcmp(s->text + s->at, word, n) != 0) {
        return fail(s, "expected a value");
    }
    s->at += n;
    return 0;
}

static int scan_value(struct json_scan *s, int depth)
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

int json_scan_text(struct json_scan *s)
{
    if (s->len >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0) {
        return fail(s, "begins with a byte order mark");
    }
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
