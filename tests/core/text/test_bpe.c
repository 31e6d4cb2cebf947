/* The tokenizer against a naive one, and the promises of bpe.h. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/base/utf8.h"
#include "core/text/bpe.h"
#include "core/text/pretokenize.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* --- the naive reference: every count and every scan made anew ------------ */

enum { PIECE_MAX = 512, PIECES_MAX = 512, MERGES_MAX = 512 };

struct chain {
    int32_t ids[PIECE_MAX];
    size_t n;
};

struct naive {
    int32_t pairs[MERGES_MAX][2];
    size_t n;
};

/* Merge all places of a pair, from left to right. */
static void merge_chain(struct chain *c, const int32_t pair[2], int32_t made)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        bool here =
            i + 1 < c->n && c->ids[i] == pair[0] && c->ids[i + 1] == pair[1];
        c->ids[n++] = here ? made : c->ids[i];
        i += here;
    }
    c->n = n;
}

/* The ids of single bytes, asked of a tokenizer without merges. */
static void byte_ids(int32_t id_of[256])
{
    struct bpe *t = NULL;
    ck_assert_int_eq(bpe_from_merges(NULL, 0, &t, NULL), 0);
    for (int32_t id = BPE_FIRST_BYTE; id < BPE_FIRST_MERGE; id++) {
        struct span byte = bpe_token_bytes(t, id);
        ck_assert_uint_eq(byte.len, 1);
        id_of[(unsigned char)byte.at[0]] = id;
    }
    bpe_free(t);
}

static size_t cut(struct span text, struct chain *chains)
{
    int32_t id_of[256];
    byte_ids(id_of);
    struct pretokenizer *p = pretokenizer_new();
    struct span piece;
    size_t n = 0;
    pretokenizer_start(p, text);
    while (pretokenizer_next(p, &piece, NULL) == 1) {
        ck_assert(n < PIECES_MAX && piece.len <= PIECE_MAX);
        chains[n].n = piece.len;
        for (size_t i = 0; i < piece.len; i++) {
            chains[n].ids[i] = id_of[(unsigned char)piece.at[i]];
        }
        n++;
    }
    pretokenizer_free(p);
    return n;
}

static int64_t count_pair(const struct chain *chains, size_t n,
                          const int32_t pair[2])
{
    int64_t count = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j + 1 < chains[i].n; j++) {
            count +=
                chains[i].ids[j] == pair[0] && chains[i].ids[j + 1] == pair[1];
        }
    }
    return count;
}

/* The most frequent pair, ties by the lower ids; its count, 0 if none. */
static int64_t best_pair(const struct chain *chains, size_t n, int32_t best[2])
{
    int64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j + 1 < chains[i].n; j++) {
            const int32_t *pair = &chains[i].ids[j];
            bool lower =
                pair[0] != best[0] ? pair[0] < best[0] : pair[1] < best[1];
            int64_t count = count_pair(chains, n, pair);
            if (count > most || (count == most && lower)) {
                most = count;
                best[0] = pair[0];
                best[1] = pair[1];
            }
        }
    }
    return most;
}

static void naive_train(struct naive *out, struct span text, size_t max_merges,
                        int64_t least)
{
    struct chain *chains = mem_alloc(PIECES_MAX, sizeof(*chains));
    size_t n = cut(text, chains);
    out->n = 0;
    while (out->n < max_merges) {
        int32_t best[2] = {INT32_MAX, INT32_MAX};
        int64_t count = best_pair(chains, n, best);
        if (count < least || count == 0) {
            break;
        }
        for (size_t i = 0; i < n; i++) {
            merge_chain(&chains[i], best, BPE_FIRST_MERGE + (int32_t)out->n);
        }
        memcpy(out->pairs[out->n++], best, sizeof(best));
    }
    free(chains);
}

/* Merge by merge, in order of rank; ids of merges are 257 + rank. */
static size_t naive_encode(const struct naive *t, struct span text,
                           int32_t *ids)
{
    struct chain *chains = mem_alloc(PIECES_MAX, sizeof(*chains));
    size_t n_pieces = cut(text, chains), n = 0;
    for (size_t i = 0; i < n_pieces; i++) {
        for (size_t m = 0; m < t->n; m++) {
            merge_chain(&chains[i], t->pairs[m], BPE_FIRST_MERGE + (int32_t)m);
        }
        memcpy(ids + n, chains[i].ids, chains[i].n * sizeof(*ids));
        n += chains[i].n;
    }
    free(chains);
    return n;
}

