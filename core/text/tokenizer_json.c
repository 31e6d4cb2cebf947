/* Writing. <|endoftext|> stands in the vocabulary only: as an "added token"
 * Hugging Face's library would cut it out of every text before the model sees
 * it, and a text that happens to contain it would get id 0 there and ordinary
 * ids here. Merges are written as "a b", which every version of the library
 * reads (the stand-ins have no space). */
#include "core/text/tokenizer_json.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/text/bpe.h"
#include "core/text/byte_alphabet.h"

static void put_byte_level(struct json_out *w)
{
    json_open(w, '{');
    json_put_key(w, "type");
    json_put_string(w, "ByteLevel");
    json_put_key(w, "add_prefix_space");
    json_put_bool(w, false);
    json_put_key(w, "trim_offsets");
    json_put_bool(w, true);
    json_put_key(w, "use_regex");
    json_put_bool(w, true);
    json_close(w, '}');
}

static void put_vocab(struct json_out *w, const struct bpe *t,
                      const struct byte_alphabet *alphabet, struct buf *scratch)
{
    json_open(w, '{');
    for (int32_t id = 0; id < bpe_vocab_size(t); id++) {
        buf_reset(scratch);
        byte_alphabet_write(alphabet, bpe_token_bytes(t, id), scratch);
        json_put_key(w, scratch->data);
        json_put_int(w, id);
    }
    json_close(w, '}');
}

static void put_merges(struct json_out *w, const struct bpe *t,
                       const struct byte_alphabet *alphabet,
                       struct buf *scratch)
{
    json_open(w, '[');
    for (size_t i = 0; i < bpe_n_merges(t); i++) {
        int32_t pair[2];
        bpe_merge_at(t, i, pair);
        buf_reset(scratch);
        byte_alphabet_write(alphabet, bpe_token_bytes(t, pair[0]), scratch);
        buf_char(scratch, ' ');
        byte_alphabet_write(alphabet, bpe_token_bytes(t, pair[1]), scratch);
        json_put_string(w, scratch->data);
    }
    json_close(w, ']');
}

static void put_model(struct json_out *w, const struct bpe *t)
{
    static const char *const without[] = {"dropout", "unk_token",
                                          "continuing_subword_prefix",
                                          "end_of_word_suffix"};
    static const char *const off[] = {"fuse_unk", "byte_fallback",
                                      "ignore_merges"};
    struct byte_alphabet alphabet;
    struct buf scratch;
    byte_alphabet_init(&alphabet);
    buf_init(&scratch, BUF_MAX_TOKENIZER);
    json_open(w, '{');
    json_put_key(w, "type");
    json_put_string(w, "BPE");
    for (size_t i = 0; i < ARRAY_LEN(without); i++) {
        json_put_key(w, without[i]);
        json_put_null(w);
    }
    for (size_t i = 0; i < ARRAY_LEN(off); i++) {
        json_put_key(w, off[i]);
        json_put_bool(w, false);
    }
    json_put_key(w, "vocab");
    put_vocab(w, t, &alphabet, &scratch);
    json_put_key(w, "merges");
    put_merges(w, t, &alphabet, &scratch);
    json_close(w, '}');
    if (scratch.overflow) {
        w->buf->overflow = true;
    }
    buf_fini(&scratch);
}

void tokenizer_json_write(const struct bpe *t, struct buf *out)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "version");
    json_put_string(&w, "1.0");
    json_put_key(&w, "truncation");
    json_put_null(&w);
    json_put_key(&w, "padding");
    json_put_null(&w);
    json_put_key(&w, "added_tokens");
    json_open(&w, '[');
    json_close(&w, ']');
    json_put_key(&w, "normalizer");
    json_put_null(&w);
    json_put_key(&w, "pre_tokenizer");
    put_byte_level(&w);
    json_put_key(&w, "post_processor");
    json_put_null(&w);
    json_put_key(&w, "decoder");
    put_byte_level(&w);
    json_put_key(&w, "model");
    put_model(&w, t);
    json_close(&w, '}');
}
