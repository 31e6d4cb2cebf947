/* Against Hugging Face's tokenizers: cuts, merges and ids must be equal. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/text/byte_alphabet.h"
#include "core/text/pretokenize.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN "tests/golden/bpe/"

enum { FILE_MAX = 64 << 20 };

/* The objects of a JSONL file, and the bytes of their "text". */
struct rows {
    struct json **at;
    struct span *texts;
    size_t n;
};

static struct json *parse(const char *text, size_t len)
{
    struct err err;
    struct json *root = NULL;
    int rc = json_parse(text, len, &root, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    return root;
}

static void read_all(const char *path, struct buf *out)
{
    struct err err;
    buf_init(out, FILE_MAX);
    int rc = file_read(path, out, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
}

/* Our reader refuses NUL in JSON, one golden text has it: it travels as
 * U+E000. */
static struct json *parse_row(char *line, size_t len)
{
    char *nul;
    while ((nul = memmem(line, len, "\\u0000", 6)) != NULL) {
        memcpy(nul, "\\uE000", 6);
    }
    return parse(line, len);
}

static struct span copy_text(const struct json *row)
{
    const char *text = json_string(json_get(row, "text"));
    struct span copy = {mem_strdup(text), strlen(text)};
    char *at;
    while ((at = memmem(copy.at, copy.len, "\xEE\x80\x80", 3)) != NULL) {
        *at = '\0';
        copy.len -= 2;
        memmove(at + 1, at + 3, (size_t)(copy.at + copy.len - at - 1));
    }
    return copy;
}

static struct rows read_rows(const char *path)
{
    struct buf file;
    struct rows rows = {0};
    read_all(path, &file);
    for (size_t at = 0; at < file.len;) {
        size_t len = strcspn(file.data + at, "\n");
        rows.at = mem_grow(rows.at, rows.n + 1, sizeof(*rows.at));
        rows.texts = mem_grow(rows.texts, rows.n + 1, sizeof(*rows.texts));
        rows.at[rows.n] = parse_row(file.data + at, len);
        rows.texts[rows.n] = copy_text(rows.at[rows.n]);
        rows.n++;
        at += len + 1;
    }
    buf_fini(&file);
    return rows;
}

static void free_rows(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        json_free(rows->at[i]);
        free((char *)rows->texts[i].at);
    }
    free(rows->at);
    free(rows->texts);
}

static struct bpe *train(const struct rows *rows, size_t n)
{
    struct bpe_options options = {.vocab_size = 50000};
    struct bpe *t = NULL;
    struct err err;
    int rc = bpe_train(rows->texts, n, &options, &t, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    return t;
}

static void check_merges(const struct bpe *t, const struct json *merges)
{
    struct byte_alphabet alphabet;
    byte_alphabet_init(&alphabet);
    ck_assert_int_eq(bpe_n_merges(t), json_size(merges));
    size_t i = 0;
    for (const struct json *m = json_first(merges); m != NULL;
         m = json_next(m), i++) {
        int32_t pair[2];
        struct buf ours;
        buf_init(&ours, FILE_MAX);
        bpe_merge_at(t, i, pair);
        byte_alphabet_write(&alphabet, bpe_token_bytes(t, pair[0]), &ours);
        buf_char(&ours, ' ');
        byte_alphabet_write(&alphabet, bpe_token_bytes(t, pair[1]), &ours);
        ck_assert_msg(strcmp(ours.data, json_string(m)) == 0,
                      "merge %zu: '%s', want '%s'", i, ours.data,
                      json_string(m));
        buf_fini(&ours);
    }
}

static void check_ids(struct bpe_encoder *e, struct span text,
                      const struct json *want)
{
    int32_t *ids = mem_alloc(text.len, sizeof(*ids));
    size_t n, i = 0;
    struct err err;
    int rc = bpe_encode(e, text, ids, text.len, &n, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_int_eq(n, json_size(want));
    for (const struct json *id = json_first(want); id != NULL;
         id = json_next(id), i++) {
        ck_assert_int_eq(ids[i], (int)json_number(id));
    }
    free(ids);
}

static void check_golden(const char *train_path, const char *encode_path,
                         const char *golden_path, size_t n_train)
{
    struct rows texts = read_rows(train_path);
    struct rows encoded = read_rows(encode_path);
    struct buf file;
    read_all(golden_path, &file);
    struct json *golden = parse(file.data, file.len);
    ck_assert(texts.n >= n_train);
    struct bpe *t = train(&texts, n_train);
    ck_assert_int_eq(bpe_vocab_size(t),
                     (int)json_number(json_get(golden, "vocab_size")));
    check_merges(t, json_get(golden, "merges"));
    struct bpe_encoder *e = bpe_encoder_new(t);
    const struct json *want = json_get(golden, "encoded");
    ck_assert_int_eq(encoded.n, json_size(want));
    want = json_first(want);
    for (size_t i = 0; i < encoded.n; i++, want = json_next(want)) {
        check_ids(e, encoded.texts[i], want);
        check_ids(e, encoded.texts[i], want); /* now from the cache */
    }
    bpe_encoder_free(e);
    bpe_free(t);
    json_free(golden);
    buf_fini(&file);
    free_rows(&encoded);
    free_rows(&texts);
}

START_TEST(cuts_are_equal)
{
    struct rows rows = read_rows(GOLDEN "pieces.jsonl");
    struct byte_alphabet alphabet;
    byte_alphabet_init(&alphabet);
    struct pretokenizer *p = pretokenizer_new();
    ck_assert(rows.n > 40);
    for (size_t i = 0; i < rows.n; i++) {
        pretokenizer_start(p, rows.texts[i]);
        struct span piece;
        struct err err;
        const struct json *want = json_first(json_get(rows.at[i], "pieces"));
        while (pretokenizer_next(p, &piece, &err) == 1) {
            struct buf ours;
            buf_init(&ours, FILE_MAX);
            byte_alphabet_write(&alphabet, piece, &ours);
            ck_assert_msg(want != NULL, "row %zu: '%s' is too much", i,
                          ours.data);
            ck_assert_msg(strcmp(ours.data, json_string(want)) == 0,
                          "row %zu: '%s', want '%s'", i, ours.data,
                          json_string(want));
            want = json_next(want);
            buf_fini(&ours);
        }
        ck_assert_msg(want == NULL, "row %zu: pieces are missing", i);
    }
    pretokenizer_free(p);
    free_rows(&rows);
}
END_TEST

START_TEST(fifty_texts)
{
    check_golden(GOLDEN "train-texts-50.jsonl", GOLDEN "encode-texts.jsonl",
                 GOLDEN "conversations-50.json", 50);
}
END_TEST

START_TEST(more_texts)
{
    static const int sizes[] = {350, 500};
    const char *shared = getenv("PARZEN_SHARED");
    shared = shared != NULL ? shared : "../shared";
    char *train_path = mem_printf("%s/golden/bpe-train-texts.jsonl", shared);
    char *encode_path = mem_printf("%s/golden/bpe-encode-texts.jsonl", shared);
    char *golden =
        mem_printf("%s/golden/bpe-conversations-%d.json", shared, sizes[_i]);
    if (file_exists(golden)) {
        check_golden(train_path, encode_path, golden, (size_t)sizes[_i]);
    } else {
        fprintf(stderr, "SKIPPED: BPE of %d texts needs ../shared\n",
                sizes[_i]);
    }
    free(train_path);
    free(encode_path);
    free(golden);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("bpe_golden");
    TCase *tc = tcase_create("hugging face");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, cuts_are_equal);
    tcase_add_test(tc, fifty_texts);
    tcase_add_loop_test(tc, more_texts, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}
