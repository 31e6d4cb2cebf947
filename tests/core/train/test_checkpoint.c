#include "core/train/checkpoint.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/model.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fix_training fix;
static struct fix_record record;
static char *last, *best, *damaged;

static void set_up(void)
{
    static const struct fix_plan to_the_end = {.n_steps = -1};
    struct run run;
    fix_training_init(&fix, 60);
    fix_training_run(&run);
    run.max_epochs = 1;
    record = (struct fix_record){0};
    fix_training_go(&fix, &run, &to_the_end, &record);
    last = mem_printf("%s/%s", fix.trial_dir, record.last.file);
    best = mem_printf("%s/%s", fix.trial_dir, record.best.file);
    damaged = mem_printf("%s/damaged", fix.trial_dir);
}

static void tear_down(void)
{
    free(last);
    free(best);
    free(damaged);
    fix_training_fini(&fix);
}

START_TEST(test_written_again_it_is_the_same_file)
{
    struct checkpoint c;
    struct model *m;
    struct err err = {0};
    const char *const paths[] = {last, best};
    const struct trainer_checkpoint *told[] = {&record.last, &record.best};
    for (int i = 0; i < 2; i++) {
        char sha256[65];
        uint64_t size;
        int rc =
            checkpoint_open(paths[i], told[i]->sha256, i == 0, 0, &c, &m, &err);
        ck_assert_msg(rc == 0, "%s", err.msg);
        ck_assert_int_eq(c.kind, i == 0 ? CHECKPOINT_LAST : CHECKPOINT_BEST);
        rc = checkpoint_write(&c, m, damaged, sha256, &size, &err);
        ck_assert_msg(rc == 0, "%s", err.msg);
        ck_assert_str_eq(sha256, told[i]->sha256);
        ck_assert_uint_eq(size, told[i]->size);
        checkpoint_fini(&c);
        model_free(m);
    }
}
END_TEST

/* A folder of its name: removed when there is nothing in it, else named. */
START_TEST(test_what_is_in_the_way)
{
    struct checkpoint c;
    struct model *m;
    struct err err = {0};
    char sha256[65], *inside = mem_printf("%s/x", damaged);
    uint64_t size;
    ck_assert_int_eq(checkpoint_open(last, NULL, true, 0, &c, &m, &err), 0);
    ck_assert_int_eq(mkdir(damaged, 0700), 0);
    int rc = checkpoint_write(&c, m, damaged, sha256, &size, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_str_eq(sha256, record.last.sha256);
    ck_assert_int_eq(unlink(damaged), 0);
    ck_assert_int_eq(file_mkdirs(inside, 0700, &err), 0);
    rc = checkpoint_write(&c, m, damaged, sha256, &size, &err);
    ck_assert_int_eq(rc, ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.msg, "damaged: Is a directory"));
    ck_assert(file_exists(inside));
    free(inside);
    checkpoint_fini(&c);
    model_free(m);
}
END_TEST

