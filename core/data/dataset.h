/* dataset: labelled texts: reading, class filter, seeded split, prepared file.
 *
 * A dataset is read once from its sources (list them in order: rows are
 * concatenated), filtered, and saved as a *prepared file* in the cache, whose
 * SHA-256 is the identity that a study remembers. Classes get ids by sorted
 * name (code point order). */
#ifndef CORE_DATA_DATASET_H
#define CORE_DATA_DATASET_H
#include "core/base/err.h"
#include <stdint.h>

struct dataset; /* immutable; opaque */
struct fetch_watch;

/* What to read. All borrowed until the call returns. */
struct dataset_query {
    const char *const *sources; /* paths; the name's ending says what it is */
    size_t n_sources;
    const char *const *test_sources; /* likewise: rows for test alone */
    size_t n_test_sources;
    const char *const *splits; /* of hf: sources; may be none */
    size_t n_splits;
    const char *text, *label; /* column names */
    const char *named_by;     /* what names them; NULL: a config's data */
    int min_class_count;      /* keep classes with at least this many rows,
                                 those for test alone not counted */
    const char *base_dir;     /* relative paths start here; NULL: the cwd */
    const char *cache_dir;    /* downloads are kept here; NULL: none */
    const struct fetch_watch *watch; /* of downloads; notes also tell how many
                                        rows for test are left out; or NULL */
    /* Called now and then with the rows read so far; may be NULL. */
    void (*on_rows)(void *ctx, size_t n_rows);
    void *rows_ctx;
};

/* Read, check and filter. A source is a regular file of at most 4 GiB:
 *   .jsonl  an object per line      .json  one list of objects
 *   .csv .tsv  RFC 4180, the first record names the columns
 * A text is a string, maybe empty; a label a non-empty string or, in JSON, a
 * whole number. Also hf:OWNER/NAME[/CONFIG] (hub.h) and such files by http://
 * or https:// (download.h). Errors name file, line and byte ("x.jsonl: line 7,
 * byte 1034: not valid UTF-8"). Refused: no rows, fewer than 2 classes left, a
 * row for test with a label that no other row has. Those of a class that the
 * filter leaves out go with it. */
MUST_CHECK int dataset_read(const struct dataset_query *query,
                            struct dataset **out, struct err *err);
void dataset_free(struct dataset *d);

size_t dataset_size(const struct dataset *d); /* rows after the filter */
/* The last ones of them, which are for test alone. */
size_t dataset_n_test(const struct dataset *d);
struct span dataset_text(const struct dataset *d, size_t row);
int32_t dataset_label(const struct dataset *d, size_t row); /* class id */
size_t dataset_n_classes(const struct dataset *d);
const char *dataset_class(const struct dataset *d, size_t id); /* UTF-8 */

/* Row counts per label before the filter, largest first (ties by name); for
 * `data stat`. The filter kept the first dataset_n_classes() of them. A dataset
 * opened from a prepared file knows only what was kept. */
struct dataset_count {
    const char *label;
    size_t n;
};
size_t dataset_counts(const struct dataset *d,
                      const struct dataset_count **out);

/* The prepared file: DIR/SHA256.dataset, atomic; *sha256 is its content hash.
 * Same rows, same bytes. */
MUST_CHECK int dataset_save(const struct dataset *d, const char *dir,
                            char sha256[65], struct err *err);
/* Map a prepared file and verify it: NOTFOUND, CORRUPT. */
MUST_CHECK int dataset_open(const char *dir, const char *sha256,
                            struct dataset **out, struct err *err);

enum dataset_split_kind { DATASET_SPLIT_RANDOM, DATASET_SPLIT_STRATIFIED };
enum dataset_part { DATASET_TRAIN, DATASET_VAL, DATASET_TEST };
struct dataset_split {
    uint32_t *rows[3]; /* row numbers of train, val, test; owned */
    size_t n[3];
};
/* random: a permutation of (seed) cut at floor(n f), the remainder given one
 * by one from the first part (torch random_split). stratified: parts of the
 * same sizes, a permutation within each class cut so that every part has at
 * least the whole rows of the class's share in it, and train at least one (the
 * parts differ in size from random's only where that one is more than its
 * share); parts are then ordered by row number. Rows that are for test alone
 * are the test part, and the third fraction must be 0 then. INVALID when the
 * fractions are not >= 0 with sum 1 (within 1e-9), or when train, val or a part
 * whose fraction is not 0 would be empty. */
MUST_CHECK int dataset_split(const struct dataset *d,
                             enum dataset_split_kind kind,
                             const double fractions[3], uint64_t seed,
                             struct dataset_split *out, struct err *err);
void dataset_split_fini(struct dataset_split *s);

#endif
