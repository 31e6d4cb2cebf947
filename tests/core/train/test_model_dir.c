#include "core/train/model_dir.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/train/checkpoint.h"
#include "core/train/predictor.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_TEXTS = 20, N_CLASSES = 3 };

static struct fix_training fix;
static struct predictor *predictor;
static char *dir; /* of the exported model */

static void must_export(const char *to)
{
    struct err err = {0};
    int rc = predictor_export(predictor, to, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
}

static void setup(void)
{
    struct run run;
    struct fix_record record = {0};
    struct fix_plan plan = {.n_steps = -1};
    struct err err = {0};
    fix_training_init(&fix, 60);
    fix_training_run(&run);
    run.max_epochs = 1;
    run.position = RUN_POSITION_LEARNED;
    fix_training_go(&fix, &run, &plan, &record);
    char *path = mem_printf("%s/%s", fix.trial_dir, record.best.file);
    int rc = predictor_open(path, NULL, &predictor, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    free(path);
    dir = mem_printf("%s/parent/model", fix.dir);
    must_export(dir);
}

static void teardown(void)
{
    predictor_free(predictor);
    free(dir);
    fix_training_fini(&fix);
}

static void predict(struct predictor *p, float out[N_TEXTS * N_CLASSES])
{
    struct span texts[N_TEXTS];
    struct err err = {0};
    for (size_t i = 0; i < N_TEXTS; i++) {
        texts[i] = dataset_text(fix.dataset, i);
    }
    ck_assert_int_eq(predictor_run(p, texts, N_TEXTS, out, &err), 0);
}

START_TEST(test_predicts_the_same_bits_elsewhere)
{
    float here[N_TEXTS * N_CLASSES], there[N_TEXTS * N_CLASSES];
    struct predictor *p;
    struct err err = {0};
    char *moved = mem_printf("%s/elsewhere", fix.dir);
    ck_assert_int_eq(rename(dir, moved), 0);
    ck_assert_msg(predictor_open(moved, NULL, &p, &err) == 0, "%s", err.msg);
    predict(predictor, here);
    predict(p, there);
    ck_assert_mem_eq(here, there, sizeof(here));
    const struct checkpoint *a = predictor_checkpoint(predictor),
                            *b = predictor_checkpoint(p);
    ck_assert_str_eq(a->dataset_sha256, b->dataset_sha256);
    ck_assert_int_eq(a->state.epoch, b->state.epoch);
    ck_assert_mem_eq(&a->metrics, &b->metrics, sizeof(a->metrics));
    for (size_t i = 0; i < N_CLASSES; i++) {
        ck_assert_str_eq(a->classes[i], b->classes[i]);
    }
    predictor_free(p);
    free(moved);
}
END_TEST

static size_t n_entries(const char *path)
{
    char *command = mem_printf("ls -A %s | wc -l", path);
    FILE *f = popen(command, "r");
    size_t n = 0;
    ck_assert_int_eq(fscanf(f, "%zu", &n), 1);
    pclose(f);
    free(command);
    return n;
}

START_TEST(test_never_overwrites)
{
    struct err err = {0};
    char *parent = mem_printf("%s/parent", fix.dir);
    ck_assert_int_eq(predictor_export(predictor, dir, &err), ERR_CONFLICT);
    ck_assert_ptr_nonnull(strstr(err.msg, "is not empty"));
    char *file = mem_printf("%s/config.json", dir);
    ck_assert_int_eq(predictor_export(predictor, file, &err), ERR_CONFLICT);
    free(file);
    ck_assert_uint_eq(n_entries(parent), 1); /* nothing half written */
    ck_assert_uint_eq(n_entries(dir), 4);
    char *empty = mem_printf("%s/empty/", fix.dir);
    ck_assert_int_eq(mkdir(empty, 0700), 0);
    must_export(empty);
    ck_assert_uint_eq(n_entries(empty), 4);
    free(empty);
    free(parent);
}
END_TEST

/* --- damage -----------------------------------------------------------------
 */

static char *path_of(const char *name)
{
    return mem_printf("%s/%s", dir, name);
}

static void must_refuse(int code, const char *words)
{
    struct predictor *p = NULL;
    struct err err = {0};
    int rc = predictor_open(dir, NULL, &p, &err);
    ck_assert_msg(rc == code, "%d: %s", rc, err.msg);
    ck_assert_msg(strstr(err.msg, words) != NULL, "'%s' has no '%s'", err.msg,
                  words);
    ck_assert_ptr_null(p);
}

/* Put `to` where `from` first stands in a file. */
static void change(const char *name, const char *from, const char *to)
{
    struct buf text, changed;
    struct err err = {0};
    char *path = path_of(name);
    buf_init(&text, BUF_MAX_TOKENIZER);
    buf_init(&changed, BUF_MAX_TOKENIZER);
    ck_assert_int_eq(file_read(path, &text, &err), 0);
    const char *at = strstr(text.data, from);
    ck_assert_msg(at != NULL, "no '%s' in %s", from, text.data);
    buf_add(&changed, text.data, (size_t)(at - text.data));
    buf_str(&changed, to);
    buf_str(&changed, at + strlen(from));
    ck_assert_int_eq(
        file_write_atomic(path, changed.data, changed.len, 0600, &err), 0);
    buf_fini(&text);
    buf_fini(&changed);
    free(path);
}

static void replace(const char *name, const char *text)
{
    struct err err = {0};
    char *path = path_of(name);
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, &err),
                     0);
    free(path);
}

