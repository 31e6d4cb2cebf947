/* dataset_image: how a dataset lies in memory and in its prepared file.
 *
 * One layout for both, so that saving is a write and opening is a map.
 * Little-endian; the sections follow one another without gaps:
 *
 *   header    struct dataset_header
 *   text_at   u64 x (n_rows + 1)     text i is texts[text_at[i], text_at[i+1])
 *   class_at  u64 x (n_classes + 1)  likewise; a class name ends in NUL
 *   labels    i32 x n_rows           class ids
 *   classes   the names, ascending in code point order
 *   texts     UTF-8
 *
 * Private to dataset*.c. */
#ifndef CORE_DATA_DATASET_IMAGE_H
#define CORE_DATA_DATASET_IMAGE_H
#include "core/data/dataset.h"
#include <stdbool.h>

enum { DATASET_VERSION = 2 };
#define DATASET_MAGIC "PARZDATA"

struct dataset_header {
    char magic[8]; /* DATASET_MAGIC without its NUL */
    uint32_t version, n_classes;
    uint64_t n_rows, n_test, class_bytes, text_bytes;
};

/* Where the sections begin, in bytes; total is the size of the image. */
struct dataset_layout {
    size_t text_at, class_at, labels, classes, texts, total;
};

struct dataset {
    char *made;        /* the image, when this process made it */
    struct span image; /* the bytes of `made`, or a mapped file */
    struct dataset_header header;
    struct dataset_layout layout;
    struct dataset_count *counts;
    size_t n_counts;
    char *labels_seen; /* what the counts of a dataset just read point into */
};

/* False when the sizes overflow. */
MUST_CHECK bool dataset_layout(const struct dataset_header *h,
                               struct dataset_layout *out);
/* Bytes [begin, end) of texts or classes, by a section of offsets. */
struct span dataset_slice(const struct dataset *d, size_t offsets, size_t bytes,
                          size_t i);
/* Largest first, ties by name. */
void dataset_sort_counts(struct dataset_count *counts, size_t n);

#endif
