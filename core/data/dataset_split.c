#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/data/dataset.h"

#include <math.h>
#include <stdbool.h>
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
                 const size_t sizes[N_PARTS], struct dataset_split *s)
{
    rng_shuffle(rng, rows, (uint32_t)n);
    for (int p = 0; p < N_PARTS; p++) {
        memcpy(s->rows[p] + s->n[p], rows, sizes[p] * sizeof(*rows));
        s->n[p] += sizes[p];
        rows += sizes[p];
    }
}

/* order: room for n rows. */
static void deal_all(size_t n, struct rng *rng, uint32_t *order,
                     const double fractions[N_PARTS], struct dataset_split *s)
{
    size_t sizes[N_PARTS];
    part_sizes(n, fractions, sizes);
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    deal(rng, order, n, sizes, s);
}

/* --- by class ------------------------------------------------------------- */

/* A class's share of a part is rarely a whole number. Each class gives the
 * whole rows of it; what a part then lacks comes from the classes that owe it
 * most, part by part, so that who gave one more to train gives less to the
 * others. */
struct stratum {
    size_t n, end;         /* rows; where they end among all, by class */
    size_t sizes[N_PARTS]; /* rows given to each part */
    size_t left;           /* rows given to none */
    double owed;           /* to the part in work, beyond what is given */
};

/* The whole rows of each share. One row trains, or nobody knew the class. */
static void give_whole(struct stratum *strata, size_t n_classes,
                       const double fractions[N_PARTS])
{
    for (size_t c = 0; c < n_classes; c++) {
        struct stratum *k = &strata[c];
        k->left = k->n;
        for (int p = 0; p < N_PARTS; p++) {
            size_t size = (size_t)floor((double)k->n * fractions[p]);
            if (p == DATASET_TRAIN && size == 0 && fractions[p] > 0) {
                size = 1;
            }
            k->sizes[p] = size < k->left ? size : k->left;
            k->left -= k->sizes[p];
        }
    }
}

static int compare_owed(const void *a, const void *b, void *ctx)
{
    const struct stratum *strata = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    double p = strata[x].owed, q = strata[y].owed;
    return p != q ? (p < q ? 1 : -1) : (x > y) - (x < y);
}

/* Give part p what it lacks, a row of a class in each round. */
static void fill_part(struct stratum *strata, size_t n_classes, int p,
                      size_t n_lacking, uint32_t *order)
{
    for (size_t c = 0; c < n_classes; c++) {
        order[c] = (uint32_t)c;
    }
    qsort_r(order, n_classes, sizeof(*order), compare_owed, strata);
    for (bool goes_on = true; goes_on && n_lacking > 0;) {
        goes_on = false;
        for (size_t i = 0; i < n_classes && n_lacking > 0; i++) {
            struct stratum *k = &strata[order[i]];
            if (k->left > 0) {
                k->left--;
                k->sizes[p]++;
                n_lacking--;
                goes_on = true;
            }
        }
    }
}

/* Part p's share of the rows that parts before it left. */
static double part_of_rest(const double fractions[N_PARTS], int p)
{
    double sum = 0;
    for (int q = p; q < N_PARTS; q++) {
        sum += fractions[q];
    }
    return sum > 0 ? fractions[p] / sum : 0;
}

/* What each class gives to each part; order: room for all classes. Classes of
 * one row may make train larger than its size of the whole: the others then
 * share what is left of the rows. */
static void size_strata(struct stratum *strata, size_t n_classes, size_t n,
                        const double fractions[N_PARTS], uint32_t *order)
{
    size_t wanted[N_PARTS], n_rest = n;
    part_sizes(n, fractions, wanted);
    give_whole(strata, n_classes, fractions);
    for (int p = 0; p < N_PARTS; p++) {
        double part = part_of_rest(fractions, p);
        size_t n_given = 0, size = wanted[p];
        for (size_t c = 0; c < n_classes; c++) {
            struct stratum *k = &strata[c];
            size_t rest = k->left;
            for (int q = p; q < N_PARTS; q++) {
                rest += k->sizes[q];
            }
            k->owed = (double)rest * part - (double)k->sizes[p];
            n_given += k->sizes[p];
        }
        if (p == DATASET_VAL && n_rest != wanted[p] + wanted[DATASET_TEST]) {
            size = (size_t)floor((double)n_rest * part + 0.5);
        } else if (p == DATASET_TEST) {
            size = n_rest;
        }
        size = size > n_given ? size : n_given;
        fill_part(strata, n_classes, p, size - n_given, order);
        n_rest -= size;
    }
}

