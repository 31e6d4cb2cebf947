/* Tables, functions and commands, from the config to the database. */
#include "core/base/mem.h"
#include "tests/lib/home.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const two_workers[] = {"--workers", "2", NULL};

START_TEST(a_function_is_searched)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(
        &h,
        home_file(&h, "f.json",
                  "{\"study\":\"f\",\"n_trials\":40,\"objective\":{\"type\":"
                  "\"function\",\"function\":\"branin\"},\"params\":{"
                  "\"x\":{\"float\":[-5,10]},\"y\":{\"float\":[0,15]}}}"),
        0);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trial_values"
                                    " WHERE value > 0.397887"),
                     40);
    ck_assert_int_ge(
        home_count(&h, "SELECT count(*) FROM trial_values WHERE value < 5"), 1);
    home_fini(&h);
}
END_TEST

START_TEST(a_table_is_searched_until_it_is_exhausted)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    (void)home_file(&h, "table.json",
                    "{\"space\":[{\"name\":\"op\",\"values\":[\"p\",\"q\"]},"
                    "{\"name\":\"n\",\"values\":[10,20,30]}],"
                    "\"values\":[6,5,4,3,2,1]}");
    home_run(
        &h,
        home_file(&h, "t.json",
                  "{\"study\":\"t\",\"n_trials\":50,\"workers\":2,"
                  "\"sampler\":{\"type\":\"tpe\",\"duplicates\":\"avoid\"},"
                  "\"objective\":{\"type\":\"table\",\"path\":\"table.json\"},"
                  "\"params\":{\"op\":{\"choice\":[\"p\",\"q\"]},"
                  "\"n\":{\"int\":[0,2]}}}"),
        0);
    ck_assert_int_eq(home_count(&h, "SELECT count(DISTINCT value)"
                                    " FROM trial_values"),
                     6);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 6);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_configs WHERE"
                                    " state = 'finished' AND reason LIKE"
                                    " '%space is exhausted%6 points%'"),
                     1);
    /* the workers know the table by now, but not a changed one */
    (void)home_file(&h, "table.json",
                    "{\"space\":[{\"name\":\"op\",\"values\":[\"p\"]}],"
                    "\"values\":[17]}");
    home_run(
        &h,
        home_file(&h, "u.json",
                  "{\"study\":\"u\",\"n_trials\":1,"
                  "\"objective\":{\"type\":\"table\",\"path\":\"table.json\"},"
                  "\"params\":{\"op\":{\"choice\":[\"p\"]}}}"),
        0);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_values WHERE value = 17"),
        1);
    home_fini(&h);
}
END_TEST

START_TEST(a_command_reports_and_is_given_its_parameters)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(
        &h,
        home_command(&h, "c", "\"n_trials\":6,", "\"direction\":\"maximize\",",
                     "test \"$1\" = \"$PARZEN_PARAM_x\" || exit 3\n"
                     "grep -q \"\\\"x\\\":$1\" $PARZEN_PARAMS_FILE || exit 4\n"
                     "test $PARZEN_PARAM_k = a -o -z \"$PARZEN_PARAM_y\""
                     " || exit 5\n"
                     "echo 'parzen: {\"step\": 1, \"value\": 2}'\n"
                     "echo 'parzen: {\"step\": 5, \"value\": '$1'}'\n"
                     "echo 'parzen: {\"step\": 7, \"value\": 0}'\n"),
        0);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_values v JOIN trial_params p"
                       " USING (trial_id) WHERE p.param_name = 'x' AND"
                       " v.value = max(p.param_value, 2)"),
        6);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM"
                                    " trial_intermediate_values WHERE step IN"
                                    " (1, 5, 7)"),
                     18);
    /* y is there exactly where k is a (the first choice) */
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trial_params WHERE param_name ="
                       " 'y'"),
        home_count(&h, "SELECT count(*) FROM trial_params WHERE param_name ="
                       " 'k' AND param_value = 0"));
    /* what is not there is not missed by the next daemon */
    home_kill_daemon(&h);
    home_start(&h, two_workers);
    struct outcome o = CLI(&h, 30, "show", "c", "0");
    ck_assert_msg(strstr(o.out, "step   value\n") != NULL, "%s", o.out);
    outcome_fini(&o);
    o = CLI(&h, 30, "predict", "c", "hello");
    ck_assert_msg(o.code == 1 && strstr(o.err, "no models") != NULL, "%s",
                  o.err);
    outcome_fini(&o);
    o = CLI(&h, 60, "doctor"); /* steps have gaps, trials their own folders */
    ck_assert_msg(o.code == 0, "%s", o.out);
    outcome_fini(&o);
    home_fini(&h);
}
END_TEST

