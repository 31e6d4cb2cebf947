/* predict: classes for texts from the command line, a file or a pipe.
 *
 * Lines are predicted as they come: each read's whole lines are one batch, so
 * memory stays what the longest line needs and a slow writer's line is answered
 * before the next one comes. Each line of input gives one line of output. A
 * file of rows (.csv, .tsv, .jsonl, .json) is read whole, as data sets are, and
 * may be elsewhere: it is downloaded first. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/data/download.h"
#include "core/data/hub.h"
#include "core/data/source.h"
#include "core/train/checkpoint.h"
#include "core/train/predictor.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/clock.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/interrupt.h"
#include "daemon/cli/pick.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_TRIAL = 1, KEY_FILE, KEY_JSONL, KEY_FIELD, KEY_TOP };
enum {
    READ_BYTES = 256 << 10,
    LINE_MAX_BYTES = 64 << 20,
    BATCH_TEXTS = 256,
    MANY_TEXTS = 1000, /* from here on their rate is told */
};

struct predict {
    struct cli *cli;
    struct pick pick;
    int64_t trial, top;
    const char *file;
    const char *field, *field_too; /* where a row's text stands; or NULL */
    bool field_is_given;
    char *named_by; /* what names the field, for sentences */
    bool jsonl;
    size_t n_classes, n_printed;
    float *logprob;     /* (BATCH_TEXTS, n_classes) */
    int32_t *order;     /* (n_classes) */
    const char *source; /* for sentences */
    size_t n_lines;
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct predict *p = ctx;
    switch (key) {
    case KEY_TRIAL:
        p->trial = pick_trial(state, arg);
        return;
    case KEY_FILE:
        p->file = arg;
        return;
    case KEY_JSONL:
        p->jsonl = true;
        return;
    case KEY_FIELD:
        p->field = arg;
        p->field_is_given = true;
        return;
    default:
        p->top = cli_number(state, "top", arg, 1, 1000000);
    }
}

/* --- output
 * ------------------------------------------------------------------- */

static const char *class_name(const struct predict *p, int32_t id)
{
    return predictor_checkpoint(p->pick.predictor)->classes[id];
}

/* The first `top` class ids by probability, ties by id, into order. */
static void rank(struct predict *p, const float *logprob)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_classes; i++) {
        size_t at = n < (size_t)p->top ? n++ : n;
        while (at > 0 && logprob[i] > logprob[p->order[at - 1]]) {
            if (at < (size_t)p->top) {
                p->order[at] = p->order[at - 1];
            }
            at--;
        }
        if (at < (size_t)p->top) {
            p->order[at] = (int32_t)i;
        }
    }
}

static void put_choice(struct json_out *w, const struct predict *p,
                       const float *logprob, int32_t id)
{
    json_put_key(w, "class");
    json_put_string(w, class_name(p, id));
    json_put_key(w, "probability");
    json_put_double(w, exp((double)logprob[id]));
}

static void put_json(struct predict *p, struct span text, const float *logprob,
                     struct buf *out)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    json_open(&w, '{');
    put_choice(&w, p, logprob, p->order[0]);
    if (p->top > 1) {
        json_put_key(&w, "top");
        json_open(&w, '[');
        for (int64_t i = 0; i < p->top; i++) {
            json_open(&w, '{');
            put_choice(&w, p, logprob, p->order[i]);
            json_close(&w, '}');
        }
        json_close(&w, ']');
    }
    json_put_key(&w, "text");
    json_put_text(&w, text);
    json_close(&w, '}');
}

static void put_line(struct predict *p, const float *logprob, struct buf *out)
{
    for (int64_t i = 0; i < p->top; i++) {
        const char *name = class_name(p, p->order[i]);
        buf_str(out, i > 0 ? "\t" : "");
        utf8_printable(out, name, strlen(name));
        buf_printf(out, "\t%.4f", exp((double)logprob[p->order[i]]));
    }
}

static int put_texts(struct predict *p, const struct span *texts, size_t n,
                     struct err *err)
{
    struct buf out;
    int rc = predictor_run(p->pick.predictor, texts, n, p->logprob, err);
    if (rc != 0) {
        return rc;
    }
    buf_init(&out, BUF_MAX_RESPONSE);
    for (size_t i = 0; i < n; i++) {
        const float *logprob = p->logprob + i * p->n_classes;
        rank(p, logprob);
        if (p->cli->json) {
            buf_str(&out, p->n_printed == 0 ? "[" : ",\n");
        }
        if (p->cli->json || p->jsonl) {
            put_json(p, texts[i], logprob, &out);
        } else {
            put_line(p, logprob, &out);
        }
        buf_str(&out, p->cli->json ? "" : "\n");
        p->n_printed++;
        if (out.len >= READ_BYTES) {
            fwrite(out.data, 1, out.len, stdout);
            buf_reset(&out);
        }
    }
    fwrite(out.len > 0 ? out.data : "", 1, out.len, stdout);
    buf_fini(&out);
    if (fflush(stdout) != 0) {
        return err_sys(err, errno, "writing");
    }
    return 0;
}

