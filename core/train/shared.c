/* A key begins with what the thing is, the version of how it is made and
 * written, and the build: another program's idea of it is never taken.
 * Raise the versions when the arithmetic or the files change. */
#include "core/train/shared.h"
#include "core/base/build.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/train/encoded.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TOKENIZER_IS "tokenizer 1 "
#define ENCODED_IS   "encoded 1 "

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* --- tokenizers: their merges --------------------------------------------- */

static void tokenizer_key(const struct shared *s, size_t n_texts,
                          const struct bpe_options *o, char key[STASH_KEY_SIZE])
{
    char *what = mem_printf("texts %zu vocab %" PRId32 " frequency %" PRId32,
                            n_texts, o->vocab_size, o->min_frequency);
    const struct span parts[] = {span_of(TOKENIZER_IS), span_of(BUILD_ID),
                                 span_of(s->dataset_sha256), span_of(what)};
    stash_key(parts, ARRAY_LEN(parts), key);
    free(what);
}

/* A new array of all merges, NULL without memory for it. */
static int32_t (*merges_of(const struct bpe *t))[2]
{
    size_t n = bpe_n_merges(t);
    int32_t(*pairs)[2] = mem_try(n + 1, sizeof(*pairs));
    for (size_t i = 0; pairs != NULL && i < n; i++) {
        bpe_merge_at(t, i, pairs[i]);
    }
    return pairs;
}

struct bpe *shared_tokenizer(const struct shared *s, size_t n_texts,
                             const struct bpe_options *options)
{
    char key[STASH_KEY_SIZE];
    struct stash_file file;
    struct bpe *t = NULL;
    if (s->stash.dir == NULL) {
        return NULL;
    }
    tokenizer_key(s, n_texts, options, key);
    if (stash_open(&s->stash, key, &file)) {
        const int32_t(*pairs)[2] = (const void *)file.content.at;
        size_t n = file.content.len / sizeof(*pairs);
        if (file.content.len % sizeof(*pairs) != 0 ||
            bpe_from_merges(pairs, n, &t, NULL) != 0) {
            t = NULL;
        }
        stash_close(&file);
    }
    return t;
}

static void note_failure(const char *what, int rc, const struct err *err)
{
    if (rc != 0) {
        LOG_WARN("not shared with later trainings", "what=%s why=%s", what,
                 err->msg);
    }
}

void shared_keep_tokenizer(const struct shared *s, size_t n_texts,
                           const struct bpe_options *options,
                           const struct bpe *tokenizer)
{
    char key[STASH_KEY_SIZE];
    struct err err;
    int32_t(*pairs)[2] = s->stash.dir != NULL ? merges_of(tokenizer) : NULL;
    if (pairs == NULL) {
        return;
    }
    const struct span merges = {(const char *)pairs,
                                bpe_n_merges(tokenizer) * sizeof(*pairs)};
    tokenizer_key(s, n_texts, options, key);
    int rc = stash_put(&s->stash, key, &merges, 1, &err);
    note_failure("tokenizer", rc, &err);
    free(pairs);
}

/* --- texts as ids --------------------------------------------------------- */

/* False without memory. */
static bool encoded_key(const struct shared *s, const struct bpe *tokenizer,
                        size_t max_len, char key[STASH_KEY_SIZE])
{
    int32_t(*pairs)[2] = merges_of(tokenizer);
    if (pairs == NULL) {
        return false;
    }
    char *what = mem_printf("max_len %zu", max_len);
    const struct span parts[] = {
        span_of(ENCODED_IS),
        span_of(BUILD_ID),
        span_of(s->dataset_sha256),
        {(const char *)pairs, bpe_n_merges(tokenizer) * sizeof(*pairs)},
        span_of(what)};
    stash_key(parts, ARRAY_LEN(parts), key);
    free(what);
    free(pairs);
    return true;
}

struct encoded *shared_encoded(const struct shared *s,
                               const struct dataset *dataset,
                               const struct bpe *tokenizer, size_t max_len)
{
    char key[STASH_KEY_SIZE];
    return s->stash.dir != NULL && encoded_key(s, tokenizer, max_len, key)
               ? encoded_find(&s->stash, key, dataset, max_len,
                              bpe_vocab_size(tokenizer))
               : NULL;
}

void shared_keep_encoded(const struct shared *s, const struct bpe *tokenizer,
                         size_t max_len, const struct encoded *encoded)
{
    char key[STASH_KEY_SIZE];
    struct err err;
    if (s->stash.dir != NULL && encoded_key(s, tokenizer, max_len, key)) {
        int rc = encoded_put(encoded, &s->stash, key, &err);
        note_failure("token ids", rc, &err);
    }
}