START_TEST(a_commands_values_have_its_metrics_name)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    EXPECT(&h, 0, "complete: f1 2 (best so far)", "run",
           home_command(&h, "m", "\"n_trials\":1,",
                        "\"metric\":\"f1\",\"direction\":\"maximize\",",
                        "echo 'parzen: {\"step\": 1, \"value\": 2}'\n"));
    home_kill_daemon(&h); /* the next one knows it, too */
    home_start(&h, two_workers);
    EXPECT(&h, 0, "trial  state         f1  step", "trials", "m");
    EXPECT(&h, 0, "trial  state         f1  step", "trials", "m", "--sort",
           "f1");
    EXPECT(&h, 0, "f1  step", "trials", "m", "--sort", "step"); /* its titles */
    EXPECT(&h, 0, "f1  step", "trials", "m", "--sort", "trial");
    EXPECT(&h, 0, "step      f1\n   1  2.0000", "show", "m", "0");
    EXPECT(&h, 0, "\"metric\":\"f1\"", "--json", "status", "m");
    EXPECT(&h, 0, "\nf1 ", "show", "m", "0");
    char *file = mem_printf("%s/optunas.db", h.dir); /* has no config */
    EXPECT(&h, 0, NULL, "export", "m", "--optuna", file);
    EXPECT(&h, 0, "trial  state         f1  step", "trials", "m", "--db", file);
    EXPECT(&h, 0, "step      f1\n   1  2.0000", "show", "m", "0", "--db", file);
    EXPECT(&h, 0, "\"best_epoch\":1", "--json", "show", "m", "0", "--db", file);
    free(file);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM study_system_attributes WHERE"
                       " value_json = '[\"f1\"]'"),
        1);
    home_fini(&h);
}
END_TEST

/* objective.of: which of the steps is the value, of equals the first. */
START_TEST(a_commands_value_is_of_the_best_or_the_last_step)
{
    static const struct {
        const char *of, *value;
    } CASES[] = {{"\"of\":\"best\",", "0.25|3"},
                 {"\"of\":\"last\",", "0.75|9"}};
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char *name = mem_printf("of%zu", i);
        home_run(
            &h,
            home_command(&h, name, "\"n_trials\":1,", CASES[i].of,
                         "echo 'parzen: {\"step\": 1, \"value\": 0.5}'\n"
                         "echo 'parzen: {\"step\": 3, \"value\": 0.25}'\n"
                         "echo 'parzen: {\"step\": 4, \"value\": 0.25}'\n"
                         "echo 'parzen: {\"step\": 9, \"value\": 0.75}'\n"),
            0);
        char *sql = mem_printf("SELECT format('%%.2f|%%d', value, best_epoch)"
                               " FROM trial_values JOIN parzen_trials USING"
                               " (trial_id) WHERE trial_id = %zu",
                               i + 1);
        char *rows = home_sql(&h, sql);
        ck_assert_int_eq(strncmp(rows, CASES[i].value, 6), 0);
        free(rows);
        free(sql);
        free(name);
    }
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* How a command can end badly, and what is said of it. */
static const struct {
    const char *script, *limits, *cause;
} ENDS[] = {
    {"exit 7", "", "exit"},
    {"kill -SEGV $$", "", "signal"},
    {"echo done", "", "no-metric"},
    {"echo 'parzen: {\"value\": NaN}'", "", "nan"},
    {"echo 'parzen: {\"value\": null}'", "", "nan"},
    {"echo 'parzen: {value}'", "", "no-metric"},
    {"echo 'parzen: {\"step\": 1000000000, \"value\": 1}'", "", "no-metric"},
    {"sleep 1000 & sleep 1000", "\"timeout_seconds\":0.3,", "timeout"},
    {"exec awk 'BEGIN { for (i = 0; i < 2000000; i++) a[i] = i;"
     " system(\"sleep 60\") }'",
     "\"memory_mb\":50,", "oom"},
    {"yes", "\"output_mb\":1,", "exit"},
    {"exec no-such-program", "", "exit"},
};