static int compare_rows(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Order the first n rows by class: a counting sort. */
static void order_by_class(const struct dataset *d, size_t n,
                           struct stratum *strata, uint32_t *order)
{
    for (size_t i = 0; i < n; i++) {
        strata[dataset_label(d, i)].n++;
    }
    for (size_t c = 0, start = 0; c < dataset_n_classes(d); c++) {
        strata[c].end = start;
        start += strata[c].n;
    }
    for (size_t i = 0; i < n; i++) {
        order[strata[dataset_label(d, i)].end++] = (uint32_t)i;
    }
}

static int deal_by_class(const struct dataset *d, size_t n, struct rng *rng,
                         uint32_t *order, const double fractions[N_PARTS],
                         struct dataset_split *s, struct err *err)
{
    size_t n_classes = dataset_n_classes(d);
    struct stratum *strata = mem_try(n_classes, sizeof(*strata));
    uint32_t *by_owed = mem_try(n_classes, sizeof(*by_owed));
    if (strata == NULL || by_owed == NULL) {
        free(strata);
        free(by_owed);
        return err_set(err, ERR_LIMIT, "no memory to split %zu classes",
                       n_classes);
    }
    order_by_class(d, n, strata, order);
    size_strata(strata, n_classes, n, fractions, by_owed);
    for (size_t c = 0; c < n_classes; c++) {
        const struct stratum *k = &strata[c];
        deal(rng, order + k->end - k->n, k->n, k->sizes, s);
    }
    for (int p = 0; p < N_PARTS; p++) {
        qsort(s->rows[p], s->n[p], sizeof(*s->rows[p]), compare_rows);
    }
    free(strata);
    free(by_owed);
    return 0;
}

/* --- the split ------------------------------------------------------------ */

static bool make_room(struct dataset_split *s, size_t n)
{
    bool ok = true;
    for (int p = 0; p < N_PARTS; p++) {
        s->rows[p] = mem_try(n, sizeof(*s->rows[p]));
        ok = ok && s->rows[p] != NULL;
    }
    return ok;
}

static int check_parts(const struct dataset_split *s,
                       const double fractions[N_PARTS], struct err *err)
{
    if (s->n[DATASET_TRAIN] == 0 || s->n[DATASET_VAL] == 0) {
        return err_set(err, ERR_INVALID,
                       "the split leaves %zu rows for training, %zu for "
                       "validation and %zu for test: the first two must not "
                       "be empty",
                       s->n[DATASET_TRAIN], s->n[DATASET_VAL],
                       s->n[DATASET_TEST]);
    }
    if (s->n[DATASET_TEST] == 0 && fractions[DATASET_TEST] > 0) {
        return err_set(err, ERR_INVALID,
                       "the split leaves %zu rows for training, %zu for "
                       "validation and none for test, whose fraction is %g: "
                       "it takes more rows, or a fraction of 0",
                       s->n[DATASET_TRAIN], s->n[DATASET_VAL],
                       fractions[DATASET_TEST]);
    }
    return 0;
}

static int check_test_rows(size_t n_test, const double fractions[N_PARTS],
                           struct err *err)
{
    return n_test > 0 && fractions[DATASET_TEST] > 0
               ? err_set(err, ERR_INVALID,
                         "the test rows are files of their own "
                         "(data.test_source): the third of data.fractions "
                         "must be 0, not %g",
                         fractions[DATASET_TEST])
               : 0;
}

int dataset_split(const struct dataset *d, enum dataset_split_kind kind,
                  const double fractions[3], uint64_t seed,
                  struct dataset_split *out, struct err *err)
{
    size_t n_test = dataset_n_test(d), n = dataset_size(d) - n_test;
    int rc = check_fractions(fractions, err);
    rc = rc == 0 ? check_test_rows(n_test, fractions, err) : rc;
    if (rc != 0) {
        return rc;
    }
    struct dataset_split s = {0};
    uint32_t *order = mem_try(n, sizeof(*order));
    if (order == NULL || !make_room(&s, dataset_size(d))) {
        rc = err_set(err, ERR_LIMIT, "no memory to split %zu rows", n);
        goto done;
    }
    struct rng rng;
    rng_stream(&rng, seed, 0, RNG_SPLIT, 0);
    if (kind == DATASET_SPLIT_STRATIFIED) {
        rc = deal_by_class(d, n, &rng, order, fractions, &s, err);
    } else {
        deal_all(n, &rng, order, fractions, &s);
    }
    if (rc != 0) {
        goto done;
    }
    for (size_t i = 0; i < n_test; i++) {
        s.rows[DATASET_TEST][s.n[DATASET_TEST]++] = (uint32_t)(n + i);
    }
    rc = check_parts(&s, fractions, err);
done:
    free(order);
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
