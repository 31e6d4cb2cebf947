/* What somebody meets who does not know Parzen yet: values and words that are
 * taken as they were meant, and answers that lead on. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINISH_S = 60 };

static struct home h;

static void begin(void)
{
    home_init(&h);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
}

/* --- values --------------------------------------------------------------- */

/* Its params as the command line shows them. */
static void trial_has(const char *study, const char *number, const char *words)
{
    EXPECT(&h, 0, words, "--json", "show", study, number);
}

START_TEST(true_is_not_one)
{
    begin();
    home_run(&h,
             home_file(&h, "kinds.json",
                       "{\"study\":\"kinds\",\"n_trials\":12,\"sampler\":"
                       "{\"type\":\"grid\"},\"objective\":{\"type\":"
                       "\"command\",\"command\":[\"sh\",\"-c\",\"echo 'parzen:"
                       " {\\\"value\\\": 1}'\"],\"direction\":\"minimize\"},"
                       "\"params\":{\"b\":{\"choice\":"
                       "[true,false,1,0,\"true\",\"1\"]},"
                       "\"m\":{\"int\":[1,2],\"when\":{\"b\":1}}}}"),
             0);
    /* m is there where b is 1, the third choice, and nowhere else */
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_params m JOIN trial_params b"
                       " USING (trial_id) WHERE m.param_name = 'm' AND"
                       " b.param_name = 'b' AND b.param_value = 2"),
        2);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trial_params WHERE"
                                    " param_name = 'm'"),
                     2);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 7);
    EXPECT(&h, 0, "this is trial 7", "enqueue", "kinds", "b=1", "m=2");
    home_wait_state(&h, "kinds", "finished", FINISH_S);
    trial_has("kinds", "7", "\"params\":{\"b\":1,\"m\":2}");
    EXPECT(&h, 2, "m", "enqueue", "kinds", "b=true", "m=2");
    EXPECT(&h, 0, "this is trial 8", "enqueue", "kinds", "b=true");
    home_wait_state(&h, "kinds", "finished", FINISH_S);
    trial_has("kinds", "8", "\"params\":{\"b\":true}");
    home_run(&h,
             home_function(&h, "ints", "\"n_trials\":1,",
                           "\"c\":{\"choice\":[1,2]}"),
             0);
    EXPECT(&h, 2, "true is not one of the choices [1,2]", "enqueue", "ints",
           "c=true");
    home_end(&h, "kinds");
}
END_TEST

START_TEST(numbers_are_taken_as_people_write_them)
{
    begin();
    home_run(&h,
             home_function(&h, "numbers", "\"n_trials\":1,",
                           "\"x\":{\"float\":[-1,1]},\"n\":{\"int\":[1,9]}"),
             0);
    EXPECT(&h, 0, "this is trial 1", "enqueue", "numbers", "x=.5", "n=+7");
    EXPECT(&h, 0, "this is trial 2", "enqueue", "numbers", "x=-.25e0", "n=5.");
    home_wait_state(&h, "numbers", "finished", FINISH_S);
    trial_has("numbers", "1", "\"params\":{\"x\":0.5,\"n\":7}");
    trial_has("numbers", "2", "\"params\":{\"x\":-0.25,\"n\":5}");
    EXPECT(&h, 2, "params.x: must be a number", "enqueue", "numbers", "x=half");
    EXPECT(&h, 4, "no study", "enqueue", "nobody", "x=.5");
    home_end(&h, "numbers");
}
END_TEST

/* --- words ---------------------------------------------------------------- */

START_TEST(help_is_given_however_it_is_asked_for)
{
    home_init(&h);
    EXPECT(&h, 0, "create a study, or continue it", "--help");
    EXPECT(&h, 0, "create a study, or continue it", "-h");
    EXPECT(&h, 0, "create a study, or continue it", "help");
    EXPECT(&h, 0, "Usage: parzen trials [OPTION...] STUDY", "trials", "-h");
    EXPECT(&h, 0, "Usage: parzen trials [OPTION...] STUDY", "trials", "x",
           "-h");
    EXPECT(&h, 0, "Usage: parzen trials [OPTION...] STUDY", "help", "trials");
    EXPECT(&h, 2, "did you mean 'trials'?", "help", "trails");
    EXPECT(&h, 2, "no command 'runn' (did you mean 'run'?)", "runn", "x.json");
    EXPECT(&h, 2, "no command 'studys' (did you mean 'studies'?)", "studys");
    EXPECT(&h, 2, "no command 'xyzzy'; parzen --help lists them", "xyzzy");
    home_fini(&h);
}
END_TEST

/* What the tokenizer makes of what printf prints. */
static char *encode_pipe(const char *path, const char *text)
{
    const char *bin = getenv("PARZEN_BIN");
    char said[256] = "";
    char *command =
        mem_printf("printf '%s' | %s/parzen --json tokenizer encode %s 2>&1",
                   text, bin != NULL ? bin : "build/bin", path);
    FILE *f = popen(command, "re");
    ck_assert_ptr_nonnull(f);
    (void)!fread(said, 1, sizeof(said) - 1, f);
    pclose(f);
    free(command);
    return mem_strdup(said);
}