START_TEST(the_status_says_why_a_trial_failed)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(&h,
             home_command(
                 &h, "why",
                 "\"n_trials\":2,\"workers\":1,\"stop\":{\"max_failures\":1},",
                 "",
                 "echo 'parzen: {\"step\": 1, \"value\": 2}'\n"
                 "echo 'lr is too high' >&2\n"
                 "exit 3\n"),
             1);
    EXPECT(&h, 0, "trial 0, exit: it ended with exit code 3: lr is too high\n",
           "status", "why");
    EXPECT(&h, 0, "it ended with exit code 3: lr is too high", "show", "why",
           "0");
    home_fini(&h);
}
END_TEST

/* What a line meant and did not say must not become the value, nor be guessed
 * at: the sentence quotes the line. */
static const struct {
    const char *line, *says;
} BAD_LINES[] = {
    {"{\"stp\": 1, \"value\": 0.5}",
     "the line 'parzen: {\"stp\": 1, \"value\": 0.5}' is refused: \"stp\" is "
     "an "
     "unknown key (did you mean \"step\"?)\n"},
    {"{\"loss\": 1}", "\"loss\" is an unknown key (known: step, value, "},
    {"{\"value\": \"0.5\"}", "\"value\" must be a number, not a string\n"},
    {"{\"value\": \"Infinity\"}", "\"value\" must be a number, not a string\n"},
    {"{\"step\": 3}", "it has no \"value\"\n"},
    {"{\"step\": \"3\", \"value\": 1}", "\"step\" must be a whole number"},
    {"[1]", "it is a list, not an object\n"},
    {"{\"constraints\": [1], \"value\": 1}",
     "\"constraints\" must be a number"},
    {"\033[1m", "the line 'parzen: \\x1b[1m' is refused: it is not JSON\n"},
    {"0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789",
     "89012345678901...' is refused: it is not JSON\n"},
};

START_TEST(a_bad_line_is_quoted)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    for (size_t i = 0; i < ARRAY_LEN(BAD_LINES); i++) {
        char *name = mem_printf("bad%zu", i);
        char *script = mem_printf("echo 'parzen: %s'\n"
                                  "echo 'parzen: {\"value\": 1}'\n",
                                  BAD_LINES[i].line);
        home_run(&h,
                 home_command(&h, name,
                              "\"n_trials\":1,\"stop\":{\"max_failures\":1},",
                              "", script),
                 1);
        EXPECT(&h, 0, "trial 0, no-metric: ", "status", name);
        EXPECT(&h, 0, BAD_LINES[i].says, "status", name);
        free(script);
        free(name);
    }
    home_fini(&h);
}
END_TEST

/* A progress bar on standard error: of its states the last remains, and what
 * is reported meanwhile counts. */
START_TEST(lines_of_two_streams_stay_whole)
{
    static const char *const lines[] = {
        "\nparzen: {\"step\": 1, \"value\": 2}\n", "\n100% |##|\n",
        "\nwithout an end\n"};
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(&h,
             home_command(&h, "bar", "\"n_trials\":1,", "",
                          "printf '  0%% |' >&2; printf '\\r 50%% |#' >&2\n"
                          "echo 'parzen: {\"step\": 1, \"value\": 2}'\n"
                          "printf '\\r100%% |##|\\n' >&2\n"
                          "printf 'without an end'\n"),
             0);
    char *log = home_expect(&h, 0, NULL,
                            (const char *const[]){"log", "bar", "0", NULL});
    char *text = mem_printf("\n%s", log);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        ck_assert_msg(strstr(text, lines[i]) != NULL, "%s", log);
    }
    ck_assert_msg(strstr(text, "50%") == NULL, "%s", log);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_epochs"), 1);
    free(text);
    free(log);
    home_fini(&h);
}
END_TEST

