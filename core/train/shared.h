/* shared: what trainings on the same data need not do again: the trained
 * tokenizer and the texts as token ids, kept in a stash.
 *
 * What is found is, to the bit, what would have been made. Finding nothing and
 * being unable to keep something are no errors: the latter is logged. */
#ifndef CORE_TRAIN_SHARED_H
#define CORE_TRAIN_SHARED_H
#include "core/train/stash.h"
struct bpe;
struct bpe_options;
struct dataset;
struct encoded;

/* What a folder of shared things may hold. */
#define SHARED_MAX_BYTES ((uint64_t)512 << 20)

struct shared {
    struct stash stash;         /* dir NULL: nothing is shared */
    const char *dataset_sha256; /* borrowed: of the prepared data set */
};

/* The tokenizer of the data set's first n_texts texts; NULL: not there. */
struct bpe *shared_tokenizer(const struct shared *s, size_t n_texts,
                             const struct bpe_options *options);
void shared_keep_tokenizer(const struct shared *s, size_t n_texts,
                           const struct bpe_options *options,
                           const struct bpe *tokenizer);

/* All texts of the data set as ids of this tokenizer, however it came to be,
 * cut at max_len; NULL: not there. */
struct encoded *shared_encoded(const struct shared *s,
                               const struct dataset *dataset,
                               const struct bpe *tokenizer, size_t max_len);
void shared_keep_encoded(const struct shared *s, const struct bpe *tokenizer,
                         size_t max_len, const struct encoded *encoded);

#endif