/* --- input
 * -------------------------------------------------------------------- */

/* Whole lines of a piece of input, ready to be predicted. */
struct batch {
    struct span texts[BATCH_TEXTS];
    struct json *objects[BATCH_TEXTS]; /* own the texts of JSON lines */
    char *copies[BATCH_TEXTS];         /* and these those of other rows */
    size_t n;
};

static int flush(struct predict *p, struct batch *b, struct err *err)
{
    int rc = b->n > 0 ? put_texts(p, b->texts, b->n, err) : 0;
    for (size_t i = 0; i < b->n; i++) {
        json_free(b->objects[i]);
        free(b->copies[i]);
        b->objects[i] = NULL;
        b->copies[i] = NULL;
    }
    b->n = 0;
    return rc;
}

static const struct json *text_in(const struct predict *p,
                                  const struct json *object)
{
    if (json_kind(object) != JSON_OBJECT) {
        return NULL;
    }
    const struct json *text = json_get(object, p->field);
    return text == NULL && p->field_too != NULL ? json_get(object, p->field_too)
                                                : text;
}

static int take_object(struct predict *p, struct span line, struct batch *b,
                       struct err *err)
{
    struct json *root;
    size_t at;
    int rc = json_parse_data(line.at, line.len, &root, &at, err);
    if (rc != 0) {
        return at != JSON_NOWHERE ? err_wrap(err, "byte %zu", at) : rc;
    }
    const struct json *text = text_in(p, root);
    if (text == NULL || json_kind(text) != JSON_STRING) {
        json_free(root);
        return err_set(err, ERR_INVALID,
                       "not an object with a string '%s' (%s names it)",
                       p->field, p->named_by);
    }
    b->texts[b->n] = json_text(text);
    b->objects[b->n++] = root;
    return 0;
}

static int take_text(struct span line, struct batch *b, struct err *err)
{
    size_t valid = utf8_valid_prefix(line.at, line.len);
    if (valid != line.len) {
        return err_set(err, ERR_INVALID, "byte %zu: not valid UTF-8", valid);
    }
    if (memchr(line.at, '\0', line.len) != NULL) {
        return err_set(err, ERR_INVALID, "a NUL byte");
    }
    b->texts[b->n++] = line;
    return 0;
}

/* On error what came before is predicted first: its lines are printed. */
static int take_line(struct predict *p, struct span line, struct batch *b,
                     struct err *err)
{
    if (line.len > 0 && line.at[line.len - 1] == '\r') {
        line.len--;
    }
    p->n_lines++;
    int rc = p->jsonl ? take_object(p, line, b, err) : take_text(line, b, err);
    if (rc != 0) {
        struct err ignored;
        (void)!flush(p, b, &ignored);
        err_wrap(err, "%s: line %zu", p->source, p->n_lines);
        return err->code = ERR_IO;
    }
    return b->n == BATCH_TEXTS ? flush(p, b, err) : 0;
}

/* Predict the whole lines in bytes; *used is how many those are. */
static int take_lines(struct predict *p, struct span bytes, size_t *used,
                      struct err *err)
{
    struct batch b = {.n = 0};
    const char *at = bytes.at, *end = bytes.at + bytes.len, *newline;
    int rc = 0;
    while (rc == 0 && at < end &&
           (newline = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        rc = take_line(p, (struct span){at, (size_t)(newline - at)}, &b, err);
        at = newline + 1;
    }
    rc = rc == 0 ? flush(p, &b, err) : rc;
    *used = (size_t)(at - bytes.at);
    return rc;
}

/* Bytes read and not yet predicted: less than a line, before each read. */
struct pending {
    char *bytes;
    size_t len, cap;
};

static int grow(const struct predict *p, struct pending *in, struct err *err)
{
    if (in->cap - in->len >= READ_BYTES / 2) {
        return 0;
    }
    if (in->len > LINE_MAX_BYTES) {
        return err_set(err, ERR_LIMIT, "%s: line %zu: longer than %d MiB",
                       p->source, p->n_lines + 1, LINE_MAX_BYTES >> 20);
    }
    size_t cap = in->cap == 0 ? READ_BYTES : 2 * in->cap;
    char *bytes = mem_try_grow(in->bytes, cap, 1);
    if (bytes == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for a line of %zu bytes",
                       cap);
    }
    in->bytes = bytes;
    in->cap = cap;
    return 0;
}