START_TEST(every_bad_end_has_its_cause)
{
    struct home h;
    char sql[160];
    home_init(&h);
    home_start(&h, two_workers);
    home_run(&h,
             home_command(&h, "bad",
                          "\"n_trials\":2,\"stop\":{\"max_failures\":1},"
                          "\"workers\":1,",
                          ENDS[_i].limits, ENDS[_i].script),
             1);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM parzen_trials WHERE cause = '%s' AND"
             " attempt = 1",
             ENDS[_i].cause);
    ck_assert_msg(home_count(&h, sql) == 1, "%s",
                  home_sql(&h, "SELECT cause, message FROM parzen_trials"));
    EXPECT(&h, 0, "1 trial failed (", "status", "bad");
    home_fini(&h);
}
END_TEST

/* What is no parameter reaches the program as it stands, and a mistyped one is
 * not searched in vain without a word. */
START_TEST(names_of_no_parameter_are_said)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    const char *config = home_file(
        &h, "n.json",
        "{\"study\":\"n\",\"n_trials\":1,\"objective\":{\"type\":\"command\","
        "\"command\":[\"sh\",\"-c\",\"echo 1 | awk '{print}' && test "
        "$0$1 = '{lr_}{lr_}'0.5 && echo 'parzen: {\\\"value\\\": 1}' "
        "&& : ${HOME}\",\"{lr_}{lr_}\",\"{lr}\"]},"
        "\"params\":{\"lr\":{\"choice\":[0.5]}}}");
    struct outcome o = CLI(&h, 60, "--json", "run", config);
    ck_assert_msg(o.code == 0, "%d: %s%s", o.code, o.out, o.err);
    ck_assert_int_eq(o.out[0], '{');
    ck_assert_ptr_null(strstr(o.out, "is no parameter"));
    const char *at =
        strstr(o.err, "objective.command: {lr_} is no parameter of this study; "
                      "it is passed on as it stands (did you mean {lr}?)\n");
    ck_assert_msg(at != NULL, "%s", o.err);
    ck_assert_msg(strstr(strchr(at, '\n'), "{lr_}") == NULL, "%s", o.err);
    ck_assert_ptr_nonnull(strstr(o.err,
                                 "{print} is no parameter of this study; "
                                 "it is passed on as it stands\n"));
    ck_assert_ptr_null(strstr(o.err, "{HOME}"));
    ck_assert_ptr_null(strstr(o.err, "{lr} "));
    outcome_fini(&o);
    home_fini(&h);
}
END_TEST

START_TEST(a_training_is_the_classifiers)
{
    static const char *const objectives[][2] = {
        {"a command", "\"type\":\"command\",\"command\":[\"true\"]"},
        {"a table", "\"type\":\"table\",\"path\":\"t.json\""},
        {"a function", "\"type\":\"function\",\"function\":\"sphere\""}};
    struct home h;
    home_init(&h);
    for (size_t i = 0; i < ARRAY_LEN(objectives); i++) {
        char *text = mem_printf("{\"study\":\"o\",\"objective\":{%s},"
                                "\"params\":{\"x\":{\"float\":[0,1]}}}",
                                objectives[i][1]);
        char *says = mem_printf("o.json: the objective is %s; train does one "
                                "training of the classifier\n",
                                objectives[i][0]);
        EXPECT(&h, 2, says, "train", home_file(&h, "o.json", text));
        free(says);
        free(text);
    }
    home_fini(&h);
}
END_TEST

