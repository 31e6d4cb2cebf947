#include "core/train/report.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/data/dataset.h"
#include "core/train/checkpoint.h"
#include "core/train/predictor.h"
#include "tests/lib/fix_training.h"
#include "tests/lib/test_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROWS = 60 };

/* A predictor of a tiny training and the texts it was trained on. */
static struct fix_training fix;
static struct predictor *predictor;
static struct span *texts;
static int32_t *labels;

static void setup(void)
{
    struct run run;
    struct fix_record record = {0};
    struct fix_plan plan = {.n_steps = -1};
    struct err err = {0};
    fix_training_init(&fix, N_ROWS);
    fix_training_run(&run);
    run.max_epochs = 1;
    fix_training_go(&fix, &run, &plan, &record);
    char *path = mem_printf("%s/%s", fix.trial_dir, record.best.file);
    int rc = predictor_open(path, record.best.sha256, &predictor, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    free(path);
    texts = calloc(N_ROWS, sizeof(*texts));
    labels = calloc(N_ROWS, sizeof(*labels));
    for (size_t i = 0; i < N_ROWS; i++) {
        texts[i] = dataset_text(fix.dataset, i);
        labels[i] = dataset_label(fix.dataset, i);
    }
}

static void teardown(void)
{
    predictor_free(predictor);
    free(texts);
    free(labels);
    fix_training_fini(&fix);
}

static struct report *make(void)
{
    struct report_input in = {.texts = texts, .labels = labels, .n = N_ROWS};
    struct report *r;
    struct err err = {0};
    int rc = report_new(predictor, &in, &r, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    return r;
}

START_TEST(test_rows_are_the_predictors)
{
    struct report *r = make();
    float logprob[N_ROWS * 3];
    size_t n_correct = 0;
    double loss = 0;
    struct err err = {0};
    ck_assert_int_eq(predictor_run(predictor, texts, N_ROWS, logprob, &err), 0);
    for (size_t i = 0; i < N_ROWS; i++) {
        const float *p = logprob + 3 * i;
        int best = p[1] > p[0] ? 1 : 0;
        best = p[2] > p[best] ? 2 : best;
        ck_assert_int_eq(r->rows[i].predicted, best);
        ck_assert_int_eq(r->rows[i].label, labels[i]);
        ck_assert_float_eq(r->rows[i].probability, expf(p[best]));
        ck_assert_float_eq(r->rows[i].label_probability, expf(p[labels[i]]));
        n_correct += best == labels[i];
        loss -= (double)p[labels[i]];
    }
    ck_assert_uint_eq(r->n_errors, N_ROWS - n_correct);
    ck_assert_double_eq_tol(r->summary.accuracy, (double)n_correct / N_ROWS,
                            1e-15);
    ck_assert_double_eq_tol(r->loss, loss / N_ROWS, 1e-12);
    ck_assert_uint_eq(r->confusion.n, N_ROWS);
    report_free(r);
}
END_TEST

static double number(const struct json *object, const char *key)
{
    ck_assert_ptr_nonnull(json_get(object, key));
    return json_number(json_get(object, key));
}

START_TEST(test_json)
{
    struct report *r = make();
    struct report_title title = {.model = "m", .data = NULL};
    struct buf out;
    struct json *root;
    struct err err = {0};
    buf_init(&out, BUF_MAX_RESPONSE);
    ck_assert_msg(report_json(r, &title, &out, &err) == 0, "%s", err.msg);
    ck_assert_msg(json_parse(out.data, out.len, &root, &err) == 0, "%s",
                  err.msg);
    ck_assert_double_eq(number(root, "accuracy"), r->summary.accuracy);
    ck_assert_double_eq(number(json_get(root, "macro"), "f1"),
                        r->summary.macro.f1);
    ck_assert_int_eq(json_size(json_get(root, "classes")), 3);
    ck_assert_int_eq(json_size(json_get(root, "confusion")), 3);
    const struct json *errors = json_get(root, "errors");
    ck_assert_uint_eq((size_t)json_size(errors), r->n_errors);
    ck_assert_uint_gt(r->n_errors, 0);
    const struct json *first = json_first(errors);
    size_t at = (size_t)number(first, "row");
    ck_assert_int_ne(r->rows[at].label, r->rows[at].predicted);
    ck_assert_mem_eq(json_string(json_get(first, "text")), texts[at].at,
                     texts[at].len);
    /* The tokens put together are the text (a space is U+0120). */
    struct buf together;
    buf_init(&together, BUF_MAX_CONFIG);
    const struct json *tokens = json_get(first, "tokens");
    for (const struct json *t = json_first(tokens); t != NULL;
         t = json_next(t)) {
        const char *s = json_string(t);
        for (const char *gap; (gap = strstr(s, "\xC4\xA0")) != NULL;
             s = gap + 2) {
            buf_add(&together, s, (size_t)(gap - s));
            buf_char(&together, ' ');
        }
        buf_str(&together, s);
    }
    ck_assert_mem_eq(together.data, texts[at].at, together.len);
    ck_assert_uint_gt(together.len, 0);
    buf_fini(&together);
    buf_fini(&out);
    json_free(root);
    report_free(r);
}
END_TEST

START_TEST(test_csv_and_html_escape)
{
    char text[] = "a \"quoted\", <b>text</b> & more";
    texts[0] = (struct span){text, strlen(text)};
    struct report *r = make();
    struct report_title title = {.model = "<script>", .data = "d"};
    struct buf out;
    struct err err = {0};
    buf_init(&out, BUF_MAX_RESPONSE);
    report_csv(r, &out);
    ck_assert_ptr_nonnull(
        strstr(out.data, "\"a \"\"quoted\"\", <b>text</b> & more\"\r\n"));
    size_t n_lines = 0;
    for (size_t i = 0; i < out.len; i++) {
        n_lines += out.data[i] == '\n';
    }
    ck_assert_uint_eq(n_lines, N_ROWS + 1);
    buf_reset(&out);
    r->rows[0].predicted = (r->rows[0].label + 1) % 3; /* an error for sure */
    ck_assert_msg(report_html(r, &title, &out, &err) == 0, "%s", err.msg);
    ck_assert_ptr_null(strstr(out.data, "<script"));
    ck_assert_ptr_null(strstr(out.data, "<b>text"));
    ck_assert_ptr_nonnull(strstr(out.data, "&lt;b&gt;text&lt;/b&gt; &amp;"));
    ck_assert_ptr_null(strstr(out.data, "http"));
    buf_fini(&out);
    report_free(r);
}
END_TEST

static bool stop_at_once(void *ctx, size_t n_done)
{
    *(size_t *)ctx = n_done;
    return true;
}

START_TEST(test_refused_and_interrupted)
{
    struct report_input in = {.texts = texts, .labels = labels};
    struct report *r = NULL;
    struct err err = {0};
    size_t n_done = 0;
    ck_assert_int_eq(report_new(predictor, &in, &r, &err), ERR_INVALID);
    in.n = N_ROWS;
    in.on_progress = stop_at_once;
    in.ctx = &n_done;
    ck_assert_int_eq(report_new(predictor, &in, &r, &err), ERR_CANCELED);
    ck_assert_uint_eq(n_done, N_ROWS);
    char broken[] = "abc\xff";
    texts[1] = (struct span){broken, 4};
    in.on_progress = NULL;
    ck_assert_int_eq(report_new(predictor, &in, &r, &err), ERR_INVALID);
    ck_assert_ptr_null(r);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_rows_are_the_predictors);
    tcase_add_test(t, test_json);
    tcase_add_test(t, test_csv_and_html_escape);
    tcase_add_test(t, test_refused_and_interrupted);
    suite_add_tcase(s, t);
    return s;
}
