#include "core/text/byte_alphabet.h"
#include "core/base/buf.h"
#include "core/base/utf8.h"

static bool stands_for_itself(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
}

void byte_alphabet_init(struct byte_alphabet *a)
{
    for (size_t i = 0; i < ARRAY_LEN(a->byte); i++) {
        a->byte[i] = -1;
    }
    int n_others = 0, n = 0;
    for (int b = 0; b < 256; b++) {
        int code = stands_for_itself(b) ? b : 256 + n_others++;
        a->code_point[b] = (uint16_t)code;
        a->byte[code] = (int16_t)b;
    }
    for (size_t code = 0; code < ARRAY_LEN(a->byte); code++) {
        if (a->byte[code] >= 0) {
            a->in_order[n++] = (uint8_t)a->byte[code];
        }
    }
}

void byte_alphabet_write(const struct byte_alphabet *a, struct span bytes,
                         struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        utf8_put(out, a->code_point[(unsigned char)bytes.at[i]]);
    }
}

bool byte_alphabet_read(const struct byte_alphabet *a, struct span text,
                        struct buf *out)
{
    size_t at = 0;
    while (at < text.len) {
        unsigned code = utf8_next(text.at, &at);
        if (code >= ARRAY_LEN(a->byte) || a->byte[code] < 0) {
            return false;
        }
        buf_char(out, (char)a->byte[code]);
    }
    return true;
}
