/* A study knows the columns of its data: another file that has them needs no
 * options. */
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
    /* a model's folder knows no study */
    char *model = mem_printf("%s/model", home.dir);
    EXPECT(&home, 0, NULL, "export", "own", model);
    EXPECT(&home, 0, "of 1)", "evaluate", model, "--data", other);
    EXPECT(&home, 2, "; --text and --label name them)", "evaluate", model,
           "--data", label);
    free(model);
    free(other);
    free(label);
    free(text);
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
    suite_add_tcase(s, t);
    return s;
}
