#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/text/pretokenize.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static struct pretokenizer *cutter;

static void setup(void)
{
    cutter = pretokenizer_new();
}

static void teardown(void)
{
    pretokenizer_free(cutter);
}

/* Cut text and compare with `want`, where '|' stands between pieces. */
static void check_cuts(const char *text, const char *want)
{
    struct err err;
    struct span piece;
    char got[512] = "";
    pretokenizer_start(cutter, (struct span){text, strlen(text)});
    while (pretokenizer_next(cutter, &piece, &err) == 1) {
        strcat(got, got[0] != '\0' ? "|" : "");
        strncat(got, piece.at, piece.len);
    }
    ck_assert_str_eq(got, want);
}

START_TEST(english)
{
    check_cuts("", "");
    check_cuts("hello world", "hello| world");
    check_cuts("it's you're IT'S", "it|'s| you|'re| IT|'|S");
    check_cuts("a  b   c", "a| | b|  | c");
    check_cuts("x=1e-9;", "x|=|1|e|-|9|;");
    check_cuts("end \n", "end| \n");
    check_cuts("a\n\nb", "a|\n|\n|b");
    check_cuts("  ", "  ");
    check_cuts("'", "'");
    check_cuts("''ve", "''|ve");
}
END_TEST

START_TEST(other_scripts)
{
    check_cuts("naïve café", "naïve| café");
    check_cuts("½ Ⅷ٣", "½| Ⅷ٣");
    check_cuts("a\u0301b", "a|\u0301|b");
    check_cuts("a\u00a0b\u3000c", "a|\u00a0|b|\u3000|c");
    /* U+180E is no white space, PCRE2's \s notwithstanding. */
    check_cuts("a\u180e\u180eb", "a|\u180e\u180e|b");
    check_cuts("x\xc2\x85"
               "y",
               "x|\xc2\x85|y"); /* U+0085 */
}
END_TEST

START_TEST(not_utf8)
{
    static const char *const bad[] = {"\xff", "ab\xc3", "\xed\xa0\x80",
                                      "\xc0\x80", "x\x80y"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err;
        struct span piece;
        pretokenizer_start(cutter, (struct span){bad[i], strlen(bad[i])});
        int rc;
        while ((rc = pretokenizer_next(cutter, &piece, &err)) == 1) {
        }
        ck_assert_int_eq(rc, ERR_INVALID);
    }
}
END_TEST

/* The cuts of a text do not depend on where a window ends: all texts that
 * begin with a long word are cut as without it. */
START_TEST(window_ends_anywhere)
{
    static const char tail[] = " it's we're  two \u00e9\u3000'll \n\n x'r";
    enum { LONGEST = 4096 + 64 };
    char *text = mem_alloc(LONGEST + sizeof(tail), 1);
    struct span want[64], piece;
    struct err err;
    size_t n_want = 0;
    pretokenizer_start(cutter, (struct span){tail, strlen(tail)});
    while (pretokenizer_next(cutter, &piece, &err) == 1) {
        want[n_want++] = piece;
    }
    for (size_t head = LONGEST - 128; head < LONGEST; head++) {
        memset(text, 'x', head);
        memcpy(text + head, tail, sizeof(tail));
        pretokenizer_start(cutter, (struct span){text, strlen(text)});
        ck_assert_int_eq(pretokenizer_next(cutter, &piece, &err), 1);
        ck_assert_uint_eq(piece.len, head);
        for (size_t i = 0; i < n_want; i++) {
            ck_assert_int_eq(pretokenizer_next(cutter, &piece, &err), 1);
            ck_assert_uint_eq(piece.len, want[i].len);
        }
        ck_assert_int_eq(pretokenizer_next(cutter, &piece, &err), 0);
    }
    free(text);
}
END_TEST

static void cut_long_runs(void)
{
    enum { N = 3000000 };
    static const char *const unit[] = {"x", " ", "7", "!", "\u00e9", "\n"};
    char *text = mem_alloc(2 * N, 1);
    for (size_t u = 0; u < ARRAY_LEN(unit); u++) {
        size_t n = strlen(unit[u]);
        for (size_t i = 0; i < N; i++) {
            memcpy(text + i * n, unit[u], n);
        }
        struct span piece;
        struct err err;
        pretokenizer_start(cutter, (struct span){text, N * n});
        ck_assert_int_eq(pretokenizer_next(cutter, &piece, &err), 1);
        ck_assert_uint_eq(piece.len, N * n);
        ck_assert_int_eq(pretokenizer_next(cutter, &piece, &err), 0);
    }
    free(text);
}

START_TEST(long_runs)
{
    cut_long_runs();
}
END_TEST

/* Whatever the text, the pieces put together are the text. */
START_TEST(nothing_is_lost)
{
    static const char *const parts[] = {
        "a", "'re", " ", "\n", "9", "!", "\u00e9", "\u3000", "'", "\U0001F600"};
    struct rng rng;
    rng_stream(&rng, 1, 0, RNG_SHUFFLE, 0);
    for (int round = 0; round < 500; round++) {
        char text[1024] = "";
        uint32_t n = rng_below(&rng, 60);
        for (uint32_t i = 0; i < n; i++) {
            strcat(text, parts[rng_below(&rng, ARRAY_LEN(parts))]);
        }
        struct span piece;
        struct err err;
        const char *at = text;
        pretokenizer_start(cutter, (struct span){text, strlen(text)});
        while (pretokenizer_next(cutter, &piece, &err) == 1) {
            ck_assert_ptr_eq(piece.at, at);
            ck_assert_uint_gt(piece.len, 0);
            at += piece.len;
        }
        ck_assert_int_eq(*at, '\0');
    }
}
END_TEST

/* A process that may not have writable and executable memory (systemd's
 * MemoryDenyWriteExecute) gets no JIT and the same cuts. */
START_TEST(without_jit)
{
    enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 }; /* Linux 6.3 */
    if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0L, 0L, 0L) != 0) {
        fprintf(stderr, "SKIPPED: cuts without JIT need Linux 6.3\n");
        return;
    }
    teardown();
    setup();
    check_cuts("it's you're IT'S", "it|'s| you|'re| IT|'|S");
    check_cuts("na\u00efve  caf\u00e9\n\n1", "na\u00efve| | caf\u00e9|\n|\n|1");
    cut_long_runs();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pretokenize");
    TCase *tc = tcase_create("cuts");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, english);
    tcase_add_test(tc, other_scripts);
    tcase_add_test(tc, not_utf8);
    tcase_add_test(tc, window_ends_anywhere);
    tcase_add_test(tc, long_runs);
    tcase_add_test(tc, nothing_is_lost);
    tcase_add_test(tc, without_jit);
    suite_add_tcase(s, tc);
    return s;
}
