/* A study knows the columns of its data: another file that has them needs no
 * options, whatever kind of file it is. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_S = 60 };

static struct home home;

/* A study of one trial over texts in `words` and labels in `kind`. */
static void setup(void)
{
    home_init(&home);
    (void)home_data(&home, 80, 2);
    char *config = mem_strdup(
        home_config(&home, "own", "\"n_trials\": 1,", "\"max_epochs\": 1,"));
    char *rename = mem_printf("cd %s && sed -i 's/\"text\"/\"words\"/; "
                              "s/\"label\"/\"kind\"/' data.jsonl && sed -i "
                              "'s/\"text\": \"text\"/\"text\": \"words\"/; "
                              "s/\"label\": \"label\"/\"label\": \"kind\"/' %s",
                              home.dir, config);
    ck_assert_int_eq(system(rename), 0);
    home_start(&home, (const char *const[]){"--workers", "1", NULL});
    home_post(&home, config);
    home_wait_state(&home, "own", "finished", RUN_S);
    free(rename);
    free(config);
}

static void teardown(void)
{
    home_fini(&home);
}

/* DIR/name with this text; owned. */
static char *put(const char *name, const char *text)
{
    return mem_strdup(home_file(&home, name, text));
}

START_TEST(evaluate_looks_for_the_studys_columns)
{
    char *csv = put("a.csv", "kind,words,text\nclass 0,red,x\n");
    char *text = put("b.csv", "text,kind\nred,class 0\n");
    char *label = put("c.csv", "words,label\nred,class 0\n");
    char *other = put("d.jsonl", "{\"text\":\"red\",\"label\":\"class 0\"}\n");
    EXPECT(&home, 0, "of 1)", "evaluate", "own", "--data", csv);
    EXPECT(&home, 0, "of 1)", "evaluate", "own", "--trial", "0", "--data", csv);
    EXPECT(&home, 0, "of 1)", "evaluate", "own", "--data", csv, "--text",
           "text");
    EXPECT(&home, 0, "of 1)", "evaluate", "own", "--data", other, "--text",
           "text", "--label", "label");
    EXPECT(&home, 2,
           "no field 'words' (it has: text, label; the study's data.text "
           "'words' and data.label 'kind', or --text and --label, name them)",
           "evaluate", "own", "--data", other);
    EXPECT(&home, 2,
           "no column 'kind' (the header has: words, label; --text and the "
           "study's data.label 'kind', or --label, name them)",
           "evaluate", "own", "--data", label, "--text", "words");
    EXPECT(&home, 2,
           "no column 'words' (the header has: text, kind; the study's "
           "data.text 'words', or --text, and --label name them)",
           "evaluate", "own", "--data", text, "--label", "kind");
    free(other);
    free(label);
    free(text);
    free(csv);
}
END_TEST

START_TEST(exported_models_know_their_columns)
{
    char *csv = put("a.csv", "kind,words,text\nclass 0,red,x\n");
    char *other = put("d.jsonl", "{\"text\":\"red\",\"label\":\"class 0\"}\n");
    char *model = mem_printf("%s/model", home.dir);
    char *again = mem_printf("%s/again", home.dir);
    EXPECT(&home, 0, NULL, "export", "own", model);
    EXPECT(&home, 0, NULL, "export", model, again);
    EXPECT(&home, 0, "of 1)", "evaluate", model, "--data", csv);
    EXPECT(&home, 0, "\"text\":\"red\"", "predict", again, "--jsonl", "--file",
           csv);
    EXPECT(&home, 2,
           "; the model's columns.text 'words' and columns.label 'kind', or "
           "--text and --label, name them)",
           "evaluate", model, "--data", other);
    EXPECT(&home, 2, "; the model's columns.text, or --field, names it)",
           "predict", model, "--file", other);
    /* those of before do not */
    char *forget = mem_printf("sed -i 's/\"columns\":{[^}]*},//' "
                              "%s/config.json",
                              again);
    ck_assert_int_eq(system(forget), 0);
    EXPECT(&home, 0, "of 1)", "evaluate", again, "--data", other);
    EXPECT(&home, 2, "; --text and --label name them)", "evaluate", again,
           "--data", csv);
    free(forget);
    free(again);
    free(model);
    free(other);
    free(csv);
}
END_TEST

