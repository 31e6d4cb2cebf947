#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_PARTS = 3 };

static int check_fractions(const double fractions[N_PARTS], struct err *err)
{
    static const double TOLERANCE = 1e-9;
    double sum = 0;
    for (int p = 0; p < N_PARTS; p++) {
        if (!(fractions[p] >= 0 && fractions[p] <= 1)) {
            return err_set(err, ERR_INVALID,
                           "fraction %d must be between 0 and 1, not %g", p + 1,
                           fractions[p]);
        }
        sum += fractions[p];
    }
    if (fabs(sum - 1) > TOLERANCE) {
        return err_set(err, ERR_INVALID,
                       "the fractions must add up to 1, not to %.10g", sum);
    }
    return 0;
}

/* floor(n f) rows each; the remainder one by one from the first part. */
static void part_sizes(size_t n, const double fractions[N_PARTS],
                       size_t sizes[N_PARTS])
{
    size_t left = n;
    for (int p = 0; p < N_PARTS; p++) {
        size_t size = (size_t)floor((double)n * fractions[p]);
        sizes[p] = size < left ? size : left;
        left -= sizes[p];
    }
    for (int p = 0; left > 0; p = (p + 1) % N_PARTS) {
        sizes[p]++;
        left--;
    }
}

/* Shuffle rows[0..n) and deal them out, appending to the parts. */
static void deal(struct rng *rng, uint32_t *rows, size_t n,
                 const double fractions[N_PARTS], struct dataset_split *s)
{
    size_t sizes[N_PARTS];
    part_sizes(n, fractions, sizes);
    rng_shuffle(rng, rows, (uint32_t)n);
    for (int p = 0; p < N_PARTS; p++) {
        memcpy(s->rows[p] + s->n[p], rows, sizes[p] * sizeof(*rows));
        s->n[p] += sizes[p];
        rows += sizes[p];
    }
}

static int compare_rows(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* order: room for n rows, the first n. ends: for all classes, zeroed. */
static void deal_by_class(const struct dataset *d, size_t n, struct rng *rng,
                          uint32_t *order, size_t *ends,
                          const double fractions[N_PARTS],
                          struct dataset_split *s)
{
    size_t n_classes = dataset_n_classes(d);
    for (size_t i = 0; i < n; i++) { /* a counting sort by class */
        ends[dataset_label(d, i)]++;
    }
    for (size_t c = 0, start = 0; c < n_classes; c++) {
        size_t count = ends[c];
        ends[c] = start;
        start += count;
    }
    for (size_t i = 0; i < n; i++) {
        order[ends[dataset_label(d, i)]++] = (uint32_t)i;
    }
    for (size_t c = 0, start = 0; c < n_classes; start = ends[c++]) {
        deal(rng, order + start, ends[c] - start, fractions, s);
    }
    for (int p = 0; p < N_PARTS; p++) {
        qsort(s->rows[p], s->n[p], sizeof(*s->rows[p]), compare_rows);
    }
}

static bool make_room(struct dataset_split *s, size_t n)
{
    bool ok = true;
    for (int p = 0; p < N_PARTS; p++) {
        s->rows[p] = mem_try(n, sizeof(*s->rows[p]));
        ok = ok && s->rows[p] != NULL;
    }
    return ok;
}

static int check_parts(const struct dataset_split *s, struct err *err)
{
    if (s->n[DATASET_TRAIN] == 0 || s->n[DATASET_VAL] == 0) {
        return err_set(err, ERR_INVALID,
                       "the split leaves %zu rows for training, %zu for "
                       "validation and %zu for test: the first two must not "
                       "be empty",
                       s->n[DATASET_TRAIN], s->n[DATASET_VAL],
                       s->n[DATASET_TEST]);
    }
    return 0;
}

int dataset_split(const struct dataset *d, enum dataset_split_kind kind,
                  const double fractions[3], uint64_t seed,
                  struct dataset_split *out, struct err *err)
{
    int rc = check_fractions(fractions, err);
    if (rc != 0) {
        return rc;
    }
    size_t n_test = dataset_n_test(d), n = dataset_size(d) - n_test;
    if (n_test > 0 && fractions[DATASET_TEST] > 0) {
        return err_set(err, ERR_INVALID,
                       "the test rows are files of their own "
                       "(data.test_source): the third of data.fractions "
                       "must be 0, not %g",
                       fractions[DATASET_TEST]);
    }
    struct dataset_split s = {0};
    uint32_t *order = mem_try(n, sizeof(*order));
    size_t *ends = mem_try(dataset_n_classes(d), sizeof(*ends));
    if (order == NULL || ends == NULL || !make_room(&s, dataset_size(d))) {
        rc = err_set(err, ERR_LIMIT, "no memory to split %zu rows", n);
        goto done;
    }
    struct rng rng;
    rng_stream(&rng, seed, 0, RNG_SPLIT, 0);
    if (kind == DATASET_SPLIT_STRATIFIED) {
        deal_by_class(d, n, &rng, order, ends, fractions, &s);
    } else {
        for (size_t i = 0; i < n; i++) {
            order[i] = (uint32_t)i;
        }
        deal(&rng, order, n, fractions, &s);
    }
    for (size_t i = 0; i < n_test; i++) {
        s.rows[DATASET_TEST][s.n[DATASET_TEST]++] = (uint32_t)(n + i);
    }
    rc = check_parts(&s, err);
done:
    free(order);
    free(ends);
    if (rc == 0) {
        *out = s;
    } else {
        dataset_split_fini(&s);
    }
    return rc;
}

void dataset_split_fini(struct dataset_split *s)
{
    for (int p = 0; p < N_PARTS; p++) {
        free(s->rows[p]);
    }
    *s = (struct dataset_split){0};
}
