/* The rows are ordered by label, which gives the classes, their counts and who
 * passes the filter; what is left is laid out as dataset_image.h says. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/data/dataset_image.h"
#include "core/data/dataset_rows.h"

#include <stdlib.h>
#include <string.h>

enum {
    MIN_CLASSES = 2,
    COUNTS_MAX = 600, /* bytes of a list of counts in a sentence */
};

/* --- classes --- */

struct classes {
    struct dataset_count *counts; /* in order of name until handed out */
    size_t n_counts;
    int32_t *id; /* of each row; -1: filtered out */
    size_t n_kept;
    size_t n_rows, n_test, text_bytes, class_bytes; /* of what is kept */
};

static int compare_labels(const void *a, const void *b, void *ctx)
{
    const struct rows *r = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = strcmp(rows_label(r, x), rows_label(r, y));
    return order != 0 ? order : (x > y) - (x < y);
}

/* Give the rows of one label their class, or none. */
static void take_label(const struct rows *r, const uint32_t *rows, size_t n,
                       int min_count, struct classes *c)
{
    const char *label = rows_label(r, rows[0]);
    size_t n_test = 0, least = min_count > 1 ? (size_t)min_count : 1;
    for (size_t i = 0; i < n; i++) {
        n_test += rows[i] >= r->n - r->n_test;
    }
    bool is_kept = n - n_test >= least;
    c->counts[c->n_counts++] = (struct dataset_count){label, n - n_test};
    for (size_t i = 0; i < n; i++) {
        c->id[rows[i]] = is_kept ? (int32_t)c->n_kept : -1;
        c->text_bytes += is_kept ? rows_text(r, rows[i]).len : 0;
    }
    if (is_kept) {
        c->n_kept++;
        c->n_rows += n;
        c->n_test += n_test;
        c->class_bytes += strlen(label) + 1;
    }
}

static int find_classes(struct rows *r, int min_count, struct classes *c,
                        struct err *err)
{
    uint32_t *order = mem_try(r->n, sizeof(*order));
    c->id = mem_try(r->n, sizeof(*c->id));
    c->counts = mem_try(r->n, sizeof(*c->counts));
    if (order == NULL || c->id == NULL || c->counts == NULL) {
        free(order);
        return err_set(err, ERR_LIMIT, "no memory to order %zu rows", r->n);
    }
    for (size_t i = 0; i < r->n; i++) {
        order[i] = (uint32_t)i;
    }
    qsort_r(order, r->n, sizeof(*order), compare_labels, r);
    for (size_t i = 0, next; i < r->n; i = next) {
        next = i + 1;
        while (next < r->n && strcmp(rows_label(r, order[i]),
                                     rows_label(r, order[next])) == 0) {
            next++;
        }
        take_label(r, order + i, next - i, min_count, c);
    }
    free(order);
    return 0;
}

/* Too few: say how many rows each label has. */
static int few_classes(struct classes *c, int min_count, struct err *err)
{
    struct buf list;
    buf_init(&list, COUNTS_MAX);
    dataset_sort_counts(c->counts, c->n_counts);
    size_t i;
    for (i = 0; i < c->n_counts && list.len < COUNTS_MAX / 2; i++) {
        const char *label = c->counts[i].label;
        buf_str(&list, i == 0 ? "'" : ", '");
        utf8_printable(&list, label, strlen(label));
        buf_printf(&list, "' %zu", c->counts[i].n);
    }
    if (i < c->n_counts) {
        buf_printf(&list, " and %zu more labels", c->n_counts - i);
    }
    int rc = err_set(err, ERR_INVALID,
                     "%d classes are needed, but %zu of %zu labels %s at "
                     "least %d rows: %s",
                     MIN_CLASSES, c->n_kept, c->n_counts,
                     c->n_kept == 1 ? "has" : "have",
                     min_count > 1 ? min_count : 1, list.data);
    buf_fini(&list);
    return rc;
}

/* --- the image --- */

static void fill_classes(struct dataset *d, const struct classes *c,
                         int min_count)
{
    uint64_t *class_at = (void *)(d->made + d->layout.class_at);
    char *names = d->made + d->layout.classes;
    size_t n = 0, at = 0, least = min_count > 1 ? (size_t)min_count : 1;
    for (size_t i = 0; i < c->n_counts; i++) {
        if (c->counts[i].n >= least) {
            size_t len = strlen(c->counts[i].label) + 1;
            memcpy(names + at, c->counts[i].label, len);
            class_at[n++] = at;
            at += len;
        }
    }
    class_at[n] = at;
}

static void fill_rows(struct dataset *d, const struct rows *r,
                      const struct classes *c)
{
    uint64_t *text_at = (void *)(d->made + d->layout.text_at);
    int32_t *labels = (void *)(d->made + d->layout.labels);
    char *texts = d->made + d->layout.texts;
    size_t n = 0, at = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (c->id[i] < 0) {
            continue;
        }
        struct span text = rows_text(r, i);
        if (text.len != 0) {
            memcpy(texts + at, text.at, text.len);
        }
        labels[n] = c->id[i];
        text_at[n++] = at;
        at += text.len;
    }
    text_at[n] = at;
}

/* On success the dataset takes the counts, and the labels they point into. */
static int make_dataset(struct rows *r, struct classes *c, int min_count,
                        struct dataset **out, struct err *err)
{
    struct dataset *d = mem_alloc(1, sizeof(*d));
    d->header = (struct dataset_header){.magic = DATASET_MAGIC,
                                        .version = DATASET_VERSION,
                                        .n_classes = (uint32_t)c->n_kept,
                                        .n_rows = c->n_rows,
                                        .n_test = c->n_test,
                                        .class_bytes = c->class_bytes,
                                        .text_bytes = c->text_bytes};
    if (dataset_layout(&d->header, &d->layout)) {
        d->made = mem_try(d->layout.total, 1);
    }
    if (d->made == NULL) {
        free(d);
        return err_set(err, ERR_LIMIT, "no memory for %zu rows", c->n_rows);
    }
    d->image = (struct span){d->made, d->layout.total};
    memcpy(d->made, &d->header, sizeof(d->header));
    fill_classes(d, c, min_count);
    fill_rows(d, r, c);
    dataset_sort_counts(c->counts, c->n_counts);
    d->counts = c->counts;
    d->n_counts = c->n_counts;
    d->labels_seen = r->labels.bytes;
    c->counts = NULL;
    r->labels = (struct pile){0};
    *out = d;
    return 0;
}

int dataset_build(struct rows *r, int min_class_count, struct dataset **out,
                  struct err *err)
{
    struct classes c = {0};
    int rc = find_classes(r, min_class_count, &c, err);
    if (rc == 0 && c.n_kept < MIN_CLASSES) {
        rc = few_classes(&c, min_class_count, err);
    }
    if (rc == 0 && c.text_bytes == 0) {
        rc = err_set(err, ERR_INVALID,
                     "every text is empty: there is nothing to learn from");
    }
    if (rc == 0) {
        rc = make_dataset(r, &c, min_class_count, out, err);
    }
    free(c.counts);
    free(c.id);
    return rc;
}
