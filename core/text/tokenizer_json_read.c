/* Reading. The merges alone decide: they are looked up in the file's
 * vocabulary, a tokenizer is made of them, and then the vocabulary must be
 * that tokenizer's, id by id. Everything that could make Hugging Face's
 * library give other ids for a text is refused; what has no influence on ids
 * (offsets, the decoder's settings) is not looked at. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/text/bpe.h"
#include "core/text/byte_alphabet.h"
#include "core/text/piece_table.h"
#include "core/text/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

static const char END_OF_TEXT[] = "<|endoftext|>";

/* --- settings ------------------------------------------------------------- */

/* What a member must be; a missing one is as good as `is`. */
enum wanted { WANT_NULL, WANT_NULL_OR_EMPTY, WANT_TRUE, WANT_FALSE };

struct setting {
    const char *key;
    enum wanted is;
};

static bool is_as_wanted(const struct json *value, enum wanted is)
{
    switch (is) {
    case WANT_NULL:
        return json_kind(value) == JSON_NULL;
    case WANT_NULL_OR_EMPTY:
        return json_kind(value) == JSON_NULL ||
               (json_kind(value) == JSON_STRING && *json_string(value) == '\0');
    case WANT_TRUE:
        return json_kind(value) == JSON_BOOL && json_bool(value);
    case WANT_FALSE:
        return json_kind(value) == JSON_BOOL && !json_bool(value);
    }
    return false;
}

static int check_settings(const struct json *object, const char *name,
                          const struct setting *settings, size_t n,
                          struct err *err)
{
    static const char *const words[] = {"null", "null or empty", "true",
                                        "false"};
    for (size_t i = 0; i < n; i++) {
        const struct json *value = json_get(object, settings[i].key);
        if (value != NULL && !is_as_wanted(value, settings[i].is)) {
            return err_set(err, ERR_INVALID, "%s%s is not %s", name,
                           settings[i].key, words[settings[i].is]);
        }
    }
    return 0;
}

static bool is_string(const struct json *node, const char *want)
{
    return node != NULL && json_kind(node) == JSON_STRING &&
           strcmp(json_string(node), want) == 0;
}

/* The member of this name as an object whose "type" is this one. */
static int get_typed(const struct json *root, const char *name,
                     const char *type, const struct json **out, struct err *err)
{
    const struct json *part = json_get(root, name);
    if (part == NULL || json_kind(part) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID, "%s is %s, not an object", name,
                       part == NULL ? "missing" : json_kind_name(part));
    }
    if (!is_string(json_get(part, "type"), type)) {
        return err_set(err, ERR_INVALID, "%s.type is not \"%s\"", name, type);
    }
    *out = part;
    return 0;
}

static int check_byte_level_or_null(const struct json *root, const char *name,
                                    struct err *err)
{
    const struct json *part = json_get(root, name);
    if (part == NULL || json_kind(part) == JSON_NULL) {
        return 0;
    }
    return get_typed(root, name, "ByteLevel", &part, err);
}

/* Hugging Face's own training lists <|endoftext|> here: fine, it differs from
 * ours only for texts that contain it. */
static int check_added_tokens(const struct json *root, struct err *err)
{
    const struct json *list = json_get(root, "added_tokens");
    if (list == NULL || json_kind(list) == JSON_NULL) {
        return 0;
    }
    if (json_kind(list) != JSON_ARRAY) {
        return err_set(err, ERR_INVALID, "added_tokens is %s, not a list",
                       json_kind_name(list));
    }
    for (const struct json *it = json_first(list); it != NULL;
         it = json_next(it)) {
        int64_t id;
        if (json_kind(it) != JSON_OBJECT ||
            !is_string(json_get(it, "content"), END_OF_TEXT) ||
            json_get(it, "id") == NULL ||
            !json_integer(json_get(it, "id"), &id) || id != BPE_END_OF_TEXT) {
            return err_set(err, ERR_INVALID,
                           "added_tokens has more than %s with id 0",
                           END_OF_TEXT);
        }
    }
    return 0;
}

