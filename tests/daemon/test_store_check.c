/* What the doctor finds, and what it must not. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/paths.h"
#include "daemon/store.h"
#include "tests/lib/fix_store.h"

#include <stdlib.h>
#include <string.h>

static struct fix_store fix;

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    fix_store_folder(&fix, 3);
}

static void teardown(void)
{
    fix_store_fini(&fix);
}

static int check(char **said)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    buf_str(&out, "");
    int n = store_check(fix.store, &out);
    *said = buf_take(&out);
    return n;
}

/* A trial with a real checkpoint file. */
static void life_with_file(char **path)
{
    struct err err;
    struct actions a;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_trial(&fix);
    fix_store_report(&fix, &a, 1, 0);
    fix_store_must(&fix, &a);
    char *dir = paths_trial_dir(fix.dir, 1, 0);
    *path = paths_trial_file(fix.dir, 1, 0, "best.ckpt");
    ck_assert_int_eq(file_mkdirs(dir, 0700, &err), 0);
    ck_assert_int_eq(file_write_atomic(*path, "abc", 3, 0600, &err), 0);
    free(dir);
    struct action *c = fix_store_add(&fix, &a, ACTION_CHECKPOINT, 1, 0);
    c->checkpoint.best = true;
    c->checkpoint.file = (struct study_checkpoint){
        .epoch = 0, .step = 3, .size = 3, .file = mem_strdup("best.ckpt")};
    hash_bytes("abc", 3, c->checkpoint.file.sha256);
    fix_store_finish(&fix, &a, 1, 0, TRIAL_COMPLETE, 0.5);
    fix_store_must(&fix, &a);
}

START_TEST(test_the_doctor_finds_nothing)
{
    char *said, *path;
    life_with_file(&path);
    ck_assert_msg(check(&said) == 0, "%s", said);
    free(said);
    free(path);
}
END_TEST

/* A stop rule ends a study at once, its other trials when their workers have
 * stopped. */
START_TEST(test_a_finished_study_may_have_a_running_trial)
{
    struct actions a;
    char *said;
    actions_init(&a);
    fix_store_open(&fix);
    fix_store_trial(&fix);
    struct action *end = fix_store_add(&fix, &a, ACTION_SET_STUDY, 1, -1);
    end->set_study.state = STUDY_FINISHED;
    fix_store_must(&fix, &a);
    ck_assert_msg(check(&said) == 0, "%s", said);
    free(said);
}
END_TEST

/* As versions wrote it whose clock was set back. */
START_TEST(test_an_end_before_the_start_is_no_damage)
{
    struct err err;
    char *said, *path;
    life_with_file(&path);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, "UPDATE trials SET datetime_complete ="
                               " '2001-01-01 00:00:00.000000';"
                               "UPDATE parzen_attempts SET ended_ms = 5");
    ck_assert_msg(store_open_readonly(fix.path, &fix.store, &err) == 0, "%s",
                  err.msg);
    ck_assert_msg(check(&said) == 0, "%s", said);
    free(said);
    free(path);
}
END_TEST

static const struct {
    const char *sql, *sentence; /* sql NULL: see the test */
} ILLS[] = {
    {"PRAGMA foreign_keys = OFF; INSERT INTO trial_values (trial_id,"
     " objective, value, value_type) VALUES (77, 0, 1.0, 'FINITE')",
     "[1] trial_values"},
    {"UPDATE trials SET number = 5", "[3] study 1: trial numbers"},
    {"UPDATE parzen_attempts SET attempt = 2", "[3] trial_id 1"},
    {"UPDATE parzen_events SET kind = 'END_ATTEMPT'"
     " WHERE kind = 'START_TRIAL'",
     "[4] event"},
    {"UPDATE trials SET state = 'PRUNED'", "trial 0: its state, value"},
    {"UPDATE parzen_trials SET end_digest = NULL;"
     "UPDATE trials SET state = 'PRUNED'",
     "[4] study 1, trial 0: is PRUNED"},
    {"UPDATE trial_params SET param_value = 1.0 WHERE param_name = 'lr'",
     "trial 0: a parameter is not what it was"},
    {"UPDATE parzen_trials SET end_digest = NULL;"
     "UPDATE trial_params SET param_value = 1.0 WHERE param_name = 'lr'",
     "[7] study 1, trial 0: 'lr' = 1 is outside"},
    {"UPDATE trial_intermediate_values SET intermediate_value = 0.125,"
     " intermediate_value_type = 'FINITE'",
     "[8] study 1, trial 0: epoch 0"},
    {"DELETE FROM trial_intermediate_values", "[8] trial_id 1: epoch 0"},
    {"UPDATE parzen_checkpoints SET sha256 = replace(sha256, 'b', 'c')",
     "its bytes have changed"},
    {"UPDATE parzen_checkpoints SET size = 4", "3 bytes, 4 were written"},
    {"UPDATE parzen_checkpoints SET file = 'other.ckpt'", "[14]"},
    {"UPDATE parzen_attempts SET ended_ms = NULL", "[16] trial_id 1"},
    {"UPDATE parzen_events SET life = 0 WHERE kind = 'FINISH_TRIAL'",
     "written in life 0, the one before it in 1"},
    {"UPDATE parzen_events SET life = 2 WHERE kind = 'FINISH_TRIAL'",
     "written in life 2"},
    {"UPDATE parzen_attempts SET life = 2", "[16] trial_id 1: attempt 1 began"},
    {"UPDATE parzen_events SET attempt = 2 WHERE kind = 'REPORT'",
     "REPORT by attempt 2 in life 1, which is not the one that began last"},
};

START_TEST(test_the_doctor_finds)
{
    struct err err;
    char *said, *path;
    life_with_file(&path);
    fix_store_close(&fix);
    fix_store_tamper(fix.path, ILLS[_i].sql);
    ck_assert_msg(store_open_readonly(fix.path, &fix.store, &err) == 0, "%s",
                  err.msg);
    int n = check(&said);
    ck_assert_msg(n > 0 && strstr(said, ILLS[_i].sentence) != NULL,
                  "wanted '%s', found: %s", ILLS[_i].sentence, said);
    free(said);
    free(path);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("store check");
    TCase *t = tcase_create("check");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_the_doctor_finds_nothing);
    tcase_add_test(t, test_a_finished_study_may_have_a_running_trial);
    tcase_add_test(t, test_an_end_before_the_start_is_no_damage);
    tcase_add_loop_test(t, test_the_doctor_finds, 0, (int)ARRAY_LEN(ILLS));
    suite_add_tcase(s, t);
    return s;
}