/* By the name that others have for it; older folders lack it. */
START_TEST(test_says_which_gelu)
{
    struct run run;
    struct fix_record record = {0};
    struct fix_plan plan = {.n_steps = -1};
    struct predictor *p;
    struct err err = {0};
    change("config.json", "\"activation\":\"relu\",\"build\"", "\"build\"");
    ck_assert_msg(predictor_open(dir, NULL, &p, &err) == 0, "%s", err.msg);
    predictor_free(p);
    fix_training_run(&run);
    run.max_epochs = 1;
    run.activation = RUN_ACTIVATION_GELU;
    fix_training_go(&fix, &run, &plan, &record);
    char *path = mem_printf("%s/%s", fix.trial_dir, record.best.file);
    char *gelu = mem_printf("%s/gelu", fix.dir);
    ck_assert_int_eq(predictor_open(path, NULL, &p, &err), 0);
    ck_assert_int_eq(predictor_export(p, gelu, &err), 0);
    predictor_free(p);
    free(dir);
    dir = gelu;
    change("config.json", "\"activation\":\"gelu_pytorch_tanh\"", "\"a\":1");
    free(path);
}
END_TEST

START_TEST(test_config_of_another_kind)
{
    change("config.json", "\"version\":1", "\"version\":9");
    must_refuse(ERR_INVALID, "config.json: its format has version 9, this "
                             "program reads 1");
    replace("config.json", "{\"model_type\": \"gpt2\"}");
    must_refuse(ERR_INVALID, "not the config of an exported model");
    replace("config.json", "[1]");
    must_refuse(ERR_INVALID, "not the config of an exported model");
    replace("config.json", "{\"format\"");
    must_refuse(ERR_INVALID, "config.json");
    char *path = path_of("config.json");
    ck_assert_int_eq(unlink(path), 0);
    must_refuse(ERR_NOTFOUND, "no model: it has no config.json");
    free(path);
}
END_TEST

START_TEST(test_config_that_does_not_fit)
{
    change("config.json", "\"emb_dim\":8", "\"emb_dim\":16");
    must_refuse(ERR_CORRUPT, "has not the shape");
    change("config.json", "\"emb_dim\":16", "\"emb_dim\":17");
    must_refuse(ERR_INVALID, "num_heads");
    change("config.json", "\"run\":", "\"ran\":");
    must_refuse(ERR_INVALID, "run: missing");
}
END_TEST

/* In another order they would name the wrong classes. */
START_TEST(test_changed_labels)
{
    char *path = path_of("labels.json");
    struct buf text;
    struct err err = {0};
    buf_init(&text, BUF_MAX_TOKENIZER);
    ck_assert_int_eq(file_read(path, &text, &err), 0);
    change("labels.json", "music", "noise");
    must_refuse(ERR_CORRUPT, "labels.json: damaged, or another file");
    replace("labels.json", text.data);
    struct predictor *p;
    ck_assert_int_eq(predictor_open(dir, NULL, &p, &err), 0);
    predictor_free(p);
    buf_fini(&text);
    free(path);
}
END_TEST

/* A config that does not hash them, as older ones, leaves the names to the
 * owner, not their number and kind. */
START_TEST(test_labels_without_hash)
{
    change("config.json", "\"labels.json\"", "\"none\"");
    change("labels.json", "music", "noise");
    struct predictor *p;
    struct err err = {0};
    ck_assert_int_eq(predictor_open(dir, NULL, &p, &err), 0);
    ck_assert_str_eq(predictor_checkpoint(p)->classes[1], "noise");
    predictor_free(p);
    replace("labels.json", "[\"a\", \"b\"]");
    must_refuse(ERR_INVALID, "labels.json: not a list of the 3 class names");
    replace("labels.json", "[\"a\", \"b\", 3]");
    must_refuse(ERR_INVALID, "labels.json: a name is no string");
    replace("labels.json", "{}");
    must_refuse(ERR_INVALID, "labels.json: not a list");
}
END_TEST

START_TEST(test_tokenizer_of_another_kind)
{
    replace("tokenizer.json", "{\"model\": {\"type\": \"WordPiece\"}}");
    must_refuse(ERR_INVALID, "tokenizer.json: ");
    replace("tokenizer.json", "\xff\xfe");
    must_refuse(ERR_INVALID, "tokenizer.json: ");
}
END_TEST

START_TEST(test_damaged_weights)
{
    struct stat st;
    char *path = path_of("model.safetensors");
    ck_assert_int_eq(stat(path, &st), 0);
    FILE *f = fopen(path, "r+");
    ck_assert_int_eq(fseek(f, st.st_size - 3, SEEK_SET), 0);
    int byte = fgetc(f);
    ck_assert_int_eq(fseek(f, st.st_size - 3, SEEK_SET), 0);
    fputc(byte ^ 1, f);
    ck_assert_int_eq(fclose(f), 0);
    must_refuse(ERR_CORRUPT, "model.safetensors: damaged");
    change("config.json", "\"sha256\"", "\"none\"");
    ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
    must_refuse(ERR_CORRUPT, "model.safetensors");
    ck_assert_int_eq(truncate(path, 7), 0);
    must_refuse(ERR_CORRUPT, "model.safetensors");
    ck_assert_int_eq(unlink(path), 0);
    must_refuse(ERR_NOTFOUND, "model.safetensors");
    free(path);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("model_dir");
    TCase *t = tcase_create("model_dir");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_predicts_the_same_bits_elsewhere);
    tcase_add_test(t, test_says_which_gelu);
    tcase_add_test(t, test_never_overwrites);
    tcase_add_test(t, test_config_of_another_kind);
    tcase_add_test(t, test_config_that_does_not_fit);
    tcase_add_test(t, test_changed_labels);
    tcase_add_test(t, test_labels_without_hash);
    tcase_add_test(t, test_tokenizer_of_another_kind);
    tcase_add_test(t, test_damaged_weights);
    suite_add_tcase(s, t);
    return s;
}