/* 1: more may come; 0: the end. */
static int read_some(struct predict *p, int fd, struct pending *in,
                     struct err *err)
{
    size_t used = 0;
    int rc = grow(p, in, err);
    if (rc != 0) {
        return rc;
    }
    ssize_t got = read(fd, in->bytes + in->len, in->cap - in->len);
    if (got < 0) {
        return errno == EINTR ? 1 : err_sys(err, errno, "%s", p->source);
    }
    if (got == 0) { /* the last line may have no end */
        struct batch b = {.n = 0};
        struct span last = {in->bytes, in->len};
        rc = last.len > 0 ? take_line(p, last, &b, err) : 0;
        return rc == 0 ? flush(p, &b, err) : rc;
    }
    /* What was there before has no end of line: only the new bytes can. */
    bool has_line = memchr(in->bytes + in->len, '\n', (size_t)got) != NULL;
    in->len += (size_t)got;
    if (has_line) {
        rc = take_lines(p, (struct span){in->bytes, in->len}, &used, err);
        in->len -= used;
        memmove(in->bytes, in->bytes + used, in->len);
    }
    return rc == 0 ? 1 : rc;
}

static int predict_stream(struct predict *p, int fd, struct err *err)
{
    struct pending in = {0};
    int rc;
    while ((rc = read_some(p, fd, &in, err)) > 0) {
    }
    free(in.bytes);
    return rc;
}

/* --- rows of a data file
 * ------------------------------------------------------ */

struct rows {
    struct predict *p;
    struct batch batch;
    struct err failed; /* of the predicting, which is no row's fault */
    bool has_failed;
};

static int on_row(void *ctx, const struct row *row, struct err *err)
{
    struct rows *r = ctx;
    struct batch *b = &r->batch;
    if (interrupt_came()) {
        return err_set(err, ERR_CANCELED, "interrupted");
    }
    char *copy = mem_try(row->text.len + 1, 1);
    if (copy == NULL) {
        return err_set(err, ERR_LIMIT, "no memory for its text");
    }
    memcpy(copy, row->text.at, row->text.len);
    b->copies[b->n] = copy;
    b->texts[b->n++] = (struct span){copy, row->text.len};
    int rc = b->n == BATCH_TEXTS ? flush(r->p, b, &r->failed) : 0;
    r->has_failed = rc != 0;
    return rc != 0 ? err_set(err, rc, "%s", r->failed.msg) : 0;
}

/* Here too, what comes before a bad row is predicted. */
static int predict_rows(struct predict *p, struct err *err)
{
    const struct source_query q = {.text = p->field, .named_by = p->named_by};
    struct rows r = {.p = p};
    const struct row_sink sink = {&r, on_row};
    int rc = pick_rows(p->cli, p->file, &q, &sink, err);
    if (r.has_failed) {
        *err = r.failed;
        return rc;
    }
    int rest = flush(p, &r.batch, rc == 0 ? err : &r.failed);
    return rc == 0 ? rest : rc;
}

static void tell_rate(const struct predict *p, double seconds)
{
    if (p->n_printed >= MANY_TEXTS) {
        fprintf(stderr, "%zu texts in %.1f s: %.0f texts/s\n", p->n_printed,
                seconds, (double)p->n_printed / seconds);
    }
}

static bool is_stdin(const struct predict *p)
{
    return p->file == NULL || strcmp(p->file, "-") == 0;
}

static int predict_lines(struct predict *p, struct err *err)
{
    int fd = is_stdin(p) ? STDIN_FILENO : open(p->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int code = err_sys(err, errno, "%s", p->file);
        return err->code = code == ERR_NOTFOUND ? ERR_INVALID : code;
    }
    int rc = predict_stream(p, fd, err);
    if (!is_stdin(p)) {
        close(fd);
    }
    return rc;
}

/* The name's ending says what a file is, as of a data set. With --jsonl all
 * JSON that is here is read in lines, as it comes. */
static bool has_rows(const struct predict *p)
{
    const char *name = is_stdin(p) ? "" : p->file;
    bool is_json =
        source_has_ending(name, ".jsonl") || source_has_ending(name, ".json");
    return source_has_ending(name, ".csv") || source_has_ending(name, ".tsv") ||
           (is_json && !p->jsonl) || hub_is_source(name) ||
           download_is_url(name);
}

