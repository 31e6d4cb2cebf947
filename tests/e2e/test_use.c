/* What people do with the model that a study found: evaluate, predict, export;
 * with a daemon and without. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/nn/kernels.h"
#include "tests/lib/home_study.h"
#include "tests/lib/parsed.h"
#include "tests/lib/test_main.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_S = 60 };

static struct home home;
static char model[400], data[400];

static void setup(void)
{
    home_init(&home);
    snprintf(data, sizeof(data), "%s", home_data(&home, 200, 4));
    snprintf(model, sizeof(model), "%s/out/model", home.dir);
}

static void teardown(void)
{
    home_fini(&home);
}

/* A study of two trials, done; the daemon runs. */
static void make_study(void)
{
    const char *config =
        home_config(&home, "used", "\"n_trials\": 2, \"seed\": 5,",
                    "\"max_epochs\": 3, \"batch_size\": 8,");
    home_start(&home, (const char *const[]){"--workers", "1", NULL});
    home_post(&home, config);
    home_wait_state(&home, "used", "finished", RUN_S);
}

static char *run(const char *const *args)
{
    return home_expect(&home, 0, NULL, args);
}
#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

static double number(const struct json *object, const char *key)
{
    const struct json *v = json_get(object, key);
    ck_assert_msg(v != NULL && json_kind(v) == JSON_NUMBER, "%s", key);
    return json_number(v);
}

static size_t count(const char *bytes, size_t len, const char *word)
{
    size_t n = 0;
    const char *at = bytes;
    while ((at = memmem(at, len - (size_t)(at - bytes), word, strlen(word))) !=
           NULL) {
        n++;
        at += strlen(word);
    }
    return n;
}

/* --- a study, then a folder that needs nothing
 * -------------------------------- */

static char *keep(const char *name, char *text)
{
    char *path = mem_printf("%s/%s", home.dir, name);
    struct err err;
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, &err),
                     0);
    free(text);
    return path;
}

/* Other people's program must end with 0; it ends with 77 where it is absent.
 * The command is taken. */
static void peer_must_agree(char *command, const char *without)
{
    char answer[256] = "";
    FILE *peer = popen(command, "r");
    char *line = fgets(answer, sizeof(answer), peer);
    int status = pclose(peer);
    if (line == NULL && WIFEXITED(status) &&
        (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127)) {
        fprintf(stderr, "SKIPPED: test_use: %s\n", without);
    } else {
        ck_assert_msg(status == 0, "%s: %s", command, answer);
    }
    free(command);
}

/* The exported tokenizer gives Hugging Face's tokenizers the same ids, and the
 * weights give PyTorch's bare forward pass the same log-probabilities, of every
 * text of a file that breaks tokenizers. */
static void peers_must_agree(void)
{
    static const char texts[] = "tests/golden/bpe/encode-texts.jsonl";
    char *tokenizer = mem_printf("%s/tokenizer.json", model);
    char *ids = keep("ids.json", RUN("tokenizer", "encode", tokenizer, "--file",
                                     texts, "--field", "text", "--json"));
    char *predictions =
        keep("predictions.json", RUN("predict", model, "--file", texts,
                                     "--jsonl", "--json", "--top", "4"));
    peer_must_agree(mem_printf("PATH=/usr/bin:$PATH OMP_NUM_THREADS=1 python3 "
                               "tests/golden/torch/model_dir.py check %s %s %s",
                               model, ids, predictions),
                    "an exported model in PyTorch needs python3-torch");
    peer_must_agree(
        mem_printf("NODE_PATH=build/bench/npm/node_modules node "
                   "tests/golden/bpe/exported.js %s %s %s",
                   tokenizer, texts, ids),
        "an exported tokenizer in Hugging Face's needs `make bench-peers`");
    free(predictions);
    free(ids);
    free(tokenizer);
}

