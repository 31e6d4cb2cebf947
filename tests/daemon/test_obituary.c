/* What is kept of a dead worker's output. */
#include "core/base/buf.h"
#include "daemon/obituary.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void must_end(const struct obituary *o, const char *says)
{
    static const char killed[] = "the worker was killed by signal 15 ";
    struct buf out;
    buf_init(&out, 4096);
    ck_assert_int_eq(obituary_end(o, 0, SIGTERM, &out), TRIAL_CAUSE_SIGNAL);
    ck_assert_int_eq(strncmp(out.data, killed, strlen(killed)), 0);
    const char *words = strchr(out.data, ')');
    ck_assert_ptr_nonnull(words);
    ck_assert_str_eq(words + 1, says);
    buf_fini(&out);
}

static const struct {
    const char *output, *says;
} cases[] = {
    {"", ""},
    {"\n\n", ""},
    {"one\n", "; last words: one"},
    {"one\ntwo\r\n", "; last words: one | two"},
    {"bell\a", "; last words: bell\\x07"},
    {"parzen: {\"value\": 1}\n", ""},
    {"parzen: {\"step\": 1}\nparzen: {\"step\": 2}\nparzen: {\"st", ""},
    {"loading\nparzen: {\"step\": 1}\nparzen: {\"step\": 2}\n",
     "; last words: loading"},
    {"a\nparzen: {\"step\": 1}\nb\nparzen:\n", "; last words: a | b"},
    {"parzen 1\nparparzen:\n", "; last words: parzen 1 | parparzen:"},
    {" parzen: 1\n", "; last words:  parzen: 1"},
    {"parze\nparzen", "; last words: parze"},
};

START_TEST(last_words_tell_no_values)
{
    const char *output = cases[_i].output;
    size_t n = strlen(output);
    for (size_t step = 1; step <= n + 1; step++) { /* however it comes */
        struct obituary o;
        obituary_begin(&o);
        for (size_t at = 0; at < n; at += step) {
            obituary_hear(&o, output + at, n - at < step ? n - at : step);
        }
        must_end(&o, cases[_i].says);
    }
}
END_TEST

/* However many values it tells afterwards. */
START_TEST(words_outlast_values)
{
    static const char told[] = "parzen: {\"step\": 1, \"value\": 0.5}\n";
    struct obituary o;
    obituary_begin(&o);
    obituary_hear(&o, "the cause\n", 10);
    for (int i = 0; i < 1000; i++) {
        obituary_hear(&o, told, strlen(told));
    }
    must_end(&o, "; last words: the cause");
    obituary_hear(&o, "parzen:", 7);
    obituary_forget(&o);
    obituary_hear(&o, "next\n", 5);
    must_end(&o, "; last words: next");
}
END_TEST

START_TEST(the_end_of_much_is_kept)
{
    char much[2 * OBITUARY_WORDS + 1], says[OBITUARY_WORDS + 32];
    struct obituary o;
    memset(much, 'x', sizeof(much));
    memcpy(much + sizeof(much) - 3, "end", 3);
    obituary_begin(&o);
    obituary_hear(&o, much, sizeof(much));
    snprintf(says, sizeof(says), "; last words: %.*s", OBITUARY_WORDS,
             much + sizeof(much) - OBITUARY_WORDS);
    must_end(&o, says);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("obituary");
    TCase *c = tcase_create("obituary");
    tcase_add_loop_test(c, last_words_tell_no_values, 0, (int)ARRAY_LEN(cases));
    tcase_add_test(c, words_outlast_values);
    tcase_add_test(c, the_end_of_much_is_kept);
    suite_add_tcase(s, c);
    return s;
}
