#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/text/bpe.h"
#include "core/text/tokenizer_json.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static struct bpe *tokenizer;
static struct buf written;

static void setup(void)
{
    struct span text = {"low lower lowest \xe6\x95\xb0 <|endoftext|>", 34};
    struct bpe_options options = {BPE_FIRST_MERGE + 20, 0};
    ck_assert_int_eq(bpe_train(&text, 1, &options, &tokenizer, NULL), 0);
    ck_assert_uint_gt(bpe_n_merges(tokenizer), 5);
    buf_init(&written, BUF_MAX_TOKENIZER);
    tokenizer_json_write(tokenizer, &written);
    ck_assert(!written.overflow);
}

static void teardown(void)
{
    bpe_free(tokenizer);
    buf_fini(&written);
}

/* `text` with the first `old` in it replaced. Free the result. */
static char *with(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    ck_assert_msg(at != NULL, "'%s' is not in the file", old);
    return mem_printf("%.*s%s%s", (int)(at - text), text, new,
                      at + strlen(old));
}

static void check_same(const struct bpe *t)
{
    struct buf again;
    buf_init(&again, BUF_MAX_TOKENIZER);
    tokenizer_json_write(t, &again);
    ck_assert_str_eq(again.data, written.data);
    buf_fini(&again);
}

