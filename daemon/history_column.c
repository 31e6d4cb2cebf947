#include "daemon/history_column.h"

#include "core/base/mem.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- arrays --------------------------------------------------------------- */

double *reals_grow(double *reals, size_t from, size_t to)
{
    reals = mem_grow(reals, to, sizeof(*reals));
    for (size_t i = from; i < to; i++) {
        reals[i] = NAN;
    }
    return reals;
}

void *array_copy(const void *from, size_t n, size_t cap, size_t size)
{
    void *to = mem_grow(NULL, cap != 0 ? cap : 1, size);
    if (n > 0) {
        memcpy(to, from, n * size);
    }
    return to;
}

/* --- life ----------------------------------------------------------------- */

void column_init(struct param_column *c, const char *name, bool is_log,
                 size_t cap)
{
    *c = (struct param_column){
        .name = mem_strdup(name),
        .value = reals_grow(NULL, 0, cap),
        .log_value = is_log ? reals_grow(NULL, 0, cap) : NULL,
    };
}

void column_fini(struct param_column *c)
{
    for (size_t i = 0; i < c->n_dists; i++) {
        dist_fini(&c->dists[i]->dist);
        free(c->dists[i]);
    }
    free(c->name);
    free(c->dists);
    free(c->value);
    free(c->log_value);
    free(c->dist);
    free(c->order);
    free(c->gap);
}

void column_grow(struct param_column *c, size_t from_cap, size_t to_cap)
{
    c->value = reals_grow(c->value, from_cap, to_cap);
    if (c->log_value != NULL) {
        c->log_value = reals_grow(c->log_value, from_cap, to_cap);
    }
    if (c->dist != NULL) {
        c->dist = mem_grow(c->dist, to_cap, sizeof(*c->dist));
    }
    if (c->order != NULL) {
        c->order = mem_grow(c->order, to_cap, sizeof(*c->order));
        c->gap = mem_grow(c->gap, to_cap, sizeof(*c->gap));
    }
}

void column_copy(struct param_column *to, const struct param_column *c,
                 size_t n, size_t cap, bool is_whole)
{
    *to = *c;
    to->name = mem_strdup(c->name);
    to->dists = mem_alloc(c->n_dists, sizeof(struct param_dist *));
    for (size_t i = 0; i < c->n_dists; i++) {
        to->dists[i] = mem_alloc(1, sizeof(struct param_dist));
        to->dists[i]->n_finished = c->dists[i]->n_finished;
        dist_copy(&to->dists[i]->dist, &c->dists[i]->dist);
    }
    /* all of cap: what is beyond n is NaN */
    to->value = array_copy(c->value, cap, cap, sizeof(*c->value));
    if (c->dist != NULL) {
        to->dist = array_copy(c->dist, n, cap, sizeof(*c->dist));
    }
    to->log_value = NULL;
    to->order = NULL;
    to->gap = NULL;
    to->n_order = to->n_sorted = 0;
    if (is_whole && c->log_value != NULL) {
        to->log_value =
            array_copy(c->log_value, cap, cap, sizeof(*c->log_value));
    }
}

/* --- order: new values wait at its end, unsorted, so that many do not cost a
 * move of all each. */

static double centre(const struct param_column *c, uint32_t number)
{
    double at = c->log_value != NULL ? c->log_value[number] : c->value[number];
    return isnan(at) ? -(double)INFINITY : at;
}

