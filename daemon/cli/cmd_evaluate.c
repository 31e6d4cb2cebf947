#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/source.h"
#include "core/train/report.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/pick.h"
#include "daemon/cli/report_text.h"
#include "daemon/cli/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_TRIAL = 1,
    KEY_PART,
    KEY_DATA,
    KEY_TEXT,
    KEY_LABEL,
    KEY_CSV,
    KEY_HTML,
    KEY_ERRORS
};

struct evaluate {
    struct cli *cli;
    int64_t trial, n_errors;
    const char *part, *data;  /* part NULL: test */
    const char *text, *label; /* NULL: as the study or model has them */
    const char *csv, *html;
    size_t n_rows;
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct evaluate *e = ctx;
    const char **words[] = {
        [KEY_PART] = &e->part,   [KEY_DATA] = &e->data, [KEY_TEXT] = &e->text,
        [KEY_LABEL] = &e->label, [KEY_CSV] = &e->csv,   [KEY_HTML] = &e->html};
    if (key == KEY_TRIAL) {
        e->trial = pick_trial(state, arg);
    } else if (key == KEY_ERRORS) {
        e->n_errors = cli_number(state, "errors", arg, 0, INT32_MAX);
    } else {
        *words[key] = arg;
    }
    if (key == KEY_PART && strcmp(arg, "train") != 0 &&
        strcmp(arg, "val") != 0 && strcmp(arg, "test") != 0) {
        argp_error(state, "--part: '%s' is not one of train, val, test", arg);
    }
}

static bool on_progress(void *ctx, size_t n_done)
{
    struct evaluate *e = ctx;
    if (e->cli->err.is_tty) {
        fprintf(stderr, "\r%zu of %zu rows%s", n_done, e->n_rows,
                n_done == e->n_rows ? "\r\033[K" : "");
    }
    return interrupt_came();
}

/* Says where the columns' names are from; owned. */
static char *naming(const struct evaluate *e, const struct pick *p)
{
    bool own_text = e->text == NULL && p->text != NULL;
    bool own_label = e->label == NULL && p->label != NULL;
    if (own_text && own_label) {
        return mem_printf(
            "the %s %s.text '%s' and %s.label '%s', or --text and "
            "--label,",
            p->whose, p->where, p->text, p->where, p->label);
    }
    if (own_text) {
        return mem_printf("the %s %s.text '%s', or --text, and --label",
                          p->whose, p->where, p->text);
    }
    if (own_label) {
        return mem_printf("--text and the %s %s.label '%s', or --label,",
                          p->whose, p->where, p->label);
    }
    return mem_strdup("--text and --label");
}

static const char *first_of(const char *given, const char *of_study,
                            const char *otherwise)
{
    return given != NULL ? given : of_study != NULL ? of_study : otherwise;
}

static int get_texts(struct evaluate *e, const struct pick *p,
                     struct pick_texts *out, struct err *err)
{
    if (e->data == NULL) {
        return pick_part(e->cli, p, e->part != NULL ? e->part : "test", out,
                         err);
    }
    char *named_by = naming(e, p);
    const struct source_query q = {.text = first_of(e->text, p->text, "text"),
                                   .label =
                                       first_of(e->label, p->label, "label"),
                                   .named_by = named_by};
    int rc = pick_source(e->cli, p, e->data, &q, out, err);
    free(named_by);
    return rc;
}

static int write_file(const char *path, const struct buf *text, struct err *err)
{
    int rc = text->overflow
                 ? err_set(err, ERR_LIMIT, "%s would be longer than %zu bytes",
                           path, text->max)
                 : file_write_atomic(path, text->data, text->len, 0644, err);
    if (rc == ERR_NOTFOUND) { /* of the folder: no study is missing */
        rc = err->code = ERR_IO;
    }
    return rc;
}

