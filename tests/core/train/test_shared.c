/* Trainings with nothing shared, with a cold folder, a warm one and a damaged
 * one come to the same bits. */
#include "core/train/shared.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/text/bpe.h"
#include "core/train/encoded.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fix_training fix;
static char shared_dir[96];

static void set_up(void)
{
    fix_training_init(&fix, 61);
    snprintf(shared_dir, sizeof(shared_dir), "%s/shared", fix.dir);
}

static void tear_down(void)
{
    fix_training_fini(&fix);
}

static struct fix_record train(const struct run *run, const char *dir)
{
    static const struct fix_plan to_the_end = {.n_steps = -1};
    struct fix_record record = {0};
    fix.shared_dir = dir;
    fix_training_go(&fix, run, &to_the_end, &record);
    ck_assert(record.is_done);
    return record;
}

/* What a new trainer finds: bit 0 the tokenizer, bit 1 the texts. */
static int finds(const struct run *run)
{
    fix.shared_dir = shared_dir;
    struct trainer_options options = fix_training_options(&fix, run);
    struct trainer *t;
    struct trainer_event e;
    struct err err;
    options.dir = NULL;
    ck_assert_msg(trainer_new(&options, &t, &err) == 0, "%s", err.msg);
    do {
        ck_assert_int_eq(trainer_step(t, 0, &e, &err), 0);
    } while (e.progress.phase != TRAINER_TRAIN);
    struct trainer_sizes sizes = trainer_sizes(t);
    trainer_free(t);
    return sizes.tokenizer_is_shared + 2 * sizes.texts_are_shared;
}

/* Call fn on each file of the shared folder; returns how many there are. */
static int each_file(void (*fn)(const char *path))
{
    DIR *d = opendir(shared_dir);
    const struct dirent *e;
    int n = 0;
    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.') {
            char *path = mem_printf("%s/%s", shared_dir, e->d_name);
            if (fn != NULL) {
                fn(path);
            }
            free(path);
            n++;
        }
    }
    closedir(d);
    return n;
}

static void damage(const char *path)
{
    char *bytes;
    size_t len;
    ck_assert_int_eq(file_load(path, 1 << 20, &bytes, &len, NULL), 0);
    bytes[len - 3] ^= 1;
    ck_assert_int_eq(file_write_atomic(path, bytes, len, 0600, NULL), 0);
    free(bytes);
}

static void cut(const char *path)
{
    ck_assert_int_eq(file_write_atomic(path, "PARZ", 4, 0600, NULL), 0);
}

static void empty(const char *path)
{
    ck_assert_int_eq(file_write_atomic(path, "", 0, 0600, NULL), 0);
}

START_TEST(results_do_not_depend_on_it)
{
    static void (*const harm[])(const char *path) = {damage, cut, empty};
    struct run run;
    fix_training_run(&run);
    struct fix_record alone = train(&run, NULL);
    struct fix_record cold = train(&run, shared_dir);
    fix_record_must_equal(&alone, &cold);
    ck_assert_int_eq(each_file(NULL), 2);
    ck_assert_int_eq(finds(&run), 3);
    struct fix_record warm = train(&run, shared_dir);
    fix_record_must_equal(&alone, &warm);
    for (size_t i = 0; i < ARRAY_LEN(harm); i++) {
        each_file(harm[i]);
        struct fix_record again = train(&run, shared_dir);
        fix_record_must_equal(&alone, &again);
        ck_assert_int_eq(finds(&run), 3); /* made again */
        ck_assert_int_eq(each_file(NULL), 2);
    }
}
END_TEST

START_TEST(a_resumed_training_finds_its_texts)
{
    struct run run;
    fix_training_run(&run);
    struct fix_record whole = train(&run, NULL), parts = {0};
    fix.shared_dir = shared_dir;
    for (int i = 0; !parts.is_done; i++) {
        const struct fix_plan some = {.n_steps = 17, .ms_per_step = 300};
        fix_training_go(&fix, &run, &some, &parts);
        ck_assert_int_lt(i, 100);
    }
    fix_record_must_equal(&whole, &parts);
}
END_TEST

