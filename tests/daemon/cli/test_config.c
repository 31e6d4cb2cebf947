/* A config file and the flags that change it; texts of data files. */
#include "tests/lib/test_main.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/spec/spec.h"
#include "daemon/cli/config.h"
#include "daemon/cli/texts.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[PATH_MAX], file[PATH_MAX + 16];

static const char *const config =
    "{\"study\":\"s\",\"objective\":{\"metric\":\"val-acc\","
    "\"direction\":\"maximize\"},\"n_trials\":4,\"data\":{\"source\":"
    "\"rows.jsonl\",\"text\":\"t\",\"label\":\"l\"},\"training\":{\"lr\":"
    "{\"float\":[1e-5,1e-3],\"log\":true}}}";

static void write_file(const char *name, const char *text)
{
    char path[2 * PATH_MAX];
    struct err err;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, &err),
                     0);
}

static void setup(void)
{
    char template[] = "/tmp/parzen-cli-XXXXXX";
    char *made = mkdtemp(template);
    ck_assert_ptr_nonnull(made);
    ck_assert_ptr_nonnull(realpath(made, dir));
    snprintf(file, sizeof(file), "%s/c.json", dir);
    write_file("c.json", config);
    write_file("rows.jsonl", "{\"t\":\"a\",\"l\":\"x\"}\n{\"t\":\"\"}\n");
}