START_TEST(test_no_path_and_no_clock_inside)
{
    struct buf bytes;
    struct err err = {0};
    buf_init(&bytes, BUF_MAX_RESPONSE);
    int rc = file_read(last, &bytes, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_ptr_null(memmem(bytes.data, bytes.len, "/tmp", 4));
    ck_assert_ptr_null(memmem(bytes.data, bytes.len, "parzen-training", 15));
    buf_fini(&bytes);
}
END_TEST

static int open_bytes(const char *bytes, size_t n, struct err *err)
{
    struct checkpoint c;
    struct model *m;
    int rc = file_write_atomic(damaged, bytes, n, 0600, err);
    ck_assert_msg(rc == 0, "%s", err->msg);
    rc = checkpoint_open(damaged, NULL, true, 0, &c, &m, err);
    if (rc == 0) {
        checkpoint_fini(&c);
        model_free(m);
    } else {
        ck_assert_msg(rc == ERR_CORRUPT || rc == ERR_LIMIT, "%d: %s", rc,
                      err->msg);
        ck_assert_ptr_nonnull(strstr(err->msg, damaged));
    }
    return rc;
}

/* Without its hash a file may be read whose numbers were changed, but never
 * past its end, and never one that is not whole. */
START_TEST(test_damage_without_a_hash)
{
    struct buf bytes;
    struct rng rng;
    struct err err = {0};
    buf_init(&bytes, BUF_MAX_RESPONSE);
    ck_assert_int_eq(file_read(last, &bytes, &err), 0);
    uint64_t header;
    memcpy(&header, bytes.data, sizeof(header));
    rng_mt19937(&rng, 5);
    ck_assert_int_eq(open_bytes(bytes.data, bytes.len, &err), 0);
    for (int i = 0; i < 20; i++) {
        size_t n = rng_below(&rng, (uint32_t)bytes.len);
        ck_assert_int_ne(open_bytes(bytes.data, n, &err), 0);
    }
    int n_refused = 0;
    for (int i = 0; i < 200; i++) {
        size_t at = rng_below(&rng, (uint32_t)header + 8);
        char was = bytes.data[at];
        bytes.data[at] = (char)(was ^ (1 << rng_below(&rng, 8)));
        n_refused += open_bytes(bytes.data, bytes.len, &err) != 0;
        bytes.data[at] = was;
    }
    ck_assert_int_gt(n_refused, 20);
    buf_fini(&bytes);
}
END_TEST

/* Put `to` in the place of the first `from` (of the same length). */
static void must_refuse(const char *from, const char *to, const char *words)
{
    struct buf bytes;
    struct err err = {0};
    buf_init(&bytes, BUF_MAX_RESPONSE);
    ck_assert_int_eq(file_read(last, &bytes, &err), 0);
    char *at = memmem(bytes.data, bytes.len, from, strlen(from));
    ck_assert_msg(at != NULL, "no '%s'", from);
    ck_assert_uint_eq(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
    ck_assert_int_eq(open_bytes(bytes.data, bytes.len, &err), ERR_CORRUPT);
    ck_assert_msg(strstr(err.msg, words) != NULL, "'%s' has no '%s'", err.msg,
                  words);
    buf_fini(&bytes);
}

START_TEST(test_what_a_file_says_is_checked)
{
    must_refuse("parzen-checkpoint", "persen-checkpoint", "not a checkpoint");
    must_refuse("\"version\":\"1\"", "\"version\":\"2\"", "version 2");
    must_refuse("\"kind\":\"last\"", "\"kind\":\"lost\"", "'kind'");
    must_refuse("\"metric\":\"val-loss\"", "\"metric\":\"val-lost\"",
                "'metric'");
    must_refuse("emb_dim\\\":8", "emb_dim\\\":6", "shape");
    must_refuse("emb_dim\\\":8", "emb_dim\\\":7", "num_heads");
    must_refuse("emb_dim\\\":8", "emb_din\\\":8", "emb_dim: missing");
    must_refuse("\\\"best_epoch\\\":0", "\\\"best_epoch\\\":9", "out of range");
    must_refuse("\\\"best_epoch\\\":0", "\\\"best_epock\\\":0", "best_epoch");
    must_refuse("[\\\"apple\\\",", "[1234567890", "classes");
    must_refuse("adamw.m.", "adamw.x.", "adamw.m.");
}
END_TEST

START_TEST(test_names)
{
    char name[CHECKPOINT_NAME_MAX];
    checkpoint_name(CHECKPOINT_LAST, 3, 17, name);
    ck_assert_str_eq(name, "last-3-17.safetensors");
    checkpoint_name(CHECKPOINT_BEST, 3, 17, name);
    ck_assert_str_eq(name, "best-3.safetensors");
}
END_TEST

static void touch(const char *name)
{
    char *path = mem_printf("%s/%s", fix.trial_dir, name);
    ck_assert_int_eq(file_write_atomic(path, "x", 1, 0600, NULL), 0);
    free(path);
}

static bool is_there(const char *name)
{
    char *path = mem_printf("%s/%s", fix.trial_dir, name);
    bool found = file_exists(path);
    free(path);
    return found;
}

START_TEST(test_removes_only_its_own)
{
    static const char *const ours[] = {
        "last-0-7.safetensors",      "best-12.safetensors",
        "last-0-7.safetensors.tmp",  "best-1.safetensors.tmp",
        "best-1.safetensors.sha256", "best-12.safetensors.sha256"};
    static const char *const others[] = {
        "last-0.safetensors",     "best-a.safetensors",
        "last-1-2.safetensors.x", "my-best-1.safetensors",
        "model.safetensors",      "best-1.safetensors.tmp.tmp"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        touch(ours[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        touch(others[i]);
    }
    const char *const keep[] = {NULL, record.last.file, "best-12.safetensors"};
    ck_assert_int_eq(checkpoint_remove_others(fix.trial_dir, keep, 3, NULL), 0);
    ck_assert(is_there(record.last.file));
    ck_assert(is_there("best-12.safetensors"));
    ck_assert(!is_there(record.best.file));
    ck_assert(!is_there(ours[0]));
    ck_assert(!is_there(ours[2]));
    ck_assert(!is_there(ours[3]));
    ck_assert(!is_there(ours[4]));
    ck_assert(is_there(ours[5])); /* what it is of is kept */
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        ck_assert_msg(is_there(others[i]), "%s", others[i]);
    }
    struct err err = {0};
    ck_assert_int_eq(checkpoint_remove_others("/no/such", NULL, 0, &err),
                     ERR_NOTFOUND);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *tc = tcase_create("files");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_written_again_it_is_the_same_file);
    tcase_add_test(tc, test_no_path_and_no_clock_inside);
    tcase_add_test(tc, test_what_is_in_the_way);
    tcase_add_test(tc, test_damage_without_a_hash);
    tcase_add_test(tc, test_what_a_file_says_is_checked);
    tcase_add_test(tc, test_names);
    tcase_add_test(tc, test_removes_only_its_own);
    suite_add_tcase(s, tc);
    return s;
}