static int write_files(const struct evaluate *e, const struct report *r,
                       const struct report_title *title, struct err *err)
{
    struct buf text;
    int rc = 0;
    buf_init(&text, BUF_MAX_RESPONSE);
    if (e->csv != NULL) {
        report_csv(r, &text);
        rc = write_file(e->csv, &text, err);
    }
    buf_reset(&text);
    if (rc == 0 && e->html != NULL) {
        rc = report_html(r, title, &text, err);
        rc = rc == 0 ? write_file(e->html, &text, err) : rc;
    }
    buf_fini(&text);
    return rc;
}

static int print_json(const struct report *r, const struct report_title *title,
                      struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_RESPONSE);
    int rc = report_json(r, title, &text, err);
    if (rc == 0) {
        fwrite(text.data, 1, text.len, stdout);
        fputc('\n', stdout);
    }
    buf_fini(&text);
    return rc;
}

static int evaluate(struct evaluate *e, const struct pick *p, struct err *err)
{
    struct pick_texts t;
    struct report *r = NULL;
    int rc = get_texts(e, p, &t, err);
    if (rc != 0) {
        return rc;
    }
    const struct report_title title = {.model = p->name, .data = t.name};
    const struct report_input in = {.texts = t.texts,
                                    .labels = t.labels,
                                    .n = e->n_rows = t.n,
                                    .on_progress = on_progress,
                                    .ctx = e};
    rc = report_new(p->predictor, &in, &r, err);
    if (rc == ERR_INVALID) {
        err_wrap(err, "%s", t.name);
        rc = err->code = e->data != NULL ? ERR_INVALID : ERR_IO;
    }
    rc = rc == 0 ? write_files(e, r, &title, err) : rc;
    if (rc == 0) {
        rc = e->cli->json ? print_json(r, &title, err)
                          : report_text(r, &title, (size_t)e->n_errors,
                                        &e->cli->out, err);
    }
    report_free(r);
    pick_texts_fini(&t);
    return rc;
}

int cmd_evaluate(struct cli *c, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"trial", KEY_TRIAL, "N", 0, "this trial's model, not the best's", 0},
        {"part", KEY_PART, "PART", 0,
         "of the data set it was trained on: train, val or test (default)", 0},
        {"data", KEY_DATA, "SOURCE", 0,
         "all rows of this source instead: a .jsonl, .json, .csv or .tsv file, "
         "its address, or hf:OWNER/NAME",
         0},
        {"text", KEY_TEXT, "COLUMN", 0,
         "its column of texts (default: the study's or model's, or text)", 0},
        {"label", KEY_LABEL, "COLUMN", 0,
         "its column of labels (default: the study's or model's, or label)", 0},
        {"csv", KEY_CSV, "FILE", 0, "write a line for each row to FILE", 0},
        {"html", KEY_HTML, "FILE", 0, "write a page with everything to FILE",
         0},
        {"errors", KEY_ERRORS, "N", 0, "print the first N errors (default: 10)",
         0},
        {0}};
    static const struct cli_command command = {
        .name = "evaluate",
        .args = "STUDY|MODEL_DIR",
        .doc = "How a model does on labelled texts: accuracy, precision, "
               "recall and F1 of each class, the confusion matrix, the errors.",
        .n_min = 1,
        .n_max = 1,
        .options = options,
        .on_option = on_option};
    struct evaluate e = {.cli = c, .trial = -1, .n_errors = 10};
    struct pick p = {0};
    struct err err;
    cli_parse(c, &command, argc, argv, &e);
    if (e.part != NULL && e.data != NULL) {
        err_set(&err, ERR_INVALID, "--part and --data exclude each other");
        return cli_fail(c, &err);
    }
    int rc = target_file(c, e.csv, &err);
    rc = rc == 0 ? target_file(c, e.html, &err) : rc;
    rc = rc == 0 ? pick_open(c, argv[1], e.trial, &p, &err) : rc;
    if (rc == 0) {
        interrupt_watch();
        rc = evaluate(&e, &p, &err);
    }
    pick_fini(&p);
    return rc == 0 ? CLI_OK : cli_fail(c, &err);
}
