/* What a command is given, and what is kept of its words. */
#include "core/base/mem.h"
#include "tests/lib/home.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *const one_worker[] = {"--workers", "1", NULL};

/* The program sees its options as if somebody had typed them for this trial. */
START_TEST(what_a_trial_does_not_have_is_no_argument)
{
    struct home h;
    home_init(&h);
    home_start(&h, one_worker);
    home_run(
        &h,
        home_file(&h, "when.json",
                  "{\"study\":\"when\",\"n_trials\":2,\"sampler\":{\"type\":"
                  "\"grid\"},\"objective\":{\"type\":\"command\",\"command\":["
                  "\"sh\",\"-c\",\"echo \\\"<$*>\\\"; echo 'parzen: {\\\"value"
                  "\\\": 1}'\",\"x\",\"--opt\",\"{opt}\",\"--mom\",\"{mom}\","
                  "\"--m={mom}\"]},\"params\":{\"opt\":{\"choice\":[\"adam\","
                  "\"sgd\"]},\"mom\":{\"choice\":[0.5],\"when\":{\"opt\":"
                  "\"sgd\"}}}}"),
        0);
    for (int i = 0; i < 2; i++) {
        char *sql = mem_printf("SELECT count(*) FROM trial_params p JOIN trials"
                               " t USING (trial_id) WHERE t.number = %d AND"
                               " p.param_name = 'mom'",
                               i);
        EXPECT(&h, 0,
               home_count(&h, sql) == 1 ? "<--opt sgd --mom 0.5 --m=0.5>\n"
                                        : "<--opt adam>\n",
               "log", "when", i == 0 ? "0" : "1");
        free(sql);
    }
    home_fini(&h);
}
END_TEST

/* What stands before it would be the value, if text ended there. */
START_TEST(a_nul_byte_is_refused)
{
    struct home h;
    home_init(&h);
    home_start(&h, one_worker);
    home_run(&h,
             home_command(&h, "nul",
                          "\"n_trials\":1,\"stop\":{\"max_failures\":1},", "",
                          "printf 'parzen: {\"value\": 1}\\000garbage\\n'\n"),
             1);
    EXPECT(&h, 0,
           "trial 0, no-metric: the line 'parzen: {\"value\": "
           "1}\\x00garbage' is refused: it has a NUL byte in it\n",
           "status", "nul");
    home_fini(&h);
}
END_TEST

/* It may hold a value: silence would be a wrong reason. */
START_TEST(a_line_that_is_too_long_is_refused)
{
    struct home h;
    home_init(&h);
    home_start(&h, one_worker);
    home_run(
        &h,
        home_command(&h, "long",
                     "\"n_trials\":1,\"stop\":{\"max_failures\":1},", "",
                     "head -c 200000 /dev/zero | tr '\\0' y; echo\n"
                     "printf 'parzen: {\"value\": 1, \"step\": 1, \"x\": '\n"
                     "head -c 200000 /dev/zero | tr '\\0' 1; echo '}'\n"),
        1);
    EXPECT(&h, 0,
           "trial 0, no-metric: the line 'parzen: {\"value\": 1, \"step\": 1, "
           "\"x\": 1111111111111111111111111111111111111111111...' is refused: "
           "it has 64 KiB or more\n",
           "status", "long");
    home_fini(&h);
}
END_TEST

/* Of a log that is too long, as soon as the trial's end is told. */
START_TEST(the_last_words_of_many)
{
    struct home h;
    home_init(&h);
    home_start(&h, one_worker);
    home_run(&h,
             home_command(&h, "many",
                          "\"n_trials\":1,\"stop\":{\"max_failures\":1},", "",
                          "yes 'a line of a log, some epoch, some loss' |"
                          " head -c 13000000\n"
                          "echo; echo THE LAST WORDS; exit 3\n"),
             1);
    EXPECT(&h, 0, "\nTHE LAST WORDS\ntrial 0 failed: it ended with exit code 3",
           "show", "many", "0");
    home_fini(&h);
}
END_TEST

static unsigned mode_of(const char *path)
{
    struct stat st;
    ck_assert_msg(stat(path, &st) == 0, "%s", path);
    return (unsigned)st.st_mode & 0777;
}

/* What it writes is as public as the user's other files; the state directory
 * stays private. */
START_TEST(files_have_the_users_mode)
{
    struct home h;
    struct rlimit core;
    home_init(&h);
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
    core.rlim_cur = core.rlim_max < 4096 ? core.rlim_max : 4096;
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &core), 0);
    setenv("ASAN_OPTIONS", "disable_coredump=0", 1); /* it would set 0 */
    umask(013);
    home_start(&h, one_worker);
    home_run(&h,
             home_command(&h, "mode", "\"n_trials\":1,", "",
                          "echo result >result\n"
                          "echo core $(ulimit -c)\n"
                          "ls -ld $PARZEN_CHECKPOINT_DIR\n"
                          "echo 'parzen: {\"value\": 1}'\n"),
             0);
    char *result = mem_printf("%s/result", h.dir);
    char *log = mem_printf("%s/checkpoints/1/0/log", h.state);
    char *db = mem_printf("%s/parzen.db", h.state);
    char *blocks = mem_printf("core %d\n", (int)(core.rlim_cur / 512));
    ck_assert_uint_eq(mode_of(result), 0664);
    ck_assert_uint_eq(mode_of(log), 0600);
    ck_assert_uint_eq(mode_of(db), 0600);
    ck_assert_uint_eq(mode_of(h.state), 0700);
    EXPECT(&h, 0, blocks, "log", "mode", "0");
    EXPECT(&h, 0, "\ndrwx------ ", "log", "mode", "0");
    free(result);
    free(log);
    free(db);
    free(blocks);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("commands");
    TCase *t = tcase_create("given");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, what_a_trial_does_not_have_is_no_argument);
    tcase_add_test(t, files_have_the_users_mode);
    tcase_add_test(t, a_nul_byte_is_refused);
    tcase_add_test(t, a_line_that_is_too_long_is_refused);
    tcase_add_test(t, the_last_words_of_many);
    suite_add_tcase(s, t);
    return s;
}
