/* tokenizer_json: a tokenizer as Hugging Face's tokenizer.json. */
#ifndef CORE_TEXT_TOKENIZER_JSON_H
#define CORE_TEXT_TOKENIZER_JSON_H
#include "core/base/err.h"
struct bpe;
struct buf;

/* Append the file's text: same tokenizer, same bytes. Hugging Face's
 * `tokenizers` loads it and gives the same ids for every text, also for one
 * that contains "<|endoftext|>": id 0 is in the vocabulary but is no "added
 * token", which that library would cut out of texts. */
void tokenizer_json_write(const struct bpe *t, struct buf *out);
/* Read what tokenizer_json_write (or Hugging Face, for the same kind of
 * byte-level BPE) wrote. INVALID, saying what differs, for another kind. */
MUST_CHECK int tokenizer_json_read(struct span text, struct bpe **out,
                                   struct err *err);

#endif