/* Where (centre, number) is, or belongs, in the sorted part. */
static size_t order_find(const struct param_column *c, uint32_t number)
{
    double at = centre(c, number);
    size_t low = 0, high = c->n_sorted;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        uint32_t other = c->order[mid];
        double v = centre(c, other);
        if (v < at || (v == at && other < number)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* Of the j-th in order; a side without a neighbour does not count. */
static void set_gap(struct param_column *c, size_t j)
{
    double at = centre(c, c->order[j]);
    double left = j > 0 ? at - centre(c, c->order[j - 1]) : -(double)INFINITY;
    double right = j + 1 < c->n_sorted ? centre(c, c->order[j + 1]) - at
                                       : -(double)INFINITY;
    c->gap[c->order[j]] = left > right ? left : right;
}

/* Of those from the j-th to the k-th that there are. */
static void set_gaps(struct param_column *c, size_t j, size_t k)
{
    for (; j <= k && j < c->n_sorted; j++) {
        set_gap(c, j);
    }
}

static void order_remove(struct param_column *c, uint32_t number)
{
    size_t at = order_find(c, number);
    bool is_sorted = at < c->n_sorted && c->order[at] == number;
    if (!is_sorted) {
        at = c->n_sorted;
        while (at < c->n_order && c->order[at] != number) {
            at++;
        }
    }
    assert(at < c->n_order);
    c->n_order--;
    memmove(&c->order[at], &c->order[at + 1],
            (c->n_order - at) * sizeof(*c->order));
    if (is_sorted) {
        c->n_sorted--;
        set_gaps(c, at > 0 ? at - 1 : 0, at);
    }
}

struct ordered { /* side by side, to be sorted without a look elsewhere */
    uint64_t key;
    uint32_t number;
};

/* Keys are ordered as the centres are; both zeros have one. */
static struct ordered ordered_at(const struct param_column *c, uint32_t number)
{
    double at = centre(c, number) + 0.0;
    uint64_t bits, sign = UINT64_C(1) << 63;
    memcpy(&bits, &at, sizeof(bits));
    return (struct ordered){(bits & sign) != 0 ? ~bits : bits | sign, number};
}

static bool is_before(const struct ordered *a, const struct ordered *b)
{
    return a->key != b->key ? a->key < b->key : a->number < b->number;
}

static int compare_numbers(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

enum { BYTE_VALUES = 256 };

/* One pass of a radix sort: `to` has `from` by this byte of the keys, else in
 * the order it came in. False: all have the same, and nothing was done. */
static bool sort_by_byte(struct ordered *to, const struct ordered *from,
                         size_t n, unsigned shift)
{
    size_t end[BYTE_VALUES] = {0};
    for (size_t i = 0; i < n; i++) {
        end[from[i].key >> shift & (BYTE_VALUES - 1)]++;
    }
    if (end[from[0].key >> shift & (BYTE_VALUES - 1)] == n) {
        return false;
    }
    for (size_t v = 1; v < BYTE_VALUES; v++) {
        end[v] += end[v - 1];
    }
    for (size_t i = n; i-- > 0;) {
        to[--end[from[i].key >> shift & (BYTE_VALUES - 1)]] = from[i];
    }
    return true;
}

/* By (centre, number); is_ascending: they come by number. Passes over bytes: a
 * start sorts every parameter of 100,000 trials, and comparing took a fifth of
 * its time. */
static void sort_ordered(struct ordered *items, size_t n, bool is_ascending)
{
    struct ordered *from = items, *to = mem_grow(NULL, n, sizeof(*to));
    struct ordered *scratch = to;
    if (!is_ascending) {
        qsort(items, n, sizeof(*items), compare_numbers);
    }
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (sort_by_byte(to, from, n, shift)) {
            struct ordered *done = to;
            to = from;
            from = done;
        }
    }
    if (from != items) {
        memcpy(items, from, n * sizeof(*items));
    }
    free(scratch);
}

/* Merge the unsorted end into the rest, from the back. */
static void merge_end(struct param_column *c)
{
    size_t n_new = c->n_order - c->n_sorted, n_old = c->n_sorted;
    struct ordered *new = mem_grow(NULL, n_new, sizeof(*new));
    bool is_ascending = true;
    for (size_t i = 0; i < n_new; i++) {
        new[i] = ordered_at(c, c->order[n_old + i]);
        is_ascending &= i == 0 || new[i - 1].number < new[i].number;
    }
    sort_ordered(new, n_new, is_ascending);
    for (size_t at = c->n_order; n_new > 0;) {
        const struct ordered *last = &new[n_new - 1];
        struct ordered old =
            n_old > 0 ? ordered_at(c, c->order[n_old - 1]) : *last;
        bool takes_old = n_old > 0 && is_before(last, &old);
        c->order[--at] = takes_old ? old.number : last->number;
        n_old -= takes_old;
        n_new -= !takes_old;
    }
    c->n_sorted = c->n_order;
    free(new);
    set_gaps(c, 0, c->n_sorted);
}

static void begin_order(struct param_column *c, size_t n, size_t cap)
{
    c->order = mem_grow(NULL, cap, sizeof(*c->order));
    c->gap = mem_grow(NULL, cap, sizeof(*c->gap));
    for (size_t i = 0; i < n; i++) {
        if (!isnan(c->value[i])) {
            c->order[c->n_order++] = (uint32_t)i;
        }
    }
}

void column_sort(struct param_column *c, size_t n, size_t cap)
{
    enum { N_FEW = 8 };
    if (c->order == NULL) {
        begin_order(c, n, cap);
    }
    if (c->n_order - c->n_sorted > N_FEW) {
        merge_end(c);
    }
    while (c->n_sorted < c->n_order) {
        uint32_t number = c->order[c->n_sorted];
        size_t at = order_find(c, number);
        memmove(&c->order[at + 1], &c->order[at],
                (c->n_sorted - at) * sizeof(*c->order));
        c->order[at] = number;
        c->n_sorted++;
        set_gaps(c, at > 0 ? at - 1 : 0, at + 1);
    }
}

/* --- values --------------------------------------------------------------- */

struct param_dist *column_dist(const struct param_column *c, size_t i)
{
    return c->dists[c->dist != NULL ? c->dist[i] : 0];
}

static uint32_t dist_of(struct param_column *c, const struct dist *dist,
                        size_t cap)
{
    for (size_t i = 0; i < c->n_dists; i++) {
        if (dist_equal(&c->dists[i]->dist, dist)) {
            return (uint32_t)i;
        }
    }
    c->dists = mem_grow(c->dists, c->n_dists + 1, sizeof(struct param_dist *));
    struct param_dist *d = mem_alloc(1, sizeof(*d));
    dist_copy(&d->dist, dist);
    c->dists[c->n_dists] = d;
    if (c->n_dists == 1) {
        c->dist = mem_alloc(cap, sizeof(*c->dist));
    }
    return (uint32_t)c->n_dists++;
}

void column_set(struct param_column *c, size_t i, const struct dist *dist,
                double value, bool is_used, size_t cap)
{
    if (!isnan(c->value[i])) {
        if (c->order != NULL) {
            order_remove(c, (uint32_t)i);
        }
        column_dist(c, i)->n_finished -= is_used;
        c->value[i] = NAN;
        if (c->log_value != NULL) {
            c->log_value[i] = NAN;
        }
    }
    if (isnan(value)) {
        return;
    }
    if (c->order != NULL) {
        c->order[c->n_order++] = (uint32_t)i;
    }
    c->value[i] = value;
    if (c->log_value != NULL) {
        c->log_value[i] = log(value);
    }
    uint32_t at = dist_of(c, dist, cap);
    if (c->dist != NULL) {
        c->dist[i] = at;
    }
    c->dists[at]->n_finished += is_used;
}

void column_set_choices(struct param_column *c, const struct dist *dist)
{
    for (size_t i = 0; i < c->n_dists; i++) {
        dist_fini(&c->dists[i]->dist);
        dist_copy(&c->dists[i]->dist, dist);
    }
}

void column_count(struct param_column *c, size_t i, int change)
{
    if (!isnan(c->value[i])) {
        column_dist(c, i)->n_finished += change;
    }
}
