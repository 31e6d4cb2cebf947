#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/utf8.h"

#include <fenv.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_out_init(struct json_out *w, struct buf *buf, enum json_style style)
{
    *w = (struct json_out){.buf = buf, .style = style};
}

static void before_value(struct json_out *w)
{
    if (w->comma) {
        buf_str(w->buf, w->style == JSON_PYTHON ? ", " : ",");
    }
    w->comma = true;
}

void json_open(struct json_out *w, char bracket)
{
    before_value(w);
    buf_char(w->buf, bracket);
    w->comma = false;
}

void json_close(struct json_out *w, char bracket)
{
    buf_char(w->buf, bracket);
    w->comma = true;
}

static void put_escaped(struct json_out *w, unsigned c)
{
    static const char plain[] = "\"\\\b\f\n\r\t", short_form[] = "\"\\bfnrt";
    const char *at = c < 0x80 && c != 0 ? strchr(plain, (int)c) : NULL;
    if (at != NULL) {
        buf_char(w->buf, '\\');
        buf_char(w->buf, short_form[at - plain]);
    } else if (c >= 0x10000) { /* Python: a surrogate pair */
        c -= 0x10000;
        buf_printf(w->buf, "\\u%04x\\u%04x", 0xD800 + (c >> 10),
                   0xDC00 + (c & 0x3FF));
    } else {
        buf_printf(w->buf, "\\u%04x", c);
    }
}

/* s is valid UTF-8; bytes that are not become U+FFFD rather than bad JSON. */
static void put_quoted(struct json_out *w, const char *s, size_t len)
{
    size_t at = 0;
    size_t valid = utf8_valid_prefix(s, len);
    buf_char(w->buf, '"');
    while (at < len) {
        if (at >= valid) {
            put_escaped(w, 0xFFFD);
            at++;
            valid = at + utf8_valid_prefix(s + at, len - at);
            continue;
        }
        size_t start = at;
        unsigned c = utf8_next(s, &at);
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7F ||
            (c > 0x7F && w->style == JSON_PYTHON)) {
            put_escaped(w, c);
        } else {
            buf_add(w->buf, s + start, at - start);
        }
    }
    buf_char(w->buf, '"');
}

void json_put_key(struct json_out *w, const char *key)
{
    before_value(w);
    put_quoted(w, key, strlen(key));
    buf_str(w->buf, w->style == JSON_PYTHON ? ": " : ":");
    w->comma = false;
}

void json_put_string(struct json_out *w, const char *s)
{
    if (s == NULL) {
        json_put_null(w);
        return;
    }
    json_put_text(w, (struct span){s, strlen(s)});
}

void json_put_text(struct json_out *w, struct span s)
{
    before_value(w);
    put_quoted(w, s.at, s.len);
}

/* Write |v| as d.ddde+dd with as few significant digits as come back to it. */
static void shortest(double v, char digits[32])
{
    /* Of any decimal of up to 15 digits the nearest double keeps all of them
     * (not of subnormals), so 15 digits without their last zeros are shortest
     * when they come back at all. */
    int precision = v < 0x1p-1022 ? 1 : 15;
    for (; precision <= 17; precision++) {
        snprintf(digits, 32, "%.*e", precision - 1, v);
        if (strtod(digits, NULL) == v) {
            break;
        }
        /* Below a power of two doubles lie twice as dense as above it: the
         * nearest decimal may be too far below when the next one up is not. */
        int ignored;
        if (frexp(v, &ignored) != 0.5) {
            continue;
        }
        int rounding = fegetround();
        fesetround(FE_UPWARD);
        snprintf(digits, 32, "%.*e", precision - 1, v);
        fesetround(rounding);
        if (strtod(digits, NULL) == v) {
            break;
        }
    }
    char *e = strchr(digits, 'e'), *end = e;
    if (digits[1] == '.') {
        while (end[-1] == '0') {
            end--;
        }
        end -= end[-1] == '.';
    }
    memmove(end, e, strlen(e) + 1);
}

/* Python's repr: fixed notation for exponents -4 .. 15, else d.ddde-05. */
void json_repr(double v, char out[32])
{
    if (!isfinite(v)) {
        snprintf(out, 32, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    if (signbit(v)) {
        *out++ = '-';
    }
    char digits[32];
    shortest(fabs(v), digits);
    char *e = strchr(digits, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    *e = '\0';
    if (exponent < -4 || exponent >= 16) {
        snprintf(out, 31, "%.20se%c%02d", digits, exponent < 0 ? '-' : '+',
                 abs(exponent) % 1000);
        return;
    }
    /* The digits themselves, shifted: printing v again might round again. */
    size_t n = 0;
    for (const char *p = digits; *p != '\0'; p++) {
        if (*p != '.') {
            digits[n++] = *p;
        }
    }
    for (int i = exponent < 0 ? exponent : 0;; i++) {
        *out++ = i >= 0 && i < (int)n ? digits[i] : '0';
        if (i == exponent) {
            *out++ = '.';
        }
        if (i > exponent && i >= (int)n - 1) {
            break;
        }
    }
    *out = '\0';
}

void json_put_double(struct json_out *w, double v)
{
    before_value(w);
    char digits[32];
    json_repr(v, digits);
    if (isfinite(v)) {
        buf_str(w->buf, digits);
    } else if (w->style == JSON_PYTHON) {
        buf_str(w->buf, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
    } else {
        buf_printf(w->buf, "\"%s\"", digits);
    }
}

void json_put_int(struct json_out *w, int64_t v)
{
    before_value(w);
    buf_printf(w->buf, "%" PRId64, v);
}

void json_put_bool(struct json_out *w, bool v)
{
    before_value(w);
    buf_str(w->buf, v ? "true" : "false");
}

void json_put_null(struct json_out *w)
{
    before_value(w);
    buf_str(w->buf, "null");
}

void json_put_raw(struct json_out *w, const char *json)
{
    before_value(w);
    buf_str(w->buf, json);
}

void json_put_node(struct json_out *w, const struct json *node)
{
    int64_t whole;
    switch (json_kind(node)) {
    case JSON_NULL:
        json_put_null(w);
        return;
    case JSON_BOOL:
        json_put_bool(w, json_bool(node));
        return;
    case JSON_NUMBER:
        if (json_is_int(node) && json_integer(node, &whole)) {
            json_put_int(w, whole); /* 2, but 2.0 stays 2.0 */
        } else {
            json_put_double(w, json_number(node));
        }
        return;
    case JSON_STRING:
        json_put_text(w, json_text(node));
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    bool is_object = json_kind(node) == JSON_OBJECT;
    json_open(w, is_object ? '{' : '[');
    for (const struct json *it = json_first(node); it != NULL;
         it = json_next(it)) {
        if (is_object) {
            json_put_key(w, json_key(it));
        }
        json_put_node(w, it);
    }
    json_close(w, is_object ? '}' : ']');
}