START_TEST(wrong_names_burn_no_trials)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    const char *const function =
        "{\"study\":\"w\",\"objective\":{\"type\":\"function\","
        "\"function\":\"spere\"},\"params\":{\"x\":{\"float\":[0,1]}}}";
    EXPECT(&h, 2,
           "w.json: objective.function: must be one of sphere, branin, "
           "hartmann6, rosenbrock, rastrigin, ackley, levy, styblinski-tang, "
           "michalewicz, shekel10, not 'spere'",
           "run", home_file(&h, "w.json", function));
    EXPECT(&h, 2, "w.json: params: branin takes 2 numbers, not 1", "run",
           home_file(&h, "w.json", function), "--set",
           "objective.function=branin");
    static const char table[] = "objective={\"type\":\"table\",\"path\":\"t\"}";
    EXPECT(&h, 2, "w.json: objective.path: /", "run",
           home_file(&h, "w.json", function), "--set", table);
    EXPECT(&h, 2, "/t: No such file", "run", home_file(&h, "w.json", function),
           "--set", table);
    (void)home_file(&h, "t",
                    "{\"space\":[{\"name\":\"x\",\"values\":[1,2]}],"
                    "\"values\":[1,2]}");
    EXPECT(&h, 2, "/t: params.x: must be an index from 0 to 1", "run",
           home_file(&h, "w.json", function), "--set", table);
    EXPECT(&h, 2, "w.json: pruner.lower: missing", "run",
           home_file(&h, "w.json", function), "--set",
           "objective.function=sphere", "--set", "pruner.type=threshold");
    const char *const command =
        home_file(&h, "w.json",
                  "{\"study\":\"w\",\"objective\":{\"type\":\"command\","
                  "\"command\":[\"pyhton\",\"{x}\"]},"
                  "\"params\":{\"x\":{\"float\":[0,1]}}}");
    EXPECT(&h, 2, "w.json: objective.command: pyhton: no such program on",
           "run", command);
    EXPECT(&h, 2, "objective.command: ./t: not a program that may be run",
           "run", command, "--set", "objective.command=[\"./t\"]");
    EXPECT(&h, 2, "objective.command: ./none: No such file", "run", command,
           "--set", "objective.command=[\"./none\"]");
    EXPECT(&h, 2, "/t: Not a directory", "run", command, "--set",
           "objective.directory=t");
    char *reply;
    ck_assert_int_eq(home_http(&h, "POST", "/studies", function, &reply), 400);
    ck_assert_ptr_nonnull(strstr(reply, "not 'spere'"));
    free(reply);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM studies"), 0);
    home_fini(&h);
}
END_TEST

/* Complete they are: what they lack is said. */
START_TEST(none_is_feasible)
{
    static const char config[] =
        "{\"study\":\"no\",\"n_trials\":%d,\"objective\":{\"type\":\"command\","
        "\"constraints\":[\"a\"],\"command\":[\"echo\",\"parzen: "
        "{\\\"constraints\\\":[1],\\\"value\\\":{x}}\"]},"
        "\"params\":{\"x\":{\"int\":[0,99]}}}";
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    char *one = mem_printf(config, 1), *more = mem_printf(config, 3);
    EXPECT(&h, 1, "study 'no': its complete trial is infeasible\n", "run",
           home_file(&h, "no.json", one));
    EXPECT(&h, 1, "study 'no': none of its 3 complete trials is feasible\n",
           "run", home_file(&h, "no.json", more));
    EXPECT(&h, 1, "study 'no': none of its 3 complete trials is feasible\n",
           "best", "no");
    free(one);
    free(more);
    home_fini(&h);
}
END_TEST

/* More at once than the daemon would take from a worker that is not held back
 * (it was ended as a flood after some 8,000). */
START_TEST(a_command_may_tell_fast)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(&h,
             home_command(
                 &h, "fast", "\"n_trials\":1,", "",
                 "seq -f 'parzen: {\"step\": %.0f, \"value\": 1}' 1 10000\n"),
             0);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_trials JOIN"
                                    " trial_intermediate_values USING"
                                    " (trial_id) WHERE attempt = 1"),
                     10000);
    home_fini(&h);
}
END_TEST

/* Nor does it flood a daemon that was away for a while: what it says meanwhile
 * waits with it, not in the daemon's channel. */
