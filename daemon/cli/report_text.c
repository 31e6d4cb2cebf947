#include "daemon/cli/report_text.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/train/report.h"
#include "daemon/cli/table.h"
#include "daemon/cli/width.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    MATRIX_CLASSES = 30, /* more are shown as a list of confusions */
    CONFUSIONS_MAX = 25,
    TEXT_COLUMNS = 500, /* of an error's text */
    TOKENS_MAX = 60
};

static void put_heading(const struct report *r,
                        const struct report_title *title,
                        const struct term *term)
{
    struct table *t = table_new();
    table_left(t, "");
    table_left(t, "");
    table_cell(t, TERM_DIM, "model");
    table_cell(t, TERM_PLAIN, title->model);
    table_cell(t, TERM_DIM, "data");
    table_cell(t, TERM_PLAIN, title->data);
    table_cell(t, TERM_DIM, "accuracy");
    table_cellf(t, TERM_GOOD, "%.4f  (%zu of %zu)", r->summary.accuracy,
                r->n_rows - r->n_errors, r->n_rows);
    table_cell(t, TERM_DIM, "cross-entropy");
    table_cellf(t, TERM_PLAIN, "%.4f", r->loss);
    table_cell(t, TERM_DIM, "classes");
    table_cellf(t, TERM_PLAIN, "%zu, of which %zu were predicted", r->n_classes,
                r->summary.n_predicted_classes);
    table_print(t, term);
    table_free(t);
}

static void put_scores(struct table *t, const struct confusion_scores *s)
{
    table_cellf(t, TERM_PLAIN, "%.4f", s->precision);
    table_cellf(t, TERM_PLAIN, "%.4f", s->recall);
    table_cellf(t, TERM_PLAIN, "%.4f", s->f1);
}

static void put_average(struct table *t, const char *name,
                        const struct confusion_scores *s,
                        const struct report *r)
{
    table_cell(t, TERM_BOLD, name);
    put_scores(t, s);
    table_cellf(t, TERM_DIM, "%zu", r->n_rows);
    table_cellf(t, TERM_DIM, "%zu", r->n_rows);
}

static void put_classes(const struct report *r, const struct term *term)
{
    struct table *t = table_new();
    table_left(t, "class");
    table_right(t, "precision");
    table_right(t, "recall");
    table_right(t, "f1");
    table_right(t, "support");
    table_right(t, "predicted");
    for (size_t i = 0; i < r->n_classes; i++) {
        table_cell(t, TERM_PLAIN, report_class(r, i));
        put_scores(t, &r->classes[i].scores);
        table_cellf(t, TERM_PLAIN, "%" PRIu64, r->classes[i].support);
        table_cellf(t, TERM_PLAIN, "%" PRIu64, r->classes[i].predicted);
    }
    put_average(t, "macro average", &r->summary.macro, r);
    put_average(t, "weighted average", &r->summary.weighted, r);
    fputc('\n', term->file);
    table_print(t, term);
    table_free(t);
}

/* --- confusions
 * --------------------------------------------------------------- */

static void put_matrix(const struct report *r, const struct term *term)
{
    struct table *t = table_new();
    char number[32];
    table_left(t, "true \\ predicted");
    table_right(t, "");
    for (size_t i = 0; i < r->n_classes; i++) {
        snprintf(number, sizeof(number), "%zu", i);
        table_right(t, number);
    }
    for (size_t i = 0; i < r->n_classes; i++) {
        table_cell(t, TERM_PLAIN, report_class(r, i));
        table_cellf(t, TERM_DIM, "%zu", i);
        for (size_t j = 0; j < r->n_classes; j++) {
            uint64_t n = confusion_at(&r->confusion, i, j);
            if (n == 0) {
                table_cell(t, TERM_DIM, ".");
            } else {
                table_cellf(t, i == j ? TERM_GOOD : TERM_BAD, "%" PRIu64, n);
            }
        }
    }
    table_print(t, term);
    table_free(t);
}

struct confused {
    size_t is, predicted;
    uint64_t n;
};