START_TEST(test_study_to_folder)
{
    make_study();
    char *report = RUN("evaluate", "used", "--json");
    struct json *root = parsed_text(report);
    ck_assert_double_eq(number(root, "rows"), 20);
    ck_assert_double_eq_tol(number(root, "accuracy"),
                            1 - number(root, "n_errors") / 20, 1e-15);
    ck_assert_int_eq(json_size(json_get(root, "classes")), 4);
    json_free(root);
    free(RUN("export", "used", model));
    peers_must_agree();

    char *html = mem_printf("%s/report.html", home.dir);
    char *csv = mem_printf("%s/report.csv", home.dir);
    EXPECT(&home, 0, "weighted average", "evaluate", "used", "--trial", "1",
           "--html", html, "--csv", csv);
    ck_assert(file_exists(html) && file_exists(csv));
    char *here = RUN("predict", "used", "red red 1", "moon moon 2", "--top",
                     "2", "--json");
    ck_assert_int_eq(home_stop_daemon(&home), 0);

    /* Moved, without daemon, study and data set. */
    char *moved = mem_printf("%s/moved", home.dir);
    char *kept = mem_printf("%s/kept.jsonl", home.dir);
    ck_assert_int_eq(rename(model, moved), 0);
    ck_assert_int_eq(rename(data, kept), 0);
    ck_assert_int_eq(file_remove_tree(home.state, NULL), 0);
    char *there = RUN("predict", moved, "red red 1", "moon moon 2", "--top",
                      "2", "--json");
    ck_assert_str_eq(here, there);
    char *again = RUN("evaluate", moved, "--data", kept, "--json");
    root = parsed_text(again);
    ck_assert_double_eq(number(root, "rows"), 200);
    json_free(root);
    EXPECT(&home, 1, "--data SOURCE names another", "evaluate", moved);
    free(again);
    free(there);
    free(here);
    free(moved);
    free(kept);
    free(html);
    free(csv);
    free(report);
}
END_TEST

/* --json before the command is one value that names what was written, --json
 * FILE after it the trials. */
START_TEST(test_what_an_export_says)
{
    make_study();
    char *file = mem_printf("%s/trials", home.dir);
    char *wanted = mem_printf("{\"dir\":\"%s\",\"model\":\"study 'used', "
                              "trial 1\"}\n",
                              model);
    char *said = RUN("--json", "export", "used", model, "--trial", "1");
    ck_assert_str_eq(said, wanted);
    EXPECT(&home, 0, "probability", "--json", "predict", model, "red red 1");
    free(said);
    free(wanted);
    wanted = mem_printf("{\"file\":\"%s\",\"trials\":2}\n", file);
    const char *const forms[] = {"--csv", "--json", "--optuna"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        said = RUN("--json", "export", "used", forms[i], file, "--force");
        ck_assert_str_eq(said, wanted);
        free(said);
    }
    EXPECT(&home, 1,
           "study 'used' has no models here: this database has its "
           "trials alone",
           "predict", "used", "x", "--db", file);
    EXPECT(&home, 0, "used: written to", "export", "used", "--json", file);
    EXPECT(&home, 0, "{\"study\":", "--json", "export", "used", "--json", "-");
    EXPECT(&home, 2, "promises one JSON value", "--json", "export", "used",
           "--csv", "-");
    EXPECT(&home, 2, "takes one of", "export", "used", model, "--json", file);
    free(wanted);
    free(file);
}
END_TEST

/* Whatever --state says: a database's own checkpoints are beside it, and a
 * backup's where they were. */
START_TEST(test_checkpoints_of_a_database)
{
    make_study();
    ck_assert_int_eq(home_stop_daemon(&home), 0);
    char *db = mem_printf("%s/parzen.db", home.state);
    char *backups = mem_printf("%s/backups", home.state);
    char *backup = mem_printf("%s/parzen-x.db", backups);
    char *says = mem_printf("\"checkpoint\":\"%s/checkpoints/1/", home.state);
    if (mkdir(backups, 0700) != 0) {
        ck_assert_int_eq(errno, EEXIST);
    }
    ck_assert_int_eq(link(db, backup), 0);
    const char *const files[] = {db, backup};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        EXPECT(&home, 0, says, "--json", "--state", "/", "best", "used", "--db",
               files[i]);
        EXPECT(&home, 0, says, "--json", "--state", "/", "show", "used", "0",
               "--db", files[i]);
        EXPECT(&home, 0, says, "--json", "--state", "/", "trials", "used",
               "--db", files[i]);
    }
    free(says);
    free(backup);
    free(backups);
    free(db);
}
END_TEST

