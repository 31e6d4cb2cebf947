/* A report for people: one page that needs nothing else. */
#include "core/base/buf.h"
#include "core/train/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    ERRORS_MAX = 500,  /* rows of the table of errors */
    TOKENS_MAX = 1000, /* shown of one text */
    NUMBERS_MAX = 40   /* classes up to which matrix cells have numbers */
};

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<title>Evaluation</title>\n<style>\n"
    ":root{color-scheme:light dark;--ink:#1c2024;--dim:#60646c;--line:#d9dce1;"
    "--bg:#fff;--good:30,120,80;--bad:200,50,50}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#edeef0;--dim:#a0a4ab;"
    "--line:#363a3f;--bg:#141618;--good:70,190,130;--bad:240,90,90}}\n"
    "body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);"
    "background:var(--bg);max-width:72rem;margin:2rem auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem}\n"
    "p.dim,caption{color:var(--dim)}\n"
    ".figures{display:flex;flex-wrap:wrap;gap:2.5rem}\n"
    ".figures b{display:block;font-size:1.6rem;font-weight:600}\n"
    "table{border-collapse:collapse}\n"
    "th{text-align:left;font-weight:600}\n"
    "th,td{padding:.2rem .7rem .2rem 0;border-bottom:1px solid var(--line);"
    "vertical-align:top}\n"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}\n"
    ".wide{overflow-x:auto}\n"
    ".matrix{font-size:11px}.matrix th,.matrix td{border:0;padding:0}\n"
    ".matrix thead th{height:9rem;white-space:nowrap;vertical-align:bottom}\n"
    ".matrix thead span{writing-mode:vertical-rl;transform:rotate(180deg)}\n"
    ".matrix tbody th{padding-right:.5rem;white-space:nowrap;"
    "text-align:right;font-weight:400}\n"
    ".matrix td{width:1.6em;min-width:1.6em;height:1.6em;text-align:center;"
    "border:1px solid var(--line)}\n"
    ".text{white-space:pre-wrap;overflow-wrap:anywhere}\n"
    "details summary{cursor:pointer;color:var(--dim)}\n"
    "code{background:rgba(128,128,128,.15);border-radius:3px;"
    "padding:0 .2em;margin:0 .15em .15em 0;display:inline-block}\n"
    "</style></head><body>\n";

static void put_escaped(struct buf *out, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        switch (s[i]) {
        case '&':
            buf_str(out, "&amp;");
            break;
        case '<':
            buf_str(out, "&lt;");
            break;
        case '>':
            buf_str(out, "&gt;");
            break;
        case '"':
            buf_str(out, "&quot;");
            break;
        default:
            buf_char(out, s[i]);
        }
    }
}

static void put_word(struct buf *out, const char *s)
{
    put_escaped(out, s, strlen(s));
}

static void put_figure(struct buf *out, const char *what, const char *fmt,
                       double value)
{
    char digits[64];
    snprintf(digits, sizeof(digits), fmt, value);
    buf_printf(out, "<div><b>%s</b>%s</div>\n", digits, what);
}

static void put_heading(const struct report *r,
                        const struct report_title *title, struct buf *out)
{
    buf_str(out, "<h1>Evaluation</h1>\n<p class=\"dim\">");
    if (title->model != NULL) {
        buf_str(out, "Model: ");
        put_word(out, title->model);
        buf_str(out, "<br>");
    }
    if (title->data != NULL) {
        buf_str(out, "Data: ");
        put_word(out, title->data);
    }
    buf_str(out, "</p>\n<div class=\"figures\">\n");
    put_figure(out, "accuracy", "%.4f", r->summary.accuracy);
    put_figure(out, "macro F1", "%.4f", r->summary.macro.f1);
    put_figure(out, "weighted F1", "%.4f", r->summary.weighted.f1);
    put_figure(out, "cross-entropy", "%.4f", r->loss);
    put_figure(out, "rows", "%.0f", (double)r->n_rows);
    put_figure(out, "errors", "%.0f", (double)r->n_errors);
    put_figure(out, "classes predicted", "%.0f",
               (double)r->summary.n_predicted_classes);
    buf_str(out, "</div>\n");
}

static void put_scores(const struct confusion_scores *s, struct buf *out)
{
    buf_printf(out,
               "<td class=\"n\">%.4f</td><td class=\"n\">%.4f</td>"
               "<td class=\"n\">%.4f</td>",
               s->precision, s->recall, s->f1);
}

static void put_average(const char *name, const struct confusion_scores *s,
                        struct buf *out)
{
    buf_printf(out, "<tr><th>%s</th>", name);
    put_scores(s, out);
    buf_str(out, "<td></td><td></td></tr>\n");
}