static int predict_file(struct predict *p, struct err *err)
{
    double start = clock_now_s();
    p->source = is_stdin(p) ? "standard input" : p->file;
    int rc = has_rows(p) ? predict_rows(p, err) : predict_lines(p, err);
    if (rc == 0) {
        tell_rate(p, clock_now_s() - start);
    }
    return rc;
}

static int predict_arguments(struct predict *p, char **texts, int n,
                             struct err *err)
{
    for (int i = 0; i < n; i++) {
        struct span text = {texts[i], strlen(texts[i])};
        if (!utf8_is_valid(text.at, text.len)) {
            return err_set(err, ERR_INVALID, "text %d is not valid UTF-8",
                           i + 1);
        }
        int rc = put_texts(p, &text, 1, err);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* --- the command
 * -------------------------------------------------------------- */

static int check_options(const struct predict *p, bool has_texts,
                         struct err *err)
{
    if (has_texts && (p->file != NULL || p->field_is_given)) {
        return err_set(err, ERR_INVALID, "texts and %s exclude each other",
                       p->file != NULL ? "--file" : "--field");
    }
    if (!has_texts && p->field_is_given && !p->jsonl && !has_rows(p)) {
        return err_set(err, ERR_INVALID,
                       "--field is for rows: a .csv, .tsv, .json or .jsonl "
                       "file, or --jsonl");
    }
    return 0;
}

static int prepare(struct predict *p, const char *what, struct err *err)
{
    int rc = pick_open(p->cli, what, p->trial, &p->pick, err);
    if (rc != 0) {
        return rc;
    }
    if (!p->field_is_given) {
        p->field = p->pick.text != NULL ? p->pick.text : "text";
        p->field_too = p->jsonl ? "text" : NULL;
    }
    p->named_by = p->field_is_given || p->pick.text == NULL
                      ? mem_strdup("--field")
                      : mem_printf("the %s %s.text, or --field,", p->pick.whose,
                                   p->pick.where);
    p->n_classes = predictor_checkpoint(p->pick.predictor)->n_classes;
    p->top = p->top < (int64_t)p->n_classes ? p->top : (int64_t)p->n_classes;
    p->logprob = mem_try(p->n_classes, BATCH_TEXTS * sizeof(*p->logprob));
    p->order = mem_try(p->n_classes, sizeof(*p->order));
    return p->logprob != NULL && p->order != NULL
               ? 0
               : err_set(err, ERR_LIMIT, "no memory for %zu classes",
                         p->n_classes);
}

int cmd_predict(struct cli *c, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"trial", KEY_TRIAL, "N", 0, "this trial's model, not the best's", 0},
        {"file", KEY_FILE, "FILE", 0,
         "a text per row of a .csv, .tsv, .json or .jsonl file (or its "
         "address, "
         "or hf:OWNER/NAME), per line of any other; - is standard input, the "
         "default",
         0},
        {"jsonl", KEY_JSONL, NULL, 0,
         "Prints a JSON object per text: its class, probability and text. "
         "Reads "
         "lines as JSON objects that have a text.",
         0},
        {"field", KEY_FIELD, "NAME", 0,
         "the column or field of the texts (default: the study's or model's, "
         "or text)",
         0},
        {"top", KEY_TOP, "K", 0, "the K likeliest classes (default: 1)", 0},
        {0}};
    static const struct cli_command command = {
        .name = "predict",
        .args = "STUDY|MODEL_DIR [TEXT...]",
        .doc = "Class and probability of each text, separated by tabs; one "
               "line for each text, row or line of input, as they come.",
        .n_min = 1,
        .n_max = -1,
        .options = options,
        .on_option = on_option};
    struct predict p = {.cli = c, .trial = -1, .top = 1};
    struct err err;
    int n = cli_parse(c, &command, argc, argv, &p);
    int rc = check_options(&p, n > 1, &err);
    rc = rc == 0 ? prepare(&p, argv[1], &err) : rc;
    if (rc == 0) {
        rc = n > 1 ? predict_arguments(&p, argv + 2, n - 1, &err)
                   : predict_file(&p, &err);
    }
    if (rc == 0 && c->json) { /* after an error the list stays open */
        fputs(p.n_printed == 0 ? "[]\n" : "]\n", stdout);
    }
    pick_fini(&p.pick);
    free(p.named_by);
    free(p.logprob);
    free(p.order);
    return rc == 0 ? CLI_OK : cli_fail(c, &err);
}
