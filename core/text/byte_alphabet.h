/* byte_alphabet: GPT-2's printable stand-ins for the 256 bytes (Radford et al.
 * 2019, bytes_to_unicode): printable Latin-1 bytes stand for themselves, the
 * n-th of the others is code point 256 + n (so a space is U+0120). */
#ifndef CORE_TEXT_BYTE_ALPHABET_H
#define CORE_TEXT_BYTE_ALPHABET_H
#include "core/base/base.h"
#include <stdbool.h>
#include <stdint.h>
struct buf;

struct byte_alphabet {
    uint16_t code_point[256]; /* of a byte */
    int16_t byte[512];        /* of a code point, or -1 */
    uint8_t in_order[256];    /* bytes by their code points, ascending */
};

void byte_alphabet_init(struct byte_alphabet *a);
/* Append bytes as stand-ins (UTF-8). */
void byte_alphabet_write(const struct byte_alphabet *a, struct span bytes,
                         struct buf *out);
/* Append the bytes that stand-ins (valid UTF-8) stand for; false when text has
 * a character that stands for none. */
bool byte_alphabet_read(const struct byte_alphabet *a, struct span text,
                        struct buf *out);

#endif
