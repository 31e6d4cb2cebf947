/* A report for programs: JSON and CSV. */
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/train/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_number(struct json_out *w, const char *key, double value)
{
    json_put_key(w, key);
    json_put_double(w, value);
}

static void put_count(struct json_out *w, const char *key, uint64_t value)
{
    json_put_key(w, key);
    json_put_int(w, (int64_t)value);
}

static void put_word(struct json_out *w, const char *key, const char *value)
{
    json_put_key(w, key);
    json_put_string(w, value);
}

static void put_scores(struct json_out *w, const struct confusion_scores *s)
{
    put_number(w, "precision", s->precision);
    put_number(w, "recall", s->recall);
    put_number(w, "f1", s->f1);
}

static void put_average(struct json_out *w, const char *key,
                        const struct confusion_scores *s)
{
    json_put_key(w, key);
    json_open(w, '{');
    put_scores(w, s);
    json_close(w, '}');
}

static void put_classes(const struct report *r, struct json_out *w)
{
    json_put_key(w, "classes");
    json_open(w, '[');
    for (size_t i = 0; i < r->n_classes; i++) {
        json_open(w, '{');
        put_word(w, "class", report_class(r, i));
        put_scores(w, &r->classes[i].scores);
        put_count(w, "support", r->classes[i].support);
        put_count(w, "predicted", r->classes[i].predicted);
        json_close(w, '}');
    }
    json_close(w, ']');
}

static void put_confusion(const struct report *r, struct json_out *w)
{
    json_put_key(w, "confusion");
    json_open(w, '[');
    for (size_t i = 0; i < r->n_classes; i++) {
        json_open(w, '[');
        for (size_t j = 0; j < r->n_classes; j++) {
            json_put_int(w, (int64_t)confusion_at(&r->confusion, i, j));
        }
        json_close(w, ']');
    }
    json_close(w, ']');
}

static void put_predicted_classes(const struct report *r, struct json_out *w)
{
    json_put_key(w, "predicted_classes");
    json_open(w, '[');
    for (size_t i = 0; i < r->n_classes; i++) {
        if (r->classes[i].predicted > 0) {
            json_put_string(w, report_class(r, i));
        }
    }
    json_close(w, ']');
}

static void put_text(struct json_out *w, const char *key, struct span text)
{
    json_put_key(w, key);
    json_put_text(w, text);
}

static void put_token(void *ctx, const char *token)
{
    json_put_string(ctx, token);
}

static int put_error(const struct report *r, size_t at, struct json_out *w,
                     struct err *err)
{
    const struct report_row *row = &r->rows[at];
    size_t n_tokens;
    json_open(w, '{');
    put_count(w, "row", at);
    put_word(w, "class", report_class(r, (size_t)row->label));
    put_word(w, "predicted", report_class(r, (size_t)row->predicted));
    put_number(w, "probability", (double)row->probability);
    put_number(w, "class_probability", (double)row->label_probability);
    put_text(w, "text", row->text);
    json_put_key(w, "tokens");
    json_open(w, '[');
    int rc =
        report_tokens(r, row->text, SIZE_MAX, put_token, w, &n_tokens, err);
    json_close(w, ']');
    json_close(w, '}');
    return rc;
}

static int put_errors(const struct report *r, struct json_out *w,
                      struct err *err)
{
    int rc = 0;
    json_put_key(w, "errors");
    json_open(w, '[');
    for (size_t i = 0; rc == 0 && i < r->n_rows; i++) {
        if (r->rows[i].label != r->rows[i].predicted) {
            rc = put_error(r, i, w, err);
        }
    }
    json_close(w, ']');
    return rc;
}

int report_json(const struct report *r, const struct report_title *title,
                struct buf *out, struct err *err)
{
    struct json_out w;
    json_out_init(&w, out, JSON_COMPACT);
    json_open(&w, '{');
    put_word(&w, "model", title->model);
    put_word(&w, "data", title->data);
    put_count(&w, "rows", r->n_rows);
    put_count(&w, "n_errors", r->n_errors);
    put_number(&w, "accuracy", r->summary.accuracy);
    put_number(&w, "loss", r->loss);
    put_average(&w, "macro", &r->summary.macro);
    put_average(&w, "weighted", &r->summary.weighted);
    put_predicted_classes(r, &w);
    put_classes(r, &w);
    put_confusion(r, &w);
    int rc = put_errors(r, &w, err);
    json_close(&w, '}');
    if (rc == 0 && out->overflow) {
        rc = err_set(err, ERR_LIMIT, "the report is longer than %zu bytes",
                     out->max);
    }
    return rc;
}

/* --- CSV ------------------------------------------------------------------ */

static void csv_field(struct buf *out, const char *s, size_t len)
{
    bool is_plain = len > 0;
    for (size_t i = 0; is_plain && i < len; i++) {
        is_plain = strchr(",\"\r\n", s[i]) == NULL;
    }
    if (is_plain) {
        buf_add(out, s, len);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '"') {
            buf_char(out, '"');
        }
        buf_char(out, s[i]);
    }
    buf_char(out, '"');
}

static void csv_class(struct buf *out, const struct report *r, int32_t id)
{
    const char *name = report_class(r, (size_t)id);
    csv_field(out, name, strlen(name));
    buf_char(out, ',');
}

static void csv_number(struct buf *out, float value)
{
    char digits[32];
    json_repr((double)value, digits);
    buf_printf(out, "%s,", digits);
}

void report_csv(const struct report *r, struct buf *out)
{
    buf_str(out, "row,label,predicted,correct,probability,"
                 "label_probability,text\r\n");
    for (size_t i = 0; i < r->n_rows; i++) {
        const struct report_row *row = &r->rows[i];
        buf_printf(out, "%zu,", i);
        csv_class(out, r, row->label);
        csv_class(out, r, row->predicted);
        buf_str(out, row->label == row->predicted ? "1," : "0,");
        csv_number(out, row->probability);
        csv_number(out, row->label_probability);
        csv_field(out, row->text.at, row->text.len);
        buf_str(out, "\r\n");
    }
}