/* Its value is the val-acc of that epoch: column 3, and the last but one. */
static void csv_has_best_epoch(const char *csv)
{
    const char *line = strstr(csv, "\r\n1,COMPLETE,");
    ck_assert_ptr_nonnull(line);
    char *row = mem_strndup(line + 2, strcspn(line + 2, "\r"));
    char *value = row + strlen("1,COMPLETE,"), *last = strrchr(row, ',');
    *last = '\0';
    char *acc = strrchr(row, ',');
    ck_assert_double_eq(strtod(value, NULL), strtod(acc + 1, NULL));
    ck_assert_double_gt(strtod(acc + 1, NULL), 0);
    ck_assert_double_gt(strtod(last + 1, NULL), 0);
    free(row);
}

START_TEST(test_trials_and_tensorboard)
{
    make_study();
    char *csv = RUN("export", "used", "--csv", "-");
    ck_assert_uint_eq(count(csv, strlen(csv), "\r\n"), 3);
    ck_assert_int_eq(strncmp(csv, "number,state,value,params_", 26), 0);
    ck_assert_ptr_nonnull(strstr(csv, "\r\n1,COMPLETE,"));
    ck_assert_ptr_nonnull(
        strstr(csv, ",feasible,metrics_train-loss,metrics_train-acc,"
                    "metrics_val-loss,metrics_val-acc,metrics_test-acc\r"));
    csv_has_best_epoch(csv);
    char *json = RUN("export", "used", "--json", "-");
    struct json *root = parsed_text(json);
    ck_assert_int_eq(json_size(json_get(root, "trials")), 2);
    json_free(root);
    free(csv);
    free(json);
    for (int i = 0; i < 2; i++) {
        struct buf log;
        struct err err;
        char *path = mem_printf("%s/tb/1/%d/events.out.tfevents.0.parzen",
                                home.state, i);
        buf_init(&log, BUF_MAX_RESPONSE);
        ck_assert_msg(file_read(path, &log, &err) == 0, "%s", err.msg);
        ck_assert_uint_eq(count(log.data, log.len, "val-loss"), 3);
        ck_assert_uint_eq(count(log.data, log.len, "final/val-acc"), 1);
        ck_assert_uint_eq(count(log.data, log.len, "_hparams_/"), 2);
        buf_fini(&log);
        free(path);
    }
    EXPECT(&home, 0, NULL, "delete", "used", "--yes");
    char *tb = mem_printf("%s/tb/1", home.state);
    for (int i = 0; i < 100 && file_exists(tb); i++) {
        home_sleep_ms(20);
    }
    ck_assert(!file_exists(tb));
    free(tb);
}
END_TEST

/* --- bad input
 * ------------------------------------------------------------------ */

static const char *file_of(const char *name, const char *bytes, size_t len)
{
    static char path[400];
    struct err err;
    snprintf(path, sizeof(path), "%s/%s", home.dir, name);
    ck_assert_int_eq(file_write_atomic(path, bytes, len, 0600, &err), 0);
    return path;
}

#define PUT(name, text) file_of(name, text, strlen(text))

