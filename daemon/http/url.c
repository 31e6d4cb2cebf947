#include "daemon/http/url.h"
#include "core/base/utf8.h"

#include <string.h>

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool url_decode(char *s)
{
    const char *in = s;
    char *out = s;
    while (*in != '\0') {
        if (*in != '%') {
            *out++ = *in++;
            continue;
        }
        int high = digit(in[1]), low = high < 0 ? -1 : digit(in[2]);
        if (low < 0 || (high | low) == 0) {
            return false;
        }
        *out++ = (char)(high << 4 | low);
        in += 3;
    }
    *out = '\0';
    return utf8_is_valid(s, (size_t)(out - s));
}

enum url_verdict url_split(char *path, int max, const char **segments, int *n)
{
    *n = 0;
    char *rest = *path == '\0' ? NULL : path;
    while (rest != NULL) {
        if (*n == max) {
            return URL_TOO_DEEP;
        }
        char *part = strsep(&rest, "/");
        if (!url_decode(part)) {
            return URL_MALFORMED;
        }
        segments[(*n)++] = part;
    }
    return URL_OK;
}
