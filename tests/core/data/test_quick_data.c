/* The data set that is shipped keeps what the shipped config counts on. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static const char *const source = "configs/quick-data.jsonl";

static struct dataset *read_it(void)
{
    const struct dataset_query query = {.sources = &source,
                                        .n_sources = 1,
                                        .text = "completion",
                                        .label = "topic"};
    struct dataset *d = NULL;
    struct err err = {0};
    int rc = dataset_read(&query, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    return d;
}

START_TEST(it_is_balanced_and_small)
{
    struct dataset *d = read_it();
    ck_assert_uint_eq(dataset_n_classes(d), 14);
    ck_assert_uint_eq(dataset_size(d), 14 * 84);
    const struct dataset_count *counts;
    size_t n = dataset_counts(d, &counts);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(counts[i].n, 84);
    }
    dataset_free(d);
    char sha256[65];
    uint64_t bytes;
    ck_assert_int_eq(file_sha256(source, sha256, &bytes, NULL), 0);
    ck_assert_uint_le(bytes, 500000);
}
END_TEST

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

START_TEST(its_conversations_are_short_and_all_different)
{
    struct dataset *d = read_it();
    size_t n = dataset_size(d);
    char **texts = mem_alloc(n, sizeof(*texts));
    for (size_t i = 0; i < n; i++) {
        struct span s = dataset_text(d, i);
        ck_assert_uint_ge(s.len, 150);
        ck_assert_uint_le(s.len, 700);
        texts[i] = mem_strndup(s.at, s.len);
        ck_assert_int_eq(strncmp(texts[i], "User: ", 6), 0);
        ck_assert_ptr_nonnull(strstr(texts[i], "\n\nAI: "));
        ck_assert_ptr_null(strpbrk(texts[i], "{}"));
    }
    qsort(texts, n, sizeof(*texts), compare_texts);
    for (size_t i = 1; i < n; i++) {
        ck_assert_str_ne(texts[i - 1], texts[i]);
    }
    for (size_t i = 0; i < n; i++) {
        free(texts[i]);
    }
    free(texts);
    dataset_free(d);
}
END_TEST

/* So that any first rows, a tokenizer's say, hold all topics alike. */
START_TEST(topics_are_mixed_over_the_file)
{
    struct dataset *d = read_it();
    for (size_t round = 0; round < dataset_size(d); round += 14) {
        unsigned seen = 0;
        for (size_t i = round; i < round + 14; i++) {
            seen |= 1u << dataset_label(d, i);
        }
        ck_assert_uint_eq(seen, (1u << 14) - 1);
    }
    dataset_free(d);
}
END_TEST

Suite *suite(void)
{
    TCase *c = tcase_create("quick data");
    tcase_add_test(c, it_is_balanced_and_small);
    tcase_add_test(c, its_conversations_are_short_and_all_different);
    tcase_add_test(c, topics_are_mixed_over_the_file);
    Suite *s = suite_create("quick_data");
    suite_add_tcase(s, c);
    return s;
}