static int check_pipeline(const struct json *root, struct err *err)
{
    static const struct setting top[] = {{"truncation", WANT_NULL},
                                         {"padding", WANT_NULL},
                                         {"normalizer", WANT_NULL}};
    static const struct setting cuts[] = {{"use_regex", WANT_TRUE}};
    const struct json *part;
    int rc = check_settings(root, "", top, ARRAY_LEN(top), err);
    rc = rc != 0 ? rc : check_added_tokens(root, err);
    rc = rc != 0 ? rc
                 : get_typed(root, "pre_tokenizer", "ByteLevel", &part, err);
    if (rc != 0) {
        return rc;
    }
    const struct json *space = json_get(part, "add_prefix_space");
    if (space == NULL || !is_as_wanted(space, WANT_FALSE)) {
        return err_set(err, ERR_INVALID,
                       "pre_tokenizer.add_prefix_space is not false");
    }
    rc = check_settings(part, "pre_tokenizer.", cuts, ARRAY_LEN(cuts), err);
    rc = rc != 0 ? rc : check_byte_level_or_null(root, "post_processor", err);
    return rc != 0 ? rc : check_byte_level_or_null(root, "decoder", err);
}

/* --- vocabulary and merges ------------------------------------------------ */

struct reading {
    const struct json *vocab, *merges;
    struct piece_table tokens; /* keys of vocab, in the file's order */
    int32_t *ids;              /* their ids */
    int32_t (*pairs)[2];
    size_t n_pairs;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_LIMIT, "no memory for the tokenizer");
}

/* INVALID: "where: 'token' what", with no more of a hostile token than a
 * terminal can bear. */
static int bad_token(struct err *err, const char *where, struct span token,
                     const char *what)
{
    enum { SHOWN_MAX = 60 };
    struct buf shown;
    buf_init(&shown, BUF_MAX_TOKENIZER);
    size_t len = token.len < SHOWN_MAX ? token.len : SHOWN_MAX;
    buf_char(&shown, '\'');
    utf8_printable(&shown, token.at, utf8_valid_prefix(token.at, len));
    buf_str(&shown, len < token.len ? "...'" : "'");
    int rc = err_set(err, ERR_INVALID, "%s: %s %s", where, shown.data, what);
    buf_fini(&shown);
    return rc;
}

static int check_model(struct reading *r, const struct json *model,
                       struct err *err)
{
    static const struct setting settings[] = {
        {"dropout", WANT_NULL},
        {"unk_token", WANT_NULL},
        {"continuing_subword_prefix", WANT_NULL_OR_EMPTY},
        {"end_of_word_suffix", WANT_NULL_OR_EMPTY},
        {"byte_fallback", WANT_FALSE},
        {"ignore_merges", WANT_FALSE}};
    r->vocab = json_get(model, "vocab");
    r->merges = json_get(model, "merges");
    if (r->vocab == NULL || json_kind(r->vocab) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID, "model.vocab is not an object");
    }
    if (r->merges == NULL || json_kind(r->merges) != JSON_ARRAY) {
        return err_set(err, ERR_INVALID, "model.merges is not a list");
    }
    return check_settings(model, "model.", settings, ARRAY_LEN(settings), err);
}

static int read_vocab(struct reading *r, struct err *err)
{
    int size = json_size(r->vocab);
    r->ids = mem_try((size_t)size, sizeof(*r->ids));
    if (r->ids == NULL) {
        return no_memory(err);
    }
    for (const struct json *it = json_first(r->vocab); it != NULL;
         it = json_next(it)) {
        struct span key = {json_key(it), strlen(json_key(it))};
        int64_t id;
        if (!json_integer(it, &id) || id < 0 || id >= size) {
            return bad_token(err, "model.vocab", key,
                             "has an id below 0 or not below the vocabulary's "
                             "size");
        }
        int32_t at = piece_table_put(&r->tokens, key);
        if (at < 0) {
            return no_memory(err);
        }
        r->ids[at] = (int32_t)id;
    }
    return 0;
}

/* "a b" or ["a", "b"] as two spans. */
static bool split_merge(const struct json *merge, struct span part[2])
{
    if (json_kind(merge) == JSON_STRING) {
        const char *text = json_string(merge);
        const char *space = strchr(text, ' ');
        if (space == NULL) {
            return false;
        }
        part[0] = (struct span){text, (size_t)(space - text)};
        part[1] = (struct span){space + 1, strlen(space + 1)};
        return true;
    }
    if (json_kind(merge) != JSON_ARRAY || json_size(merge) != 2) {
        return false;
    }
    const struct json *it = json_first(merge);
    for (int i = 0; i < 2; i++, it = json_next(it)) {
        if (json_kind(it) != JSON_STRING) {
            return false;
        }
        part[i] = (struct span){json_string(it), strlen(json_string(it))};
    }
    return true;
}

