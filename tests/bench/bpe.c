/* bench bpe: train on the first `texts` texts of a JSONL file, then encode all
 * of them, one thread each time.
 *
 *   bpe FILE [field=text] [texts=350] [vocab=50000] [repeat=5]
 *
 * Prints one JSON object; times are the best of `repeat` runs, each with a new
 * tokenizer and a new encoder. `hash` is over all merges and all ids: equal
 * hashes, equal tokenizers and encodings. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/text/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct texts {
    struct span *at;
    size_t n, n_bytes;
};

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

NORETURN static void die(const struct err *err)
{
    fprintf(stderr, "bpe: %s\n", err->msg);
    exit(EXIT_FAILURE);
}

static void add_text(struct texts *t, const char *line, size_t len,
                     const char *field)
{
    struct err err;
    struct json *row;
    if (json_parse(line, len, &row, &err) != 0) {
        die(&err);
    }
    const struct json *text = json_get(row, field);
    if (text == NULL || json_kind(text) != JSON_STRING) {
        err_set(&err, ERR_INVALID, "row %zu has no text '%s'", t->n, field);
        die(&err);
    }
    t->at = mem_grow(t->at, t->n + 1, sizeof(*t->at));
    t->at[t->n].at = mem_strdup(json_string(text));
    t->at[t->n].len = strlen(json_string(text));
    t->n_bytes += t->at[t->n++].len;
    json_free(row);
}

static struct texts read_texts(const char *path, const char *field)
{
    struct texts t = {0};
    struct buf file;
    struct err err;
    buf_init(&file, (size_t)1 << 30);
    if (file_read(path, &file, &err) != 0) {
        die(&err);
    }
    for (size_t at = 0; at < file.len;) {
        size_t len = strcspn(file.data + at, "\n");
        if (len > 0) {
            add_text(&t, file.data + at, len, field);
        }
        at += len + 1;
    }
    buf_fini(&file);
    return t;
}

/* Encode all texts; returns milliseconds. */
static double encode_all(const struct bpe *t, const struct texts *texts,
                         struct hash *hash)
{
    struct err err;
    size_t longest = 1;
    for (size_t i = 0; i < texts->n; i++) {
        longest = texts->at[i].len > longest ? texts->at[i].len : longest;
    }
    int32_t *ids = mem_alloc(longest, sizeof(*ids));
    double start = now_ms();
    struct bpe_encoder *e = bpe_encoder_new(t);
    for (size_t i = 0; i < texts->n; i++) {
        size_t n;
        if (bpe_encode(e, texts->at[i], ids, longest, &n, &err) != 0) {
            die(&err);
        }
        if (hash != NULL) {
            hash_add(hash, &n, sizeof(n));
            hash_add(hash, ids, n * sizeof(*ids));
        }
    }
    bpe_encoder_free(e);
    double ms = now_ms() - start;
    free(ids);
    return ms;
}

static void hash_all(const struct bpe *t, const struct texts *texts,
                     char hex[HASH_HEX_SIZE])
{
    struct hash *hash = hash_new();
    for (size_t i = 0; i < bpe_n_merges(t); i++) {
        int32_t pair[2];
        bpe_merge_at(t, i, pair);
        hash_add(hash, pair, sizeof(pair));
    }
    (void)encode_all(t, texts, hash);
    hash_finish(hash, hex);
}

static const char *option(int argc, char **argv, const char *name,
                          const char *otherwise)
{
    for (int i = 2; i < argc; i++) {
        size_t n = strlen(name);
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=') {
            return argv[i] + n + 1;
        }
    }
    return otherwise;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bpe FILE [field=text] [texts=350] "
                        "[vocab=50000] [repeat=5]\n");
        return EXIT_FAILURE;
    }
    struct texts texts =
        read_texts(argv[1], option(argc, argv, "field", "text"));
    size_t n_train = strtoul(option(argc, argv, "texts", "350"), NULL, 10);
    n_train = n_train < texts.n ? n_train : texts.n;
    int repeat = atoi(option(argc, argv, "repeat", "5"));
    struct bpe_options options = {
        .vocab_size = atoi(option(argc, argv, "vocab", "50000"))};
    double train_ms = 1e300, encode_ms = 1e300;
    struct bpe *t = NULL;
    struct err err;
    for (int i = 0; i < repeat || t == NULL; i++) {
        bpe_free(t);
        t = NULL;
        double start = now_ms();
        if (bpe_train(texts.at, n_train, &options, &t, &err) != 0) {
            die(&err);
        }
        double ms = now_ms() - start;
        train_ms = ms < train_ms ? ms : train_ms;
        ms = encode_all(t, &texts, NULL);
        encode_ms = ms < encode_ms ? ms : encode_ms;
    }
    char hex[HASH_HEX_SIZE];
    hash_all(t, &texts, hex);
    printf("{\"train_texts\":%zu,\"texts\":%zu,\"bytes\":%zu,"
           "\"train_ms\":%.3f,\"encode_ms\":%.3f,\"encode_mb_per_s\":%.1f,"
           "\"vocab_size\":%d,\"hash\":\"%s\"}\n",
           n_train, texts.n, texts.n_bytes, train_ms, encode_ms,
           (double)texts.n_bytes / 1e3 / encode_ms, (int)bpe_vocab_size(t),
           hex);
    bpe_free(t);
    for (size_t i = 0; i < texts.n; i++) {
        free((char *)texts.at[i].at);
    }
    free(texts.at);
    return EXIT_SUCCESS;
}
