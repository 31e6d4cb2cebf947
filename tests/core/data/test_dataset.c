#include "core/data/dataset.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/data/fetch.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- a folder of its own for each test --- */

static char dir[] = "/tmp/parzen-dataset-XXXXXX";

static void make_dir(void)
{
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 7);
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    ck_assert_int_eq(file_remove_tree(dir, NULL), 0);
}

static void put(const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", dir, name);
    struct err err = {0};
    int rc = file_write_atomic(path, text, strlen(text), 0600, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    free(path);
}

static int read_names(const char *const *names, size_t n, int min_class_count,
                      struct dataset **out, struct err *err)
{
    const struct dataset_query query = {.sources = names,
                                        .n_sources = n,
                                        .text = "t",
                                        .label = "l",
                                        .min_class_count = min_class_count,
                                        .base_dir = dir};
    return dataset_read(&query, out, err);
}

static int read_one(const char *name, int min_class_count, struct dataset **out,
                    struct err *err)
{
    return read_names(&name, 1, min_class_count, out, err);
}

static struct dataset *must_read(const char *name, int min_class_count)
{
    struct dataset *d = NULL;
    struct err err = {0};
    int rc = read_one(name, min_class_count, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    return d;
}

static void expect_row(const struct dataset *d, size_t row, const char *text,
                       const char *label)
{
    struct span s = dataset_text(d, row);
    ck_assert_uint_eq(s.len, strlen(text));
    ck_assert_int_eq(memcmp(s.at, text, s.len), 0);
    ck_assert_str_eq(dataset_class(d, (size_t)dataset_label(d, row)), label);
}

/* --- reading --- */

START_TEST(every_format_reads_the_same)
{
    put("a.jsonl",
        "{\"t\":\"one\",\"l\":\"B\"}\n{\"t\":\"two\",\"l\":\"A\"}\n");
    put("a.json", "[{\"t\":\"one\",\"l\":\"B\"},{\"t\":\"two\",\"l\":\"A\"}]");
    put("a.csv", "l,t\nB,one\nA,two\n");
    put("a.TSV", "t\tl\r\none\tB\r\ntwo\tA\r\n");
    const char *const names[] = {"a.jsonl", "a.json", "a.csv", "a.TSV"};
    char first[65] = "";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct dataset *d = must_read(names[i], 0);
        ck_assert_uint_eq(dataset_size(d), 2);
        ck_assert_uint_eq(dataset_n_classes(d), 2);
        expect_row(d, 0, "one", "B");
        expect_row(d, 1, "two", "A");
        char sha256[65];
        ck_assert_int_eq(dataset_save(d, dir, sha256, NULL), 0);
        ck_assert_str_eq(sha256, i == 0 ? sha256 : first);
        memcpy(first, sha256, sizeof(first));
        dataset_free(d);
    }
}
END_TEST

START_TEST(sources_are_concatenated_in_order)
{
    put("a.csv", "t,l\none,B\n");
    put("b.jsonl", "{\"t\":\"two\",\"l\":1}\n");
    char *absolute = mem_printf("%s/a.csv", dir);
    const char *const names[] = {"b.jsonl", absolute, "b.jsonl"};
    struct dataset *d;
    struct err err = {0};
    int rc = read_names(names, 3, 0, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_uint_eq(dataset_size(d), 3);
    expect_row(d, 0, "two", "1");
    expect_row(d, 1, "one", "B");
    expect_row(d, 2, "two", "1");
    dataset_free(d);
    free(absolute);
}
END_TEST

START_TEST(classes_are_sorted_by_code_point)
{
    /* U+FFFD comes before U+1F600, though UTF-16 units say otherwise. */
    put("a.csv", "t,l\n0,\U0001F600\n1,b\n2,B\n3,\uFFFD\n4,\u00e9\n5,10\n6,9\n"
                 "7,b b\n8,b\n");
    struct dataset *d = must_read("a.csv", 0);
    static const char *const sorted[] = {
        "10", "9", "B", "b", "b b", "\u00e9", "\uFFFD", "\U0001F600"};
    ck_assert_uint_eq(dataset_n_classes(d), ARRAY_LEN(sorted));
    for (size_t i = 0; i < ARRAY_LEN(sorted); i++) {
        ck_assert_str_eq(dataset_class(d, i), sorted[i]);
    }
    expect_row(d, 0, "0", "\U0001F600");
    expect_row(d, 8, "8", "b");
    dataset_free(d);
}
END_TEST

START_TEST(small_classes_are_filtered_and_counted)
{
    put("a.csv", "t,l\n1,A\n2,B\n3,C\n4,A\n5,C\n6,A\n7,D\n");
    struct dataset *d = must_read("a.csv", 2);
    ck_assert_uint_eq(dataset_size(d), 5);
    ck_assert_uint_eq(dataset_n_classes(d), 2);
    expect_row(d, 0, "1", "A");
    expect_row(d, 1, "3", "C");
    expect_row(d, 2, "4", "A");
    expect_row(d, 3, "5", "C");
    expect_row(d, 4, "6", "A");
    const struct dataset_count *counts;
    ck_assert_uint_eq(dataset_counts(d, &counts), 4);
    static const char *const labels[] = {"A", "C", "B", "D"};
    static const size_t sizes[] = {3, 2, 1, 1};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq(counts[i].label, labels[i]);
        ck_assert_uint_eq(counts[i].n, sizes[i]);
    }
    dataset_free(d);
}
END_TEST

static void expect_refused(const char *name, int min_class_count, int code,
                           const char *expected)
{
    struct dataset *d;
    struct err err = {0};
    ck_assert_int_eq(read_one(name, min_class_count, &d, &err), code);
    ck_assert_str_eq(err.msg, expected);
}

static void keep_note(void *ctx, const char *sentence)
{
    snprintf(ctx, 256, "%s", sentence);
}

static int read_with_test(const char *name, const char *test_name,
                          int min_class_count, char note[256],
                          struct dataset **out, struct err *err)
{
    const struct fetch_watch watch = {.ctx = note, .on_note = keep_note};
    const struct dataset_query query = {.sources = &name,
                                        .n_sources = 1,
                                        .test_sources = &test_name,
                                        .n_test_sources = 1,
                                        .text = "t",
                                        .label = "l",
                                        .min_class_count = min_class_count,
                                        .base_dir = dir,
                                        .watch = &watch};
    note[0] = '\0';
    return dataset_read(&query, out, err);
}

START_TEST(a_test_label_that_is_not_trained_is_refused)
{
    struct dataset *d;
    struct err err = {0};
    char note[256];
    put("a.csv", "t,l\n1,B\n2,AA\n3,D\n4,B\n5,AA\n");
    put("good.csv", "t,l\n1,D\n2,AA\n3,D\n4,B\n");
    put("bad.csv", "t,l\n1,B\n2,A\n");
    put("bad.jsonl", "{\"t\":\"1\",\"l\":\"AAA\"}\n");
    ck_assert_int_eq(read_with_test("a.csv", "bad.csv", 1, note, &d, &err),
                     ERR_INVALID);
    ck_assert_str_eq(err.msg,
                     "bad.csv: line 3, byte 8: label 'A' is none of the 3 that "
                     "the training rows have: it could only be wrong");
    ck_assert_int_eq(read_with_test("a.csv", "bad.jsonl", 9, note, &d, &err),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "bad.jsonl: line 1, byte 0: label "
                                          "'AAA' is none"));
    int rc = read_with_test("a.csv", "good.csv", 1, note, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_uint_eq(dataset_n_test(d), 4);
    ck_assert_str_eq(note, "");
    dataset_free(d);
}
END_TEST

START_TEST(test_rows_that_the_filter_drops_are_told)
{
    struct dataset *d;
    struct err err = {0};
    char note[256];
    put("a.csv", "t,l\n1,A\n2,B\n3,C\n4,A\n5,B\n");
    put("b.csv", "t,l\n1,C\n2,A\n3,C\n4,B\n5,C\n");
    int rc = read_with_test("a.csv", "b.csv", 2, note, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_uint_eq(dataset_size(d), 6);
    ck_assert_uint_eq(dataset_n_test(d), 2);
    ck_assert_str_eq(note, "3 of 5 test rows are left out: their classes have "
                           "fewer than 2 rows for training "
                           "(data.min_class_count)");
    dataset_free(d);
}
END_TEST

START_TEST(too_little_is_refused)
{
    put("none.csv", "t,l\n");
    put("a.csv", "t,l\n1,A\n2,B\n3,C\n4,A\n");
    put("one.csv", "t,l\n1,A\n");
    expect_refused("none.csv", 0, ERR_INVALID, "none.csv: no rows");
    expect_refused(
        "one.csv", 0, ERR_INVALID,
        "one.csv: 2 classes are needed, but 1 of 1 labels has at least 1 "
        "rows: 'A' 1");
    expect_refused(
        "a.csv", 2, ERR_INVALID,
        "a.csv: 2 classes are needed, but 1 of 3 labels has at least 2 "
        "rows: 'A' 2, 'B' 1, 'C' 1");
    struct dataset *d;
    struct err err = {0};
    ck_assert_int_eq(read_names(NULL, 0, 0, &d, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "no source is named");
}
END_TEST

START_TEST(texts_that_are_all_empty_are_refused)
{
    put("empty.csv", "t,l\n,a\n,b\n");
    put("one.csv", "t,l\n,a\n,b\nx,b\n");
    expect_refused(
        "empty.csv", 0, ERR_INVALID,
        "empty.csv: every text is empty: there is nothing to learn from");
    struct dataset *d = must_read("one.csv", 0);
    expect_row(d, 0, "", "a");
    expect_row(d, 2, "x", "b");
    dataset_free(d);
}
END_TEST

START_TEST(a_long_list_of_counts_is_cut)
{
    char *path = mem_printf("%s/many.csv", dir);
    FILE *f = fopen(path, "w");
    free(path);
    fputs("t,l\n", f);
    for (int i = 0; i < 5000; i++) {
        fprintf(f, "x,label number %d\n", i);
    }
    fclose(f);
    struct dataset *d;
    struct err err = {0};
    ck_assert_int_eq(read_one("many.csv", 2, &d, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "0 of 5000 labels have"));
    ck_assert_ptr_nonnull(strstr(err.msg, " more labels"));
    ck_assert_uint_lt(strlen(err.msg), 800);
}
END_TEST

START_TEST(sources_that_cannot_be_read_are_named)
{
    put("a.txt", "");
    put("bad.jsonl", "{\"t\":\"a\",\"l\":\"A\"}\nnot json\n");
    expect_refused("a.txt", 0, ERR_INVALID,
                   "a.txt: the name must end in .jsonl, .json, .csv or .tsv");
    expect_refused("hf:someone/something", 0, ERR_INVALID,
                   "hf:someone/something: no folder to download it to");
    expect_refused("https://example.org/x.csv", 0, ERR_INVALID,
                   "https://example.org/x.csv: no folder to download it to");
    expect_refused("https://example.org/x?a=x.csv", 0, ERR_INVALID,
                   "https://example.org/x?a=x.csv: the name must end in "
                   ".jsonl, .json, .csv or .tsv");
    expect_refused("bad.jsonl", 0, ERR_INVALID,
                   "bad.jsonl: line 2, byte 18: expected a value");
    struct dataset *d;
    struct err err = {0};
    ck_assert_int_eq(read_one("missing.csv", 0, &d, &err), ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.msg, "missing.csv"));
    char *folder = mem_printf("%s/folder.csv", dir);
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(read_one("folder.csv", 0, &d, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "not a regular file"));
    free(folder);
}
END_TEST

START_TEST(a_file_beyond_the_limit_is_not_loaded)
{
    char *path = mem_printf("%s/huge.csv", dir);
    FILE *f = fopen(path, "w");
    ck_assert_int_eq(ftruncate(fileno(f), ((off_t)4 << 30) + 1),
                     0); /* sparse */
    fclose(f);
    struct dataset *d;
    struct err err = {0};
    ck_assert_int_eq(read_one("huge.csv", 0, &d, &err), ERR_LIMIT);
    ck_assert_ptr_nonnull(strstr(err.msg, "larger than 4294967296 bytes"));
    free(path);
}
END_TEST

/* --- the prepared file --- */

static const char *const small = "t,l\none,B\n,A\n\u00e9t\u00e9,B\nx,C\n";

START_TEST(a_saved_dataset_opens_the_same)
{
    put("a.csv", small);
    struct dataset *d = must_read("a.csv", 0);
    char sha256[65], again[65], *sub = mem_printf("%s/cache/of", dir);
    struct err err = {0};
    int rc = dataset_save(d, sub, sha256, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    dataset_free(d);

    char *path = mem_printf("%s/%s.dataset", sub, sha256), digest[65];
    uint64_t size;
    ck_assert_int_eq(file_sha256(path, digest, &size, &err), 0);
    ck_assert_str_eq(digest, sha256);

    rc = dataset_open(sub, sha256, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_uint_eq(dataset_size(d), 4);
    ck_assert_uint_eq(dataset_n_classes(d), 3);
    expect_row(d, 0, "one", "B");
    expect_row(d, 1, "", "A");
    expect_row(d, 2, "\u00e9t\u00e9", "B");
    expect_row(d, 3, "x", "C");
    const struct dataset_count *counts;
    ck_assert_uint_eq(dataset_counts(d, &counts), 3);
    ck_assert_str_eq(counts[0].label, "B");
    ck_assert_uint_eq(counts[0].n, 2);
    ck_assert_int_eq(dataset_save(d, sub, again, &err), 0);
    ck_assert_str_eq(again, sha256);
    dataset_free(d);
    free(path);
    free(sub);
}
END_TEST

START_TEST(only_what_is_kept_is_in_the_file)
{
    put("a.csv", "t,l\n1,A\n2,B\n3,C\n4,A\n5,B\n");
    put("b.csv", "t,l\n1,A\n2,B\n4,A\n5,B\n");
    struct dataset *a = must_read("a.csv", 2), *b = must_read("b.csv", 0);
    char sha_a[65], sha_b[65];
    ck_assert_int_eq(dataset_save(a, dir, sha_a, NULL), 0);
    ck_assert_int_eq(dataset_save(b, dir, sha_b, NULL), 0);
    ck_assert_str_eq(sha_a, sha_b);
    dataset_free(a);
    dataset_free(b);
}
END_TEST

static char *saved_bytes(size_t *len)
{
    put("a.csv", small);
    struct dataset *d = must_read("a.csv", 0);
    char sha256[65], *bytes;
    ck_assert_int_eq(dataset_save(d, dir, sha256, NULL), 0);
    char *path = mem_printf("%s/%s.dataset", dir, sha256);
    ck_assert_int_eq(file_load(path, 1 << 20, &bytes, len, NULL), 0);
    dataset_free(d);
    free(path);
    return bytes;
}

/* Open a file of these bytes under their own hash, as an enemy would put it. */
static int open_bytes(const char *bytes, size_t len, struct dataset **out,
                      struct err *err)
{
    char sha256[65];
    hash_bytes(bytes, len, sha256);
    char *path = mem_printf("%s/%s.dataset", dir, sha256);
    FILE *f = fopen(path, "w"); /* faster than file_write_atomic's fsync */
    ck_assert_uint_eq(fwrite(bytes, 1, len, f), len);
    fclose(f);
    int rc = dataset_open(dir, sha256, out, err);
    unlink(path);
    free(path);
    return rc;
}

/* Touch all that the accessors reach: ASan watches. */
static void walk(const struct dataset *d)
{
    size_t sum = 0;
    for (size_t i = 0; i < dataset_size(d); i++) {
        struct span text = dataset_text(d, i);
        for (size_t k = 0; k < text.len; k++) {
            sum += (unsigned char)text.at[k];
        }
        sum += strlen(dataset_class(d, (size_t)dataset_label(d, i)));
    }
    ck_assert_uint_gt(sum, 0);
}

START_TEST(a_file_that_does_not_match_its_name_is_corrupt)
{
    put("a.csv", small);
    struct dataset *d = must_read("a.csv", 0);
    char sha256[65];
    ck_assert_int_eq(dataset_save(d, dir, sha256, NULL), 0);
    dataset_free(d);
    char *name = mem_printf("%s.dataset", sha256);
    put(name, "something else");
    struct err err = {0};
    ck_assert_int_eq(dataset_open(dir, sha256, &d, &err), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(err.msg, "does not have the hash"));
    put(name, "");
    ck_assert_int_eq(dataset_open(dir, sha256, &d, &err), ERR_CORRUPT);
    free(name);
    memset(sha256, '0', 64);
    ck_assert_int_eq(dataset_open(dir, sha256, &d, &err), ERR_NOTFOUND);
    ck_assert_int_eq(dataset_open(dir, "../../etc/passwd", &d, &err),
                     ERR_INVALID);
}
END_TEST

START_TEST(every_truncation_is_corrupt)
{
    size_t len;
    char *bytes = saved_bytes(&len);
    struct dataset *d;
    for (size_t n = 0; n < len; n++) {
        ck_assert_int_eq(open_bytes(bytes, n, &d, NULL), ERR_CORRUPT);
    }
    free(bytes);
}
END_TEST

START_TEST(no_changed_byte_is_harmful)
{
    size_t len;
    char *bytes = saved_bytes(&len);
    static const unsigned char values[] = {0, 1, 0x7F, 0x80, 0xFF};
    int n_corrupt = 0;
    for (size_t i = 0; i < len; i++) {
        char held = bytes[i];
        for (size_t v = 0; v < sizeof(values); v++) {
            bytes[i] = (char)values[v];
            struct dataset *d;
            int rc = open_bytes(bytes, len, &d, NULL);
            if (rc == 0) {
                walk(d);
                dataset_free(d);
            } else {
                ck_assert_int_eq(rc, ERR_CORRUPT);
                n_corrupt++;
            }
        }
        bytes[i] = held;
    }
    ck_assert_int_gt(n_corrupt, 100);
    free(bytes);
}
END_TEST

/* --- real files --- */

static const char *shared(const char *test)
{
    const char *path = getenv("PARZEN_SHARED");
    path = path != NULL ? path : "../shared";
    if (!file_exists(path)) {
        fprintf(stderr, "SKIPPED: %s needs ../shared\n", test);
        return NULL;
    }
    return path;
}

static struct dataset *read_shared(const char *base, const char *const *names,
                                   size_t n, const char *text,
                                   const char *label, int min_class_count)
{
    char *data = mem_printf("%s/data", base);
    const struct dataset_query query = {.sources = names,
                                        .n_sources = n,
                                        .text = text,
                                        .label = label,
                                        .min_class_count = min_class_count,
                                        .base_dir = data};
    struct dataset *d = NULL;
    struct err err = {0};
    int rc = dataset_read(&query, &d, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    free(data);
    return d;
}

START_TEST(conversations_are_read)
{
    const char *base = shared("conversations_are_read");
    if (base == NULL) {
        return;
    }
    const char *const names[] = {"conversations-train_sft.jsonl",
                                 "conversations-test_sft.jsonl"};
    struct dataset *d = read_shared(base, names, 2, "completion", "topic", 99);
    ck_assert_uint_eq(dataset_n_classes(d), 14);
    ck_assert_uint_eq(dataset_size(d), 1904);
    const struct dataset_count *counts;
    ck_assert_uint_eq(dataset_counts(d, &counts), 19);
    ck_assert_uint_eq(counts[13].n, 136);
    ck_assert_uint_lt(counts[14].n, 99);
    dataset_free(d);
}
END_TEST

START_TEST(banking77_is_read)
{
    const char *base = shared("banking77_is_read");
    if (base == NULL) {
        return;
    }
    const char *const names[] = {"banking77-train.csv", "banking77-test.csv"};
    struct dataset *d = read_shared(base, names, 2, "text", "category", 0);
    ck_assert_uint_eq(dataset_n_classes(d), 77);
    ck_assert_uint_eq(dataset_size(d), 10003 + 3080);
    dataset_free(d);
}
END_TEST

static TCase *in_dir(Suite *s, const char *name)
{
    TCase *c = tcase_create(name);
    tcase_add_checked_fixture(c, make_dir, remove_dir);
    tcase_set_timeout(c, 30);
    suite_add_tcase(s, c);
    return c;
}

Suite *suite(void)
{
    Suite *s = suite_create("dataset");
    TCase *read = in_dir(s, "read");
    tcase_add_test(read, every_format_reads_the_same);
    tcase_add_test(read, sources_are_concatenated_in_order);
    tcase_add_test(read, classes_are_sorted_by_code_point);
    tcase_add_test(read, small_classes_are_filtered_and_counted);
    tcase_add_test(read, a_test_label_that_is_not_trained_is_refused);
    tcase_add_test(read, test_rows_that_the_filter_drops_are_told);
    tcase_add_test(read, too_little_is_refused);
    tcase_add_test(read, texts_that_are_all_empty_are_refused);
    tcase_add_test(read, a_long_list_of_counts_is_cut);
    tcase_add_test(read, sources_that_cannot_be_read_are_named);
    tcase_add_test(read, a_file_beyond_the_limit_is_not_loaded);
    TCase *prepared = in_dir(s, "prepared file");
    tcase_add_test(prepared, a_saved_dataset_opens_the_same);
    tcase_add_test(prepared, only_what_is_kept_is_in_the_file);
    tcase_add_test(prepared, a_file_that_does_not_match_its_name_is_corrupt);
    tcase_add_test(prepared, every_truncation_is_corrupt);
    tcase_add_test(prepared, no_changed_byte_is_harmful);
    TCase *real = tcase_create("real files");
    tcase_add_test(real, conversations_are_read);
    tcase_add_test(real, banking77_is_read);
    suite_add_tcase(s, real);
    return s;
}