static void put_classes(const struct report *r, struct buf *out)
{
    buf_str(out, "<h2>Classes</h2>\n<div class=\"wide\"><table><thead><tr>"
                 "<th>class</th><th class=\"n\">precision</th>"
                 "<th class=\"n\">recall</th><th class=\"n\">F1</th>"
                 "<th class=\"n\">support</th><th class=\"n\">predicted</th>"
                 "</tr></thead><tbody>\n");
    for (size_t i = 0; i < r->n_classes; i++) {
        const struct confusion_class *k = &r->classes[i];
        buf_str(out, "<tr><td>");
        put_word(out, report_class(r, i));
        buf_str(out, "</td>");
        put_scores(&k->scores, out);
        buf_printf(out,
                   "<td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
                   "</td></tr>\n",
                   k->support, k->predicted);
    }
    put_average("macro average", &r->summary.macro, out);
    put_average("weighted average", &r->summary.weighted, out);
    buf_str(out, "</tbody></table></div>\n");
}

/* A cell is as strong as its share of its true class. */
static void put_cell(const struct report *r, size_t is, size_t predicted,
                     struct buf *out)
{
    uint64_t n = confusion_at(&r->confusion, is, predicted);
    if (n == 0) {
        buf_str(out, "<td></td>");
        return;
    }
    double share = (double)n / (double)r->classes[is].support;
    buf_printf(out,
               "<td style=\"background:rgba(var(--%s),%.2f)\" title=\"%" PRIu64
               " x ",
               is == predicted ? "good" : "bad", 0.15 + 0.75 * share, n);
    put_word(out, report_class(r, is));
    buf_str(out, " taken for ");
    put_word(out, report_class(r, predicted));
    buf_str(out, "\">");
    if (r->n_classes <= NUMBERS_MAX) {
        buf_printf(out, "%" PRIu64, n);
    }
    buf_str(out, "</td>");
}

static void put_matrix(const struct report *r, struct buf *out)
{
    buf_str(out, "<h2>Confusion matrix</h2>\n<p class=\"dim\">Rows: the true "
                 "class. Columns: the predicted one.</p>\n"
                 "<div class=\"wide\"><table class=\"matrix\"><thead><tr>"
                 "<th></th>");
    for (size_t i = 0; i < r->n_classes; i++) {
        buf_str(out, "<th><span>");
        put_word(out, report_class(r, i));
        buf_str(out, "</span></th>");
    }
    buf_str(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < r->n_classes; i++) {
        buf_str(out, "<tr><th>");
        put_word(out, report_class(r, i));
        buf_str(out, "</th>");
        for (size_t j = 0; j < r->n_classes; j++) {
            put_cell(r, i, j, out);
        }
        buf_str(out, "</tr>\n");
    }
    buf_str(out, "</tbody></table></div>\n");
}

static void put_token(void *ctx, const char *token)
{
    struct buf *out = ctx;
    buf_str(out, "<code>");
    put_word(out, token);
    buf_str(out, "</code>");
}

static int put_error(const struct report *r, size_t at, struct buf *out,
                     struct err *err)
{
    const struct report_row *row = &r->rows[at];
    size_t n_tokens;
    buf_printf(out, "<tr><td class=\"n\">%zu</td><td>", at);
    put_word(out, report_class(r, (size_t)row->label));
    buf_printf(out, "<br>%.4f</td><td>", (double)row->label_probability);
    put_word(out, report_class(r, (size_t)row->predicted));
    buf_printf(out, "<br>%.4f</td><td><div class=\"text\">",
               (double)row->probability);
    put_escaped(out, row->text.at, row->text.len);
    buf_str(out, "</div><details><summary>tokens</summary>");
    int rc =
        report_tokens(r, row->text, TOKENS_MAX, put_token, out, &n_tokens, err);
    buf_str(out, "</details></td></tr>\n");
    return rc;
}

static int put_errors(const struct report *r, struct buf *out, struct err *err)
{
    size_t n_shown = 0;
    int rc = 0;
    buf_printf(out, "<h2>Errors</h2>\n<p class=\"dim\">%zu of %zu rows",
               r->n_errors, r->n_rows);
    if (r->n_errors > ERRORS_MAX) {
        buf_printf(out, "; the first %d", ERRORS_MAX);
    }
    buf_str(out, ".</p>\n<table><thead><tr><th class=\"n\">row</th>"
                 "<th>true</th><th>predicted</th><th>text</th></tr></thead>"
                 "<tbody>\n");
    for (size_t i = 0; rc == 0 && i < r->n_rows && n_shown < ERRORS_MAX; i++) {
        if (r->rows[i].label != r->rows[i].predicted) {
            rc = put_error(r, i, out, err);
            n_shown++;
        }
    }
    buf_str(out, "</tbody></table>\n");
    return rc;
}

int report_html(const struct report *r, const struct report_title *title,
                struct buf *out, struct err *err)
{
    buf_str(out, HEAD);
    put_heading(r, title, out);
    put_classes(r, out);
    put_matrix(r, out);
    int rc = put_errors(r, out, err);
    buf_str(out, "</body></html>\n");
    if (rc == 0 && out->overflow) {
        rc = err_set(err, ERR_LIMIT, "the report is longer than %zu bytes",
                     out->max);
    }
    return rc;
}
