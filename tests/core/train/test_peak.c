/* What a process needs: the counter itself, and trainings, which keep nothing
 * twice. A sanitizer's own memory would drown both. */
#include "core/train/peak.h"
#include "core/base/mem.h"
#include "core/train/checkpoint.h"
#include "core/nn/model.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif
enum { MB = 1000000 };

static bool can_count(void)
{
    bool can = !IS_SANITIZED && peak_reset();
    if (!can) {
        fprintf(stderr, "SKIPPED: memory is not counted here\n");
    }
    return can;
}

START_TEST(counts_the_most_since_the_reset)
{
    enum { SIZE = 64 * MB };
    if (!can_count()) {
        return;
    }
    int64_t before = peak_bytes();
    ck_assert_int_gt(before, 0);
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    memset(p, 1, SIZE);
    ck_assert_int_eq(munmap(p, SIZE), 0);
    int64_t with = peak_bytes();
    ck_assert_int_ge(with, before + SIZE - MB);
    ck_assert_int_le(with, before + SIZE + 8 * MB);
    ck_assert(peak_reset());
    ck_assert_int_lt(peak_bytes(), before + 8 * MB);
}
END_TEST

/* Some 60 MB of weights and moments, most of them in one matrix. */
static void large_run(struct run *run)
{
    fix_training_run(run);
    run->max_len = 100;
    run->emb_dim = 64;
    run->head1_dim = 700;
    run->max_epochs = 2;
}

/* Of what a training needs beside what this process had before it. */
static void check_peak(int64_t before, int64_t planned, const char *what)
{
    int64_t is = peak_bytes() - before;
    ck_assert_msg(is >= planned - 2 * MB && is <= planned + 12 * MB,
                  "%s: %" PRId64 " bytes at most, %" PRId64 " planned", what,
                  is, planned);
}

START_TEST(a_training_needs_what_it_plans)
{
    struct fix_training fix;
    struct run run;
    struct trainer *t;
    struct trainer_event e;
    struct trainer_checkpoint last = {.file = ""}, best = {.file = ""};
    if (!can_count()) {
        return;
    }
    fix_training_init(&fix, 61);
    large_run(&run);
    struct trainer_options options = fix_training_options(&fix, &run);
    for (int life = 0; life < 2; life++) { /* the second one is resumed */
        ck_assert(peak_reset());
        int64_t before = peak_bytes();
        options.resume_file = last.file;
        options.resume_sha256 = last.sha256;
        options.best_file = best.file;
        options.best_sha256 = best.sha256;
        ck_assert_int_eq(trainer_new(&options, &t, NULL), 0);
        do {
            ck_assert_int_eq(trainer_step(t, 0, &e, NULL), 0);
            if (e.what == TRAINER_CHECKPOINT) {
                *(e.checkpoint.best ? &best : &last) = e.checkpoint;
            }
        } while (
            e.what != TRAINER_DONE &&
            !(life == 0 && e.what == TRAINER_CHECKPOINT && !e.checkpoint.best));
        ck_assert_uint_gt(trainer_bytes(t), 55 * MB);
        check_peak(before, (int64_t)trainer_bytes(t),
                   life == 0 ? "from the start" : "resumed");
        trainer_free(t);
    }
    fix_training_fini(&fix);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("peak");
    TCase *t = tcase_create("peak");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, counts_the_most_since_the_reset);
    tcase_add_test(t, a_training_needs_what_it_plans);
    suite_add_tcase(s, t);
    return s;
}