START_TEST(a_command_waits_for_a_slow_daemon)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    EXPECT(&h, 0, NULL, "run", "--detach",
           home_command(
               &h, "fast", "\"n_trials\":1,", "",
               "seq -f 'parzen: {\"step\": %.0f, \"value\": 1}' 1 8000\n"));
    ck_assert(home_wait(&h, "SELECT count(*) FROM trial_intermediate_values",
                        10, 20000));
    kill(h.daemon, SIGSTOP);
    home_sleep_ms(12000);
    kill(h.daemon, SIGCONT);
    home_wait_state(&h, "fast", "finished", 120);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_trials JOIN"
                                    " trial_intermediate_values USING"
                                    " (trial_id) WHERE attempt = 1"),
                     8000);
    home_fini(&h);
}
END_TEST

/* A step that does not ascend is lost, but not without a word: one an attempt,
 * behind the line that it is about. */
START_TEST(steps_ascend)
{
    struct home h;
    home_init(&h);
    home_start(&h, two_workers);
    home_run(&h,
             home_command(&h, "down", "\"n_trials\":1,", "",
                          "echo 'parzen: {\"step\": 3, \"value\": 7}'\n"
                          "echo 'parzen: {\"step\": 3, \"value\": 7}'\n"
                          "echo 'parzen: {\"step\": 2, \"value\": 5}'\n"
                          "echo 'parzen: {\"step\": 3, \"value\": 6}'\n"
                          "printf 'parzen: {\"step\": 1, \"value\": 4}'\n"),
             0);
    char *log = home_expect(&h, 0, NULL,
                            (const char *const[]){"log", "down", "0", NULL});
    const char *says =
        "\"step\": 2, \"value\": 5}\ntrial 0: step 2 is ignored: "
        "steps must ascend, and step 3 was told before it\n";
    ck_assert_msg(strstr(log, says) != NULL, "%s", log);
    ck_assert_ptr_null(strstr(strstr(log, "is ignored") + 1, "is ignored"));
    free(log);
    EXPECT(&h, 0, "7", "best", "down");
    home_run(&h,
             home_command(&h, "open", "\"n_trials\":1,", "",
                          "echo 'parzen: {\"step\": 3, \"value\": 7}'\n"
                          "printf 'parzen: {\"step\": 1, \"value\": 4}'\n"),
             0);
    EXPECT(&h, 0, "\"value\": 4}\ntrial 0: step 1 is ignored", "log", "open",
           "0");
    home_run(&h,
             home_command(&h, "same", "\"n_trials\":1,", "",
                          "echo 'parzen: {\"step\": 3, \"value\": 7}'\n"
                          "echo 'parzen: {\"step\": 3, \"value\": 7}'\n"),
             0);
    log = home_expect(&h, 0, NULL,
                      (const char *const[]){"log", "same", "0", NULL});
    ck_assert_ptr_null(strstr(log, "is ignored"));
    free(log);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("objectives end to end");
    TCase *t = tcase_create("objectives");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_function_is_searched);
    tcase_add_test(t, a_table_is_searched_until_it_is_exhausted);
    tcase_add_test(t, the_status_says_why_a_trial_failed);
    tcase_add_test(t, a_bad_line_is_quoted);
    tcase_add_test(t, lines_of_two_streams_stay_whole);
    tcase_add_test(t, a_commands_values_have_its_metrics_name);
    tcase_add_test(t, a_commands_value_is_of_the_best_or_the_last_step);
    tcase_add_test(t, a_command_reports_and_is_given_its_parameters);
    tcase_add_loop_test(t, every_bad_end_has_its_cause, 0,
                        sizeof(ENDS) / sizeof(ENDS[0]));
    tcase_add_test(t, names_of_no_parameter_are_said);
    tcase_add_test(t, a_training_is_the_classifiers);
    tcase_add_test(t, wrong_names_burn_no_trials);
    tcase_add_test(t, none_is_feasible);
    tcase_add_test(t, a_command_may_tell_fast);
    tcase_add_test(t, a_command_waits_for_a_slow_daemon);
    tcase_add_test(t, steps_ascend);
    suite_add_tcase(s, t);
    return s;
}
