#include "core/base/utf8.h"
#include "core/base/buf.h"

#include <stdint.h>

/* Length of the sequence at s, 0 if malformed (Unicode 15, table 3-7). */
static size_t sequence_length(const unsigned char *s, size_t left)
{
    unsigned char a = s[0];
    if (a < 0x80) {
        return 1;
    }
    size_t n = a >= 0xC2 && a <= 0xDF   ? 2
               : a >= 0xE0 && a <= 0xEF ? 3
               : a >= 0xF0 && a <= 0xF4 ? 4
                                        : 0;
    if (n == 0 || n > left) {
        return 0;
    }
    unsigned char low = a == 0xE0 ? 0xA0 : a == 0xF0 ? 0x90 : 0x80;
    unsigned char high = a == 0xED ? 0x9F : a == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF) {
            return 0;
        }
    }
    return n;
}

size_t utf8_valid_prefix(const char *s, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t n = sequence_length((const unsigned char *)s + at, len - at);
        if (n == 0) {
            break;
        }
        at += n;
    }
    return at;
}

bool utf8_is_valid(const char *s, size_t len)
{
    return utf8_valid_prefix(s, len) == len;
}

size_t utf8_length(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return n;
}

unsigned utf8_next(const char *s, size_t *at)
{
    const unsigned char *p = (const unsigned char *)s + *at;
    if (p[0] < 0x80) {
        *at += 1;
        return p[0];
    }
    int n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
    unsigned c = p[0] & (0xFFu >> (n + 1));
    for (int i = 1; i < n; i++) {
        c = c << 6 | (p[i] & 0x3Fu);
    }
    *at += (size_t)n;
    return c;
}

void utf8_put(struct buf *out, unsigned c)
{
    if (c < 0x80) {
        buf_char(out, (char)c);
    } else if (c < 0x800) {
        buf_char(out, (char)(0xC0 | c >> 6));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_char(out, (char)(0xE0 | c >> 12));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_char(out, (char)(0xF0 | c >> 18));
        buf_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_char(out, (char)(0x80 | (c & 0x3F)));
    }
}

static bool is_dangerous(unsigned c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0) || /* control */
           (c >= 0x202A && c <= 0x202E) ||        /* bidi embedding */
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

void utf8_printable(struct buf *out, const char *s, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t start = at;
        unsigned c = utf8_next(s, &at);
        if (!is_dangerous(c)) {
            buf_add(out, s + start, at - start);
        } else if (c < 0x100) {
            buf_printf(out, "\\x%02x", c);
        } else {
            buf_printf(out, "\\u{%04x}", c);
        }
    }
}

void utf8_printable_bytes(struct buf *out, const char *s, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t valid = utf8_valid_prefix(s + at, len - at);
        utf8_printable(out, s + at, valid);
        at += valid;
        if (at < len) {
            buf_printf(out, "\\x%02x", (unsigned char)s[at++]);
        }
    }
}
