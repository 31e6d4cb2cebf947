#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_CLASSES = 77 };

/* Row i has label L0, L1, ... so that label k stands sizes[k] times. */
static void write_rows(char *path, const size_t *sizes, size_t n)
{
    int fd = mkstemps(path, 4);
    ck_assert_int_ge(fd, 0);
    FILE *f = fdopen(fd, "w");
    fputs("t,l\n", f);
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < sizes[k]; i++) {
            fprintf(f, "x,L%zu\n", k);
        }
    }
    fclose(f);
}

/* The same from one file, and more for test alone from another. */
static struct dataset *made_with_test(const size_t *sizes,
                                      const size_t *test_sizes, size_t n,
                                      int min_class_count)
{
    char path[] = "/tmp/parzen-split-XXXXXX.csv";
    char test_path[] = "/tmp/parzen-split-XXXXXX.csv";
    write_rows(path, sizes, n);
    const char *const source = path, *const test_source = test_path;
    struct dataset_query query = {.sources = &source,
                                  .n_sources = 1,
                                  .test_sources = &test_source,
                                  .text = "t",
                                  .label = "l",
                                  .min_class_count = min_class_count};
    if (test_sizes != NULL) {
        write_rows(test_path, test_sizes, n);
        query.n_test_sources = 1;
    }
    struct dataset *d = NULL;
    struct err err = {0};
    int rc = dataset_read(&query, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    unlink(path);
    if (test_sizes != NULL) {
        unlink(test_path);
    }
    return d;
}

static struct dataset *made_of(const size_t *sizes, size_t n)
{
    return made_with_test(sizes, NULL, n, 1);
}

static void expect_sizes(size_t n, const double fractions[3], size_t train,
                         size_t val, size_t test)
{
    size_t sizes[2] = {n / 2, n - n / 2};
    struct dataset *d = made_of(sizes, 2);
    struct dataset_split s;
    struct err err = {0};
    int rc = dataset_split(d, DATASET_SPLIT_RANDOM, fractions, 1, &s, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_uint_eq(s.n[DATASET_TRAIN], train);
    ck_assert_uint_eq(s.n[DATASET_VAL], val);
    ck_assert_uint_eq(s.n[DATASET_TEST], test);
    char *seen = mem_alloc(n, 1);
    for (int p = 0; p < 3; p++) {
        for (size_t i = 0; i < s.n[p]; i++) {
            ck_assert_uint_lt(s.rows[p][i], n);
            ck_assert_int_eq(seen[s.rows[p][i]]++, 0);
        }
    }
    free(seen);
    dataset_split_fini(&s);
    dataset_free(d);
}

START_TEST(part_sizes_are_those_of_torch)
{
    expect_sizes(1899, (double[]){0.8, 0.1, 0.1}, 1520, 190, 189);
    expect_sizes(1904, (double[]){0.8, 0.1, 0.1}, 1524, 190, 190);
    expect_sizes(10, (double[]){0.8, 0.1, 0.1}, 8, 1, 1);
    expect_sizes(11, (double[]){0.9, 0.1, 0}, 10, 1, 0);
    expect_sizes(11, (double[]){0.5, 0.5, 0}, 6, 5, 0);
    expect_sizes(8, (double[]){1.0 / 3, 1.0 / 3, 1.0 / 3}, 3, 3, 2);
    expect_sizes(100, (double[]){0.29, 0.71, 0}, 29, 71, 0); /* 28 + 1 */
}
END_TEST

START_TEST(a_split_is_a_function_of_its_seed)
{
    size_t sizes[] = {60, 40};
    struct dataset *d = made_of(sizes, 2);
    const double f[] = {0.8, 0.1, 0.1};
    struct dataset_split a, b, c;
    ck_assert_int_eq(dataset_split(d, DATASET_SPLIT_RANDOM, f, 7, &a, NULL), 0);
    ck_assert_int_eq(dataset_split(d, DATASET_SPLIT_RANDOM, f, 7, &b, NULL), 0);
    ck_assert_int_eq(dataset_split(d, DATASET_SPLIT_RANDOM, f, 8, &c, NULL), 0);
    size_t bytes = 80 * sizeof(uint32_t);
    ck_assert_int_eq(memcmp(a.rows[0], b.rows[0], bytes), 0);
    ck_assert_int_ne(memcmp(a.rows[0], c.rows[0], bytes), 0);
    size_t n_in_place = 0;
    for (uint32_t i = 0; i < 80; i++) {
        n_in_place += a.rows[0][i] == i;
    }
    ck_assert_uint_lt(n_in_place, 10); /* it is shuffled */
    dataset_split_fini(&a);
    dataset_split_fini(&b);
    dataset_split_fini(&c);
    dataset_free(d);
}
END_TEST

/* counts[p][k]: rows of class k in part p; each row once, parts in order. */
static void count_parts(const struct dataset *d, const struct dataset_split *s,
                        size_t counts[3][MAX_CLASSES])
{
    ck_assert_uint_le(dataset_n_classes(d), MAX_CLASSES);
    memset(counts, 0, 3 * sizeof(counts[0]));
    char *seen = mem_alloc(dataset_size(d), 1);
    for (int p = 0; p < 3; p++) {
        for (size_t i = 0; i < s->n[p]; i++) {
            counts[p][dataset_label(d, s->rows[p][i])]++;
            ck_assert(i == 0 || s->rows[p][i - 1] < s->rows[p][i]);
            ck_assert_int_eq(seen[s->rows[p][i]]++, 0);
        }
    }
    ck_assert_uint_eq(s->n[0] + s->n[1] + s->n[2], dataset_size(d));
    free(seen);
}

static void must_split(const struct dataset *d, const double f[3],
                       uint64_t seed, struct dataset_split *s)
{
    struct err err = {0};
    int rc = dataset_split(d, DATASET_SPLIT_STRATIFIED, f, seed, s, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
}

START_TEST(a_stratified_split_deals_each_class_alike)
{
    /*           0.8 / 0.1 / 0.1 of   10    1    2    3    9   100  105 */
    static const size_t sizes[] = {10, 1, 2, 3, 9, 100, 105};
    static const size_t expected[3][7] = {{8, 1, 2, 2, 7, 80, 84},
                                          {1, 0, 0, 1, 1, 10, 10},
                                          {1, 0, 0, 0, 1, 10, 11}};
    struct dataset *d = made_of(sizes, 7);
    struct dataset_split s;
    size_t counts[3][MAX_CLASSES];
    must_split(d, (double[]){0.8, 0.1, 0.1}, 3, &s);
    count_parts(d, &s, counts);
    for (int p = 0; p < 3; p++) {
        for (int k = 0; k < 7; k++) {
            ck_assert_uint_eq(counts[p][k], expected[p][k]);
        }
    }
    /* Chance picks within a class: not its first 80 of 100. */
    size_t n_first = 0;
    for (size_t i = 0; i < s.n[0]; i++) {
        n_first += s.rows[0][i] >= 25 && s.rows[0][i] < 25 + 80;
    }
    ck_assert_uint_lt(n_first, 80);
    dataset_split_fini(&s);
    dataset_free(d);
}
END_TEST

/* No part starves of what classes too small for it lack one by one. */
START_TEST(a_stratified_split_of_small_classes_has_all_parts)
{
    size_t sizes[77], counts[3][MAX_CLASSES];
    for (int k = 0; k < 77; k++) {
        sizes[k] = 9;
    }
    struct dataset *d = made_of(sizes, 77);
    struct dataset_split s;
    must_split(d, (double[]){0.8, 0.1, 0.1}, 1, &s);
    ck_assert_uint_eq(s.n[DATASET_TRAIN], 555);
    ck_assert_uint_eq(s.n[DATASET_VAL], 69);
    ck_assert_uint_eq(s.n[DATASET_TEST], 69);
    count_parts(d, &s, counts);
    for (int k = 0; k < 77; k++) {
        ck_assert_uint_ge(counts[DATASET_TRAIN][k], 7);
        ck_assert_uint_le(counts[DATASET_TRAIN][k], 8);
        ck_assert_uint_le(counts[DATASET_VAL][k], 1);
        ck_assert_uint_le(counts[DATASET_TEST][k], 1);
    }
    dataset_split_fini(&s);
    dataset_free(d);
}
END_TEST

/* Of each class the whole rows of its share, less than one row more, and parts
 * of the sizes that random gives. */
static void check_shares(const size_t *sizes, size_t n_classes,
                         const double f[3])
{
    struct dataset *d = made_of(sizes, n_classes);
    struct dataset_split s, random;
    size_t counts[3][MAX_CLASSES];
    must_split(d, f, 5, &s);
    ck_assert_int_eq(
        dataset_split(d, DATASET_SPLIT_RANDOM, f, 5, &random, NULL), 0);
    count_parts(d, &s, counts);
    for (int p = 0; p < 3; p++) {
        ck_assert_uint_eq(s.n[p], random.n[p]);
        for (size_t k = 0; k < n_classes; k++) {
            /* labels sort as names do: L10 before L2 */
            size_t c = (size_t)strtol(dataset_class(d, k) + 1, NULL, 10);
            double share = (double)sizes[c] * f[p];
            ck_assert_double_ge((double)counts[p][k], floor(share));
            ck_assert_double_le((double)counts[p][k], ceil(share) + 1);
        }
    }
    dataset_split_fini(&s);
    dataset_split_fini(&random);
    dataset_free(d);
}

START_TEST(stratified_parts_are_of_random_sizes)
{
    static const double f[][3] = {{0.8, 0.1, 0.1},
                                  {0.95, 0.05, 0},
                                  {0.7, 0.15, 0.15},
                                  {0.5, 0.45, 0.05},
                                  {1.0 / 3, 1.0 / 3, 1.0 / 3}};
    size_t sizes[40];
    uint32_t x = 1;
    for (int round = 0; round < 20; round++) {
        for (int k = 0; k < 40; k++) {
            x = x * 1664525 + 1013904223;
            sizes[k] = 5 + (x >> 16) % 60;
        }
        for (size_t i = 0; i < ARRAY_LEN(f); i++) {
            check_shares(sizes, 40, f[i]);
        }
    }
}
END_TEST

/* Of all these rows only one part could be made; of those, only two. */
START_TEST(a_class_keeps_its_row_of_training)
{
    static const size_t singles[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10};
    struct dataset *d = made_of(singles, 11);
    struct dataset_split s;
    struct err err = {0};
    size_t counts[3][MAX_CLASSES];
    must_split(d, (double[]){0.8, 0.1, 0.1}, 1, &s);
    count_parts(d, &s, counts);
    for (int k = 0; k < 11; k++) {
        ck_assert_uint_ge(counts[DATASET_TRAIN][k], 1);
    }
    ck_assert_uint_eq(s.n[DATASET_VAL], 1);
    ck_assert_uint_eq(s.n[DATASET_TEST], 1);
    dataset_split_fini(&s);
    dataset_free(d);
    d = made_of(singles, 10);
    ck_assert_int_eq(dataset_split(d, DATASET_SPLIT_STRATIFIED,
                                   (double[]){0.8, 0.1, 0.1}, 1, &s, &err),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "10 rows for training, 0 for "));
    dataset_free(d);
}
END_TEST

/* Classes whose shares are whole numbers: the rows that they have always had.
 */
START_TEST(whole_shares_split_as_ever)
{
    static const size_t sizes[] = {10, 20, 10};
    static const uint32_t val[] = {0, 17, 23, 33}, test[] = {9, 12, 16, 38};
    struct dataset *d = made_of(sizes, 3);
    struct dataset_split s;
    must_split(d, (double[]){0.8, 0.1, 0.1}, 42, &s);
    ck_assert_uint_eq(s.n[DATASET_VAL], ARRAY_LEN(val));
    ck_assert_uint_eq(s.n[DATASET_TEST], ARRAY_LEN(test));
    ck_assert_mem_eq(s.rows[DATASET_VAL], val, sizeof(val));
    ck_assert_mem_eq(s.rows[DATASET_TEST], test, sizeof(test));
    dataset_split_fini(&s);
    dataset_free(d);
}
END_TEST

START_TEST(impossible_splits_are_refused)
{
    size_t sizes[] = {2, 2};
    struct dataset *d = made_of(sizes, 2);
    static const double bad[][3] = {
        {0.8, 0.1, 0.2}, {0.8, 0.1, 0},    {1.2, -0.1, -0.1},
        {0.8, 0.1, NAN}, {INFINITY, 0, 0}, {0.8, 0.1, 0.1 + 1e-8},
        {1, 0, 0},       {0, 1, 0},        {0.98, 0.01, 0.01},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct dataset_split s;
        struct err err = {0};
        /* the last: 3 + 1 rows train, none is left to validate */
        ck_assert_int_eq(
            dataset_split(d, DATASET_SPLIT_RANDOM, bad[i], 1, &s, &err),
            ERR_INVALID);
        ck_assert_str_ne(err.msg, "");
        ck_assert_int_eq(
            dataset_split(d, DATASET_SPLIT_STRATIFIED, bad[i], 1, &s, &err),
            ERR_INVALID);
    }
    struct dataset_split s;
    struct err err = {0};
    for (int kind = 0; kind <= DATASET_SPLIT_STRATIFIED; kind++) {
        ck_assert_int_eq(dataset_split(d, (enum dataset_split_kind)kind,
                                       (double[]){0.6, 0.3, 0.1}, 1, &s, &err),
                         ERR_INVALID);
        ck_assert_str_eq(err.msg,
                         "the split leaves 3 rows for training, 1 for "
                         "validation and none for test, whose fraction is "
                         "0.1: it takes more rows, or a fraction of 0");
    }
    const double rounded[] = {0.5, 0.5 + 1e-10, 0};
    ck_assert_int_eq(
        dataset_split(d, DATASET_SPLIT_RANDOM, rounded, 1, &s, NULL), 0);
    dataset_split_fini(&s);
    dataset_free(d);
}
END_TEST

/* L2 and L3 have too few rows to train on: those for test go with them. */
START_TEST(test_rows_of_their_own_are_the_test_part)
{
    static const size_t sizes[] = {12, 8, 2, 3}, tests[] = {4, 5, 6, 7};
    struct dataset *d = made_with_test(sizes, tests, 4, 5);
    struct dataset_split s;
    struct err err = {0};
    char dir[] = "/tmp/parzen-split-XXXXXX", sha256[65];
    ck_assert_uint_eq(dataset_size(d), 29);
    ck_assert_uint_eq(dataset_n_test(d), 9);
    ck_assert_uint_eq(dataset_n_classes(d), 2);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(dataset_save(d, dir, sha256, &err), 0);
    dataset_free(d);
    ck_assert_int_eq(dataset_open(dir, sha256, &d, &err), 0);
    for (int kind = 0; kind <= DATASET_SPLIT_STRATIFIED; kind++) {
        ck_assert_int_eq(dataset_split(d, (enum dataset_split_kind)kind,
                                       (double[]){0.9, 0.1, 0}, 1, &s, &err),
                         0);
        ck_assert_uint_eq(s.n[DATASET_TRAIN] + s.n[DATASET_VAL], 20);
        ck_assert_uint_eq(s.n[DATASET_TEST], 9);
        for (size_t i = 0; i < 9; i++) {
            ck_assert_uint_eq(s.rows[DATASET_TEST][i], 20 + i);
        }
        for (size_t i = 0; i < s.n[DATASET_TRAIN]; i++) {
            ck_assert_uint_lt(s.rows[DATASET_TRAIN][i], 20);
        }
        dataset_split_fini(&s);
    }
    ck_assert_int_eq(dataset_split(d, DATASET_SPLIT_RANDOM,
                                   (double[]){0.8, 0.1, 0.1}, 1, &s, &err),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "data.test_source"));
    dataset_free(d);
    ck_assert_int_eq(file_remove_tree(dir, NULL), 0);
}
END_TEST

Suite *suite(void)
{
    TCase *c = tcase_create("split");
    tcase_add_test(c, part_sizes_are_those_of_torch);
    tcase_add_test(c, a_split_is_a_function_of_its_seed);
    tcase_add_test(c, a_stratified_split_deals_each_class_alike);
    tcase_add_test(c, a_stratified_split_of_small_classes_has_all_parts);
    tcase_add_test(c, stratified_parts_are_of_random_sizes);
    tcase_add_test(c, a_class_keeps_its_row_of_training);
    tcase_add_test(c, whole_shares_split_as_ever);
    tcase_add_test(c, test_rows_of_their_own_are_the_test_part);
    tcase_add_test(c, impossible_splits_are_refused);
    Suite *s = suite_create("dataset_split");
    suite_add_tcase(s, c);
    return s;
}
