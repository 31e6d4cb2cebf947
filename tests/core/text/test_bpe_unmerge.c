/* Merges undone: other pieces, the same text. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/text/bpe.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

#define WORDS "the cat sat on the mat, the cat sat on that"

static struct bpe *trained(struct span text)
{
    struct bpe_options options = {.vocab_size = 1000};
    struct bpe *t;
    ck_assert_int_eq(bpe_train(&text, 1, &options, &t, NULL), 0);
    return t;
}

static size_t encoded(const struct bpe *t, struct span text, int32_t ids[64])
{
    struct bpe_encoder *e = bpe_encoder_new(t);
    size_t n;
    ck_assert_int_eq(bpe_encode(e, text, ids, 64, &n, NULL), 0);
    bpe_encoder_free(e);
    return n;
}

static void ids_of_bytes(int32_t id_of[256])
{
    struct bpe *t;
    ck_assert_int_eq(bpe_from_merges(NULL, 0, &t, NULL), 0);
    for (int32_t id = BPE_FIRST_BYTE; id < BPE_FIRST_MERGE; id++) {
        id_of[(unsigned char)bpe_token_bytes(t, id).at[0]] = id;
    }
    bpe_free(t);
}

static void check_bytes(const struct bpe *t, const int32_t *ids, size_t n,
                        struct span want)
{
    struct buf out;
    buf_init(&out, 10000);
    ck_assert_int_eq(bpe_decode(t, ids, n, &out, NULL), 0);
    ck_assert_uint_eq(out.len, want.len);
    ck_assert_mem_eq(out.data, want.at, want.len);
    buf_fini(&out);
}

static size_t unmerge(const struct bpe *t, const int32_t *ids, size_t n,
                      double share, uint64_t seed, int32_t *out, size_t max)
{
    struct rng rng;
    rng_stream(&rng, seed, 0, RNG_MERGES, 0);
    return bpe_unmerge(t, ids, n, share, &rng, out, max);
}

START_TEST(merges_are_undone)
{
    struct span text = {WORDS, sizeof(WORDS) - 1};
    struct bpe *t = trained(text);
    int32_t ids[64], out[64], again[64];
    size_t n = encoded(t, text, ids), n_distinct = 0;
    ck_assert_uint_eq(unmerge(t, ids, n, 0, 1, out, 64), n);
    ck_assert_mem_eq(out, ids, n * sizeof(*ids));
    ck_assert_uint_eq(unmerge(t, ids, n, 1, 1, out, 64), text.len);
    for (size_t i = 0; i < text.len; i++) {
        ck_assert_int_lt(out[i], BPE_FIRST_MERGE);
    }
    for (uint64_t seed = 1; seed <= 100; seed++) {
        size_t n_out = unmerge(t, ids, n, 0.3, seed, out, 64);
        check_bytes(t, out, n_out, text);
        ck_assert_uint_eq(unmerge(t, ids, n, 0.3, seed, again, 64), n_out);
        ck_assert_mem_eq(again, out, n_out * sizeof(*out));
        n_distinct += n_out != n || memcmp(out, ids, n * sizeof(*ids)) != 0;
        for (size_t max = 0; max <= n_out; max++) { /* the head of the same */
            ck_assert_uint_eq(unmerge(t, ids, n, 0.3, seed, again, max), max);
            ck_assert_mem_eq(again, out, max * sizeof(*out));
        }
    }
    ck_assert_uint_gt(n_distinct, 90);
    bpe_free(t);
}
END_TEST

/* Of 20,000 tokens of one merge as many go as the share says, +- 4 sd. */
START_TEST(the_share_is_the_share)
{
    enum { N = 20000 };
    int32_t id_of[256], pair[1][2];
    ids_of_bytes(id_of);
    pair[0][0] = id_of['a'];
    pair[0][1] = id_of['b'];
    struct bpe *t;
    ck_assert_int_eq(bpe_from_merges(pair, 1, &t, NULL), 0);
    int32_t *ids = mem_alloc(N, sizeof(*ids)), *out = mem_alloc(2 * N, 4);
    for (size_t i = 0; i < N; i++) {
        ids[i] = BPE_FIRST_MERGE;
    }
    size_t n = unmerge(t, ids, N, 0.2, 7, out, 2 * N) - N;
    ck_assert_int_lt(labs((long)n - 4000), 4 * 57);
    free(ids);
    free(out);
    bpe_free(t);
}
END_TEST

/* A file may say that one token is a chain of hundreds of merges, and that two
 * merges make the same bytes. */
START_TEST(long_chains_come_apart)
{
    enum { N = 400 };
    int32_t id_of[256], pairs[N][2], out[2 * N];
    ids_of_bytes(id_of);
    for (int i = 0; i < N; i++) { /* ab, abb, abbb, ...; and a bb */
        pairs[i][0] = i == 0 ? id_of['a'] : BPE_FIRST_MERGE + i - 1;
        pairs[i][1] = id_of['b'];
    }
    pairs[N - 2][0] = pairs[N - 2][1] = id_of['b'];
    pairs[N - 1][0] = id_of['a'];
    pairs[N - 1][1] = BPE_FIRST_MERGE + N - 2;
    struct bpe *t;
    ck_assert_int_eq(bpe_from_merges(pairs, N, &t, NULL), 0);
    ck_assert_int_eq(bpe_vocab_size(t), BPE_FIRST_MERGE + N - 1);
    for (int32_t id = BPE_FIRST_MERGE; id < bpe_vocab_size(t); id++) {
        struct span bytes = bpe_token_bytes(t, id);
        size_t n = unmerge(t, &id, 1, 1, 1, out, 2 * N);
        check_bytes(t, out, n, bytes);
        ck_assert(id > BPE_FIRST_MERGE + 60 || n == bytes.len);
    }
    bpe_free(t);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("bpe_unmerge");
    TCase *tc = tcase_create("bpe_unmerge");
    tcase_add_test(tc, merges_are_undone);
    tcase_add_test(tc, the_share_is_the_share);
    tcase_add_test(tc, long_chains_come_apart);
    suite_add_tcase(s, tc);
    return s;
}
