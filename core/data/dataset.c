#include "core/data/dataset_image.h"
#include "core/base/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the prepared file is used as it lies in memory");
_Static_assert(sizeof(struct dataset_header) == 48, "no padding");

/* total += n * size; false on overflow. */
static bool add_section(size_t *total, uint64_t n, size_t size)
{
    size_t bytes;
    return !__builtin_mul_overflow(n, size, &bytes) &&
           !__builtin_add_overflow(*total, bytes, total);
}

bool dataset_layout(const struct dataset_header *h, struct dataset_layout *out)
{
    struct dataset_layout l;
    size_t at = sizeof(*h);
    l.text_at = at;
    bool fits = h->n_rows < UINT32_MAX && h->n_classes <= INT32_MAX &&
                add_section(&at, h->n_rows + 1, sizeof(uint64_t));
    l.class_at = at;
    fits =
        fits && add_section(&at, (uint64_t)h->n_classes + 1, sizeof(uint64_t));
    l.labels = at;
    fits = fits && add_section(&at, h->n_rows, sizeof(int32_t));
    l.classes = at;
    fits = fits && add_section(&at, h->class_bytes, 1);
    l.texts = at;
    fits = fits && add_section(&at, h->text_bytes, 1);
    l.total = at;
    if (fits) {
        *out = l;
    }
    return fits;
}

struct span dataset_slice(const struct dataset *d, size_t offsets, size_t bytes,
                          size_t i)
{
    uint64_t at[2];
    memcpy(at, d->image.at + offsets + i * sizeof(at[0]), sizeof(at));
    return (struct span){d->image.at + bytes + at[0], at[1] - at[0]};
}

void dataset_free(struct dataset *d)
{
    if (d == NULL) {
        return;
    }
    if (d->made != NULL) {
        free(d->made);
    } else {
        file_unmap(d->image);
    }
    free(d->counts);
    free(d->labels_seen);
    free(d);
}

size_t dataset_size(const struct dataset *d)
{
    return d->header.n_rows;
}

size_t dataset_n_test(const struct dataset *d)
{
    return d->header.n_test;
}

struct span dataset_text(const struct dataset *d, size_t row)
{
    assert(row < d->header.n_rows);
    return dataset_slice(d, d->layout.text_at, d->layout.texts, row);
}

int32_t dataset_label(const struct dataset *d, size_t row)
{
    assert(row < d->header.n_rows);
    int32_t label;
    memcpy(&label, d->image.at + d->layout.labels + row * sizeof(label),
           sizeof(label));
    return label;
}

size_t dataset_n_classes(const struct dataset *d)
{
    return d->header.n_classes;
}

const char *dataset_class(const struct dataset *d, size_t id)
{
    assert(id < d->header.n_classes);
    return dataset_slice(d, d->layout.class_at, d->layout.classes, id).at;
}

static int compare_counts(const void *a, const void *b)
{
    const struct dataset_count *x = a, *y = b;
    return x->n != y->n ? (x->n < y->n ? 1 : -1) : strcmp(x->label, y->label);
}

void dataset_sort_counts(struct dataset_count *counts, size_t n)
{
    qsort(counts, n, sizeof(*counts), compare_counts);
}

size_t dataset_counts(const struct dataset *d, const struct dataset_count **out)
{
    *out = d->counts;
    return d->n_counts;
}