static int read_merges(struct reading *r, struct err *err)
{
    r->pairs = mem_try((size_t)json_size(r->merges), sizeof(*r->pairs));
    if (r->pairs == NULL) {
        return no_memory(err);
    }
    for (const struct json *it = json_first(r->merges); it != NULL;
         it = json_next(it), r->n_pairs++) {
        struct span part[2];
        if (!split_merge(it, part)) {
            return err_set(err, ERR_INVALID,
                           "model.merges: number %zu is neither \"a b\" nor "
                           "[\"a\", \"b\"]",
                           r->n_pairs);
        }
        for (int i = 0; i < 2; i++) {
            int32_t at = piece_table_find(&r->tokens, part[i]);
            if (at < 0) {
                return bad_token(err, "model.merges", part[i],
                                 "is not in the vocabulary");
            }
            r->pairs[r->n_pairs][i] = r->ids[at];
        }
    }
    return 0;
}

/* Equal number of tokens, and each token of the file has the id that the
 * merges give it: then the two are the same, as no key stands twice. */
static int check_vocab(const struct reading *r, const struct bpe *t,
                       struct err *err)
{
    if (r->tokens.n != bpe_vocab_size(t)) {
        return err_set(err, ERR_INVALID,
                       "model.vocab has %d tokens, %s, the bytes and the "
                       "merges make %d",
                       (int)r->tokens.n, END_OF_TEXT, (int)bpe_vocab_size(t));
    }
    struct byte_alphabet alphabet;
    struct buf bytes;
    int rc = 0;
    byte_alphabet_init(&alphabet);
    buf_init(&bytes, BUF_MAX_TOKENIZER);
    for (int32_t i = 0; i < r->tokens.n && rc == 0; i++) {
        struct span key = r->tokens.pieces[i], want;
        want = bpe_token_bytes(t, r->ids[i]);
        buf_reset(&bytes);
        if (!byte_alphabet_read(&alphabet, key, &bytes) ||
            bytes.len != want.len ||
            memcmp(bytes.data, want.at, want.len) != 0) {
            rc = bad_token(err, "model.vocab", key,
                           "is not the token which the merges give its id");
        }
    }
    buf_fini(&bytes);
    return rc;
}

static int read_model(struct reading *r, const struct json *model,
                      struct bpe **out, struct err *err)
{
    struct bpe *t = NULL;
    int rc = check_model(r, model, err);
    rc = rc != 0 ? rc : read_vocab(r, err);
    rc = rc != 0 ? rc : read_merges(r, err);
    if (rc != 0) {
        return rc;
    }
    rc = bpe_from_merges((const int32_t(*)[2])r->pairs, r->n_pairs, &t, err);
    if (rc != 0) {
        err_wrap(err, "model.merges");
        return rc;
    }
    rc = check_vocab(r, t, err);
    if (rc != 0) {
        bpe_free(t);
        return rc;
    }
    *out = t;
    return 0;
}

static int read_root(const struct json *root, struct bpe **out, struct err *err)
{
    const struct json *model;
    if (json_kind(root) != JSON_OBJECT) {
        return err_set(err, ERR_INVALID, "the file is %s, not an object",
                       json_kind_name(root));
    }
    int rc = check_pipeline(root, err);
    rc = rc != 0 ? rc : get_typed(root, "model", "BPE", &model, err);
    if (rc != 0) {
        return rc;
    }
    struct reading r = {0};
    piece_table_init(&r.tokens);
    rc = read_model(&r, model, out, err);
    piece_table_fini(&r.tokens);
    free(r.ids);
    free(r.pairs);
    return rc;
}

int tokenizer_json_read(struct span text, struct bpe **out, struct err *err)
{
    struct json *root;
    int rc = json_parse(text.at, text.len, &root, err);
    if (rc == 0) {
        rc = read_root(root, out, err);
        json_free(root);
    }
    if (rc != 0) {
        err_wrap(err, "tokenizer.json");
    }
    return rc;
}