START_TEST(each_setting_that_matters_has_its_own)
{
    struct run run, other;
    fix_training_run(&run);
    ck_assert_int_eq(finds(&run), 0);
    ck_assert_int_eq(finds(&run), 3);
    other = run;
    other.lr = 1;
    other.emb_dim = 4;
    other.seed = 5;
    ck_assert_int_eq(finds(&other), 3); /* it is the same to these */
    other.max_len = 9;
    ck_assert_int_eq(finds(&other), 1);
    other = run;
    other.vocab_size = 280;
    ck_assert_int_eq(finds(&other), 0);
    other = run;
    other.tokenizer_length = 5;
    ck_assert_int_eq(finds(&other), 0);
    other.tokenizer_length = 61; /* as many as there are, and more */
    ck_assert_int_eq(finds(&other), 0);
    other.tokenizer_length = 1000;
    ck_assert_int_eq(finds(&other), 3);
    other = run;
    other.min_frequency = 4;
    ck_assert_int_eq(finds(&other) & 1, 0);
    ck_assert_int_eq(finds(&run), 3);
    memset(fix.sha256, 'a', 64); /* another data set */
    ck_assert_int_eq(finds(&run), 0);
}
END_TEST

/* A whole file that says what cannot be: ids beyond the vocabulary, rows that
 * overlap or are too many. It is not believed. */
START_TEST(a_whole_file_of_nonsense_is_not_believed)
{
    enum { ROWS = 61, LEN = 12 };
    const struct stash stash = {shared_dir, 1 << 20};
    static const char key[] = "0123456789012345678901234567890123456789"
                              "012345678901234567890123";
    uint64_t head[ROWS + 2];
    int32_t ids[2 * ROWS];
    for (int wrong = -1; wrong < 7; wrong++) {
        head[0] = ROWS;
        for (int i = 0; i <= ROWS; i++) {
            head[i + 1] = 2 * (uint64_t)i;
        }
        for (int i = 0; i < 2 * ROWS; i++) {
            ids[i] = i;
        }
        size_t n_ids = 2 * ROWS;
        switch (wrong) {
        case 0:
            head[0] = ROWS - 1;
            break;
        case 1:
            head[1] = 1;
            break;
        case 2:
            head[5] = head[4] - 1;
            break;
        case 3:
            head[ROWS + 1] += 1;
            break;
        case 4:
            ids[7] = 300;
            break;
        case 5:
            ids[2 * ROWS - 1] = -1;
            break;
        case 6: /* row 2 has 13 tokens */
            head[3] = 4;
            for (int i = 4; i <= ROWS + 1; i++) {
                head[i] = 17 + (uint64_t)(i - 4);
            }
            n_ids = head[ROWS + 1];
            break;
        }
        const struct span parts[] = {{(const char *)head, sizeof(head)},
                                     {(const char *)ids, n_ids * sizeof(*ids)}};
        ck_assert_int_eq(stash_put(&stash, key, parts, 2, NULL), 0);
        struct encoded *e = encoded_find(&stash, key, fix.dataset, LEN, 300);
        ck_assert_msg((e != NULL) == (wrong < 0), "case %d", wrong);
        encoded_free(e);
    }
    const struct span nothing = {"1234", 4};
    ck_assert_int_eq(stash_put(&stash, key, &nothing, 1, NULL), 0);
    ck_assert_ptr_null(encoded_find(&stash, key, fix.dataset, LEN, 300));
}
END_TEST

/* Where nothing can be kept, training goes on as ever. */
START_TEST(no_room_is_no_failure)
{
    struct run run;
    fix_training_run(&run);
    struct fix_record alone = train(&run, NULL);
    ck_assert_int_eq(file_write_atomic(shared_dir, "x", 1, 0600, NULL), 0);
    struct fix_record none = train(&run, shared_dir);
    fix_record_must_equal(&alone, &none);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("shared");
    TCase *t = tcase_create("shared");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, results_do_not_depend_on_it);
    tcase_add_test(t, a_resumed_training_finds_its_texts);
    tcase_add_test(t, each_setting_that_matters_has_its_own);
    tcase_add_test(t, a_whole_file_of_nonsense_is_not_believed);
    tcase_add_test(t, no_room_is_no_failure);
    suite_add_tcase(s, t);
    return s;
}