/* As predict does. */
START_TEST(a_tokenizer_encodes_words_and_lines)
{
    home_init(&h);
    char *path = mem_printf("%s/t.json", h.dir);
    EXPECT(&h, 0, "tokens", "tokenizer", "train", home_data(&h, 40, 2), "--out",
           path);
    char *words =
        home_expect(&h, 0, "[[",
                    (const char *const[]){"--json", "tokenizer", "encode", path,
                                          "a b", "c", NULL});
    char *lines = encode_pipe(path, "a b\\r\\nc");
    ck_assert_str_eq(lines, words);
    free(lines);
    lines = encode_pipe(path, "good\\nb\\377\\n");
    ck_assert_ptr_nonnull(
        strstr(lines, "standard input: line 2: not valid UTF-8"));
    EXPECT(&h, 0, "[]\n", "--json", "tokenizer", "encode", path, "--file",
           "-"); /* which is empty here */
    EXPECT(&h, 2, "exclude each other", "tokenizer", "encode", path, "a",
           "--file", path);
    EXPECT(&h, 2, "one argument too many", "tokenizer", "inspect", path, "a");
    free(lines);
    free(words);
    free(path);
    home_fini(&h);
}
END_TEST

START_TEST(what_was_put_back_has_not_failed)
{
    begin();
    char *script = mem_printf("while [ -e %s/block ]; do sleep 0.02; done\n"
                              "echo oops >&2\nexit 3\n",
                              h.dir);
    char *block = mem_printf("%s/block", h.dir);
    char *config = mem_strdup(home_command(
        &h, "back", "\"n_trials\":1,\"stop\":{\"max_failures\":1},", "",
        script));
    home_run(&h, config, 1);
    EXPECT(&h, 0, "  exit: it ended with exit code 3: oops", "trials", "back");
    EXPECT(&h, 1, "'back' has failed: there is nothing to pause", "pause",
           "back");
    (void)home_file(&h, "block", "");
    EXPECT(&h, 0, NULL, "retry", "back");
    ck_assert(home_wait(
        &h, "SELECT count(*) FROM trials WHERE state = 'RUNNING'", 1, 20000));
    EXPECT(&h, 0, NULL, "stop", "back", "--now");
    ck_assert(home_wait(
        &h, "SELECT count(*) FROM trials WHERE state = 'WAITING'", 1, 20000));
    EXPECT(&h, 0, "  put back: interrupted", "trials", "back");
    EXPECT(&h, 0, "put back  interrupted", "show", "back", "0");
    ck_assert_int_eq(unlink(block), 0);
    EXPECT(&h, 0, "it was stopped and goes on", "run", "--detach", config);
    home_wait_state(&h, "back", "failed", FINISH_S);
    EXPECT(&h, 1, "it had failed and goes on", "run", config);
    free(config);
    free(block);
    free(script);
    home_end(&h, "put back");
}
END_TEST

/* --- tables --------------------------------------------------------------- */

START_TEST(a_csv_has_a_column_for_each_constraint)
{
    begin();
    home_run(&h,
             home_file(&h, "c.json",
                       "{\"study\":\"c\",\"n_trials\":2,\"sampler\":"
                       "{\"type\":\"grid\"},\"objective\":{\"type\":"
                       "\"command\",\"command\":[\"sh\",\"-c\",\"echo 'parzen:"
                       " {\\\"constraints\\\": {\\\"gb, all\\\": {x}, "
                       "\\\"s\\\": -0.5}, \\\"value\\\": {x}}'\"],"
                       "\"direction\":\"minimize\",\"constraints\":"
                       "[\"gb, all\",\"s\"]},"
                       "\"params\":{\"x\":{\"choice\":[-1,1]}}}"),
             0);
    char *csv = home_expect(
        &h, 0, NULL, (const char *const[]){"export", "c", "--csv", "-", NULL});
    ck_assert_ptr_nonnull(
        strstr(csv, ",feasible,\"constraints_gb, all\",constraints_s\r\n"));
    ck_assert_ptr_nonnull(strstr(csv, ",true,-1.0,-0.5\r\n"));
    ck_assert_ptr_nonnull(strstr(csv, ",false,1.0,-0.5\r\n"));
    free(csv);
    home_end(&h, "constraints");
}
END_TEST

/* Its rows have no times of the study, but of its trials. */
START_TEST(an_exported_study_has_its_times)
{
    begin();
    home_run(&h,
             home_command(&h, "timed", "\"n_trials\":2,", "",
                          "sleep 0.1\necho 'parzen: {\"value\": 1}'\n"),
             0);
    char *file = mem_printf("%s/x.db", h.dir);
    EXPECT(&h, 0, "2 trials", "export", "timed", "--optuna", file);
    struct outcome o = CLI(&h, 30, "studies", "--json", "--db", file);
    const char *active = strstr(o.out, "\"active_ms\":");
    const char *created = strstr(o.out, "\"created\":");
    ck_assert_ptr_nonnull(active);
    ck_assert_ptr_nonnull(created);
    ck_assert_int_ge(atoi(active + strlen("\"active_ms\":")), 200);
    ck_assert_double_gt(strtod(created + strlen("\"created\":"), NULL), 1e12);
    outcome_fini(&o);
    free(file);
    home_end(&h, "an exported study");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/advice");
    TCase *c = tcase_create("advice");
    tcase_set_timeout(c, 120);
    tcase_add_test(c, true_is_not_one);
    tcase_add_test(c, numbers_are_taken_as_people_write_them);
    tcase_add_test(c, a_csv_has_a_column_for_each_constraint);
    tcase_add_test(c, help_is_given_however_it_is_asked_for);
    tcase_add_test(c, a_tokenizer_encodes_words_and_lines);
    tcase_add_test(c, what_was_put_back_has_not_failed);
    tcase_add_test(c, an_exported_study_has_its_times);
    suite_add_tcase(s, c);
    return s;
}