static void teardown(void)
{
    struct err err;
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

/* Read with these --set; returns the code, the sentence in err. */
static int read_with(const char **sets, size_t n, struct spec *out,
                     struct err *err)
{
    const struct config_flags flags = {.sets = sets, .n_sets = n};
    return config_read(file, &flags, out, err);
}

START_TEST(paths_start_at_the_file)
{
    struct spec spec;
    struct err err;
    char expected[2 * PATH_MAX];
    ck_assert_int_eq(read_with(NULL, 0, &spec, &err), 0);
    snprintf(expected, sizeof(expected), "%s/rows.jsonl", dir);
    ck_assert_str_eq(spec.data.sources[0], expected);
    ck_assert_int_eq(config_check_sources(file, &spec, &err), 0);
    ck_assert_uint_eq(spec.space.n, 1);
    spec_fini(&spec);
}
END_TEST

START_TEST(flags_change_values)
{
    const char *sets[] = {"training.lr=0.01", "model.mask=notebook",
                          "training.early_stopping.monitor=val-loss"};
    const struct config_flags flags = {.name = "7",
                                       .n_trials = 9,
                                       .workers = 3,
                                       .seed = 5,
                                       .has_seed = true,
                                       .sets = sets,
                                       .n_sets = ARRAY_LEN(sets)};
    struct spec spec;
    struct err err;
    ck_assert_msg(config_read(file, &flags, &spec, &err) == 0, "%s", err.msg);
    ck_assert_str_eq(spec.name, "7"); /* a name is a text, whatever it says */
    ck_assert_int_eq(spec.n_trials, 9);
    ck_assert_int_eq(spec.workers, 3);
    ck_assert_uint_eq(spec.base.seed, 5);
    ck_assert_double_eq(spec.base.lr, 0.01);
    ck_assert_int_eq(spec.base.mask, RUN_MASK_NOTEBOOK);
    ck_assert_uint_eq(spec.space.n, 0);
    spec_fini(&spec);
}
END_TEST

START_TEST(typed_sources_start_here)
{
    const char *sets[] = {"data.source=[\"a.jsonl\",\"/b.csv\",\"hf:o/n\"]"};
    char cwd[PATH_MAX], expected[2 * PATH_MAX];
    struct spec spec;
    struct err err;
    ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
    ck_assert_int_eq(read_with(sets, 1, &spec, &err), 0);
    snprintf(expected, sizeof(expected), "%s/a.jsonl", cwd);
    ck_assert_uint_eq(spec.data.n_sources, 3);
    ck_assert_str_eq(spec.data.sources[0], expected);
    ck_assert_str_eq(spec.data.sources[1], "/b.csv");
    ck_assert_str_eq(spec.data.sources[2], "hf:o/n");
    spec_fini(&spec);
    sets[0] = "data.source=a.jsonl";
    ck_assert_int_eq(read_with(sets, 1, &spec, &err), 0);
    ck_assert_str_eq(spec.data.sources[0], expected);
    ck_assert_int_eq(config_check_sources(file, &spec, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "data.source: "));
    ck_assert_ptr_nonnull(strstr(err.msg, "No such file"));
    spec_fini(&spec);
}
END_TEST

START_TEST(mistakes_name_file_path_and_reason)
{
    static const struct {
        const char *set, *words;
    } cases[] = {
        {"training.lr={\"float\":[0,1],\"log\":true}",
         "/c.json: training.lr: low must be > 0 when log"},
        {"training.learning_rate=1", "did you mean 'lr'"},
        {"study.x=1", "--set study.x=1: study: is a string, not an object"},
        {"n_trials=many", "/c.json: n_trials: "},
        {"study=\xff", "not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *sets[] = {cases[i].set};
        struct spec spec;
        struct err err;
        ck_assert_int_eq(read_with(sets, 1, &spec, &err), ERR_INVALID);
        ck_assert_msg(strstr(err.msg, cases[i].words) != NULL,
                      "'%s' lacks '%s'", err.msg, cases[i].words);
    }
}
END_TEST

START_TEST(a_missing_or_broken_file_is_a_mistake_too)
{
    struct spec spec;
    struct err err;
    const struct config_flags none = {.n_sets = 0};
    ck_assert_int_eq(config_read("/nonexistent.json", &none, &spec, &err),
                     ERR_INVALID);
    write_file("c.json", "{\"study\":");
    ck_assert_int_eq(read_with(NULL, 0, &spec, &err), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.msg, "/c.json: line 1"));
}
END_TEST

START_TEST(texts_need_no_label)
{
    struct texts texts;
    struct err err;
    char path[2 * PATH_MAX];
    snprintf(path, sizeof(path), "%s/rows.jsonl", dir);
    ck_assert_int_eq(texts_read(path, "t", 0, &texts, &err), 0);
    ck_assert_uint_eq(texts.n, 2);
    ck_assert_uint_eq(texts.spans[0].len, 1);
    ck_assert_uint_eq(texts.spans[1].len, 0);
    texts_fini(&texts);
    ck_assert_int_eq(texts_read(path, "t", 1, &texts, &err), 0);
    ck_assert_uint_eq(texts.n, 1);
    texts_fini(&texts);
    ck_assert_int_eq(texts_read(path, "nix", 0, &texts, &err), ERR_INVALID);
    write_file("rows.csv", "id,t\n1,\"a,b\"\n2,\n");
    snprintf(path, sizeof(path), "%s/rows.csv", dir);
    ck_assert_int_eq(texts_read(path, "t", 0, &texts, &err), 0);
    ck_assert_uint_eq(texts.n, 2);
    ck_assert_mem_eq(texts.spans[0].at, "a,b", 3);
    texts_fini(&texts);
}
END_TEST

/* As execvp finds it from the command's folder. */
START_TEST(a_command_is_looked_for_as_the_worker_would)
{
    static const struct {
        const char *path, *program;
        bool is_found;
    } cases[] = {{"/bin:/usr/bin", "sh", true}, {NULL, "sh", true},
                 {"/nowhere:/bin", "sh", true}, {"/nowhere", "sh", false},
                 {"/nowhere", "/bin/sh", true}, {"tools", "mine", true},
                 {"/nowhere:", "mine", false},  {"/nowhere:", "here", true},
                 {"/bin", "./here", true},      {"/bin", "tools/mine", true},
                 {"/bin", "./none", false},     {"/bin", "./tools", false},
                 {"/bin", "./plain", false},    {"/nowhere", "{x}", false},
                 {"/nowhere", "run-{y}", true}};
    char *kept = mem_strdup(getenv("PATH"));
    char *make = mem_printf("cd '%s' && mkdir -p tools && touch here plain"
                            " tools/mine && chmod +x here tools/mine",
                            dir);
    ck_assert_int_eq(system(make), 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct spec spec;
        struct err err;
        spec_defaults(&spec);
        spec.objective = SPEC_OBJECTIVE_COMMAND;
        free(spec.work.directory);
        spec.work.directory = mem_strdup(dir);
        spec.space.params = mem_alloc(1, sizeof(struct param));
        spec.space.params[spec.space.n++].name = mem_strdup("y");
        spec.work.command = mem_alloc(1, sizeof(char *));
        spec.work.command[spec.work.n_command++] = mem_strdup(cases[i].program);
        if (cases[i].path != NULL) {
            setenv("PATH", cases[i].path, 1);
        } else {
            unsetenv("PATH");
        }
        int rc = config_check_sources("c.json", &spec, &err);
        setenv("PATH", kept, 1);
        ck_assert_msg((rc == 0) == cases[i].is_found, "%zu: %s", i,
                      rc != 0 ? err.msg : "found");
        spec_fini(&spec);
    }
    free(make);
    free(kept);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, paths_start_at_the_file);
    tcase_add_test(t, flags_change_values);
    tcase_add_test(t, typed_sources_start_here);
    tcase_add_test(t, mistakes_name_file_path_and_reason);
    tcase_add_test(t, a_missing_or_broken_file_is_a_mistake_too);
    tcase_add_test(t, texts_need_no_label);
    tcase_add_test(t, a_command_is_looked_for_as_the_worker_would);
    suite_add_tcase(s, t);
    return s;
}