/* Each of these files predicted gives the same; owned. */
static char *predicted_alike(char *const *files, size_t n)
{
    char *first = NULL;
    for (size_t i = 0; i < n; i++) {
        const char *const args[] = {"predict", "own",     "--file",
                                    files[i],  "--jsonl", NULL};
        const char *const plain[] = {"predict", "own", "--file", files[i],
                                     NULL};
        char *lines = home_expect(&home, 0, NULL, args);
        free(home_expect(&home, 0, "class ", plain));
        if (first == NULL) {
            first = lines;
            continue;
        }
        home_same(first, lines, files[i]);
        free(lines);
    }
    return first;
}

START_TEST(predict_reads_what_data_sets_are)
{
    char *files[] = {
        put("a.csv", "kind,words\nx,red\nx,\"\"\"moon\"\",\n1\"\n\n,\n"),
        put("a.TSV", "words\tkind\r\nred\tx\r\n\"\"\"moon\"\",\n1\""
                     "\tx\r\n\t\r\n"),
        put("a.jsonl", "{\"words\":\"red\"}\n"
                       "{\"words\":\"\\\"moon\\\",\\n1\"}\n"
                       "{\"words\":\"\",\"text\":\"x\"}\n"),
    };
    char *list = put("a.json", "[{\"words\":\"red\"},\n{\"words\":\"blue\"}]");
    char *lines = predicted_alike(files, 3);
    ck_assert_ptr_nonnull(strstr(lines, "\"text\":\"\\\"moon\\\",\\n1\""));
    ck_assert_ptr_nonnull(strstr(lines, "\"text\":\"\"}\n"));
    EXPECT(&home, 0, "\"text\":\"blue\"", "--json", "predict", "own", "--file",
           list);
    EXPECT(&home, 0, "\"text\":\"x\"", "--json", "predict", "own", "--file",
           files[0], "--field", "kind");
    /* whoever asks for JSON lines may always say text */
    char *text = put("t.json", "{\"text\":\"red\"}\n");
    EXPECT(&home, 0, "\"text\":\"red\"", "predict", "own", "--jsonl", "--file",
           text);
    free(text);
    free(lines);
    free(list);
    for (size_t i = 0; i < 3; i++) {
        free(files[i]);
    }
}
END_TEST

/* With file, line and reason, as evaluate does; what comes before them is
 * predicted. */
START_TEST(predict_names_bad_rows)
{
    char *csv = put("b.csv", "words,kind\n\"red\nred\",x\nblue\n");
    char *jsonl = put("b.jsonl", "{\"words\":\"red\"}\n\n{\"words\":1}\n");
    char *empty = put("e.tsv", "words\n");
    char *said = home_expect(
        &home, 2, "b.csv: line 4, byte 23: 1 column where the header has 2",
        (const char *const[]){"predict", "own", "--file", csv, NULL});
    ck_assert_int_eq(strncmp(said, "class ", 6), 0);
    ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
    free(said);
    EXPECT(&home, 2, "b.jsonl: line 3, byte 17: 'words' must be a string",
           "predict", "own", "--file", jsonl);
    EXPECT(&home, 2,
           "no column 'text' (the header has: words, kind; --field names it)",
           "predict", "own", "--file", csv, "--field", "text");
    EXPECT(&home, 2,
           "no column 'words' (the header has: text; the study's data.text, "
           "or --field, names it)",
           "predict", "own", "--file",
           home_file(&home, "c.csv", "text\nred\n"));
    EXPECT(&home, 2, "no.csv: No such file", "predict", "own", "--file",
           "no.csv");
    EXPECT(&home, 0, "[]", "--json", "predict", "own", "--file", empty);
    free(empty);
    free(jsonl);
    free(csv);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("own columns end to end");
    TCase *t = tcase_create("own columns");
    tcase_set_timeout(t, 180);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, evaluate_looks_for_the_studys_columns);
    tcase_add_test(t, exported_models_know_their_columns);
    tcase_add_test(t, predict_reads_what_data_sets_are);
    tcase_add_test(t, predict_names_bad_rows);
    suite_add_tcase(s, t);
    return s;
}