static void predict_bad_input(void)
{
    EXPECT(&home, 1, "bad.txt: line 2: byte 4: not valid UTF-8", "predict",
           model, "--file", PUT("bad.txt", "fine\nnot \xff\n"));
    EXPECT(&home, 1, "nul.txt: line 1: a NUL byte", "predict", model, "--file",
           file_of("nul.txt", "a\0b\n", 4));
    EXPECT(&home, 2, "no.txt: No such file", "predict", model, "--file",
           "no.txt");
    EXPECT(&home, 1, "x.jsonl: line 2: not an object with a string 'text'",
           "predict", model, "--jsonl", "--file",
           PUT("x.jsonl", "{\"text\": \"a\"}\n{\"other\": \"b\"}\n"));
    EXPECT(&home, 2, "--top", "predict", model, "x", "--top", "0");
    EXPECT(&home, 2, "exclude each other", "predict", model, "x", "--file",
           "y");
    EXPECT(&home, 2, "texts and --field exclude each other", "predict", model,
           "x", "--field", "y");
    EXPECT(&home, 2,
           "--field is for rows: a .csv, .tsv, .json or .jsonl file, or "
           "--jsonl\n",
           "predict", model, "--field", "y");
    EXPECT(&home, 2, "--field is for rows: ", "predict", model, "--file",
           PUT("p.txt", "red\n"), "--field", "y");
    EXPECT(&home, 0, "\"text\":\"red\"", "predict", model, "--jsonl", "--field",
           "y", "--file", PUT("p.txt", "{\"y\":\"red\"}\n"));
    EXPECT(&home, 2, "--trial is for studies", "predict", model, "x", "--trial",
           "1");
    EXPECT(&home, 2, "missing", "predict");
}

static void train_with(const char *kernels, const char *config)
{
    char *out = mem_printf("%s/%s", home.dir, kernels);
    setenv("PARZEN_KERNELS", kernels, 1);
    EXPECT(&home, 0, "checkpoint", "train", config, "--out", out, "--set",
           "training.lr=0.001", "--set", "model.emb_dim=24", "--set",
           "model.num_heads=3", "--set", "model.activation=gelu", "--set",
           "training.clip_norm=1", "--set", "tokenizer.tokenizer_length=80");
    unsetenv("PARZEN_KERNELS");
    free(out);
}

/* What a CPU has beyond AVX2 makes a training faster and nothing else. */
START_TEST(test_the_same_bits_with_avx512)
{
    if (kernels_named("avx512") == NULL) {
        fprintf(stderr, "SKIPPED: this CPU has no avx512\n");
        return;
    }
    const char *config = home_config(&home, "bits", "", "\"max_epochs\": 2, ");
    train_with("avx2", config);
    train_with("avx512", config);
    char *compare = mem_printf("cd %s && ls avx2/best-*.safetensors >&2 &&"
                               " for f in avx2/best-*;"
                               " do cmp $f avx512/${f#avx2/} || exit 1; done",
                               home.dir);
    ck_assert_int_eq(system(compare), 0);
    free(compare);
}
END_TEST

/* The folder of a training is a model, as its best checkpoint is; a semicolon
 * is no comma, and who names the columns is said. */
START_TEST(test_a_trainings_folder)
{
    char *config =
        mem_strdup(home_config(&home, "one", "", "\"max_epochs\": 2, "));
    char *out = mem_printf("%s/trained", home.dir);
    char *into = mem_printf("%s/exported", home.dir);
    EXPECT(&home, 0, "checkpoint", "train", config, "--out", out, "--set",
           "training.lr=0.001", "--set", "model.emb_dim=8", "--set",
           "tokenizer.tokenizer_length=80");
    EXPECT(&home, 2, "has the model of another training, best-", "train",
           config, "--out", out, "--set", "training.lr=0.001", "--set",
           "model.emb_dim=8", "--set", "tokenizer.tokenizer_length=80");
    EXPECT(&home, 0, "checkpoint", "train", config, "--out", out, "--force",
           "--set", "training.lr=0.001", "--set", "model.emb_dim=8", "--set",
           "tokenizer.tokenizer_length=80");
    char *log = mem_printf("%s/events.out.tfevents.0.parzen", out);
    ck_assert_int_eq(access(log, R_OK), 0);
    free(log);
    EXPECT(&home, 0, "class ", "predict", out, "red blue");
    EXPECT(&home, 0, "accuracy", "evaluate", out, "--data", data);
    EXPECT(&home, 0, NULL, "export", out, into);
    EXPECT(&home, 0, "class ", "predict", into, "red blue");
    EXPECT(&home, 1, "no model", "predict", home.dir, "red blue");
    char *harm = mem_printf("cd %s && sha256sum -c best-*.sha256 && printf X |"
                            " dd of=$(ls best-*.safetensors) bs=1 seek=20000"
                            " conv=notrunc status=none",
                            out);
    ck_assert_int_eq(system(harm), 0);
    free(harm);
    EXPECT(&home, 1, "damaged: its SHA-256 is", "predict", out, "red blue");
    free(into);
    free(out);
    free(config);
    EXPECT(&home, 2, "separated by commas", "data", "stat",
           PUT("semi.csv", "text;label\na;A\n"));
    EXPECT(&home, 2,
           "(the header has: t, label; --text and --label (of a "
           "config data.text and data.label) name them)",
           "data", "stat", PUT("t.csv", "t,label\na,A\n"));
    EXPECT(&home, 2, "one.csv: 2 classes are needed", "data", "stat",
           PUT("one.csv", "text,label\na,A\n"));
    EXPECT(&home, 2, "two.csv: the split leaves", "data", "stat",
           PUT("two.csv", "text,label\na,A\nb,B\n"));
}
END_TEST