/* --- helpers ---------------------------------------------------------------
 */

static struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

static struct bpe *train(struct span text, int32_t vocab_size,
                         int32_t min_frequency)
{
    struct bpe_options options = {vocab_size, min_frequency};
    struct bpe *t = NULL;
    struct err err;
    int rc = bpe_train(&text, 1, &options, &t, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    return t;
}

/* Encode with a new encoder; ids has room for text.len. */
static size_t encode(const struct bpe *t, struct span text, int32_t *ids,
                     size_t max_ids)
{
    struct bpe_encoder *e = bpe_encoder_new(t);
    size_t n = SIZE_MAX;
    struct err err;
    int rc = bpe_encode(e, text, ids, max_ids, &n, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    bpe_encoder_free(e);
    return n;
}

static void check_decodes_to(const struct bpe *t, const int32_t *ids, size_t n,
                             struct span want)
{
    struct buf back;
    struct err err;
    buf_init(&back, SIZE_MAX / 2);
    ck_assert_int_eq(bpe_decode(t, ids, n, &back, &err), 0);
    ck_assert_uint_eq(back.len, want.len);
    ck_assert(want.len == 0 || memcmp(back.data, want.at, want.len) == 0);
    buf_fini(&back);
}

/* Random text over the first n_letters of a small alphabet. */
static struct span random_text(struct rng *rng, uint32_t len,
                               uint32_t n_letters, char *out)
{
    for (uint32_t i = 0; i < len; i++) {
        out[i] = "a bc1'\xc3\xa9"[rng_below(rng, n_letters)];
    }
    return (struct span){out, len};
}

/* --- tests -----------------------------------------------------------------
 */

START_TEST(trains_as_the_naive_one)
{
    struct rng rng;
    rng_stream(&rng, (uint64_t)_i, 0, RNG_SHUFFLE, 0);
    for (int round = 0; round < 30; round++) {
        char bytes[300];
        struct span text = random_text(&rng, rng_below(&rng, sizeof(bytes)),
                                       1 + rng_below(&rng, 6), bytes);
        size_t max_merges = rng_below(&rng, 2) ? 12 : MERGES_MAX;
        int32_t least = (int32_t)rng_below(&rng, 4);
        struct naive naive;
        naive_train(&naive, text, max_merges, least);
        struct bpe *t =
            train(text, BPE_FIRST_MERGE + (int32_t)max_merges, least);
        ck_assert_uint_eq(bpe_n_merges(t), naive.n);
        for (size_t i = 0; i < naive.n; i++) {
            int32_t pair[2];
            bpe_merge_at(t, i, pair);
            ck_assert_int_eq(pair[0], naive.pairs[i][0]);
            ck_assert_int_eq(pair[1], naive.pairs[i][1]);
        }
        ck_assert_int_eq(bpe_vocab_size(t), BPE_FIRST_MERGE + (int32_t)naive.n);
        bpe_free(t);
    }
}
END_TEST

START_TEST(encodes_as_the_naive_one)
{
    struct rng rng;
    rng_stream(&rng, (uint64_t)_i, 1, RNG_SHUFFLE, 0);
    char bytes[300], other[300];
    struct naive naive;
    uint32_t n_letters = 2 + rng_below(&rng, 5);
    struct span text = random_text(&rng, sizeof(bytes), n_letters, bytes);
    naive_train(&naive, text, 100, 1);
    struct bpe *t = train(text, BPE_FIRST_MERGE + 100, 1);
    struct bpe_encoder *e = bpe_encoder_new(t);
    for (int round = 0; round < 40; round++) {
        struct span x =
            random_text(&rng, rng_below(&rng, sizeof(other)), n_letters, other);
        int32_t want[300], ids[300], head[300];
        size_t n_want = naive_encode(&naive, x, want), n;
        ck_assert_int_eq(bpe_encode(e, x, ids, 300, &n, NULL), 0);
        ck_assert_uint_eq(n, n_want);
        ck_assert(memcmp(ids, want, n * sizeof(*ids)) == 0);
        check_decodes_to(t, ids, n, x);
        size_t max = rng_below(&rng, (uint32_t)n + 2), n_head;
        ck_assert_int_eq(bpe_encode(e, x, head, max, &n_head, NULL), 0);
        ck_assert_uint_eq(n_head, max < n ? max : n);
        ck_assert(memcmp(head, ids, n_head * sizeof(*ids)) == 0);
    }
    bpe_encoder_free(e);
    bpe_free(t);
}
END_TEST

/* Merges that no training would make: random pairs of whatever ids there are,
 * so ranks do not rise with length. */
START_TEST(encodes_with_foreign_merges)
{
    struct rng rng;
    rng_stream(&rng, (uint64_t)_i, 2, RNG_SHUFFLE, 0);
    struct naive naive = {.n = 0};
    struct bpe *t = NULL;
    static const char *const letters[] = {"a", "b", "c"};
    int32_t id_of[256];
    byte_ids(id_of);
    for (int tries = 0; tries < 60; tries++) {
        for (int i = 0; i < 2; i++) {
            uint32_t at = rng_below(&rng, 3 + (uint32_t)naive.n);
            naive.pairs[naive.n][i] = at < 3
                                          ? id_of[(unsigned char)letters[at][0]]
                                          : BPE_FIRST_MERGE + (int32_t)at - 3;
        }
        /* Keep it if it is new and makes new bytes. */
        struct bpe *next = NULL;
        if (bpe_from_merges((const int32_t(*)[2])naive.pairs, naive.n + 1,
                            &next, NULL) != 0) {
            continue;
        }
        if (bpe_vocab_size(next) == BPE_FIRST_MERGE + (int32_t)naive.n + 1) {
            naive.n++;
            bpe_free(t);
            t = next;
        } else {
            bpe_free(next);
        }
    }
    ck_assert_uint_gt(naive.n, 10);
    for (int round = 0; round < 40; round++) {
        char bytes[200];
        uint32_t len = rng_below(&rng, sizeof(bytes));
        for (uint32_t i = 0; i < len; i++) {
            bytes[i] = letters[rng_below(&rng, 3)][0];
        }
        int32_t want[200], ids[200];
        struct span x = {bytes, len};
        size_t n_want = naive_encode(&naive, x, want);
        ck_assert_uint_eq(encode(t, x, ids, 200), n_want);
        ck_assert(memcmp(ids, want, n_want * sizeof(*ids)) == 0);
    }
    bpe_free(t);
}
END_TEST

START_TEST(any_utf8_comes_back)
{
    struct rng rng;
    rng_stream(&rng, (uint64_t)_i, 3, RNG_SHUFFLE, 0);
    struct bpe *t =
        train(span_of("the cat, the hat \u00e9\u00e8 \u6570\u5b57"), 400, 0);
    for (int round = 0; round < 200; round++) {
        struct buf text;
        buf_init(&text, 1 << 20);
        uint32_t n = rng_below(&rng, 200);
        for (uint32_t i = 0; i < n; i++) {
            static const unsigned below[] = {0x80, 0x800, 0xD800, 0x110000};
            unsigned code = rng_below(&rng, below[rng_below(&rng, 4)]);
            utf8_put(&text, code >= 0xD800 && code < 0xE000 ? ' ' : code);
        }
        struct span x = {text.data, text.len};
        int32_t *ids = mem_alloc(x.len, sizeof(*ids));
        check_decodes_to(t, ids, encode(t, x, ids, x.len), x);
        free(ids);
        buf_fini(&text);
    }
    bpe_free(t);
}
END_TEST

START_TEST(limits)
{
    struct span text = span_of("low lower lowest low low");
    struct bpe *t = train(text, BPE_FIRST_MERGE, 0);
    ck_assert_uint_eq(bpe_n_merges(t), 0);
    bpe_free(t);
    t = train(text, BPE_FIRST_MERGE + 2, 0);
    ck_assert_uint_eq(bpe_n_merges(t), 2);
    ck_assert_int_eq(bpe_vocab_size(t), BPE_FIRST_MERGE + 2);
    bpe_free(t);
    /* lo 5, low 5, " low" 4; then nothing stands 4 times. */
    t = train(text, INT32_MAX, 4);
    ck_assert_uint_eq(bpe_n_merges(t), 3);
    struct span last = bpe_token_bytes(t, BPE_FIRST_MERGE + 2);
    ck_assert_uint_eq(last.len, 4);
    ck_assert(memcmp(last.at, " low", 4) == 0);
    bpe_free(t);
    struct bpe_options bad = {BPE_FIRST_MERGE - 1, 0}, negative = {300, -1};
    ck_assert_int_eq(bpe_train(&text, 1, &bad, &t, NULL), ERR_INVALID);
    ck_assert_int_eq(bpe_train(&text, 1, &negative, &t, NULL), ERR_INVALID);
}
END_TEST

START_TEST(nothing_to_train_on)
{
    struct span texts[] = {{"", 0}, {"a", 1}, {" ", 1}};
    struct bpe_options options = {300, 0};
    struct bpe *t = NULL;
    for (size_t n = 0; n <= ARRAY_LEN(texts); n++) {
        ck_assert_int_eq(bpe_train(texts, n, &options, &t, NULL), 0);
        ck_assert_int_eq(bpe_vocab_size(t), BPE_FIRST_MERGE);
        int32_t id;
        ck_assert_uint_eq(encode(t, texts[0], &id, 1), 0);
        ck_assert_uint_eq(encode(t, texts[1], &id, 1), 1);
        check_decodes_to(t, &id, 1, texts[1]);
        bpe_free(t);
    }
}
END_TEST

START_TEST(bad_text)
{
    struct span texts[] = {{"fine", 4}, {"a\xff", 2}};
    struct bpe_options options = {300, 0};
    struct bpe *t = NULL;
    struct err err;
    ck_assert_int_eq(bpe_train(texts, 2, &options, &t, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "text 1: the text is not UTF-8 at byte 1");
    ck_assert_int_eq(bpe_train(texts, 1, &options, &t, &err), 0);
    struct bpe_encoder *e = bpe_encoder_new(t);
    int32_t ids[8];
    size_t n = 77;
    ck_assert_int_eq(bpe_encode(e, texts[1], ids, 8, &n, &err), ERR_INVALID);
    ck_assert_uint_eq(n, 77);
    bpe_encoder_free(e);
    bpe_free(t);
}
END_TEST

/* A run of one letter: neither training nor encoding may be quadratic, and the
 * tail of a text costs nothing once max_ids are there. */
START_TEST(long_run)
{
    enum { N = 2000000 };
    char *run = mem_alloc(N, 1);
    memset(run, 'x', N);
    struct span text = {run, N};
    struct bpe *t = train(text, 300, 0);
    /* 2, 4, 8 ... letters, then sums of powers of two. */
    ck_assert_uint_eq(bpe_token_bytes(t, BPE_FIRST_MERGE + 3).len, 16);
    int32_t *ids = mem_alloc(N, sizeof(*ids));
    size_t n = encode(t, text, ids, N);
    check_decodes_to(t, ids, n, text);
    for (size_t i = 1; i < N; i += 2) {
        run[i] = ' ';
    }
    struct bpe_encoder *e = bpe_encoder_new(t);
    for (int i = 0; i < 100000; i++) { /* 2 * 10^11 bytes, were it all read */
        ck_assert_int_eq(bpe_encode(e, text, ids, 3, &n, NULL), 0);
        ck_assert_uint_eq(n, 3);
    }
    bpe_encoder_free(e);
    free(ids);
    free(run);
    bpe_free(t);
}
END_TEST

START_TEST(from_merges)
{
    int32_t id_of[256];
    byte_ids(id_of);
    int32_t a = id_of['a'], b = id_of['b'], c = id_of['c'];
    struct bpe *t = NULL;
    struct err err;
    /* ab, bc, abc as ab+c, and abc again as a+bc: no new id. */
    int32_t same[][2] = {{a, b}, {b, c}, {257, c}, {a, 258}, {259, a}};
    ck_assert_int_eq(bpe_from_merges((const int32_t(*)[2])same, 5, &t, &err),
                     0);
    ck_assert_int_eq(bpe_vocab_size(t), 261);
    ck_assert_uint_eq(bpe_token_bytes(t, 260).len, 4);
    int32_t ids[8];
    ck_assert_uint_eq(encode(t, span_of("abca"), ids, 8), 1);
    ck_assert_int_eq(ids[0], 260);
    bpe_free(t);
    int32_t later[][2] = {{a, 257}}, none[][2] = {{a, 0}},
            twice[][2] = {{a, b}, {a, b}}, negative[][2] = {{-1, a}};
    ck_assert_int_eq(bpe_from_merges((const int32_t(*)[2])later, 1, &t, &err),
                     ERR_INVALID);
    ck_assert_int_eq(bpe_from_merges((const int32_t(*)[2])none, 1, &t, &err),
                     ERR_INVALID);
    ck_assert_int_eq(bpe_from_merges((const int32_t(*)[2])twice, 2, &t, &err),
                     ERR_INVALID);
    ck_assert_int_eq(
        bpe_from_merges((const int32_t(*)[2])negative, 1, &t, &err),
        ERR_INVALID);
}
END_TEST

/* 40 merges that double: 2^40 bytes are refused, not tried. */
START_TEST(doubling_merges)
{
    int32_t pairs[40][2] = {{1, 1}};
    for (int i = 1; i < 40; i++) {
        pairs[i][0] = pairs[i][1] = BPE_FIRST_MERGE + i - 1;
    }
    struct bpe *t = NULL;
    ck_assert_int_eq(bpe_from_merges((const int32_t(*)[2])pairs, 40, &t, NULL),
                     ERR_LIMIT);
    ck_assert_int_eq(bpe_from_merges((const int32_t(*)[2])pairs, 20, &t, NULL),
                     0);
    bpe_free(t);
}
END_TEST

enum { NO_MEMORY_STEPS = 16 };

/* Leave this process `bytes` more memory than it has; false where a sanitizer
 * needs more for itself. */
static bool limit_memory(size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
    (void)bytes;
    return false;
#else
    size_t n_pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%zu", &n_pages), 1);
    fclose(f);
    rlim_t most = n_pages * (size_t)sysconf(_SC_PAGESIZE) + bytes;
    ck_assert_int_eq(
        setrlimit(RLIMIT_AS, &(struct rlimit){most, RLIM_INFINITY}), 0);
    return true;
#endif
}

/* Memory runs out at the first large allocation, or at a later one, or never:
 * an error or all went well, and no abort. */
START_TEST(no_memory)
{
    enum { N = 500000 };
    char *run = mem_alloc(N, 1);
    int32_t *ids = mem_alloc(N, sizeof(*ids));
    memset(run, 'x', N);
    struct span text = {run, N};
    struct bpe *t = train(span_of("xx"), 300, 0), *big = NULL;
    struct bpe_options options = {300, 0};
    struct bpe_encoder *e = bpe_encoder_new(t);
    struct err err;
    size_t n;
    bool limited = limit_memory((size_t)(_i + 1) * N * 8);
    int encoded = bpe_encode(e, text, ids, N, &n, &err);
    int trained = bpe_train(&text, 1, &options, &big, &err);
    ck_assert(encoded == 0 || encoded == ERR_LIMIT);
    ck_assert(trained == 0 || trained == ERR_LIMIT);
    ck_assert(!limited || _i > 0 || (encoded != 0 && trained != 0));
    ck_assert(_i < NO_MEMORY_STEPS - 1 || (encoded == 0 && trained == 0));
    bpe_encoder_free(e);
    bpe_free(big);
    bpe_free(t);
    free(ids);
    free(run);
}
END_TEST

START_TEST(end_of_text)
{
    static const char literal[] = "<|endoftext|>";
    struct span text = span_of(literal);
    struct bpe *t = train(text, 1000, 0);
    int32_t ids[16], end = BPE_END_OF_TEXT;
    size_t n = encode(t, text, ids, 16);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_ne(ids[i], BPE_END_OF_TEXT);
    }
    check_decodes_to(t, ids, n, text);
    check_decodes_to(t, &end, 1, text);
    struct buf out;
    buf_init(&out, 100);
    int32_t wrong[] = {5, bpe_vocab_size(t)}, negative = -1;
    ck_assert_int_eq(bpe_decode(t, wrong, 2, &out, NULL), ERR_INVALID);
    ck_assert_int_eq(bpe_decode(t, &negative, 1, &out, NULL), ERR_INVALID);
    ck_assert_uint_eq(out.len, 0);
    buf_fini(&out);
    bpe_free(t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("bpe");
    TCase *tc = tcase_create("bpe");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, trains_as_the_naive_one, 0, 8);
    tcase_add_loop_test(tc, encodes_as_the_naive_one, 0, 8);
    tcase_add_loop_test(tc, encodes_with_foreign_merges, 0, 8);
    tcase_add_loop_test(tc, any_utf8_comes_back, 0, 2);
    tcase_add_test(tc, limits);
    tcase_add_test(tc, nothing_to_train_on);
    tcase_add_test(tc, bad_text);
    tcase_add_test(tc, long_run);
    tcase_add_test(tc, from_merges);
    tcase_add_test(tc, doubling_merges);
    tcase_add_loop_test(tc, no_memory, 0, NO_MEMORY_STEPS);
    tcase_add_test(tc, end_of_text);
    suite_add_tcase(s, tc);
    return s;
}
