#include "worker/quote.h"
#include "core/base/buf.h"

#include <stdbool.h>
#include <string.h>

void quote_non_finite(const char *text, struct buf *out)
{
    static const char *const words[] = {"NaN",  "-Infinity", "Infinity", "nan",
                                        "-nan", "-inf",      "inf"};
    bool in_string = false;
    while (*text != '\0') {
        size_t n = 0;
        for (size_t i = 0; !in_string && n == 0 && i < ARRAY_LEN(words); i++) {
            size_t len = strlen(words[i]);
            n = strncmp(text, words[i], len) == 0 ? len : 0;
        }
        if (n > 0) {
            buf_str(out, "{\"is\":\"");
            buf_add(out, text, n);
            buf_str(out, "\"}");
            text += n;
            continue;
        }
        if (in_string && *text == '\\' && text[1] != '\0') {
            buf_char(out, *text++);
        } else if (*text == '"') {
            in_string = !in_string;
        }
        buf_char(out, *text++);
    }
}