static int more_first(const void *a, const void *b)
{
    const struct confused *x = a, *y = b;
    if (x->n != y->n) {
        return x->n < y->n ? 1 : -1;
    }
    if (x->is != y->is) {
        return x->is < y->is ? -1 : 1;
    }
    return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

/* The cells off the diagonal that are not 0, largest first. */
static struct confused *confusions(const struct report *r, size_t *n)
{
    struct confused *list = mem_alloc(r->n_errors + 1, sizeof(*list));
    *n = 0;
    for (size_t i = 0; i < r->n_classes; i++) {
        for (size_t j = 0; j < r->n_classes; j++) {
            uint64_t count = confusion_at(&r->confusion, i, j);
            if (i != j && count > 0) {
                list[(*n)++] = (struct confused){i, j, count};
            }
        }
    }
    qsort(list, *n, sizeof(*list), more_first);
    return list;
}

static void put_confusions(const struct report *r, const struct term *term)
{
    size_t n;
    struct confused *list = confusions(r, &n);
    struct table *t = table_new();
    table_right(t, "times");
    table_left(t, "true");
    table_left(t, "taken for");
    for (size_t i = 0; i < n && i < CONFUSIONS_MAX; i++) {
        table_cellf(t, TERM_BAD, "%" PRIu64, list[i].n);
        table_cell(t, TERM_PLAIN, report_class(r, list[i].is));
        table_cell(t, TERM_PLAIN, report_class(r, list[i].predicted));
    }
    table_print(t, term);
    if (n > CONFUSIONS_MAX) {
        fprintf(term->file, "... and %zu more kinds; --html has the matrix\n",
                n - CONFUSIONS_MAX);
    }
    table_free(t);
    free(list);
}

/* --- errors
 * ------------------------------------------------------------------- */

static void put_token(void *ctx, const char *token)
{
    struct buf *out = ctx;
    buf_str(out, out->len > 0 ? " " : "");
    width_printable(out, token, strlen(token));
}

/* The text in one line, cut. */
static void put_shown(const struct term *term, struct span text)
{
    struct buf all, cut;
    char *copy = mem_strndup(text.at, text.len);
    for (char *c = copy; c < copy + text.len; c++) {
        *c = *c == '\n' || *c == '\r' || *c == '\t' ? ' ' : *c;
    }
    buf_init(&all, BUF_MAX_RESPONSE);
    buf_init(&cut, BUF_MAX_RESPONSE);
    width_printable(&all, copy, text.len);
    width_fit(&cut, all.data != NULL ? all.data : "", TEXT_COLUMNS);
    fprintf(term->file, "  %s\n", cut.data != NULL ? cut.data : "");
    buf_fini(&all);
    buf_fini(&cut);
    free(copy);
}

static void put_class(struct buf *out, const struct report *r, int32_t id,
                      float probability)
{
    const char *name = report_class(r, (size_t)id);
    width_printable(out, name, strlen(name));
    buf_printf(out, " (%.4f)", (double)probability);
}

static int put_error(const struct report *r, size_t at, const struct term *term,
                     struct err *err)
{
    const struct report_row *row = &r->rows[at];
    struct buf line;
    size_t n_tokens = 0;
    buf_init(&line, BUF_MAX_RESPONSE);
    put_class(&line, r, row->label, row->label_probability);
    buf_str(&line, ", predicted ");
    put_class(&line, r, row->predicted, row->probability);
    fprintf(term->file, "%srow %zu%s  %s\n", term_on(term, TERM_BOLD), at,
            term_off(term, TERM_BOLD), line.data);
    put_shown(term, row->text);
    buf_reset(&line);
    int rc = report_tokens(r, row->text, TOKENS_MAX, put_token, &line,
                           &n_tokens, err);
    if (rc == 0) {
        fprintf(term->file, "  %s%s%s%s\n", term_on(term, TERM_DIM),
                line.data != NULL ? line.data : "",
                n_tokens > TOKENS_MAX ? " ..." : "", term_off(term, TERM_DIM));
    }
    buf_fini(&line);
    return rc;
}

static int put_errors(const struct report *r, size_t n_errors,
                      const struct term *term, struct err *err)
{
    size_t n_shown = 0;
    int rc = 0;
    if (r->n_errors == 0 || n_errors == 0) {
        return 0;
    }
    fprintf(term->file, "\n%s%zu error%s%s", term_on(term, TERM_BOLD),
            r->n_errors, r->n_errors == 1 ? "" : "s",
            term_off(term, TERM_BOLD));
    if (r->n_errors > n_errors) {
        fprintf(term->file, ", the first %zu", n_errors);
    }
    fprintf(term->file,
            " (true class and its probability, predicted class):\n");
    for (size_t i = 0; rc == 0 && i < r->n_rows && n_shown < n_errors; i++) {
        if (r->rows[i].label != r->rows[i].predicted) {
            rc = put_error(r, i, term, err);
            n_shown++;
        }
    }
    return rc;
}

int report_text(const struct report *r, const struct report_title *title,
                size_t n_errors, const struct term *term, struct err *err)
{
    put_heading(r, title, term);
    put_classes(r, term);
    fputc('\n', term->file);
    if (r->n_classes <= MATRIX_CLASSES) {
        put_matrix(r, term);
    } else if (r->n_errors > 0) {
        put_confusions(r, term);
    }
    return put_errors(r, n_errors, term, err);
}