static void evaluate_bad_input(void)
{
    EXPECT(&home, 2,
           "u.jsonl: line 2, byte 33: label 'none' is none of the model's 4 "
           "classes",
           "evaluate", model, "--data",
           PUT("u.jsonl", "{\"text\":\"a\",\"label\":\"class 1\"}  \n"
                          "{\"text\":\"a\",\"label\":\"none\"}\n"));
    EXPECT(&home, 2, "no rows to evaluate on", "evaluate", model, "--data",
           PUT("e.jsonl", ""));
    EXPECT(&home, 2,
           "no field 'label' (it has: text; the model's columns.text 'text' "
           "and columns.label 'label', or --text and --label, name them)",
           "evaluate", model, "--data", PUT("f.jsonl", "{\"text\":\"a\"}\n"));
    EXPECT(&home, 2, "no.jsonl: No such file", "evaluate", model, "--data",
           "no.jsonl");
    EXPECT(&home, 2, "--part", "evaluate", model, "--part", "all");
    char *html = mem_printf("%s/none/report.html", home.dir);
    EXPECT(&home, 1, "report.html", "evaluate", model, "--data", data, "--html",
           html);
    free(html);
}

static void models_that_are_none(void)
{
    EXPECT(&home, 3, "no daemon", "predict", "nothing", "x");
    EXPECT(&home, 1, "has no config.json", "predict", home.dir, "x");
    EXPECT(&home, 1, "data.jsonl", "predict", data, "x");
    EXPECT(&home, 1, "is not empty", "export", model, home.dir);
    EXPECT(&home, 2, "takes one of", "export", model);
    char *weights = mem_printf("%s/model.safetensors", model);
    ck_assert_int_eq(truncate(weights, 1000), 0);
    EXPECT(&home, 1, "model.safetensors: damaged", "predict", model, "x");
    EXPECT(&home, 1, "model.safetensors: damaged", "evaluate", model, "--data",
           data);
    char *to = mem_printf("%s/to", home.dir);
    EXPECT(&home, 1, "model.safetensors: damaged", "export", model, to);
    ck_assert(!file_exists(to));
    free(to);
    free(weights);
}

START_TEST(test_bad_input)
{
    make_study();
    EXPECT(&home, 4, "neither a study nor a model's folder", "evaluate",
           "nothing");
    EXPECT(&home, 4, "no trial 9", "predict", "used", "x", "--trial", "9");
    free(RUN("export", "used", model));
    ck_assert_int_eq(home_stop_daemon(&home), 0);
    predict_bad_input();
    evaluate_bad_input();
    models_that_are_none();
    setenv("HF_DATASETS_SERVER", "http://127.0.0.1:9", 1);
    EXPECT(&home, 1, "127.0.0.1", "data", "fetch", "hf:org/good");
    EXPECT(&home, 2, "neither hf:", "data", "fetch", "x.csv");
}
END_TEST

