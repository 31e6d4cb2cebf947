/* bpe: GPT-2's byte-level BPE: train, encode, decode.
 *
 * Ids: 0 is <|endoftext|>, 1..256 the byte alphabet by code point of GPT-2's
 * printable stand-ins ('!' = 1), then one id per merge, in order. Texts are cut
 * by GPT-2's pattern (pretokenize.h) and merges never cross a cut. Training
 * takes the most frequent pair, ties by the lower pair of ids, until
 * vocab_size is reached, no pair is left, or the best pair is rarer than
 * min_frequency. Equal, merge by merge and id by id, to Hugging Face's
 * `tokenizers` (models/bpe/trainer.rs, model.rs). A literal "<|endoftext|>"
 * inside a text is ordinary text. Sennrich et al., ACL 2016; Radford et al.
 * 2019. */
#ifndef CORE_TEXT_BPE_H
#define CORE_TEXT_BPE_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct buf;
struct rng;

enum { BPE_END_OF_TEXT = 0, BPE_FIRST_BYTE = 1, BPE_FIRST_MERGE = 257 };

struct bpe; /* immutable once made: any number of readers */

struct bpe_options {
    int32_t vocab_size;    /* >= BPE_FIRST_MERGE */
    int32_t min_frequency; /* pairs rarer than this are not merged */
};

/* Borrows the texts; INVALID when one is not UTF-8, LIMIT when memory does not
 * suffice. */
MUST_CHECK int bpe_train(const struct span *texts, size_t n_texts,
                         const struct bpe_options *options, struct bpe **out,
                         struct err *err);
/* From a list of merges, each a pair of ids below the id it makes. Merges that
 * make the same bytes share the first one's id, as in Hugging Face's. Copies.
 * INVALID for a pair that stands twice and for merges of or into id 0 (so no
 * text is ever encoded as id 0); LIMIT when the tokens have more than 256 MiB.
 */
MUST_CHECK int bpe_from_merges(const int32_t (*pairs)[2], size_t n_pairs,
                               struct bpe **out, struct err *err);
void bpe_free(struct bpe *t);

int32_t bpe_vocab_size(const struct bpe *t);
size_t bpe_n_merges(const struct bpe *t);
void bpe_merge_at(const struct bpe *t, size_t at, int32_t pair[2]);
/* The bytes that an id stands for (id 0: the text "<|endoftext|>"). */
struct span bpe_token_bytes(const struct bpe *t, int32_t id);

/* Scratch memory and the cache of pieces already encoded: one per thread. */
struct bpe_encoder;
struct bpe_encoder *bpe_encoder_new(const struct bpe *t); /* borrows t */
void bpe_encoder_free(struct bpe_encoder *e);
/* Write at most max_ids ids of text; *n_ids is how many. They are the first ids
 * of the whole encoding. Stops working once max_ids are there: a 10 MB text
 * costs what its head costs (but a piece, a "word" that is, is encoded whole:
 * O(n log n) in its bytes). INVALID when what was read of the text is not
 * UTF-8; ids may be written then. */
MUST_CHECK int bpe_encode(struct bpe_encoder *e, struct span text, int32_t *ids,
                          size_t max_ids, size_t *n_ids, struct err *err);
/* Another encoding of the same bytes, for training: each token that was merged
 * is taken back to its two with probability share, and so are these. Writes at
 * most max_ids ids and returns how many; out is not ids. The idea is
 * BPE-dropout's (Provilkov et al., ACL 2020), which leaves merges out while it
 * encodes; to undo them needs ids alone. */
size_t bpe_unmerge(const struct bpe *t, const int32_t *ids, size_t n,
                   double share, struct rng *rng, int32_t *out, size_t max_ids);
/* Append the bytes of ids; INVALID for an id outside the vocabulary. The bytes
 * of a cut character may be malformed UTF-8. */
MUST_CHECK int bpe_decode(const struct bpe *t, const int32_t *ids, size_t n,
                          struct buf *out, struct err *err);

#endif