/* Read `text` (freed here) and find our tokenizer in it. */
static void check_reads(char *text)
{
    struct bpe *t = NULL;
    struct err err;
    int rc = tokenizer_json_read((struct span){text, strlen(text)}, &t, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_int_eq(bpe_vocab_size(t), bpe_vocab_size(tokenizer));
    check_same(t);
    bpe_free(t);
    free(text);
}

/* Read what becomes of the file when `old` is replaced: refused, and the
 * sentence names what is wrong. */
static void check_refused(const char *old, const char *new, const char *says)
{
    char *text = with(written.data, old, new);
    struct bpe *t = NULL;
    struct err err;
    int rc = tokenizer_json_read((struct span){text, strlen(text)}, &t, &err);
    ck_assert_msg(rc == ERR_INVALID, "'%s' was read", new);
    ck_assert_msg(strstr(err.msg, says) != NULL, "'%s' does not say '%s'",
                  err.msg, says);
    ck_assert_ptr_null(t);
    free(text);
}

START_TEST(comes_back)
{
    check_reads(mem_strdup(written.data));
}
END_TEST

START_TEST(merges_as_pairs)
{
    char *text = mem_strdup(written.data);
    char *merges = strstr(text, "\"merges\":[") + strlen("\"merges\":[");
    struct buf out;
    buf_init(&out, BUF_MAX_TOKENIZER);
    buf_add(&out, text, (size_t)(merges - text));
    /* "a b","c d" -> ["a","b"],["c","d"] */
    bool inside = false;
    for (const char *at = merges; *at != '\0'; at++) {
        if (*at == '"') {
            buf_str(&out, inside ? "\"]" : "[\"");
            inside = !inside;
        } else if (*at == ' ') {
            buf_str(&out, "\",\"");
        } else {
            buf_char(&out, *at);
        }
    }
    ck_assert_ptr_nonnull(strstr(out.data, "[\"l\",\"o\"]"));
    free(text);
    check_reads(buf_take(&out));
}
END_TEST

/* As Hugging Face writes it after its own training. */
START_TEST(settings_that_change_no_id)
{
    check_reads(with(written.data, "\"added_tokens\":[]",
                     "\"added_tokens\":[{\"id\":0,\"content\":"
                     "\"<|endoftext|>\",\"single_word\":false,\"lstrip\":"
                     "false,\"rstrip\":false,\"normalized\":false,"
                     "\"special\":true}]"));
    check_reads(with(written.data, "\"post_processor\":null",
                     "\"post_processor\":{\"type\":\"ByteLevel\","
                     "\"trim_offsets\":false}"));
    check_reads(with(written.data, ",\"use_regex\":true}", "}"));
    check_reads(with(written.data, "\"continuing_subword_prefix\":null",
                     "\"continuing_subword_prefix\":\"\""));
    check_reads(with(written.data, "\"ignore_merges\":false,", ""));
}
END_TEST

START_TEST(other_kinds)
{
    static const char *const cases[][3] = {
        {"{\"version\"", "[{\"version\"", "line 1"},
        {"\"truncation\":null", "\"truncation\":{}", "truncation is not null"},
        {"\"padding\":null", "\"padding\":1", "padding is not null"},
        {"\"normalizer\":null", "\"normalizer\":{\"type\":\"NFC\"}",
         "normalizer is not null"},
        {"\"added_tokens\":[]",
         "\"added_tokens\":[{\"id\":1,\"content\":\"<s>\"}]", "added_tokens"},
        {"\"added_tokens\":[]", "\"added_tokens\":{}", "added_tokens"},
        {"\"added_tokens\":[]", "\"added_tokens\":[1]", "added_tokens"},
        {"\"pre_tokenizer\":{\"type\":\"ByteLevel\"",
         "\"pre_tokenizer\":{\"type\":\"Metaspace\"", "pre_tokenizer.type"},
        {"\"pre_tokenizer\":{", "\"x\":{", "pre_tokenizer is missing"},
        {"\"add_prefix_space\":false", "\"add_prefix_space\":true",
         "add_prefix_space is not false"},
        {"\"use_regex\":true", "\"use_regex\":false", "use_regex is not true"},
        {"\"post_processor\":null", "\"post_processor\":{\"type\":\"Bert\"}",
         "post_processor.type"},
        {"\"model\":{", "\"model\":null,\"x\":{", "model is null"},
        {"\"type\":\"BPE\"", "\"type\":\"Unigram\"", "model.type"},
        {"\"dropout\":null", "\"dropout\":0.1", "model.dropout is not null"},
        {"\"unk_token\":null", "\"unk_token\":\"a\"", "model.unk_token"},
        {"\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"</w>\"",
         "model.end_of_word_suffix is not null or empty"},
        {"\"byte_fallback\":false", "\"byte_fallback\":true",
         "model.byte_fallback is not false"},
        {"\"ignore_merges\":false", "\"ignore_merges\":0",
         "model.ignore_merges is not false"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_refused(cases[i][0], cases[i][1], cases[i][2]);
    }
}
END_TEST

START_TEST(vocabulary_against_merges)
{
    static const char *const cases[][3] = {
        {"\"vocab\":{", "\"vocab\":{\"zz\":277,", "277"},
        {"\"vocab\":{", "\"vocab\":{\"zz\":1,", "merges make 277"},
        {"\"vocab\":{", "\"vocab\":[{", "line 1"},
        {"\"!\":1,", "", "has an id below 0"},
        {"\"!\":1,\"\\\"\":2", "\"!\":2,\"\\\"\":1", "'!' is not the token"},
        {"\"!\":1,", "\"!\":-1,", "'!' has an id"},
        {"\"!\":1,", "\"!\":1.5,", "'!' has an id"},
        {"\"!\":1,", "\"!\":\"1\",", "'!' has an id"},
        {"\"!\":1,", "\"!\":277,", "'!' has an id"},
        {"\"!\":1,", "\"!\":2,", "'!' is not the token"},
        {"\"!\":1,", "\"!!\":1,", "'!!' is not the token"},
        {"\"!\":1,", "\"\":1,", "'' is not the token"},
        {"\"!\":1,", "\"\\u0007\xe6\x95\xb0\":1,", "'\\x07\xe6\x95\xb0' is"},
        {"\"<|endoftext|>\":0", "\"<end>\":0", "'<end>' is not the token"},
        {"\"merges\":[", "\"merges\":[\"lo\",", "number 0 is neither"},
        {"\"merges\":[", "\"merges\":[7,", "number 0 is neither"},
        {"\"merges\":[", "\"merges\":[[\"l\"],", "number 0 is neither"},
        {"\"merges\":[", "\"merges\":[[\"l\",1],", "number 0 is neither"},
        {"\"merges\":[", "\"merges\":[\"l qq\",", "'qq' is not in the voc"},
        {"\"merges\":[", "\"merges\":[\"a b c\",", "'b c' is not in the voc"},
        {"\"merges\":[", "\"merges\":[\"a b\",", "merges make 278"},
        {"\"merges\":[\"l o\"", "\"merges\":[\"l o\",\"l o\"",
         "merge 1 repeats merge 0"},
        {"\"merges\":[\"l o\"", "\"merges\":[\"lo w\",\"l o\"",
         "merge 0 is of id 257"},
        {"\"merges\":[", "\"merges\":[\"<|endoftext|> a\",",
         "merge 0 is of id 0"},
        {"\"merges\":[", "\"merges\":{\"a\":[", "line 1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_refused(cases[i][0], cases[i][1], cases[i][2]);
    }
}
END_TEST

/* Every prefix of a file, and every file with one byte lost, is refused or is
 * read as a tokenizer; neither crashes. */
START_TEST(damaged)
{
    struct err err;
    for (size_t len = 0; len < written.len; len += 7) {
        struct bpe *t = NULL;
        struct span text = {written.data, len};
        ck_assert_int_eq(tokenizer_json_read(text, &t, &err), ERR_INVALID);
    }
    for (size_t lost = 0; lost < written.len; lost += 11) {
        struct bpe *t = NULL;
        char *text = mem_strdup(written.data);
        memmove(text + lost, text + lost + 1, written.len - lost);
        if (tokenizer_json_read((struct span){text, written.len - 1}, &t,
                                &err) == 0) {
            ck_assert_int_eq(bpe_vocab_size(t), bpe_vocab_size(tokenizer));
        }
        bpe_free(t);
        free(text);
    }
}
END_TEST

START_TEST(too_small_a_buffer)
{
    struct buf small;
    buf_init(&small, 100);
    tokenizer_json_write(tokenizer, &small);
    ck_assert(small.overflow);
    buf_fini(&small);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("tokenizer_json");
    TCase *tc = tcase_create("tokenizer.json");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, comes_back);
    tcase_add_test(tc, merges_as_pairs);
    tcase_add_test(tc, settings_that_change_no_id);
    tcase_add_test(tc, other_kinds);
    tcase_add_test(tc, vocabulary_against_merges);
    tcase_add_test(tc, damaged);
    tcase_add_test(tc, too_small_a_buffer);
    suite_add_tcase(s, tc);
    return s;
}