/* --- where commands must not write --- */

static void must_not_write(const char *words, const char *path)
{
    EXPECT(&home, 2, words, "export", "used", "--csv", path);
    EXPECT(&home, 2, words, "export", "used", "--json", path);
    EXPECT(&home, 2, words, "export", "used", "--optuna", path, "--force");
    EXPECT(&home, 2, words, "evaluate", "used", "--csv", path);
    EXPECT(&home, 2, words, "evaluate", "used", "--html", path);
    EXPECT(&home, 2, words, "tokenizer", "train", data, "--out", path);
}

/* Paths of the database: plain, through .., through a linked folder. */
START_TEST(test_targets)
{
    struct stat before, after;
    make_study();
    char *db = mem_printf("%s/parzen.db", home.state),
         *around = mem_printf("%s/cache/../parzen.db", home.state),
         *folder = mem_printf("%s/linked", home.dir),
         *linked = mem_printf("%s/parzen.db", folder),
         *link = mem_printf("%s/link.csv", home.dir),
         *new = mem_printf("%s/new/model", home.state),
         *later = mem_printf("%s/new/../state/x", home.dir);
    ck_assert_int_eq(symlink(home.state, folder), 0);
    ck_assert_int_eq(symlink(data, link), 0);
    ck_assert_int_eq(stat(db, &before), 0);
    must_not_write("in the state directory", db);
    must_not_write("in the state directory", around);
    must_not_write("in the state directory", linked);
    must_not_write("a symbolic link", link);
    must_not_write("a folder", home.dir);
    must_not_write("a device", "/dev/null");
    EXPECT(&home, 2, "in the state directory", "export", "used", new);
    EXPECT(&home, 2, "in the state directory", "export", "used", folder);
    EXPECT(&home, 2, "by ..", "export", "used", later);
    ck_assert_int_eq(stat(db, &after), 0);
    ck_assert(before.st_ino == after.st_ino);
    char *csv = mem_printf("%s/trials.csv", home.dir);
    EXPECT(&home, 0, NULL, "export", "used", "--csv", csv);
    EXPECT(&home, 0, NULL, "export", "used", "--csv", csv); /* replaced */
    free(csv);
    free(later);
    free(new);
    free(link);
    free(linked);
    free(folder);
    free(around);
    free(db);
}
END_TEST

/* A text of 10 MB costs what its head costs; a line of output each. */
START_TEST(test_long_texts)
{
    make_study();
    free(RUN("export", "used", model));
    ck_assert_int_eq(home_stop_daemon(&home), 0);
    size_t len = 10 << 20;
    char *text = mem_alloc(len + 1, 1);
    for (size_t i = 0; i < len; i++) {
        text[i] = i % 5 == 4 ? ' ' : "moon"[i % 5];
    }
    text[100] = '\n';
    text[102] = '\n';
    text[103] = '\n';
    text[len - 1] = 'x'; /* the last line has no end */
    const char *path = file_of("long.txt", text, len);
    char *lines = RUN("predict", model, "--file", path);
    ck_assert_uint_eq(count(lines, strlen(lines), "\n"), 4);
    free(lines);
    free(text);
}
END_TEST

/* --- the Hub
 * ---------------------------------------------------------------------- */

Suite *suite(void)
{
    Suite *s = suite_create("e2e/use");
    TCase *t = tcase_create("use");
    tcase_set_timeout(t, 180);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_study_to_folder);
    tcase_add_test(t, test_what_an_export_says);
    tcase_add_test(t, test_checkpoints_of_a_database);
    tcase_add_test(t, test_trials_and_tensorboard);
    tcase_add_test(t, test_the_same_bits_with_avx512);
    tcase_add_test(t, test_a_trainings_folder);
    tcase_add_test(t, test_bad_input);
    tcase_add_test(t, test_targets);
    tcase_add_test(t, test_long_texts);
    suite_add_tcase(s, t);
    return s;
}
