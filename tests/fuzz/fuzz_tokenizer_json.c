/* Fuzz: tokenizer_json_read refuses or reads; what it reads encodes without
 * harm, decodes to the same text, and comes back from its own writing. */
#include "core/base/buf.h"
#include "core/base/utf8.h"
#include "core/text/bpe.h"
#include "core/text/tokenizer_json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void try_text(const struct bpe *t, struct span text)
{
    enum { MAX_IDS = 4096 };
    static int32_t ids[MAX_IDS];
    size_t n;
    struct err err;
    struct bpe_encoder *e = bpe_encoder_new(t);
    if (text.len <= MAX_IDS && utf8_is_valid(text.at, text.len)) {
        struct buf back;
        buf_init(&back, BUF_MAX_TOKENIZER);
        require(bpe_encode(e, text, ids, MAX_IDS, &n, &err) == 0);
        require(bpe_decode(t, ids, n, &back, &err) == 0);
        require(back.len == text.len &&
                (n == 0 || memcmp(back.data, text.at, text.len) == 0));
        buf_fini(&back);
    }
    bpe_encoder_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct bpe *t, *again;
    struct err err;
    if (tokenizer_json_read(text, &t, &err) != 0) {
        return 0;
    }
    try_text(t, text);
    struct buf written, twice;
    buf_init(&written, BUF_MAX_TOKENIZER);
    buf_init(&twice, BUF_MAX_TOKENIZER);
    tokenizer_json_write(t, &written);
    if (!written.overflow) {
        text = (struct span){written.data, written.len};
        require(tokenizer_json_read(text, &again, &err) == 0);
        tokenizer_json_write(again, &twice);
        require(twice.len == written.len &&
                memcmp(twice.data, written.data, twice.len) == 0);
        bpe_free(again);
    }
    buf_fini(&twice);
    buf_fini(&written);
    bpe_free(t);
    return 0;
}
